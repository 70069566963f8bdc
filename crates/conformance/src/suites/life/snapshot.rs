//! Life across a snapshot: cases that are cut in two by `/snapshot/prepare` and a new `/init` (contract 3.4, 3.5, 10).

use std::time::{Duration, Instant};

use serde_json::json;

use crate::case::{Case, Isolation, act};
use crate::feature::Feature;
use crate::observation::Observation;
use crate::probe::{Ask, Probe, SetupError, shell};
use crate::suites::helpers::{fs, keys, printed, ps};
use crate::verdict::Judged;

/// The new /init steps the clock of a real guest.
pub(super) const OWN: Case =
    Case { isolation: Isolation::Fresh, tags: &["snapshot"], disposable: true, ..Case::BASE };
pub(super) const PREPARES: &[&str] = &["snapshot/prepare/again"];
pub(super) const ALIVE: &[&str] = &["snapshot/across/process"];

/// Boot's own /init.
pub(super) async fn boot(p: &mut Probe) -> Result<(), SetupError> {
    p.init("boot", json!({ "lifecycle_id": "boot", "timestamp": "2030-01-01T00:00:00Z" })).await
}

/// The pause and the resume of a host: prepare, then an /init of a new life.
pub(super) async fn across(p: &mut Probe) -> Result<(), SetupError> {
    p.send("prepare", Ask::new("POST", "/snapshot/prepare")).await?;
    p.init("resume", json!({ "lifecycle_id": "resumed", "timestamp": "2030-01-02T00:00:00Z" })).await
}

pub(super) fn crossed(o: &Observation) -> Judged {
    o.at("prepare")?.status(204)?;
    o.at("resume")?.status(204)
}

