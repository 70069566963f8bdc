//! Whether what was expected has happened, told from the journal; a failure shows what came nearest and why that was not
//! it.

use std::borrow::Cow;
use std::fmt;

use serde::Serialize;

use crate::fault::{Call, Expect, Expected, Head, Message, Operation, ScriptError, unmet};
use crate::journal::{CallEntry, Entry};
use crate::live::Live;

/// So many of the nearest misses are shown.
const SHOWN: usize = 3;

/// Several expectations, and how they hang together.
#[derive(Debug, Clone, Default)]
#[must_use = "expectations do nothing until they are verified"]
pub struct Expectations {
    pub(crate) list: Vec<Expect>,
    pub(crate) in_order: bool,
    pub(crate) nothing_else: bool,
}

impl Expectations {
    /// Each of these.
    pub fn all(list: impl IntoIterator<Item = Expect>) -> Self {
        Self { list: list.into_iter().collect(), ..Self::default() }
    }

    /// There must be calls that meet them one behind the other, in this order.
    pub fn in_order(mut self) -> Self {
        self.in_order = true;
        self
    }

    /// There must be no call that none of them is about.
    pub fn nothing_else(mut self) -> Self {
        self.nothing_else = true;
        self
    }
}

impl From<Expect> for Expectations {
    fn from(one: Expect) -> Self {
        Self::all([one])
    }
}

impl<const N: usize> From<[Expect; N]> for Expectations {
    fn from(list: [Expect; N]) -> Self {
        Self::all(list)
    }
}

impl From<Vec<Expect>> for Expectations {
    fn from(list: Vec<Expect>) -> Self {
        Self::all(list)
    }
}

/// What was expected and has not happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct VerifyError {
    /// Each of them, in the order of the expectations.
    pub failures: Vec<Failure>,
    /// How many entries the journal has dropped: what was in them was not seen.
    pub dropped: u64,
}

/// One thing that was expected and has not happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Failure {
    /// Such as `process.Process/Start tag=build: 2 times`.
    pub expected: String,
    /// What was seen instead, in words.
    pub seen: String,
    /// Calls that were nearest, or one too many, the nearest first.
    pub nearest: Vec<Miss>,
}

/// A call and why it was not what was expected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Miss {
    /// Its ordinal.
    pub call: u64,
    /// Its operation.
    pub operation: String,
    /// Why it does not count, in words.
    pub why: String,
}

