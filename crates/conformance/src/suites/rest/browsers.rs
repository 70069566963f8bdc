//! Browsers: CORS, preflights, and whose Host and Origin may call a guest on loopback (contract 1 and 10).

use serde_json::json;

use crate::case::{Case, act, case};
use crate::observation::Observation;
use crate::probe::Ask;
use crate::suites::controls;
use crate::suites::helpers::send;
use crate::verdict::Judged;

const EXPOSED: &str = "location,cache-control,x-content-type-options,connect-content-encoding,\
                       connect-protocol-version,grpc-encoding,grpc-message,grpc-status,grpc-status-details-bin";
const LOCAL: &str = "http://localhost:3000";

fn list() -> Ask {
    Ask::unary("process.Process/List", &json!({}))
}

/// What a browser asks before it calls.
fn preflight(path: &str, origin: &str) -> Ask {
    Ask::new("OPTIONS", path)
        .header("origin", origin)
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "content-type,connect-protocol-version,x-access-token")
}

fn carries_cors(o: &Observation, label: &str) -> Judged {
    let seen = o.at(label)?;
    seen.header_is("access-control-allow-origin", "*")?;
    seen.header_is("access-control-expose-headers", EXPOSED)?;
    let vary = seen.headers_named("vary").join(",");
    let varies = ["origin", "access-control-request-method", "access-control-request-headers"];
    seen.holds(
        varies.iter().all(|name| vary.contains(name)),
        "a Vary of origin and what a preflight asks",
        vary,
    )
}

fn allows(o: &Observation, label: &str, methods: &str) -> Judged {
    let seen = o.at(label)?;
    seen.status(200)?;
    seen.body_is(b"")?;
    seen.header_is("allow", methods)?;
    seen.header_is("access-control-allow-methods", "HEAD,GET,POST,PUT,PATCH,DELETE")?;
    seen.header_is("access-control-allow-headers", "*")?;
    seen.header_is("access-control-max-age", "7200")
}

/// Only a guest that is bound to loopback guards itself so.
fn forbidden(o: &Observation, label: &str) -> Judged {
    o.at(label)?.status(403)
}

