//! Rules that can never act, told from the table of operations before anything is called: the operation does not exist in
//! the generation, or has nothing that the position, the fault or a condition is about. Only what is known to be dead is
//! called dead; a rule for several operations is dead when it is dead for each of them.

use std::borrow::Cow;

use super::kinds::{CallFault, Place};
use super::matcher::Head;
use super::nearest::nearest;
use super::node::Problem;
use super::operations::{self, AnswerBody, Inside, OperationInfo, RequestBody};
use super::position::Position;
use super::rule::{CallRule, Nth, Often, Script};
use super::source::ScriptError;

/// What is said of every dead rule.
const NEVER: &str = "the rule can never act (--allow-dead-rules permits it)";

/// Why a rule can never act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Dead {
    /// The key of the rule that is to blame.
    pub(crate) key: &'static str,
    expected: String,
    got: String,
    example: String,
}

impl Dead {
    /// As a problem with that key, which stands at `at`.
    pub(crate) fn problem(self, at: std::ops::Range<usize>) -> Problem {
        Problem::new(at, self.expected, format!("{}: {NEVER}", self.got), self.example)
    }
}

/// The rules of a script that can never act while this generation is played, each with its name and why.
pub(crate) fn in_script(script: &Script, generation: u8) -> Vec<(&str, ScriptError)> {
    let dead =
        |rule: &'_ CallRule| check(rule, generation).map(|dead| ScriptError::nowhere(dead.problem(0..0)));
    script.calls.iter().filter_map(|rule| Some((rule.name.as_str(), dead(rule)?))).collect()
}

/// Why `rule` can never act while this generation is played; `None` when it may. A rule that asks for a generation is
/// judged by that one.
pub(crate) fn check(rule: &CallRule, generation: u8) -> Option<Dead> {
    let generation = rule.when.generation.unwrap_or(generation);
    if let Some(dead) = often(&rule.often, rule.ttl) {
        return Some(dead);
    }
    let known: Vec<_> = operations::all().filter(|operation| operation.is_in(generation)).collect();
    let meant = known.iter().filter(|operation| rule.when.operation.matches(*operation));
    let mut first = None;
    for operation in meant {
        let cause = cause(rule, operation)?;
        first.get_or_insert((operation, cause));
    }
    match first {
        None => Some(unknown(rule, generation)),
        Some((operation, cause)) => Some(elsewhere(rule, operation, cause, &known)),
    }
}

/// Why a rule that its own call asks for cannot act on it; `None` when it may, or when nothing is known of the operation.
pub(crate) fn of_call(rule: &CallRule, generation: u8, head: &dyn Head) -> Option<ScriptError> {
    let known: Vec<_> = operations::all().filter(|operation| operation.is_in(generation)).collect();
    let operation = known.iter().find(|one| one.method == head.method() && one.path == head.path())?;
    let dead = elsewhere(rule, operation, cause(rule, operation)?, &known);
    Some(ScriptError::nowhere(dead.problem(0..0)))
}

/// What an operation lacks.
struct Cause {
    key: &'static str,
    /// What is there for nothing, such as `stdout@4096`.
    got: String,
    why: &'static str,
}

/// Conditions on how often that contradict each other.
fn often(often: &Often, ttl: Option<std::time::Duration>) -> Option<Dead> {
    if let (Some(after), Some(ttl)) = (often.after, ttl)
        && ttl <= after
    {
        let text = crate::units::print_duration;
        let (expected, got) = (format!("a ttl longer than after, which is {}", text(after)), text(ttl));
        return Some(Dead { key: "ttl", expected, got, example: "after=1s ttl=5s".to_owned() });
    }
    let (every, nth) = (often.every?, often.nth?);
    let (first, last, got) = match nth {
        Nth::Only(only) => (only, only, only.to_string()),
        Nth::Range(first, last) => (first, last, format!("{first}..{last}")),
        Nth::From(_) => return None,
    };
    let none = last / every == (first - 1) / every;
    let expected = || format!("an nth that covers a multiple of every, which is {every}");
    none.then(|| Dead { key: "nth", expected: expected(), got, example: format!("#{every} every={every}") })
}

/// Why a rule cannot act on one operation.
fn cause(rule: &CallRule, operation: &OperationInfo) -> Option<Cause> {
    condition(rule, operation).or_else(|| position(rule, operation)).or_else(|| kind(rule, operation))
}

fn condition(rule: &CallRule, operation: &OperationInfo) -> Option<Cause> {
    let when = &rule.when;
    let names = operation.names;
    let lacking = [
        ("path", &when.path, names.path, "names no path"),
        ("tag", &when.tag, names.process, "names no process"),
        ("command", &when.command, names.process, "names no process"),
    ];
    let (key, glob, _, why) = lacking.into_iter().find(|(_, glob, has, _)| glob.is_some() && !has)?;
    let glob = glob.as_ref().map(ToString::to_string).unwrap_or_default();
    Some(Cause { key, got: format!("{key}={glob}"), why })
}

fn position(rule: &CallRule, operation: &OperationInfo) -> Option<Cause> {
    let answer = operation.answer;
    let streams = matches!(answer, AnswerBody::Message | AnswerBody::Messages | AnswerBody::Output);
    let why = match (rule.place(), rule.at) {
        (Place::Head, _) => None,
        (Place::Up, _) if operation.request == RequestBody::None => Some("has no request body"),
        (Place::Up, Some(Position::UpEnvelope(..))) if !operation.is_rpc() => Some("has no envelopes"),
        (Place::Up, _) => None,
        (Place::Byte | Place::Envelope | Place::Output, _) if answer == AnswerBody::None => {
            Some("has no body in its answer")
        }
        (Place::Envelope, _) if !streams => Some("has no envelopes"),
        (Place::Output, _) if answer != AnswerBody::Output => Some("has no output of a process"),
        _ => None,
    }?;
    Some(match rule.at {
        Some(at) => Cause { key: "at", got: at.to_string(), why },
        None => Cause { key: "fault", got: rule.fault.word().to_owned(), why },
    })
}

