//! Connect and List, by which a process is found again (contract 4.1 to 4.3).

use serde_json::json;

use super::start::{EVENTS, own, tag_of};
use crate::case::{Case, act, case};
use crate::probe::{pid, shell};
use crate::suites::controls;
use crate::suites::helpers::so_far;

pub(in crate::suites) const CASES: &[Case] = &[
    case("process/start/survives-drop", "contract 4.1", &["4.1.disconnect"])
        .requires("a process goes on when the stream that started it is dropped")
        .why("the host starts background processes so: it drops the stream after the start event")
        .needs(EVENTS)
        .act(act!(|p| {
            let open = p.start_sh("run", "read line; echo got $line; exit 5").await?;
            p.keep("start", open);
            let again = p.join("run").await?;
            p.input("input", "run", "this\n").await?;
            p.finish("connect", again).await;
            Ok(())
        }))
        .judge(|o| {
            o.at("input")?.ok()?;
            let seen = o.at("connect")?;
            let run = seen.run()?;
            seen.same("stdout", run.text().as_str(), "got this\n")?;
            seen.same("exit code", run.exit_code(), Some(5))
        }),
    case("process/connect/joins", "contract 4.2", &["4.2.start-first", "4.2.live", "4.2.many"])
        .requires(
            "Connect by pid streams a start with that pid, what follows, and the end, \
            beside the first stream",
        )
        .why("a host that was restarted finds its processes again by it")
        .needs(EVENTS)
        .act(act!(|p| {
            let first = p.start_sh("run", "read line; echo got $line").await?;
            let again = p.join_by(&json!({ "pid": pid(&first)? })).await?;
            p.input("input", "run", "it\n").await?;
            p.finish("connect", again).await;
            p.finish("first", first).await;
            Ok(())
        }))
        .judge(|o| {
            let first = o.at("first")?.succeeded()?;
            let seen = o.at("connect")?;
            let run = seen.succeeded()?;
            seen.same("pid", run.pid, first.pid)?;
            seen.holds(run.order.starts_with('s'), "start first", &run.order)?;
            seen.same("stdout", run.text(), first.text())?;
            seen.same("stdout", run.text().as_str(), "got it\n")
        }),
    case("process/connect/prompt", "contract 4.2 and 10", &["4.2.live", "10.prompt"])
        .requires("a reader that joins has start and output while the process still runs")
        .why("a terminal that is joined again shows nothing otherwise")
        .needs(&["process/start/events"])
        .act(act!(|p| {
            let first = p.start_sh("run", "read line; echo got $line; read line").await?;
            let mut again = p.join_by(&json!({ "pid": pid(&first)? })).await?;
            p.input("input", "run", "it\n").await?;
            again.until_output("got it").await;
            p.keep("connect", again);
            p.kill("run").await
        }))
        .judge(|o| {
            let seen = o.at("connect")?;
            let run = so_far(&seen);
            seen.holds(run.pid.is_some() && run.end.is_none(), "a start, and no end yet", &run.order)?;
            seen.same("stdout", run.text().as_str(), "got it\n")?;
            o.at("kill")?.ok().map(drop)
        }),
    case("process/connect/unknown", "contract 4.2", &["4.2.unknown"])
        .requires("Connect to an unknown tag is not_found: HTTP 200 and an error in END_STREAM")
        .why("the host tells by it that a process is over")
        .needs(&["process/start/events"])
        .positive_control(controls::began)
        .act(act!(|p| {
            controls::connect(p).await?;
            let message = json!({ "process": { "tag": "envd-conformance-no-such" } });
            p.stream("connect", "process.Process/Connect", message).await
        }))
        .judge(|o| {
            let words = "process with tag envd-conformance-no-such not found";
            o.at("connect")?.stream_error("not_found", words)
        }),
    case("process/list/shows", "contract 4.3", &["4.3.fields"])
        .requires("List shows a running process with its config and tag")
        .why("the host finds its background processes by tag")
        .needs(EVENTS)
        .act(act!(|p| {
            let mut process = shell("read line");
            process["cwd"] = "/usr".into();
            process["envs"] = json!({ "A": "b" });
            let open = p.start("run", json!({ "process": process, "stdin": true })).await?;
            p.unary("list", "process.Process/List", json!({})).await?;
            p.kill("run").await?;
            p.keep("start", open);
            Ok(())
        }))
        .judge(|o| {
            let seen = o.at("list")?;
            let mut expected = shell("read line");
            expected["cwd"] = "/usr".into();
            expected["envs"] = json!({ "A": "b" });
            seen.same("config", own(&seen, &format!("{}/run", tag_of(&o.dir)))?["config"].clone(), expected)
        }),
    case("process/list/forgets", "contract 4.1", &["4.1.removal"])
        .requires("once its stream has ended, List shows a process no more and its tag is not_found")
        .why("dead processes that stay are taken for running ones, and pile up")
        .needs(EVENTS)
        .act(act!(|p| {
            p.sh("run", "true").await?;
            p.unary("list", "process.Process/List", json!({})).await?;
            p.kill("run").await
        }))
        .judge(|o| {
            o.at("run")?.succeeded()?;
            let list = o.at("list")?;
            let listed = list.ok()?.to_string().contains(&format!("{}/run", tag_of(&o.dir)));
            list.same("the dead process is listed:", listed, false)?;
            o.at("kill")?.error(404, "not_found", "not found")
        }),
];
