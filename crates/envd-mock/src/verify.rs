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

/// Compares the journal, as it is now, with expectations; reads it a part at a time.
pub(crate) fn of(live: &Live, expectations: &Expectations) -> Result<(), Unverified> {
    let mut check = Check::new(expectations)?;
    let mut cursor = live.journal.cursor(0);
    loop {
        let part = live.journal.read(&mut cursor);
        if part.is_empty() {
            break;
        }
        for (_, entry) in part {
            if let Entry::Call(call) = entry {
                check.look(&Past::new(&call, live.generation.number()));
            }
        }
    }
    let failures = check.failures();
    if failures.is_empty() {
        Ok(())
    } else {
        Err(VerifyError { failures, dropped: live.journal.dropped() }.into())
    }
}

/// Whether a call was one of this operation.
pub(crate) fn is_of(operation: &Operation, call: &CallEntry) -> bool {
    operation.matches(&Past::new(call, 0))
}

/// What calls, as they pass in the order in which they came, say of expectations. Keeps what a failure would show, and no
/// calls.
struct Check {
    tracks: Vec<Track>,
    /// For calls that are to follow each other.
    order: Option<Order>,
    /// For calls that no expectation is about.
    others: Option<Others>,
}

struct Track {
    expected: Expected,
    /// How many calls meet it.
    seen: u64,
    /// The first that do.
    first: Vec<Named>,
    /// The first that are too many.
    extra: Vec<Named>,
    /// Calls that almost match, nearest first, each with how nearly it matches.
    nearest: Vec<(f64, Miss)>,
}

/// A call in a report.
struct Named {
    call: u64,
    operation: String,
}

#[derive(Default)]
struct Order {
    /// How many of the expectations were met so far.
    met: usize,
    /// The call that met the last of them.
    last: Option<u64>,
}

#[derive(Default)]
struct Others {
    count: u64,
    first: Vec<Named>,
}

impl Check {
    /// # Errors
    /// The first expectation that cannot be read.
    fn new(expectations: &Expectations) -> Result<Self, ScriptError> {
        let track = |one: &Expect| Ok(Track::new(one.read()?));
        Ok(Self {
            tracks: expectations.list.iter().map(track).collect::<Result<_, _>>()?,
            order: expectations.in_order.then(Order::default),
            others: expectations.nothing_else.then(Others::default),
        })
    }

    /// The next call.
    fn look(&mut self, call: &Past<'_>) {
        let next = self.order.as_ref().and_then(|order| self.tracks.iter().filter(needed).nth(order.met));
        if let (Some(order), Some(next)) = (&mut self.order, next)
            && call.distance(&next.expected).is_none()
        {
            order.met += 1;
            order.last = Some(call.entry.call);
        }
        let mut met = false;
        for track in &mut self.tracks {
            met |= track.look(call);
        }
        if let Some(others) = self.others.as_mut().filter(|_| !met) {
            others.count += 1;
            show(&mut others.first, call);
        }
    }

    fn failures(self) -> Vec<Failure> {
        let order = self.order.and_then(|order| order.failure(&self.tracks));
        let others = self.others.and_then(Others::failure);
        self.tracks.into_iter().filter_map(Track::failure).chain(order).chain(others).collect()
    }
}

/// Whether some call has to meet it.
fn needed(track: &&Track) -> bool {
    track.expected.least > 0
}

/// Remembers a call, if it is one of the first.
fn show(first: &mut Vec<Named>, call: &Past<'_>) {
    if first.len() < SHOWN {
        first.push(Named { call: call.entry.call, operation: call.entry.operation.clone() });
    }
}

impl Named {
    fn miss(&self, why: &str) -> Miss {
        Miss { call: self.call, operation: self.operation.clone(), why: why.to_owned() }
    }
}

impl Track {
    fn new(expected: Expected) -> Self {
        Self { expected, seen: 0, first: Vec::new(), extra: Vec::new(), nearest: Vec::new() }
    }

    /// Whether the call meets it.
    fn look(&mut self, call: &Past<'_>) -> bool {
        let Some((distance, why)) = call.distance(&self.expected) else {
            self.seen += 1;
            show(&mut self.first, call);
            if self.expected.most.is_some_and(|most| self.seen > most) {
                show(&mut self.extra, call);
            }
            return true;
        };
        // The first of those that are equally near.
        let place = self.nearest.partition_point(|(nearer, _)| nearer.total_cmp(&distance).is_le());
        if place < SHOWN {
            self.nearest.insert(place, (distance, call.miss(why)));
            self.nearest.truncate(SHOWN);
        }
        false
    }

    fn failure(self) -> Option<Failure> {
        let Self { expected, seen, extra, nearest, .. } = self;
        let nearest = if seen < expected.least {
            nearest.into_iter().map(|(_, miss)| miss).collect()
        } else if expected.most.is_some_and(|most| seen > most) {
            extra.iter().map(|call| call.miss("one too many")).collect()
        } else {
            return None;
        };
        Some(Failure { expected: expected.to_string(), seen: times(seen), nearest })
    }
}

impl Order {
    /// The first expectation that no call meets behind those that met the ones before.
    fn failure(self, tracks: &[Track]) -> Option<Failure> {
        let unmet = tracks.iter().filter(needed).nth(self.met)?;
        let behind = self.last.map_or("at all".to_owned(), |call| format!("behind call {call}"));
        Some(Failure {
            expected: format!("{}, in this order", unmet.expected),
            seen: format!("none {behind}"),
            nearest: unmet.first.iter().map(|call| call.miss("too early")).collect(),
        })
    }
}

impl Others {
    fn failure(self) -> Option<Failure> {
        let why = "no expectation is about it";
        (self.count > 0).then(|| Failure {
            expected: "nothing else".to_owned(),
            seen: times(self.count),
            nearest: self.first.iter().map(|call| call.miss(why)).collect(),
        })
    }
}

fn times(count: u64) -> String {
    match count {
        0 => "none".to_owned(),
        1 => "1 call".to_owned(),
        count => format!("{count} calls"),
    }
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
        let mut check = Check::new(&expectations.into()).unwrap();
        calls().iter().for_each(|call| check.look(&Past::new(call, 2)));
        let failures = check.failures();
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
