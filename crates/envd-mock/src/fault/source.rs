//! Scripts in their written forms, and what is wrong with one that cannot be used, with its place. The reading itself
//! is done by `grammar`, `toml_form`, `json_form` and `record`.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use super::grammar::{self, Record};
use super::node::Problem;
use super::record;
use super::rule::{CallRule, ConnectionRule, Script};
use super::write::{self, Rule};
use super::{json_form, names, toml_form};

/// What is wrong with a script, a rule or an expression, and where.
///
/// It prints as `FILE:LINE:COLUMN: expected ..., got ...; example: ...`, with the line and a mark below it; what came
/// as JSON has a JSON pointer for a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScriptError(Box<Inner>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Inner {
    place: Place,
    problem: Problem,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    Text {
        source: String,
        line: usize,
        column: usize,
        excerpt: String,
        mark: String,
    },
    Json(String),
    /// A JSON pointer into a file.
    JsonFile(String, String),
    /// A rule that was built, by its name.
    Rule(String),
    /// A rule that was built, not read.
    Nowhere,
}

/// So much of what was seen is shown.
const SHOWN: usize = 400;

impl ScriptError {
    /// Line and column, both counted from 1, in characters; none for what came as JSON or was built.
    pub fn position(&self) -> Option<(usize, usize)> {
        match &self.0.place {
            Place::Text { line, column, .. } => Some((*line, *column)),
            _ => None,
        }
    }

    /// The JSON pointer to what is wrong, for what came as JSON.
    pub fn pointer(&self) -> Option<&str> {
        match &self.0.place {
            Place::Json(pointer) | Place::JsonFile(_, pointer) => Some(pointer),
            _ => None,
        }
    }

    /// What was expected there.
    pub fn expected(&self) -> &str {
        &self.0.problem.expected
    }

    /// What stands there.
    pub fn got(&self) -> &str {
        &self.0.problem.got
    }

    /// What would be right.
    pub fn example(&self) -> &str {
        &self.0.problem.example
    }

    pub(crate) fn nowhere(problem: Problem) -> Self {
        Self(Box::new(Inner { place: Place::Nowhere, problem }))
    }

    pub(crate) fn json(pointer: &str, problem: Problem) -> Self {
        Self(Box::new(Inner { place: Place::Json(pointer.to_owned()), problem }))
    }

    /// The same problem of the rule that has this name, where it has no other place.
    pub(crate) fn of_rule(mut self, name: &str) -> Self {
        if self.0.place == Place::Nowhere {
            self.0.place = Place::Rule(name.to_owned());
        }
        self
    }

    /// The same problem, in JSON that came from `source`.
    fn in_json_of(mut self, source: &str) -> Self {
        if let Place::Json(pointer) = &mut self.0.place {
            self.0.place = Place::JsonFile(source.to_owned(), std::mem::take(pointer));
        }
        self
    }

    /// A problem with bytes of `text`, which came from `source`.
    pub(crate) fn text(source: &str, text: &str, problem: Problem) -> Self {
        let Range { start, end } = problem.at;
        let before = text.get(..start).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = text[line_start..].lines().next().unwrap_or_default();
        let column = before[line_start..].chars().count();
        let marked = text.get(start..end.min(line_start + line.len())).unwrap_or_default();
        // Of a long line, what is around the place.
        let excerpt: String = line.chars().skip(column.saturating_sub(SHOWN / 2)).take(SHOWN).collect();
        let blank = |c: char| if c == '\t' { '\t' } else { ' ' };
        let indent: String = excerpt.chars().map(blank).take(column.min(SHOWN / 2)).collect();
        let width = marked.chars().count().clamp(1, SHOWN / 2);
        let place = Place::Text {
            source: source.to_owned(),
            line: before.matches('\n').count() + 1,
            column: column + 1,
            mark: indent + &"^".repeat(width),
            excerpt,
        };
        Self(Box::new(Inner { place, problem }))
    }
}

