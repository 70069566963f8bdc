//! What entries of the tables are made of. Knows no mutant.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::{Value, json};

use crate::http::{Answer, Request};
use crate::mutant::{Change, Mutant, OnAnswer, OnFrame, OnRequest};

pub(super) const START: &str = "/process.Process/Start";
pub(super) const FS: &str = "/filesystem.Filesystem/";
/// What comes of a message of a stream.
pub(super) type Out = Vec<(u8, Value)>;

pub(super) const fn request(
    id: &'static str,
    bug: &'static str,
    calls: &'static str,
    edit: OnRequest,
) -> Mutant {
    Mutant { id, bug, change: Change::Request(calls, edit) }
}

pub(super) const fn answer(
    id: &'static str,
    bug: &'static str,
    calls: &'static str,
    edit: OnAnswer,
) -> Mutant {
    Mutant { id, bug, change: Change::Answer(calls, edit) }
}

pub(super) const fn frames(
    id: &'static str,
    bug: &'static str,
    calls: &'static str,
    edit: OnFrame,
) -> Mutant {
    Mutant { id, bug, change: Change::Frames(calls, edit) }
}

pub(super) const fn held(id: &'static str, bug: &'static str, calls: &'static str) -> Mutant {
    Mutant { id, bug, change: Change::Held(calls) }
}

pub(super) const fn fault(id: &'static str, bug: &'static str, rule: &'static str) -> Mutant {
    Mutant { id, bug, change: Change::Fault(rule) }
}

pub(super) const fn before(
    id: &'static str,
    bug: &'static str,
    calls: &'static str,
    script: &'static str,
) -> Mutant {
    Mutant { id, bug, change: Change::Aside(calls, script, "") }
}

pub(super) const fn after(
    id: &'static str,
    bug: &'static str,
    calls: &'static str,
    script: &'static str,
) -> Mutant {
    Mutant { id, bug, change: Change::Aside(calls, "", script) }
}

/// Whether a message is an event of this kind.
pub(super) fn is(message: &Value, kind: &str) -> bool {
    message["event"].get(kind).is_some()
}

/// The message as it is, or nothing if `lost`.
pub(super) fn unless(lost: bool, flag: u8, message: Value) -> Out {
    if lost { Vec::new() } else { vec![(flag, message)] }
}

/// The message with its end event changed, if it is one.
pub(super) fn end(flag: u8, mut message: Value, edit: impl Fn(&mut Value)) -> Out {
    if is(&message, "end") {
        edit(&mut message["event"]["end"]);
    }
    vec![(flag, message)]
}

/// The message with its text changed.
pub(super) fn text(flag: u8, message: Value, from: &str, to: &str) -> Out {
    let changed = message.to_string().replace(from, to);
    vec![(flag, serde_json::from_str(&changed).unwrap_or(message))]
}

/// The message with the code of its error changed.
pub(super) fn code(flag: u8, message: Value, from: &str, to: &str) -> Out {
    text(flag, message, &format!("\"code\":\"{from}\""), &format!("\"code\":\"{to}\""))
}

/// The message with its output changed, whichever stream it is of.
pub(super) fn output(flag: u8, mut message: Value, edit: impl Fn(&mut Vec<u8>)) -> Out {
    for kind in ["stdout", "stderr", "pty"] {
        let seen = message["event"]["data"].get(kind).and_then(Value::as_str);
        let Some(mut bytes) = seen.and_then(|text| BASE64_STANDARD.decode(text).ok()) else { continue };
        edit(&mut bytes);
        message["event"]["data"][kind] = BASE64_STANDARD.encode(bytes).into();
    }
    vec![(flag, message)]
}

/// Changes the base64 text at `pointer` as the bytes that it stands for.
pub(super) fn bytes(message: &mut Value, pointer: &str, mut edit: impl FnMut(&mut Vec<u8>)) {
    let Some(at) = message.pointer_mut(pointer) else { return };
    let Some(mut bytes) = at.as_str().and_then(|text| BASE64_STANDARD.decode(text).ok()) else { return };
    edit(&mut bytes);
    *at = BASE64_STANDARD.encode(bytes).into();
}

