//! What JSON and binary messages may look like, and what is refused in them (contract 1; protobuf JSON).

use envd_proto::filesystem as fs_proto;
use envd_proto::filesystem::StatResponse;
use prost::Message;
use serde_json::{Value, json};

use super::forms::{binary, decoded};
use crate::case::Case;
use crate::probe::Ask;
use crate::suites::helpers::{all_ok, fs, printed, ps, send};
use crate::suites::process::start::EVENTS;
use crate::suites::twins;

pub(in crate::suites) const CASES: &[Case] = &[
    Case {
        id: "wire/forms/error-is-json",
        source: "contract 1 and Connect",
        reqs: &["1.error-mapping"],
        requirement: "the error of a binary call is JSON, with its content type",
        why: "clients read errors as JSON whatever they sent",
        twin: Some(twins::ok),
        act: |p| {
            Box::pin(async move {
                twins::stat(p).await?;
                let message = fs_proto::StatRequest { path: "/envd-conformance-no-such".into() };
                send(p, "stat", binary("filesystem.Filesystem/Stat", &message)).await
            })
        },
        judge: |o| {
            o.at("stat")?.error(404, "not_found", "file not found")?;
            o.at("stat")?.header_is("content-type", "application/json")
        },
        ..Case::BASE
    },
    Case {
        id: "wire/forms/unknown-binary-field",
        source: "contract 0.1 and protobuf",
        reqs: &["0.1.no-process-user", "1.content-types"],
        requirement: "an unknown field of a binary message is passed over",
        why: "a newer host must be able to talk to an older guest",
        act: |p| {
            Box::pin(async move {
                let known = fs_proto::StatRequest { path: "/usr".into() }.encode_to_vec();
                let unknown = [0xf2, 0x3f, 0x03, b'n', b'e', b'w', 0x98, 0x06, 0x2a];
                let ask = Ask::new("POST", "/filesystem.Filesystem/Stat")
                    .header("content-type", "application/proto");
                send(p, "stat", ask.body([known, unknown.to_vec()].concat())).await
            })
        },
        judge: |o| {
            let entry = decoded::<StatResponse>(o, "stat")?.entry.unwrap_or_default();
            o.at("stat")?.same("path", entry.path.as_str(), "/usr")
        },
        ..Case::BASE
    },
    Case {
        id: "wire/forms/last-wins",
        source: "protobuf encoding, last one wins",
        reqs: &["1.content-types"],
        requirement: "of a field that is given twice in binary the last counts",
        why: "it is how proxies override a field",
        act: |p| {
            Box::pin(async move {
                let message = |path: &str| fs_proto::StatRequest { path: path.into() }.encode_to_vec();
                let ask = Ask::new("POST", "/filesystem.Filesystem/Stat")
                    .header("content-type", "application/proto");
                send(p, "stat", ask.body([message("/etc"), message("/usr")].concat())).await
            })
        },
        judge: |o| {
            let entry = decoded::<StatResponse>(o, "stat")?.entry.unwrap_or_default();
            o.at("stat")?.same("path", entry.path.as_str(), "/usr")
        },
        ..Case::BASE
    },
    Case {
        id: "wire/forms/json-spelling",
        source: "contract 1 and protobuf JSON",
        reqs: &["1.json-int64"],
        requirement: "JSON requests take lowerCamel and the proto's own names",
        why: "both are JSON of that message",
        needs: &["filesystem/watcher/drains"],
        twin: Some(twins::ok),
        act: |p| {
            Box::pin(async move {
                twins::list(p).await?;
                fs(p, "camel", "GetWatcherEvents", json!({ "watcherId": "w-none" })).await?;
                fs(p, "snake", "GetWatcherEvents", json!({ "watcher_id": "w-none" })).await.map(drop)
            })
        },
        judge: |o| {
            ["camel", "snake"]
                .iter()
                .try_for_each(|label| o.at(label)?.error(404, "not_found", "watcher not found: w-none"))
        },
        ..Case::BASE
    },
    Case {
        id: "wire/forms/json-null",
        source: "protobuf JSON",
        reqs: &["1.unknown-json-field"],
        requirement: "null in JSON is an absent field",
        why: "clients without optional fields send it",
        needs: EVENTS,
        act: |p| {
            Box::pin(async move {
                let request = json!({ "process": { "cmd": "/bin/echo", "args": ["it"], "envs": null, "cwd": null }, "pty": null, "stdin": null });
                p.run("run", request).await
            })
        },
        judge: |o| printed(o, "run", "it\n"),
        ..Case::BASE
    },
    Case {
        id: "wire/forms/base64",
        source: "contract 1 and protobuf JSON",
        reqs: &["1.json-int64"],
        requirement: "bytes in JSON are taken in the standard and the URL alphabet, with and without padding",
        why: "base64 has many writers",
        needs: &["process/send-input/reaches"],
        act: |p| {
            Box::pin(async move {
                let open = p.start_sh("run", "head -c 8 | od -An -tx1").await?;
                let process = json!({ "tag": p.tag("run") });
                for (label, text) in
                    [("padded", "+/8="), ("bare", "+/8"), ("url", "-_8="), ("url bare", "-_8")]
                {
                    ps(p, label, "SendInput", json!({ "process": process, "input": { "stdin": text } }))
                        .await?;
                }
                p.finish("run", open).await;
                Ok(())
            })
        },
        judge: |o| {
            all_ok(o, &["padded", "bare", "url", "url bare"])?;
            printed(o, "run", " fb ff fb ff fb ff fb ff\n")
        },
        ..Case::BASE
    },
    Case {
        id: "wire/forms/bad-base64",
        source: "contract 1",
        reqs: &["1.bad-json"],
        requirement: "bytes that are no base64 are a decode error",
        why: "half-decoded input is other input",
        twin: Some(|o| o.at("twin")?.error(404, "not_found", "")),
        act: |p| {
            Box::pin(async move {
                let process = json!({ "tag": "envd-conformance-no-such" });
                ps(p, "twin", "SendInput", json!({ "process": process, "input": { "stdin": "eA==" } }))
                    .await?;
                ps(p, "bad", "SendInput", json!({ "process": process, "input": { "stdin": "!!" } }))
                    .await
                    .map(drop)
            })
        },
        judge: |o| o.at("bad")?.error(400, "invalid_argument", "failed to decode JSON request"),
        ..Case::BASE
    },
    Case {
        id: "wire/forms/oneof-twice",
        source: "protobuf JSON",
        reqs: &["1.bad-json"],
        requirement: "two fields of one oneof in JSON are a decode error",
        why: "by pid or by tag: which was meant must not be guessed",
        twin: Some(|o| o.at("twin")?.error(404, "not_found", "")),
        act: |p| {
            Box::pin(async move {
                ps(p, "twin", "CloseStdin", json!({ "process": { "pid": 4_194_302 } })).await?;
                ps(p, "both", "CloseStdin", json!({ "process": { "pid": 4_194_302, "tag": "x" } }))
                    .await
                    .map(drop)
            })
        },
        judge: |o| o.at("both")?.error(400, "invalid_argument", "failed to decode JSON request"),
        ..Case::BASE
    },
    Case {
        id: "wire/forms/out-of-range",
        source: "protobuf JSON",
        reqs: &["1.bad-json"],
        requirement: "a pid below 0 or beyond 32 bits is a decode error; one as a text is fine",
        why: "a number that is cut is another process",
        twin: Some(|o| o.at("text")?.error(404, "not_found", "process with pid 4194302 not found")),
        act: |p| {
            Box::pin(async move {
                for (label, pid) in
                    [("text", json!("4194302")), ("below", json!(-1)), ("beyond", json!(4_294_967_296_u64))]
                {
                    ps(p, label, "CloseStdin", json!({ "process": { "pid": pid } })).await?;
                }
                Ok(())
            })
        },
        judge: |o| {
            ["below", "beyond"].iter().try_for_each(|label| {
                o.at(label)?.error(400, "invalid_argument", "failed to decode JSON request")
            })
        },
        ..Case::BASE
    },
    Case {
        id: "wire/forms/deep-json",
        source: "contract 1",
        reqs: &["1.unknown-json-field"],
        requirement: "JSON of ten thousand nested lists is answered, and the guest goes on",
        why: "a recursion without an end kills the daemon",
        tags: &["security"],
        act: |p| {
            Box::pin(async move {
                let body =
                    format!("{{\"path\":\"/usr\",\"odd\":{}{}}}", "[".repeat(10_000), "]".repeat(10_000));
                let ask = Ask::new("POST", "/filesystem.Filesystem/Stat")
                    .header("content-type", "application/json");
                send(p, "deep", ask.body(body)).await?;
                fs(p, "after", "Stat", json!({ "path": "/usr" })).await.map(drop)
            })
        },
        judge: |o| {
            let seen = o.at("deep")?;
            seen.whole()?;
            let status = seen.exchange.status.unwrap_or_default();
            seen.holds([200, 400].contains(&status), "status 200 or 400", status)?;
            all_ok(o, &["after"])
        },
        ..Case::BASE
    },
    Case {
        id: "wire/forms/not-utf-8",
        source: "protobuf",
        reqs: &["1.bad-proto", "1.bad-json"],
        requirement: "a text that is no UTF-8 is a decode error in both forms",
        why: "a path that is repaired is another path",
        twin: Some(twins::ok),
        act: |p| {
            Box::pin(async move {
                twins::stat(p).await?;
                let ask = |kind| Ask::new("POST", "/filesystem.Filesystem/Stat").header("content-type", kind);
                send(p, "binary", ask("application/proto").body(vec![0x0a, 0x02, 0xff, 0xfe])).await?;
                send(p, "json", ask("application/json").body(b"{\"path\":\"\xff\"}".to_vec())).await
            })
        },
        judge: |o| {
            ["binary", "json"]
                .iter()
                .try_for_each(|label| o.at(label)?.error(400, "invalid_argument", "failed to decode"))
        },
        ..Case::BASE
    },
    Case {
        id: "wire/forms/keepalive-absent",
        source: "contract 1",
        reqs: &["1.json-defaults"],
        requirement: "an empty answer is {} in JSON and no bytes in binary",
        why: "a client that expects null, or nothing, fails",
        act: |p| {
            Box::pin(async move {
                fs(p, "json", "RemoveWatcher", json!({})).await?;
                send(
                    p,
                    "binary",
                    binary("filesystem.Filesystem/RemoveWatcher", &fs_proto::RemoveWatcherRequest::default()),
                )
                .await
            })
        },
        judge: |o| {
            o.at("json")?.same::<Value>("answer", o.at("json")?.ok()?, json!({}))?;
            o.at("binary")?.status(200)?;
            o.at("binary")?.body_is(b"")
        },
        ..Case::BASE
    },
];