impl fmt::Display for ScriptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { place, problem } = &*self.0;
        match place {
            Place::Text { source, line, column, .. } => write!(f, "{source}:{line}:{column}: ")?,
            Place::Json(pointer) if pointer.is_empty() => f.write_str("JSON: ")?,
            Place::Json(pointer) => write!(f, "JSON {pointer}: ")?,
            Place::JsonFile(source, pointer) => write!(f, "{source}: JSON {pointer}: ")?,
            Place::Rule(name) => write!(f, "rule {name:?}: ")?,
            Place::Nowhere => {}
        }
        let mut got: String = problem.got.chars().take(SHOWN).collect();
        if got.len() < problem.got.len() {
            got.push('…');
        }
        write!(f, "expected {}, got {got}; example: {}", problem.expected, problem.example)?;
        match place {
            Place::Text { excerpt, mark, .. } => write!(f, "\n    {excerpt}\n    {mark}"),
            _ => Ok(()),
        }
    }
}

impl std::error::Error for ScriptError {}

/// Reads a script in TOML; `file` is what problems call it.
pub(crate) fn from_toml(file: &str, text: &str, checks: record::Checks) -> Result<Script, ScriptError> {
    let read = toml_form::parse(text).and_then(|table| record::script(table, checks));
    read.map_err(|problem| ScriptError::text(file, text, problem))
}

/// Reads a script in JSON.
pub(crate) fn from_json(value: &serde_json::Value, checks: record::Checks) -> Result<Script, ScriptError> {
    json_form::read(value, |table| record::script(table, checks))
}

/// How a script is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Toml,
    Json,
    Expressions,
}

impl Form {
    /// By the end of the name of a file: TOML unless it says something else.
    pub(crate) fn of_file(file: &std::path::Path) -> Self {
        match file.extension().and_then(std::ffi::OsStr::to_str) {
            Some("json") => Self::Json,
            Some("txt" | "faults") => Self::Expressions,
            _ => Self::Toml,
        }
    }
}

/// Reads a script in this form; `source` is what problems call it.
pub(crate) fn read(
    form: Form,
    source: &str,
    text: &str,
    checks: record::Checks,
) -> Result<Script, ScriptError> {
    match form {
        Form::Toml => from_toml(source, text, checks),
        Form::Json => from_json(&json(source, text)?, checks).map_err(|error| error.in_json_of(source)),
        Form::Expressions => {
            expressions(text, checks.alive_in).map_err(|problem| ScriptError::text(source, text, problem))
        }
    }
}

/// Everything that is wrong with a script, each with its place, as far as it can be read at all.
pub(crate) fn problems(form: Form, source: &str, text: &str, checks: record::Checks) -> Vec<ScriptError> {
    let placed = |problem| ScriptError::text(source, text, problem);
    let found: Vec<ScriptError> = match form {
        Form::Toml => match toml_form::parse(text) {
            Ok(table) => record::problems(table, checks).into_iter().map(placed).collect(),
            Err(problem) => vec![placed(problem)],
        },
        Form::Json => match json(source, text) {
            Ok(value) => json_form::problems(&value, |table| record::problems(table, checks)),
            Err(error) => vec![error],
        },
        Form::Expressions => {
            let each = grammar::each(text).into_iter();
            each.filter_map(|record| record.and_then(|record| judged(record, checks.alive_in)).err())
                .map(placed)
                .collect()
        }
    };
    // What concerns more than one rule, such as two of one name.
    let whole = || read(form, source, text, checks).err();
    let found = if found.is_empty() { whole().into_iter().collect() } else { found };
    found.into_iter().map(|error| error.in_json_of(source)).collect()
}

