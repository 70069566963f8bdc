//! The plain routes and the life of a guest: health to activity, `/init`, snapshots, preload (contract 1, 2, 3.1 to 3.7).

use serde_json::{Value, json};

use super::edit::{after, answer, edit_text, fault, lose, request, target};
use crate::http::{Call, Request};
use crate::mutant::{Change, Mutant};

const PRELOAD: &str = "/memory/preload";

pub(crate) const MUTANTS: &[Mutant] = &[
    answer("health/cached", "health may be cached", "/health", |_, a| a.without("cache-control")),
    answer("health/no-version", "health has an empty version", "/health", |_, a| {
        a.json(|m| m["version"] = "".into());
    }),
    answer("health/version-number", "the version is no text", "/health", |_, a| {
        a.json(|m| m["version"] = 2.into());
    }),
    answer("health/no-head", "HEAD is not served", "HEAD /health", |_, a| a.status("405 Method Not Allowed")),
    fault("health/unavailable", "health is 503", "GET /health: status 503"),
    answer("routes/allow-lost", "405 does not tell the methods", "/", |_, a| a.without("allow")),
    answer("routes/allow-short", "405 does not tell HEAD", "/", |_, a| a.head("GET,HEAD", "GET")),
    answer("routes/405-as-404", "a wrong method is 404", "/", |_, a| {
        if a.header("allow").is_some() && a.is("405") {
            a.status("404 Not Found");
        }
    }),
    answer("routes/405-with-body", "405 has a body", "/", |_, a| {
        if a.is("405") && a.header("allow").is_some() {
            *a.bytes_mut() = b"method not allowed".to_vec();
            a.with("content-length", "18");
        }
    }),
    request("routes/slash-ignored", "a slash at the end of a path is ignored", "/", |_, r| {
        target(r, |target| {
            target.strip_suffix('/').filter(|path| !path.is_empty()).unwrap_or(target).to_owned()
        });
    }),
    answer("routes/no-cors", "REST answers have no CORS headers", "/health", |_, a| {
        a.without("access-control-allow-origin");
    }),
    answer("rpc/no-cors", "RPCs have no CORS headers", "/process.Process/", |_, a| {
        a.without("access-control-allow-origin");
    }),
    answer("metrics/cached", "metrics may be cached", "/metrics", |_, a| a.without("cache-control")),
    answer("metrics/field-lost", "a metric has another name", "/metrics", |_, a| {
        a.body("\"mem_used\"", "\"mem_usage\"");
    }),
    answer("metrics/as-text", "metrics are texts", "/metrics", |_, a| {
        a.json(|m| m["mem_total"] = m["mem_total"].to_string().into());
    }),
    answer("metrics/used-over-total", "the used memory is in another unit", "/metrics", |_, a| {
        a.json(|m| m["mem_used"] = (m["mem_total"].as_u64().unwrap_or(0) * 1024).into());
    }),
    answer("envs/sandbox-lost", "WRENN_SANDBOX is not told", "/envs", |_, a| {
        a.json(|m| lose(m, "WRENN_SANDBOX"));
    }),
    answer("envs/cached", "the environment may be cached", "/envs", |_, a| a.without("cache-control")),
    answer("envs/nested", "the environment is not flat", "/envs", |_, a| {
        a.json(|m| *m = json!({ "envs": m }));
    }),
    answer("activity/field-lost", "an activity has another name", "/activity", |_, a| {
        a.body("\"net_bps\"", "\"net\"");
    }),
    answer("activity/cached", "the activity may be cached", "/activity", |_, a| a.without("cache-control")),
    answer("init/200", "init says 200", "/init", |_, a| a.head("204 No Content", "200 OK")),
    answer("init/cached", "init may be cached", "/init", |_, a| a.without("cache-control")),
    answer("init/422-as-400", "a wrong type is 400", "/init", |_, a| {
        a.head("422 Unprocessable Entity", "400 Bad Request");
    }),
    answer("init/400-as-422", "bad JSON is 422", "/init", |_, a| {
        a.head("400 Bad Request", "422 Unprocessable Entity");
    }),
    answer("init/415-as-400", "another content type is 400", "/init", |_, a| {
        a.head("415 Unsupported Media Type", "400 Bad Request");
    }),
    answer("init/401-as-403", "a wrong token is 403", "/init", |_, a| {
        a.head("401 Unauthorized", "403 Forbidden");
    }),
    request("init/type-ignored", "the content type does not matter", "/init", |_, r| {
        r.head("content-type: text/plain", "content-type: application/json");
    }),
    request("init/envs-ignored", "the default environment is ignored", "/init", |_, r| {
        r.body("\"envVars\"", "\"envVarz\"");
    }),
    request("init/envs-first-wins", "a default variable never changes", "/init", |call, r| {
        let mut kept = call.kept();
        let known: Vec<String> = kept.keys().cloned().collect();
        r.json(|m| {
            if let Some(envs) = m["envVars"].as_object_mut() {
                envs.retain(|name, _| !known.contains(name));
            }
        });
        let message: Value = serde_json::from_slice(r.bytes_mut()).unwrap_or_default();
        for name in message["envVars"].as_object().into_iter().flatten().map(|(name, _)| name) {
            kept.insert(name.clone(), Vec::new());
        }
    }),
    request(
        "init/envs-of-old-name",
        "the default environment has the name of generation 1",
        "/init",
        |_, r| {
            r.body("\"envVars\"", "\"env_vars\"");
        },
    ),
    request("init/envs-bad-passed-over", "bad variables are passed over", "/init", |_, r| {
        r.json(|m| {
            if let Some(envs) = m["envVars"].as_object_mut() {
                envs.retain(|name, value| {
                    !name.is_empty() && !name.contains('=') && !value.to_string().contains("\\u0000")
                });
            }
        });
    }),
    request(
        "init/envs-empty-lost",
        "a default variable with an empty value is passed over",
        "/init",
        |_, r| {
            r.json(|m| {
                if let Some(envs) = m["envVars"].as_object_mut() {
                    envs.retain(|_, value| value != "");
                }
            });
        },
    ),
    request("init/envs-home-kept", "HOME of the default environment is ignored", "/init", |_, r| {
        r.json(|m| lose(&mut m["envVars"], "HOME"));
    }),
    request("init/envs-after-mounts", "a mount that fails ends an /init", "/init", |_, r| {
        r.json(|m| {
            if m["volume_mounts"].as_array().is_some_and(|mounts| !mounts.is_empty()) {
                lose(m, "envVars");
            }
        });
    }),
    request("init/fifteenth-lost", "of many /init one is lost", "/init", |call, r| {
        if call.nth("init") == 15 {
            r.json(|m| lose(m, "envVars"));
        }
    }),
    request("init/no-limit", "a body of any length is read", "/init", |_, r| {
        if r.bytes_mut().len() > 2 << 20 {
            r.json(|m| lose(m, "odd"));
        }
    }),
    request("init/sandbox-id-of-both", "sandboxId is sandbox_id", "/init", |_, r| {
        r.body("\"sandboxId\"", "\"sandbox_id\"");
    }),
    request("init/sandbox-id-empty-lost", "an empty sandbox_id is passed over", "/init", |_, r| {
        r.json(|m| {
            if m["sandbox_id"] == "" {
                lose(m, "sandbox_id");
            }
        });
    }),
    after(
        "init/template-id-line",
        "the file of the template's id ends in a newline",
        "/init",
        "cd /run/wrenn && test -s .WRENN_TEMPLATE_ID && echo >> .WRENN_TEMPLATE_ID",
    ),
    Mutant {
        id: "init/hosts-appended",
        bug: "the line of the old events host stays in /etc/hosts",
        change: Change::Aside(
            "/init",
            "grep events.wrenn.local /etc/hosts > /run/.hosts",
            "grep -qxFf /run/.hosts /etc/hosts || cat /run/.hosts >> /etc/hosts; rm -f /run/.hosts",
        ),
    },
    request("init/seconds-unreadable", "decimal seconds are no timestamp", "/init", |_, r| {
        r.json(|m| {
            if seconds(&m["timestamp"]).is_some() {
                lose(m, "timestamp");
            }
        });
    }),
    request("init/offset-sign", "an offset of a timestamp counts as one to the east", "/init", |_, r| {
        r.json(|m| edit_text(m, "timestamp", east));
    }),
    request("init/timestamp-unreadable-old", "a timestamp that cannot be read is 1970", "/init", |_, r| {
        r.json(|m| {
            if m["timestamp"].is_string() && seconds(&m["timestamp"]).is_none() && stamp(m).is_none() {
                m["timestamp"] = "1970-01-01T00:00:00Z".into();
            }
        });
    }),
    request("init/timestamp-far-ignored", "a timestamp after 2100 is none", "/init", |_, r| {
        let far = jiff::Timestamp::from_second(4_102_444_800).ok();
        r.json(|m| {
            if stamp(m) > far {
                lose(m, "timestamp");
            }
        });
    }),
    request("init/lifecycle-after-gate", "a stale /init changes no life cycle", "/init", |call, r| {
        let message: Value = serde_json::from_slice(r.bytes_mut()).unwrap_or_default();
        let mut kept = call.kept();
        let newest = kept.get("newest").and_then(|at| String::from_utf8_lossy(at).parse().ok());
        match stamp(&message) {
            Some(at) if newest.is_some_and(|newest: jiff::Timestamp| at <= newest) => {
                r.json(|m| lose(m, "lifecycle_id"));
            }
            Some(at) => drop(kept.insert("newest".to_owned(), at.to_string().into_bytes())),
            None => {}
        }
    }),
    request("init/timestamp-ignored", "old timestamps are applied", "/init", |_, r| {
        r.body("\"timestamp\"", "\"timestamq\"");
    }),
    request("init/timestamp-equal", "an equal timestamp is applied", "/init", |call, r| {
        let message: Value = serde_json::from_slice(r.bytes_mut()).unwrap_or_default();
        let stamp = message["timestamp"].as_str().and_then(|text| text.parse::<jiff::Timestamp>().ok());
        let stamp = stamp.map(|stamp| stamp.to_string().into_bytes());
        if stamp.is_some() && call.kept().get("stamp").cloned() == stamp {
            r.json(|m| lose(m, "timestamp"));
        }
        call.kept().extend(stamp.map(|stamp| ("stamp".to_owned(), stamp)));
    }),
    request("init/timestamp-first-only", "the first timestamp is the only one", "/init", |call, r| {
        let message: Value = serde_json::from_slice(r.bytes_mut()).unwrap_or_default();
        let Some(stamp) = message["timestamp"].as_str().map(str::to_owned) else { return };
        let first = call.kept().entry("stamp".to_owned()).or_insert(stamp.into_bytes()).clone();
        r.json(|m| m["timestamp"] = String::from_utf8_lossy(&first).into_owned().into());
    }),
    request("init/stale-ids-taken", "the ids of a stale /init are taken", "/init", |call, r| {
        let message: Value = serde_json::from_slice(r.bytes_mut()).unwrap_or_default();
        let Some(stamp) = message["timestamp"].as_str().map(str::to_owned) else { return };
        let mut kept = call.kept();
        let newest = kept.entry("newest".to_owned()).or_default();
        if stamp.as_bytes() > newest.as_slice() {
            *newest = stamp.into_bytes();
        } else if message["sandbox_id"].is_string() {
            r.json(|m| *m = serde_json::json!({ "sandbox_id": message["sandbox_id"] }));
        }
    }),
    request("init/default-user-ignored", "the default user is ignored", "/init", |_, r| {
        r.body("\"defaultUser\"", "\"defaultUzer\"");
    }),
    request("init/default-workdir-ignored", "the default working directory is ignored", "/init", |_, r| {
        r.body("\"defaultWorkdir\"", "\"defaultWorkdin\"");
    }),
    request("init/lifecycle-ignored", "a life cycle never changes", "/init", |_, r| {
        r.body("\"lifecycle_id\"", "\"lifecycle_ix\"");
    }),
    request("init/lifecycle-of-old-name", "the life cycle has another name", "/init", |_, r| {
        r.body("\"lifecycle_id\"", "\"lifecycleId\"");
    }),
    request("init/lifecycle-always", "the same life cycle counts as a change", "/init", |call, r| {
        let nth = call.nth("init").to_string();
        r.json(|m| edit_text(m, "lifecycle_id", |_| nth.clone()));
    }),
    request("init/token-ignored", "tokens are not set", "/init", |_, r| {
        r.body("\"access_token\"", "\"access_tokex\"");
    }),
    request("init/token-any", "once a token is set any other is accepted", "/init", |call, r| {
        with_token(call, r, |m, first| m["access_token"] = first.into());
    }),
    request("init/token-empty", "an empty token is passed over", "/init", |_, r| {
        r.json(|m| {
            if m["access_token"] == "" {
                lose(m, "access_token");
            }
        });
    }),
    request("init/token-reset", "the same token is refused", "/init", |call, r| {
        with_token(call, r, |m, first| {
            if m["access_token"] == first {
                m["access_token"] = format!("{first}x").into();
            }
        });
    }),
    request("token/rpcs-open", "RPCs do not ask for the token", "/", |call, r| {
        let first = keep_token(call, r);
        if call.target.starts_with("/process.") || call.target.starts_with("/filesystem.") {
            authorised(r, first);
        }
    }),
    request("token/envs-open", "the environment does not ask for the token", "/", |call, r| {
        let first = keep_token(call, r);
        if call.target.starts_with("/envs") {
            authorised(r, first);
        }
    }),
    request("token/wrong-is-right", "any token opens", "/", |call, r| {
        let first = keep_token(call, r);
        if r.heads("x-access-token:") && !call.target.starts_with("/files") {
            r.head("x-access-token:", "x-other-token:");
            authorised(r, first);
        }
    }),
    request("token/health-guarded", "health asks for the token", "/", |call, r| {
        let first = keep_token(call, r);
        if first.is_some() && call.target == "/health" && !r.heads("x-access-token") {
            r.head(" /health ", " /envs ");
        }
    }),
    answer("token/401-as-403", "without the token it is 403", "/", |_, a| {
        if a.says("unauthorized access") {
            a.head("401 Unauthorized", "403 Forbidden");
        }
    }),
    answer("token/401-text", "without the token it is told otherwise", "/", |_, a| {
        a.body("unauthorized access", "go away");
    }),
    answer("prepare/200", "prepare says 200", "/snapshot/prepare", |_, a| a.head("204 No Content", "200 OK")),
    answer("prepare/cached", "prepare may be cached", "/snapshot/prepare", |_, a| a.without("cache-control")),
    answer("prepare/once", "prepare is refused the second time", "/snapshot/prepare", |call, a| {
        if call.nth("prepare") > 1 {
            a.head("204 No Content", "409 Conflict");
            a.with("content-length", "0");
        }
    }),
    answer("preload/error-empty", "no error is an empty text", PRELOAD, |_, a| {
        a.body("\"error\":null", "\"error\":\"\"");
    }),
    answer("preload/counters-as-text", "counters are texts", PRELOAD, |_, a| {
        a.json(|m| {
            if m["bytes"].is_u64() {
                m["bytes"] = m["bytes"].to_string().into();
            }
        });
    }),
    answer("preload/pages-of-2-kib", "pages are counted in 2 KiB", PRELOAD, |_, a| {
        a.json(|m| {
            if let Some(pages) = m["pages"].as_u64() {
                m["pages"] = (pages * 2).into();
            }
        });
    }),
    answer("preload/idle-unnamed", "idle has no name", PRELOAD, |_, a| a.body("\"idle\"", "\"\"")),
    answer("preload/done-as-complete", "done has another name", PRELOAD, |_, a| {
        a.body("\"done\"", "\"complete\"");
    }),
    answer("preload/cancelled-of-go", "cancelled is spelt canceled", PRELOAD, |_, a| {
        a.body("\"cancelled\"", "\"canceled\"");
    }),
    answer("preload/post-says-idle", "POST answers idle", "POST /memory/preload", |_, a| {
        a.body("\"running\"", "\"idle\"");
    }),
    answer("preload/runs-again", "a POST after the end says running", "POST /memory/preload", |_, a| {
        a.body("\"done\"", "\"running\"");
    }),
    answer(
        "preload/counters-stay",
        "idle has the counters of the run before",
        "GET /memory/preload",
        |call, a| {
            if a.says("\"done\"") {
                call.kept().insert("ran".to_owned(), Vec::new());
            } else if a.says("\"idle\"") && call.kept().contains_key("ran") {
                a.json(|m| m["pages"] = 65_536.into());
            }
        },
    ),
    request("preload/cancel-ignored", "cancel does nothing", "POST /memory/preload/cancel", |_, r| {
        r.head(" /memory/preload/cancel ", " /snapshot/prepare ");
    }),
    answer("preload/cancel-200", "cancel says 200", "POST /memory/preload/cancel", |_, a| {
        a.head("204 No Content", "200 OK");
    }),
    answer("preload/cancel-sticky", "cancel after the end, or while idle, counts", PRELOAD, |call, a| {
        if call.target.ends_with("cancel") {
            call.kept().insert("cancel".to_owned(), Vec::new());
        } else if call.kept().contains_key("cancel") {
            a.body("\"done\"", "\"cancelled\"");
        }
    }),
    fault("preload/fails", "every preload fails", "POST /memory/preload: preload-fails \"no memory\""),
    fault("preload/lies", "a preload says done at once", "POST /memory/preload: preload-lies"),
];