pub(in crate::suites) const CASES: &[Case] = &[
    OWN.case("snapshot/across/process", "contract 3.5 and H5", &["3.5.connections", "3.5.204"])
        .requires("a process, its stream and its stdin survive a snapshot")
        .why("a sandbox that is paused must not lose what runs in it")
        .needs(PREPARES)
        .act(act!(|p| {
            boot(p).await?;
            let mut open = p.start_sh("run", "echo before; read line; echo after $line; exit 4").await?;
            open.until_output("before").await;
            across(p).await?;
            p.input("input", "run", "it\n").await?;
            p.finish("run", open).await;
            Ok(())
        }))
        .judge(|o| {
            crossed(o)?;
            o.at("input")?.ok()?;
            let seen = o.at("run")?;
            let run = seen.run()?;
            seen.same("stdout", run.text().as_str(), "before\nafter it\n")?;
            seen.same("exit code", run.exit_code(), Some(4))
        }),
    OWN.case("snapshot/across/terminal", "contract 3.5", &["3.5.connections"])
        .requires("a terminal survives a snapshot with its size, and is joined by Connect")
        .why("people come back to their shell")
        .needs(ALIVE)
        .act(act!(|p| {
            boot(p).await?;
            let size = json!({ "size": { "cols": 91, "rows": 17 } });
            let script = "stty -echo; echo up; read line; stty size";
            let mut open = p.start("run", json!({ "process": shell(script), "pty": size })).await?;
            open.until_output("up").await;
            p.keep("start", open);
            across(p).await?;
            let again = p.join("run").await?;
            keys(p, "keys", "run", "\n").await?;
            p.finish("again", again).await;
            Ok(())
        }))
        .judge(|o| {
            crossed(o)?;
            let seen = o.at("again")?;
            let text = String::from_utf8_lossy(&seen.succeeded()?.pty).into_owned();
            seen.holds(text.ends_with("17 91\r\n"), "17 91 as the size", text)
        }),
    OWN.case("snapshot/across/list", "contract 3.5", &["3.5.connections"])
        .requires("pids and tags are the same before and after a snapshot, and signals reach them")
        .why("the host finds its background processes again by them")
        .needs(ALIVE)
        .act(act!(|p| {
            boot(p).await?;
            let open = p.start_sh("run", "read line").await?;
            ps(p, "before", "List", json!({})).await?;
            across(p).await?;
            ps(p, "after", "List", json!({})).await?;
            p.kill("run").await?;
            p.finish("run", open).await;
            Ok(())
        }))
        .judge(|o| {
            crossed(o)?;
            let (before, after) = (o.at("before")?.ok()?, o.at("after")?);
            after.same("list", after.ok()?, before)?;
            o.at("run")?.same("exit code", o.at("run")?.run()?.exit_code(), Some(-1))
        }),
    OWN.case("snapshot/across/watcher", "contract 3.5", &["3.5.connections", "5.watcher-drain"])
        .requires("a watcher survives a snapshot: it tells what happened before and after")
        .why("a dev server in the sandbox does not know that it was paused")
        .needs(&["snapshot/across/process", "filesystem/watcher/drains"])
        .act(act!(|p| {
            boot(p).await?;
            fs(p, "make", "MakeDir", json!({ "path": p.path("d") })).await?;
            let created = fs(p, "create", "CreateWatcher", json!({ "path": p.path("d") })).await?;
            fs(p, "one", "MakeDir", json!({ "path": p.path("d/before") })).await?;
            across(p).await?;
            fs(p, "two", "MakeDir", json!({ "path": p.path("d/after") })).await?;
            for _ in 0..200 {
                fs(p, "events", "GetWatcherEvents", json!({ "watcherId": created["watcherId"] })).await?;
                if p.last_body().contains("d/after") {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            Ok(())
        }))
        .judge(|o| {
            crossed(o)?;
            o.at("events")?.ok()?;
            let all: String = o
                .steps
                .iter()
                .filter(|step| step.label == "events")
                .map(|step| String::from_utf8_lossy(&step.exchange.body).into_owned())
                .collect();
            o.at("events")?.holds(
                all.contains("d/before") && all.contains("d/after"),
                "events before and after",
                &all,
            )
        }),
    OWN.case("snapshot/across/watch-dir", "contract 3.5", &["3.5.connections"])
        .requires("an open WatchDir goes on across a snapshot")
        .why("its client may not notice that there was one")
        .needs(&["snapshot/across/process", "filesystem/watch-dir/events"])
        .act(act!(|p| {
            boot(p).await?;
            fs(p, "make", "MakeDir", json!({ "path": p.path("d") })).await?;
            let ask = Ask::stream("filesystem.Filesystem/WatchDir", &[json!({ "path": p.path("d") })]);
            let mut open = p.open(ask).await?;
            open.until_frames(1).await;
            across(p).await?;
            fs(p, "change", "MakeDir", json!({ "path": p.path("d/after") })).await?;
            open.until(|seen| String::from_utf8_lossy(&seen.body).contains("d/after")).await;
            p.keep("watch", open);
            Ok(())
        }))
        .judge(|o| {
            crossed(o)?;
            o.at("watch")?.says("d/after\",\"type\":\"EVENT_TYPE_CREATE\"")
        }),
    OWN.case("snapshot/across/files", "contract 3.5", &["3.5.204"])
        .requires("what was written before a prepare is there after it, byte for byte")
        .why("the disk is part of the snapshot")
        .needs(PREPARES)
        .act(act!(|p| {
            boot(p).await?;
            let path = p.path("f");
            p.upload("upload", &path, &[b'x'; 100_000]).await?;
            across(p).await?;
            p.send("download", Ask::download(&path)).await.map(drop)
        }))
        .judge(|o| {
            crossed(o)?;
            o.at("download")?.status(200)?;
            o.at("download")?.body_is(&[b'x'; 100_000])
        }),
    OWN.case("snapshot/prepare/rolled-back", "contract 3.5 and H4", &["3.5.connections", "3.5.idempotent"])
        .requires("after a prepare without an /init, as when a pause is rolled back, every call works")
        .why("the host sends no /init then")
        .features(&[Feature::Activity])
        .needs(PREPARES)
        .disposable(false)
        .act(act!(|p| {
            p.send("prepare", Ask::new("POST", "/snapshot/prepare")).await?;
            p.sh("run", "echo up").await?;
            p.upload("upload", &p.path("f"), b"x").await?;
            for path in ["/health", "/metrics", "/envs", "/activity", "/memory/preload"] {
                p.get(path, path).await?;
            }
            Ok(())
        }))
        .judge(|o| {
            o.at("prepare")?.status(204)?;
            printed(o, "run", "up\n")?;
            for label in ["upload", "/health", "/metrics", "/envs", "/activity", "/memory/preload"] {
                o.at(label)?.status(200)?;
            }
            Ok(())
        }),
    OWN.case("snapshot/prepare/at-once", "contract 10", &["10.prepare-at-once"])
        .requires("prepare answers in no more than fifty times what /health takes")
        .why("the host waits 3 s for it, and then pauses all the same")
        .needs(PREPARES)
        .timing()
        .disposable(false)
        .act(act!(|p| {
            for (label, method, path) in
                [("health", "GET", "/health"), ("prepare", "POST", "/snapshot/prepare")]
            {
                let mut fastest = Duration::MAX;
                for _ in 0..5 {
                    let since = Instant::now();
                    p.send(label, Ask::new(method, path)).await?;
                    fastest = fastest.min(since.elapsed());
                }
                p.measure(label, fastest);
            }
            Ok(())
        }))
        .judge(|o| {
            o.at("health")?.status(200)?;
            o.at("prepare")?.status(204)?;
            let (health, prepare) = (o.measured("health")?, o.measured("prepare")?);
            let most = (health * 50).max(Duration::from_millis(100));
            o.at("prepare")?.holds(prepare <= most, &format!("at most {most:?}"), prepare.as_secs_f64())
        }),
    OWN.case("snapshot/prepare/any-body", "contract 3.5", &["3.5.204"])
        .requires("prepare takes any content type and body, and answers without a body")
        .why("hosts send what their client library makes")
        .needs(PREPARES)
        .disposable(false)
        .act(act!(|p| {
            let ask =
                Ask::new("POST", "/snapshot/prepare").header("content-type", "application/odd").body("x");
            p.send("odd", ask).await?;
            p.send(
                "json",
                Ask::new("POST", "/snapshot/prepare").header("content-type", "application/json").body("{{"),
            )
            .await?;
            p.get("get", "/snapshot/prepare").await
        }))
        .judge(|o| {
            for label in ["odd", "json"] {
                o.at(label)?.status(204)?;
                o.at(label)?.body_is(b"")?;
            }
            o.at("get")?.status(405)?;
            o.at("get")?.header_is("allow", "POST")
        }),
];
