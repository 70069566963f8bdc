//! The states of a preload, in their finer points (contract 3.7 and 10).

use serde_json::{Value, json};

use super::init::{cancelled, settled};
use crate::case::{Case, Isolation, act};
use crate::feature::Feature;
use crate::observation::Observation;
use crate::probe::{Ask, Probe, SetupError};
use crate::verdict::Judged;

const OWN: Case = Case { isolation: Isolation::Fresh, features: &[Feature::Preload], ..Case::BASE };
const RUNS: &[&str] = &["preload/run/to-done"];

async fn post(p: &mut Probe, label: &str) -> Result<(), SetupError> {
    p.send(label, Ask::new("POST", "/memory/preload")).await.map(drop)
}

async fn cancel(p: &mut Probe, label: &str) -> Result<(), SetupError> {
    p.send(label, Ask::new("POST", "/memory/preload/cancel")).await.map(drop)
}

fn state(o: &Observation, label: &str, state: &str) -> Judged {
    o.at(label)?.ok()?;
    o.at(label)?.field_is("/state", state)
}

pub(in crate::suites) const CASES: &[Case] = &[
    OWN.case("preload/get/shape", "contract 3.7", &["3.7.get", "3.7.error-null", "0.1.activity-preload"])
        .requires(
            "the answer has exactly state, regions, pages, bytes, elapsed_sec, source and \
            error, with their types",
        )
        .why("clients parse it strictly")
        .act(act!(|p| p.get("idle", "/memory/preload").await))
        .judge(|o| {
            let seen = o.at("idle")?;
            let expected = json!({
                "state": "idle", "regions": 0, "pages": 0, "bytes": 0, "elapsed_sec": 0.0,
                "source": "", "error": null,
            });
            seen.same("answer", seen.ok()?, expected)?;
            seen.header_is("content-type", "application/json")
        }),
    OWN.case("preload/get/pure", "contract 8", &["8.gets-pure"])
        .requires("asking for the state starts nothing, however often")
        .why("the host polls it")
        .act(act!(|p| {
            for _ in 0..5 {
                p.get("poll", "/memory/preload").await?;
            }
            p.send("head", Ask::new("HEAD", "/memory/preload")).await?;
            p.get("last", "/memory/preload").await
        }))
        .judge(|o| {
            state(o, "poll", "idle")?;
            o.at("head")?.status(200)?;
            state(o, "last", "idle")
        }),
    OWN.case("preload/run/body-ignored", "contract 3.7", &["3.7.post"])
        .requires("POST takes any body and content type, and answers at once with the state")
        .why("clients send an empty JSON object, or nothing")
        .needs(RUNS)
        .act(act!(|p| {
            let ask = Ask::new("POST", "/memory/preload").header("content-type", "text/odd").body("{{{");
            p.send("post", ask).await?;
            settled(p, "end").await
        }))
        .judge(|o| {
            state(o, "post", "running")?;
            state(o, "end", "done")
        }),
    OWN.case("preload/run/progress", "contract 3.7", &["3.7.progress"])
        .requires(
            "pages and bytes never go back while it runs, always with 4096 bytes to a page, \
            and end at the most",
        )
        .why("a progress bar that jumps back is reported as a bug of the host")
        .needs(RUNS)
        .act(act!(|p| {
            post(p, "post").await?;
            for _ in 0..400 {
                p.get("poll", "/memory/preload").await?;
                if !p.last_body().contains("\"running\"") {
                    break;
                }
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
            Ok(())
        }))
        .judge(|o| {
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
        }),
    OWN.case("preload/run/at-the-end", "contract 3.7", &["3.7.at-end"])
        .requires(
            "while it runs source is empty and elapsed 0; at the end regions, source and \
            elapsed are told",
        )
        .why("the host logs how long it took, and from where")
        .needs(RUNS)
        .act(act!(|p| {
            post(p, "post").await?;
            settled(p, "end").await
        }))
        .judge(|o| {
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
        }),
    OWN.case("preload/run/once-at-once", "contract 3.7 and 8", &["3.7.once", "8.preload-once"])
        .requires("of ten POSTs at once one starts the run, and all of them report it")
        .why("memory would be read ten times over")
        .needs(RUNS)
        .act(act!(|p| {
            let asks = (0..10).map(|_| Ask::new("POST", "/memory/preload"));
            let opened = futures::future::join_all(asks.map(|ask| p.open(ask))).await;
            for opened in opened {
                p.finish("post", opened?).await;
            }
            settled(p, "end").await?;
            post(p, "again").await
        }))
        .judge(|o| {
            state(o, "post", "running")?;
            state(o, "end", "done")?;
            let (end, again) = (o.at("end")?, o.at("again")?);
            again.same("answer to a later POST", again.ok()?, end.ok()?)
        }),
    OWN.case("preload/cancel/after-done", "contract 10", &["10.cancel-idle", "3.7.cancel-204"])
        .requires("a cancel after the end is 204 and changes nothing: it stays done")
        .why("the host's guard reads cancelled as a broken restore")
        .needs(RUNS)
        .act(act!(|p| {
            post(p, "post").await?;
            settled(p, "end").await?;
            cancel(p, "cancel").await?;
            p.get("after", "/memory/preload").await
        }))
        .judge(|o| {
            o.at("cancel")?.status(204)?;
            state(o, "end", "done")?;
            let (end, after) = (o.at("end")?, o.at("after")?);
            after.same("answer", after.ok()?, end.ok()?)
        }),
    OWN.case("preload/cancel/stays", "contract 3.7", &["3.7.again", "3.7.cancel-running"])
        .requires(
            "after a cancel the state stays cancelled, a POST only reports it, and a second \
            cancel is fine",
        )
        .why("one run for each lifecycle, however it ended")
        .needs(&["preload/cancel/running"])
        .act(act!(|p| {
            cancelled(p, "end").await?;
            post(p, "again").await?;
            cancel(p, "second").await?;
            p.get("last", "/memory/preload").await
        }))
        .judge(|o| {
            o.at("cancel")?.status(204)?;
            state(o, "end", "cancelled")?;
            state(o, "again", "cancelled")?;
            o.at("second")?.status(204)?;
            state(o, "last", "cancelled")
        }),
    OWN.case("preload/cancel/rearmed", "contract 3.7", &["3.7.rearm", "3.4.lifecycle-change"])
        .requires("a changed lifecycle re-arms a cancelled preload, and the next run ends as done")
        .why("a cancel of one life must not spoil the next")
        .needs(&["preload/cancel/running", "preload/run/once"])
        .disposable(true)
        .act(act!(|p| {
            cancelled(p, "cancelled").await?;
            p.init("second", json!({ "lifecycle_id": "b" })).await?;
            p.get("idle", "/memory/preload").await?;
            post(p, "next").await?;
            settled(p, "end").await
        }))
        .judge(|o| {
            state(o, "cancelled", "cancelled")?;
            state(o, "idle", "idle")?;
            state(o, "next", "running")?;
            state(o, "end", "done")
        }),
    OWN.case("preload/cancel/shape", "contract 3.7", &["3.7.cancel-204", "3.7.cancel-get", "1.cors-origin"])
        .requires("cancel is 204 without a body and with CORS headers; GET on it is 405")
        .why("the host takes exactly 204")
        .act(act!(|p| {
            cancel(p, "cancel").await?;
            p.get("get", "/memory/preload/cancel").await
        }))
        .judge(|o| {
            let seen = o.at("cancel")?;
            seen.status(204)?;
            seen.body_is(b"")?;
            seen.header_is("access-control-allow-origin", "*")?;
            o.at("get")?.status(405)?;
            o.at("get")?.header_is("allow", "POST")
        }),
    OWN.case("preload/lifecycle/while-running", "contract 3.4", &["3.4.lifecycle-change", "3.7.rearm"])
        .requires("a lifecycle that changes while a preload runs makes it idle at once")
        .why("the run belongs to a memory that is gone")
        .needs(&["preload/run/once"])
        .disposable(true)
        .act(act!(|p| {
            p.init("first", json!({ "lifecycle_id": "a" })).await?;
            post(p, "post").await?;
            p.init("second", json!({ "lifecycle_id": "b" })).await?;
            p.get("after", "/memory/preload").await
        }))
        .judge(|o| {
            state(o, "post", "running")?;
            o.at("second")?.status(204)?;
            state(o, "after", "idle")
        }),
    OWN.case("preload/lifecycle/same", "contract 3.4", &["3.4.lifecycle-same"])
        .requires("the same lifecycle_id, and an /init without one, change nothing")
        .why("setting a variable must not read the memory again")
        .needs(&["preload/run/once"])
        .act(act!(|p| {
            p.init("first", json!({ "lifecycle_id": "a" })).await?;
            post(p, "post").await?;
            settled(p, "end").await?;
            p.init("same", json!({ "lifecycle_id": "a" })).await?;
            p.init("none", json!({})).await?;
            p.get("after", "/memory/preload").await
        }))
        .judge(|o| {
            state(o, "end", "done")?;
            state(o, "after", "done")
        }),
    OWN.case("preload/lifecycle/first-is-recorded", "contract 3.4", &["3.4.lifecycle-first"])
        .requires("the first lifecycle_id ever is only recorded: a preload that is done stays done")
        .why("the boot's own /init must not throw away what was read")
        .needs(&["preload/run/once"])
        .act(act!(|p| {
            post(p, "post").await?;
            settled(p, "end").await?;
            p.init("first", json!({ "lifecycle_id": "a" })).await?;
            p.get("after", "/memory/preload").await
        }))
        .judge(|o| {
            state(o, "end", "done")?;
            o.at("first")?.status(204)?;
            state(o, "after", "done")
        }),
];
