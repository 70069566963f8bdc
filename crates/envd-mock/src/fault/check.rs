//! What the types of a record cannot say: where a kind may act, and which values make sense for it. Reads nothing.

use std::ops::Range;

use super::condition::OF_CALLS;
use super::kinds::{CallFault, ConnectionFault, Kind, Place};
use super::node::{Problem, Table, Value};
use super::position::{Position, Which};
use super::record::Fault;

/// Where a fault of `kind` acts when its rule says `given`.
pub(crate) fn place<F: Fault>(
    kind: &Kind,
    given: Option<Position>,
    at: Range<usize>,
    fault_at: Range<usize>,
) -> Result<Option<Position>, Problem> {
    let Some(position) = given else { return usual(kind, fault_at) };
    let meant = kind.places.contains(&position.place()) && fits::<F>(kind, position);
    meant.then_some(Some(position)).ok_or_else(|| {
        let expected = format!("{} for {}", places::<F>(kind), kind.word);
        Problem::new(at, expected, position.to_string(), kind.example)
    })
}

/// Where it acts when nothing is said; `None` is the start.
fn usual(kind: &Kind, fault_at: Range<usize>) -> Result<Option<Position>, Problem> {
    match kind.places {
        [Place::Up] => Ok(Some(Position::Up(0))),
        [Place::Envelope] if ends(kind) => Ok(Some(Position::DownEnvelope(Which::End, 0))),
        [Place::Envelope] => {
            let expected = format!("a position: {} needs a position such as down[2]", kind.word);
            Err(Problem::new(fault_at, expected, "none", kind.example))
        }
        _ => Ok(None),
    }
}

/// Whether it is END_STREAM, or what stands for it, that a kind is about.
fn ends(kind: &Kind) -> bool {
    kind.word.starts_with("end-") || kind.word == "trailers-lost"
}

fn fits<F: Fault>(kind: &Kind, position: Position) -> bool {
    match position {
        // A connection has bytes, no envelopes.
        Position::UpEnvelope(..) => F::OF == "call",
        // Whole envelopes only, and what is about the end acts there; an error may come in place of any.
        Position::DownEnvelope(which, byte) if kind.places == [Place::Envelope] => {
            byte == 0 && (which == Which::End || !ends(kind) || kind.word == "end-error")
        }
        _ => true,
    }
}

/// The positions that a kind may have, for a message.
fn places<F: Fault>(kind: &Kind) -> String {
    let form = |place: &Place| match place {
        Place::Head => None,
        Place::Byte => Some("@1024"),
        Place::Envelope if ends(kind) && kind.word != "end-error" => Some("down[end]"),
        Place::Envelope if kind.places.len() == 1 => Some("down[2]"),
        Place::Envelope => Some("down[2]@3"),
        Place::Output => Some("stdout@4096"),
        Place::Up if F::OF == "call" => Some("up@65536, up[2]"),
        Place::Up => Some("up@65536"),
    };
    let forms: Vec<_> = kind.places.iter().filter_map(form).collect();
    if forms.is_empty() {
        "no position".to_owned()
    } else {
        format!("a position such as {}", forms.join(", "))
    }
}

/// An unknown key of a rule of connections may be one that calls have.
pub(crate) fn of_calls_alone(rule: &Table, problem: Problem) -> Problem {
    let key = rule.entries.iter().find(|entry| entry.key_at == problem.at).map(|entry| &*entry.key);
    match key.filter(|key| OF_CALLS.iter().any(|one| one.word == *key)) {
        Some(key) => Problem { got: format!("{key:?}, which is a key of a call"), ..problem },
        None => problem,
    }
}

/// Refused handshakes cannot be counted or chosen: the kernel completes them.
pub(crate) fn span_alone(rule: &Table) -> Result<(), Problem> {
    const SENSIBLE: [&str; 5] = ["name", "after", "until", "ttl", "fault"];
    let word = |node: &super::node::Node| match &node.value {
        Value::Table(table) => table.get("kind").map(|node| node.value.clone()),
        other => Some(other.clone()),
    };
    let refuses = rule.get("fault").and_then(word).is_some_and(|word| match word {
        Value::Text(text) => text.trim() == "refuse",
        _ => false,
    });
    let other = rule.entries.iter().find(|entry| !SENSIBLE.contains(&entry.key.as_str()));
    match other.filter(|_| refuses) {
        Some(entry) => {
            let expected = "no other condition than after and until for refuse (the kernel completes handshakes, so \
                            that connections cannot be told apart)";
            Err(Problem::new(entry.key_at.clone(), expected, &*entry.key, "connection until=500ms: refuse"))
        }
        None => Ok(()),
    }
}