fn kind(rule: &CallRule, operation: &OperationInfo) -> Option<Cause> {
    use CallFault as F;
    let inside = operation.inside;
    let content = matches!(inside, Inside::ReadContent | Inside::MakeContent);
    let make = matches!(inside, Inside::Make | Inside::MakeContent);
    let disk = content || make || matches!(inside, Inside::Read | Inside::Remove);
    let why = match &rule.fault {
        F::NoContinue {} if operation.request == RequestBody::None => "has no request body",
        F::Series { .. } if !matches!(operation.answer, AnswerBody::Object | AnswerBody::Message) => {
            "is not answered with an object"
        }
        F::DiskFull { .. } if !make => "makes nothing on the disk",
        F::ReadOnly {} if !make && inside != Inside::Remove => "changes nothing on the disk",
        F::IoError { .. } | F::AccessDenied {} if !disk => "has nothing to do with the disk",
        F::SlowDisk { .. } if !content => "moves no content of a file",
        F::PreloadStuck {} | F::PreloadSlow { .. } | F::PreloadFails { .. } | F::PreloadLies {}
            if inside != Inside::Preload =>
        {
            "starts no preload"
        }
        F::SpawnFails { .. }
        | F::Kill { .. }
        | F::EndLost {}
        | F::ExitCode { .. }
        | F::OutputLost { .. }
        | F::OutputDoubled {}
        | F::OutputMerged {}
        | F::OutputSplit { .. }
        | F::StartLate { .. }
            if inside != Inside::Start =>
        {
            "starts no process"
        }
        _ => return None,
    };
    Some(Cause { key: "fault", got: rule.fault.word().to_owned(), why })
}

/// No operation is called this in the generation.
fn unknown(rule: &CallRule, generation: u8) -> Dead {
    let operation = &rule.when.operation;
    let name = operation.to_string();
    let here = || operations::named().iter().filter(|known| known.is_in(generation)).map(|known| known.name);
    let elsewhere = operations::all().find(|known| operation.matches(known));
    let hint = match (&elsewhere, near(&name, here())) {
        (Some(known), _) => format!(", which {} has", known.generations()),
        (None, Some(near)) => format!(" (did you mean {near:?}?)"),
        (None, None) => String::new(),
    };
    let example = near(&name, here()).unwrap_or("GET /health").to_owned();
    let expected = format!("an operation of generation {generation}");
    Dead { key: "operation", expected, got: format!("{name:?}{hint}"), example }
}

/// The operation that somebody may have meant, whichever method it was given.
fn near<'a>(name: &str, known: impl Iterator<Item = &'a str> + Clone) -> Option<&'a str> {
    let path = |text: &'a str| text.split_once(' ').map_or(text, |(_, path)| path);
    let given = name.split_once(' ').map_or(name, |(_, path)| path);
    let by_path = |given: &str| {
        let near = nearest(given, known.clone().map(path))?;
        known.clone().find(|one| path(one) == near)
    };
    nearest(name, known.clone()).or_else(|| by_path(given)).or_else(|| by_path(given.trim_start_matches('/')))
}

/// The operation exists, and other ones have what it lacks.
fn elsewhere(rule: &CallRule, operation: &OperationInfo, cause: Cause, known: &[OperationInfo]) -> Dead {
    let named = |one: &&OperationInfo| {
        operations::named().iter().any(|known| known.name == one.name && known.method == one.method)
    };
    let fit: Vec<&str> = known
        .iter()
        .filter(named)
        .filter(|one| self::cause(rule, one).is_none())
        .map(|one| one.name)
        .collect();
    let Cause { key, got, why } = cause;
    let best = nearest(operation.name, fit.iter().copied()).or(fit.first().copied());
    let name = if operation.is_rpc() || operation.name.starts_with(operation.method) {
        Cow::Borrowed(operation.name)
    } else {
        Cow::Owned(format!("{} {}", operation.method, operation.path))
    };
    let expected = match fit.as_slice() {
        [] => format!("something that {name} has"),
        [only] => format!("an operation that has it, which only {only} does"),
        [..] => format!("an operation that has it, such as {}", fit[..fit.len().min(3)].join(", ")),
    };
    let hint = best.map_or_else(String::new, |best| format!(" (did you mean {best:?}?)"));
    let got = format!("{got} for {name}, which {why}{hint}");
    Dead { key, expected, got, example: rule.fault.kind().example.to_owned() }
}

impl Head for OperationInfo {
    fn method(&self) -> &str {
        self.method
    }

    fn path(&self) -> &str {
        self.path
    }

    fn is_rpc(&self) -> bool {
        self.is_rpc()
    }

    fn headers(&self, _: &str) -> Vec<Cow<'_, str>> {
        Vec::new()
    }

    fn query(&self, _: &str) -> Vec<Cow<'_, str>> {
        Vec::new()
    }

    fn header_names(&self) -> Vec<Cow<'_, str>> {
        Vec::new()
    }

    fn query_names(&self) -> Vec<Cow<'_, str>> {
        Vec::new()
    }
}
