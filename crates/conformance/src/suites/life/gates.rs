//! What `/init` reads, and what decides whether it is applied: body, token, lifecycle, timestamp (contract 3.4 and 10).

use serde_json::{Value, json};

use crate::case::{Case, Isolation, act};
use crate::feature::Feature;
use crate::observation::Observation;
use crate::probe::{Ask, Probe, SetupError};
use crate::suites::controls;
use crate::suites::helpers::all_are;
use crate::verdict::Judged;

pub(super) const OWN: Case = Case { isolation: Isolation::Fresh, ..Case::BASE };
const SET: &[&str] = &["init/envs/merge"];
pub(super) const TOKEN: &str = "envd-conformance-s3cret";
const LIMIT: usize = 2 << 20;

async fn typed(p: &mut Probe, label: &str, kind: &str, body: &[u8]) -> Result<(), SetupError> {
    p.send(label, Ask::new("POST", "/init").header("content-type", kind).body(body)).await.map(drop)
}

pub(super) async fn envs(p: &mut Probe, label: &str, value: &str, more: Value) -> Result<(), SetupError> {
    let mut body = json!({ "envVars": { "A": value } });
    if let (Some(body), Some(more)) = (body.as_object_mut(), more.as_object()) {
        body.extend(more.clone());
    }
    p.init(label, body).await
}

/// Variable A of /envs has this value.
pub(super) fn a_is(o: &Observation, label: &str, value: impl Into<Value>) -> Judged {
    o.at(label)?.ok()?;
    o.at(label)?.field_is("/A", value)
}

/// A refusal in plain text.
pub(super) fn text(o: &Observation, label: &str, status: u16, words: &str) -> Judged {
    let seen = o.at(label)?;
    seen.status(status)?;
    seen.header_is("content-type", "text/plain; charset=utf-8")?;
    seen.says(words)
}

