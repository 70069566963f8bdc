//! What JSON and binary messages may look like, and what is refused in them (contract 1; protobuf JSON).

use envd_proto::filesystem as fs_proto;
use envd_proto::filesystem::StatResponse;
use prost::Message;
use serde_json::{Value, json};

use super::forms::{binary, decoded};
use crate::case::{Case, act, case};
use crate::probe::Ask;
use crate::suites::controls;
use crate::suites::helpers::{all_ok, fs, printed, ps, send};
use crate::suites::process::start::EVENTS;

pub(in crate::suites) const CASES: &[Case] = &[
    case("wire/forms/error-is-json", "contract 1 and Connect", &["1.error-mapping"])
        .requires("the error of a binary call is JSON, with its content type")
        .why("clients read errors as JSON whatever they sent")
        .positive_control(controls::ok)
        .act(act!(|p| {
            controls::stat(p).await?;
            let message = fs_proto::StatRequest { path: "/envd-conformance-no-such".into() };
            send(p, "stat", binary("filesystem.Filesystem/Stat", &message)).await
        }))
        .judge(|o| {
            o.at("stat")?.error(404, "not_found", "file not found")?;
            o.at("stat")?.header_is("content-type", "application/json")
        }),
    case(
        "wire/forms/unknown-binary-field",
        "contract 0.1 and protobuf",
        &["0.1.no-process-user", "1.content-types"],
    )
    .requires("an unknown field of a binary message is passed over")
    .why("a newer host must be able to talk to an older guest")
    .act(act!(|p| {
        let known = fs_proto::StatRequest { path: "/usr".into() }.encode_to_vec();
        let unknown = [0xf2, 0x3f, 0x03, b'n', b'e', b'w', 0x98, 0x06, 0x2a];
        let ask = Ask::new("POST", "/filesystem.Filesystem/Stat").header("content-type", "application/proto");
        send(p, "stat", ask.body([known, unknown.to_vec()].concat())).await
    }))
    .judge(|o| {
        let entry = decoded::<StatResponse>(o, "stat")?.entry.unwrap_or_default();
        o.at("stat")?.same("path", entry.path.as_str(), "/usr")
    }),
    case("wire/forms/last-wins", "protobuf encoding, last one wins", &["1.content-types"])
        .requires("of a field that is given twice in binary the last counts")
        .why("it is how proxies override a field")
        .act(act!(|p| {
            let message = |path: &str| fs_proto::StatRequest { path: path.into() }.encode_to_vec();
            let ask =
                Ask::new("POST", "/filesystem.Filesystem/Stat").header("content-type", "application/proto");
            send(p, "stat", ask.body([message("/etc"), message("/usr")].concat())).await
        }))
        .judge(|o| {
            let entry = decoded::<StatResponse>(o, "stat")?.entry.unwrap_or_default();
            o.at("stat")?.same("path", entry.path.as_str(), "/usr")
        }),
    case("wire/forms/json-spelling", "contract 1 and protobuf JSON", &["1.json-int64"])
        .requires("JSON requests take lowerCamel and the proto's own names")
        .why("both are JSON of that message")
        .needs(&["filesystem/watcher/drains"])
        .positive_control(controls::ok)
        .act(act!(|p| {
            controls::list(p).await?;
            fs(p, "camel", "GetWatcherEvents", json!({ "watcherId": "w-none" })).await?;
            fs(p, "snake", "GetWatcherEvents", json!({ "watcher_id": "w-none" })).await.map(drop)
        }))
        .judge(|o| {
            ["camel", "snake"]
                .iter()
                .try_for_each(|label| o.at(label)?.error(404, "not_found", "watcher not found: w-none"))
        }),
    case("wire/forms/json-null", "protobuf JSON", &["1.unknown-json-field"])
        .requires("null in JSON is an absent field")
        .why("clients without optional fields send it")
        .needs(EVENTS)
        .act(act!(|p| {
            let request = json!({ "process": { "cmd": "/bin/echo", "args": ["it"], "envs": null,
                "cwd": null }, "pty": null, "stdin": null });
            p.run("run", request).await
        }))
        .judge(|o| printed(o, "run", "it\n")),
    case("wire/forms/base64", "contract 1 and protobuf JSON", &["1.json-int64"])
        .requires("bytes in JSON are taken in the standard and the URL alphabet, with and without padding")
        .why("base64 has many writers")
        .needs(&["process/send-input/reaches"])
        .act(act!(|p| {
            let open = p.start_sh("run", "head -c 8 | od -An -tx1").await?;
            let process = json!({ "tag": p.tag("run") });
            for (label, text) in [("padded", "+/8="), ("bare", "+/8"), ("url", "-_8="), ("url bare", "-_8")] {
                ps(p, label, "SendInput", json!({ "process": process, "input": { "stdin": text } })).await?;
            }
            p.finish("run", open).await;
            Ok(())
        }))
        .judge(|o| {
            all_ok(o, &["padded", "bare", "url", "url bare"])?;
            printed(o, "run", " fb ff fb ff fb ff fb ff\n")
        }),
    case("wire/forms/bad-base64", "contract 1", &["1.bad-json"])
        .requires("bytes that are no base64 are a decode error")
        .why("half-decoded input is other input")
        .positive_control(|o| o.at("twin")?.error(404, "not_found", ""))
        .act(act!(|p| {
            let process = json!({ "tag": "envd-conformance-no-such" });
            ps(p, "twin", "SendInput", json!({ "process": process, "input": { "stdin": "eA==" } })).await?;
            ps(p, "bad", "SendInput", json!({ "process": process, "input": { "stdin": "!!" } }))
                .await
                .map(drop)
        }))
        .judge(|o| o.at("bad")?.error(400, "invalid_argument", "failed to decode JSON request")),
    case("wire/forms/oneof-twice", "protobuf JSON", &["1.bad-json"])
        .requires("two fields of one oneof in JSON are a decode error")
        .why("by pid or by tag: which was meant must not be guessed")
        .positive_control(|o| o.at("twin")?.error(404, "not_found", ""))
        .act(act!(|p| {
            ps(p, "twin", "CloseStdin", json!({ "process": { "pid": 4_194_302 } })).await?;
            ps(p, "both", "CloseStdin", json!({ "process": { "pid": 4_194_302, "tag": "x" } }))
                .await
                .map(drop)
        }))
        .judge(|o| o.at("both")?.error(400, "invalid_argument", "failed to decode JSON request")),
    case("wire/forms/out-of-range", "protobuf JSON", &["1.bad-json"])
        .requires("a pid below 0 or beyond 32 bits is a decode error; one as a text is fine")
        .why("a number that is cut is another process")
        .positive_control(|o| o.at("text")?.error(404, "not_found", "process with pid 4194302 not found"))
        .act(act!(|p| {
            for (label, pid) in
                [("text", json!("4194302")), ("below", json!(-1)), ("beyond", json!(4_294_967_296_u64))]
            {
                ps(p, label, "CloseStdin", json!({ "process": { "pid": pid } })).await?;
            }
            Ok(())
        }))
        .judge(|o| {
            ["below", "beyond"].iter().try_for_each(|label| {
                o.at(label)?.error(400, "invalid_argument", "failed to decode JSON request")
            })
        }),
    case("wire/forms/deep-json", "contract 1", &["1.unknown-json-field"])
        .requires("JSON of ten thousand nested lists is answered, and the guest goes on")
        .why("a recursion without an end kills the daemon")
        .tags(&["security"])
        .act(act!(|p| {
            let body = format!("{{\"path\":\"/usr\",\"odd\":{}{}}}", "[".repeat(10_000), "]".repeat(10_000));
            let ask =
                Ask::new("POST", "/filesystem.Filesystem/Stat").header("content-type", "application/json");
            send(p, "deep", ask.body(body)).await?;
            fs(p, "after", "Stat", json!({ "path": "/usr" })).await.map(drop)
        }))
        .judge(|o| {
            let seen = o.at("deep")?;
            seen.whole()?;
            let status = seen.exchange.status.unwrap_or_default();
            seen.holds([200, 400].contains(&status), "status 200 or 400", status)?;
            all_ok(o, &["after"])
        }),
    case("wire/forms/not-utf-8", "protobuf", &["1.bad-proto", "1.bad-json"])
        .requires("a text that is no UTF-8 is a decode error in both forms")
        .why("a path that is repaired is another path")
        .positive_control(controls::ok)
        .act(act!(|p| {
            controls::stat(p).await?;
            let ask = |kind| Ask::new("POST", "/filesystem.Filesystem/Stat").header("content-type", kind);
            send(p, "binary", ask("application/proto").body(vec![0x0a, 0x02, 0xff, 0xfe])).await?;
            send(p, "json", ask("application/json").body(b"{\"path\":\"\xff\"}".to_vec())).await
        }))
        .judge(|o| {
            ["binary", "json"]
                .iter()
                .try_for_each(|label| o.at(label)?.error(400, "invalid_argument", "failed to decode"))
        }),
    case("wire/forms/keepalive-absent", "contract 1", &["1.json-defaults"])
        .requires("an empty answer is {} in JSON and no bytes in binary")
        .why("a client that expects null, or nothing, fails")
        .act(act!(|p| {
            fs(p, "json", "RemoveWatcher", json!({})).await?;
            send(
                p,
                "binary",
                binary("filesystem.Filesystem/RemoveWatcher", &fs_proto::RemoveWatcherRequest::default()),
            )
            .await
        }))
        .judge(|o| {
            o.at("json")?.same::<Value>("answer", o.at("json")?.ok()?, json!({}))?;
            o.at("binary")?.status(200)?;
            o.at("binary")?.body_is(b"")
        }),
];