/// Takes a field away.
pub(super) fn lose(message: &mut Value, field: &str) {
    if let Some(fields) = message.as_object_mut() {
        fields.remove(field);
    }
}

/// Changes the process of a Start, if there is one.
pub(super) fn process(request: &mut Request, edit: impl Fn(&mut Value)) {
    request.json(|message| {
        if message["process"].is_object() {
            edit(&mut message["process"]);
        }
    });
}

/// The command of a Start behind a shell script, which ends in `"$@"`.
pub(super) fn wrap(request: &mut Request, script: &str) {
    process(request, |process| wrap_process(process, script));
}

/// The same for commands in a terminal alone.
pub(super) fn wrap_terminal(request: &mut Request, script: &str) {
    request.json(|message| {
        if message["pty"]["size"].is_object() {
            wrap_process(&mut message["process"], script);
        }
    });
}

/// A shell adds PWD to the environment, which is no part of the bug.
pub(super) fn wrap_process(process: &mut Value, script: &str) {
    let command = process["cmd"].clone();
    let arguments = process["args"].as_array().cloned().unwrap_or_default();
    let script = script.replace("\"$@\"", "env -u PWD \"$@\"");
    let all = [json!("-c"), json!(script), json!("sh"), command].into_iter().chain(arguments);
    process["args"] = all.collect();
    process["cmd"] = "/bin/sh".into();
}

/// A refusal becomes another one, with its status.
pub(super) fn refusal(answer: &mut Answer, (from, status): (&str, &str), (to, other): (&str, &str)) {
    if answer.is(&status[..3]) && answer.says(&format!("\"code\":\"{from}\"")) {
        answer.head(status, other);
        answer.body(&format!("\"code\":\"{from}\""), &format!("\"code\":\"{to}\""));
    }
}

pub(super) const NOT_FOUND: (&str, &str) = ("not_found", "404 Not Found");
pub(super) const INTERNAL: (&str, &str) = ("internal", "500 Internal Server Error");
pub(super) const INVALID: (&str, &str) = ("invalid_argument", "400 Bad Request");
pub(super) const PRECONDITION: (&str, &str) = ("failed_precondition", "400 Bad Request");
pub(super) const EXISTS: (&str, &str) = ("already_exists", "409 Conflict");
pub(super) const UNIMPLEMENTED: (&str, &str) = ("unimplemented", "501 Not Implemented");
pub(super) const UNAUTHENTICATED: (&str, &str) = ("unauthenticated", "401 Unauthorized");
pub(super) const EXHAUSTED: (&str, &str) = ("resource_exhausted", "429 Too Many Requests");

/// A refusal becomes an empty success.
pub(super) fn forgiven(answer: &mut Answer, code: &str) {
    if answer.says(&format!("\"code\":\"{code}\"")) {
        answer.status("200 OK");
        *answer.bytes_mut() = b"{}".to_vec();
    }
}

/// Changes the entry of an answer, or each of a listing.
pub(super) fn entries(answer: &mut Answer, edit: impl Fn(&mut Value)) {
    answer.json(|message| {
        if message["entry"].is_object() {
            edit(&mut message["entry"]);
        }
        for entry in message["entries"].as_array_mut().into_iter().flatten() {
            edit(entry);
        }
    });
}

/// Changes a text in a message, if it is there.
pub(super) fn edit_text(message: &mut Value, field: &str, edit: impl Fn(&str) -> String) {
    if let Some(text) = message[field].as_str().map(edit) {
        message[field] = text.into();
    }
}

/// Changes the target of a request.
pub(super) fn target(request: &mut Request, edit: impl Fn(&str) -> String) {
    let target = request.target().to_owned();
    request.head(&format!(" {target} HTTP"), &format!(" {} HTTP", edit(&target)));
}
