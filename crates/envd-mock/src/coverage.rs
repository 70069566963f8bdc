//! Which fault has been armed for which operation, and which was really done: a matrix of every operation of the contract
//! and every kind of the catalogue. Counts; decides nothing.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;

use crate::fault::{CallFault, ConnectionFault, Head, Script};
use crate::journal::CONNECTION;
use crate::routes;

/// Operation and kind.
pub(crate) type Cells = BTreeSet<(String, String)>;

/// How far a fault has come on an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Covered {
    /// No rule that was ever in force names both.
    NeverArmed,
    /// There was a rule, and it was never done.
    Armed,
    /// It was done.
    Fired,
}

/// What has been tried, since the start or the last reset.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Coverage {
    /// By operation, then by kind; `connection` has the kinds of connections, all others those of calls.
    pub operations: BTreeMap<String, BTreeMap<String, Covered>>,
    /// Rules that never fired or, for a probability, were never drawn.
    pub dead_rules: Vec<String>,
    /// Requests that no route knows, the first hundred different ones.
    pub unknown: Vec<String>,
}

/// The cells that a script arms.
pub(crate) fn armed(script: &Script) -> Cells {
    let mut cells = Cells::new();
    for rule in &script.connections {
        cells.insert((CONNECTION.to_owned(), rule.fault.word().to_owned()));
    }
    let operations = routes::operations();
    for rule in &script.calls {
        let meant = operations.iter().filter(|one| rule.when.operation.matches(&Named::new(one)));
        cells.extend(meant.map(|one| (one.clone(), rule.fault.word().to_owned())));
    }
    cells
}

impl Coverage {
    pub(crate) fn new(armed: &Cells, fired: &Cells, dead_rules: Vec<String>, unknown: Vec<String>) -> Self {
        let row = |operation: String, words: Vec<&str>| {
            let cell = |word: &str| {
                let cell = (operation.clone(), word.to_owned());
                let covered = if fired.contains(&cell) {
                    Covered::Fired
                } else if armed.contains(&cell) {
                    Covered::Armed
                } else {
                    Covered::NeverArmed
                };
                (word.to_owned(), covered)
            };
            let cells = words.into_iter().map(cell).collect();
            (operation, cells)
        };
        let words = |kinds: &[crate::fault::Kind]| kinds.iter().map(|kind| kind.word).collect::<Vec<_>>();
        let calls = routes::operations().into_iter().map(|one| row(one, words(CallFault::KINDS)));
        let connection = row(CONNECTION.to_owned(), words(ConnectionFault::KINDS));
        Self { operations: calls.chain([connection]).collect(), dead_rules, unknown }
    }
}

/// A row for each kind, a column for each operation.
impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "F fired, a armed, . never armed")?;
        for (index, operation) in self.operations.keys().enumerate() {
            writeln!(f, "{:>4} {operation}", index + 1)?;
        }
        let numbers: String = (1..=self.operations.len()).map(|number| format!("{number:>3}")).collect();
        writeln!(f, "\n{:<18}{numbers}", "")?;
        let kinds: BTreeSet<&String> = self.operations.values().flat_map(BTreeMap::keys).collect();
        for kind in kinds {
            let mark = |row: &BTreeMap<String, Covered>| match row.get(kind) {
                Some(Covered::Fired) => "  F",
                Some(Covered::Armed) => "  a",
                Some(Covered::NeverArmed) => "  .",
                None => "   ",
            };
            let marks: String = self.operations.values().map(mark).collect();
            writeln!(f, "{kind:<18}{}", marks.trim_end())?;
        }
        for rule in &self.dead_rules {
            writeln!(f, "never fired: {rule}")?;
        }
        for request in &self.unknown {
            writeln!(f, "unknown: {request}")?;
        }
        Ok(())
    }
}

/// An operation that nobody has called.
struct Named {
    /// Of REST alone.
    method: Option<String>,
    path: String,
}

impl Named {
    fn new(operation: &str) -> Self {
        match operation.split_once(' ') {
            Some((method, path)) => Self { method: Some(method.to_owned()), path: path.to_owned() },
            None => Self { method: None, path: format!("/{operation}") },
        }
    }
}

impl Head for Named {
    fn method(&self) -> &str {
        self.method.as_deref().unwrap_or("POST")
    }

    fn path(&self) -> &str {
        &self.path
    }

    fn is_rpc(&self) -> bool {
        self.method.is_none()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_arms_every_operation_that_it_means() {
        let script = "process.Process/*: reset ; GET /files: cut ; /memory/**: hang ; connection #1: stall";
        let cells = armed(&Script::parse_expressions("test", script).unwrap());
        let of = |kind: &str| {
            cells.iter().filter(|cell| cell.1 == kind).map(|cell| cell.0.as_str()).collect::<Vec<_>>()
        };
        assert_eq!(of("cut"), ["GET /files"]);
        assert_eq!(
            of("hang"),
            ["GET /memory/preload", "POST /memory/preload", "POST /memory/preload/cancel"]
        );
        assert_eq!(of("stall"), ["connection"]);
        assert_eq!(of("reset").len(), 8);
    }

    #[test]
    fn the_table_has_a_row_for_each_kind_and_a_column_for_each_operation() {
        let cell = |operation: &str, kind: &str| (operation.to_owned(), kind.to_owned());
        let armed = Cells::from([cell("GET /files", "cut"), cell("GET /files", "reset")]);
        let fired = Cells::from([cell("GET /files", "reset")]);
        let coverage = Coverage::new(&armed, &fired, vec!["a rule".into()], vec!["GET /nowhere".into()]);
        let text = coverage.to_string();
        let marks = |kind: &str| {
            let row = text.lines().find(|line| line.split_whitespace().next() == Some(kind)).unwrap();
            row.split_whitespace().skip(1).collect::<Vec<_>>()
        };
        let column = coverage.operations.keys().position(|one| one == "GET /files").unwrap();
        assert_eq!((marks("reset")[column], marks("cut")[column]), ("F", "a"));
        assert_eq!(marks("reset").len(), coverage.operations.len());
        assert_eq!(marks("bandwidth"), ["."]);
        assert!(text.ends_with("never fired: a rule\nunknown: GET /nowhere\n"), "{text}");
    }
}