pub(in crate::suites) const CASES: &[Case] = &[
    case("browsers/cors/rest", "contract 1", &["1.cors-origin", "1.cors-expose", "1.cors-vary"])
        .requires("every REST answer carries the CORS headers, without an Origin too, errors as well")
        .why("a browser hides an error that lacks them")
        .act(act!(|p| {
            send(p, "bare", Ask::new("GET", "/health")).await?;
            send(p, "origin", Ask::new("GET", "/envs").header("origin", LOCAL)).await?;
            send(p, "error", Ask::download("/envd-conformance-no-such").header("origin", LOCAL)).await?;
            send(p, "method", Ask::new("DELETE", "/health").header("origin", LOCAL)).await
        }))
        .judge(|o| {
            o.at("bare")?.status(200)?;
            o.at("error")?.status(404)?;
            o.at("method")?.status(405)?;
            ["bare", "origin", "error", "method"].iter().try_for_each(|label| carries_cors(o, label))
        }),
    case("browsers/cors/rpc", "contract 10", &["10.cors-rpc"])
        .requires("RPC answers carry the CORS headers, unary and streamed, on success and on error")
        .why("the exposed headers are those of Connect, and useless otherwise")
        .needs(&["process/start/events"])
        .act(act!(|p| {
            send(p, "unary", list().header("origin", LOCAL)).await?;
            let stat =
                Ask::unary("filesystem.Filesystem/Stat", &json!({ "path": "/envd-conformance-no-such" }));
            send(p, "error", stat.header("origin", LOCAL)).await?;
            let ask = p.start_ask("run", json!({ "process": crate::probe::shell("true"), "stdin": false }));
            send(p, "stream", ask.header("origin", LOCAL)).await
        }))
        .judge(|o| {
            o.at("unary")?.status(200)?;
            o.at("error")?.status(404)?;
            o.at("stream")?.succeeded()?;
            ["unary", "error", "stream"].iter().try_for_each(|label| carries_cors(o, label))
        }),
    case("browsers/cors/unknown-paths", "contract 1", &["1.cors-origin"])
        .requires("a 404 of an unknown path has no CORS headers")
        .why("what is not there is nobody's to read")
        .positive_control(controls::ok)
        .act(act!(|p| {
            controls::health(p).await?;
            send(p, "get", Ask::new("GET", "/no/such").header("origin", LOCAL)).await
        }))
        .judge(|o| {
            let seen = o.at("get")?;
            seen.status(404)?;
            seen.same("header access-control-allow-origin", seen.header("access-control-allow-origin"), None)
        }),
    case("browsers/preflight/rest", "contract 1", &["1.cors-preflight"])
        .requires("OPTIONS on a REST route is 200 and empty, with Allow and what a preflight asks for")
        .why("a browser does not call without it")
        .generations(&[1, 2])
        .act(act!(|p| {
            send(p, "files", preflight("/files", LOCAL)).await?;
            send(p, "init", preflight("/init", LOCAL)).await?;
            send(p, "health", preflight("/health", LOCAL)).await
        }))
        .judge(|o| {
            allows(o, "files", "GET,HEAD,POST")?;
            allows(o, "init", "POST")?;
            allows(o, "health", "GET,HEAD")
        }),
    case("browsers/preflight/rpc", "contract 10", &["10.cors-rpc"])
        .requires("a preflight to an RPC is answered as on a REST route")
        .why("without it no browser can call an RPC")
        .act(act!(|p| send(p, "start", preflight("/process.Process/Start", LOCAL)).await))
        .judge(|o| allows(o, "start", "POST")),
    case("browsers/host/loopback-names", "contract 10", &["10.host-guard"])
        .requires(
            "every name of loopback is admitted as Host: localhost, names below it, \
            127.0.0.1 and [::1], with any port",
        )
        .why("people and tools call it differently")
        .act(act!(|p| {
            for host in ADMITTED {
                send(p, host, Ask::new("GET", "/health").header("host", host)).await?;
            }
            Ok(())
        }))
        .judge(|o| ADMITTED.iter().try_for_each(|host| o.at(host)?.status(200))),
    case("browsers/host/foreign", "contract 10", &["10.host-guard"])
        .requires("another Host is 403, whatever it looks like, and runs nothing")
        .why("a page that rebinds its name to 127.0.0.1 could run commands")
        .tags(&["security", "loopback"])
        .positive_control(|o| o.at("twin")?.status(200))
        .act(act!(|p| {
            send(p, "twin", list().header("host", "localhost")).await?;
            for host in FOREIGN {
                send(p, host, list().header("host", host)).await?;
            }
            Ok(())
        }))
        .judge(|o| FOREIGN.iter().try_for_each(|host| forbidden(o, host))),
    case("browsers/host/two", "RFC 9112, 3.2", &["10.host-guard"])
        .requires("two Host headers, one of them foreign, are refused")
        .why("a proxy goes by the one and the guest by the other")
        .tags(&["security", "loopback"])
        .act(act!(|p| {
            let ask =
                |host: &str| Ask::new("GET", "/health").header("host", "localhost").header("host", host);
            send(p, "foreign", ask("evil.example")).await
        }))
        .judge(|o| {
            let seen = o.at("foreign")?;
            let status = seen.exchange.status.unwrap_or_default();
            seen.holds([400, 403].contains(&status), "status 400 or 403", status)
        }),
    case("browsers/origin/foreign", "contract 10", &["10.origin-guard"])
        .requires("a foreign Origin is 403 on REST and RPC, and the call has no effect")
        .why("any page that is open in a browser on this machine could run commands")
        .tags(&["security", "loopback"])
        .positive_control(|o| o.at("twin")?.status(200))
        .act(act!(|p| {
            send(p, "twin", list().header("origin", LOCAL)).await?;
            for origin in ["https://evil.example", "http://localhost.evil.example", "null", "file://"] {
                send(p, origin, list().header("origin", origin)).await?;
            }
            let path = p.path("f");
            let upload = p.dialect().upload(&path, "root", b"x");
            send(p, "upload", upload.header("origin", "https://evil.example")).await?;
            send(p, "get", Ask::download(&path)).await
        }))
        .judge(|o| {
            for origin in
                ["https://evil.example", "http://localhost.evil.example", "null", "file://", "upload"]
            {
                forbidden(o, origin)?;
            }
            o.at("get")?.status(404)
        }),
    case("browsers/origin/preflight", "contract 10", &["10.origin-guard", "10.cors-rpc"])
        .requires("a preflight of a foreign Origin is 403")
        .why("the browser asks first, and believes the answer")
        .tags(&["security", "loopback"])
        .positive_control(|o| o.at("twin")?.status(200))
        .act(act!(|p| {
            send(p, "twin", preflight("/process.Process/Start", LOCAL)).await?;
            send(p, "foreign", preflight("/process.Process/Start", "https://evil.example")).await
        }))
        .judge(|o| forbidden(o, "foreign")),
    case("browsers/target/absolute", "RFC 9112, 3.2.2", &["10.host-guard"])
        .requires("a target in absolute form is served for loopback and refused for another name")
        .why("the name in the target counts, not the one in Host")
        .tags(&["security", "loopback"])
        .positive_control(|o| o.at("twin")?.status(200))
        .act(act!(|p| {
            let local = format!("http://{}/health", p.host());
            send(p, "twin", Ask::new("GET", local)).await?;
            send(p, "foreign", Ask::new("GET", "http://evil.example/health")).await
        }))
        .judge(|o| forbidden(o, "foreign")),
];

const ADMITTED: [&str; 5] = ["localhost", "LOCALHOST:1", "a.localhost:80", "127.0.0.1", "[::1]:49983"];
const FOREIGN: [&str; 5] =
    ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example:80", "10.0.0.1", "evil.example:49983"];
