//! What is expected to have happened: the conditions of a rule of calls, how such a call went, and how often. Read as a
//! rule is; comparing with what was recorded is `verify`'s.

use std::fmt;

use super::condition::{Key, OF_CALLS};
use super::json_form;
use super::kinds::parameter;
use super::node::{Entry, Problem, Table, Value};
use super::param::{HttpStatus, Param};
use super::print;
use super::record::known_keys;
use super::rule::CallWhen;
use super::source::ScriptError;

/// The keys that an expectation has beside the conditions of a rule.
pub(crate) const OF_EXPECTATIONS: &[Key] = &[
    Key { word: "status", schema: HttpStatus::schema, about: "the status of the answer" },
    Key { word: "end", schema: String::schema, about: "how the call ended, such as complete or abandoned" },
    Key { word: "rule", schema: String::schema, about: "a rule that was really done to the call" },
    Key { word: "times", schema: u64::schema, about: "exactly so often" },
    Key { word: "at_least", schema: u64::schema, about: "so often or more; 1 by default" },
    Key { word: "at_most", schema: u64::schema, about: "so often or less" },
];

/// Calls that are expected, and how often: at least once unless told otherwise.
///
/// What cannot be read, such as a bad glob, is told by whoever verifies it.
#[derive(Debug, Clone)]
#[must_use = "an expectation does nothing until it is verified"]
pub struct Expect {
    record: Table,
}

/// An expectation that was read.
#[derive(Debug, Clone)]
pub(crate) struct Expected {
    pub(crate) when: CallWhen,
    pub(crate) status: Option<u16>,
    pub(crate) end: Option<String>,
    pub(crate) rule: Option<String>,
    pub(crate) least: u64,
    pub(crate) most: Option<u64>,
    text: String,
}

impl Expect {
    /// Calls of an operation: `process.Process/Start`, `GET /files`, `/memory/**`, `*`.
    pub fn call(operation: &str) -> Self {
        Self { record: Table::default() }.with("operation", operation)
    }

    /// Calls whose header `name` matches this glob; secrets are not recorded.
    pub fn header(self, name: &str, glob: &str) -> Self {
        self.named("header", name, glob)
    }

    /// Calls whose query parameter `name` matches this glob.
    pub fn query(self, name: &str, glob: &str) -> Self {
        self.named("query", name, glob)
    }

    /// Calls for a file or directory that matches this glob, as the request names it.
    pub fn path(self, glob: &str) -> Self {
        self.with("path", glob)
    }

    /// Calls that start or select a process with a tag that matches this glob.
    pub fn tag(self, glob: &str) -> Self {
        self.with("tag", glob)
    }

    /// Calls that start or select a command that matches this glob, its arguments behind blanks.
    pub fn command(self, glob: &str) -> Self {
        self.with("command", glob)
    }

    /// Calls on this connection, counted from 1.
    pub fn connection(self, ordinal: u64) -> Self {
        self.with("connection", &ordinal.to_string())
    }

    /// Calls that were answered with this status.
    pub fn status(self, status: u16) -> Self {
        self.with("status", &status.to_string())
    }

    /// Calls that ended so: "complete", "cut", "aborted", "reset", "abandoned".
    pub fn end(self, end: &str) -> Self {
        self.with("end", end)
    }

    /// Calls to which this rule was really done.
    pub fn rule(self, name: &str) -> Self {
        self.with("rule", name)
    }

    /// Exactly so many of them.
    pub fn times(self, times: u64) -> Self {
        self.with("times", &times.to_string())
    }

    /// So many of them or more.
    pub fn at_least(self, times: u64) -> Self {
        self.with("at_least", &times.to_string())
    }

    /// So many of them or less, and none at all if it is only this that is told.
    pub fn at_most(self, times: u64) -> Self {
        self.with("at_most", &times.to_string())
    }

    /// Reads an expectation in JSON.
    pub fn from_json(value: &serde_json::Value) -> Result<Self, ScriptError> {
        json_form::read(value, |record| {
            read(record.clone())?;
            Ok(Self { record })
        })
    }

