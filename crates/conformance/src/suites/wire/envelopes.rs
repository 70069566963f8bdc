//! Envelopes as they are cut, merged, counted and lied about (contract 1 and 10), and deadlines.

use serde_json::json;

use crate::case::{Case, act, case};
use crate::observation::Observation;
use crate::probe::{Ask, shell};
use crate::stream::envelope;
use crate::suites::controls;
use crate::suites::helpers::{all_ok, printed, send, so_far};
use crate::suites::process::start::EVENTS;
use crate::verdict::Judged;

const START: &str = "process.Process/Start";
const CONNECT: &str = "process.Process/Connect";
const LIST: &str = "process.Process/List";
const LIMIT: usize = 4 << 20;

/// A stream of these bytes.
fn stream(rpc: &str, body: impl Into<Vec<u8>>) -> Ask {
    Ask::new("POST", format!("/{rpc}")).header("content-type", "application/connect+json").body(body)
}

/// One envelope with a selector of nobody.
fn nobody() -> Vec<u8> {
    envelope::write(0, br#"{"process":{"tag":"envd-conformance-no-such"}}"#)
}

fn understood(o: &Observation, label: &str) -> Judged {
    o.at(label)?.stream_error("not_found", "process with tag envd-conformance-no-such not found")
}

fn twin(o: &Observation) -> Judged {
    understood(o, "twin")
}

pub(in crate::suites) const CASES: &[Case] = &[
    case("wire/envelope/cut-anywhere", "contract 1", &["1.stream-200", "1.http1"])
        .requires("an envelope that comes in two pieces is understood, wherever it is cut")
        .why("networks cut where they like, in the five bytes too")
        .needs(&["process/start/events"])
        .act(act!(|p| {
            let body = nobody();
            for cut in 1..body.len() {
                send(p, "cut", stream(CONNECT, body.clone()).cut_at([cut])).await?;
            }
            Ok(())
        }))
        .judge(|o| {
            let first = o.at("cut")?.exchange.body.clone();
            understood(o, "cut")?;
            let other = o.steps.iter().position(|step| step.exchange.body != first);
            o.at("cut")?.same("first cut that is answered otherwise", other, None)
        }),
    case("wire/envelope/byte-by-byte", "contract 1", &["1.stream-200", "1.http1"])
        .requires("a stream that comes byte by byte, each byte a chunk, is understood")
        .why("some clients flush after every write")
        .needs(EVENTS)
        .act(act!(|p| {
            let message = json!({ "process": shell("echo read"), "stdin": false, "tag": p.own_tag("run") });
            let body = envelope::write(0, message.to_string().as_bytes());
            let length = body.len();
            send(p, "run", stream(START, body).header("transfer-encoding", "chunked").cut_at(1..length)).await
        }))
        .judge(|o| printed(o, "run", "read\n")),
    case("wire/envelope/merged", "contract 1 and 4.5", &["1.stream-200", "4.5.order"])
        .requires("many envelopes in one write, and two that share a chunk, are told apart")
        .why("a client that buffers sends them so")
        .needs(&["process/stream-input/reaches"])
        .act(act!(|p| {
            let open = p.start_sh("run", "head -c 8 | cat; echo").await?;
            let data = |text: &str| json!({ "data": { "input": { "stdin": crate::probe::base64(text) } } });
            let start = json!({ "start": { "process": { "tag": p.tag("run") } } });
            let messages = [start, data("ab"), data("cd"), data("ef"), data("gh")];
            let body: Vec<u8> = messages
                .iter()
                .flat_map(|message| envelope::write(0, message.to_string().as_bytes()))
                .collect();
            let middle = body.len() - 60;
            let ask = stream("process.Process/StreamInput", body).header("transfer-encoding", "chunked");
            send(p, "input", ask.cut_at([middle])).await?;
            p.finish("run", open).await;
            Ok(())
        }))
        .judge(|o| {
            o.at("input")?.messages()?;
            printed(o, "run", "abcdefgh\n")
        }),
    case("wire/envelope/none", "contract 1", &["1.no-message", "1.stream-error-alone"])
        .requires(
            "a server stream without a message is unimplemented \"server streaming request \
            requires a message\"",
        )
        .why("a client that forgot its message must not wait")
        .needs(&["process/start/events"])
        .positive_control(twin)
        .act(act!(|p| {
            send(p, "twin", stream(CONNECT, nobody())).await?;
            send(p, "none", stream(CONNECT, "")).await
        }))
        .judge(|o| {
            o.at("none")?.stream_error(
                "unimplemented",
                "server streaming request requires \
            a message",
            )
        }),
    case("wire/envelope/two", "contract 1", &["1.two-messages"])
        .requires(
            "a server stream with two messages is unimplemented \"must have exactly one \
            message\", and nothing runs",
        )
        .why("which of two commands was meant must not be guessed")
        .needs(&["process/start/events"])
        .positive_control(twin)
        .act(act!(|p| {
            send(p, "twin", stream(CONNECT, nobody())).await?;
            let file = p.path("ran");
            let message = json!({ "process": shell(&format!("mkdir -p {file}")), "tag": p.own_tag("run") });
            let one = envelope::write(0, message.to_string().as_bytes());
            send(p, "two", stream(START, [one.clone(), one].concat())).await?;
            crate::suites::helpers::fs(p, "ran", "Stat", json!({ "path": file })).await.map(drop)
        }))
        .judge(|o| {
            o.at("two")?
                .stream_error("unimplemented", "server streaming request must have exactly one message")?;
            o.at("ran")?.error(404, "not_found", "")
        }),
    case("wire/envelope/cut-prefix", "contract 1", &["1.cut-frame"])
        .requires(
            "a stream that ends inside the five bytes is invalid_argument \"incomplete \
            request envelope\"",
        )
        .why("three bytes are no message")
        .needs(&["process/start/events"])
        .positive_control(twin)
        .act(act!(|p| {
            send(p, "twin", stream(CONNECT, nobody())).await?;
            send(p, "cut", stream(CONNECT, vec![0, 0, 0])).await
        }))
        .judge(|o| o.at("cut")?.stream_error("invalid_argument", "incomplete request envelope")),
    case("wire/envelope/length-beyond", "contract 1", &["1.cut-frame"])
        .requires("a length of more than what follows is invalid_argument \"incomplete request envelope\"")
        .why("what is missing must not be filled with zeros")
        .needs(&["process/start/events"])
        .positive_control(twin)
        .act(act!(|p| {
            send(p, "twin", stream(CONNECT, nobody())).await?;
            send(p, "long", stream(CONNECT, envelope::with_length(0, 100, b"{}"))).await
        }))
        .judge(|o| o.at("long")?.stream_error("invalid_argument", "incomplete request envelope")),
    case("wire/envelope/empty-message", "contract 1", &["1.empty-json"])
        .requires("an envelope of no bytes is a decode error in JSON and a message in binary")
        .why("in binary it is how an empty request looks")
        .needs(&["process/start/events"])
        .positive_control(controls::ran)
        .act(act!(|p| {
            controls::run(p).await?;
            send(p, "json", stream(CONNECT, envelope::write(0, b""))).await?;
            let ask =
                Ask::new("POST", format!("/{CONNECT}")).header("content-type", "application/connect+proto");
            send(p, "binary", ask.body(envelope::write(0, b""))).await
        }))
        .judge(|o| {
            o.at("json")?.stream_error("invalid_argument", "failed to decode JSON")?;
            o.at("binary")?.stream_error("invalid_argument", "process selector required")
        }),
    case("wire/envelope/bad-json", "contract 1", &["1.bad-json", "1.bad-proto"])
        .requires(
            "a message that cannot be decoded ends the stream with invalid_argument, in \
            JSON and in binary",
        )
        .why("a mistake of the caller must not look like one of the guest")
        .needs(&["process/start/events"])
        .positive_control(twin)
        .act(act!(|p| {
            send(p, "twin", stream(CONNECT, nobody())).await?;
            send(p, "json", stream(CONNECT, envelope::write(0, b"{\"process\":"))).await?;
            let ask =
                Ask::new("POST", format!("/{CONNECT}")).header("content-type", "application/connect+proto");
            send(p, "binary", ask.body(envelope::write(0, &[0x0a, 0x7f, 1]))).await
        }))
        .judge(|o| {
            o.at("json")?.stream_error("invalid_argument", "failed to decode JSON")?;
            o.at("binary")?.stream_error("invalid_argument", "failed to decode proto")
        }),
    case("wire/envelope/at-the-limit", "contract 1", &["1.limit"])
        .requires(
            "a stream's body of exactly 4 MiB is taken, a message of one byte more than \
            that is resource_exhausted",
        )
        .why("off by one is found here first")
        .needs(&["process/start/events"])
        .tags(&["limits"])
        .act(act!(|p| {
            for (label, length) in [("at", LIMIT - 5), ("over", LIMIT + 1)] {
                send(p, label, stream(CONNECT, envelope::write(0, &sized(length)))).await?;
            }
            Ok(())
        }))
        .judge(|o| {
            understood(o, "at")?;
            o.at("over")?.stream_error("resource_exhausted", "4194304")
        }),
    case("wire/unary/at-the-limit", "contract 1", &["1.limit"])
        .requires(
            "a unary body of exactly 4 MiB is taken, one byte more is 429 \
            resource_exhausted with the limit in words",
        )
        .why("the caller learns how much it may send")
        .tags(&["limits"])
        .act(act!(|p| {
            for (label, more) in [("at", 0), ("over", 1)] {
                let ask =
                    Ask::new("POST", "/process.Process/SendInput").header("content-type", "application/json");
                send(p, label, ask.body(sized(LIMIT + more))).await?;
            }
            Ok(())
        }))
        .judge(|o| {
            o.at("at")?.error(404, "not_found", "not found")?;
            o.at("over")?.error(429, "resource_exhausted", "request body size exceeds limit 4194304")
        }),
    case("wire/unary/over-by-length", "contract 1 and 10", &["1.limit", "10.prefix-first"])
        .requires("a Content-Length over the limit is refused before the body is there")
        .why("nobody has to send what will be thrown away")
        .tags(&["limits"])
        .positive_control(controls::ok)
        .act(act!(|p| {
            controls::list(p).await?;
            let ask = Ask::new("POST", format!("/{LIST}")).header("content-type", "application/json");
            send(p, "over", ask.header("content-length", "999999999").body("{}")).await
        }))
        .judge(|o| {
            o.at("over")?.error(
                429,
                "resource_exhausted",
                "request body size exceeds \
            limit 4194304",
            )
        }),
    case("wire/envelope/end-only", "contract 1 and Connect", &["1.stream-error-alone", "1.stream-200"])
        .requires(
            "an error before the first event is HTTP 200 and one envelope of flag 2 with \
            {\"error\":{\"code\",\"message\"}} alone",
        )
        .why("clients read the error from there and nowhere else")
        .needs(&["process/start/events"])
        .act(act!(|p| send(p, "error", stream(CONNECT, nobody())).await))
        .judge(|o| {
            let seen = o.at("error")?;
            let frames = seen.frames()?;
            seen.same("flags", frames.iter().map(|frame| frame.flag).collect::<Vec<_>>(), vec![2])?;
            let data: serde_json::Value = serde_json::from_slice(&frames[0].data).unwrap_or_default();
            let expected = json!({ "error": { "code": "not_found", "message": "process with tag \
                envd-conformance-no-such not found" } });
            seen.same("END_STREAM", data, expected)
        }),
    case("wire/request/cut-head", "RFC 9112", &["1.http1"])
        .requires("connections that end inside a head or a body harm nobody: the next request is served")
        .why("a host that dies leaves such connections behind")
        .tags(&["cut"])
        .act(act!(|p| {
            let request = format!(
                "POST /{LIST} HTTP/1.1\r\nhost: {}\r\ncontent-type: \
                    application/json\r\ncontent-length: 9\r\n\r\n{{}}",
                p.host()
            );
            for cut in (1..request.len()).step_by(9) {
                p.raw("cut", &request.as_bytes()[..cut], true).await?;
            }
            p.unary("after", LIST, json!({})).await.map(drop)
        }))
        .judge(|o| all_ok(o, &["after"])),
    case("wire/request/cut-stream", "contract 4.1", &["1.cut-frame", "4.1.disconnect"])
        .requires("a Start whose message is cut by the end of the connection runs nothing")
        .why("half a command must never run")
        .needs(&["process/start/events"])
        .tags(&["cut"])
        .act(act!(|p| {
            let file = p.path("ran");
            let message = json!({ "process": shell(&format!("mkdir -p {file}")), "tag": p.own_tag("run") });
            let body = envelope::write(0, message.to_string().as_bytes());
            let half = body[..body.len() - 4].to_vec();
            let ask = stream(START, half).header("content-length", &body.len().to_string()).then_shut();
            send(p, "cut", ask).await?;
            p.unary("list", LIST, json!({})).await?;
            crate::suites::helpers::fs(p, "ran", "Stat", json!({ "path": file })).await.map(drop)
        }))
        .judge(|o| {
            all_ok(o, &["list"])?;
            o.at("ran")?.error(404, "not_found", "")
        }),
    case("wire/deadline/unary", "contract 10", &["10.timeout-unary"])
        .requires("Connect-Timeout-Ms ends a unary call that takes longer with 504 deadline_exceeded")
        .why("a caller that has set a deadline counts on it")
        .needs(&["process/send-input/reaches"])
        .act(act!(|p| {
            let open = p.start_sh("run", "exec sleep 60").await?;
            let input = json!({ "stdin": crate::probe::base64("x".repeat(300_000)) });
            let ask = Ask::unary(
                "process.Process/SendInput",
                &json!({ "process": { "tag": p.tag("run") }, "input": input }),
            );
            send(p, "input", ask.header("connect-timeout-ms", "200")).await?;
            p.kill("run").await?;
            p.keep("run", open);
            Ok(())
        }))
        .judge(|o| {
            o.at("input")?.error(504, "deadline_exceeded", "")?;
            all_ok(o, &["kill"])
        }),
    case("wire/deadline/long", "contract 10", &["10.timeout-unary", "10.timeout-stream"])
        .requires("a deadline that is not reached changes nothing")
        .why("every call of the host has one")
        .needs(EVENTS)
        .act(act!(|p| {
            let unary = Ask::unary(LIST, &json!({})).header("connect-timeout-ms", "60000");
            send(p, "unary", unary).await?;
            let ask = p.start_ask(
                "run",
                json!({ "process": shell("sleep 0.1; echo over"),
                "stdin": false }),
            );
            send(p, "run", ask.header("connect-timeout-ms", "60000")).await
        }))
        .judge(|o| {
            all_ok(o, &["unary"])?;
            printed(o, "run", "over\n")
        }),
    case("wire/deadline/output-first", "contract 10", &["10.timeout-stream", "10.prompt"])
        .requires(
            "what was printed before the deadline is there when it ends the stream, and the \
            process can be joined again",
        )
        .why("a caller shows what it has, and comes back for the rest")
        .generations(&[1, 2])
        .needs(&["wire/deadline/stream", "process/connect/joins"])
        .timing()
        .act(act!(|p| {
            let ask = p.start_ask(
                "run",
                json!({ "process": shell("echo early; read line; echo $line"), "stdin": true }),
            );
            send(p, "run", ask.header("connect-timeout-ms", "300")).await?;
            let message = json!({ "process": { "tag": p.tag("run") } });
            let mut again = p.open(Ask::stream(CONNECT, &[message])).await?;
            again.until_frames(1).await;
            p.input("input", "run", "late\n").await?;
            p.finish("again", again).await;
            Ok(())
        }))
        .judge(|o| {
            let seen = o.at("run")?;
            seen.stream_error("deadline_exceeded", "")?;
            seen.same("stdout", so_far(&seen).text().as_str(), "early\n")?;
            printed(o, "again", "late\n")
        }),
];

/// A message with a selector of nobody that is `length` bytes long.
fn sized(length: usize) -> Vec<u8> {
    let (head, tail) = (br#"{"process":{"tag":"envd-conformance-no-such"},"padding":""#, br#""}"#);
    [head.as_slice(), &vec![b'x'; length - head.len() - tail.len()], tail].concat()
}
