//! Streams of processes: events lost, doubled, late or out of order, ends told wrong, output spoilt (contract 4.1, 4.2).

use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::{Value, json};

use super::edit::{Out, START, bytes, code, end, fault, frames, held, is, lose, output, text, unless};
use crate::frames::Passing;
use crate::http::replaced;
use crate::mutant::Mutant;

const CONNECT: &str = "/process.Process/Connect";

pub(crate) const MUTANTS: &[Mutant] = &[
    frames("start/end-lost", "the end event is never sent", START, |_, flag, message| {
        unless(is(&message, "end"), flag, message)
    }),
    frames("start/unended", "the stream ends without END_STREAM", START, |_, flag, message| {
        unless(flag == 2, flag, message)
    }),
    frames("start/start-lost", "the start event is lost", START, |_, flag, message| {
        unless(is(&message, "start"), flag, message)
    }),
    frames("start/start-twice", "the start event comes twice", START, |_, flag, message| {
        vec![(flag, message.clone()); if is(&message, "start") { 2 } else { 1 }]
    }),
    frames("start/end-twice", "the end event comes twice", START, |_, flag, message| {
        vec![(flag, message.clone()); if is(&message, "end") { 2 } else { 1 }]
    }),
    frames("start/end-stream-as-message", "END_STREAM has the flag of a message", START, |_, _, message| {
        vec![(0, message)]
    }),
    frames(
        "start/start-late",
        "the start event waits for the first output",
        START,
        |passing, flag, message| {
            if is(&message, "start") {
                passing.held.push((flag, message));
                return Vec::new();
            }
            std::mem::take(&mut passing.held).into_iter().chain([(flag, message)]).collect()
        },
    ),
    frames(
        "start/data-before-start",
        "the first output comes before the start event",
        START,
        |passing, flag, message| {
            if is(&message, "start") {
                passing.held.push((flag, message));
                return Vec::new();
            }
            [(flag, message)].into_iter().chain(std::mem::take(&mut passing.held)).collect()
        },
    ),
    frames(
        "start/end-before-data",
        "the end event comes before the last output",
        START,
        |passing, flag, message| {
            if is(&message, "data") {
                return std::mem::replace(&mut passing.held, vec![(flag, message)]);
            }
            [(flag, message)].into_iter().chain(std::mem::take(&mut passing.held)).collect()
        },
    ),
    frames(
        "start/last-output-lost",
        "what is printed just before the end is lost",
        START,
        |passing, flag, message| {
            if is(&message, "data") {
                return std::mem::replace(&mut passing.held, vec![(flag, message)]);
            }
            passing.held.clear();
            vec![(flag, message)]
        },
    ),
    frames(
        "start/output-until-end",
        "output is kept until the process ends",
        START,
        |passing, flag, message| {
            if is(&message, "data") {
                passing.held.push((flag, message));
                return Vec::new();
            }
            std::mem::take(&mut passing.held).into_iter().chain([(flag, message)]).collect()
        },
    ),
    held("start/held-back", "streams are held back until they end", START),
    frames("start/code-plus-one", "exit codes other than 0 are one too many", START, |_, flag, message| {
        end(flag, message, |end| {
            if let Some(code) = end["exitCode"].as_i64().filter(|code| *code > 0) {
                end["exitCode"] = (code + 1).into();
            }
        })
    }),
    frames("start/code-signed", "exit codes from 128 on are negative", START, |_, flag, message| {
        end(flag, message, |end| {
            if let Some(code) = end["exitCode"].as_i64().filter(|code| *code > 127) {
                end["exitCode"] = (code - 256).into();
            }
        })
    }),
    frames("start/code-as-signal", "exit codes over 128 are told as signals", START, |_, flag, message| {
        end(flag, message, |end| {
            if end["exitCode"].as_i64().is_some_and(|code| code > 128 && code < 160) {
                *end = json!({ "exitCode": -1, "status": "signal: 9 (SIGKILL)" });
            }
        })
    }),
    frames("start/code-left-out", "the exit code is left out", START, |_, flag, message| {
        end(flag, message, |end| lose(end, "exitCode"))
    }),
    frames("start/success-spelt-out", "exit code 0 is written out in JSON", START, |_, flag, message| {
        end(flag, message, |end| {
            if end["exitCode"].is_null() {
                end["exitCode"] = 0.into();
            }
        })
    }),
    frames("start/status-of-go", "an exit's status is spelt as Go spells it", START, |_, flag, message| {
        text(flag, message, "exit status: ", "exit status ")
    }),
    frames("start/status-of-success", "a success has no status", START, |_, flag, message| {
        text(flag, message, "exit status: 0", "")
    }),
    frames("start/signal-of-go", "a signal's status is spelt as Go spells it", START, |_, flag, message| {
        text(flag, message, "signal: 9 (SIGKILL)", "signal: killed")
    }),
    frames("start/signal-unnamed", "a signal's status has no name", START, |_, flag, message| {
        end(flag, message, |end| {
            let status = end["status"].as_str().unwrap_or_default();
            let short = status.split(" (").next().unwrap_or_default().to_owned();
            end["status"] = short.into();
        })
    }),
    frames("start/term-as-kill", "every deadly signal is told as SIGKILL", START, |_, flag, message| {
        end(flag, message, |end| {
            if end["exitCode"] == -1 {
                end["status"] = "signal: 9 (SIGKILL)".into();
            }
        })
    }),
    frames(
        "start/late-signals-unnamed",
        "signals from 16 on are told without a name",
        START,
        |_, flag, message| {
            end(flag, message, |end| {
                let status = end["status"].as_str().unwrap_or_default();
                let number =
                    status.strip_prefix("signal: ").and_then(|rest| rest.split(' ').next()?.parse().ok());
                if let Some(number @ 16_u8..) = number {
                    end["status"] = format!("signal: {number}").into();
                }
            })
        },
    ),
    frames("start/killed-as-exit", "death by a signal counts as an exit", START, |_, flag, message| {
        end(flag, message, |end| {
            if end["exitCode"] == -1 {
                end["exited"] = true.into();
            }
        })
    }),
    frames(
        "start/killed-as-137",
        "death by a signal has the exit code that a shell gives it",
        START,
        |_, flag, message| {
            end(flag, message, |end| {
                if end["exitCode"] == -1 {
                    end["exitCode"] = 137.into();
                }
            })
        },
    ),
    frames("start/failure-not-exited", "a failure is told as not exited", START, |_, flag, message| {
        end(flag, message, |end| {
            if end["exitCode"].as_i64().is_some_and(|code| code > 0) {
                lose(end, "exited");
            }
        })
    }),
    frames(
        "start/failure-with-error",
        "a failure has an error text in its end event",
        START,
        |_, flag, message| {
            end(flag, message, |end| {
                if end["exitCode"].as_i64().is_some_and(|code| code > 0) {
                    end["error"] = end["status"].clone();
                }
            })
        },
    ),
    frames(
        "start/127-as-error",
        "a program that is not there is an error of the call",
        START,
        |_, flag, message| {
            if is(&message, "end") && message["event"]["end"]["exitCode"] == 127 {
                return vec![(2, json!({ "error": { "code": "not_found", "message": "no such program" } }))];
            }
            vec![(flag, message)]
        },
    ),
    frames("start/output-twice", "output comes twice", START, |_, flag, message| {
        vec![(flag, message.clone()); if is(&message, "data") { 2 } else { 1 }]
    }),
    frames("start/stderr-as-stdout", "stderr is called stdout", START, |_, flag, message| {
        rename(flag, message, "stderr", "stdout")
    }),
    frames("start/pty-as-stdout", "a terminal's output is called stdout", START, |_, flag, message| {
        rename(flag, message, "pty", "stdout")
    }),
    frames("start/big-chunk-cut", "the end of a big chunk is lost", START, |_, flag, message| {
        output(flag, message, |bytes| {
            bytes.truncate(if bytes.len() > 3000 { bytes.len() - 1 } else { bytes.len() });
        })
    }),
    frames(
        "start/border-byte-lost",
        "the first byte of every later chunk is lost",
        START,
        |passing, flag, message| {
            let first = passing.data == 0;
            output(flag, message, |bytes| drop(bytes.drain(..usize::from(!first && !bytes.is_empty()))))
        },
    ),
    frames("start/chunks-swapped", "two chunks in a row change places", START, |passing, flag, message| {
        if is(&message, "data") && passing.held.is_empty() && passing.data > 2 {
            passing.held.push((flag, message));
            return Vec::new();
        }
        [(flag, message)].into_iter().chain(std::mem::take(&mut passing.held)).collect()
    }),
    frames(
        "start/flood-loses",
        "of a flood every thirtieth chunk is lost",
        START,
        |passing, flag, message| unless(is(&message, "data") && passing.data % 30 == 29, flag, message),
    ),
    frames("start/flood-merged", "a flood is merged into messages of over 4 MiB", START, merged),
    frames("start/output-as-text", "output that is no text is replaced", START, |_, flag, message| {
        output(flag, message, |bytes| *bytes = String::from_utf8_lossy(bytes).into_owned().into_bytes())
    }),
    frames("start/nul-cut", "output is cut at a NUL", START, |_, flag, message| {
        output(flag, message, |bytes| {
            bytes.truncate(bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len()));
        })
    }),
    frames("start/base64-url", "bytes are in the base64 of URLs", START, |_, flag, mut message| {
        for kind in ["stdout", "stderr", "pty"] {
            if let Some(text) = message["event"]["data"].get(kind).and_then(Value::as_str) {
                message["event"]["data"][kind] = text.replace('+', "-").replace('/', "_").into();
            }
        }
        vec![(flag, message)]
    }),
    frames("start/terminal-cr-lost", "a terminal's CR is lost", START, |_, flag, mut message| {
        bytes(&mut message, "/event/data/pty", |bytes| bytes.retain(|byte| *byte != b'\r'));
        vec![(flag, message)]
    }),
    frames("start/cr-lost", "a CR in output on pipes is lost", START, |_, flag, mut message| {
        bytes(&mut message, "/event/data/stdout", |bytes| bytes.retain(|byte| *byte != b'\r'));
        vec![(flag, message)]
    }),
    frames(
        "start/pid-plus-one",
        "the pid in the start event is one too many",
        START,
        |_, flag, mut message| {
            if let Some(pid) = message["event"]["start"]["pid"].as_u64() {
                message["event"]["start"]["pid"] = (pid + 1).into();
            }
            vec![(flag, message)]
        },
    ),
    frames("start/keepalive-unasked", "a stream of a process has keepalives", START, |_, flag, message| {
        let start = is(&message, "start");
        let keepalive = start.then(|| (0, json!({ "event": { "keepalive": {} } })));
        [(flag, message)].into_iter().chain(keepalive).collect()
    }),
    frames("start/empty-output", "a process that is quiet has an empty chunk", START, |_, flag, message| {
        let start = is(&message, "start");
        let empty = start.then(|| (0, json!({ "event": { "data": { "stdout": "" } } })));
        [(flag, message)].into_iter().chain(empty).collect()
    }),
    frames("start/invalid-as-internal", "invalid_argument is told as internal", START, |_, flag, message| {
        code(flag, message, "invalid_argument", "internal")
    }),
    frames("start/internal-as-unknown", "internal is told as unknown", START, |_, flag, message| {
        code(flag, message, "internal", "unknown")
    }),
    frames(
        "start/deadline-as-canceled",
        "a missed deadline is told as canceled",
        START,
        |_, flag, message| code(flag, message, "deadline_exceeded", "canceled"),
    ),
    frames(
        "start/exhausted-as-invalid",
        "resource_exhausted is told as invalid_argument",
        START,
        |_, flag, message| code(flag, message, "resource_exhausted", "invalid_argument"),
    ),
    frames("start/errors-swallowed", "an error becomes an end without one", START, |_, flag, message| {
        vec![(flag, if message["error"].is_object() { json!({}) } else { message })]
    }),
    frames("start/error-without-text", "errors have no message", START, |_, flag, mut message| {
        lose(&mut message["error"], "message");
        if message["error"].is_null() {
            lose(&mut message, "error");
        }
        vec![(flag, message)]
    }),
    frames("start/os-error-lost", "the system's words are cut from errors", START, |_, flag, mut message| {
        if let Some(words) = message["error"]["message"].as_str() {
            message["error"]["message"] =
                words.split(" (os error").next().unwrap_or_default().to_owned().into();
        }
        vec![(flag, message)]
    }),
    frames("connect/start-lost", "Connect has no start event", CONNECT, |_, flag, message| {
        unless(is(&message, "start"), flag, message)
    }),
    frames(
        "connect/pid-plus-one",
        "the pid in the start event of Connect is one too many",
        CONNECT,
        |_, flag, mut message| {
            if let Some(pid) = message["event"]["start"]["pid"].as_u64() {
                message["event"]["start"]["pid"] = (pid + 1).into();
            }
            vec![(flag, message)]
        },
    ),
    frames("connect/end-lost", "Connect has no end event", CONNECT, |_, flag, message| {
        unless(is(&message, "end"), flag, message)
    }),
    frames("connect/output-twice", "a reader that joins gets output twice", CONNECT, |_, flag, message| {
        vec![(flag, message.clone()); if is(&message, "data") { 2 } else { 1 }]
    }),
    frames("connect/replays", "Connect replays what was printed before", CONNECT, |_, flag, message| {
        let start = is(&message, "start");
        let replay = start.then(|| (0, json!({ "event": { "data": { "stdout": "ZWFybHkK" } } })));
        [(flag, message)].into_iter().chain(replay).collect()
    }),
    frames(
        "connect/pty-as-stdout",
        "a reader that joins gets a terminal's output as stdout",
        CONNECT,
        |_, flag, message| rename(flag, message, "pty", "stdout"),
    ),
    frames("connect/not-found-as-internal", "Connect to nobody is internal", CONNECT, |_, flag, message| {
        code(flag, message, "not_found", "internal")
    }),
    frames(
        "connect/invalid-as-not-found",
        "Connect without a selector is not_found",
        CONNECT,
        |_, flag, message| code(flag, message, "invalid_argument", "not_found"),
    ),
    frames(
        "connect/code-left-out",
        "the exit code is not told to readers that joined",
        CONNECT,
        |_, flag, message| end(flag, message, |end| lose(end, "exitCode")),
    ),
    fault(
        "start/output-lost-late",
        "of output four KiB are lost after five megabytes",
        "process.Process/Start: output-lost 4096 from=5000000",
    ),
    fault(
        "start/killed-late",
        "a process is killed after six megabytes of output",
        "process.Process/Start: kill bytes=6000000",
    ),
    fault(
        "connect/message-lost",
        "the sixtieth message to a reader that joined is lost",
        "process.Process/Connect down[60]: drop",
    ),
    frames(
        "start/terminal-cr-lf-kept",
        "a terminal leaves the LF of a CR-LF as it is",
        START,
        |_, flag, mut message| {
            bytes(&mut message, "/event/data/pty", |bytes| *bytes = replaced(bytes, b"\r\r\n", b"\r\n"));
            vec![(flag, message)]
        },
    ),
    frames(
        "start/terminal-never-raw",
        "a terminal makes CR-LF of LF in raw mode, too",
        START,
        |_, flag, mut message| {
            bytes(&mut message, "/event/data/pty", with_cr);
            vec![(flag, message)]
        },
    ),
    held("connect/held-back", "what a reader that joins gets is held back until the end", CONNECT),
];