pub(in crate::suites) const CASES: &[Case] = &[
    OWN.case("init/body/type-decides", "contract 3.4", &["3.4.no-type", "3.4.json-types"])
        .requires("a body without a content type is ignored, one of application/*+json is read")
        .why("the oldest hosts send a body of rubbish")
        .needs(SET)
        .act(act!(|p| {
            p.send("bare", Ask::new("POST", "/init").body(r#"{"envVars":{"A":"bare"}}"#)).await?;
            p.send("rubbish", Ask::new("POST", "/init").body("{{{")).await?;
            p.get("after bare", "/envs").await?;
            typed(p, "suffix", "application/vnd.odd+json", br#"{"envVars":{"A":"suffix"}}"#).await?;
            p.get("after suffix", "/envs").await?;
            typed(p, "charset", "application/json; charset=utf-8", br#"{"envVars":{"A":"charset"}}"#).await?;
            p.get("after charset", "/envs").await
        }))
        .judge(|o| {
            all_are(o, &["bare", "rubbish", "suffix", "charset"], 204)?;
            a_is(o, "after bare", Value::Null)?;
            a_is(o, "after suffix", "suffix")?;
            a_is(o, "after charset", "charset")
        }),
    OWN.case(
        "init/body/refusals",
        "contract 3.4 and 3",
        &["3.4.415", "3.4.400", "3.4.422", "3.extractor-text"],
    )
    .requires("415, 400 and 422 are plain text, the first with the words of the framework")
    .why("hosts log what they are told")
    .positive_control(|o| o.at("twin")?.status(204))
    .act(act!(|p| {
        typed(p, "twin", "application/json", b"{}").await?;
        typed(p, "type", "text/plain", b"{}").await?;
        typed(p, "syntax", "application/json", b"{\"envVars\":").await?;
        typed(p, "shape", "application/json", br#"{"timestamp":7}"#).await?;
        typed(p, "list", "application/json", br#"{"envVars":["A"]}"#).await
    }))
    .judge(|o| {
        text(o, "type", 415, "Expected request with `Content-Type: application/json`")?;
        text(o, "syntax", 400, "")?;
        text(o, "shape", 422, "")?;
        text(o, "list", 422, "")
    }),
    OWN.case("init/body/limit", "contract 3.4", &["3.4.413"])
        .requires(
            "a body of 2 MiB is read, a longer one is 413 \"length limit exceeded\", and \
            nothing of it is applied",
        )
        .why("a body is held in memory whole")
        .needs(SET)
        .tags(&["limits"])
        .act(act!(|p| {
            for (label, length) in [("fits", LIMIT), ("over", LIMIT + 1)] {
                let (head, tail) = (format!("{{\"envVars\":{{\"A\":\"{label}\"}},\"odd\":\""), "\"}");
                let padding = "x".repeat(length - head.len() - tail.len());
                typed(p, label, "application/json", format!("{head}{padding}{tail}").as_bytes()).await?;
            }
            p.get("envs", "/envs").await
        }))
        .judge(|o| {
            o.at("fits")?.status(204)?;
            text(o, "over", 413, "length limit exceeded")?;
            a_is(o, "envs", "fits")
        }),
    OWN.case("init/body/null", "contract 3.4", &["3.4.unknown-null"])
        .requires("null is an absent field, everywhere")
        .why("clients without optional fields send it")
        .needs(&["process/start/events"])
        .act(act!(|p| {
            let body = json!({
                "access_token": null, "defaultUser": null, "defaultWorkdir": null,
                "envVars": null, "timestamp": null,
                "hyperloop_ip": null, "volume_mounts": null, "sandbox_id": null,
                "template_id": null, "proxy_domain": null,
                "lifecycle_id": null,
            });
            p.init("init", body).await?;
            p.get("envs", "/envs").await?;
            p.sh("run", "id -un").await
        }))
        .judge(|o| {
            o.at("init")?.status(204)?;
            o.at("envs")?.ok()?;
            o.at("envs")?.field_is("/WRENN_SANDBOX_ID", Value::Null)?;
            crate::suites::helpers::printed(o, "run", "root\n")
        }),
    OWN.case("init/body/empty-answer", "contract 3.4", &["3.4.204"])
        .requires("success is 204 with no-store and no body, whatever was sent")
        .why("the host takes exactly that")
        .act(act!(|p| {
            p.init("empty", json!({})).await?;
            envs(p, "full", "x", json!({ "defaultUser": "root", "lifecycle_id": "a" })).await
        }))
        .judge(|o| {
            ["empty", "full"].iter().try_for_each(|label| {
                o.at(label)?.status(204)?;
                o.at(label)?.header_is("cache-control", "no-store")?;
                o.at(label)?.body_is(b"")
            })
        }),
    OWN.case("init/spelling/other-generation", "contract 2 and 3.4", &["3.4.spelling", "2.spelling"])
        .requires(
            "the other generation's spellings are silently ignored: accessToken, \
            hyperloopIp, env_vars, default_user",
        )
        .why("a host of another generation must not half-configure a guest")
        .features(&[Feature::Lifecycle])
        .needs(SET)
        .act(act!(|p| {
            let body = json!({
                "accessToken": TOKEN, "hyperloopIp": "10.9.8.7", "env_vars": { "A": "x" },
                "default_user": "user", "sandboxId": "s",
            });
            p.init("init", body).await?;
            p.get("envs", "/envs").await?;
            p.sh("run", "id -un").await
        }))
        .judge(|o| {
            o.at("init")?.status(204)?;
            a_is(o, "envs", Value::Null)?;
            for name in ["WRENN_SANDBOX_ID", "WRENN_EVENTS_ADDRESS"] {
                o.at("envs")?.field_is(&format!("/{name}"), Value::Null)?;
            }
            crate::suites::helpers::printed(o, "run", "root\n")
        }),
    OWN.case(
        "init/envs/never-deleted",
        "contract 3.4 and 3.3",
        &["3.4.env-merge", "3.3.init-set", "3.3.flat"],
    )
    .requires("an /init with other variables, or none, deletes nothing; an empty value is a value")
    .why("a resumed sandbox would lose its environment")
    .needs(SET)
    .act(act!(|p| {
        p.init("first", json!({ "envVars": { "A": "1", "B": "2" } })).await?;
        p.init("second", json!({ "envVars": {} })).await?;
        p.init("third", json!({ "envVars": { "B": "" } })).await?;
        p.get("envs", "/envs").await
    }))
    .judge(|o| {
        all_are(o, &["first", "second", "third"], 204)?;
        a_is(o, "envs", "1")?;
        o.at("envs")?.field_is("/B", "")
    }),
    OWN.case("init/envs/overridden-by-request", "contract 4.1", &["4.1.env-order", "3.3.init-set"])
        .requires(
            "default variables reach every command, and come after PATH and HOME but before \
            the request's",
        )
        .why("who sets a default means it, and who sets a command's variable means that more")
        .needs(&["init/envs/merge", "process/start/environment"])
        .act(act!(|p| {
            p.init("init", json!({ "envVars": { "HOME": "/from-init", "A": "init", "B": "init" } })).await?;
            let mut process = crate::probe::shell("echo $HOME $A $B");
            process["envs"] = json!({ "B": "request" });
            p.run("run", json!({ "process": process, "stdin": false })).await
        }))
        .judge(|o| {
            o.at("init")?.status(204)?;
            crate::suites::helpers::printed(o, "run", "/from-init init request\n")
        }),
    OWN.case("init/poison/every-field", "contract 10", &["10.init-poison", "3.error-shape"])
        .requires("a NUL in any value is 400 in JSON, and nothing of the request is applied")
        .why("such a value has brought real daemons down")
        .features(&[Feature::Lifecycle])
        .needs(SET)
        .positive_control(|o| o.at("twin")?.status(204))
        .act(act!(|p| {
            p.init("twin", json!({ "envVars": { "A": "kept" } })).await?;
            for field in POISONED {
                envs(p, field, "poisoned", json!({ field: "a\0b" })).await?;
            }
            let mounts = json!({ "volume_mounts": [{ "nfs_target": "a\0b", "path": "/mnt" }] });
            envs(p, "volume_mounts", "poisoned", mounts).await?;
            p.get("envs", "/envs").await
        }))
        .judge(|o| {
            for label in POISONED.iter().copied().chain(["volume_mounts"]) {
                o.at(label)?.status(400)?;
                o.at(label)?.field_is("/code", 400)?;
            }
            a_is(o, "envs", "kept")
        }),
    OWN.case("init/poison/bad-name", "contract 10", &["10.init-poison"])
        .requires("a variable's name with = or NUL is 400, and nothing of the request is applied")
        .why("every later command would fail")
        .needs(SET)
        .positive_control(controls::no_content)
        .act(act!(|p| {
            controls::init(p).await?;
            for (label, name) in [("equals", "A=B"), ("nul", "A\0")] {
                p.init(label, json!({ "envVars": { name: "x", "A": "x" } })).await?;
            }
            p.get("envs", "/envs").await
        }))
        .judge(|o| {
            all_are(o, &["equals", "nul"], 400)?;
            a_is(o, "envs", Value::Null)
        }),
    OWN.case("init/at-once/all-applied", "contract 3.4", &["3.4.env-merge"])
        .requires("twenty /init at once without timestamps are all applied")
        .why("two parts of a host may set up one guest")
        .needs(SET)
        .act(act!(|p| {
            let asks = (0..20).map(|n| Ask::init(&json!({ "envVars": { format!("N{n}"): "x" } })));
            let opened = futures::future::join_all(asks.map(|ask| p.open(ask))).await;
            for opened in opened {
                p.finish("init", opened?).await;
            }
            p.get("envs", "/envs").await
        }))
        .judge(|o| {
            o.at("init")?.status(204)?;
            o.at("envs")?.ok()?;
            (0..20).try_for_each(|n| o.at("envs")?.field_is(&format!("/N{n}"), "x"))
        }),
];

const POISONED: [&str; 9] = [
    "access_token",
    "defaultUser",
    "defaultWorkdir",
    "hyperloop_ip",
    "timestamp",
    "sandbox_id",
    "template_id",
    "proxy_domain",
    "lifecycle_id",
];
