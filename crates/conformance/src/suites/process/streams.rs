//! Connect, List, and input in its finer points (contract 4.2 to 4.5 and 4.7).

use futures::future::join_all;
use serde_json::json;

use super::start::{own, tag_of};
use crate::case::Case;
use crate::probe::{Ask, shell};
use crate::suites::helpers::{numbered, printed, ps, so_far};
use crate::suites::twins;

const JOINS: &[&str] = &["process/connect/joins"];
const LISTED: &[&str] = &["process/list/shows"];
const READERS: usize = 10;

pub(in crate::suites) const CASES: &[Case] = &[
    Case {
        id: "process/connect/no-replay",
        source: "contract 0.1 and 10",
        reqs: &["0.1.no-replay", "10.no-replay", "4.2.live", "4.2.start-first"],
        requirement: "a reader that joins late sees a start and what comes from then on, not what was",
        why: "a host of that generation would show the same lines twice",
        needs: JOINS,
        act: |p| {
            Box::pin(async move {
                let mut first = p.start_sh("run", "echo before; read line; echo after").await?;
                first.until_output("before").await;
                let late = p.join("run").await?;
                p.input("input", "run", "\n").await?;
                p.finish("late", late).await;
                p.finish("first", first).await;
                Ok(())
            })
        },
        judge: |o| {
            printed(o, "first", "before\nafter\n")?;
            printed(o, "late", "after\n")
        },
        generations: &[1, 2],
        ..Case::BASE
    },
    Case {
        id: "process/connect/many",
        source: "contract 4.2",
        reqs: &["4.2.many"],
        requirement: "ten readers at once see the same output and the same end",
        why: "everybody who watches a build has to see it",
        needs: JOINS,
        act: |p| {
            Box::pin(async move {
                let first = p.start_sh("run", "read line; seq 1 5000; exit 3").await?;
                let mut readers = Vec::new();
                for _ in 0..READERS {
                    readers.push(p.join("run").await?);
                }
                p.input("input", "run", "\n").await?;
                join_all(readers.iter_mut().map(|open| open.until(|_| false))).await;
                for (name, open) in numbered("reader", READERS).zip(readers) {
                    p.keep(&name, open);
                }
                p.finish("first", first).await;
                Ok(())
            })
        },
        judge: |o| {
            let expected: String = (1..=5000).map(|n| format!("{n}\n")).collect();
            numbered("reader", READERS).chain(["first".to_owned()]).try_for_each(|label| {
                let seen = o.at(&label)?;
                let run = seen.run()?;
                seen.bytes("stdout", &run.stdout, expected.as_bytes())?;
                seen.same("exit code", run.exit_code(), Some(3))
            })
        },
        ..Case::BASE
    },
    Case {
        id: "process/connect/leaves",
        source: "contract 4.2",
        reqs: &["4.1.disconnect", "4.2.many"],
        requirement: "a reader that goes away disturbs neither the process nor the other reader",
        why: "a browser tab that is closed must not end the build",
        needs: JOINS,
        act: |p| {
            Box::pin(async move {
                let first = p.start_sh("run", "read line; echo got $line; exit 6").await?;
                let second = p.join("run").await?;
                p.keep("left", second);
                p.input("input", "run", "it\n").await?;
                p.finish("first", first).await;
                Ok(())
            })
        },
        judge: |o| {
            let seen = o.at("first")?;
            let run = seen.run()?;
            seen.same("stdout", run.text().as_str(), "got it\n")?;
            seen.same("exit code", run.exit_code(), Some(6))?;
            let left = o.at("left")?;
            left.same("events", so_far(&left).order.as_str(), "s")
        },
        ..Case::BASE
    },
    Case {
        id: "process/connect/terminal",
        source: "contract 4.2",
        reqs: &["4.2.live", "4.1.pty-only"],
        requirement: "a reader that joins a terminal gets its output as pty bytes",
        why: "a terminal that is opened again shows nothing otherwise",
        needs: JOINS,
        act: |p| {
            Box::pin(async move {
                let size = json!({ "size": { "cols": 80, "rows": 24 } });
                let request =
                    json!({ "process": shell("stty -echo; echo up; read line; echo joined"), "pty": size });
                let mut first = p.start("run", request).await?;
                first.until_output("up").await;
                let second = p.join("run").await?;
                crate::suites::helpers::keys(p, "keys", "run", "\n").await?;
                p.finish("second", second).await;
                p.finish("first", first).await;
                Ok(())
            })
        },
        judge: |o| {
            let seen = o.at("second")?;
            let run = seen.succeeded()?;
            let text = String::from_utf8_lossy(&run.pty).into_owned();
            seen.holds(text.ends_with("joined\r\n"), "pty bytes that end in joined", text)?;
            seen.bytes("stdout", &run.stdout, b"")
        },
        ..Case::BASE
    },
    Case {
        id: "process/connect/no-selector",
        source: "contract 4",
        reqs: &["4.selector-required", "1.stream-error-alone"],
        requirement: "Connect without a selector is invalid_argument in the one END_STREAM envelope",
        why: "the error must not come after a start that nobody asked for",
        twin: Some(twins::began),
        needs: &["process/start/events"],
        act: |p| {
            Box::pin(async move {
                twins::connect(p).await?;
                p.stream("run", "process.Process/Connect", json!({})).await
            })
        },
        judge: |o| {
            let seen = o.at("run")?;
            seen.same("envelopes", seen.frames()?.len(), 1)?;
            seen.stream_error("invalid_argument", "process selector required")
        },
        ..Case::BASE
    },
    Case {
        id: "process/list/resolved-cwd",
        source: "contract 4.3",
        reqs: &["4.3.cwd-resolved"],
        requirement: "the cwd in List is the resolved one, also when none was asked for",
        why: "a host shows where a command runs",
        needs: LISTED,
        act: |p| {
            Box::pin(async move {
                let open = p.start_sh("run", "pwd; read line").await?;
                p.unary("list", "process.Process/List", json!({})).await?;
                p.input("input", "run", "\n").await?;
                p.finish("run", open).await;
                Ok(())
            })
        },
        judge: |o| {
            let list = o.at("list")?;
            let home = o.at("run")?.succeeded()?.text();
            let info = own(&list, &format!("{}/run", tag_of(&o.dir)))?;
            list.same("cwd", info["config"]["cwd"].as_str(), Some(home.trim()))
        },
        ..Case::BASE
    },
    Case {
        id: "process/list/envs-of-request",
        source: "contract 4.3",
        reqs: &["4.3.envs-request"],
        requirement: "the envs in List are the request's alone",
        why: "the default environment may hold secrets that the list must not show",
        needs: LISTED,
        act: |p| {
            Box::pin(async move {
                let open = p.start_sh("run", "read line").await?;
                p.unary("list", "process.Process/List", json!({})).await?;
                p.kill("run").await?;
                p.keep("run", open);
                Ok(())
            })
        },
        judge: |o| {
            let list = o.at("list")?;
            let info = own(&list, &format!("{}/run", tag_of(&o.dir)))?;
            list.same("envs", info["config"].get("envs"), None)
        },
        ..Case::BASE
    },
    Case {
        id: "process/list/no-tag",
        source: "contract 4.3",
        reqs: &["4.3.no-tag", "4.3.fields"],
        requirement: "a process without a tag is listed with its pid and without a tag",
        why: "an empty tag is not the same as none",
        needs: LISTED,
        act: |p| {
            Box::pin(async move {
                let message = json!({ "process": shell("read line"), "stdin": true });
                let mut open = p.open(Ask::stream("process.Process/Start", &[message])).await?;
                open.until_frames(1).await;
                let pid = crate::probe::pid(&open)?;
                p.unary("list", "process.Process/List", json!({})).await?;
                ps(p, "kill", "SendSignal", json!({ "process": { "pid": pid }, "signal": 9 })).await?;
                p.keep("start", open);
                Ok(())
            })
        },
        judge: |o| {
            let (list, pid) = (o.at("list")?, so_far(&o.at("start")?).pid);
            let json = list.ok()?;
            let mut all = json["processes"].as_array().into_iter().flatten();
            let info = all.find(|info| info["pid"].as_u64() == pid).cloned().unwrap_or_default();
            list.holds(info.is_object(), &format!("a process with pid {pid:?}"), &json)?;
            list.same("tag", info.get("tag"), None)
        },
        ..Case::BASE
    },
];
