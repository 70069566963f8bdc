//! HTTP/1.1 itself: connections, chunks, heads that are odd (contract 1; RFC 9112).

use serde_json::json;

use crate::case::{Case, act, case};
use crate::observation::Observation;
use crate::probe::{Ask, Probe, SetupError};
use crate::suites::helpers::all_ok;
use crate::verdict::Judged;

const STAT: &str = "filesystem.Filesystem/Stat";

fn json_ask(body: &str) -> Ask {
    Ask::new("POST", format!("/{STAT}")).header("content-type", "application/json").body(body)
}

/// Requests of GET /health in a row, the last with Connection: close.
fn healths(host: &str, count: usize) -> String {
    let one = |last: bool| {
        format!(
            "GET /health HTTP/1.1\r\nhost: {host}\r\n{}\r\n",
            if last { "connection: close\r\n" } else { "" }
        )
    };
    (1..=count).map(|n| one(n == count)).collect()
}

fn answers(o: &Observation, label: &str, count: usize) -> Judged {
    let seen = o.at(label)?;
    let status = seen.exchange.status;
    seen.same("status of the first answer", status, Some(200))?;
    let rest = String::from_utf8_lossy(&seen.exchange.after).into_owned();
    seen.same("answers behind the first", rest.matches("HTTP/1.1 200 OK\r\n").count(), count - 1)
}

async fn raw_until_closed(p: &mut Probe, label: &str, request: &str) -> Result<(), SetupError> {
    p.raw_to_close(label, request.as_bytes()).await
}

