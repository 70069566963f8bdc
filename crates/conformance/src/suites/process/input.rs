//! Input, signals and terminals of processes (contract 4.4 to 4.8).

use serde_json::{Value, json};

use super::start::EVENTS;
use crate::case::{Case, act, case};
use crate::feature::Feature;
use crate::probe::{Ask, Open, Probe, SetupError, base64, shell};
use crate::stream::Run;
use crate::suites::controls;

const CAT: &[&str] = &["process/send-input/reaches"];
const PTY: &[&str] = &["process/pty/size"];

pub(in crate::suites) const CASES: &[Case] = &[
    case("process/send-input/reaches", "contract 4.4 and 4.7", &["4.4.stdin", "4.7.closes"])
        .requires("SendInput reaches the process's stdin in order, and CloseStdin ends it")
        .why("a filter such as cat or sort never ends otherwise")
        .needs(EVENTS)
        .act(act!(|p| {
            let open = p.start_sh("run", "cat; echo over").await?;
            p.input("first", "run", "one\n").await?;
            p.input("second", "run", "two\n").await?;
            let message = json!({ "process": { "tag": p.tag("run") } });
            p.unary("close", "process.Process/CloseStdin", message.clone()).await?;
            p.finish("run", open).await;
            Ok(())
        }))
        .judge(|o| {
            for label in ["first", "second", "close"] {
                o.at(label)?.same("answer", o.at(label)?.ok()?, json!({}))?;
            }
            let run = o.at("run")?;
            run.same("stdout", run.succeeded()?.text().as_str(), "one\ntwo\nover\n")
        }),
    case("process/send-input/wrong-kind", "contract 4.4", &["4.4.pty-on-pipe"])
        .requires("pty bytes to a process on pipes are failed_precondition \"pty not assigned to process\"")
        .why("keys that vanish look like a frozen terminal")
        .needs(CAT)
        .positive_control(controls::ok)
        .act(act!(|p| {
            controls::input(p).await?;
            let open = p.start_sh("run", "cat").await?;
            let input = json!({ "process": { "tag": p.tag("run") }, "input": { "pty": base64("x") } });
            p.unary("input", "process.Process/SendInput", input).await?;
            p.kill("run").await?;
            p.keep("run", open);
            Ok(())
        }))
        .judge(|o| o.at("input")?.error(400, "failed_precondition", "pty not assigned to process")),
    case("process/send-input/disabled", "contract 4.4", &["4.4.stdin-on-pty"])
        .requires("stdin for a process without is failed_precondition \"stdin not enabled or closed\"")
        .why("the caller must not believe that its input arrived")
        .needs(CAT)
        .positive_control(controls::ok)
        .act(act!(|p| {
            controls::input(p).await?;
            let start = json!({ "process": shell("echo up; exec sleep 60"), "stdin": false });
            let open = p.start("run", start).await?;
            p.input("input", "run", "x").await?;
            p.kill("run").await?;
            p.keep("run", open);
            Ok(())
        }))
        .judge(|o| o.at("input")?.error(400, "failed_precondition", "stdin not enabled or closed")),
    case("process/selector/errors", "contract 4", &["4.selector-required", "4.pid-unknown"])
        .requires("an unknown pid is not_found and names it; no selector is invalid_argument")
        .why("the host looks for \"not found\" in the text")
        .needs(&["process/start/events"])
        .positive_control(controls::ok)
        .act(act!(|p| {
            controls::input(p).await?;
            let unknown = json!({ "process": { "pid": 4_194_303 } });
            p.unary("unknown", "process.Process/SendSignal", unknown).await?;
            p.unary("none", "process.Process/SendInput", json!({})).await?;
            p.unary("empty", "process.Process/CloseStdin", json!({ "process": {} })).await.map(drop)
        }))
        .judge(|o| {
            o.at("unknown")?.error(404, "not_found", "process with pid 4194303 not found")?;
            for label in ["none", "empty"] {
                o.at(label)?.error(400, "invalid_argument", "process selector required")?;
            }
            Ok(())
        }),
    case("process/stream-input/reaches", "contract 4.5", &["4.5.order", "4.5.keepalive"])
        .requires(
            "StreamInput's messages reach stdin in order, and it answers once when the \
            client is done",
        )
        .why("large input is sent so")
        .needs(CAT)
        .act(act!(|p| {
            let open = p.start_sh("run", "read a; read b; echo $b $a").await?;
            let data = |text: &str| json!({ "data": { "input": { "stdin": base64(text) } } });
            let start = json!({ "start": { "process": { "tag": p.tag("run") } } });
            let messages = [start, data("on"), json!({ "keepalive": {} }), data("e\ntwo\n")];
            p.send("input", Ask::stream("process.Process/StreamInput", &messages)).await?;
            p.finish("run", open).await;
            Ok(())
        }))
        .judge(|o| {
            let input = o.at("input")?;
            input.same("messages", input.messages()?, vec![json!({})])?;
            let run = o.at("run")?;
            run.same("stdout", run.succeeded()?.text().as_str(), "two one\n")
        }),
    case("process/stream-input/no-start", "contract 4.5", &["4.5.no-start"])
        .requires("data before a start is failed_precondition \"no start event received\"")
        .why("input without a receiver must not be taken")
        .needs(&["process/start/events"])
        .positive_control(controls::ok)
        .act(act!(|p| {
            controls::input(p).await?;
            let data = json!({ "data": { "input": { "stdin": base64("x") } } });
            p.stream("input", "process.Process/StreamInput", data).await
        }))
        .judge(|o| o.at("input")?.stream_error("failed_precondition", "no start event received")),
    case("process/send-signal/group", "contract 0.1 and 4.6", &["4.6.group", "0.1.signal-group"])
        .requires("SIGKILL ends the process and its children")
        .why("children that survive hold the pipes, and the end event waits for them")
        .features(&[Feature::GroupSignals])
        .needs(&["process/start/events", "process/start/killed"])
        .act(act!(|p| {
            let mut open = p.start_sh("run", "sleep 60 & echo up; wait").await?;
            open.until_output("up").await;
            p.kill("run").await?;
            p.finish("run", open).await;
            Ok(())
        }))
        .judge(|o| {
            o.at("kill")?.ok()?;
            let run = o.at("run")?;
            let end = run.run()?.end.unwrap_or_default();
            run.same("status", end["status"].as_str(), Some("signal: 9 (SIGKILL)"))
        }),
    case("process/send-signal/term", "contract 4.6", &["4.6.term-kill"])
        .requires("SIGTERM reaches the process, which may handle it")
        .why("a database that is not told to stop loses data")
        .needs(EVENTS)
        .act(act!(|p| {
            let mut open = p.start_sh("run", "trap 'echo bye; exit 9' TERM; echo up; read line").await?;
            open.until_output("up").await;
            let message = json!({ "process": { "tag": p.tag("run") }, "signal": 15 });
            p.unary("term", "process.Process/SendSignal", message).await?;
            p.finish("run", open).await;
            Ok(())
        }))
        .judge(|o| {
            o.at("term")?.ok()?;
            let run = o.at("run")?;
            let seen = run.run()?;
            run.same("stdout", seen.text().as_str(), "up\nbye\n")?;
            run.same("exit code", seen.exit_code(), Some(9))
        }),
    case("process/send-signal/unspecified", "contract 4.6", &["4.6.invalid", "1.enum-forms"])
        .requires("a signal other than TERM and KILL is invalid_argument, and the process goes on")
        .why("a signal that is guessed could kill")
        .needs(CAT)
        .act(act!(|p| {
            let open = p.start_sh("run", "read line; echo $line").await?;
            for (label, signal) in [("none", Value::Null), ("hup", json!(1))] {
                let message = json!({ "process": { "tag": p.tag("run") }, "signal": signal });
                p.unary(label, "process.Process/SendSignal", message).await?;
            }
            p.input("input", "run", "alive\n").await?;
            p.finish("run", open).await;
            Ok(())
        }))
        .judge(|o| {
            for label in ["none", "hup"] {
                o.at(label)?.error(400, "invalid_argument", "invalid or unspecified signal")?;
            }
            let run = o.at("run")?;
            run.same("stdout", run.succeeded()?.text().as_str(), "alive\n")
        }),
    case("process/pty/size", "contract 4.1", &["4.1.pty-size", "4.1.pty-only"])
        .requires("with a pty the process has a terminal of that size, and all output comes as pty bytes")
        .why("editors draw by it")
        .features(&[Feature::Pty])
        .needs(EVENTS)
        .act(act!(|p| {
            let open = terminal(p, "stty size; test -t 1 && echo is a tty >&2").await?;
            p.finish("run", open).await;
            Ok(())
        }))
        .judge(|o| {
            let seen = o.at("run")?;
            let run = seen.succeeded()?;
            seen.bytes("pty", &run.pty, b"24 80\r\nis a tty\r\n")?;
            seen.bytes("stdout and stderr", &[run.stdout, run.stderr].concat(), b"")
        }),
    case("process/pty/input", "contract 4.4", &["4.4.pty", "4.1.pty-translation"])
        .requires("pty input reaches the terminal, which echoes it")
        .why("a person sees what is typed")
        .needs(PTY)
        .act(act!(|p| {
            let mut open = terminal(p, "echo up; read line; echo got $line").await?;
            open.until_output("up").await;
            let input = json!({ "process": { "tag": p.tag("run") }, "input": { "pty": base64("key\n") } });
            p.unary("input", "process.Process/SendInput", input).await?;
            p.finish("run", open).await;
            Ok(())
        }))
        .judge(|o| {
            o.at("input")?.ok()?;
            let seen = o.at("run")?;
            seen.bytes("pty", &seen.succeeded()?.pty, b"up\r\nkey\r\ngot key\r\n")
        }),
    case("process/update/resizes", "contract 4.8", &["4.8.resizes"])
        .requires("Update changes the size of the terminal")
        .why("a window that is made larger stays half empty otherwise")
        .needs(PTY)
        .act(act!(|p| {
            let mut open = terminal(p, "stty -echo; echo up; read line; stty size").await?;
            open.until_output("up").await;
            let process = json!({ "tag": p.tag("run") });
            let size = json!({ "process": process, "pty": { "size": { "cols": 132, "rows": 43 } } });
            p.unary("update", "process.Process/Update", size).await?;
            let input = json!({ "process": process, "input": { "pty": base64("\n") } });
            p.unary("input", "process.Process/SendInput", input).await?;
            p.finish("run", open).await;
            Ok(())
        }))
        .judge(|o| {
            o.at("update")?.ok()?;
            let seen = o.at("run")?;
            let text = String::from_utf8_lossy(&seen.succeeded()?.pty).into_owned();
            seen.holds(text.ends_with("43 132\r\n"), "43 132 as the size at last", text)
        }),
    case("process/update/no-terminal", "contract 4.8", &["4.8.no-terminal", "4.8.nothing"])
        .requires("a size for a process on pipes is failed_precondition; Update without one is fine")
        .why("the host must know which processes have a window")
        .needs(CAT)
        .act(act!(|p| {
            let open = p.start_sh("run", "cat").await?;
            let process = json!({ "tag": p.tag("run") });
            let size = json!({ "process": process, "pty": { "size": { "cols": 1, "rows": 1 } } });
            p.unary("size", "process.Process/Update", size).await?;
            p.unary("nothing", "process.Process/Update", json!({ "process": process })).await?;
            p.kill("run").await?;
            p.keep("run", open);
            Ok(())
        }))
        .judge(|o| {
            o.at("size")?.error(400, "failed_precondition", "tty not assigned to process")?;
            o.at("nothing")?.ok().map(drop)
        }),
    case("process/close-stdin/pty", "contract 4.7", &["4.7.pty"])
        .requires("CloseStdin of a terminal is failed_precondition, and it stays usable")
        .why("a terminal is ended by Ctrl+D, and the caller is told so")
        .needs(PTY)
        .positive_control(controls::ok)
        .act(act!(|p| {
            controls::input(p).await?;
            let mut open = terminal(p, "echo up; read line").await?;
            open.until_output("up").await;
            let message = json!({ "process": { "tag": p.tag("run") } });
            p.unary("close", "process.Process/CloseStdin", message).await?;
            p.kill("run").await?;
            p.keep("run", open);
            Ok(())
        }))
        .judge(|o| {
            let still = Run::of(&o.at("run")?.exchange.body);
            o.at("run")?.holds(still.end.is_none(), "no end before the kill", &still.order)?;
            let words = "cannot close stdin for PTY process \u{2014} send Ctrl+D (0x04) instead";
            o.at("close")?.error(400, "failed_precondition", words)
        }),
];

async fn terminal(p: &mut Probe, script: &str) -> Result<Open, SetupError> {
    p.start("run", json!({ "process": shell(script), "pty": { "size": { "cols": 80, "rows": 24 } } })).await
}