fn json(source: &str, text: &str) -> Result<serde_json::Value, ScriptError> {
    serde_json::from_str(text).map_err(|error| {
        let lines = text.split_inclusive('\n').take(error.line().saturating_sub(1));
        let at = lines.map(str::len).sum::<usize>() + error.column().saturating_sub(1);
        let at = (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        let example = "{\"call\":[{\"operation\":\"GET /files\",\"fault\":\"cut\"}]}";
        ScriptError::text(source, text, Problem::new(at..at, "JSON", error.to_string(), example))
    })
}

impl Script {
    /// Writes the script in TOML, in the canonical form.
    pub fn to_toml(&self) -> String {
        toml_form::print(&write::script(self))
    }

    /// Writes the script in JSON, in the canonical form.
    pub fn to_json(&self) -> serde_json::Value {
        json_form::write(write::script(self))
    }

    /// Reads expressions, one a line or with ` ; ` in between; `source` is what problems call the text.
    pub fn parse_expressions(source: &str, text: &str) -> Result<Self, ScriptError> {
        expressions(text, None).map_err(|problem| ScriptError::text(source, text, problem))
    }

    /// This script and, behind its rules, those of `other`, whose seed wins where it has one.
    ///
    /// Of two incidents the last one is kept. Default names that collide are numbered; a name that was given to two rules is an error.
    pub fn merge(mut self, other: Self) -> Result<Self, ScriptError> {
        if other.seed != 0 || other.zero_seed {
            self.seed = other.seed;
            self.zero_seed = other.zero_seed;
        }
        self.connections.extend(other.connections);
        self.calls.extend(other.calls);
        self.programs_raw.extend(other.programs_raw);
        self.incident_raw = other.incident_raw.or(self.incident_raw);
        names::settle(&mut self).map_err(|twice| ScriptError::nowhere(twice.problem(0..0)))?;
        Ok(self)
    }
}

fn expressions(text: &str, alive_in: Option<u8>) -> Result<Script, Problem> {
    let (mut connections, mut calls) = (Vec::new(), Vec::new());
    for record in grammar::expressions(text)? {
        match judged(record, alive_in)? {
            Judged::Call(rule, name_at) => calls.push((*rule, name_at)),
            Judged::Connection(rule, name_at) => connections.push((*rule, name_at)),
        }
    }
    record::assemble(connections, calls)
}

/// A rule, and where its name is.
enum Judged {
    Call(Box<CallRule>, Range<usize>),
    Connection(Box<ConnectionRule>, Range<usize>),
}

fn judged(record: Record, alive_in: Option<u8>) -> Result<Judged, Problem> {
    Ok(match record {
        Record::Call(table) => {
            let name_at = table.place_of("name");
            Judged::Call(Box::new(record::live_call(table, alive_in)?), name_at)
        }
        Record::Connection(table) => {
            let name_at = table.place_of("name");
            Judged::Connection(Box::new(record::connection(table)?), name_at)
        }
    })
}

/// What problems call an expression that stands alone.
const EXPRESSION: &str = "expression";

impl CallRule {
    /// Reads an expression whose target may be missing, as in the header `X-Envd-Fault`: `status 503`,
    /// `down[5] @3: reset`, `stdout@4096: abort`. The operation is `*` then.
    pub fn parse_bare(source: &str, text: &str) -> Result<Self, ScriptError> {
        grammar::bare(text).and_then(record::call).map_err(|problem| ScriptError::text(source, text, problem))
    }

    /// Reads a rule in JSON.
    pub fn from_json(value: &serde_json::Value) -> Result<Self, ScriptError> {
        json_form::read(value, record::call)
    }

    /// Reads a rule in JSON that may act in a generation, where one is named.
    pub(crate) fn live_from_json(
        value: &serde_json::Value,
        alive_in: Option<u8>,
    ) -> Result<Self, ScriptError> {
        json_form::read(value, |table| record::live_call(table, alive_in))
    }

    /// Writes the rule in JSON, in the canonical form.
    pub fn to_json(&self) -> serde_json::Value {
        json_form::write(self.write())
    }
}

impl ConnectionRule {
    /// Reads a rule in JSON.
    pub fn from_json(value: &serde_json::Value) -> Result<Self, ScriptError> {
        json_form::read(value, record::connection)
    }

    /// Writes the rule in JSON, in the canonical form.
    pub fn to_json(&self) -> serde_json::Value {
        json_form::write(self.write())
    }
}

impl FromStr for CallRule {
    type Err = ScriptError;

    fn from_str(text: &str) -> Result<Self, ScriptError> {
        let read = grammar::one(text).and_then(|record| match record {
            Record::Call(table) => record::call(table),
            Record::Connection(table) => {
                Err(other(&table, "a rule of calls", "one of connections", "GET /files: cut"))
            }
        });
        read.map_err(|problem| ScriptError::text(EXPRESSION, text, problem))
    }
}

impl FromStr for ConnectionRule {
    type Err = ScriptError;

    fn from_str(text: &str) -> Result<Self, ScriptError> {
        let read = grammar::one(text).and_then(|record| match record {
            Record::Connection(table) => record::connection(table),
            Record::Call(table) => {
                Err(other(&table, "a rule of connections", "one of calls", "connection #3: stall"))
            }
        });
        read.map_err(|problem| ScriptError::text(EXPRESSION, text, problem))
    }
}

fn other(table: &super::node::Table, expected: &str, got: &str, example: &str) -> Problem {
    Problem::new(table.at.clone(), expected, got, example)
}

impl fmt::Display for CallRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.expression())
    }
}

impl fmt::Display for ConnectionRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.expression())
    }
}