/// The timestamp of an `/init` in RFC 3339.
fn stamp(message: &Value) -> Option<jiff::Timestamp> {
    message["timestamp"].as_str()?.parse().ok()
}

fn seconds(timestamp: &Value) -> Option<f64> {
    timestamp.as_str()?.parse().ok()
}

/// A time with its offset turned to the east.
fn east(time: &str) -> String {
    match time.rsplit_once('-') {
        Some((rest, offset)) if rest.contains('T') => format!("{rest}+{offset}"),
        _ => time.to_owned(),
    }
}

/// The first token that was set, remembered.
fn keep_token(call: &Call, request: &mut Request) -> Option<String> {
    let message: Value = serde_json::from_slice(request.bytes_mut()).unwrap_or_default();
    let mut kept = call.kept();
    if let Some(token) =
        message["access_token"].as_str().filter(|token| !token.is_empty() && call.target == "/init")
    {
        kept.entry("token".to_owned()).or_insert(token.as_bytes().to_vec());
    }
    kept.get("token").map(|token| String::from_utf8_lossy(token).into_owned())
}

fn with_token(call: &Call, request: &mut Request, edit: impl Fn(&mut Value, &str)) {
    let set = call.kept().contains_key("token");
    let Some(first) = keep_token(call, request).filter(|_| set) else { return };
    request.json(|message| {
        if message["access_token"].as_str().is_some_and(|token| !token.is_empty()) {
            edit(message, &first);
        }
    });
}

fn authorised(request: &mut Request, token: Option<String>) {
    if let Some(token) = token.filter(|_| !request.heads("x-access-token:")) {
        request.with("x-access-token", &token);
    }
}
