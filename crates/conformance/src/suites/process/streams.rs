//! Connect, List, and input in its finer points (contract 4.2 to 4.5 and 4.7).

use futures::future::join_all;
use serde_json::json;

use super::start::{own, tag_of};
use crate::case::{Case, act, case};
use crate::probe::{Ask, shell};
use crate::suites::controls;
use crate::suites::helpers::{numbered, printed, ps, so_far};

const JOINS: &[&str] = &["process/connect/joins"];
const LISTED: &[&str] = &["process/list/shows"];
const READERS: usize = 10;

pub(in crate::suites) const CASES: &[Case] = &[
    case(
        "process/connect/no-replay",
        "contract 0.1 and 10",
        &["0.1.no-replay", "10.no-replay", "4.2.live", "4.2.start-first"],
    )
    .requires("a reader that joins late sees a start and what comes from then on, not what was")
    .why("a host of that generation would show the same lines twice")
    .generations(&[1, 2])
    .needs(JOINS)
    .act(act!(|p| {
        let mut first = p.start_sh("run", "echo before; read line; echo after").await?;
        first.until_output("before").await;
        let late = p.join("run").await?;
        p.input("input", "run", "\n").await?;
        p.finish("late", late).await;
        p.finish("first", first).await;
        Ok(())
    }))
    .judge(|o| {
        printed(o, "first", "before\nafter\n")?;
        printed(o, "late", "after\n")
    }),
    case("process/connect/many", "contract 4.2", &["4.2.many"])
        .requires("ten readers at once see the same output and the same end")
        .why("everybody who watches a build has to see it")
        .needs(JOINS)
        .act(act!(|p| {
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
        }))
        .judge(|o| {
            let expected: String = (1..=5000).map(|n| format!("{n}\n")).collect();
            numbered("reader", READERS).chain(["first".to_owned()]).try_for_each(|label| {
                let seen = o.at(&label)?;
                let run = seen.run()?;
                seen.bytes("stdout", &run.stdout, expected.as_bytes())?;
                seen.same("exit code", run.exit_code(), Some(3))
            })
        }),
    case("process/connect/leaves", "contract 4.2", &["4.1.disconnect", "4.2.many"])
        .requires("a reader that goes away disturbs neither the process nor the other reader")
        .why("a browser tab that is closed must not end the build")
        .needs(JOINS)
        .act(act!(|p| {
            let first = p.start_sh("run", "read line; echo got $line; exit 6").await?;
            let second = p.join("run").await?;
            p.keep("left", second);
            p.input("input", "run", "it\n").await?;
            p.finish("first", first).await;
            Ok(())
        }))
        .judge(|o| {
            let seen = o.at("first")?;
            let run = seen.run()?;
            seen.same("stdout", run.text().as_str(), "got it\n")?;
            seen.same("exit code", run.exit_code(), Some(6))?;
            let left = o.at("left")?;
            left.same("events", so_far(&left).order.as_str(), "s")
        }),
    case("process/connect/terminal", "contract 4.2", &["4.2.live", "4.1.pty-only"])
        .requires("a reader that joins a terminal gets its output as pty bytes")
        .why("a terminal that is opened again shows nothing otherwise")
        .needs(JOINS)
        .act(act!(|p| {
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
        }))
        .judge(|o| {
            let seen = o.at("second")?;
            let run = seen.succeeded()?;
            let text = String::from_utf8_lossy(&run.pty).into_owned();
            seen.holds(text.ends_with("joined\r\n"), "pty bytes that end in joined", text)?;
            seen.bytes("stdout", &run.stdout, b"")
        }),
    case("process/connect/no-selector", "contract 4", &["4.selector-required", "1.stream-error-alone"])
        .requires("Connect without a selector is invalid_argument in the one END_STREAM envelope")
        .why("the error must not come after a start that nobody asked for")
        .needs(&["process/start/events"])
        .positive_control(controls::began)
        .act(act!(|p| {
            controls::connect(p).await?;
            p.stream("run", "process.Process/Connect", json!({})).await
        }))
        .judge(|o| {
            let seen = o.at("run")?;
            seen.same("envelopes", seen.frames()?.len(), 1)?;
            seen.stream_error("invalid_argument", "process selector required")
        }),
    case("process/list/resolved-cwd", "contract 4.3", &["4.3.cwd-resolved"])
        .requires("the cwd in List is the resolved one, also when none was asked for")
        .why("a host shows where a command runs")
        .needs(LISTED)
        .act(act!(|p| {
            let open = p.start_sh("run", "pwd; read line").await?;
            p.unary("list", "process.Process/List", json!({})).await?;
            p.input("input", "run", "\n").await?;
            p.finish("run", open).await;
            Ok(())
        }))
        .judge(|o| {
            let list = o.at("list")?;
            let home = o.at("run")?.succeeded()?.text();
            let info = own(&list, &format!("{}/run", tag_of(&o.dir)))?;
            list.same("cwd", info["config"]["cwd"].as_str(), Some(home.trim()))
        }),
    case("process/list/envs-of-request", "contract 4.3", &["4.3.envs-request"])
        .requires("the envs in List are the request's alone")
        .why("the default environment may hold secrets that the list must not show")
        .needs(LISTED)
        .act(act!(|p| {
            let open = p.start_sh("run", "read line").await?;
            p.unary("list", "process.Process/List", json!({})).await?;
            p.kill("run").await?;
            p.keep("run", open);
            Ok(())
        }))
        .judge(|o| {
            let list = o.at("list")?;
            let info = own(&list, &format!("{}/run", tag_of(&o.dir)))?;
            list.same("envs", info["config"].get("envs"), None)
        }),
    case("process/list/no-tag", "contract 4.3", &["4.3.no-tag", "4.3.fields"])
        .requires("a process without a tag is listed with its pid and without a tag")
        .why("an empty tag is not the same as none")
        .needs(LISTED)
        .act(act!(|p| {
            let message = json!({ "process": shell("read line"), "stdin": true });
            let mut open = p.open(Ask::stream("process.Process/Start", &[message])).await?;
            open.until_frames(1).await;
            let pid = crate::probe::pid(&open)?;
            p.unary("list", "process.Process/List", json!({})).await?;
            ps(p, "kill", "SendSignal", json!({ "process": { "pid": pid }, "signal": 9 })).await?;
            p.keep("start", open);
            Ok(())
        }))
        .judge(|o| {
            let (list, pid) = (o.at("list")?, so_far(&o.at("start")?).pid);
            let json = list.ok()?;
            let mut all = json["processes"].as_array().into_iter().flatten();
            let info = all.find(|info| info["pid"].as_u64() == pid).cloned().unwrap_or_default();
            list.holds(info.is_object(), &format!("a process with pid {pid:?}"), &json)?;
            list.same("tag", info.get("tag"), None)
        }),
];
