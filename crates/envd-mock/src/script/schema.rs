//! The JSON Schema of a program's record.

use std::time::Duration;

use serde_json::{Value, json};

use crate::fault::param::Param as _;
use crate::fault::{Pairs, Payload, Signal};

/// One `[[program]]`.
pub(super) fn program() -> Value {
    json!({
        "type": "object",
        "description": "A stand-in for a command: the first that matches takes its place.",
        "properties": {
            "name": described(json!({ "type": "string" }), "What reports call it; the command's pattern by default."),
            "command": glob("The command as asked for, or the last segment of its path."),
            "args": described(json!({ "type": "array", "items": glob("An argument.") }), "A pattern for each argument."),
            "command_line": glob("The command and its arguments with blanks between them."),
            "env": described(
                json!({ "type": "object", "additionalProperties": glob("A value.") }),
                "Variables that must be there and match.",
            ),
            "cwd": glob("The working directory."),
            "user": glob("The user that the command runs as."),
            "steps": steps(true),
            "run": run(),
            "exit": described(u8::schema(), "The exit code, 0 by default."),
            "signal": described(Signal::schema(), "The signal that seems to have ended it."),
            "hang": described(json!({ "type": "boolean" }), "Never ends by itself."),
            "ignore_sigterm": described(json!({ "type": "boolean" }), "Goes on when SIGTERM comes."),
        },
        "additionalProperties": false,
        "anyOf": [{ "required": ["name"] }, { "required": ["command"] }],
        "allOf": [
            at_most_one(&["args", "command_line"]),
            at_most_one(&["exit", "signal", "hang"]),
            at_most_one(&["steps", "run"]),
        ],
    })
}

fn described(mut schema: Value, text: &str) -> Value {
    schema["description"] = json!(text);
    schema
}

fn glob(text: &str) -> Value {
    json!({ "type": "string", "description": format!("{text} Has *, ** and ?.") })
}

fn at_most_one(keys: &[&str]) -> Value {
    let pairs = keys.iter().enumerate().flat_map(|(index, one)| {
        keys[index + 1..].iter().map(move |other| json!({ "required": [one, other] }))
    });
    json!({ "not": { "anyOf": pairs.collect::<Vec<_>>() } })
}

fn run() -> Value {
    json!({
        "description": "The real command runs, but otherwise than asked for.",
        "anyOf": [{ "type": "boolean" }, {
            "type": "object",
            "properties": {
                "args": described(
                    json!({ "type": "array", "items": { "type": "string" } }),
                    "In place of its arguments.",
                ),
                "env": described(Pairs::schema(), "Added to its environment."),
                "delay": described(Duration::schema(), "Before it is started."),
                "before": steps(false),
                "after": steps(false),
            },
            "additionalProperties": false,
        }],
    })
}

fn steps(input: bool) -> Value {
    let mut kinds = vec![
        output("stdout"),
        output("stderr"),
        step("wait", &[("wait", Duration::schema())]),
        step(
            "write",
            &[
                ("write", json!({ "type": "string" })),
                ("content", content()),
                ("mode", json!({ "type": "string", "pattern": "^[0-7]{1,4}$" })),
            ],
        ),
    ];
    if input {
        let read = json!({ "anyOf": [{ "enum": ["line", "end"] }, u64::schema()] });
        kinds.extend([step("read", &[("read", read)]), step("expect", &[("expect", Payload::schema())])]);
    }
    json!({ "type": "array", "items": { "anyOf": kinds } })
}

fn output(stream: &str) -> Value {
    step(stream, &[(stream, content()), ("repeat", u64::schema())])
}

fn content() -> Value {
    let text = "{stdin}, {args}, {arg1}, {env.NAME} and {cwd} are filled in, {{ is a brace; base64: stands before bytes.";
    json!({ "type": "string", "description": text, "examples": ["got {stdin}\n", "base64:AAEC"] })
}

fn step(verb: &str, fields: &[(&str, Value)]) -> Value {
    let properties: serde_json::Map<_, _> =
        fields.iter().map(|(name, schema)| ((*name).to_owned(), schema.clone())).collect();
    json!({ "type": "object", "properties": properties, "required": [verb], "additionalProperties": false })
}
