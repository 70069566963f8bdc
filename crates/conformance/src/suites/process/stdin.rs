//! Input in its finer points: SendInput, StreamInput, CloseStdin and where stdin comes from (contract 4.1, 4.4, 4.5, 4.7).

use std::time::{Duration, Instant};

use futures::future::join_all;
use serde_json::{Value, json};

use super::start::EVENTS;
use crate::case::{Case, act, case};
use crate::probe::{Ask, Probe, SetupError, base64, shell};
use crate::suites::controls;
use crate::suites::helpers::{all_ok, printed, ps};

const CAT: &[&str] = &["process/send-input/reaches"];
const STREAM: &[&str] = &["process/stream-input/reaches"];
const PTY: &[&str] = &["process/pty/size"];
/// How long a SendInput may wait for a process that does not read (contract 4.4).
const GIVES_UP: Duration = Duration::from_secs(5);

fn data(text: &str) -> Value {
    json!({ "data": { "input": { "stdin": base64(text) } } })
}

fn select(p: &Probe, name: &str) -> Value {
    json!({ "start": { "process": { "tag": p.tag(name) } } })
}

async fn stream_input(p: &mut Probe, label: &str, messages: &[Value]) -> Result<(), SetupError> {
    p.send(label, Ask::stream("process.Process/StreamInput", messages)).await.map(drop)
}

