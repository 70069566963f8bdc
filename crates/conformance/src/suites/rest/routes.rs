//! Routing: paths, methods and content types that are known or not (contract 1), and the fields of the small routes.

use serde_json::json;

use crate::case::{Case, act, case};
use crate::feature::Feature;
use crate::observation::Observation;
use crate::probe::Ask;
use crate::suites::controls;
use crate::suites::helpers::{all_are, allow_exactly, delete_each, send};
use crate::verdict::Judged;

/// Every route of generation 2 with its methods (contract 1 and 3).
const ROUTES: [(&str, &str); 9] = [
    ("/health", "GET,HEAD"),
    ("/metrics", "GET,HEAD"),
    ("/envs", "GET,HEAD"),
    ("/init", "POST"),
    ("/snapshot/prepare", "POST"),
    ("/activity", "GET,HEAD"),
    ("/memory/preload", "GET,HEAD,POST"),
    ("/memory/preload/cancel", "POST"),
    ("/files", "GET,HEAD,POST"),
];
const GETS: [&str; 5] = ["/health", "/metrics", "/envs", "/activity", "/memory/preload"];

fn unknown(o: &Observation, label: &str, path: &str) -> Judged {
    o.at(label)?.error(404, "unimplemented", &format!("method not found: {path}"))
}

fn empty(o: &Observation, label: &str, status: u16) -> Judged {
    o.at(label)?.status(status)?;
    o.at(label)?.body_is(b"")
}

