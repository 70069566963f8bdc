//! An incident as a record: `[incident]` in a script.

use std::time::Duration;

use serde_json::json;

use super::take::{Record, list};
use crate::fault::node::{Node, Problem};
use crate::fault::param::Param;
use crate::fault::{Code, HttpStatus, Size};
use crate::incident::{Act, Blame, Expectation, Incident, Kind, Left, Retry, Seen, Settings};

const EXAMPLE: &str =
    "title = \"...\", what = \"...\", expect = [{ do = \"health\", kind = \"ok\", within = \"1s\" }]";
const EXPECTED: &str =
    "{ do = \"exec\", kind = \"protocol\", blame = \"peer\", retry = \"unsafe\", within = \"1s\" }";
const KEYS: [&str; 5] = ["title", "report", "what", "client", "expect"];
const SETTINGS: [&str; 2] = ["http2", "idle"];
const OF_EXPECTATIONS: [&str; 20] = [
    "do", "command", "tag", "path", "size", "timeout", "times", "kind", "code", "status", "blame", "retry",
    "within", "exit", "no_exit", "stdout", "state", "bytes", "running", "open",
];

/// Reads one.
///
/// # Errors
/// Where the record is not as it must be.
pub(super) fn read(node: &Node) -> Result<Incident, Problem> {
    let mut record = Record::of(node, "a table that tells of an incident", EXAMPLE)?;
    let incident = Incident {
        title: needed(&mut record, "title")?,
        report: texts(&mut record, "report")?,
        what: needed(&mut record, "what")?,
        client: record.node("client").map_or(Ok(Settings::default()), |node| settings(&node))?,
        expect: expectations(&mut record)?,
    };
    record.end(&KEYS)?;
    Ok(incident)
}

fn settings(node: &Node) -> Result<Settings, Problem> {
    let mut record = Record::of(node, "a table of settings of a client", "client = { http2 = true }")?;
    let settings = Settings { http2: record.flag("http2")?, idle: record.param("idle")? };
    record.end(&SETTINGS)?;
    Ok(settings)
}

fn expectations(record: &mut Record) -> Result<Vec<Expectation>, Problem> {
    let Some(node) = record.node("expect") else {
        return Err(record.problem("expect, what a good client meets", "none"));
    };
    let all = list(&node, "a list of tables under incident.expect", "[[incident.expect]]")?;
    if all.is_empty() {
        return Err(Problem::new(node.at.clone(), "at least one thing that a client does", "none", EXPECTED));
    }
    all.iter().map(expectation).collect()
}

fn expectation(node: &Node) -> Result<Expectation, Problem> {
    let mut record = Record::of(node, "what a client does and meets", EXPECTED)?;
    let kind: Kind = needed(&mut record, "kind")?;
    let expectation = Expectation {
        act: needed(&mut record, "do")?,
        command: Some(texts(&mut record, "command")?)
            .filter(|command| !command.is_empty())
            .unwrap_or_else(|| vec!["make".to_owned()]),
        tag: record.param("tag")?,
        path: record.param("path")?.unwrap_or_else(|| "/tmp/file".to_owned()),
        size: record.param::<Size>("size")?.map_or(0, |size| size.0),
        timeout: record.param("timeout")?,
        times: record.param("times")?.unwrap_or(1),
        kind,
        code: record.param("code")?,
        status: record.param::<HttpStatus>("status")?.map(|status| status.0),
        blame: record.param("blame")?,
        retry: record.param("retry")?.unwrap_or(Retry::NotNeeded),
        within: needed(&mut record, "within")?,
        seen: seen(&mut record)?,
        left: Left { running: record.param("running")?, open: record.param("open")? },
    };
    sensible(&record, &expectation)?;
    record.end(&OF_EXPECTATIONS)?;
    Ok(expectation)
}

fn seen(record: &mut Record) -> Result<Seen, Problem> {
    Ok(Seen {
        exit: record.param("exit")?,
        no_exit: record.flag("no_exit")?,
        stdout: record.param("stdout")?,
        state: record.param("state")?,
        bytes: record.param::<Size>("bytes")?.map(|size| size.0),
    })
}

/// A failure has somebody to blame and an answer to the question of a retry; what ends well has neither.
fn sensible(record: &Record, expectation: &Expectation) -> Result<(), Problem> {
    let (fails, blamed) = (expectation.kind != Kind::Ok, expectation.blame.is_some());
    let retried = expectation.retry != Retry::NotNeeded;
    match (fails, blamed && retried, blamed || retried) {
        (true, false, _) => Err(record.problem("blame and retry for a call that fails", "not both")),
        (false, _, true) => Err(record.problem("neither blame nor retry for a call that ends well", "one")),
        _ => Ok(()),
    }
}