pub(in crate::suites) const CASES: &[Case] = &[
    case("process/send-input/to-terminal", "contract 4.4", &["4.4.stdin-on-pty"])
        .requires("stdin bytes for a terminal are failed_precondition \"stdin not enabled or closed\"")
        .why("the caller has to know which of the two it talks to")
        .needs(PTY)
        .positive_control(controls::ok)
        .act(act!(|p| {
            controls::input(p).await?;
            let size = json!({ "size": { "cols": 80, "rows": 24 } });
            let open = p.start("run", json!({ "process": shell("read line"), "pty": size })).await?;
            p.input("input", "run", "x\n").await?;
            p.kill("run").await?;
            p.keep("run", open);
            Ok(())
        }))
        .judge(|o| o.at("input")?.error(400, "failed_precondition", "stdin not enabled or closed")),
    case("process/send-input/after-close", "contract 4.4", &["4.4.stdin-on-pty", "4.7.closes"])
        .requires("stdin after CloseStdin is failed_precondition \"stdin not enabled or closed\"")
        .why("input that vanishes looks like a program that ignores it")
        .needs(CAT)
        .act(act!(|p| {
            let mut open = p.start_sh("run", "cat; echo closed; exec sleep 60").await?;
            ps(p, "close", "CloseStdin", json!({ "process": { "tag": p.tag("run") } })).await?;
            open.until_output("closed").await;
            p.input("input", "run", "late").await?;
            p.kill("run").await?;
            p.keep("run", open);
            Ok(())
        }))
        .judge(|o| {
            all_ok(o, &["close"])?;
            o.at("input")?.error(400, "failed_precondition", "stdin not enabled or closed")
        }),
    case("process/send-input/nothing", "contract 4.4", &["4.4.nothing"])
        .requires("SendInput without input, or with an empty one, is fine and sends nothing")
        .why("an empty keystroke is no error")
        .needs(CAT)
        .act(act!(|p| {
            let open = p.start_sh("run", "cat").await?;
            let process = json!({ "tag": p.tag("run") });
            ps(p, "absent", "SendInput", json!({ "process": process })).await?;
            ps(p, "empty", "SendInput", json!({ "process": process, "input": {} })).await?;
            p.input("no bytes", "run", "").await?;
            ps(p, "close", "CloseStdin", json!({ "process": process })).await?;
            p.finish("run", open).await;
            Ok(())
        }))
        .judge(|o| {
            all_ok(o, &["absent", "empty", "no bytes", "close"])?;
            printed(o, "run", "")
        }),
    case("process/send-input/broken-pipe", "contract 4.4", &["4.4.broken-pipe"])
        .requires(
            "input for a process that has closed its stdin is internal \"error writing to \
            stdin: Broken pipe (os error 32)\"",
        )
        .why("the caller learns that nobody listens, although the process lives")
        .needs(CAT)
        .positive_control(controls::ok)
        .act(act!(|p| {
            controls::input(p).await?;
            let mut open = p.start_sh("run", "exec <&-; echo up; exec sleep 60").await?;
            open.until_output("up").await;
            p.input("input", "run", "x").await?;
            p.kill("run").await?;
            p.keep("run", open);
            Ok(())
        }))
        .judge(|o| {
            o.at("input")?.error(
                500,
                "internal",
                "error writing to stdin: Broken pipe (os \
            error 32)",
            )
        }),
    case("process/send-input/large", "contract 4.4", &["4.4.stdin", "0.process.input-fields"])
        .requires("2 MB of input in one call reach a process that reads, byte for byte")
        .why("a file is pasted in one go")
        .needs(CAT)
        .act(act!(|p| {
            let open = p.start_sh("run", "head -c 2000000 | cksum").await?;
            p.input("input", "run", &"0123456789".repeat(200_000)).await?;
            p.finish("run", open).await;
            p.sh("expected", "yes 0123456789 | tr -d '\\n' | head -c 2000000 | cksum").await
        }))
        .judge(|o| {
            all_ok(o, &["input"])?;
            printed(o, "run", &o.at("expected")?.succeeded()?.text())
        }),
    case("process/send-input/binary", "contract 4.4", &["4.4.stdin"])
        .requires("every byte from 0 to 255 reaches stdin as it is")
        .why("input is data, not text")
        .needs(CAT)
        .act(act!(|p| {
            let open = p.start_sh("run", "head -c 256").await?;
            let input = json!({ "stdin": base64((0..=255).collect::<Vec<u8>>()) });
            ps(p, "input", "SendInput", json!({ "process": { "tag": p.tag("run") }, "input": input }))
                .await?;
            p.finish("run", open).await;
            Ok(())
        }))
        .judge(|o| {
            let seen = o.at("run")?;
            seen.bytes("stdout", &seen.succeeded()?.stdout, &(0..=255).collect::<Vec<u8>>())
        }),
    case("process/send-input/serialised", "contract 4.4", &["4.4.serialised"])
        .requires("twenty inputs of 8 kB at once reach the process whole, one after the other")
        .why("two lines that mix are two wrong lines")
        .needs(CAT)
        .act(act!(|p| {
            let open = p.start_sh("run", "head -c 164000 | uniq -c | tr -s ' ' | sort").await?;
            let process = json!({ "tag": p.tag("run") });
            let asks: Vec<_> = (0..20u8)
                .map(|n| {
                    let line = format!("{}\n", char::from(b'a' + n).to_string().repeat(4099));
                    let input = json!({ "stdin": base64(line.repeat(2)) });
                    Ask::unary("process.Process/SendInput", &json!({ "process": process, "input": input }))
                })
                .collect();
            let opened = join_all(asks.into_iter().map(|ask| p.open(ask))).await;
            for opened in opened {
                p.finish("input", opened?).await;
            }
            p.finish("run", open).await;
            Ok(())
        }))
        .judge(|o| {
            all_ok(o, &["input"])?;
            let expected: String = (0..20u8)
                .map(|n| format!(" 2 {}\n", char::from(b'a' + n).to_string().repeat(4099)))
                .collect();
            let seen = o.at("run")?;
            seen.bytes("stdout", &seen.succeeded()?.stdout, expected.as_bytes())
        }),
    case("process/send-input/gives-up", "contract 4.4 and 10", &["4.4.full", "10.input-nothing-held"])
        .requires(
            "input for a process that does not read is resource_exhausted after 5 s; what \
            fitted stays, and others are served meanwhile",
        )
        .why("a few such calls have frozen real guests")
        .needs(CAT)
        .waits(std::time::Duration::from_secs(5))
        .timing()
        .act(act!(|p| {
            let mut open = p
                .start_sh(
                    "run",
                    "trap 'head -c 1000 | wc -c; exit 0' TERM; echo up; while :; do sleep 0.05; done",
                )
                .await?;
            let input = json!({ "stdin": base64("x".repeat(1_000_000)) });
            let message = json!({ "process": { "tag": p.tag("run") }, "input": input });
            let since = Instant::now();
            let mut full = p.open(Ask::unary("process.Process/SendInput", &message)).await?;
            p.sh("meanwhile", "echo served").await?;
            full.until_with(GIVES_UP * 2, |_| false).await;
            p.keep("full", full);
            p.measure("gave up after", since.elapsed());
            ps(p, "term", "SendSignal", json!({ "process": { "tag": p.tag("run") }, "signal": 15 })).await?;
            open.until_with(GIVES_UP * 2, |_| false).await;
            p.keep("run", open);
            Ok(())
        }))
        .judge(|o| {
            printed(o, "meanwhile", "served\n")?;
            let full = o.at("full")?;
            full.error(429, "resource_exhausted", "process is not reading its input")?;
            let after = o.measured("gave up after")?;
            full.holds(after >= GIVES_UP.mul_f64(0.9), "at least 5 s of patience", after.as_secs_f64())?;
            printed(o, "run", "up\n1000\n")
        }),
    case("process/stream-input/selects-again", "contract 4.5", &["4.5.reselect"])
        .requires("a later start selects another process; one without a process changes nothing")
        .why("one stream may feed several commands")
        .needs(STREAM)
        .act(act!(|p| {
            let first = p.start_sh("first", "read line; echo $line").await?;
            let second = p.start_sh("second", "read line; echo $line").await?;
            let messages = [
                select(p, "first"),
                data("to the first\n"),
                select(p, "second"),
                json!({ "start": {} }),
                data("to the second\n"),
            ];
            stream_input(p, "input", &messages).await?;
            p.finish("first", first).await;
            p.finish("second", second).await;
            Ok(())
        }))
        .judge(|o| {
            o.at("input")?.messages()?;
            printed(o, "first", "to the first\n")?;
            printed(o, "second", "to the second\n")
        }),
    case("process/stream-input/unknown", "contract 4.5", &["4.5.unknown"])
        .requires("a start for an unknown process is not_found")
        .why("input for nobody must not be taken")
        .needs(&["process/start/events"])
        .positive_control(controls::ok)
        .act(act!(|p| {
            controls::input(p).await?;
            let start = json!({ "start": { "process": { "tag": "envd-conformance-no-such" } } });
            stream_input(p, "input", &[start, data("x")]).await
        }))
        .judge(|o| {
            o.at("input")?.stream_error("not_found", "process with tag envd-conformance-no-such not found")
        }),
    case("process/stream-input/earlier-stays", "contract 4.5", &["4.5.earlier-stays"])
        .requires(
            "an error aborts the stream; what came before it has reached the process, what \
            comes after has not",
        )
        .why("the caller has to know from where to go on")
        .needs(STREAM)
        .act(act!(|p| {
            let open = p.start_sh("run", "read a; read b; echo $a $b").await?;
            let wrong = json!({ "data": { "input": { "pty": base64("x") } } });
            stream_input(p, "input", &[select(p, "run"), data("one\n"), wrong, data("lost\n")]).await?;
            p.input("rest", "run", "two\n").await?;
            p.finish("run", open).await;
            Ok(())
        }))
        .judge(|o| {
            o.at("input")?.stream_error("failed_precondition", "pty not assigned to process")?;
            printed(o, "run", "one two\n")
        }),
    case(
        "process/stream-input/empty",
        "contract 4.5",
        &["4.5.empty", "4.5.keepalive", "0.process.empty-answers"],
    )
    .requires("a stream without messages, or of keepalives alone, is answered by one empty message")
    .why("a terminal that was never typed into is closed so")
    .needs(&["process/start/events"])
    .act(act!(|p| {
        stream_input(p, "none", &[]).await?;
        stream_input(p, "keepalive", &[json!({ "keepalive": {} }), json!({ "keepalive": {} })]).await
    }))
    .judge(|o| {
        ["none", "keepalive"].iter().try_for_each(|label| {
            let seen = o.at(label)?;
            seen.same("messages", seen.messages()?, vec![json!({})])
        })
    }),
    case("process/stream-input/as-it-comes", "contract 4.5", &["4.5.order"])
        .requires("each message reaches the process before the next one is sent")
        .why("keys are typed one by one, over one stream")
        .needs(STREAM)
        .act(act!(|p| {
            let mut run = p.start_sh("run", "while read line; do echo got $line; done").await?;
            let frame = |message: &Value| crate::stream::envelope::write(0, message.to_string().as_bytes());
            let ask = Ask::new("POST", "/process.Process/StreamInput")
                .header("content-type", "application/connect+json")
                .header("transfer-encoding", "chunked");
            let mut input = p.open(ask.body(frame(&select(p, "run"))).unfinished()).await?;
            for n in 1..=3 {
                input.more_chunk(&frame(&data(&format!("{n}\n")))).await;
                run.until_output(&format!("got {n}\n")).await;
            }
            input.more(b"0\r\n\r\n").await;
            p.finish("input", input).await;
            ps(p, "close", "CloseStdin", json!({ "process": { "tag": p.tag("run") } })).await?;
            p.finish("run", run).await;
            Ok(())
        }))
        .judge(|o| {
            o.at("input")?.messages()?;
            printed(o, "run", "got 1\ngot 2\ngot 3\n")
        }),
    case("process/stream-input/terminal", "contract 4.5 and 4.4", &["4.4.pty", "0.process.input-fields"])
        .requires("StreamInput carries pty bytes to a terminal")
        .why("a web terminal types over one stream")
        .needs(&["process/stream-input/reaches", "process/pty/size"])
        .act(act!(|p| {
            let size = json!({ "size": { "cols": 80, "rows": 24 } });
            let script = "stty -echo; echo up; read line; echo typed $line";
            let mut open = p.start("run", json!({ "process": shell(script), "pty": size })).await?;
            open.until_output("up").await;
            let typed = json!({ "data": { "input": { "pty": base64("keys\n") } } });
            stream_input(p, "input", &[select(p, "run"), typed]).await?;
            p.finish("run", open).await;
            Ok(())
        }))
        .judge(|o| {
            o.at("input")?.messages()?;
            let seen = o.at("run")?;
            let text = String::from_utf8_lossy(&seen.succeeded()?.pty).into_owned();
            seen.holds(text.ends_with("typed keys\r\n"), "typed keys at last", text)
        }),
    case("process/close-stdin/again", "contract 4.7 and 8", &["4.7.idempotent", "8.close-idempotent"])
        .requires("CloseStdin may be repeated while the process lives, and is fine where stdin never was")
        .why("a retry must not fail for having worked before")
        .needs(CAT)
        .act(act!(|p| {
            let open = p.start_sh("run", "cat; echo closed; exec sleep 60").await?;
            let none = p.start("none", json!({ "process": shell("exec sleep 60"), "stdin": false })).await?;
            for (label, name) in [("first", "run"), ("second", "run"), ("never on", "none")] {
                ps(p, label, "CloseStdin", json!({ "process": { "tag": p.tag(name) } })).await?;
            }
            p.kill("run").await?;
            p.kill("none").await?;
            p.keep("run", open);
            p.keep("none", none);
            Ok(())
        }))
        .judge(|o| all_ok(o, &["first", "second", "never on"])),
    case("process/start/stdin-default", "contract 4.1", &["4.1.stdin-default", "0.process.start-fields"])
        .requires("without the stdin field a process has stdin")
        .why("the field came later than the clients")
        .needs(CAT)
        .act(act!(|p| {
            let open = p.start("run", json!({ "process": shell("read line; echo got $line") })).await?;
            p.input("input", "run", "it\n").await?;
            p.finish("run", open).await;
            Ok(())
        }))
        .judge(|o| printed(o, "run", "got it\n")),
    case("process/start/stdin-null", "contract 4.1", &["4.1.stdin-off"])
        .requires("stdin false is /dev/null, not a closed descriptor")
        .why("the next file that a program opens would become its stdin")
        .needs(EVENTS)
        .act(act!(|p| p.sh("run", "readlink /proc/$$/fd/0").await))
        .judge(|o| printed(o, "run", "/dev/null\n")),
];
