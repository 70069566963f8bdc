//! The states of a preload, in their finer points (contract 3.7 and 10).

use serde_json::{Value, json};

use super::init::settled;
use crate::case::{Case, Ground};
use crate::feature::Feature;
use crate::observation::Observation;
use crate::probe::{Ask, Probe, Trouble};
use crate::verdict::Judged;

const OWN: Case = Case { ground: Ground::Own, features: &[Feature::Preload], ..Case::BASE };
const RUNS: &[&str] = &["preload/run/to-done"];

async fn post(p: &mut Probe, label: &str) -> Result<(), Trouble> {
    p.send(label, Ask::new("POST", "/memory/preload")).await.map(drop)
}

async fn cancel(p: &mut Probe, label: &str) -> Result<(), Trouble> {
    p.send(label, Ask::new("POST", "/memory/preload/cancel")).await.map(drop)
}

fn state(o: &Observation, label: &str, state: &str) -> Judged {
    o.at(label)?.ok()?;
    o.at(label)?.field_is("/state", state)
}

pub(in crate::suites) const CASES: &[Case] = &[
    Case {
        id: "preload/get/shape",
        source: "contract 3.7",
        reqs: &["3.7.get", "3.7.error-null", "0.1.activity-preload"],
        requirement: "the answer has exactly state, regions, pages, bytes, elapsed_sec, source and error, with their types",
        why: "clients parse it strictly",
        act: |p| Box::pin(async move { p.get("idle", "/memory/preload").await }),
        judge: |o| {
            let seen = o.at("idle")?;
            let expected = json!({
                "state": "idle", "regions": 0, "pages": 0, "bytes": 0, "elapsed_sec": 0.0, "source": "", "error": null,
            });
            seen.same("answer", seen.ok()?, expected)?;
            seen.header_is("content-type", "application/json")
        },
        ..OWN
    },
    Case {
        id: "preload/get/pure",
        source: "contract 8",
        reqs: &["8.gets-pure"],
        requirement: "asking for the state starts nothing, however often",
        why: "the host polls it",
        act: |p| {
            Box::pin(async move {
                for _ in 0..5 {
                    p.get("poll", "/memory/preload").await?;
                }
                p.send("head", Ask::new("HEAD", "/memory/preload")).await?;
                p.get("last", "/memory/preload").await
            })
        },
        judge: |o| {
            state(o, "poll", "idle")?;
            o.at("head")?.status(200)?;
            state(o, "last", "idle")
        },
        ..OWN
    },
    Case {
        id: "preload/run/body-ignored",
        source: "contract 3.7",
        reqs: &["3.7.post"],
        requirement: "POST takes any body and content type, and answers at once with the state",
        why: "clients send an empty JSON object, or nothing",
        needs: RUNS,
        act: |p| {
            Box::pin(async move {
                let ask = Ask::new("POST", "/memory/preload").header("content-type", "text/odd").body("{{{");
                p.send("post", ask).await?;
                settled(p, "end").await
            })
        },
        judge: |o| {
            state(o, "post", "running")?;
            state(o, "end", "done")
        },
        ..OWN
    },
    Case {
        id: "preload/run/progress",
        source: "contract 3.7",
        reqs: &["3.7.progress"],
        requirement: "pages and bytes never go back while it runs, always with 4096 bytes to a page, and end at the most",
        why: "a progress bar that jumps back is reported as a bug of the host",
        needs: RUNS,
        act: |p| {
            Box::pin(async move {
                post(p, "post").await?;
                for _ in 0..400 {
                    p.get("poll", "/memory/preload").await?;
                    if !p.last_body().contains("\"running\"") {
                        break;
                    }
                    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
                }
                Ok(())
            })
        },
        judge: |o| {
            o.at("post")?.ok()?;
            let mut before = 0;
            for step in o.steps.iter().filter(|step| step.label == "poll") {
                let json: Value = serde_json::from_slice(&step.exchange.body).unwrap_or_default();
                let (pages, bytes) = (json["pages"].as_u64().unwrap_or_default(), json["bytes"].as_u64());
                o.at("poll")?.same("bytes", bytes, Some(pages * 4096))?;
                o.at("poll")?.holds(pages >= before, &format!("at least {before} pages"), pages)?;
                before = pages;
            }
            o.at("poll")?.holds(before > 0, "pages above 0 at the end", before)
        },
        ..OWN
    },
    Case {
        id: "preload/run/at-the-end",
        source: "contract 3.7",
        reqs: &["3.7.at-end"],
        requirement: "while it runs source is empty and elapsed 0; at the end regions, source and elapsed are told",
        why: "the host logs how long it took, and from where",
        needs: RUNS,
        act: |p| {
            Box::pin(async move {
                post(p, "post").await?;
                settled(p, "end").await
            })
        },
        judge: |o| {
            state(o, "post", "running")?;
            o.at("post")?.field_is("/source", "")?;
            o.at("post")?.field_is("/elapsed_sec", 0.0)?;
            let end = o.at("end")?;
            let json = end.ok()?;
            let source = json["source"].as_str().unwrap_or_default();
            end.holds(
                ["/dev/mem", "/proc/kcore"].contains(&source),
                "/dev/mem or /proc/kcore as the source",
                source,
            )?;
            end.holds(json["elapsed_sec"].as_f64() > Some(0.0), "elapsed_sec above 0", &json["elapsed_sec"])?;
            end.holds(json["regions"].as_u64() > Some(0), "regions above 0", &json["regions"])
        },
        ..OWN
    },
    Case {
        id: "preload/run/once-at-once",
        source: "contract 3.7 and 8",
        reqs: &["3.7.once", "8.preload-once"],
        requirement: "of ten POSTs at once one starts the run, and all of them report it",
        why: "memory would be read ten times over",
        needs: RUNS,
        act: |p| {
            Box::pin(async move {
                let asks = (0..10).map(|_| Ask::new("POST", "/memory/preload"));
                let opened = futures::future::join_all(asks.map(|ask| p.open(ask))).await;
                for opened in opened {
                    p.finish("post", opened?).await;
                }
                settled(p, "end").await?;
                post(p, "again").await
            })
        },
        judge: |o| {
            state(o, "post", "running")?;
            state(o, "end", "done")?;
            let (end, again) = (o.at("end")?, o.at("again")?);
            again.same("answer to a later POST", again.ok()?, end.ok()?)
        },
        ..OWN
    },
    Case {
        id: "preload/cancel/after-done",
        source: "contract 10",
        reqs: &["10.cancel-idle", "3.7.cancel-204"],
        requirement: "a cancel after the end is 204 and changes nothing: it stays done",
        why: "the host's guard reads cancelled as a broken restore",
        needs: RUNS,
        act: |p| {
            Box::pin(async move {
                post(p, "post").await?;
                settled(p, "end").await?;
                cancel(p, "cancel").await?;
                p.get("after", "/memory/preload").await
            })
        },
        judge: |o| {
            o.at("cancel")?.status(204)?;
            state(o, "end", "done")?;
            let (end, after) = (o.at("end")?, o.at("after")?);
            after.same("answer", after.ok()?, end.ok()?)
        },
        ..OWN
    },
    Case {
        id: "preload/cancel/stays",
        source: "contract 3.7",
        reqs: &["3.7.again", "3.7.cancel-running"],
        requirement: "after a cancel the state stays cancelled, a POST only reports it, and a second cancel is fine",
        why: "one run for each lifecycle, however it ended",
        needs: &["preload/cancel/running"],
        act: |p| {
            Box::pin(async move {
                post(p, "post").await?;
                cancel(p, "cancel").await?;
                settled(p, "end").await?;
                post(p, "again").await?;
                cancel(p, "second").await?;
                p.get("last", "/memory/preload").await
            })
        },
        judge: |o| {
            o.at("cancel")?.status(204)?;
            state(o, "end", "cancelled")?;
            state(o, "again", "cancelled")?;
            o.at("second")?.status(204)?;
            state(o, "last", "cancelled")
        },
        ..OWN
    },
    Case {
        id: "preload/cancel/rearmed",
        source: "contract 3.7",
        reqs: &["3.7.rearm", "3.4.lifecycle-change"],
        requirement: "a changed lifecycle re-arms a cancelled preload, and the next run ends as done",
        why: "a cancel of one life must not spoil the next",
        needs: &["preload/cancel/running", "preload/run/once"],
        disposable: true,
        act: |p| {
            Box::pin(async move {
                p.init("first", json!({ "lifecycle_id": "a" })).await?;
                post(p, "post").await?;
                cancel(p, "cancel").await?;
                settled(p, "cancelled").await?;
                p.init("second", json!({ "lifecycle_id": "b" })).await?;
                p.get("idle", "/memory/preload").await?;
                post(p, "next").await?;
                settled(p, "end").await
            })
        },
        judge: |o| {
            state(o, "cancelled", "cancelled")?;
            state(o, "idle", "idle")?;
            state(o, "next", "running")?;
            state(o, "end", "done")
        },
        ..OWN
    },
    Case {
        id: "preload/cancel/shape",
        source: "contract 3.7",
        reqs: &["3.7.cancel-204", "3.7.cancel-get", "1.cors-origin"],
        requirement: "cancel is 204 without a body and with CORS headers; GET on it is 405",
        why: "the host takes exactly 204",
        act: |p| {
            Box::pin(async move {
                cancel(p, "cancel").await?;
                p.get("get", "/memory/preload/cancel").await
            })
        },
        judge: |o| {
            let seen = o.at("cancel")?;
            seen.status(204)?;
            seen.body_is(b"")?;
            seen.header_is("access-control-allow-origin", "*")?;
            o.at("get")?.status(405)?;
            o.at("get")?.header_is("allow", "POST")
        },
        ..OWN
    },
    Case {
        id: "preload/lifecycle/while-running",
        source: "contract 3.4",
        reqs: &["3.4.lifecycle-change", "3.7.rearm"],
        requirement: "a lifecycle that changes while a preload runs makes it idle at once",
        why: "the run belongs to a memory that is gone",
        needs: &["preload/run/once"],
        disposable: true,
        act: |p| {
            Box::pin(async move {
                p.init("first", json!({ "lifecycle_id": "a" })).await?;
                post(p, "post").await?;
                p.init("second", json!({ "lifecycle_id": "b" })).await?;
                p.get("after", "/memory/preload").await
            })
        },
        judge: |o| {
            state(o, "post", "running")?;
            o.at("second")?.status(204)?;
            state(o, "after", "idle")
        },
        ..OWN
    },
    Case {
        id: "preload/lifecycle/same",
        source: "contract 3.4",
        reqs: &["3.4.lifecycle-same"],
        requirement: "the same lifecycle_id, and an /init without one, change nothing",
        why: "setting a variable must not read the memory again",
        needs: &["preload/run/once"],
        act: |p| {
            Box::pin(async move {
                p.init("first", json!({ "lifecycle_id": "a" })).await?;
                post(p, "post").await?;
                settled(p, "end").await?;
                p.init("same", json!({ "lifecycle_id": "a" })).await?;
                p.init("none", json!({})).await?;
                p.get("after", "/memory/preload").await
            })
        },
        judge: |o| {
            state(o, "end", "done")?;
            state(o, "after", "done")
        },
        ..OWN
    },
    Case {
        id: "preload/lifecycle/first-is-recorded",
        source: "contract 3.4",
        reqs: &["3.4.lifecycle-first"],
        requirement: "the first lifecycle_id ever is only recorded: a preload that is done stays done",
        why: "the boot's own /init must not throw away what was read",
        needs: &["preload/run/once"],
        act: |p| {
            Box::pin(async move {
                post(p, "post").await?;
                settled(p, "end").await?;
                p.init("first", json!({ "lifecycle_id": "a" })).await?;
                p.get("after", "/memory/preload").await
            })
        },
        judge: |o| {
            state(o, "end", "done")?;
            o.at("first")?.status(204)?;
            state(o, "after", "done")
        },
        ..OWN
    },
];