pub(in crate::suites) const CASES: &[Case] = &[
    case("wire/http/pipelined", "contract 1 and RFC 9112, 9.3", &["1.keep-alive", "1.http1"])
        .requires(
            "three requests in one write on one connection get three answers, and then it \
            closes as asked",
        )
        .why("the host keeps its connections for 90 s")
        .act(act!(|p| {
            let request = healths(p.host(), 3);
            raw_until_closed(p, "three", &request).await
        }))
        .judge(|o| answers(o, "three", 3)),
    case("wire/http/keep-alive-after-error", "contract 1 and RFC 9112, 9.3", &["1.keep-alive"])
        .requires("a connection goes on after a 404, a 405 and an RPC error whose body was read")
        .why("an error of one call must not cost the next its connection")
        .act(act!(|p| {
            let host = p.host().to_owned();
            let rpc = format!(
                "POST /{STAT} HTTP/1.1\r\nhost: {host}\r\ncontent-type: \
                    application/json\r\ncontent-length: 1\r\n\r\n{{"
            );
            let request = format!(
                "GET /nothing HTTP/1.1\r\nhost: {host}\r\n\r\nPOST /health HTTP/1.1\r\nhost: \
                    {host}\r\ncontent-length: 0\r\n\r\n{rpc}{}",
                healths(&host, 1)
            );
            raw_until_closed(p, "four", &request).await
        }))
        .judge(|o| {
            let seen = o.at("four")?;
            seen.same("status of the first answer", seen.exchange.status, Some(404))?;
            let rest = String::from_utf8_lossy(&seen.exchange.after).into_owned();
            let statuses: Vec<&str> =
                rest.split("HTTP/1.1 ").skip(1).map(|answer| answer.get(..3).unwrap_or_default()).collect();
            seen.same("statuses behind the first", statuses, vec!["405", "400", "200"])
        }),
    case("wire/http/chunked-unary", "RFC 9112, 7.1", &["1.http1"])
        .requires("a unary body in chunks, cut anywhere, is understood")
        .why("a client that does not know the length sends it so")
        .act(act!(|p| {
            let ask = json_ask(r#"{"path":"/usr"}"#).header("transfer-encoding", "chunked").cut_at(1..15);
            p.send("stat", ask).await.map(drop)
        }))
        .judge(|o| {
            all_ok(o, &["stat"])?;
            o.at("stat")?.field_is("/entry/path", "/usr")
        }),
    case("wire/http/header-case", "RFC 9110, 5.1", &["1.http1", "1.content-types"])
        .requires("header names are taken in any case")
        .why("proxies write them as they like")
        .act(act!(|p| {
            let ask = Ask::new("POST", format!("/{STAT}"))
                .header("CONTENT-TYPE", "application/json")
                .body(r#"{"path":"/usr"}"#);
            p.send("stat", ask).await.map(drop)
        }))
        .judge(|o| all_ok(o, &["stat"])),
    case("wire/http/expect-continue", "RFC 9110, 10.1.1", &["1.http1"])
        .requires("a request with Expect: 100-continue is answered, with or without a 100 before")
        .why("curl says it with every large upload")
        .act(act!(|p| {
            p.send("stat", json_ask(r#"{"path":"/usr"}"#).header("expect", "100-continue")).await.map(drop)
        }))
        .judge(|o| all_ok(o, &["stat"])),
    case("wire/http/large-head", "contract 1", &["1.http1"])
        .requires(
            "a head with 8 KiB of headers is taken; one of a mebibyte is refused or cut \
            off, and the guest goes on",
        )
        .why("cookies and traces make heads long; a head without an end must not fill the memory")
        .tags(&["security"])
        .act(act!(|p| {
            p.send("fair", Ask::new("GET", "/health").header("x-long", &"x".repeat(8 << 10))).await?;
            p.send("huge", Ask::new("GET", "/health").header("x-long", &"x".repeat(1 << 20))).await?;
            p.get("after", "/health").await
        }))
        .judge(|o| {
            o.at("fair")?.status(200)?;
            let huge = o.at("huge")?.exchange.status;
            o.at("huge")?.holds(
                huge.is_none_or(|status| (400..500).contains(&status)),
                "a status from 400 to 499, or the end of the connection",
                huge,
            )?;
            o.at("after")?.status(200)
        }),
    case("wire/http/many-headers", "contract 1", &["1.http1"])
        .requires("a thousand headers are refused or taken, and the guest goes on")
        .why("each header costs memory")
        .tags(&["security"])
        .act(act!(|p| {
            let ask = (0..1000).fold(Ask::new("GET", "/health"), |ask, n| ask.header(&format!("x-{n}"), "x"));
            p.send("many", ask).await?;
            p.get("after", "/health").await
        }))
        .judge(|o| {
            let many = o.at("many")?.exchange.status;
            o.at("many")?.holds(
                many.is_some_and(|status| status == 200 || (400..500).contains(&status)),
                "200, or a status from 400 to 499",
                many,
            )?;
            o.at("after")?.status(200)
        }),
    case("wire/http/not-http", "RFC 9112, 2.2", &["1.http1"])
        .requires(
            "bytes that are no HTTP are answered by 400 or the end of the connection, and \
            the guest goes on",
        )
        .why("port scanners and TLS clients knock at every port")
        .tags(&["security"])
        .act(act!(|p| {
            p.raw("tls", &[0x16, 0x03, 0x01, 0x00, 0x05, 1, 0, 0, 1, 3], true).await?;
            p.raw("words", b"hello\r\n\r\n", true).await?;
            p.get("after", "/health").await
        }))
        .judge(|o| {
            for label in ["tls", "words"] {
                let status = o.at(label)?.exchange.status;
                o.at(label)?.holds(
                    status.is_none_or(|status| status == 400),
                    "status 400, or the end of the connection",
                    status,
                )?;
            }
            o.at("after")?.status(200)
        }),
    case("wire/http/two-lengths", "RFC 9112, 6.3", &["1.http1"])
        .requires("two Content-Length that differ are refused")
        .why("a proxy that goes by the other one is fooled")
        .tags(&["security"])
        .positive_control(|o| o.at("twin")?.ok().map(drop))
        .act(act!(|p| {
            let head = |second: &str| {
                format!(
                    "POST /{STAT} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-type: \
                        application/json\r\ncontent-length: 15\r\n{second}\r\n{{\"path\":\"/usr\"}}",
                    p.host()
                )
            };
            let (one, two) = (head(""), head("content-length: 2\r\n"));
            p.raw("twin", one.as_bytes(), false).await?;
            p.raw("two", two.as_bytes(), false).await
        }))
        .judge(|o| {
            let status = o.at("two")?.exchange.status;
            o.at("two")?.holds(
                status.is_none_or(|status| status == 400),
                "status 400, or the end of the connection",
                status,
            )
        }),
    case("wire/http/no-host", "RFC 9112, 3.2", &["1.http1"])
        .requires("an HTTP/1.1 request without Host is refused by 400, or served")
        .why("scripts forget it; what must not happen is silence")
        .may()
        .act(act!(|p| p.raw("bare", b"GET /health HTTP/1.1\r\nconnection: close\r\n\r\n", false).await))
        .judge(|o| {
            let status = o.at("bare")?.exchange.status;
            o.at("bare")?.holds(matches!(status, Some(200 | 400 | 403)), "status 200, 400 or 403", status)
        }),
    case("wire/http/http10", "RFC 9112, 9.3", &["1.http1"])
        .requires("an HTTP/1.0 request is answered, and the connection closed behind it")
        .why("load balancers probe so")
        .act(act!(|p| {
            let request = format!("GET /health HTTP/1.0\r\nhost: {}\r\n\r\n", p.host());
            raw_until_closed(p, "old", &request).await
        }))
        .judge(|o| o.at("old")?.status(200)),
    case("wire/http/slow-client", "contract 1", &["1.http1"])
        .requires("fifty connections that send half a head and wait do not keep others from being served")
        .why("a few sleepy clients must not stop a sandbox")
        .tags(&["security"])
        .act(act!(|p| {
            let request = format!("GET /health HTTP/1.1\r\nhost: {}\r\nx-slow: ", p.host());
            let mut sleepy = Vec::new();
            for _ in 0..50 {
                sleepy.push(p.open_raw(request.as_bytes()).await?);
            }
            p.get("health", "/health").await?;
            p.unary("list", "process.Process/List", json!({})).await?;
            drop(sleepy);
            Ok(())
        }))
        .judge(|o| {
            o.at("health")?.status(200)?;
            all_ok(o, &["list"])
        }),
    case("wire/http/date", "contract 1", &["1.date", "1.no-server", "1.lower-case"])
        .requires("answers have a Date in the form of RFC 9110, lower-case names and no Server")
        .why("what a server is, is nobody's business")
        .should()
        .act(act!(|p| p.get("health", "/health").await))
        .judge(|o| {
            let seen = o.at("health")?;
            seen.status(200)?;
            let date = seen.header("date").unwrap_or_default();
            seen.holds(
                date.len() == 29 && date.ends_with(" GMT"),
                "a Date such as Sun, 06 Nov 1994 08:49:37 GMT",
                date,
            )?;
            seen.same("header server", seen.header("server"), None)?;
            let upper = seen
                .exchange
                .headers
                .iter()
                .map(|(name, _)| name)
                .find(|name| name.bytes().any(|byte| byte.is_ascii_uppercase()));
            seen.same("name that is not lower-case", upper, None)
        }),
];
