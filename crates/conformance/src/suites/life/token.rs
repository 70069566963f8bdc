//! The token: how it is set, and every cell of the table of who may call what (contract 2, 3.4 and 10).

use serde_json::{Value, json};

use crate::case::{Case, Isolation, act};
use crate::feature::Feature;
use crate::observation::Observation;
use crate::probe::{Ask, Probe, SetupError};
use crate::suites::controls;
use crate::suites::helpers::all_are;
use crate::verdict::Judged;

const OWN: Case = Case {
    isolation: Isolation::Fresh,
    features: &[Feature::TokenGuard],
    tags: &["token", "security"],
    ..Case::BASE
};
const GUARDS: &[&str] = &["init/token/guards"];
const TOKEN: &str = "envd-conformance-s3cret";
const REFUSED: &str =
    "unauthorized access, please provide a valid access token or method signing if supported";

/// Calls that are open to everyone (contract 10), with what they answer.
const OPEN: [(&str, &str, u16); 10] = [
    ("GET", "/health", 200),
    ("HEAD", "/health", 200),
    ("GET", "/activity", 200),
    ("POST", "/init", 204),
    ("POST", "/snapshot/prepare", 204),
    ("OPTIONS", "/health", 200),
    ("OPTIONS", "/envs", 200),
    ("OPTIONS", "/files", 200),
    ("OPTIONS", "/memory/preload", 200),
    ("OPTIONS", "/process.Process/List", 200),
];

/// Calls of REST that need the token, with what they answer with it.
const GUARDED: [(&str, &str, u16); 8] = [
    ("GET", "/metrics", 200),
    ("HEAD", "/metrics", 200),
    ("GET", "/envs", 200),
    ("HEAD", "/envs", 200),
    ("GET", "/memory/preload", 200),
    ("HEAD", "/memory/preload", 200),
    ("POST", "/memory/preload", 200),
    ("POST", "/memory/preload/cancel", 204),
];

/// The RPCs, and whether they stream.
const RPCS: [(&str, bool); 17] = [
    ("process.Process/List", false),
    ("process.Process/Connect", true),
    ("process.Process/Start", true),
    ("process.Process/Update", false),
    ("process.Process/StreamInput", true),
    ("process.Process/SendInput", false),
    ("process.Process/SendSignal", false),
    ("process.Process/CloseStdin", false),
    ("filesystem.Filesystem/Stat", false),
    ("filesystem.Filesystem/MakeDir", false),
    ("filesystem.Filesystem/Move", false),
    ("filesystem.Filesystem/ListDir", false),
    ("filesystem.Filesystem/Remove", false),
    ("filesystem.Filesystem/WatchDir", true),
    ("filesystem.Filesystem/CreateWatcher", false),
    ("filesystem.Filesystem/GetWatcherEvents", false),
    ("filesystem.Filesystem/RemoveWatcher", false),
];

fn rpc((name, streams): (&str, bool)) -> Ask {
    if streams {
        Ask::stream(name, &[json!({})])
    } else {
        Ask::unary(name, &json!({ "path": "/envd-conformance-no-such" }))
    }
}

async fn locked(p: &mut Probe) -> Result<(), SetupError> {
    p.init("set", json!({ "access_token": TOKEN })).await
}

/// Every cell of a table, with one value in the header, or none.
async fn cells(p: &mut Probe, table: &[(&str, &str, u16)], shown: Option<&str>) -> Result<(), SetupError> {
    for (method, path, _) in table {
        let ask = Ask::new(method, *path);
        let ask = shown.map_or(ask.clone(), |token| ask.header("x-access-token", token));
        p.send(&format!("{method} {path}"), ask).await?;
    }
    Ok(())
}

fn refused(o: &Observation, label: &str) -> Judged {
    let seen = o.at(label)?;
    seen.status(401)?;
    if seen.exchange.method == "HEAD" {
        return Ok(());
    }
    seen.same("body", seen.json()?, json!({ "code": 401, "message": REFUSED }))
}

fn is_set(o: &Observation) -> Judged {
    o.at("set")?.status(204)
}

