//! The end of processes: what it says, when it comes, and what is gone then (contract 4.1 and 10).

use serde_json::json;

use super::start::EVENTS;
use crate::case::{Case, act, case};
use crate::observation::Observation;
use crate::probe::shell;
use crate::suites::helpers::{all_succeeded, printed};
use crate::verdict::Judged;

const CODE: &[&str] = &["process/start/exit-code"];
const JOINS: &[&str] = &["process/connect/joins"];

/// Signals that end a process which does nothing against them, by the numbers that Linux gives them on x86 and ARM.
const DEADLY: &[(u8, &str)] = &[
    (1, "HUP"),
    (2, "INT"),
    (3, "QUIT"),
    (4, "ILL"),
    (6, "ABRT"),
    (7, "BUS"),
    (8, "FPE"),
    (10, "USR1"),
    (12, "USR2"),
    (13, "PIPE"),
    (14, "ALRM"),
    (24, "XCPU"),
    (25, "XFSZ"),
    (26, "VTALRM"),
    (27, "PROF"),
    (31, "SYS"),
];

fn ended(o: &Observation, code: i64, status: &str) -> Judged {
    let seen = o.at("run")?;
    let end = seen.run()?.end.unwrap_or_default();
    seen.same("exitCode", end["exitCode"].as_i64().unwrap_or(0), code)?;
    seen.same("status", end["status"].as_str(), Some(status))?;
    seen.same("exited", end["exited"].as_bool().unwrap_or(false), code >= 0)?;
    seen.same("error", end.get("error"), None)
}

