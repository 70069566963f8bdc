//! The suite proves that it can fail: each mutant is a mock with one seeded bug, and a named case must catch it, through
//! its claim and not through a time-out.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use conformance::suites;
use conformance::verdict::Verdict;
use serde_json::{Value, json};

use crate::mock::{outcomes, outcomes_of};
use crate::proxy::{Answer, Change, Mutated, OnFrame, OnRequest};

const START: &str = "/process.Process/Start";

struct Mutant {
    bug: &'static str,
    caught_by: &'static str,
    change: Change,
}

fn frames(bug: &'static str, caught_by: &'static str, edit: OnFrame) -> Mutant {
    Mutant { bug, caught_by, change: Change::Frames(START, edit) }
}

fn request(bug: &'static str, caught_by: &'static str, edit: OnRequest) -> Mutant {
    Mutant { bug, caught_by, change: Change::Request(edit) }
}

fn answer(
    bug: &'static str,
    caught_by: &'static str,
    target: &'static str,
    edit: impl Fn(&str, &mut Answer) + Send + Sync + 'static,
) -> Mutant {
    Mutant { bug, caught_by, change: Change::Answer(target, Box::new(edit)) }
}

/// Sets a field of an end event, if it is one.
fn end_with(mut message: Value, field: &str, value: Value) -> Vec<(u8, Value)> {
    if message["event"]["end"].is_object() {
        message["event"]["end"][field] = value;
    }
    vec![(0, message)]
}

fn is(message: &Value, kind: &str) -> bool {
    message["event"].get(kind).is_some()
}

fn of_streams() -> Vec<Mutant> {
    vec![
        frames("the end event is never sent", "process/start/events", |flag, message| {
            if is(&message, "end") { vec![] } else { vec![(flag, message)] }
        }),
        frames("the stream ends without END_STREAM", "process/start/events", |flag, message| {
            if flag == 2 { vec![] } else { vec![(flag, message)] }
        }),
        frames("the start event is lost", "process/start/events", |flag, message| {
            if is(&message, "start") { vec![] } else { vec![(flag, message)] }
        }),
        frames("exit codes are one too many", "process/start/exit-code", |flag, message| match flag {
            0 => end_with(message, "exitCode", json!(8)),
            _ => vec![(flag, message)],
        }),
        frames(
            "the status is spelt as Go spells it",
            "process/start/exit-code",
            |flag, message| match flag {
                0 => end_with(message, "status", json!("exit status 7")),
                _ => vec![(flag, message)],
            },
        ),
        frames("death by a signal counts as an exit", "process/start/killed", |flag, message| match flag {
            0 => end_with(message, "exited", json!(true)),
            _ => vec![(flag, message)],
        }),
        frames("output comes twice", "process/start/raw-bytes", |flag, message| {
            let times = if is(&message, "data") { 2 } else { 1 };
            vec![(flag, message); times]
        }),
        frames("stderr is called stdout", "process/start/two-streams", |flag, mut message| {
            if let Some(text) = message["event"]["data"].get("stderr").cloned() {
                message["event"]["data"] = json!({ "stdout": text });
            }
            vec![(flag, message)]
        }),
        frames("the end of a big chunk is lost", "process/start/big-output", |flag, mut message| {
            let text = message.pointer("/event/data/stdout").and_then(Value::as_str).unwrap_or_default();
            if text.len() > 4000 {
                message["event"]["data"]["stdout"] = text[..text.len() / 4 * 4 - 4].into();
            }
            vec![(flag, message)]
        }),
        frames("the pid is the parent's", "process/start/pid", |flag, mut message| {
            if let Some(pid) = message["event"]["start"]["pid"].as_u64() {
                message["event"]["start"]["pid"] = (pid + 1).into();
            }
            vec![(flag, message)]
        }),
        frames("an error is told as another", "process/start/cwd-missing", |flag, mut message| {
            if message["error"].is_object() {
                message["error"]["code"] = "internal".into();
            }
            vec![(flag, message)]
        }),
        frames("a missed deadline is told as cancelled", "wire/deadline/stream", |flag, mut message| {
            if message["error"].is_object() {
                message["error"]["code"] = "canceled".into();
            }
            vec![(flag, message)]
        }),
        answer("streams are held back until they end", "process/start/prompt-flush", START, |_, _| {}),
    ]
}