/// Why an expectation does not hold.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Unverified {
    /// It has not happened.
    #[error(transparent)]
    Failed(#[from] VerifyError),
    /// It cannot be read: a bad glob, or a contradiction.
    #[error("an expectation cannot be read: {0}")]
    Bad(#[from] ScriptError),
}

/// Compares the journal, as it is now, with expectations.
pub(crate) fn of(live: &Live, expectations: &Expectations) -> Result<(), Unverified> {
    let page = live.journal.page(0, usize::MAX, |entry| matches!(entry, Entry::Call(_)));
    let call = |(_, entry)| match entry {
        Entry::Call(call) => Some(*call),
        _ => None,
    };
    let calls: Vec<CallEntry> = page.entries.into_iter().filter_map(call).collect();
    let failures = check(&calls, live.generation.number(), expectations)?;
    if failures.is_empty() { Ok(()) } else { Err(VerifyError { failures, dropped: page.dropped }.into()) }
}

/// Whether a call was one of this operation.
pub(crate) fn is_of(operation: &Operation, call: &CallEntry) -> bool {
    operation.matches(&Past::new(call, 0))
}

/// Compares calls, in the order in which they came, with expectations.
///
/// # Errors
/// The first expectation that cannot be read.
fn check(
    calls: &[CallEntry],
    generation: u8,
    expectations: &Expectations,
) -> Result<Vec<Failure>, ScriptError> {
    let expected: Vec<Expected> = expectations.list.iter().map(Expect::read).collect::<Result<_, _>>()?;
    let past: Vec<Past<'_>> = calls.iter().map(|entry| Past::new(entry, generation)).collect();
    let mut failures: Vec<Failure> = expected.iter().filter_map(|one| count(one, &past)).collect();
    if expectations.in_order {
        failures.extend(order(&expected, &past));
    }
    if expectations.nothing_else {
        failures.extend(others(&expected, &past));
    }
    Ok(failures)
}

fn count(expected: &Expected, past: &[Past<'_>]) -> Option<Failure> {
    let (met, missed): (Vec<_>, Vec<_>) =
        past.iter().map(|call| (call, call.distance(expected))).partition(|(_, distance)| distance.is_none());
    let seen = met.len() as u64;
    if seen >= expected.least && expected.most.is_none_or(|most| seen <= most) {
        return None;
    }
    let nearest = if seen < expected.least {
        let mut missed: Vec<_> = missed.into_iter().filter_map(|(call, why)| Some((call, why?))).collect();
        missed.sort_by(|(_, one), (_, other)| one.0.total_cmp(&other.0));
        missed.into_iter().take(SHOWN).map(|(call, (_, why))| call.miss(why)).collect()
    } else {
        let extra = met.iter().skip(usize::try_from(expected.most.unwrap_or(0)).unwrap_or(usize::MAX));
        extra.take(SHOWN).map(|(call, _)| call.miss("one too many".to_owned())).collect()
    };
    Some(Failure { expected: expected.to_string(), seen: times(seen), nearest })
}

fn times(count: u64) -> String {
    match count {
        0 => "none".to_owned(),
        1 => "1 call".to_owned(),
        count => format!("{count} calls"),
    }
}

/// The first expectation that no call meets behind those that met the ones before.
fn order(expected: &[Expected], past: &[Past<'_>]) -> Option<Failure> {
    let (mut rest, mut last) = (past, None);
    for one in expected.iter().filter(|one| one.least > 0) {
        let Some(at) = rest.iter().position(|call| call.distance(one).is_none()) else {
            let behind = last.map_or("at all".to_owned(), |call| format!("behind call {call}"));
            let too_early = past.iter().filter(|call| call.distance(one).is_none());
            let why = |call: &Past<'_>| call.miss("too early".to_owned());
            return Some(Failure {
                expected: format!("{one}, in this order"),
                seen: format!("none {behind}"),
                nearest: too_early.take(SHOWN).map(why).collect(),
            });
        };
        last = Some(rest[at].entry.call);
        rest = &rest[at + 1..];
    }
    None
}

fn others(expected: &[Expected], past: &[Past<'_>]) -> Option<Failure> {
    let other = |call: &&Past<'_>| expected.iter().all(|one| call.distance(one).is_some());
    let others: Vec<_> = past.iter().filter(other).collect();
    if others.is_empty() {
        return None;
    }
    let why = |call: &&Past<'_>| call.miss("no expectation is about it".to_owned());
    let seen = times(others.len() as u64);
    Some(Failure {
        expected: "nothing else".to_owned(),
        seen,
        nearest: others.iter().take(SHOWN).map(why).collect(),
    })
}

/// A call that was recorded, as rules see one.
struct Past<'e> {
    entry: &'e CallEntry,
    message: Message,
    generation: u8,
}

impl<'e> Past<'e> {
    fn new(entry: &'e CallEntry, generation: u8) -> Self {
        let CallEntry { path, tag, command, .. } = entry;
        let message = Message { path: path.clone(), tag: tag.clone(), command: command.clone() };
        Self { entry, message, generation }
    }

    /// Why it is not what is expected, and how far it is from that; `None` when it is.
    fn distance(&self, expected: &Expected) -> Option<(f64, String)> {
        let call = Call {
            head: self,
            message: &self.message,
            generation: self.generation,
            connection: self.entry.connection,
            name: self.entry.name.as_deref(),
        };
        if let Some(why) = unmet(&expected.when, &call) {
            let other = !expected.when.operation.matches(self);
            let likeness = strsim::jaro_winkler(&expected.when.operation.to_string(), &self.operation());
            return Some((if other { 3.0 - likeness } else { 1.0 }, why));
        }
        self.outcome(expected).map(|why| (0.0, why))
    }

    /// The first thing about how it went that is not as expected.
    fn outcome(&self, Expected { status, end, rule, .. }: &Expected) -> Option<String> {
        let entry = self.entry;
        if let Some(status) = status.filter(|status| Some(*status) != entry.status) {
            let got = entry.status.map_or("missing".to_owned(), |got| got.to_string());
            return Some(format!("status is {got}, not {status}"));
        }
        if let Some(end) = end.as_ref().filter(|end| Some(*end) != entry.end.as_ref()) {
            let got =
                entry.end.as_deref().map_or("missing, it is going on".to_owned(), |got| format!("{got:?}"));
            return Some(format!("end is {got}, not {end:?}"));
        }
        let rule = rule.as_ref().filter(|rule| entry.done.iter().all(|done| done.rule != **rule))?;
        let chosen = entry.decisions.iter().any(|decision| decision.rule == *rule);
        Some(format!("{rule:?} was {}", if chosen { "chosen and not done" } else { "not chosen" }))
    }

    fn miss(&self, why: String) -> Miss {
        Miss { call: self.entry.call, operation: self.entry.operation.clone(), why }
    }
}

impl Head for Past<'_> {
    fn method(&self) -> &str {
        self.entry.operation.split_once(' ').map_or("POST", |(method, _)| method)
    }

    fn path(&self) -> &str {
        self.entry.target.split('?').next().unwrap_or_default()
    }

    fn is_rpc(&self) -> bool {
        !self.entry.operation.contains(' ')
    }

    fn headers(&self, name: &str) -> Vec<Cow<'_, str>> {
        let of_name = self.entry.headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
        of_name.map(|(_, value)| Cow::Borrowed(value.as_str())).collect()
    }

    fn query(&self, name: &str) -> Vec<Cow<'_, str>> {
        crate::query::values(self.entry.target.split_once('?').map_or("", |(_, query)| query), name)
    }

    fn header_names(&self) -> Vec<Cow<'_, str>> {
        let mut names: Vec<_> =
            self.entry.headers.iter().map(|(name, _)| Cow::Owned(name.to_ascii_lowercase())).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    fn query_names(&self) -> Vec<Cow<'_, str>> {
        crate::query::names(self.entry.target.split_once('?').map_or("", |(_, query)| query))
    }
}

