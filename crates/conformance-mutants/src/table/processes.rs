//! The unary calls of processes: input, signals, sizes, the list, and their errors (contract 4.3 to 4.8).

use serde_json::{Value, json};

use super::commands::capped;
use super::edit::{
    EXHAUSTED, INTERNAL, INVALID, NOT_FOUND, PRECONDITION, answer, bytes, forgiven, frames, lose, refusal,
    request, text,
};
use crate::http::{Answer, Request};
use crate::mutant::Mutant;

const LIST: &str = "/process.Process/List";
const SIGNAL: &str = "/process.Process/SendSignal";
const INPUT: &str = "/process.Process/SendInput";
const STREAM: &str = "/process.Process/StreamInput";
const UPDATE: &str = "/process.Process/Update";
const CLOSE: &str = "/process.Process/CloseStdin";

pub(crate) const MUTANTS: &[Mutant] = &[
    answer("list/empty", "List is always empty", LIST, |_, a| a.json(|m| lose(m, "processes"))),
    answer("list/stale", "List is the one of a while ago", LIST, |call, a| {
        if is_json(a) {
            let old = call.kept().insert("list".to_owned(), a.bytes_mut().clone());
            *a.bytes_mut() = old.unwrap_or_else(|| b"{}".to_vec());
        }
    }),
    answer("list/pid-wrong", "the pids in List are one too many", LIST, |_, a| {
        each(a, |process| process["pid"] = (process["pid"].as_u64().unwrap_or(0) + 1).into());
    }),
    answer("list/envs-lost", "List does not tell envs", LIST, |_, a| {
        each(a, |p| lose(&mut p["config"], "envs"));
    }),
    answer("list/envs-all", "List tells the whole environment", LIST, |_, a| {
        each(a, |process| process["config"]["envs"]["PATH"] = "/usr/bin:/bin".into());
    }),
    answer("list/envs-default", "a process without envs is listed with the default ones", LIST, |_, a| {
        each(a, |process| {
            if process["config"].get("envs").is_none() {
                process["config"]["envs"] = json!({ "WRENN_SANDBOX": "false" });
            }
        });
    }),
    answer("list/args-lost", "List does not tell arguments", LIST, |_, a| {
        each(a, |p| lose(&mut p["config"], "args"));
    }),
    answer("list/cwd-lost", "List does not tell the cwd", LIST, |_, a| {
        each(a, |p| lose(&mut p["config"], "cwd"));
    }),
    answer("list/cwd-only-as-asked", "List tells no cwd where none was asked for", LIST, |_, a| {
        each(a, |process| {
            if process["config"]["cwd"] == "/root" {
                lose(&mut process["config"], "cwd");
            }
        });
    }),
    answer("list/cwd-unresolved", "List tells the cwd with a slash at its end", LIST, |_, a| {
        each(a, |process| super::edit::edit_text(&mut process["config"], "cwd", |cwd| format!("{cwd}/")));
    }),
    answer("list/tag-lost", "List does not tell tags", LIST, |_, a| each(a, |p| lose(p, "tag"))),
    answer("list/tag-empty", "a process without a tag is listed with an empty one", LIST, |_, a| {
        each(a, |process| {
            if process["tag"].is_null() {
                process["tag"] = "".into();
            }
        });
    }),
    answer("list/one-of-a-tag", "of processes with the same tag one is listed", LIST, |_, a| {
        a.json(|message| {
            let Some(all) = message["processes"].as_array_mut() else { return };
            let mut seen = std::collections::BTreeSet::new();
            all.retain(|process| process["tag"].is_null() || seen.insert(process["tag"].to_string()));
        });
    }),
    request("signal/term-as-kill", "TERM is sent as KILL", SIGNAL, |_, r| {
        signal(r, |s| is_term(s).then(|| 9.into()));
    }),
    request("signal/kill-as-term", "KILL is sent as TERM", SIGNAL, |_, r| {
        signal(r, |s| (!is_term(s) && !s.is_null()).then(|| 15.into()));
    }),
    request("signal/none-as-term", "no signal is TERM", SIGNAL, |_, r| {
        signal(r, |s| (s.is_null() || *s == 0 || *s == "SIGNAL_UNSPECIFIED").then(|| 15.into()));
    }),
    request("signal/any-number-as-kill", "an unknown number of a signal is KILL", SIGNAL, |_, r| {
        signal(r, |s| s.as_u64().is_some_and(|s| s != 9 && s != 15 && s != 0).then(|| 9.into()));
    }),
    request("signal/unknown-name-as-term", "an unknown name of a signal is TERM", SIGNAL, |_, r| {
        signal(r, |s| {
            s.as_str().is_some_and(|s| !s.ends_with("KILL") && !s.ends_with("TERM")).then(|| 15.into())
        });
    }),
    request("signal/numbers-refused", "numbers of signals are not taken", SIGNAL, |_, r| {
        signal(r, |s| s.is_u64().then(|| "SIGNAL_NOPE".into()));
    }),
    request("signal/ignored", "signals are not sent", SIGNAL, |_, r| {
        r.head("/process.Process/SendSignal ", "/process.Process/Update ");
    }),
    request("signal/pid-ignored", "a selector by pid is none", SIGNAL, |_, r| {
        r.json(|m| lose(&mut m["process"], "pid"));
    }),
    answer("signal/not-found-as-ok", "a signal for nobody is fine", SIGNAL, |_, a| forgiven(a, "not_found")),
    answer("signal/not-found-as-internal", "a signal for nobody is internal", SIGNAL, |_, a| {
        refusal(a, NOT_FOUND, INTERNAL);
    }),
    answer("signal/invalid-as-internal", "a bad signal is internal", SIGNAL, |_, a| {
        refusal(a, INVALID, INTERNAL);
    }),
    answer("signal/invalid-as-ok", "a bad signal is fine", SIGNAL, |_, a| forgiven(a, "invalid_argument")),
    answer(
        "process/selector-as-not-found",
        "a missing selector is not_found",
        "/process.Process/",
        |_, a| {
            refusal(a, INVALID, NOT_FOUND);
        },
    ),
    answer("process/selector-text", "a missing selector is told otherwise", "/process.Process/", |_, a| {
        a.body("process selector required", "selector missing");
    }),
    answer("process/not-found-text", "an unknown pid is not named", "/process.Process/", |_, a| {
        a.body("process with pid ", "process ");
    }),
    answer(
        "process/not-found-as-400",
        "the code is not_found, the status 400, of processes",
        "/process.Process/",
        |_, a| {
            a.head("404 Not Found", "400 Bad Request");
        },
    ),
    request("process/empty-tag-none", "an empty tag is none", "/process.Process/", |_, r| {
        r.json(|m| {
            if m["process"]["tag"] == "" {
                lose(&mut m["process"], "tag");
            }
        });
    }),
    answer("process/unknown-tag-ok", "a call for an unknown tag is fine", "/process.Process/", |_, a| {
        if a.says("process with tag") {
            forgiven(a, "not_found");
        }
    }),
    answer("process/unknown-pid-ok", "a call for an unknown pid is fine", "/process.Process/", |_, a| {
        if a.says("process with pid") {
            forgiven(a, "not_found");
        }
    }),
    request("input/ignored", "SendInput sends nothing", INPUT, |_, r| r.json(|m| lose(m, "input"))),
    request("input/twice", "input is sent twice", INPUT, |_, r| stdin(r, |b| b.extend_from_within(..))),
    request("input/last-byte-lost", "the last byte of input is lost", INPUT, |_, r| {
        stdin(r, |b| b.truncate(b.len().saturating_sub(1)));
    }),
    request("input/64-kib", "of an input only 64 KiB are sent", INPUT, |_, r| {
        stdin(r, |b| b.truncate(65_536));
    }),
    request("input/4-kib", "of an input only 4 KiB are sent", INPUT, |_, r| stdin(r, |b| b.truncate(4096))),
    request("input/as-text", "input that is no text is replaced", INPUT, |_, r| {
        stdin(r, |b| *b = String::from_utf8_lossy(b).into_owned().into_bytes());
    }),
    request("input/late-byte-wrong", "a byte of an input is wrong after a megabyte", INPUT, |_, r| {
        stdin(r, |b| {
            if let Some(byte) = b.get_mut(1 << 20) {
                *byte ^= 1;
            }
        });
    }),
    request("input/newline-added", "a newline is added to input", INPUT, |_, r| {
        stdin(r, |b| {
            if !b.ends_with(b"\n") {
                b.push(b'\n');
            }
        });
    }),
    request("input/end-on-new-line", "Ctrl+D comes on a line of its own", INPUT, |_, r| {
        r.json(|message| {
            bytes(message, "/input/pty", |keys| {
                if keys.as_slice() == b"\x04" {
                    keys.insert(0, b'\n');
                }
            });
        });
    }),
    request("input/pty-as-stdin", "pty bytes go to any process", INPUT, |_, r| {
        r.json(|m| {
            if let Some(text) = m["input"].get("pty").cloned() {
                m["input"] = json!({ "stdin": text });
            }
        });
    }),
    request("input/stdin-as-pty", "stdin bytes go to any process", INPUT, |_, r| {
        r.json(|m| {
            if let Some(text) = m["input"].get("stdin").cloned() {
                m["input"] = json!({ "pty": text });
            }
        });
    }),
    answer("input/precondition-as-ok", "input of the wrong kind is fine", INPUT, |_, a| {
        forgiven(a, "failed_precondition");
    }),
    answer("input/precondition-as-invalid", "input of the wrong kind is invalid_argument", INPUT, |_, a| {
        refusal(a, PRECONDITION, INVALID);
    }),
    answer("input/disabled-text", "stdin that is closed is told otherwise", INPUT, |_, a| {
        a.body("stdin not enabled or closed", "stdin closed");
    }),
    answer("input/broken-pipe-as-ok", "input for a closed pipe is fine", INPUT, |_, a| {
        forgiven(a, "internal");
    }),
    answer(
        "input/broken-pipe-as-precondition",
        "input for a closed pipe is failed_precondition",
        INPUT,
        |_, a| {
            refusal(a, INTERNAL, PRECONDITION);
        },
    ),
    answer("input/exhausted-as-internal", "a process that does not read is internal", INPUT, |_, a| {
        refusal(a, EXHAUSTED, INTERNAL);
    }),
    request("input/nothing-refused", "SendInput without input is refused", INPUT, |_, r| {
        r.json(|m| {
            if m["input"].as_object().is_none_or(serde_json::Map::is_empty) {
                lose(m, "process");
            }
        });
    }),
    request("stream-input/first-lost", "the first message with data is lost", STREAM, |_, r| {
        r.messages(|all| {
            if let Some(at) = all.iter().position(|m| m.pointer("/data").is_some()) {
                all.remove(at);
            }
        });
    }),
    request("stream-input/selects-once", "a later start is refused", STREAM, |_, r| {
        r.messages(|all| {
            let starts: Vec<usize> = (0..all.len()).filter(|at| all[*at].get("start").is_some()).collect();
            if let Some(second) = starts.get(1) {
                all[*second] = json!({ "start": { "process": { "tag": "nobody" } } });
            }
        });
    }),
    request("stream-input/twice", "every message is sent twice", STREAM, |_, r| {
        r.messages(|all| *all = std::mem::take(all).into_iter().flat_map(|m| [m.clone(), m]).collect());
    }),
    request("stream-input/keepalive-refused", "keepalives end the stream", STREAM, |_, r| {
        r.messages(|all| {
            if let Some(at) = all.iter().position(|m| m.pointer("/keepalive").is_some()) {
                all[at] = json!({ "data": { "input": { "stdin": "eA==" } } });
            }
        });
    }),
    request("stream-input/pty-as-stdin", "pty bytes are sent as stdin", STREAM, |_, r| {
        r.body("\"pty\"", "\"stdin\"");
    }),
    frames("stream-input/answer-lost", "StreamInput ends without an answer", STREAM, |_, flag, m| {
        super::edit::unless(flag == 0, flag, m)
    }),
    frames("stream-input/answer-twice", "StreamInput answers twice", STREAM, |_, flag, m| {
        vec![(flag, m); if flag == 0 { 2 } else { 1 }]
    }),
    frames("stream-input/errors-swallowed", "errors of StreamInput are not told", STREAM, |_, flag, m| {
        vec![(flag, if m["error"].is_object() { json!({}) } else { m })]
    }),
    frames(
        "stream-input/not-found-as-internal",
        "StreamInput to nobody is internal",
        STREAM,
        |_, flag, m| super::edit::code(flag, m, "not_found", "internal"),
    ),
    frames(
        "stream-input/no-start-as-invalid",
        "data before a start is invalid_argument",
        STREAM,
        |_, flag, m| super::edit::code(flag, m, "failed_precondition", "invalid_argument"),
    ),
    frames("stream-input/no-start-text", "data before a start is told otherwise", STREAM, |_, flag, m| {
        text(flag, m, "no start event received", "start first")
    }),
    request("update/ignored", "Update changes nothing", UPDATE, |_, r| r.json(|m| lose(m, "pty"))),
    request("update/swapped", "Update swaps rows and columns", UPDATE, |_, r| {
        size(r, |size| *size = json!({ "cols": size["rows"], "rows": size["cols"] }));
    }),
    request("update/size-capped", "sizes over sixteen bits are capped in Update", UPDATE, |_, r| {
        size(r, capped);
    }),
    request("update/off-by-one", "Update gives one column too many", UPDATE, |_, r| {
        size(r, |size| size["cols"] = (size["cols"].as_u64().unwrap_or(0) + 1).into());
    }),
    request("update/none-is-zero", "an Update without a size makes it 0 by 0", UPDATE, |_, r| {
        r.json(|m| {
            if m["pty"]["size"].is_null() {
                m["pty"] = json!({ "size": {} });
            }
        });
    }),
    answer("update/precondition-as-ok", "a size for a process on pipes is fine", UPDATE, |_, a| {
        forgiven(a, "failed_precondition");
    }),
    answer(
        "update/precondition-as-invalid",
        "a size for a process on pipes is invalid_argument",
        UPDATE,
        |_, a| {
            refusal(a, PRECONDITION, INVALID);
        },
    ),
    request("close-stdin/ignored", "CloseStdin closes nothing", CLOSE, |_, r| {
        r.head("/process.Process/CloseStdin ", "/process.Process/Update ");
    }),
    answer("close-stdin/terminal-ok", "CloseStdin of a terminal is fine", CLOSE, |_, a| {
        forgiven(a, "failed_precondition");
    }),
    answer("close-stdin/dash", "the em dash in CloseStdin's error is a hyphen", CLOSE, |_, a| {
        a.body("\u{2014}", "-");
    }),
    answer("close-stdin/once", "CloseStdin is refused when repeated", CLOSE, |call, a| {
        let process = String::from_utf8_lossy(a.bytes_mut()).into_owned();
        if call.nth(&process) > 1 && process == "{}" {
            a.status("400 Bad Request");
            *a.bytes_mut() =
                br#"{"code":"failed_precondition","message":"stdin not enabled or closed"}"#.to_vec();
        }
    }),
];

fn is_json(answer: &Answer) -> bool {
    answer.is("200") && answer.header("content-type") == Some("application/json")
}

fn each(answer: &mut Answer, edit: impl Fn(&mut Value)) {
    answer.json(|message| {
        for process in message["processes"].as_array_mut().into_iter().flatten() {
            edit(process);
        }
    });
}

fn signal(request: &mut Request, other: impl Fn(&Value) -> Option<Value>) {
    request.json(|message| {
        if let Some(signal) = other(&message["signal"]) {
            message["signal"] = signal;
        }
    });
}

fn is_term(signal: &Value) -> bool {
    *signal == 15 || *signal == "SIGNAL_SIGTERM"
}

fn stdin(request: &mut Request, edit: impl Fn(&mut Vec<u8>)) {
    request.json(|message| bytes(message, "/input/stdin", &edit));
}

fn size(request: &mut Request, edit: impl Fn(&mut Value)) {
    request.json(|message| {
        if message["pty"]["size"].is_object() {
            edit(&mut message["pty"]["size"]);
        }
    });
}