pub(in crate::suites) const CASES: &[Case] = &[
    case("routes/method/every-route", "contract 1", &["1.wrong-method", "0.1.upload-post"])
        .requires("DELETE on each route is 405, empty, with exactly its methods in Allow")
        .why("Allow is how a host learns the generation")
        .generations(&[2])
        .act(act!(|p| delete_each(p, &ROUTES).await))
        .judge(|o| allow_exactly(o, &ROUTES)),
    case("routes/method/put-files", "contract 0.1", &["0.1.upload-post", "1.wrong-method"])
        .requires("PUT /files, the upload of the next generation, is 405, and writes nothing")
        .why("a newer host must learn that this guest is older")
        .generations(&[1, 2])
        .positive_control(controls::ok)
        .act(act!(|p| {
            controls::upload(p).await?;
            let path = p.path("f");
            send(
                p,
                "put",
                Ask::new("PUT", "/files").query("path", &path).query("username", "root").body("x"),
            )
            .await?;
            send(p, "get", Ask::download(&path)).await
        }))
        .judge(|o| {
            empty(o, "put", 405)?;
            o.at("get")?.status(404)
        }),
    case("routes/method/head-on-all", "contract 1", &["1.head"])
        .requires("HEAD on every GET route is 200 with the headers of GET and no body")
        .why("probes ask so")
        .features(&[Feature::Activity, Feature::Preload])
        .act(act!(|p| {
            for path in GETS {
                send(p, path, Ask::new("HEAD", path)).await?;
            }
            Ok(())
        }))
        .judge(|o| {
            GETS.iter().try_for_each(|path| {
                empty(o, path, 200)?;
                o.at(path)?.header_is("content-type", "application/json")
            })
        }),
    case("routes/path/case", "contract 1", &["1.route-exact"])
        .requires(
            "routes are case-sensitive and exact: /Health, //health, /health/x and \
            /health%2F are unknown",
        )
        .why("a guard in front of the guest compares paths as they are")
        .tags(&["security"])
        .positive_control(controls::ok)
        .act(act!(|p| {
            controls::health(p).await?;
            for path in ["/Health", "//health", "/health/x", "/health%2F", "/files/"] {
                send(p, path, Ask::new("GET", path)).await?;
            }
            Ok(())
        }))
        .judge(|o| {
            ["/Health", "//health", "/health/x", "/health%2F", "/files/"]
                .iter()
                .try_for_each(|path| unknown(o, path, ""))
        }),
    case("routes/path/unknown-get", "contract 1", &["1.unknown-get"])
        .requires(
            "GET of an unknown path is 404 in JSON with code unimplemented and the path \
            without its slash",
        )
        .why("clients of Connect read it as an unknown method")
        .positive_control(controls::ok)
        .act(act!(|p| {
            controls::health(p).await?;
            send(p, "root", Ask::new("GET", "/")).await?;
            send(p, "deep", Ask::new("GET", "/a/b/c")).await?;
            send(p, "query", Ask::new("GET", "/a?b=c")).await
        }))
        .judge(|o| {
            let body = |path: &str| {
                json!({ "code": "unimplemented", "message": format!("method \
                not found: {path}") })
            };
            for (label, path) in [("root", ""), ("deep", "a/b/c"), ("query", "a")] {
                o.at(label)?.status(404)?;
                o.at(label)?.same("body", o.at(label)?.json()?, body(path))?;
            }
            Ok(())
        }),
    case("routes/path/unknown-post", "contract 1", &["1.unknown-post", "1.unknown-stream"])
        .requires(
            "POST of an unknown path is 404 with a unary type, and 200 with one END_STREAM \
            of unimplemented with a streaming one",
        )
        .why("a client of another generation learns that the method is not there")
        .needs(&["process/start/events"])
        .positive_control(controls::ok)
        .act(act!(|p| {
            controls::list(p).await?;
            send(p, "json", Ask::unary("no.Such/Method", &json!({}))).await?;
            send(
                p,
                "binary",
                Ask::new("POST", "/no.Such/Method").header("content-type", "application/proto"),
            )
            .await?;
            send(p, "stream", Ask::stream("no.Such/Method", &[json!({})])).await
        }))
        .judge(|o| {
            unknown(o, "json", "no.Such/Method")?;
            unknown(o, "binary", "no.Such/Method")?;
            let stream = o.at("stream")?;
            stream.same("envelopes", stream.frames()?.len(), 1)?;
            stream.stream_error("unimplemented", "method not found: no.Such/Method")
        }),
    case("routes/type/none", "contract 1", &["1.no-content-type"])
        .requires("POST elsewhere without a content type, or with an unknown one, is 415 and empty")
        .why("an old guest answers so to a newer host's POST /memory/preload")
        .positive_control(controls::ok)
        .act(act!(|p| {
            controls::list(p).await?;
            send(p, "unknown", Ask::new("POST", "/no/such")).await?;
            send(p, "rpc", Ask::new("POST", "/process.Process/List").body("{}")).await?;
            send(
                p,
                "odd",
                Ask::new("POST", "/process.Process/List").header("content-type", "text/plain").body("{}"),
            )
            .await?;
            send(p, "options", Ask::new("OPTIONS", "/no/such")).await
        }))
        .judge(|o| ["unknown", "rpc", "odd", "options"].iter().try_for_each(|label| empty(o, label, 415))),
    case("routes/rpc/other-methods", "contract 1", &["1.put-on-rpc", "1.get-on-rpc"])
        .requires(
            "PUT and DELETE on an RPC are 405 \"only GET and POST methods are supported\", \
            GET is 405 for want of idempotency",
        )
        .why("the words tell a developer what is wrong")
        .positive_control(controls::ok)
        .act(act!(|p| {
            controls::list(p).await?;
            for method in ["PUT", "DELETE", "PATCH"] {
                let ask =
                    Ask::new(method, "/process.Process/List").header("content-type", "application/json");
                send(p, method, ask.body("{}")).await?;
            }
            send(p, "GET", Ask::new("GET", "/process.Process/List")).await
        }))
        .judge(|o| {
            for method in ["PUT", "DELETE", "PATCH"] {
                o.at(method)?.error(405, "unknown", "only GET and POST methods are supported")?;
            }
            o.at("GET")?.error(405, "unknown", "GET requests are only supported for idempotent methods")
        }),
    case("routes/rpc/get-with-query", "contract 1 and Connect", &["1.get-on-rpc"])
        .requires("a GET in the form of Connect, with message and encoding in the query, is 405 too")
        .why("a link that a browser follows must not run anything")
        .tags(&["security"])
        .positive_control(controls::ok)
        .act(act!(|p| {
            controls::list(p).await?;
            let target = "/process.Process/List?connect=v1&encoding=json&message=%7B%7D";
            send(p, "get", Ask::new("GET", target)).await
        }))
        .judge(|o| o.at("get")?.status(405)),
    case("routes/rpc/grpc-web-text", "contract 1", &["1.grpc-web-text"])
        .requires("grpc-web-text is refused as unimplemented")
        .why("a client that speaks it must not wait for text")
        .positive_control(controls::ok)
        .act(act!(|p| {
            controls::list(p).await?;
            let ask =
                Ask::new("POST", "/process.Process/List").header("content-type", "application/grpc-web-text");
            send(p, "text", ask.body("AAAAAAA=")).await
        }))
        .judge(|o| {
            let seen = o.at("text")?;
            seen.whole()?;
            let body = String::from_utf8_lossy(&seen.exchange.body).into_owned();
            let told = body.contains("grpc-status: 12") || body.contains("unimplemented");
            seen.holds(told, "grpc-status: 12, or unimplemented", body)
        }),
    case("routes/volumes/absent", "contract 0.1", &["0.1.no-volumes"])
        .requires("/volumes/mount and /volumes/unmount are unknown methods")
        .why("a newer host learns that this guest has no volumes")
        .generations(&[1, 2])
        .positive_control(controls::ok)
        .act(act!(|p| {
            controls::list(p).await?;
            send(p, "mount", Ask::unary("volumes/mount", &json!({ "serial": "a", "mount_path": "/mnt" })))
                .await?;
            send(p, "unmount", Ask::unary("volumes/unmount", &json!({ "mount_path": "/mnt" }))).await
        }))
        .judge(|o| {
            unknown(o, "mount", "volumes/mount")?;
            unknown(o, "unmount", "volumes/unmount")
        }),
    case("routes/health/query", "contract 3.1", &["3.1.query", "3.1.version", "10.version", "3.1.no-store"])
        .requires("the query is ignored, and the answer has the version and nothing else")
        .why("pollers add a time against caches")
        .act(act!(|p| {
            p.get("bare", "/health").await?;
            p.get("query", "/health?t=123&t=4&%zz").await
        }))
        .judge(|o| {
            let bare = o.at("bare")?;
            let keys = bare.ok()?.as_object().map(|all| all.keys().cloned().collect::<Vec<_>>());
            bare.same("fields", keys, Some(vec!["version".to_owned()]))?;
            bare.header_is("content-type", "application/json")?;
            o.at("query")?.status(200)?;
            o.at("query")?.body_is(&bare.exchange.body)
        }),
    case("metrics/get/units", "contract 3.2", &["3.2.units", "3.2.fields", "3.2.used", "3.2.no-store"])
        .requires("the MiB fields are the byte fields in MiB, and ts is the time in Date")
        .why("two fields that differ make two graphs that differ")
        .needs(&["process/start/events"])
        .act(act!(|p| {
            p.get("metrics", "/metrics").await?;
            p.sh("now", "date +%s").await
        }))
        .judge(|o| {
            let seen = o.at("metrics")?;
            let json = seen.ok()?;
            for name in ["mem_total", "mem_used"] {
                let (bytes, mib) =
                    (json[name].as_u64().unwrap_or_default(), json[format!("{name}_mib")].as_u64());
                seen.same(&format!("{name}_mib"), mib, Some(bytes >> 20))?;
            }
            seen.holds(
                json["mem_total"].as_u64() > Some(1 << 20),
                "mem_total above 1 MiB",
                &json["mem_total"],
            )
        }),
    case("metrics/get/disk", "contract 3.2", &["3.2.fields"])
        .requires("disk_total and disk_used are those of / as df tells them")
        .why("a full disk is seen before it hurts")
        .needs(&["process/start/events"])
        .act(act!(|p| {
            p.get("metrics", "/metrics").await?;
            p.sh("df", "df -B1 / | tail -1 | awk '{print $2}'").await
        }))
        .judge(|o| {
            let seen = o.at("metrics")?;
            let total = seen.ok()?["disk_total"].as_u64();
            let df: Option<u64> = o.at("df")?.succeeded()?.text().trim().parse().ok();
            seen.same("disk_total", total, df)
        }),
    case("activity/get/units", "contract 3.6", &["3.6.fields", "3.6.no-store", "0.1.activity-preload"])
        .requires("rates are not below 0 and cpu_used_pct is at most 100 for each processor")
        .why("a rate that wraps around keeps a sandbox alive for ever")
        .features(&[Feature::Activity])
        .act(act!(|p| p.get("activity", "/activity").await))
        .judge(|o| {
            let seen = o.at("activity")?;
            let json = seen.ok()?;
            for name in ["net_bps", "disk_bps"] {
                let sound = json[name].as_f64().is_some_and(|rate| (0.0..1e12).contains(&rate));
                seen.holds(sound, &format!("{name} from 0 to 10^12"), &json[name])?;
            }
            let used = json["cpu_used_pct"].as_f64().unwrap_or(-1.0);
            seen.holds((0.0..=12_800.0).contains(&used), "cpu_used_pct not below 0", used)
        }),
    case("routes/errors/no-details", "contract 1", &["1.error-no-details", "1.error-mapping"])
        .requires("errors of RPCs have code and message alone, and the HTTP status of their code")
        .why("details of another library confuse clients")
        .act(act!(|p| {
            for (label, call, message) in ERRORS {
                let message = serde_json::from_str(message).unwrap_or_default();
                p.unary(label, call, message).await?;
            }
            Ok(())
        }))
        .judge(|o| {
            for (label, status) in
                [("invalid_argument", 400), ("not_found", 404), ("already_exists", 409), ("internal", 500)]
            {
                let seen = o.at(label)?;
                seen.status(status)?;
                seen.field_is("/code", label)?;
                let keys = seen.json()?.as_object().map(|all| all.keys().cloned().collect::<Vec<_>>());
                seen.same("fields", keys, Some(vec!["code".to_owned(), "message".to_owned()]))?;
            }
            Ok(())
        }),
    case("routes/gets/pure", "contract 8", &["8.gets-pure", "3.1.no-store", "3.2.no-store", "3.6.no-store"])
        .requires("GETs may be repeated in any order, and those that change with time are not cached")
        .why("pollers ask all of them every second")
        .features(&[Feature::Activity, Feature::Preload])
        .act(act!(|p| {
            for round in ["first", "second"] {
                for path in GETS {
                    p.get(&format!("{round} {path}"), path).await?;
                }
            }
            Ok(())
        }))
        .judge(|o| {
            let labels: Vec<String> = ["first", "second"]
                .iter()
                .flat_map(|round| GETS.map(|path| format!("{round} {path}")))
                .collect();
            all_are(o, &labels.iter().map(String::as_str).collect::<Vec<_>>(), 200)?;
            for path in ["/health", "/metrics", "/envs", "/activity"] {
                let label = format!("second {path}");
                o.at(&label)?.header_is("cache-control", "no-store")?;
            }
            let (first, second) = (o.at("first /envs")?.ok()?, o.at("second /envs")?);
            second.same("environment", second.ok()?, first)
        }),
];

/// A call that fails with each code.
const ERRORS: [(&str, &str, &str); 4] = [
    ("invalid_argument", "process.Process/CloseStdin", "{}"),
    ("not_found", "filesystem.Filesystem/Stat", r#"{"path":"/envd-conformance-no-such"}"#),
    ("already_exists", "filesystem.Filesystem/MakeDir", r#"{"path":"/tmp"}"#),
    ("internal", "filesystem.Filesystem/Stat", r#"{"path":"/etc/passwd/x"}"#),
];