fn of_requests() -> Vec<Mutant> {
    vec![
        request("Range is ignored", "files/range/part", |text| *text = text.replace("range: ", "x-range: ")),
        request("If-None-Match is ignored", "files/condition/etag", |text| {
            *text = text.replace("if-none-match: ", "x-none: ");
        }),
        request("gzip is never used", "files/encoding/gzip", |text| {
            *text = text.replace("accept-encoding: gzip", "accept-encoding: identity");
        }),
        request("nobody checks the token", "init/token/guards", |text| {
            *text = text.replace("access_token", "access_tokex");
        }),
        request("nobody checks signatures", "files/signature/missing", |text| {
            *text = text.replace("access_token", "access_tokex");
        }),
        request("the expiration is not part of the signature", "files/signature/expiry", |text| {
            *text = text.replace("signature_expiration", "signature_expiratiox");
        }),
        request("old timestamps are applied", "init/timestamp/gate", |text| {
            *text = text.replace("\"timestamp\"", "\"timestamq\"");
        }),
        request("default environment is ignored", "init/envs/merge", |text| {
            *text = text.replace("envVars", "envVarz");
        }),
        request("default user is ignored", "init/default-user/applies", |text| {
            *text = text.replace("defaultUser", "defaultUzer");
        }),
        request("a lifecycle never changes", "preload/run/once", |text| {
            *text = text.replace("lifecycle_id", "lifecycle_ix");
        }),
        request("cancel does nothing", "preload/cancel/running", |text| {
            *text = text.replace("/memory/preload/cancel", "/snapshot/prepare");
        }),
        request("TERM is sent as KILL", "process/send-signal/term", |text| {
            *text = text.replace("\"signal\":15", "\"signal\":9 ");
        }),
        request("rows and columns are swapped", "process/pty/size", |text| {
            *text = text.replace("\"cols\":80,\"rows\":24", "\"cols\":24,\"rows\":80");
        }),
        request("cwd is ignored", "process/start/cwd", |text| *text = text.replace("\"cwd\"", "\"cwq\"")),
        request("stdin is always on", "process/start/stdin-off", |text| {
            *text = text.replace("\"stdin\":false", "\"stdin\":true ");
        }),
    ]
}

fn of_answers() -> Vec<Mutant> {
    let (first, fs) = (Mutex::new(BTreeMap::new()), "/filesystem.Filesystem/");
    vec![
        answer(
            "a listing is never made anew",
            "filesystem/list-dir/fresh",
            "/filesystem.Filesystem/ListDir",
            {
                move |target, answer| {
                    let mut first = first.lock().unwrap();
                    answer.body = first.entry(target.to_owned()).or_insert(answer.body.clone()).clone();
                }
            },
        ),
        answer("not_found is told as internal", "filesystem/stat/missing", fs, |_, answer| {
            answer.head("404 Not Found", "500 Internal Server Error");
            answer.body("\"not_found\"", "\"internal\"");
        }),
        answer("the code is right, the status is not", "filesystem/remove/missing", fs, |_, answer| {
            answer.head("404 Not Found", "400 Bad Request");
        }),
        answer("timestamps are objects", "filesystem/stat/file", fs, |_, answer| {
            answer.body("\"2001-02-03T04:05:06.500Z\"", "{\"seconds\":\"981173106\",\"nanos\":500000000}");
        }),
        answer("links are listed as files", "filesystem/stat/symlink", fs, |_, answer| {
            answer.body("Lrwx", "-rwx");
        }),
        answer("List is always empty", "process/list/shows", "/process.Process/List", |_, answer| {
            answer.body = b"{}".to_vec();
        }),
        answer("one byte of a download is wrong", "files/upload/round-trip", "/files", |_, answer| {
            if let Some(byte) = answer.body.get_mut(65_536) {
                *byte ^= 1;
            }
        }),
        answer("a range is answered as a whole", "files/range/suffix", "/files", |_, answer| {
            answer.head("206 Partial Content", "200 OK");
        }),
        answer("a range tells the wrong total", "files/range/beyond", "/files", |_, answer| {
            answer.head("bytes */10", "bytes */9");
        }),
        answer("health may be cached", "health/get/version", "/health", |_, answer| {
            answer.head("cache-control: no-store\r\n", "");
        }),
        answer("a metric is missing", "metrics/get/fields", "/metrics", |_, answer| {
            answer.body("\"mem_used\"", "\"mem_usage\"");
        }),
        answer("init says 200", "init/body/none", "/init", |_, answer| {
            answer.head("204 No Content", "200 OK");
        }),
        answer("405 does not tell the methods", "routes/method/wrong", "/", |_, answer| {
            answer.head("allow: ", "x-allow: ");
        }),
        answer("a code is swapped", "process/update/no-terminal", "/process.Process/Update", |_, answer| {
            answer.body("failed_precondition", "invalid_argument");
        }),
        answer("pages are counted in 2 KiB", "preload/run/to-done", "/memory/preload", |_, answer| {
            answer.body("\"pages\":", "\"pages\":1");
        }),
        answer("binary answers are called JSON", "wire/unary/json-is-binary", fs, |_, answer| {
            answer.head("application/proto", "application/json");
        }),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_mutant_is_caught_by_the_case_that_is_named_for_it() {
    let mutants: Vec<_> = [of_streams(), of_requests(), of_answers()].into_iter().flatten().collect();
    let mut survivors = Vec::new();
    for Mutant { bug, caught_by, change } in mutants {
        let seen = outcomes(Arc::new(Mutated(Arc::new(change))), &[caught_by]).await;
        match &seen[0].verdict {
            Verdict::Fail(finding) if !finding.expected.contains("within") && !finding.step.is_empty() => {}
            other => survivors.push(format!("{bug}: {caught_by} says {other:?}")),
        }
    }
    assert!(survivors.is_empty(), "survivors:\n{}", survivors.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_proxy_alone_is_not_caught() {
    let cases = suites::all().into_iter().filter(|case| !case.bulk && !case.disposable);
    let cases = cases.filter(conformance::fits_embedded).collect();
    for outcome in outcomes_of(Arc::new(Mutated(Arc::new(Change::Nothing))), cases).await {
        let other =
            matches!(outcome.verdict, Verdict::Unsupported(_)) && !outcome.case.generations.is_empty();
        assert!(other || outcome.verdict == Verdict::Pass, "{}: {:?}", outcome.case.id, outcome.verdict);
    }
}