pub(in crate::suites) const CASES: &[Case] = &[
    case(
        "process/end/success",
        "contract 4.1",
        &["4.1.end-exit-code", "4.1.end-exited", "4.1.end-status", "1.json-defaults", "10.status-strings"],
    )
    .requires("the end event of a success is exactly exited true and status \"exit status: 0\" in JSON")
    .why("clients read an absent exitCode as 0")
    .needs(EVENTS)
    .act(act!(|p| p.sh("run", "true").await))
    .judge(|o| {
        let seen = o.at("run")?;
        seen.same("end event", seen.run()?.end, Some(json!({ "exited": true, "status": "exit status: 0" })))
    }),
    case(
        "process/end/largest-code",
        "contract 4.1",
        &["4.1.end-exit-code", "4.1.end-exited", "4.1.end-error"],
    )
    .requires("exit 255 is exitCode 255, exited, \"exit status: 255\", without an error")
    .why("a code that is cut to seven bits, or made negative, is another code")
    .needs(CODE)
    .act(act!(|p| p.sh("run", "exit 255").await))
    .judge(|o| ended(o, 255, "exit status: 255")),
    case("process/end/signal-name", "contract 4.1", &["4.1.end-signal", "10.status-strings"])
        .requires("the status of a process that a signal ended has its number and name")
        .why("TERM is a wish, SEGV a bug: the host has to tell them apart")
        .needs(&["process/start/killed"])
        .act(act!(|p| p.sh("run", "kill -TERM $$").await))
        .judge(|o| ended(o, -1, "signal: 15 (SIGTERM)")),
    case("process/end/each-signal", "contract 4.1", &["4.1.end-signal", "10.status-strings"])
        .requires("every deadly signal has its own number and name in the status")
        .why(
            "a limit of processor time (XCPU) or file size (XFSZ) that is told as something else \
            is looked for in vain",
        )
        .needs(&["process/end/signal-name"])
        .act(act!(|p| {
            for (number, name) in DEADLY {
                p.sh(name, &format!("ulimit -c 0; kill -{number} $$")).await?;
            }
            Ok(())
        }))
        .judge(|o| {
            DEADLY.iter().try_for_each(|(number, name)| {
                let seen = o.at(name)?;
                let end = seen.run()?.end.unwrap_or_default();
                let status = end["status"].as_str().unwrap_or_default();
                // Whether there is a core is the machine's affair.
                let status = status.trim_end_matches(" (core dumped)");
                seen.same("status", status, format!("signal: {number} (SIG{name})").as_str())
            })
        }),
    case("process/end/code-of-128", "contract 4.1", &["4.1.end-exited"])
        .requires("an exit code of 137 is an exit, not a signal")
        .why("a shell reports its killed child so, and the shell itself was not killed")
        .needs(CODE)
        .act(act!(|p| p.sh("run", "exit 137").await))
        .judge(|o| ended(o, 137, "exit status: 137")),
    case("process/end/waits-for-pipes", "contract 4.1 and 10", &["4.1.end-waits", "10.end-after-pipes"])
        .requires("a child that holds the output after its parent's exit is heard before the end")
        .why("the last lines of a pipeline would be lost")
        .needs(EVENTS)
        .act(act!(|p| p.sh("run", "(sleep 0.2; echo late; echo err >&2) & echo early; exit 4").await))
        .judge(|o| {
            let seen = o.at("run")?;
            let run = seen.run()?;
            seen.same("stdout", run.text().as_str(), "early\nlate\n")?;
            seen.bytes("stderr", &run.stderr, b"err\n")?;
            seen.same("exit code", run.exit_code(), Some(4))
        }),
    case("process/end/leaves-the-detached", "contract 4.1", &["10.end-after-pipes"])
        .requires("a child that has let go of the output does not delay the end, and lives on")
        .why("starting a daemon would never return")
        .needs(EVENTS)
        .act(act!(|p| {
            let file = p.path("pid");
            let script =
                format!("mkdir -p {0}; sleep 60 </dev/null >/dev/null 2>&1 & echo $! > {file}", p.path(""));
            p.sh("run", &script).await?;
            p.sh("alive", &format!("kill -0 $(cat {file}) && echo alive; kill -9 $(cat {file})")).await
        }))
        .judge(|o| {
            o.at("run")?.succeeded()?;
            printed(o, "alive", "alive\n")
        }),
    case("process/output/none", "contract 4.1", &["4.1.event-order"])
        .requires("a process that prints nothing streams start, end and END_STREAM, and no data")
        .why("an empty data event looks like output")
        .needs(EVENTS)
        .act(act!(|p| p.sh("run", "true").await))
        .judge(|o| {
            let seen = o.at("run")?;
            seen.same("events", seen.succeeded()?.order.as_str(), "se")
        }),
    case("process/stream/no-keepalive", "contract 1", &["1.no-keepalive"])
        .requires("a process's stream has no keepalive events, even if the client asks for them")
        .why("hosts of that time stop at an event that they do not know")
        .needs(EVENTS)
        .act(act!(|p| {
            let ask = p.start_ask(
                "run",
                json!({ "process": shell("sleep 1.2; echo over"),
                "stdin": false }),
            );
            p.send("run", ask.header("keepalive-ping-interval", "1")).await.map(drop)
        }))
        .judge(|o| {
            let seen = o.at("run")?;
            seen.same("events", seen.succeeded()?.order.as_str(), "sde")
        }),
    case("process/start/gone-at-end", "contract 4.1", &["4.1.removal"])
        .requires("when the end event is there, pid and tag are not_found already")
        .why("a host that acts on the end would meet a ghost")
        .needs(&["process/list/forgets"])
        .act(act!(|p| {
            let mut open = p.start_sh("run", "read line").await?;
            let pid = crate::probe::pid(&open)?;
            p.input("input", "run", "\n").await?;
            open.until_frames(2).await;
            let message = json!({ "process": { "pid": pid }, "signal": 15 });
            p.unary("signal", "process.Process/SendSignal", message).await?;
            p.finish("run", open).await;
            Ok(())
        }))
        .judge(|o| {
            all_succeeded(o, &["run"])?;
            o.at("signal")?.error(404, "not_found", "not found")
        }),
    case("process/connect/after-the-end", "contract 4.1 and 4.2", &["4.1.removal", "4.2.unknown"])
        .requires("Connect to a process that has ended is not_found, by pid and by tag")
        .why("a host that reconnects would wait for an end that was told long ago")
        .needs(JOINS)
        .act(act!(|p| {
            p.sh("run", "echo $$").await?;
            let pid = p.last_output().trim().parse::<u32>().unwrap_or_default();
            for (label, selector) in [("pid", json!({ "pid": pid })), ("tag", json!({ "tag": p.tag("run") }))]
            {
                p.stream(label, "process.Process/Connect", json!({ "process": selector })).await?;
            }
            Ok(())
        }))
        .judge(|o| {
            o.at("run")?.succeeded()?;
            o.at("pid")?.stream_error("not_found", "not found")?;
            o.at("tag")?.stream_error("not_found", "not found")
        }),
];
