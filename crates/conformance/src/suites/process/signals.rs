//! Signals, and what is wrong about selectors (contract 4 and 4.6).

use serde_json::{Value, json};

use super::start::EVENTS;
use crate::case::{Case, act, case};
use crate::feature::Feature;
use crate::probe::shell;
use crate::suites::controls;
use crate::suites::helpers::{all_ok, printed, ps, so_far};

const TERM: &[&str] = &["process/send-signal/term"];
const GROUP: &[&str] = &["process/send-signal/group"];
const NOBODY: u32 = 4_194_302;

pub(in crate::suites) const CASES: &[Case] = &[
    case(
        "process/send-signal/by-name-or-number",
        "contract 1 and part 0",
        &["0.process.signal-enum", "1.enum-forms"],
    )
    .requires("in JSON a signal is taken by name and by number")
    .why("clients of different languages write enums differently")
    .needs(TERM)
    .act(act!(|p| {
        let script = "trap 'echo term' TERM; echo up; while :; do read line && exit; done";
        let mut open = p.start_sh("run", script).await?;
        open.until_output("up").await;
        for (label, signal, lines) in
            [("name", json!("SIGNAL_SIGTERM"), "term\n"), ("number", json!(15), "term\nterm\n")]
        {
            let message = json!({ "process": { "tag": p.tag("run") }, "signal": signal });
            ps(p, label, "SendSignal", message).await?;
            open.until_output(lines).await;
        }
        p.input("input", "run", "\n").await?;
        p.finish("run", open).await;
        Ok(())
    }))
    .judge(|o| {
        all_ok(o, &["name", "number"])?;
        printed(o, "run", "up\nterm\nterm\n")
    }),
    case("process/send-signal/unknown-name", "contract 1", &["1.enum-forms"])
        .requires("an unknown name of a signal is a decode error, and the process goes on")
        .why("a misspelt signal must not be taken for none, or for another")
        .needs(TERM)
        .act(act!(|p| {
            let open = p.start_sh("run", "read line; echo $line").await?;
            let message = json!({ "process": { "tag": p.tag("run") }, "signal": "SIGNAL_SIGSTOP" });
            ps(p, "signal", "SendSignal", message).await?;
            p.input("input", "run", "alive\n").await?;
            p.finish("run", open).await;
            Ok(())
        }))
        .judge(|o| {
            o.at("signal")?.error(400, "invalid_argument", "failed to decode JSON request")?;
            printed(o, "run", "alive\n")
        }),
    case(
        "process/send-signal/term-group",
        "contract 4.6",
        &["4.6.group", "0.1.signal-group", "4.6.term-kill"],
    )
    .requires("SIGTERM reaches the children too")
    .why("a shell script's child would go on when the script is stopped")
    .features(&[Feature::GroupSignals])
    .needs(TERM)
    .act(act!(|p| {
        // A child that hears nothing is over after two seconds, so that its silence is seen.
        let child = "trap 'echo child; exit' TERM; echo up; n=0; \
                         while [ $n -lt 40 ]; do sleep 0.05; n=$((n+1)); done";
        let mut open = p.start_sh("run", &format!("trap 'echo parent' TERM; ({child}) & wait; wait")).await?;
        open.until_output("up").await;
        ps(p, "term", "SendSignal", json!({ "process": { "tag": p.tag("run") }, "signal": 15 })).await?;
        p.finish("run", open).await;
        Ok(())
    }))
    .judge(|o| {
        all_ok(o, &["term"])?;
        let seen = o.at("run")?;
        let run = seen.run()?;
        seen.holds(
            run.shows("child\n") && run.shows("parent\n"),
            "child and parent in the output",
            run.text(),
        )
    }),
    case("process/send-signal/kill-is-final", "contract 4.6", &["4.6.term-kill"])
        .requires("SIGKILL ends a process that ignores SIGTERM")
        .why("the host's last resort has to work")
        .needs(GROUP)
        .act(act!(|p| {
            let mut open =
                p.start_sh("run", "trap '' TERM; echo up; read line; echo $line; read line").await?;
            open.until_output("up").await;
            ps(p, "term", "SendSignal", json!({ "process": { "tag": p.tag("run") }, "signal": 15 })).await?;
            p.input("input", "run", "ignored\n").await?;
            open.until_output("ignored").await;
            p.kill("run").await?;
            p.finish("run", open).await;
            Ok(())
        }))
        .judge(|o| {
            all_ok(o, &["term", "kill"])?;
            let seen = o.at("run")?;
            let run = seen.run()?;
            seen.same("stdout", run.text().as_str(), "up\nignored\n")?;
            seen.same("status", run.end.unwrap_or_default()["status"].as_str(), Some("signal: 9 (SIGKILL)"))
        }),
    case("process/send-signal/by-pid", "contract 4 and 4.6", &["0.process.selector-fields"])
        .requires("a process is signalled by its pid, and only it")
        .why("processes without a tag are reached by pid alone")
        .needs(GROUP)
        .act(act!(|p| {
            let first = p.start_sh("first", "read line; echo $line").await?;
            let second = p.start_sh("second", "read line").await?;
            let pid = crate::probe::pid(&second)?;
            ps(p, "signal", "SendSignal", json!({ "process": { "pid": pid }, "signal": 9 })).await?;
            p.finish("second", second).await;
            p.input("input", "first", "alive\n").await?;
            p.finish("first", first).await;
            Ok(())
        }))
        .judge(|o| {
            all_ok(o, &["signal"])?;
            let second = o.at("second")?;
            second.same("exit code", second.run()?.exit_code(), Some(-1))?;
            printed(o, "first", "alive\n")
        }),
    case("process/send-signal/answers-first", "contract 4.6", &["4.6.at-once"])
        .requires("SendSignal answers while the process still handles the signal")
        .why("a caller that only asks must not wait for an orderly shutdown")
        .needs(TERM)
        .act(act!(|p| {
            let mut open =
                p.start_sh("run", "trap 'echo handling; read line; exit 3' TERM; echo up; read line").await?;
            open.until_output("up").await;
            ps(p, "term", "SendSignal", json!({ "process": { "tag": p.tag("run") }, "signal": 15 })).await?;
            open.until_output("handling").await;
            p.unary("list", "process.Process/List", json!({})).await?;
            p.input("input", "run", "\n").await?;
            p.finish("run", open).await;
            Ok(())
        }))
        .judge(|o| {
            all_ok(o, &["term"])?;
            let listed = o.at("list")?.ok()?.to_string();
            let tag = format!("{}/run", o.dir.trim_start_matches("/tmp/"));
            o.at("list")?.holds(listed.contains(&tag), "the process still in the list", &listed)?;
            let run = o.at("run")?;
            run.same("exit code", run.run()?.exit_code(), Some(3))
        }),
    case("process/send-signal/order-of-checks", "contract 4.6", &["4.6.order", "4.6.invalid"])
        .requires("a missing selector is told first, then an unknown process, then a bad signal")
        .why("a caller that corrects its request meets one error after the other")
        .needs(&["process/start/events"])
        .positive_control(controls::ok)
        .act(act!(|p| {
            controls::input(p).await?;
            ps(p, "selector", "SendSignal", json!({ "signal": 1 })).await?;
            ps(p, "process", "SendSignal", json!({ "process": { "pid": NOBODY }, "signal": 1 }))
                .await
                .map(drop)
        }))
        .judge(|o| {
            o.at("selector")?.error(400, "invalid_argument", "process selector required")?;
            o.at("process")?.error(404, "not_found", "process with pid 4194302 not found")
        }),
    case("process/selector/every-rpc", "contract 4", &["4.selector-required", "4.tag-unknown"])
        .requires(
            "each RPC that selects says \"process selector required\" without one, and \
            not_found for an unknown tag",
        )
        .why("the same mistake must look the same everywhere")
        .needs(&["process/start/events"])
        .positive_control(controls::ok)
        .act(act!(|p| {
            controls::input(p).await?;
            for name in SELECTING {
                ps(p, &format!("{name} none"), name, json!({ "process": {} })).await?;
                let unknown = json!({ "process": { "tag": "envd-conformance-no-such" } });
                ps(p, &format!("{name} unknown"), name, unknown).await?;
            }
            Ok(())
        }))
        .judge(|o| {
            for name in SELECTING {
                let none = format!("{name} none");
                o.at(&none)?.error(400, "invalid_argument", "process selector required")?;
                let (unknown, words) =
                    (format!("{name} unknown"), "process with tag envd-conformance-no-such not found");
                o.at(&unknown)?.error(404, "not_found", words)?;
            }
            Ok(())
        }),
    case("process/selector/empty-tag", "contract 4", &["4.tag-unknown", "0.process.selector-fields"])
        .requires("an empty tag selects nobody, least of all processes without a tag")
        .why("a caller with an empty variable would signal somebody else's process")
        .needs(EVENTS)
        .positive_control(controls::ok)
        .act(act!(|p| {
            controls::input(p).await?;
            let message = json!({ "process": { "tag": "" }, "signal": 9 });
            ps(p, "signal", "SendSignal", message).await.map(drop)
        }))
        .judge(|o| o.at("signal")?.error(404, "not_found", "not found")),
    case("process/selector/pid-of-another", "contract 4", &["4.pid-unknown"])
        .requires("the pid of a process that envd did not start, such as 1 or a child, is not_found")
        .why("whoever may signal commands may not signal the machine's init")
        .needs(GROUP)
        .positive_control(controls::ok)
        .act(act!(|p| {
            controls::input(p).await?;
            let mut open = p.start_sh("run", "sleep 60 & echo child=$!; wait").await?;
            open.until_output("\n").await;
            let text = crate::stream::Run::of(&open.seen().body).text();
            let child: u32 = text.trim().trim_start_matches("child=").parse().unwrap_or(NOBODY);
            for (label, pid) in [("init", 1), ("child", child)] {
                ps(p, label, "SendSignal", json!({ "process": { "pid": pid }, "signal": 15 })).await?;
            }
            p.keep("run", open);
            p.kill("run").await
        }))
        .judge(|o| {
            o.at("init")?.error(404, "not_found", "process with pid 1 not found")?;
            o.at("child")?.error(404, "not_found", "not found")?;
            let seen = o.at("run")?;
            seen.same("end", so_far(&seen).end, None::<Value>)
        }),
    case("process/send-signal/stopped-group-ends", "contract 4.6", &["4.6.group", "4.6.term-kill"])
        .requires("SIGKILL of a pipeline ends all of it, and the stream with it")
        .why("one filter that survives holds the stream open")
        .needs(GROUP)
        .act(act!(|p| {
            let process = shell("echo up; yes | cat | cat >/dev/null");
            let mut open = p.start("run", json!({ "process": process, "stdin": false })).await?;
            open.until_output("up").await;
            p.kill("run").await?;
            p.finish("run", open).await;
            Ok(())
        }))
        .judge(|o| {
            o.at("kill")?.ok()?;
            let seen = o.at("run")?;
            seen.same("exit code", seen.run()?.exit_code(), Some(-1))
        }),
];

const SELECTING: [&str; 4] = ["Update", "SendInput", "SendSignal", "CloseStdin"];