fn rename(flag: u8, mut message: Value, from: &str, to: &str) -> Out {
    if let Some(text) = message["event"]["data"].get(from).cloned() {
        message["event"]["data"] = json!({ to: text });
    }
    vec![(flag, message)]
}

/// An LF that has no CR before it gets one; what the first byte follows is not known.
fn with_cr(bytes: &mut Vec<u8>) {
    for at in (1..bytes.len()).rev() {
        if bytes[at] == b'\n' && bytes[at - 1] != b'\r' {
            bytes.insert(at, b'\r');
        }
    }
}

/// Keeps the output of a process that prints much, until it is big or over.
fn merged(passing: &mut Passing, flag: u8, message: Value) -> Out {
    const ENOUGH: usize = 7 << 20;
    if passing.data < 2 || message.pointer("/event/data/stdout").is_none() {
        return std::mem::take(&mut passing.held).into_iter().chain([(flag, message)]).collect();
    }
    let mut all = Vec::new();
    for (_, mut part) in std::mem::take(&mut passing.held).into_iter().chain([(flag, message)]) {
        bytes(&mut part, "/event/data/stdout", |bytes| all.append(bytes));
    }
    let merged = (0, json!({ "event": { "data": { "stdout": BASE64_STANDARD.encode(&all) } } }));
    if all.len() > ENOUGH {
        return vec![merged];
    }
    passing.held.push(merged);
    Vec::new()
}
