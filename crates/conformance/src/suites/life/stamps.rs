//! The timestamp of `/init`, and the order in which its parts count (contract 3.4).

use serde_json::{Value, json};

use super::gates::{OWN, TOKEN, a_is, envs, text};
use crate::case::{Case, act};
use crate::feature::Feature;
use crate::probe::Ask;
use crate::suites::helpers::all_are;

const GATE: &[&str] = &["init/timestamp/gate"];

pub(in crate::suites) const CASES: &[Case] = &[
    OWN.case(
        "init/timestamp/forms",
        "contract 3.4",
        &["3.4.timestamp-forms", "3.4.seconds", "3.4.timestamp-gate"],
    )
    .requires("RFC 3339 and decimal seconds are the same clock: each gates the other")
    .why("hosts of two generations talk to one guest")
    .needs(GATE)
    .act(act!(|p| {
        envs(p, "seconds", "seconds", json!({ "timestamp": "2000000000.5" })).await?;
        envs(p, "older", "older", json!({ "timestamp": "2033-05-18T03:33:20.4Z" })).await?;
        p.get("gated", "/envs").await?;
        envs(p, "newer", "newer", json!({ "timestamp": "2033-05-18T03:33:20.6Z" })).await?;
        p.get("applied", "/envs").await?;
        envs(p, "older seconds", "older", json!({ "timestamp": "2000000000" })).await?;
        p.get("kept", "/envs").await
    }))
    .judge(|o| {
        all_are(o, &["seconds", "older", "newer", "older seconds"], 204)?;
        a_is(o, "gated", "seconds")?;
        a_is(o, "applied", "newer")?;
        a_is(o, "kept", "newer")
    }),
    OWN.case("init/timestamp/offsets", "contract 3.4", &["3.4.timestamp-forms"])
        .requires("offsets of an RFC 3339 time count, and nine digits of a second")
        .why("a host in another zone would be stale for hours")
        .needs(GATE)
        .act(act!(|p| {
            envs(p, "first", "first", json!({ "timestamp": "2030-01-01T12:00:00+02:00" })).await?;
            envs(p, "later", "later", json!({ "timestamp": "2030-01-01T05:00:00.000000001-05:00" })).await?;
            p.get("applied", "/envs").await?;
            envs(p, "earlier", "earlier", json!({ "timestamp": "2030-01-01T11:59:59+02:00" })).await?;
            p.get("kept", "/envs").await
        }))
        .judge(|o| {
            all_are(o, &["first", "later", "earlier"], 204)?;
            a_is(o, "applied", "later")?;
            a_is(o, "kept", "later")
        }),
    OWN.case("init/timestamp/unreadable", "contract 3.4", &["3.4.timestamp-unreadable"])
        .requires("a timestamp that cannot be read is none: the rest is applied, and no gate moves")
        .why("a host with a broken clock must still be able to set up a guest")
        .needs(GATE)
        .act(act!(|p| {
            envs(p, "first", "first", json!({ "timestamp": "2030-01-01T00:00:00Z" })).await?;
            for (label, time) in [("words", "yesterday"), ("empty", ""), ("month", "2031-13-01T00:00:00Z")] {
                envs(p, label, label, json!({ "timestamp": time })).await?;
                p.get(&format!("after {label}"), "/envs").await?;
            }
            envs(p, "next", "next", json!({ "timestamp": "2030-01-01T00:00:01Z" })).await?;
            p.get("after next", "/envs").await
        }))
        .judge(|o| {
            ["words", "empty", "month", "next"].iter().try_for_each(|label| {
                o.at(label)?.status(204)?;
                let after = format!("after {label}");
                a_is(o, &after, *label)
            })
        }),
    OWN.case("init/timestamp/far-future", "contract 3.4", &["3.4.timestamp-future"])
        .requires("one far timestamp blocks all later ones; an /init without one is applied still")
        .why("that is the cost of the gate, and every build must pay it alike")
        .needs(GATE)
        .act(act!(|p| {
            envs(p, "far", "far", json!({ "timestamp": "9999-01-01T00:00:00Z" })).await?;
            envs(p, "now", "now", json!({ "timestamp": "2031-01-01T00:00:00Z" })).await?;
            p.get("blocked", "/envs").await?;
            envs(p, "bare", "bare", json!({})).await?;
            p.get("applied", "/envs").await
        }))
        .judge(|o| {
            all_are(o, &["far", "now", "bare"], 204)?;
            a_is(o, "blocked", "far")?;
            a_is(o, "applied", "bare")
        }),
    OWN.case("init/order/stale-skips-all", "contract 3.4", &["3.4.order", "3.4.timestamp-gate"])
        .requires("a stale /init sets no token, user, workdir, ids or variables")
        .why("a late retry must not undo anything")
        .needs(GATE)
        .act(act!(|p| {
            envs(p, "new", "new", json!({ "timestamp": "2030-01-01T00:00:00Z" })).await?;
            let stale = json!({
                "timestamp": "2029-01-01T00:00:00Z", "access_token": TOKEN, "defaultUser": "user",
                "defaultWorkdir": "/usr",
                "sandbox_id": "stale", "hyperloop_ip": "10.9.8.7",
            });
            envs(p, "stale", "stale", stale).await?;
            p.get("envs", "/envs").await?;
            p.sh("run", "id -un; cd && test \"$OLDPWD\" != /usr && echo home").await
        }))
        .judge(|o| {
            all_are(o, &["new", "stale"], 204)?;
            a_is(o, "envs", "new")?;
            o.at("envs")?.field_is("/WRENN_SANDBOX_ID", Value::Null)?;
            crate::suites::helpers::printed(o, "run", "root\nhome\n")
        }),
    OWN.case("init/order/token-first", "contract 3.4", &["3.4.token-aborts", "3.4.order"])
        .requires("a wrong token aborts before the lifecycle, the timestamp and the variables")
        .why("a stranger must not be able to reset a preload")
        .needs(&["init/token/once", "preload/run/once"])
        .act(act!(|p| {
            let set = json!({ "access_token": TOKEN, "lifecycle_id": "a",
                "timestamp": "2030-01-01T00:00:00Z" });
            envs(p, "set", "set", set).await?;
            let with = |ask: Ask| ask.header("x-access-token", TOKEN);
            p.send("post", with(Ask::new("POST", "/memory/preload"))).await?;
            let wrong = json!({ "access_token": "wrong", "lifecycle_id": "b",
                "timestamp": "2031-01-01T00:00:00Z" });
            envs(p, "wrong", "wrong", wrong).await?;
            p.send("preload", with(Ask::new("GET", "/memory/preload"))).await?;
            envs(p, "right", "right", json!({ "access_token": TOKEN, "timestamp": "2030-06-01T00:00:00Z" }))
                .await?;
            p.send("envs", with(Ask::new("GET", "/envs"))).await.map(drop)
        }))
        .judge(|o| {
            text(o, "wrong", 401, "access token validation failed")?;
            let preload = o.at("preload")?;
            let state = preload.ok()?["state"].clone();
            preload.holds(
                state != "idle",
                "a state other than idle: the lifecycle has not changed",
                &state,
            )?;
            o.at("right")?.status(204)?;
            a_is(o, "envs", "right")
        }),
    OWN.case(
        "init/order/lifecycle-before-gate",
        "contract 3.4",
        &["3.4.lifecycle-stale", "3.4.lifecycle-first", "3.4.lifecycle-change"],
    )
    .requires("a changed lifecycle_id counts even when the timestamp is stale")
    .why("a resume with an old clock must still re-arm the preload")
    .features(&[Feature::Lifecycle])
    .needs(&["init/timestamp/gate", "preload/run/once"])
    .disposable(true)
    .act(act!(|p| {
        p.init("first", json!({ "lifecycle_id": "a", "timestamp": "2030-01-01T00:00:00Z" })).await?;
        p.send("post", Ask::new("POST", "/memory/preload")).await?;
        envs(p, "stale", "stale", json!({ "lifecycle_id": "b", "timestamp": "2029-01-01T00:00:00Z" }))
            .await?;
        p.get("preload", "/memory/preload").await?;
        p.get("envs", "/envs").await
    }))
    .judge(|o| {
        all_are(o, &["first", "stale"], 204)?;
        o.at("preload")?.field_is("/state", "idle")?;
        a_is(o, "envs", Value::Null)
    }),
];
