//! `/init` and its gates, the snapshot, and the preload machine (contract 2, 3.4, 3.5 and 3.7). All of them change what
//! cannot be changed back, so each has a subject of its own.

use serde_json::{Value, json};

use crate::case::{Case, Isolation, act};
use crate::feature::Feature;
use crate::probe::{Ask, Probe, SetupError};
use crate::suites::controls;
use crate::suites::helpers::uploaded_is;
use crate::suites::process::start::EVENTS;

const OWN: Case = Case { isolation: Isolation::Fresh, ..Case::BASE };
const SET: &[&str] = &["init/envs/merge"];
const TOKEN: &str = "envd-conformance-s3cret";

/// So often is the state of a preload asked for: a run of the mock takes a few hundred milliseconds.
const POLLS: usize = 400;

pub(in crate::suites) const CASES: &[Case] = &[
    OWN.case("init/body/none", "contract 3.4", &["3.4.204", "3.4.no-type"])
        .requires("POST /init without body and content type is 204, not cached, and empty")
        .why("the oldest hosts resume a guest so, and take nothing but 204")
        .act(act!(|p| p.send("init", Ask::new("POST", "/init")).await.map(drop)))
        .judge(|o| {
            let seen = o.at("init")?;
            seen.status(204)?;
            seen.header_is("cache-control", "no-store")
        }),
    OWN.case("init/body/bad", "contract 3.4", &["3.4.415", "3.4.400", "3.4.422"])
        .requires("another content type is 415, bad JSON 400, a wrong type 422")
        .why("a host that sends nonsense must learn it at once")
        .positive_control(controls::no_content)
        .act(act!(|p| {
            controls::init(p).await?;
            let post = || Ask::new("POST", "/init");
            p.send("type", post().header("content-type", "text/plain").body("{}")).await?;
            p.send("syntax", post().header("content-type", "application/json").body("{")).await?;
            p.init("shape", json!({ "envVars": 7 })).await
        }))
        .judge(|o| {
            o.at("type")?.status(415)?;
            o.at("syntax")?.status(400)?;
            o.at("shape")?.status(422)
        }),
    OWN.case("init/envs/merge", "contract 3.4", &["3.4.env-merge", "3.4.unknown-null"])
        .requires("envVars are merged key by key over what is set, and /envs and commands see them")
        .why("a resumed sandbox would lose its environment")
        .needs(EVENTS)
        .act(act!(|p| {
            p.init("first", json!({ "envVars": { "A": "1", "B": "1" } })).await?;
            p.init("second", json!({ "envVars": { "B": "2" }, "no_such_field": 1 })).await?;
            p.get("envs", "/envs").await?;
            p.sh("run", "echo $A$B").await
        }))
        .judge(|o| {
            o.at("first")?.status(204)?;
            o.at("second")?.status(204)?;
            o.at("envs")?.field_is("/A", "1")?;
            o.at("envs")?.field_is("/B", "2")?;
            let run = o.at("run")?;
            run.same("stdout", run.succeeded()?.text().as_str(), "12\n")
        }),
    OWN.case("init/envs/poison", "contract 10", &["10.init-poison"])
        .requires("a NUL in a value or an empty key is 400, and nothing of the request is applied")
        .why("one bad value would break every command that follows")
        .needs(SET)
        .positive_control(controls::no_content)
        .act(act!(|p| {
            controls::init(p).await?;
            p.init("nul", json!({ "envVars": { "A": "a\0b", "C": "1" } })).await?;
            p.init("key", json!({ "envVars": { "": "x", "C": "1" } })).await?;
            p.get("envs", "/envs").await
        }))
        .judge(|o| {
            o.at("nul")?.status(400)?;
            o.at("key")?.status(400)?;
            o.at("envs")?.field_is("/C", Value::Null)
        }),
    OWN.case("init/timestamp/gate", "contract 3.4", &["3.4.timestamp-gate", "3.4.timestamp-forms"])
        .requires("an /init that is not newer than the newest is 204 and changes nothing")
        .why("a late retry must not undo what came after it")
        .needs(SET)
        .act(act!(|p| {
            let at = |time: &str, value: &str| json!({ "timestamp": time, "envVars": { "A": value } });
            p.init("new", at("2030-01-01T12:00:00Z", "new")).await?;
            p.init("same", at("2030-01-01T13:00:00+01:00", "same")).await?;
            p.init("old", at("2030-01-01T11:59:59.999Z", "old")).await?;
            p.get("stale", "/envs").await?;
            p.init("newer", at("2030-01-01T12:00:00.000000001Z", "newer")).await?;
            p.get("fresh", "/envs").await
        }))
        .judge(|o| {
            for label in ["new", "same", "old", "newer"] {
                o.at(label)?.status(204)?;
            }
            o.at("stale")?.field_is("/A", "new")?;
            o.at("fresh")?.field_is("/A", "newer")
        }),
    OWN.case(
        "init/token/once",
        "contract 3.4",
        &["3.4.token-set", "3.4.token-same", "3.4.token-other", "3.4.token-empty"],
    )
    .requires("a token that is set stays: the same is 204, another or an empty one 401")
    .why("whoever reaches the guest could take it over")
    .act(act!(|p| {
        p.init("set", json!({ "access_token": TOKEN })).await?;
        p.init("same", json!({ "access_token": TOKEN })).await?;
        p.init("other", json!({ "access_token": "other" })).await?;
        p.init("empty", json!({ "access_token": "" })).await
    }))
    .judge(|o| {
        o.at("set")?.status(204)?;
        o.at("same")?.status(204)?;
        let other = o.at("other")?;
        other.status(401)?;
        other.says("access token validation failed")?;
        let empty = o.at("empty")?;
        empty.status(401)?;
        empty.says("access token reset not authorized")
    }),
    OWN.case("init/token/guards", "contract 2 and 10", &["10.token-guards", "10.token-rpc", "10.token-open"])
        .requires(
            "with a token set, RPCs and /envs are 401 without it and work with it; /health \
            stays open",
        )
        .why("the token is the only wall between the network and a root shell")
        .features(&[Feature::TokenGuard])
        .act(act!(|p| {
            p.init("set", json!({ "access_token": TOKEN })).await?;
            let list = || Ask::unary("process.Process/List", &json!({}));
            p.send("without", list()).await?;
            p.send("wrong", list().header("x-access-token", "wrong")).await?;
            p.send("with", list().header("x-access-token", TOKEN)).await?;
            p.get("envs", "/envs").await?;
            p.get("health", "/health").await
        }))
        .judge(|o| {
            o.at("set")?.status(204)?;
            for label in ["without", "wrong", "envs"] {
                o.at(label)?.status(401)?;
                o.at(label)?.field_is("/code", 401)?;
            }
            o.at("with")?.status(200)?;
            o.at("health")?.status(200)
        }),
    OWN.case("init/default-user/applies", "contract 3.4", &["0.1.defaults-applied", "3.4.user-affects"])
        .requires("after defaultUser a command runs as that user, with its home")
        .why("files that root owns cannot be changed by the sandbox's user")
        .features(&[Feature::InitDefaults])
        .needs(EVENTS)
        .act(act!(|p| {
            p.init("init", json!({ "defaultUser": "user" })).await?;
            p.sh("run", "id -un; echo $HOME").await
        }))
        .judge(|o| {
            o.at("init")?.status(204)?;
            let run = o.at("run")?;
            run.same("stdout", run.succeeded()?.text().as_str(), "user\n/home/user\n")
        }),
    OWN.case(
        "init/default-workdir/applies",
        "contract 3.4 and 10",
        &["0.1.defaults-applied", "3.4.workdir", "10.relative-workdir"],
    )
    .requires("after defaultWorkdir commands start there and relative file paths begin there")
    .why("a project's files would land in the home directory")
    .features(&[Feature::InitDefaults])
    .needs(EVENTS)
    .act(act!(|p| {
        p.init("init", json!({ "defaultWorkdir": "/tmp" })).await?;
        p.sh("run", "pwd").await?;
        p.upload("upload", "envd-conformance.txt", b"x").await
    }))
    .judge(|o| {
        o.at("init")?.status(204)?;
        let run = o.at("run")?;
        run.same("stdout", run.succeeded()?.text().as_str(), "/tmp\n")?;
        uploaded_is(o, "upload", "path", "/tmp/envd-conformance.txt")
    }),
    OWN.case("snapshot/prepare/again", "contract 3.5", &["3.5.204", "3.5.idempotent"])
        .requires("POST /snapshot/prepare is 204, not cached, whatever the body, and may be repeated")
        .why("the host pauses right after it, and retries")
        .needs(EVENTS)
        .act(act!(|p| {
            p.send("first", Ask::new("POST", "/snapshot/prepare")).await?;
            p.send("second", Ask::new("POST", "/snapshot/prepare").body("{")).await?;
            p.sh("run", "echo up").await
        }))
        .judge(|o| {
            for label in ["first", "second"] {
                o.at(label)?.status(204)?;
                o.at(label)?.header_is("cache-control", "no-store")?;
            }
            o.at("run")?.succeeded().map(drop)
        }),
    OWN.case("preload/get/idle", "contract 3.7", &["3.7.get", "3.7.error-null"])
        .requires("before the first POST the state is idle, all counters 0 and error null")
        .why("the host heals a lazy restore that never began by this word")
        .features(&[Feature::Preload])
        .act(act!(|p| p.get("idle", "/memory/preload").await))
        .judge(|o| {
            let seen = o.at("idle")?;
            seen.ok()?;
            seen.field_is("/state", "idle")?;
            seen.field_is("/error", Value::Null)?;
            seen.field_is("/pages", 0)?;
            seen.field_is("/bytes", 0)
        }),
    OWN.case("preload/run/to-done", "contract 3.7", &["3.7.post", "3.7.progress"])
        .requires("POST answers at once, running; it ends as done, with bytes and 4096 of them to a page")
        .why("the host polls until it is done before it lets a snapshot begin")
        .features(&[Feature::Preload])
        .needs(&["preload/get/idle"])
        .act(act!(|p| {
            p.send("post", Ask::new("POST", "/memory/preload")).await?;
            settled(p, "end").await
        }))
        .judge(|o| {
            let post = o.at("post")?;
            post.ok()?;
            let state = post.json()?["state"].clone();
            post.holds(state == "running" || state == "done", "state running (or already done)", &state)?;
            let end = o.at("end")?;
            end.field_is("/state", "done")?;
            let json = end.ok()?;
            let (pages, bytes) = (json["pages"].as_u64(), json["bytes"].as_u64());
            end.holds(bytes > Some(0), "bytes above 0", bytes)?;
            end.same("bytes", bytes, pages.map(|pages| pages * 4096))
        }),
    OWN.case(
        "preload/run/once",
        "contract 3.7",
        &["3.7.once", "3.7.again", "3.7.rearm", "3.4.lifecycle-change", "3.4.lifecycle-same"],
    )
    .requires("a POST after the end only reports; a changed lifecycle_id makes it idle again")
    .why("memory would be read twice, or never after a resume")
    .features(&[Feature::Preload])
    .needs(&["preload/run/to-done"])
    .act(act!(|p| {
        p.init("first", json!({ "lifecycle_id": "a" })).await?;
        p.send("post", Ask::new("POST", "/memory/preload")).await?;
        settled(p, "end").await?;
        p.send("again", Ask::new("POST", "/memory/preload")).await?;
        p.init("same", json!({ "lifecycle_id": "a" })).await?;
        p.get("kept", "/memory/preload").await?;
        p.init("other", json!({ "lifecycle_id": "b" })).await?;
        p.get("reset", "/memory/preload").await
    }))
    .judge(|o| {
        o.at("again")?.field_is("/state", "done")?;
        o.at("kept")?.field_is("/state", "done")?;
        o.at("other")?.status(204)?;
        o.at("reset")?.field_is("/state", "idle")?;
        o.at("reset")?.field_is("/pages", 0)
    }),
    OWN.case("preload/cancel/idle", "contract 3.7 and 10", &["10.cancel-idle", "3.7.cancel-204"])
        .requires("cancel while idle is 204 and changes nothing: the next run still ends as done")
        .why("a cancel that sticks spoils the run after it")
        .features(&[Feature::Preload])
        .needs(&["preload/run/to-done"])
        .act(act!(|p| {
            p.send("cancel", Ask::new("POST", "/memory/preload/cancel")).await?;
            p.get("idle", "/memory/preload").await?;
            p.send("post", Ask::new("POST", "/memory/preload")).await?;
            settled(p, "end").await
        }))
        .judge(|o| {
            o.at("cancel")?.status(204)?;
            o.at("idle")?.field_is("/state", "idle")?;
            o.at("end")?.field_is("/state", "done")
        }),
    OWN.case("preload/cancel/running", "contract 3.7", &["3.7.cancel-running"])
        .requires("cancel of a running preload is 204, and the state becomes cancelled")
        .why("a host that tears down would wait for memory that nobody needs")
        .features(&[Feature::Preload])
        .needs(&["preload/run/to-done"])
        .act(act!(|p| cancelled(p, "end").await))
        .judge(|o| {
            o.at("cancel")?.status(204)?;
            o.at("end")?.field_is("/state", "cancelled")
        }),
];

/// Asks for the state until it is not `running`, and writes down the last answer.
pub(super) async fn settled(p: &mut Probe, label: &str) -> Result<(), SetupError> {
    for _ in 1..POLLS {
        let mut open = p.open(Ask::new("GET", "/memory/preload")).await?;
        open.until(|_| false).await;
        if !String::from_utf8_lossy(&open.seen().body).contains("\"running\"") {
            p.keep(label, open);
            return Ok(());
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    p.get(label, "/memory/preload").await
}

/// How often a run may be over before its cancel has come.
const TRIES: usize = 5;

/// Starts a run and cancels it, in a new life again where the run was faster, and writes down what it came to.
pub(super) async fn cancelled(p: &mut Probe, label: &str) -> Result<(), SetupError> {
    for life in 0..TRIES {
        p.init("life", json!({ "lifecycle_id": format!("life {life}") })).await?;
        p.send("post", Ask::new("POST", "/memory/preload")).await?;
        p.send("cancel", Ask::new("POST", "/memory/preload/cancel")).await?;
        settled(p, "settled").await?;
        if !p.last_body().contains("\"done\"") {
            break;
        }
    }
    p.get(label, "/memory/preload").await
}