fn needed<P: Param>(record: &mut Record, key: &str) -> Result<P, Problem> {
    let missing = |record: &Record| record.problem(&format!("{key} ({})", P::expected()), "nothing");
    record.param(key)?.ok_or_else(|| missing(record))
}

fn texts(record: &mut Record, key: &str) -> Result<Vec<String>, Problem> {
    let Some(node) = record.node(key) else { return Ok(Vec::new()) };
    list(&node, "a list of texts", "[\"...\"]")?.iter().map(String::read).collect()
}

/// The JSON Schema of the record.
pub(super) fn schema() -> serde_json::Value {
    let texts = json!({ "type": "array", "items": String::schema() });
    json!({
        "description": "The incident that the script plays, and what a good client does.",
        "type": "object",
        "properties": {
            "title": described(String::schema(), "a few words"),
            "report": described(texts.clone(), "where it was reported"),
            "what": described(String::schema(), "what happens, in one or two sentences"),
            "client": {
                "description": "how the client has to be set up, where the defaults do not do",
                "type": "object",
                "properties": { "http2": { "type": "boolean" }, "idle": Duration::schema() },
                "additionalProperties": false,
            },
            "expect": { "type": "array", "minItems": 1, "items": expectation_schema(&texts) },
        },
        "required": ["title", "what", "expect"],
        "additionalProperties": false,
    })
}

fn expectation_schema(texts: &serde_json::Value) -> serde_json::Value {
    json!({
        "type": "object",
        "properties": {
            "do": described(Act::schema(), "what the client does"),
            "command": described(texts.clone(), "the command and its arguments; make by default"),
            "tag": described(String::schema(), "the tag of the process"),
            "path": described(String::schema(), "the file or directory; /tmp/file by default"),
            "size": described(Size::schema(), "bytes to write"),
            "timeout": described(Duration::schema(), "the time limit of the call, or the budget of ready"),
            "times": described(u64::schema(), "how often it is done"),
            "kind": described(Kind::schema(), "how it ends"),
            "code": described(Code::schema(), "the Connect code"),
            "status": described(HttpStatus::schema(), "the HTTP status"),
            "blame": described(Blame::schema(), "who is to blame"),
            "retry": described(Retry::schema(), "whether it may be done again"),
            "within": described(Duration::schema(), "how long it takes at the most"),
            "exit": described(i32::schema(), "the exit code that the client has seen"),
            "no_exit": described(json!({ "type": "boolean" }), "no exit code may have been seen"),
            "stdout": described(String::schema(), "the output that the client has got, from its start"),
            "state": described(String::schema(), "the state of a preload"),
            "bytes": described(Size::schema(), "bytes of a file, or that a preload has read"),
            "running": described(u64::schema(), "processes that run afterwards"),
            "open": described(u64::schema(), "calls that are still being answered afterwards"),
        },
        "required": ["do", "kind", "within"],
        "additionalProperties": false,
    })
}

fn described(mut schema: serde_json::Value, about: &str) -> serde_json::Value {
    schema["description"] = json!(about);
    schema
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::Script;

    fn refusal(expect: &str) -> String {
        let text = format!(
            "[incident]\ntitle = \"t\"\nwhat = \"w\"\n[[incident.expect]]\ndo = \"exec\"\nwithin = \"1s\"\n{expect}\n"
        );
        let error = Script::from_toml("x.toml", &text).expect_err("refused").to_string();
        error.lines().next().unwrap().to_owned()
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let lines = [
            "kind = \"protocoll\"",
            "kind = \"protocol\"\nblame = \"peer\"",
            "kind = \"ok\"\nretry = \"safe\"",
            "kind = \"ok\"\nstdot = \"x\"",
            "exit = 0",
        ]
        .map(refusal);
        insta::assert_snapshot!(lines.join("\n"));
    }

    #[test]
    fn defaults_are_those_of_the_page() {
        let text = "[incident]\ntitle = \"t\"\nwhat = \"w\"\nexpect = [{ do = \"read\", kind = \"ok\", within = \"1s\" }]";
        let incident = Script::from_toml("x.toml", text).unwrap().incident().unwrap();
        let expect = &incident.expect[0];
        assert_eq!((expect.times, expect.path.as_str(), expect.retry), (1, "/tmp/file", Retry::NotNeeded));
        assert_eq!(expect.command, ["make"]);
    }
}
