//! HTTP/1.1 itself: connections, chunks, heads that are odd (contract 1; RFC 9112).

use serde_json::json;

use crate::case::{Case, Level};
use crate::observation::Observation;
use crate::probe::{Ask, Probe, Trouble};
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

async fn raw_until_closed(p: &mut Probe, label: &str, request: &str) -> Result<(), Trouble> {
    p.raw_to_close(label, request.as_bytes()).await
}

pub(in crate::suites) const CASES: &[Case] = &[
    Case {
        id: "wire/http/pipelined",
        source: "contract 1 and RFC 9112, 9.3",
        reqs: &["1.keep-alive", "1.http1"],
        requirement: "three requests in one write on one connection get three answers, and then it closes as asked",
        why: "the host keeps its connections for 90 s",
        act: |p| {
            Box::pin(async move {
                let request = healths(p.host(), 3);
                raw_until_closed(p, "three", &request).await
            })
        },
        judge: |o| answers(o, "three", 3),
        ..Case::BASE
    },
    Case {
        id: "wire/http/keep-alive-after-error",
        source: "contract 1 and RFC 9112, 9.3",
        reqs: &["1.keep-alive"],
        requirement: "a connection goes on after a 404, a 405 and an RPC error whose body was read",
        why: "an error of one call must not cost the next its connection",
        act: |p| {
            Box::pin(async move {
                let host = p.host().to_owned();
                let rpc = format!(
                    "POST /{STAT} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\ncontent-length: 1\r\n\r\n{{"
                );
                let request = format!(
                    "GET /nothing HTTP/1.1\r\nhost: {host}\r\n\r\nPOST /health HTTP/1.1\r\nhost: {host}\r\ncontent-length: 0\r\n\r\n{rpc}{}",
                    healths(&host, 1)
                );
                raw_until_closed(p, "four", &request).await
            })
        },
        judge: |o| {
            let seen = o.at("four")?;
            seen.same("status of the first answer", seen.exchange.status, Some(404))?;
            let rest = String::from_utf8_lossy(&seen.exchange.after).into_owned();
            let statuses: Vec<&str> =
                rest.split("HTTP/1.1 ").skip(1).map(|answer| answer.get(..3).unwrap_or_default()).collect();
            seen.same("statuses behind the first", statuses, vec!["405", "400", "200"])
        },
        ..Case::BASE
    },
    Case {
        id: "wire/http/chunked-unary",
        source: "RFC 9112, 7.1",
        reqs: &["1.http1"],
        requirement: "a unary body in chunks, cut anywhere, is understood",
        why: "a client that does not know the length sends it so",
        act: |p| {
            Box::pin(async move {
                let ask = json_ask(r#"{"path":"/usr"}"#).header("transfer-encoding", "chunked").cut_at(1..15);
                p.send("stat", ask).await.map(drop)
            })
        },
        judge: |o| {
            all_ok(o, &["stat"])?;
            o.at("stat")?.field_is("/entry/path", "/usr")
        },
        ..Case::BASE
    },
    Case {
        id: "wire/http/header-case",
        source: "RFC 9110, 5.1",
        reqs: &["1.http1", "1.content-types"],
        requirement: "header names are taken in any case",
        why: "proxies write them as they like",
        act: |p| {
            Box::pin(async move {
                let ask = Ask::new("POST", format!("/{STAT}"))
                    .header("CONTENT-TYPE", "application/json")
                    .body(r#"{"path":"/usr"}"#);
                p.send("stat", ask).await.map(drop)
            })
        },
        judge: |o| all_ok(o, &["stat"]),
        ..Case::BASE
    },
    Case {
        id: "wire/http/expect-continue",
        source: "RFC 9110, 10.1.1",
        reqs: &["1.http1"],
        requirement: "a request with Expect: 100-continue is answered, with or without a 100 before",
        why: "curl says it with every large upload",
        act: |p| {
            Box::pin(async move {
                p.send("stat", json_ask(r#"{"path":"/usr"}"#).header("expect", "100-continue"))
                    .await
                    .map(drop)
            })
        },
        judge: |o| all_ok(o, &["stat"]),
        ..Case::BASE
    },
    Case {
        id: "wire/http/large-head",
        source: "contract 1",
        reqs: &["1.http1"],
        requirement: "a head with 8 KiB of headers is taken; one of a mebibyte is refused or cut off, and the guest goes on",
        why: "cookies and traces make heads long; a head without an end must not fill the memory",
        tags: &["security"],
        act: |p| {
            Box::pin(async move {
                p.send("fair", Ask::new("GET", "/health").header("x-long", &"x".repeat(8 << 10))).await?;
                p.send("huge", Ask::new("GET", "/health").header("x-long", &"x".repeat(1 << 20))).await?;
                p.get("after", "/health").await
            })
        },
        judge: |o| {
            o.at("fair")?.status(200)?;
            let huge = o.at("huge")?.exchange.status;
            o.at("huge")?.holds(
                huge.is_none_or(|status| (400..500).contains(&status)),
                "a status from 400 to 499, or the end of the connection",
                huge,
            )?;
            o.at("after")?.status(200)
        },
        ..Case::BASE
    },
    Case {
        id: "wire/http/many-headers",
        source: "contract 1",
        reqs: &["1.http1"],
        requirement: "a thousand headers are refused or taken, and the guest goes on",
        why: "each header costs memory",
        tags: &["security"],
        act: |p| {
            Box::pin(async move {
                let ask =
                    (0..1000).fold(Ask::new("GET", "/health"), |ask, n| ask.header(&format!("x-{n}"), "x"));
                p.send("many", ask).await?;
                p.get("after", "/health").await
            })
        },
        judge: |o| {
            let many = o.at("many")?.exchange.status;
            o.at("many")?.holds(
                many.is_some_and(|status| status == 200 || (400..500).contains(&status)),
                "200, or a status from 400 to 499",
                many,
            )?;
            o.at("after")?.status(200)
        },
        ..Case::BASE
    },
    Case {
        id: "wire/http/not-http",
        source: "RFC 9112, 2.2",
        reqs: &["1.http1"],
        requirement: "bytes that are no HTTP are answered by 400 or the end of the connection, and the guest goes on",
        why: "port scanners and TLS clients knock at every port",
        tags: &["security"],
        act: |p| {
            Box::pin(async move {
                p.raw("tls", &[0x16, 0x03, 0x01, 0x00, 0x05, 1, 0, 0, 1, 3], true).await?;
                p.raw("words", b"hello\r\n\r\n", true).await?;
                p.get("after", "/health").await
            })
        },
        judge: |o| {
            for label in ["tls", "words"] {
                let status = o.at(label)?.exchange.status;
                o.at(label)?.holds(
                    status.is_none_or(|status| status == 400),
                    "status 400, or the end of the connection",
                    status,
                )?;
            }
            o.at("after")?.status(200)
        },
        ..Case::BASE
    },
    Case {
        id: "wire/http/two-lengths",
        source: "RFC 9112, 6.3",
        reqs: &["1.http1"],
        requirement: "two Content-Length that differ are refused",
        why: "a proxy that goes by the other one is fooled",
        tags: &["security"],
        act: |p| {
            Box::pin(async move {
                let head = |second: &str| {
                    format!(
                        "POST /{STAT} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: 15\r\n{second}\r\n{{\"path\":\"/usr\"}}",
                        p.host()
                    )
                };
                let (one, two) = (head(""), head("content-length: 2\r\n"));
                p.raw("twin", one.as_bytes(), false).await?;
                p.raw("two", two.as_bytes(), false).await
            })
        },
        twin: Some(|o| o.at("twin")?.ok().map(drop)),
        judge: |o| {
            let status = o.at("two")?.exchange.status;
            o.at("two")?.holds(
                status.is_none_or(|status| status == 400),
                "status 400, or the end of the connection",
                status,
            )
        },
        ..Case::BASE
    },
    Case {
        id: "wire/http/no-host",
        source: "RFC 9112, 3.2",
        reqs: &["1.http1"],
        requirement: "an HTTP/1.1 request without Host is refused by 400, or served",
        why: "scripts forget it; what must not happen is silence",
        level: Level::May,
        act: |p| {
            Box::pin(async move {
                p.raw("bare", b"GET /health HTTP/1.1\r\nconnection: close\r\n\r\n", false).await
            })
        },
        judge: |o| {
            let status = o.at("bare")?.exchange.status;
            o.at("bare")?.holds(matches!(status, Some(200 | 400 | 403)), "status 200, 400 or 403", status)
        },
        ..Case::BASE
    },
    Case {
        id: "wire/http/http10",
        source: "RFC 9112, 9.3",
        reqs: &["1.http1"],
        requirement: "an HTTP/1.0 request is answered, and the connection closed behind it",
        why: "load balancers probe so",
        act: |p| {
            Box::pin(async move {
                let request = format!("GET /health HTTP/1.0\r\nhost: {}\r\n\r\n", p.host());
                raw_until_closed(p, "old", &request).await
            })
        },
        judge: |o| o.at("old")?.status(200),
        ..Case::BASE
    },
    Case {
        id: "wire/http/slow-client",
        source: "contract 1",
        reqs: &["1.http1"],
        requirement: "fifty connections that send half a head and wait do not keep others from being served",
        why: "a few sleepy clients must not stop a sandbox",
        tags: &["security"],
        act: |p| {
            Box::pin(async move {
                let request = format!("GET /health HTTP/1.1\r\nhost: {}\r\nx-slow: ", p.host());
                let mut sleepy = Vec::new();
                for _ in 0..50 {
                    sleepy.push(p.open_raw(request.as_bytes()).await?);
                }
                p.get("health", "/health").await?;
                p.unary("list", "process.Process/List", json!({})).await?;
                drop(sleepy);
                Ok(())
            })
        },
        judge: |o| {
            o.at("health")?.status(200)?;
            all_ok(o, &["list"])
        },
        ..Case::BASE
    },
    Case {
        id: "wire/http/date",
        source: "contract 1",
        reqs: &["1.date", "1.no-server", "1.lower-case"],
        requirement: "answers have a Date in the form of RFC 9110, lower-case names and no Server",
        why: "what a server is, is nobody's business",
        level: Level::Should,
        act: |p| Box::pin(async move { p.get("health", "/health").await }),
        judge: |o| {
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
        },
        ..Case::BASE
    },
];
