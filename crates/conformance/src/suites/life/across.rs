//! What a new life changes: the preload, the clock, signatures and settings across a snapshot (contract 3.4, 3.7, 10).

use serde_json::{Value, json};

use super::init::settled;
use super::snapshot::{ALIVE, OWN, PREPARES, across, boot, crossed};
use crate::case::{Case, act};
use crate::feature::Feature;
use crate::probe::{Ask, shell};
use crate::suites::helpers::printed;

pub(in crate::suites) const CASES: &[Case] = &[
    OWN.case("snapshot/across/preload", "contract 3.7 and H5", &["3.7.rearm", "3.4.lifecycle-change"])
        .requires("after a resume the preload is idle again and runs once more to done")
        .why("the lazily restored memory has to be read in each life")
        .needs(&["snapshot/across/process", "preload/run/once"])
        .act(act!(|p| {
            boot(p).await?;
            p.send("post", Ask::new("POST", "/memory/preload")).await?;
            settled(p, "first end").await?;
            across(p).await?;
            p.get("idle", "/memory/preload").await?;
            p.send("again", Ask::new("POST", "/memory/preload")).await?;
            settled(p, "second end").await
        }))
        .judge(|o| {
            crossed(o)?;
            for (label, state) in
                [("first end", "done"), ("idle", "idle"), ("again", "running"), ("second end", "done")]
            {
                o.at(label)?.ok()?;
                o.at(label)?.field_is("/state", state)?;
            }
            Ok(())
        }),
    OWN.case("snapshot/across/prepare-keeps-preload", "contract 3.5 and 3.7", &["3.5.204", "3.7.again"])
        .requires("prepare alone changes no preload: done stays done until the new /init")
        .why("a pause that is rolled back sends no /init, and the state must still be right")
        .needs(&["snapshot/prepare/again", "preload/run/to-done"])
        .disposable(false)
        .act(act!(|p| {
            p.send("post", Ask::new("POST", "/memory/preload")).await?;
            settled(p, "end").await?;
            p.send("prepare", Ask::new("POST", "/snapshot/prepare")).await?;
            p.get("after", "/memory/preload").await
        }))
        .judge(|o| {
            o.at("prepare")?.status(204)?;
            o.at("end")?.field_is("/state", "done")?;
            o.at("after")?.ok()?;
            o.at("after")?.field_is("/state", "done")
        }),
    OWN.case("snapshot/across/first-lifecycle", "contract 10", &["10.prepare-first-lifecycle"])
        .requires("the first lifecycle_id after a prepare counts as a change, even if it is the first ever")
        .why("if the boot's /init was lost, the first resume must still count")
        .features(&[Feature::Lifecycle])
        .needs(&["snapshot/across/process", "preload/run/once"])
        .act(act!(|p| {
            p.send("post", Ask::new("POST", "/memory/preload")).await?;
            settled(p, "end").await?;
            p.send("prepare", Ask::new("POST", "/snapshot/prepare")).await?;
            p.init("resume", json!({ "lifecycle_id": "first" })).await?;
            p.get("after", "/memory/preload").await
        }))
        .judge(|o| {
            crossed(o)?;
            o.at("end")?.field_is("/state", "done")?;
            o.at("after")?.ok()?;
            o.at("after")?.field_is("/state", "idle")
        }),
    OWN.case(
        "snapshot/across/settings",
        "contract 3.4",
        &["3.4.env-merge", "2.token-state", "0.1.defaults-applied"],
    )
    .requires(
        "token, user, workdir and variables survive a snapshot and an /init that names \
            none of them",
    )
    .why("a live snapshot is followed by an /init of two fields")
    .needs(ALIVE)
    .act(act!(|p| {
        boot(p).await?;
        let set = json!({ "access_token": "s3cret", "defaultUser": "user",
                "defaultWorkdir": "/usr", "envVars": { "A": "kept" } });
        p.init("set", set).await?;
        across(p).await?;
        p.get("locked", "/envs").await?;
        let ask = p.start_ask("run", json!({ "process": shell("id -un; pwd; echo $A"), "stdin": false }));
        p.send("run", ask.header("x-access-token", "s3cret")).await.map(drop)
    }))
    .judge(|o| {
        o.at("set")?.status(204)?;
        crossed(o)?;
        o.at("locked")?.status(401)?;
        printed(o, "run", "user\n/usr\nkept\n")
    }),
    OWN.case("snapshot/across/clock", "contract 3.4 and 10", &["3.4.lifecycle-clock", "10.clock-shows"])
        .requires("a resume sets the guest's clock to the timestamp: Date and ts of /metrics show it")
        .why("a guest that slept for a week must not live in last week")
        .features(&[Feature::Lifecycle])
        .needs(ALIVE)
        .act(act!(|p| {
            boot(p).await?;
            across(p).await?;
            p.get("metrics", "/metrics").await
        }))
        .judge(|o| {
            crossed(o)?;
            let seen = o.at("metrics")?;
            let ts = seen.ok()?["ts"].as_u64().unwrap_or_default();
            let resumed = 1_893_542_400;
            seen.holds(
                (resumed..resumed + 60).contains(&ts),
                "a ts of the first minute of \
                2030-01-02",
                ts,
            )?;
            let date = seen.header("date").unwrap_or_default();
            seen.holds(date.starts_with("Wed, 02 Jan 2030 00:0"), "a Date of Wed, 02 Jan 2030 00:0…", date)
        }),
    OWN.case("snapshot/across/clock-unmoved", "contract 3.4", &["3.4.lifecycle-first", "3.4.lifecycle-same"])
        .requires("the first lifecycle and the same one step no clock")
        .why("the clock of a running guest must not jump")
        .features(&[Feature::Lifecycle])
        .needs(PREPARES)
        .act(act!(|p| {
            p.init("first", json!({ "lifecycle_id": "a", "timestamp": "2040-01-01T00:00:00Z" })).await?;
            p.init("same", json!({ "lifecycle_id": "a", "timestamp": "2041-01-01T00:00:00Z" })).await?;
            p.init("none", json!({ "timestamp": "2042-01-01T00:00:00Z" })).await?;
            p.get("metrics", "/metrics").await
        }))
        .judge(|o| {
            let seen = o.at("metrics")?;
            let ts = seen.ok()?["ts"].as_u64().unwrap_or_default();
            seen.holds(ts < 2_208_988_800, "a ts before 2040", ts)
        }),
    OWN.case("snapshot/across/expiry", "contract 10", &["10.clock-shows", "2.expired"])
        .requires(
            "a signature that is good when a guest is paused is expired once it is resumed \
            after its time",
        )
        .why("a link must not outlive its time in a frozen guest")
        .features(&[Feature::Lifecycle])
        .needs(&["snapshot/across/clock", "files/signature/expiry"])
        .act(act!(|p| {
            boot(p).await?;
            p.upload("upload", "/tmp/envd-conformance/f", b"x").await?;
            p.init("set", json!({ "access_token": "s3cret" })).await?;
            let link = Ask::download("/tmp/envd-conformance/f")
                .query("signature_expiration", "1893499200")
                .query("signature", LINK);
            p.send("before", link.clone()).await?;
            across(p).await?;
            p.send("after", link).await.map(drop)
        }))
        .judge(|o| {
            crossed(o)?;
            o.at("before")?.status(200)?;
            o.at("after")?.status(401)?;
            o.at("after")?.says("signature is already expired")
        }),
    OWN.case("snapshot/across/twice", "contract 3.4 and 3.5", &["3.5.idempotent", "3.4.lifecycle-change"])
        .requires("a guest goes through two snapshots, each a change of its own")
        .why("sandboxes are paused every night")
        .features(&[Feature::Lifecycle])
        .needs(&["snapshot/across/preload"])
        .act(act!(|p| {
            boot(p).await?;
            let open = p.start_sh("run", "read line; echo $line").await?;
            across(p).await?;
            p.send("post", Ask::new("POST", "/memory/preload")).await?;
            settled(p, "end").await?;
            p.send("prepare again", Ask::new("POST", "/snapshot/prepare")).await?;
            p.init("resume again", json!({ "lifecycle_id": "third", "timestamp": "2030-01-03T00:00:00Z" }))
                .await?;
            p.get("idle", "/memory/preload").await?;
            p.input("input", "run", "alive\n").await?;
            p.finish("run", open).await;
            Ok(())
        }))
        .judge(|o| {
            crossed(o)?;
            o.at("end")?.field_is("/state", "done")?;
            o.at("resume again")?.status(204)?;
            o.at("idle")?.ok()?;
            o.at("idle")?.field_is("/state", "idle")?;
            printed(o, "run", "alive\n")
        }),
    OWN.case(
        "snapshot/across/environment-of-processes",
        "contract 3.4 and H5",
        &["3.4.order", "3.3.init-set"],
    )
    .requires(
        "ids that a resume changes are in commands that start from then on, and not in \
            those that run",
    )
    .why("a clone of a sandbox has a name of its own")
    .needs(&["snapshot/across/process", "init/ids/files-and-environment"])
    .act(act!(|p| {
        p.init("boot", json!({ "lifecycle_id": "boot", "sandbox_id": "old" })).await?;
        let open = p.start_sh("run", "read line; echo $WRENN_SANDBOX_ID").await?;
        p.send("prepare", Ask::new("POST", "/snapshot/prepare")).await?;
        p.init("resume", json!({ "lifecycle_id": "resumed", "sandbox_id": "new" })).await?;
        p.sh("new", "echo $WRENN_SANDBOX_ID; cat /run/wrenn/.WRENN_SANDBOX_ID").await?;
        p.input("input", "run", "\n").await?;
        p.finish("run", open).await;
        Ok(())
    }))
    .judge(|o| {
        crossed(o)?;
        o.at("input")?.same::<Value>("answer", o.at("input")?.ok()?, json!({}))?;
        printed(o, "new", "new\nnew")?;
        printed(o, "run", "old\n")
    }),
];

/// For reading /tmp/envd-conformance/f as root with token s3cret until 2030-01-01T12:00:00Z.
const LINK: &str = "v1_vmVBcihNiOx2CyI4JsmSVzOgLJvEu3T+cAl8D6ZtnYc";
