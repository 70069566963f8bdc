//! HTTP/2 with prior knowledge (contract 1; RFC 9113).

use serde_json::json;

use crate::case::{Case, act};
use crate::feature::Feature;
use crate::probe::{Ask, shell};
use crate::suites::helpers::{all_ok, numbered, printed, ps, so_far};

const BASE: Case = Case { features: &[Feature::Http2], tags: &["http2"], ..Case::BASE };
const HEALTH: &[&str] = &["wire/http2/health"];
const STREAM: &[&str] = &["wire/http2/stream"];

pub(in crate::suites) const CASES: &[Case] = &[
    BASE.case("wire/http2/health", "contract 1", &["1.h2c"])
        .requires("GET /health over HTTP/2 with prior knowledge is what it is over HTTP/1.1")
        .why("clients choose either on the same port")
        .needs(&["health/get/version"])
        .act(act!(|p| {
            p.get("one", "/health").await?;
            p.send_h2("two", &Ask::new("GET", "/health")).await
        }))
        .judge(|o| {
            let two = o.at("two")?;
            two.status(200)?;
            two.body_is(&o.at("one")?.exchange.body)?;
            two.header_is("cache-control", "no-store")
        }),
    BASE.case("wire/http2/unary", "contract 1", &["1.h2c"])
        .requires("a unary RPC and its error are the same over HTTP/2")
        .why("a status that differs by transport is two contracts")
        .needs(HEALTH)
        .act(act!(|p| {
            let stat = |path: &str| Ask::unary("filesystem.Filesystem/Stat", &json!({ "path": path }));
            p.send_h2("ok", &stat("/usr")).await?;
            p.send_h2("error", &stat("/envd-conformance-no-such")).await
        }))
        .judge(|o| {
            o.at("ok")?.ok()?;
            o.at("ok")?.field_is("/entry/path", "/usr")?;
            o.at("error")?.error(404, "not_found", "file not found")
        }),
    BASE.case("wire/http2/stream", "contract 1", &["1.h2c", "10.prompt"])
        .requires("a process streams over HTTP/2, and each chunk is there while it still runs")
        .why("terminals over HTTP/2 need every key at once, too")
        .needs(&["wire/http2/health", "process/start/events"])
        .act(act!(|p| {
            let ask = p.start_ask(
                "run",
                json!({ "process": shell("echo up; read line; echo got $line"), "stdin": true }),
            );
            let mut http2 = p.http2().await?;
            let id = http2.send(&ask).await;
            http2.until(id, |seen| crate::stream::Run::of(&seen.body).shows("up")).await;
            p.input("input", "run", "it\n").await?;
            http2.until(id, |_| false).await;
            p.note("run", http2.into_seen(id));
            Ok(())
        }))
        .judge(|o| {
            all_ok(o, &["input"])?;
            printed(o, "run", "up\ngot it\n")
        }),
    BASE.case("wire/http2/multiplexed", "contract 1", &["1.h2c-multiplex"])
        .requires("twenty calls and a stream that waits share one connection, and none holds up another")
        .why("a host with one connection per guest would stand still")
        .needs(STREAM)
        .act(act!(|p| {
            let ask =
                p.start_ask("run", json!({ "process": shell("read line; echo got $line"), "stdin": true }));
            let mut http2 = p.http2().await?;
            let waiting = http2.send(&ask).await;
            http2.until(waiting, |seen| !seen.body.is_empty()).await;
            let mut calls = Vec::new();
            for _ in 0..20 {
                calls.push(http2.send(&Ask::unary("process.Process/List", &json!({}))).await);
            }
            for (label, id) in numbered("call", 20).zip(calls) {
                http2.until(id, |_| false).await;
                p.note(&label, http2.into_seen(id));
            }
            let input = json!({ "process": { "tag": p.tag("run") },
                "input": { "stdin": crate::probe::base64("it\n") } });
            let id = http2.send(&Ask::unary("process.Process/SendInput", &input)).await;
            http2.until(id, |_| false).await;
            p.note("input", http2.into_seen(id));
            http2.until(waiting, |_| false).await;
            p.note("run", http2.into_seen(waiting));
            Ok(())
        }))
        .judge(|o| {
            numbered("call", 20).try_for_each(|label| o.at(&label)?.ok().map(drop))?;
            all_ok(o, &["input"])?;
            printed(o, "run", "got it\n")
        }),
    BASE.case("wire/http2/flow-control", "RFC 9113, 5.2", &["1.h2c", "4.1.lossless"])
        .requires("a megabyte of output passes the windows of HTTP/2 whole")
        .why("a window that is never refilled stops at 64 KiB")
        .needs(STREAM)
        .act(act!(|p| {
            let ask = p.start_ask("run", json!({ "process": shell("seq 1 150000"), "stdin": false }));
            p.send_h2("run", &ask).await
        }))
        .judge(|o| {
            let seen = o.at("run")?;
            let expected: String = (1..=150_000).map(|n| format!("{n}\n")).collect();
            seen.bytes("stdout", &seen.succeeded()?.stdout, expected.as_bytes())
        }),
    BASE.case("wire/http2/reset", "contract 4.1 and RFC 9113, 5.4.2", &["4.1.disconnect", "1.h2c-multiplex"])
        .requires("a stream that the client resets leaves the process running and the connection usable")
        .why("a closed tab must not end the build, nor the others' calls")
        .needs(STREAM)
        .act(act!(|p| {
            let ask = p.start_ask("run", json!({ "process": shell("echo up; read line"), "stdin": true }));
            let mut http2 = p.http2().await?;
            let id = http2.send(&ask).await;
            http2.until(id, |seen| crate::stream::Run::of(&seen.body).shows("up")).await;
            http2.cancel(id).await;
            p.note("run", http2.into_seen(id));
            let next = http2.send(&Ask::new("GET", "/health")).await;
            http2.until(next, |_| false).await;
            p.note("next", http2.into_seen(next));
            ps(p, "kill", "SendSignal", json!({ "process": { "tag": p.tag("run") }, "signal": 9 }))
                .await
                .map(drop)
        }))
        .judge(|o| {
            let seen = o.at("run")?;
            seen.same("stdout before the reset", so_far(&seen).text().as_str(), "up\n")?;
            o.at("next")?.status(200)?;
            all_ok(o, &["kill"])
        }),
    BASE.case("wire/http2/upload", "contract 3.8", &["1.h2c"])
        .requires("a file is uploaded and downloaded over HTTP/2")
        .why("hosts with HTTP/2 send files, too")
        .needs(&["wire/http2/health", "files/upload/round-trip"])
        .act(act!(|p| {
            let path = p.path("f");
            let upload = p.dialect().upload(&path, "root", &[b'x'; 40_000]);
            p.send_h2("upload", &upload).await?;
            p.send_h2("download", &Ask::download(&path)).await
        }))
        .judge(|o| {
            o.at("upload")?.status(200)?;
            o.at("download")?.status(200)?;
            o.at("download")?.body_is(&[b'x'; 40_000])
        }),
    BASE.case("wire/http2/head-and-405", "contract 1", &["1.head", "1.wrong-method", "1.h2c"])
        .requires("HEAD and a wrong method are over HTTP/2 what they are over HTTP/1.1")
        .why("the routes are the same")
        .needs(HEALTH)
        .act(act!(|p| {
            p.send_h2("head", &Ask::new("HEAD", "/health")).await?;
            p.send_h2("put", &Ask::new("PUT", "/health")).await
        }))
        .judge(|o| {
            o.at("head")?.status(200)?;
            o.at("head")?.body_is(b"")?;
            o.at("put")?.status(405)?;
            o.at("put")?.header_is("allow", "GET,HEAD")
        }),
    BASE.case("wire/http2/bad-preface", "RFC 9113, 3.4", &["1.h2c"])
        .requires("a preface that is cut or followed by nonsense ends its own connection alone")
        .why("one broken client must not stop the others")
        .needs(HEALTH)
        .act(act!(|p| {
            p.raw("cut", b"PRI * HTTP/2.0\r\n\r\nSM", true).await?;
            p.raw(
                "nonsense",
                b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
                true,
            )
            .await?;
            p.send_h2("after", &Ask::new("GET", "/health")).await
        }))
        .judge(|o| {
            for label in ["cut", "nonsense"] {
                let status = o.at(label)?.exchange.status;
                o.at(label)?.same("status", status.filter(|status| *status != 400), None)?;
            }
            o.at("after")?.status(200)
        }),
];