    pub(crate) fn read(&self) -> Result<Expected, ScriptError> {
        read(self.record.clone()).map_err(ScriptError::nowhere)
    }

    fn with(mut self, key: &str, value: &str) -> Self {
        self.record.take(key);
        self.record.put(key, Value::Text(value.to_owned()));
        self
    }

    fn named(mut self, key: &str, name: &str, glob: &str) -> Self {
        let mut table = match self.record.take(key).map(|node| node.value) {
            Some(Value::Table(table)) => table,
            _ => Table::default(),
        };
        let node = Value::Text(glob.to_owned()).into();
        table.entries.push(Entry { key: name.to_owned(), key_at: 0..0, node });
        self.record.put(key, Value::Table(table));
        self
    }
}

fn read(mut record: Table) -> Result<Expected, Problem> {
    let words: Vec<_> = OF_CALLS.iter().chain(OF_EXPECTATIONS).map(|key| key.word).collect();
    known_keys(&record, "a key of an expectation", &words, None)?;
    let times_at = record.place_of("times");
    let times = parameter::<Option<u64>>("an expectation", "times", &mut record)?;
    let text = print::conditions(&record);
    let when = CallWhen::read(&mut record)?;
    let status = parameter::<Option<HttpStatus>>("an expectation", "status", &mut record)?;
    let end = parameter("an expectation", "end", &mut record)?;
    let rule = parameter("an expectation", "rule", &mut record)?;
    let mut often = |key| parameter::<Option<u64>>("an expectation", key, &mut record);
    let (least, most) = (often("at_least")?, often("at_most")?);
    let (least, most) = match (times, least, most) {
        (Some(times), None, None) => (times, Some(times)),
        (None, least, most) => (least.unwrap_or(u64::from(most.is_none())), most),
        _ => {
            let expected = "times, or at_least and at_most, not both";
            return Err(Problem::new(times_at, expected, "both", "\"times\":2"));
        }
    };
    Ok(Expected { when, status: status.map(|status| status.0), end, rule, least, most, text })
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)?;
        let value = [("end", &self.end), ("rule", &self.rule)];
        if let Some(status) = self.status {
            write!(f, " status={status}")?;
        }
        for (key, value) in value.into_iter().filter_map(|(key, value)| Some((key, value.as_ref()?))) {
            write!(f, " {key}={value:?}")?;
        }
        match (self.least, self.most) {
            (least, Some(most)) if least == most => write!(f, ": {}", times(most)),
            (0, Some(most)) => write!(f, ": at most {}", times(most)),
            (least, Some(most)) => write!(f, ": {least} to {}", times(most)),
            (least, None) => write!(f, ": at least {}", times(least)),
        }
    }
}

fn times(count: u64) -> String {
    if count == 1 { "once".to_owned() } else { format!("{count} times") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_expectation_reads_as_it_was_told() {
        let told = |expect: Expect| expect.read().unwrap().to_string();
        let start = Expect::call("process.Process/Start");
        assert_eq!(told(start.clone()), "process.Process/Start: at least once");
        assert_eq!(told(start.clone().tag("build").times(2)), "process.Process/Start tag=build: 2 times");
        assert_eq!(told(start.clone().times(0)), "process.Process/Start: 0 times");
        assert_eq!(
            told(start.clone().at_most(3).status(200)),
            "process.Process/Start status=200: at most 3 times"
        );
        assert_eq!(
            told(start.header("x-a", "b*").end("cut")),
            "process.Process/Start header.x-a=b* end=\"cut\": at least once"
        );
    }

    #[test]
    fn what_cannot_be_expected_is_refused() {
        let refusal = |value: serde_json::Value| Expect::from_json(&value).unwrap_err().to_string();
        let refusals = [
            refusal(json!({ "operation": "GET /files", "times": 1, "at_most": 2 })),
            refusal(json!({ "operation": "GET /files", "stats": 200 })),
            refusal(json!({ "operation": "GET /files", "status": 99 })),
            refusal(json!({ "operation": 7 })),
            Expect::call("GET files").read().unwrap_err().to_string(),
        ];
        insta::assert_snapshot!(refusals.join("\n"));
    }
}