/// What the types of a connection's fault cannot say.
pub(crate) fn connection_fault(fault: &ConnectionFault, given: &Table) -> Result<(), Problem> {
    match fault {
        ConnectionFault::Slice { size, .. } => at_least_one(size.0, given, "size"),
        _ => Ok(()),
    }
}

/// What the types of a call's fault cannot say.
pub(crate) fn call_fault(fault: &CallFault, given: &Table) -> Result<(), Problem> {
    match fault {
        CallFault::Flip { bit: Some(bit) } if *bit > 7 => {
            Err(Problem::new(given.place_of("bit"), "a bit from 0 to 7", bit.to_string(), "bit=3"))
        }
        CallFault::Slice { size, .. } | CallFault::OutputSplit { size } => {
            at_least_one(size.0, given, "size")
        }
        CallFault::Split { size: Some(size) } | CallFault::Coalesce { size: Some(size) } => {
            at_least_one(size.0, given, "size")
        }
        CallFault::LengthLonger { by: Some(by) } | CallFault::LengthShorter { by: Some(by) } => {
            at_least_one((*by).into(), given, "by")
        }
        CallFault::Series { values } => objects(&values.0, given, "values", &[]),
        CallFault::Error { details: Some(details), .. } => {
            objects(&details.0, given, "details", &["type", "value"])
        }
        CallFault::Status { .. } => headers(given, "header"),
        CallFault::ContentType { value: Some(value) } => header_value(value, given),
        CallFault::HeaderSet { name, value } => {
            header_name(name, given.place_of("name"))?;
            header_value(value, given)
        }
        CallFault::HeaderRemove { name } => header_name(name, given.place_of("name")),
        _ => Ok(()),
    }
}

fn at_least_one(number: u64, given: &Table, name: &str) -> Result<(), Problem> {
    if number > 0 {
        return Ok(());
    }
    Err(Problem::new(given.place_of(name), format!("{name} to be at least 1"), "0", format!("{name}=1")))
}

/// A list of objects, not empty, each with texts under `keys`.
fn objects(value: &serde_json::Value, given: &Table, name: &str, keys: &[&str]) -> Result<(), Problem> {
    let fits = |one: &serde_json::Value| one.is_object() && keys.iter().all(|key| one[*key].is_string());
    if value.as_array().is_some_and(|list| !list.is_empty() && list.iter().all(fits)) {
        return Ok(());
    }
    let with =
        if keys.is_empty() { String::new() } else { format!(" with the texts {}", keys.join(" and ")) };
    let example = if keys.is_empty() {
        "values='[{\"a\":1}]'"
    } else {
        "details='[{\"type\":\"a.B\",\"value\":\"\"}]'"
    };
    let expected = format!("a list of objects{with}, at least one, for {name}");
    Err(Problem::new(given.place_of(name), expected, value.to_string(), example))
}

/// The names under `key` are names of headers, each there once, and texts are values of headers.
pub(crate) fn headers(table: &Table, key: &str) -> Result<(), Problem> {
    let Some(Value::Table(headers)) = table.get(key).map(|node| &node.value) else { return Ok(()) };
    for (index, entry) in headers.entries.iter().enumerate() {
        header_name(&entry.key, entry.key_at.clone())?;
        if headers.entries[..index].iter().any(|other| other.key.eq_ignore_ascii_case(&entry.key)) {
            let got = format!("{:?} for the second time", entry.key);
            return Err(Problem::new(entry.key_at.clone(), "each header once", got, "x-test"));
        }
        if let Value::Text(text) = &entry.node.value {
            printable(text, entry.node.at.clone())?;
        }
    }
    Ok(())
}

fn header_name(name: &str, at: Range<usize>) -> Result<(), Problem> {
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if !name.is_empty() && name.bytes().all(token) {
        return Ok(());
    }
    Err(Problem::new(at, "the name of a header", format!("{name:?}"), "retry-after"))
}

fn header_value(value: &str, given: &Table) -> Result<(), Problem> {
    printable(value, given.place_of("value"))
}

fn printable(value: &str, at: Range<usize>) -> Result<(), Problem> {
    if !value.contains(|c: char| c.is_control() && c != '\t') {
        return Ok(());
    }
    Err(Problem::new(at, "a value of a header, in one line", format!("{value:?}"), "\"1\""))
}
