//! The Connect protocol itself: encodings, envelopes, limits, deadlines (contract 1 and 10).

use std::io::Write as _;

use envd_proto::filesystem::{StatRequest, StatResponse};
use envd_proto::process::process_event::data_event::Output;
use envd_proto::process::process_event::{DataEvent, Event};
use envd_proto::process::{ProcessConfig, StartRequest, StartResponse};
use prost::Message;
use serde_json::json;

use crate::case::{Case, act, case};
use crate::probe::{Ask, shell};
use crate::stream::{Run, envelope};
use crate::suites::controls;
use crate::suites::process::start::EVENTS;

const LIST: &str = "process.Process/List";
const START: &str = "process.Process/Start";
const STAT: &str = "filesystem.Filesystem/Stat";
/// One more than the 4 MiB that a message may have.
const TOO_MUCH: u32 = 4_194_305;

pub(in crate::suites) const CASES: &[Case] = &[
    case("wire/unary/json-is-binary", "contract 1", &["1.content-types"])
        .requires("a unary RPC answers the same in JSON and in binary, each with its content type")
        .why("the host speaks binary, people and scripts speak JSON")
        .act(act!(|p| {
            p.unary("json", STAT, json!({ "path": "/usr" })).await?;
            let message = StatRequest { path: "/usr".to_owned() }.encode_to_vec();
            p.send("binary", proto(STAT, "application/proto", message)).await.map(drop)
        }))
        .judge(|o| {
            let (text, binary) = (o.at("json")?, o.at("binary")?);
            text.status(200)?;
            text.header_is("content-type", "application/json")?;
            binary.status(200)?;
            binary.header_is("content-type", "application/proto")?;
            let of_json = envd_proto::json::decode::<StatResponse>(&text.exchange.body);
            let of_json =
                of_json.map_err(|why| text.wrong("canonical JSON of StatResponse", why.to_string()))?;
            let of_binary = StatResponse::decode(binary.exchange.body.as_slice());
            let of_binary = of_binary.map_err(|why| binary.wrong("a StatResponse", why.to_string()))?;
            let same = of_binary == of_json;
            binary.holds(same, &format!("the message {of_json:?}"), format!("{of_binary:?}"))
        }),
    case("wire/stream/binary", "contract 1", &["1.content-types", "0.process.event-fields"])
        .requires("a binary stream has binary messages and an END_STREAM of JSON")
        .why("it is what the host speaks")
        .needs(&["process/start/events"])
        .act(act!(|p| {
            let args = ["-c", "echo out; exit 3"].map(str::to_owned).to_vec();
            let config = ProcessConfig { cmd: "/bin/sh".to_owned(), args, ..ProcessConfig::default() };
            let (tag, stdin) = (Some(p.tag("run")), Some(false));
            let request = StartRequest { process: Some(config), tag, stdin, ..StartRequest::default() };
            let body = envelope::write(0, &request.encode_to_vec());
            p.send("run", proto(START, "application/connect+proto", body)).await.map(drop)
        }))
        .judge(|o| {
            let seen = o.at("run")?;
            let mut frames = seen.frames()?;
            seen.header_is("content-type", "application/connect+proto")?;
            let end = frames.pop().map(|frame| frame.data).unwrap_or_default();
            seen.bytes("END_STREAM", &end, b"{}")?;
            let read = |frame: &envelope::Frame| StartResponse::decode(frame.data.as_slice());
            let all: Result<Vec<_>, _> = frames.iter().map(read).collect();
            let all = all.map_err(|why| seen.wrong("StartResponse in each envelope", why.to_string()))?;
            let mut events = all.into_iter().filter_map(|message| message.event?.event);
            let start = matches!(events.next(), Some(Event::Start(start)) if start.pid > 0);
            seen.holds(start, "start with a pid first", order(&frames))?;
            let out = Event::Data(DataEvent { output: Some(Output::Stdout(b"out\n".to_vec().into())) });
            seen.holds(events.next() == Some(out), "stdout out second", order(&frames))?;
            let end = matches!(events.next(), Some(Event::End(end)) if end.exit_code == 3 && end.exited);
            seen.holds(end, "end with exit code 3 last", order(&frames))
        }),
    case("wire/stream/headers", "contract 1", &["1.content-types", "1.stream-200"])
        .requires("a stream is 200 with the content type of its request")
        .why("a client refuses any other")
        .needs(EVENTS)
        .act(act!(|p| p.sh("run", "true").await))
        .judge(|o| {
            o.at("run")?.status(200)?;
            o.at("run")?.header_is("content-type", "application/connect+json")
        }),
    case("wire/request/bad-json", "contract 1", &["1.bad-json", "1.empty-json"])
        .requires("JSON that is none, or empty, is 400 invalid_argument")
        .why("a mistake of the caller must not look like one of the guest")
        .positive_control(controls::ok)
        .act(act!(|p| {
            controls::list(p).await?;
            for (label, body) in [("broken", "{"), ("empty", ""), ("shape", "{\"path\":7}")] {
                let ask = Ask::new("POST", format!("/{STAT}")).header("content-type", "application/json");
                p.send(label, ask.body(body)).await?;
            }
            Ok(())
        }))
        .judge(|o| {
            for label in ["broken", "empty", "shape"] {
                o.at(label)?.error(400, "invalid_argument", "failed to decode JSON request")?;
            }
            Ok(())
        }),
    case("wire/request/bad-proto", "contract 1", &["1.bad-proto", "1.empty-json"])
        .requires("a broken binary message is 400 invalid_argument, an empty one is a message")
        .why("the empty message is how List is called")
        .act(act!(|p| {
            p.send("broken", proto(STAT, "application/proto", vec![0x0a, 0x05, b'x'])).await?;
            p.send("empty", proto(LIST, "application/proto", Vec::new())).await.map(drop)
        }))
        .judge(|o| {
            o.at("broken")?.error(400, "invalid_argument", "failed to decode proto request")?;
            o.at("empty")?.status(200)
        }),
    case("wire/request/unknown-field", "contract 1", &["1.unknown-json-field", "1.content-types"])
        .requires("unknown JSON fields are ignored, and a charset in the content type too")
        .why("a newer host must be able to talk to an older guest")
        .act(act!(|p| {
            let ask = Ask::new("POST", format!("/{STAT}"));
            let ask = ask.header("content-type", "application/json; charset=utf-8");
            p.send("stat", ask.body(r#"{"path":"/usr","noSuchField":[1]}"#)).await.map(drop)
        }))
        .judge(|o| o.at("stat")?.ok().map(drop)),
    case("wire/request/gzip", "contract 1", &["1.request-gzip", "1.request-unknown-encoding"])
        .requires("a gzip request is understood, an unknown encoding is 501 unimplemented")
        .why("Go's client may compress what it sends")
        .act(act!(|p| {
            let message = br#"{"path":"/usr"}"#;
            let ask = |encoding| {
                let ask = Ask::new("POST", format!("/{STAT}")).header("content-type", "application/json");
                ask.header("content-encoding", encoding)
            };
            p.send("gzip", ask("gzip").body(gzip(message))).await?;
            let list = Ask::new("POST", format!("/{LIST}")).header("content-type", "application/json");
            p.send("list", list.header("content-encoding", "gzip").body(gzip(b"{}"))).await?;
            p.send("br", ask("br").body(*message)).await.map(drop)
        }))
        .judge(|o| {
            o.at("gzip")?.ok()?;
            o.at("gzip")?.field_is("/entry/path", "/usr")?;
            o.at("list")?.ok()?;
            o.at("br")?.error(501, "unimplemented", "unsupported compression encoding: br")
        }),
    case("wire/request/protocol-version", "contract 1", &["1.protocol-version"])
        .requires("Connect-Protocol-Version other than 1 is 400 invalid_argument")
        .why("another protocol would be misread")
        .act(act!(|p| {
            let list = |version| Ask::unary(LIST, &json!({})).header("connect-protocol-version", version);
            p.send("one", list("1")).await?;
            p.send("two", list("2")).await.map(drop)
        }))
        .judge(|o| {
            o.at("one")?.status(200)?;
            o.at("two")?.error(400, "invalid_argument", "")
        }),
    case("wire/envelope/cut", "contract 1", &["1.cut-frame"])
        .requires("an envelope whose message is cut is invalid_argument")
        .why("half a command must never run")
        .needs(&["process/start/events"])
        .positive_control(controls::ran)
        .act(act!(|p| {
            controls::run(p).await?;
            let message = json!({ "process": shell("true"), "tag": p.tag("run") }).to_string();
            let whole = envelope::write(0, message.as_bytes());
            p.send("cut", stream(START, whole[..whole.len() - 3].to_vec())).await.map(drop)
        }))
        .judge(|o| o.at("cut")?.stream_error("invalid_argument", "")),
    case("wire/envelope/too-large", "contract 1 and 10", &["1.limit", "10.prefix-first"])
        .requires("a length over 4 MiB is resource_exhausted at once, even when nothing follows")
        .why("a length is a promise of memory that nobody has to keep")
        .needs(&["process/start/events"])
        .positive_control(controls::ran)
        .act(act!(|p| {
            controls::run(p).await?;
            p.send("large", stream(START, envelope::with_length(0, TOO_MUCH, b"{}"))).await?;
            p.send("huge", stream(START, envelope::with_length(0, u32::MAX, b""))).await.map(drop)
        }))
        .judge(|o| {
            o.at("large")?.stream_error("resource_exhausted", "")?;
            o.at("huge")?.stream_error("resource_exhausted", "")
        }),
    case("wire/envelope/compressed-unannounced", "contract 1", &["1.flag-without-encoding"])
        .requires("a compressed envelope without connect-content-encoding is internal")
        .why("guessing an encoding reads garbage")
        .needs(&["process/start/events"])
        .positive_control(controls::ran)
        .act(act!(|p| {
            controls::run(p).await?;
            let message = json!({ "process": shell("true"), "tag": p.tag("run") }).to_string();
            let body = envelope::write(1, &gzip(message.as_bytes()));
            p.send("flagged", stream(START, body)).await.map(drop)
        }))
        .judge(|o| o.at("flagged")?.stream_error("internal", "compressed message without")),
    case("wire/envelope/compressed", "contract 1", &["1.request-gzip"])
        .requires("a compressed envelope with connect-content-encoding: gzip is read")
        .why("the host's client may compress streams")
        .needs(EVENTS)
        .act(act!(|p| {
            let request = json!({ "process": shell("echo read"), "tag": p.tag("run"), "stdin": false });
            let body = envelope::write(1, &gzip(request.to_string().as_bytes()));
            p.send("run", stream(START, body).header("connect-content-encoding", "gzip")).await.map(drop)
        }))
        .judge(|o| {
            let seen = o.at("run")?;
            seen.same("stdout", seen.succeeded()?.text().as_str(), "read\n")
        }),
    case("wire/method/unknown", "contract 1", &["1.unknown-post"])
        .requires("an unknown RPC is 404 unimplemented \"method not found\"")
        .why("a host tells from it that the guest is older")
        .positive_control(controls::ok)
        .act(act!(|p| {
            controls::list(p).await?;
            p.unary("call", "process.Process/NoSuch", json!({})).await.map(drop)
        }))
        .judge(|o| o.at("call")?.error(404, "unimplemented", "method not found: process.Process/NoSuch")),
    case("wire/method/wrong-kind", "contract 1", &["1.unary-as-stream", "1.stream-as-unary"])
        .requires(
            "a stream called as unary is 501 unimplemented; a unary RPC called as a stream \
            ends in an error",
        )
        .why("a client with the wrong idea must not wait for what never comes")
        .needs(&["process/start/events"])
        .positive_control(controls::ran)
        .act(act!(|p| {
            controls::run(p).await?;
            p.unary("unary", START, json!({})).await?;
            p.stream("stream", LIST, json!({})).await.map(drop)
        }))
        .judge(|o| {
            o.at("unary")?.error(501, "unimplemented", "")?;
            o.at("stream")?.stream_error("invalid_argument", "streaming content type used")
        }),
    case("wire/method/get", "contract 1", &["1.get-on-rpc"])
        .requires("GET on an RPC is 405")
        .why("no RPC is free of effects, so none may be prefetched")
        .positive_control(controls::ok)
        .act(act!(|p| {
            controls::list(p).await?;
            p.get("get", &format!("/{LIST}")).await
        }))
        .judge(|o| o.at("get")?.status(405)),
    case("wire/deadline/stream", "contract 10", &["10.timeout-stream"])
        .requires("Connect-Timeout-Ms ends a stream with deadline_exceeded, and the process goes on")
        .why("a caller that has set a deadline counts on it")
        .needs(EVENTS)
        .timing()
        .act(act!(|p| {
            let ask =
                p.start_ask("run", json!({ "process": shell("echo up; exec sleep 60"), "stdin": false }));
            p.send("run", ask.header("connect-timeout-ms", "300")).await?;
            p.kill("run").await
        }))
        .judge(|o| {
            let seen = o.at("run")?;
            seen.stream_error("deadline_exceeded", "")?;
            let run = Run::of(&seen.exchange.body);
            seen.bytes("stdout", &run.stdout, b"up\n")?;
            o.at("kill")?.ok().map(drop)
        }),
    case("wire/deadline/unreadable", "contract 1", &["1.timeout-unreadable"])
        .requires("an unreadable Connect-Timeout-Ms, or 0, is ignored")
        .why("a strange header is no reason to refuse a call")
        .needs(EVENTS)
        .act(act!(|p| {
            for text in ["soon", "0"] {
                let process = json!({ "process": shell("sleep 0.1; echo done"), "stdin": false });
                let ask = p.start_ask(text, process).header("connect-timeout-ms", text);
                p.send(text, ask).await?;
            }
            Ok(())
        }))
        .judge(|o| {
            ["soon", "0"].iter().try_for_each(|text| {
                let seen = o.at(text)?;
                seen.bytes("stdout", &seen.succeeded()?.stdout, b"done\n")
            })
        }),
];

fn order(frames: &[envelope::Frame]) -> Vec<String> {
    let read = |frame: &envelope::Frame| StartResponse::decode(frame.data.as_slice()).unwrap_or_default();
    frames.iter().map(|frame| format!("{:?}", read(frame).event)).collect()
}

fn proto(rpc: &str, kind: &str, body: Vec<u8>) -> Ask {
    Ask::new("POST", format!("/{rpc}")).header("content-type", kind).body(body)
}

fn stream(rpc: &str, body: Vec<u8>) -> Ask {
    proto(rpc, "application/connect+json", body)
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).expect("a Vec takes all");
    encoder.finish().expect("a Vec takes all")
}