pub(in crate::suites) const CASES: &[Case] = &[
    OWN.case("token/cells/open", "contract 10", &["10.token-open", "3.1.open", "3.5.open", "3.6.open"])
        .requires("with a token set the open calls answer without it, and with a wrong one")
        .why("a host polls health before it knows the token")
        .features(&[Feature::TokenGuard, Feature::Activity, Feature::Preload])
        .needs(GUARDS)
        .act(act!(|p| {
            locked(p).await?;
            cells(p, &OPEN, None).await?;
            p.send("wrong", Ask::new("GET", "/health").header("x-access-token", "wrong")).await.map(drop)
        }))
        .judge(|o| {
            is_set(o)?;
            OPEN.iter().try_for_each(|(method, path, status)| {
                let label = format!("{method} {path}");
                o.at(&label)?.status(*status)
            })?;
            o.at("wrong")?.status(200)
        }),
    OWN.case("token/cells/guarded-without", "contract 10", &["10.token-guards"])
        .requires("every other call of REST is 401 with the JSON of section 2 without the token")
        .why("one cell that was forgotten is a hole")
        .needs(GUARDS)
        .positive_control(controls::ok)
        .act(act!(|p| {
            locked(p).await?;
            p.send("twin", Ask::new("GET", "/envs").header("x-access-token", TOKEN)).await?;
            cells(p, &GUARDED, None).await
        }))
        .judge(|o| {
            is_set(o)?;
            GUARDED.iter().try_for_each(|(method, path, _)| refused(o, &format!("{method} {path}")))
        }),
    OWN.case("token/cells/guarded-with", "contract 10", &["10.token-guards"])
        .requires("with the token every one of them answers as without a token set")
        .why("a wall without a door is no use")
        .features(&[Feature::TokenGuard, Feature::Activity, Feature::Preload])
        .needs(GUARDS)
        .act(act!(|p| {
            locked(p).await?;
            cells(p, &GUARDED, Some(TOKEN)).await
        }))
        .judge(|o| {
            is_set(o)?;
            GUARDED.iter().try_for_each(|(method, path, status)| {
                let label = format!("{method} {path}");
                o.at(&label)?.status(*status)
            })
        }),
    OWN.case("token/cells/near-misses", "contract 10", &["10.token-guards"])
        .requires("a token that is a prefix, longer, in another case, quoted or behind Bearer is 401")
        .why("a comparison that stops early can be guessed letter by letter")
        .needs(GUARDS)
        .positive_control(controls::ok)
        .act(act!(|p| {
            locked(p).await?;
            p.send("twin", Ask::new("GET", "/envs").header("x-access-token", TOKEN)).await?;
            for (label, shown) in near() {
                p.send(label, Ask::new("GET", "/envs").header("x-access-token", &shown)).await?;
            }
            p.send("bearer", Ask::new("GET", "/envs").header("authorization", &format!("Bearer {TOKEN}")))
                .await?;
            p.send("query", Ask::new("GET", "/envs").query("access_token", TOKEN)).await.map(drop)
        }))
        .judge(|o| {
            is_set(o)?;
            near()
                .iter()
                .map(|(label, _)| *label)
                .chain(["bearer", "query"])
                .try_for_each(|label| refused(o, label))
        }),
    OWN.case("token/cells/other-methods", "contract 10", &["10.token-open", "10.token-guards"])
        .requires(
            "open is the call, not the path: POST /health, HEAD /activity and GET /init are \
            401 without the token",
        )
        .why("the table is of methods and paths together")
        .needs(GUARDS)
        .positive_control(controls::ok)
        .act(act!(|p| {
            locked(p).await?;
            p.send("twin", Ask::new("GET", "/envs").header("x-access-token", TOKEN)).await?;
            for (label, method, path) in OTHER {
                p.send(label, Ask::new(method, path)).await?;
            }
            Ok(())
        }))
        .judge(|o| {
            is_set(o)?;
            OTHER.iter().try_for_each(|(label, ..)| refused(o, label))
        }),
    OWN.case("token/cells/rpcs-without", "contract 10", &["10.token-rpc", "10.token-guards"])
        .requires(
            "each of the seventeen RPCs is HTTP 401 with the same JSON without the token, \
            streams too",
        )
        .why("a root shell is one call away")
        .needs(GUARDS)
        .positive_control(controls::ok)
        .act(act!(|p| {
            locked(p).await?;
            p.send("twin", Ask::new("GET", "/envs").header("x-access-token", TOKEN)).await?;
            for call in RPCS {
                p.send(call.0, rpc(call)).await?;
            }
            Ok(())
        }))
        .judge(|o| {
            is_set(o)?;
            RPCS.iter().try_for_each(|(name, _)| refused(o, name))
        }),
    OWN.case(
        "token/cells/rpcs-with",
        "contract 10",
        &["10.token-rpc", "0.process.rpcs", "0.filesystem.rpcs"],
    )
    .requires("with the token each of the seventeen RPCs reaches its own check")
    .why("a call that is refused for another reason looks like a wrong token")
    .needs(&["init/token/guards", "process/start/events"])
    .act(act!(|p| {
        locked(p).await?;
        for call in
            RPCS.into_iter().filter(|(name, _)| !name.ends_with("WatchDir") && !name.ends_with("MakeDir"))
        {
            p.send(call.0, rpc(call).header("x-access-token", TOKEN)).await?;
        }
        Ok(())
    }))
    .judge(|o| {
        is_set(o)?;
        RPCS.iter()
            .filter(|(name, _)| !name.ends_with("WatchDir") && !name.ends_with("MakeDir"))
            .try_for_each(|(name, _)| {
                let seen = o.at(name)?;
                seen.whole()?;
                let status = seen.exchange.status;
                seen.holds(status.is_some() && status != Some(401), "a status other than 401", status)
            })
    }),
    OWN.case("token/cells/unknown-paths", "contract 10", &["10.token-guards"])
        .requires("an unknown path is 401 without the token, and 404 with it")
        .why("who may not call learns nothing of what there is")
        .needs(GUARDS)
        .positive_control(controls::ok)
        .act(act!(|p| {
            locked(p).await?;
            p.send("twin", Ask::new("GET", "/envs").header("x-access-token", TOKEN)).await?;
            p.get("without", "/envd-conformance").await?;
            p.send("with", Ask::new("GET", "/envd-conformance").header("x-access-token", TOKEN))
                .await
                .map(drop)
        }))
        .judge(|o| {
            is_set(o)?;
            refused(o, "without")?;
            o.at("with")?.error(404, "unimplemented", "method not found: envd-conformance")
        }),
    OWN.case("token/effect/no-side-effects", "contract 10", &["10.token-rpc"])
        .requires("a refused Start runs nothing, and a refused upload and MakeDir write nothing")
        .why("a check that comes after the deed is none")
        .needs(&["process/start/events", "init/token/guards"])
        .positive_control(controls::ok)
        .act(act!(|p| {
            locked(p).await?;
            p.send("twin", Ask::new("GET", "/envs").header("x-access-token", TOKEN)).await?;
            let make = |name: &str| format!("/tmp/envd-conformance/{name}");
            let process = crate::probe::shell(&format!("mkdir -p {}", make("start")));
            p.stream("Start", "process.Process/Start", json!({ "process": process, "stdin": false })).await?;
            p.unary("MakeDir", "filesystem.Filesystem/MakeDir", json!({ "path": make("dir") })).await?;
            p.upload("upload", &make("file"), b"x").await?;
            let stat = Ask::unary("filesystem.Filesystem/Stat", &json!({ "path": "/tmp/envd-conformance" }));
            p.send("stat", stat.header("x-access-token", TOKEN)).await.map(drop)
        }))
        .judge(|o| {
            is_set(o)?;
            all_are(o, &["Start", "MakeDir", "upload"], 401)?;
            o.at("stat")?.error(404, "not_found", "")
        }),
    OWN.case("token/effect/open-streams-stay", "contract 3.4", &["10.token-guards"])
        .requires("a stream that runs when the token is set goes on")
        .why("setting the token at resume must not cut every terminal")
        .needs(&["process/start/events", "init/token/guards"])
        .act(act!(|p| {
            let open = p.start_sh("run", "read line; echo got $line").await?;
            locked(p).await?;
            let input = json!({ "process": { "tag": p.tag("run") },
                "input": { "stdin": crate::probe::base64("it\n") } });
            p.send("input", Ask::unary("process.Process/SendInput", &input).header("x-access-token", TOKEN))
                .await?;
            p.finish("run", open).await;
            Ok(())
        }))
        .judge(|o| {
            is_set(o)?;
            o.at("input")?.ok()?;
            crate::suites::helpers::printed(o, "run", "got it\n")
        }),
    OWN.case("token/init/empty-is-none", "contract 3.4", &["3.4.token-set", "2.token-state"])
        .requires("an empty token on a guest without one stays unset")
        .why("a host without tokens sends an empty one")
        .needs(GUARDS)
        .act(act!(|p| {
            p.init("empty", json!({ "access_token": "" })).await?;
            p.get("envs", "/envs").await?;
            p.init("set", json!({ "access_token": TOKEN })).await?;
            p.get("guarded", "/envs").await
        }))
        .judge(|o| {
            o.at("empty")?.status(204)?;
            o.at("envs")?.status(200)?;
            is_set(o)?;
            refused(o, "guarded")
        }),
    OWN.case("token/init/absent-is-unchecked", "contract 3.4", &["3.4.token-absent", "3.4.token-same"])
        .requires("an /init without the field is applied without a check; the same token again is fine")
        .why("hosts of that time never send it again")
        .needs(GUARDS)
        .act(act!(|p| {
            locked(p).await?;
            p.init("absent", json!({ "envVars": { "A": "x" } })).await?;
            p.init("null", json!({ "access_token": null, "envVars": { "B": "y" } })).await?;
            p.init("same", json!({ "access_token": TOKEN, "envVars": { "C": "z" } })).await?;
            p.send("envs", Ask::new("GET", "/envs").header("x-access-token", TOKEN)).await.map(drop)
        }))
        .judge(|o| {
            is_set(o)?;
            all_are(o, &["absent", "null", "same"], 204)?;
            o.at("envs")?.ok()?;
            [("/A", "x"), ("/B", "y"), ("/C", "z")]
                .iter()
                .try_for_each(|(field, value)| o.at("envs")?.field_is(field, *value))
        }),
    OWN.case(
        "token/init/refusals-are-text",
        "contract 3.4",
        &["3.4.token-other", "3.4.token-empty", "3.4.token-aborts"],
    )
    .requires(
        "another token and an empty one are 401 in plain text, nothing is applied, and \
            the old token stays",
    )
    .why("whoever reaches the guest could lock its owner out")
    .needs(GUARDS)
    .act(act!(|p| {
        locked(p).await?;
        p.init("other", json!({ "access_token": "other", "envVars": { "A": "x" } })).await?;
        p.init("empty", json!({ "access_token": "", "envVars": { "A": "x" } })).await?;
        p.send("envs", Ask::new("GET", "/envs").header("x-access-token", TOKEN)).await.map(drop)
    }))
    .judge(|o| {
        is_set(o)?;
        for (label, words) in [
            ("other", "access token validation failed"),
            (
                "empty",
                "access token reset not \
                    authorized",
            ),
        ] {
            let seen = o.at(label)?;
            seen.status(401)?;
            seen.header_is("content-type", "text/plain; charset=utf-8")?;
            seen.body_is(words.as_bytes())?;
        }
        o.at("envs")?.ok()?;
        o.at("envs")?.field_is("/A", Value::Null)
    }),
    OWN.case("token/init/race", "contract 3.4", &["3.4.token-set", "3.4.token-other"])
        .requires("of twenty different tokens set at once one wins, and the others are 401")
        .why("two hosts that both believe to own a guest is the worst outcome")
        .needs(GUARDS)
        .act(act!(|p| {
            let dialect = p.dialect();
            let asks = (0..20).map(|n| dialect.init(&json!({ "access_token": format!("token-{n}") })));
            let opened = futures::future::join_all(asks.map(|ask| p.open(ask))).await;
            for opened in opened {
                p.finish("init", opened?).await;
            }
            Ok(())
        }))
        .judge(|o| {
            let first = o.at("init")?;
            first.whole()?;
            let statuses: Vec<u16> = o.steps.iter().filter_map(|step| step.exchange.status).collect();
            let count = |wanted| statuses.iter().filter(|status| **status == wanted).count();
            first.same("taken and refused", (count(204), count(401)), (1, 19))
        }),
    OWN.case("token/user/no-basic", "contract 2", &["2.no-basic"])
        .requires("HTTP Basic auth chooses no user and opens nothing")
        .why("the sibling project's clients send it, and must not change users by it")
        .needs(&["process/start/events"])
        .isolation(Isolation::Shared)
        .act(act!(|p| {
            let ask = p.start_ask("run", json!({ "process": crate::probe::shell("id -un"), "stdin": false }));
            p.send("run", ask.header("authorization", "Basic dXNlcjo=")).await.map(drop)
        }))
        .judge(|o| crate::suites::helpers::printed(o, "run", "root\n")),
];

const OTHER: [(&str, &str, &str); 4] = [
    ("post", "POST", "/health"),
    ("head", "HEAD", "/activity"),
    ("get", "GET", "/init"),
    ("put", "PUT", "/snapshot/prepare"),
];

fn near() -> [(&'static str, String); 4] {
    [
        ("prefix", TOKEN[..TOKEN.len() - 1].to_owned()),
        ("longer", format!("{TOKEN}x")),
        ("case", TOKEN.to_uppercase()),
        ("quoted", format!("\"{TOKEN}\"")),
    ]
}
