//! What generation 1 alone has, and how it tells that it lacks what came later (contract 0.1, 1 and 3.4).

use serde_json::{Value, json};

use crate::case::{Case, Isolation, act};
use crate::probe::Ask;
use crate::suites::helpers::{all_are, allow_exactly, delete_each, send};

const FIRST: Case =
    Case { generations: &[1], reqs: &["0.1.other-generations"], source: "contract 0.1 and 1", ..Case::BASE };
/// Every route with its methods.
const ROUTES: [(&str, &str); 6] = [
    ("/health", "GET,HEAD"),
    ("/metrics", "GET,HEAD"),
    ("/envs", "GET,HEAD"),
    ("/init", "POST"),
    ("/snapshot/prepare", "POST"),
    ("/files", "GET,HEAD,POST"),
];
const GETS: [&str; 3] = ["/health", "/metrics", "/envs"];
const LATER: [&str; 2] = ["/activity", "/memory/preload"];
const TOKEN: &str = "envd-conformance-s3cret";

pub(super) const CASES: &[Case] = &[
    FIRST
        .id("routes/method/every-route-of-1")
        .requires("DELETE on each route is 405, empty, with exactly its methods in Allow")
        .why("Allow is how a host learns the generation")
        .act(act!(|p| delete_each(p, &ROUTES).await))
        .judge(|o| allow_exactly(o, &ROUTES)),
    FIRST
        .id("routes/later/absent")
        .requires(
            "of the routes that came later GET is 404 \"method not found\", and POST \
            without a body 415, empty",
        )
        .why("a newer host goes on without them when it is told so")
        .act(act!(|p| {
            for path in LATER {
                p.get(path, path).await?;
            }
            for path in ["/memory/preload", "/memory/preload/cancel"] {
                send(p, &format!("POST {path}"), Ask::new("POST", path)).await?;
            }
            Ok(())
        }))
        .judge(|o| {
            for path in LATER {
                o.at(path)?.error(404, "unimplemented", &format!("method not found: {}", &path[1..]))?;
            }
            ["POST /memory/preload", "POST /memory/preload/cancel"].iter().try_for_each(|label| {
                o.at(label)?.status(415)?;
                o.at(label)?.body_is(b"")
            })
        }),
    FIRST
        .id("routes/gets/of-1")
        .requires("GET on each of its routes is 200 and not cached, and HEAD the same without a body")
        .why("pollers and probes ask so")
        .act(act!(|p| {
            for path in GETS {
                p.get(path, path).await?;
                send(p, &format!("HEAD {path}"), Ask::new("HEAD", path)).await?;
            }
            Ok(())
        }))
        .judge(|o| {
            GETS.iter().try_for_each(|path| {
                let head = format!("HEAD {path}");
                all_are(o, &[path, &head], 200)?;
                o.at(path)?.header_is("cache-control", "no-store")?;
                o.at(&head)?.body_is(b"")
            })
        }),
    FIRST
        .id("init/spelling/of-1")
        .source("contract 2 and 3.4")
        .requires("the token is accessToken; access_token is passed over")
        .why("a guest that a host believes to be locked must be")
        .tags(&["token", "security"])
        .isolation(Isolation::Fresh)
        .act(act!(|p| {
            p.send("later", Ask::init(&json!({ "access_token": TOKEN }))).await?;
            p.get("open", "/envs").await?;
            p.send("own", Ask::init(&json!({ "accessToken": TOKEN }))).await?;
            send(p, "without", Ask::download("/etc/passwd")).await?;
            send(p, "with", Ask::download("/etc/passwd").header("x-access-token", TOKEN)).await
        }))
        .judge(|o| {
            all_are(o, &["later", "own"], 204)?;
            all_are(o, &["open", "with"], 200)?;
            o.at("without")?.status(401)
        }),
    FIRST
        .id("init/ids/of-1")
        .source("contract 3.4")
        .requires(
            "sandbox_id, template_id, proxy_domain and lifecycle_id are unknown fields, and \
            passed over",
        )
        .why("newer hosts send them to every guest")
        .isolation(Isolation::Fresh)
        .act(act!(|p| {
            let ids =
                json!({ "sandbox_id": "s", "template_id": "t", "proxy_domain": "d", "lifecycle_id": "l" });
            p.init("init", ids).await?;
            p.get("envs", "/envs").await
        }))
        .judge(|o| {
            o.at("init")?.status(204)?;
            let envs = o.at("envs")?;
            envs.ok()?;
            ["WRENN_SANDBOX_ID", "WRENN_TEMPLATE_ID", "WRENN_PROXY_DOMAIN"]
                .iter()
                .try_for_each(|name| envs.field_is(&format!("/{name}"), Value::Null))
        }),
];
