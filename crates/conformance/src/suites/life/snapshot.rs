//! Life across a snapshot: cases that are cut in two by `/snapshot/prepare` and a new `/init` (contract 3.4, 3.5, 10).

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::init::settled;
use crate::case::{Case, Ground};
use crate::feature::Feature;
use crate::observation::Observation;
use crate::probe::{Ask, Probe, Trouble, shell};
use crate::suites::helpers::{fs, keys, printed, ps};
use crate::verdict::Judged;

/// The new /init steps the clock of a real guest.
const OWN: Case = Case {
    ground: Ground::Own,
    features: &[Feature::Lifecycle],
    tags: &["snapshot"],
    disposable: true,
    ..Case::BASE
};
const PREPARES: &[&str] = &["snapshot/prepare/again"];
const ALIVE: &[&str] = &["snapshot/across/process"];

/// Boot's own /init.
async fn boot(p: &mut Probe) -> Result<(), Trouble> {
    p.init("boot", json!({ "lifecycle_id": "boot", "timestamp": "2030-01-01T00:00:00Z" })).await
}

/// The pause and the resume of a host: prepare, then an /init of a new life.
async fn across(p: &mut Probe) -> Result<(), Trouble> {
    p.send("prepare", Ask::new("POST", "/snapshot/prepare")).await?;
    p.init("resume", json!({ "lifecycle_id": "resumed", "timestamp": "2030-01-02T00:00:00Z" })).await
}

fn crossed(o: &Observation) -> Judged {
    o.at("prepare")?.status(204)?;
    o.at("resume")?.status(204)
}