impl fmt::Display for VerifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, failure) in self.failures.iter().enumerate() {
            let newline = if index > 0 { "\n" } else { "" };
            write!(f, "{newline}expected {}\nseen     {}", failure.expected, failure.seen)?;
            for Miss { call, operation, why } in &failure.nearest {
                write!(f, "\n  call {call}, {operation}: {why}")?;
            }
        }
        match self.dropped {
            0 => Ok(()),
            dropped => {
                write!(f, "\nthe journal has dropped {dropped} entries: what was in them was not seen")
            }
        }
    }
}

impl std::error::Error for VerifyError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(ordinal: u64, operation: &str, tag: Option<&str>) -> CallEntry {
        let target =
            operation.split_once(' ').map_or_else(|| format!("/{operation}"), |(_, path)| path.to_owned());
        CallEntry {
            call: ordinal,
            operation: operation.to_owned(),
            target,
            tag: tag.map(str::to_owned),
            status: Some(200),
            end: Some("complete".to_owned()),
            ..CallEntry::default()
        }
    }

    fn calls() -> Vec<CallEntry> {
        vec![
            call(1, "GET /health", None),
            call(2, "process.Process/Start", Some("test")),
            call(3, "process.Process/Start", Some("build")),
            call(4, "GET /files", None),
        ]
    }

    fn told(expectations: impl Into<Expectations>) -> String {
        let failures = check(&calls(), 2, &expectations.into()).unwrap();
        VerifyError { failures, dropped: 0 }.to_string()
    }

    #[test]
    fn what_has_happened_is_verified() {
        let start = || Expect::call("process.Process/Start");
        assert_eq!(told(start().tag("build").times(1)), "");
        assert_eq!(told([start().times(2), Expect::call("POST /init").times(0)]), "");
        let all = [Expect::call("GET /health"), start().tag("b*"), Expect::call("GET /files").status(200)];
        assert_eq!(told(Expectations::all(all).in_order()), "");
        assert_eq!(told(Expectations::all([Expect::call("*")]).nothing_else()), "");
    }

    #[test]
    fn a_failure_shows_what_came_nearest() {
        let start = || Expect::call("process.Process/Start");
        let reports = [
            told(start().tag("build").times(2)),
            told(start().tag("build").status(503)),
            told(start().rule("slow").end("cut")),
            told(start().at_most(1)),
            told(Expect::call("POST /health")),
            told(Expectations::all([Expect::call("GET /files"), Expect::call("GET /health")]).in_order()),
            told(Expectations::all([start()]).nothing_else()),
        ];
        insta::assert_snapshot!(reports.join("\n\n"));
    }
}