pub(in crate::suites) const CASES: &[Case] = &[
    Case {
        id: "snapshot/across/process",
        source: "contract 3.5 and H5",
        reqs: &["3.5.connections", "3.5.204"],
        requirement: "a process, its stream and its stdin survive a snapshot",
        why: "a sandbox that is paused must not lose what runs in it",
        needs: PREPARES,
        act: |p| {
            Box::pin(async move {
                boot(p).await?;
                let mut open = p.start_sh("run", "echo before; read line; echo after $line; exit 4").await?;
                open.until_output("before").await;
                across(p).await?;
                p.input("input", "run", "it\n").await?;
                p.finish("run", open).await;
                Ok(())
            })
        },
        judge: |o| {
            crossed(o)?;
            o.at("input")?.ok()?;
            let seen = o.at("run")?;
            let run = seen.run()?;
            seen.same("stdout", run.text().as_str(), "before\nafter it\n")?;
            seen.same("exit code", run.exit_code(), Some(4))
        },
        ..OWN
    },
    Case {
        id: "snapshot/across/terminal",
        source: "contract 3.5",
        reqs: &["3.5.connections"],
        requirement: "a terminal survives a snapshot with its size, and is joined by Connect",
        why: "people come back to their shell",
        needs: ALIVE,
        act: |p| {
            Box::pin(async move {
                boot(p).await?;
                let size = json!({ "size": { "cols": 91, "rows": 17 } });
                let script = "stty -echo; echo up; read line; stty size";
                let mut open = p.start("run", json!({ "process": shell(script), "pty": size })).await?;
                open.until_output("up").await;
                p.keep("start", open);
                across(p).await?;
                let message = json!({ "process": { "tag": p.tag("run") } });
                let mut again = p.open(Ask::stream("process.Process/Connect", &[message])).await?;
                again.until_frames(1).await;
                keys(p, "keys", "run", "\n").await?;
                p.finish("again", again).await;
                Ok(())
            })
        },
        judge: |o| {
            crossed(o)?;
            let seen = o.at("again")?;
            let text = String::from_utf8_lossy(&seen.succeeded()?.pty).into_owned();
            seen.holds(text.ends_with("17 91\r\n"), "17 91 as the size", text)
        },
        ..OWN
    },
    Case {
        id: "snapshot/across/list",
        source: "contract 3.5",
        reqs: &["3.5.connections"],
        requirement: "pids and tags are the same before and after a snapshot, and signals reach them",
        why: "the host finds its background processes again by them",
        needs: ALIVE,
        act: |p| {
            Box::pin(async move {
                boot(p).await?;
                let open = p.start_sh("run", "read line").await?;
                ps(p, "before", "List", json!({})).await?;
                across(p).await?;
                ps(p, "after", "List", json!({})).await?;
                p.kill("run").await?;
                p.finish("run", open).await;
                Ok(())
            })
        },
        judge: |o| {
            crossed(o)?;
            let (before, after) = (o.at("before")?.ok()?, o.at("after")?);
            after.same("list", after.ok()?, before)?;
            o.at("run")?.same("exit code", o.at("run")?.run()?.exit_code(), Some(-1))
        },
        ..OWN
    },
    Case {
        id: "snapshot/across/watcher",
        source: "contract 3.5",
        reqs: &["3.5.connections", "5.watcher-drain"],
        requirement: "a watcher survives a snapshot: it tells what happened before and after",
        why: "a dev server in the sandbox does not know that it was paused",
        needs: &["snapshot/across/process", "filesystem/watcher/drains"],
        act: |p| {
            Box::pin(async move {
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
            })
        },
        judge: |o| {
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
        },
        ..OWN
    },
    Case {
        id: "snapshot/across/watch-dir",
        source: "contract 3.5",
        reqs: &["3.5.connections"],
        requirement: "an open WatchDir goes on across a snapshot",
        why: "its client may not notice that there was one",
        needs: &["snapshot/across/process", "filesystem/watch-dir/events"],
        act: |p| {
            Box::pin(async move {
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
            })
        },
        judge: |o| {
            crossed(o)?;
            o.at("watch")?.says("d/after\",\"type\":\"EVENT_TYPE_CREATE\"")
        },
        ..OWN
    },
    Case {
        id: "snapshot/across/preload",
        source: "contract 3.7 and H5",
        reqs: &["3.7.rearm", "3.4.lifecycle-change"],
        requirement: "after a resume the preload is idle again and runs once more to done",
        why: "the lazily restored memory has to be read in each life",
        needs: &["snapshot/across/process", "preload/run/once"],
        act: |p| {
            Box::pin(async move {
                boot(p).await?;
                p.send("post", Ask::new("POST", "/memory/preload")).await?;
                settled(p, "first end").await?;
                across(p).await?;
                p.get("idle", "/memory/preload").await?;
                p.send("again", Ask::new("POST", "/memory/preload")).await?;
                settled(p, "second end").await
            })
        },
        judge: |o| {
            crossed(o)?;
            for (label, state) in
                [("first end", "done"), ("idle", "idle"), ("again", "running"), ("second end", "done")]
            {
                o.at(label)?.ok()?;
                o.at(label)?.field_is("/state", state)?;
            }
            Ok(())
        },
        ..OWN
    },
    Case {
        id: "snapshot/across/prepare-keeps-preload",
        source: "contract 3.5 and 3.7",
        reqs: &["3.5.204", "3.7.again"],
        requirement: "prepare alone changes no preload: done stays done until the new /init",
        why: "a pause that is rolled back sends no /init, and the state must still be right",
        needs: &["snapshot/prepare/again", "preload/run/to-done"],
        disposable: false,
        act: |p| {
            Box::pin(async move {
                p.send("post", Ask::new("POST", "/memory/preload")).await?;
                settled(p, "end").await?;
                p.send("prepare", Ask::new("POST", "/snapshot/prepare")).await?;
                p.get("after", "/memory/preload").await
            })
        },
        judge: |o| {
            o.at("prepare")?.status(204)?;
            o.at("end")?.field_is("/state", "done")?;
            o.at("after")?.ok()?;
            o.at("after")?.field_is("/state", "done")
        },
        ..OWN
    },
    Case {
        id: "snapshot/across/first-lifecycle",
        source: "contract 10",
        reqs: &["10.prepare-first-lifecycle"],
        requirement: "the first lifecycle_id after a prepare counts as a change, even if it is the first ever",
        why: "if the boot's /init was lost, the first resume must still count",
        needs: &["snapshot/across/process", "preload/run/once"],
        act: |p| {
            Box::pin(async move {
                p.send("post", Ask::new("POST", "/memory/preload")).await?;
                settled(p, "end").await?;
                p.send("prepare", Ask::new("POST", "/snapshot/prepare")).await?;
                p.init("resume", json!({ "lifecycle_id": "first" })).await?;
                p.get("after", "/memory/preload").await
            })
        },
        judge: |o| {
            crossed(o)?;
            o.at("end")?.field_is("/state", "done")?;
            o.at("after")?.ok()?;
            o.at("after")?.field_is("/state", "idle")
        },
        ..OWN
    },
    Case {
        id: "snapshot/across/settings",
        source: "contract 3.4",
        reqs: &["3.4.env-merge", "2.token-state", "0.1.defaults-applied"],
        requirement: "token, user, workdir and variables survive a snapshot and an /init that names none of them",
        why: "a live snapshot is followed by an /init of two fields",
        needs: ALIVE,
        act: |p| {
            Box::pin(async move {
                boot(p).await?;
                let set = json!({ "access_token": "s3cret", "defaultUser": "user", "defaultWorkdir": "/usr", "envVars": { "A": "kept" } });
                p.init("set", set).await?;
                across(p).await?;
                p.get("locked", "/envs").await?;
                let ask =
                    p.start_ask("run", json!({ "process": shell("id -un; pwd; echo $A"), "stdin": false }));
                p.send("run", ask.header("x-access-token", "s3cret")).await.map(drop)
            })
        },
        judge: |o| {
            o.at("set")?.status(204)?;
            crossed(o)?;
            o.at("locked")?.status(401)?;
            printed(o, "run", "user\n/usr\nkept\n")
        },
        ..OWN
    },
    Case {
        id: "snapshot/across/files",
        source: "contract 3.5",
        reqs: &["3.5.204"],
        requirement: "what was written before a prepare is there after it, byte for byte",
        why: "the disk is part of the snapshot",
        needs: PREPARES,
        act: |p| {
            Box::pin(async move {
                boot(p).await?;
                let path = p.path("f");
                p.upload("upload", &path, &[b'x'; 100_000]).await?;
                across(p).await?;
                p.send("download", Ask::download(&path)).await.map(drop)
            })
        },
        judge: |o| {
            crossed(o)?;
            o.at("download")?.status(200)?;
            o.at("download")?.body_is(&[b'x'; 100_000])
        },
        ..OWN
    },
    Case {
        id: "snapshot/across/clock",
        source: "contract 3.4 and 10",
        reqs: &["3.4.lifecycle-clock", "10.clock-shows"],
        requirement: "a resume sets the guest's clock to the timestamp: Date and ts of /metrics show it",
        why: "a guest that slept for a week must not live in last week",
        needs: ALIVE,
        act: |p| {
            Box::pin(async move {
                boot(p).await?;
                across(p).await?;
                p.get("metrics", "/metrics").await
            })
        },
        judge: |o| {
            crossed(o)?;
            let seen = o.at("metrics")?;
            let ts = seen.ok()?["ts"].as_u64().unwrap_or_default();
            let resumed = 1_893_542_400;
            seen.holds(
                (resumed..resumed + 60).contains(&ts),
                "a ts within a minute after 2030-01-02T00:00:00Z",
                ts,
            )?;
            let date = seen.header("date").unwrap_or_default();
            seen.holds(date.starts_with("Wed, 02 Jan 2030 00:0"), "a Date of Wed, 02 Jan 2030 00:0…", date)
        },
        ..OWN
    },
    Case {
        id: "snapshot/across/clock-unmoved",
        source: "contract 3.4",
        reqs: &["3.4.lifecycle-first", "3.4.lifecycle-same"],
        requirement: "the first lifecycle and the same one step no clock",
        why: "the clock of a running guest must not jump",
        needs: PREPARES,
        act: |p| {
            Box::pin(async move {
                p.init("first", json!({ "lifecycle_id": "a", "timestamp": "2040-01-01T00:00:00Z" })).await?;
                p.init("same", json!({ "lifecycle_id": "a", "timestamp": "2041-01-01T00:00:00Z" })).await?;
                p.init("none", json!({ "timestamp": "2042-01-01T00:00:00Z" })).await?;
                p.get("metrics", "/metrics").await
            })
        },
        judge: |o| {
            let seen = o.at("metrics")?;
            let ts = seen.ok()?["ts"].as_u64().unwrap_or_default();
            seen.holds(ts < 2_208_988_800, "a ts before 2040", ts)
        },
        ..OWN
    },
    Case {
        id: "snapshot/across/expiry",
        source: "contract 10",
        reqs: &["10.clock-shows", "2.expired"],
        requirement: "a signature that is good when a guest is paused is expired once it is resumed after its time",
        why: "a link must not outlive its time in a frozen guest",
        needs: &["snapshot/across/clock", "files/signature/expiry"],
        act: |p| {
            Box::pin(async move {
                boot(p).await?;
                p.upload("upload", "/tmp/envd-conformance/f", b"x").await?;
                p.init("set", json!({ "access_token": "s3cret" })).await?;
                let link = Ask::download("/tmp/envd-conformance/f")
                    .query("signature_expiration", "1893499200")
                    .query("signature", LINK);
                p.send("before", link.clone()).await?;
                across(p).await?;
                p.send("after", link).await.map(drop)
            })
        },
        judge: |o| {
            crossed(o)?;
            o.at("before")?.status(200)?;
            o.at("after")?.status(401)?;
            o.at("after")?.says("signature is already expired")
        },
        ..OWN
    },
    Case {
        id: "snapshot/across/twice",
        source: "contract 3.4 and 3.5",
        reqs: &["3.5.idempotent", "3.4.lifecycle-change"],
        requirement: "a guest goes through two snapshots, each a change of its own",
        why: "sandboxes are paused every night",
        needs: &["snapshot/across/preload"],
        act: |p| {
            Box::pin(async move {
                boot(p).await?;
                let open = p.start_sh("run", "read line; echo $line").await?;
                across(p).await?;
                p.send("post", Ask::new("POST", "/memory/preload")).await?;
                settled(p, "end").await?;
                p.send("prepare again", Ask::new("POST", "/snapshot/prepare")).await?;
                p.init(
                    "resume again",
                    json!({ "lifecycle_id": "third", "timestamp": "2030-01-03T00:00:00Z" }),
                )
                .await?;
                p.get("idle", "/memory/preload").await?;
                p.input("input", "run", "alive\n").await?;
                p.finish("run", open).await;
                Ok(())
            })
        },
        judge: |o| {
            crossed(o)?;
            o.at("end")?.field_is("/state", "done")?;
            o.at("resume again")?.status(204)?;
            o.at("idle")?.ok()?;
            o.at("idle")?.field_is("/state", "idle")?;
            printed(o, "run", "alive\n")
        },
        ..OWN
    },
    Case {
        id: "snapshot/prepare/rolled-back",
        source: "contract 3.5 and H4",
        reqs: &["3.5.connections", "3.5.idempotent"],
        requirement: "after a prepare without an /init, as when a pause is rolled back, every call works",
        why: "the host sends no /init then",
        needs: PREPARES,
        disposable: false,
        act: |p| {
            Box::pin(async move {
                p.send("prepare", Ask::new("POST", "/snapshot/prepare")).await?;
                p.sh("run", "echo up").await?;
                p.upload("upload", &p.path("f"), b"x").await?;
                for path in ["/health", "/metrics", "/envs", "/activity", "/memory/preload"] {
                    p.get(path, path).await?;
                }
                Ok(())
            })
        },
        judge: |o| {
            o.at("prepare")?.status(204)?;
            printed(o, "run", "up\n")?;
            for label in ["upload", "/health", "/metrics", "/envs", "/activity", "/memory/preload"] {
                o.at(label)?.status(200)?;
            }
            Ok(())
        },
        ..OWN
    },
    Case {
        id: "snapshot/prepare/at-once",
        source: "contract 10",
        reqs: &["10.prepare-at-once"],
        requirement: "prepare answers in no more than fifty times what /health takes",
        why: "the host waits 3 s for it, and then pauses all the same",
        needs: PREPARES,
        disposable: false,
        timing: true,
        act: |p| {
            Box::pin(async move {
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
            })
        },
        judge: |o| {
            o.at("health")?.status(200)?;
            o.at("prepare")?.status(204)?;
            let (health, prepare) = (o.measured("health")?, o.measured("prepare")?);
            let most = (health * 50).max(Duration::from_millis(100));
            o.at("prepare")?.holds(prepare <= most, &format!("at most {most:?}"), prepare.as_secs_f64())
        },
        ..OWN
    },
    Case {
        id: "snapshot/prepare/any-body",
        source: "contract 3.5",
        reqs: &["3.5.204"],
        requirement: "prepare takes any content type and body, and answers without a body",
        why: "hosts send what their client library makes",
        needs: PREPARES,
        disposable: false,
        act: |p| {
            Box::pin(async move {
                let ask =
                    Ask::new("POST", "/snapshot/prepare").header("content-type", "application/odd").body("x");
                p.send("odd", ask).await?;
                p.send(
                    "json",
                    Ask::new("POST", "/snapshot/prepare")
                        .header("content-type", "application/json")
                        .body("{{"),
                )
                .await?;
                p.get("get", "/snapshot/prepare").await
            })
        },
        judge: |o| {
            for label in ["odd", "json"] {
                o.at(label)?.status(204)?;
                o.at(label)?.body_is(b"")?;
            }
            o.at("get")?.status(405)?;
            o.at("get")?.header_is("allow", "POST")
        },
        ..OWN
    },
    Case {
        id: "snapshot/across/environment-of-processes",
        source: "contract 3.4 and H5",
        reqs: &["3.4.order", "3.3.init-set"],
        requirement: "ids that a resume changes are in commands that start from then on, and not in those that run",
        why: "a clone of a sandbox has a name of its own",
        needs: &["snapshot/across/process", "init/ids/files-and-environment"],
        act: |p| {
            Box::pin(async move {
                p.init("boot", json!({ "lifecycle_id": "boot", "sandbox_id": "old" })).await?;
                let open = p.start_sh("run", "read line; echo $WRENN_SANDBOX_ID").await?;
                p.send("prepare", Ask::new("POST", "/snapshot/prepare")).await?;
                p.init("resume", json!({ "lifecycle_id": "resumed", "sandbox_id": "new" })).await?;
                p.sh("new", "echo $WRENN_SANDBOX_ID; cat /run/wrenn/.WRENN_SANDBOX_ID").await?;
                p.input("input", "run", "\n").await?;
                p.finish("run", open).await;
                Ok(())
            })
        },
        judge: |o| {
            crossed(o)?;
            o.at("input")?.same::<Value>("answer", o.at("input")?.ok()?, json!({}))?;
            printed(o, "new", "new\nnew")?;
            printed(o, "run", "old\n")
        },
        ..OWN
    },
];

/// For reading /tmp/envd-conformance/f as root with token s3cret until 2030-01-01T12:00:00Z.
const LINK: &str = "v1_vmVBcihNiOx2CyI4JsmSVzOgLJvEu3T+cAl8D6ZtnYc";
