//! What every RPC has in common: content types, codecs, envelopes, errors, compression, gRPC.

use std::io::{Read, Write};

use envd_mock::MockEnvd;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

use crate::bare::{Ask, Wire, ask, envelope, stream, unary};

const LIST: &str = "/process.Process/List";
const START: &str = "/process.Process/Start";
const STAT: &str = "/filesystem.Filesystem/Stat";

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn gunzip(bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    GzDecoder::new(bytes).read_to_end(&mut plain).unwrap();
    plain
}

fn post(path: &str, kind: &str, body: impl Into<Vec<u8>>) -> Ask {
    ask(&format!("POST {path}")).with("content-type", kind).body(body)
}

#[tokio::test]
async fn a_unary_call_answers_in_the_codec_it_was_asked_in() {
    let mock = MockEnvd::start().await.unwrap();
    let json = unary(LIST, "{}").send(mock.addr()).await;
    assert_eq!(
        (json.status, json.header("content-type"), json.text()),
        (200, Some("application/json"), "{}")
    );
    let charset = post(LIST, "application/json; charset=utf-8", "{}").send(mock.addr()).await;
    assert_eq!(charset.status, 200);
    let proto = post(LIST, "application/proto", "").send(mock.addr()).await;
    assert_eq!(
        (proto.status, proto.header("content-type"), proto.body.len()),
        (200, Some("application/proto"), 0)
    );
}

#[tokio::test]
async fn unary_errors_have_their_status_and_a_json_body() {
    let mock = MockEnvd::start().await.unwrap();
    let cases = [
        (
            unary(LIST, ""),
            400,
            "invalid_argument",
            "failed to decode JSON request: EOF while parsing a value at line 1 column 0",
        ),
        (
            unary(LIST, "{").with("connect-protocol-version", "1"),
            400,
            "invalid_argument",
            "failed to decode JSON request: EOF while parsing an object at line 1 column 1",
        ),
        (
            post(STAT, "application/proto", b"\x0a\x05a".to_vec()),
            400,
            "invalid_argument",
            "failed to decode proto request: unexpected end of buffer",
        ),
        (
            unary(LIST, "{}").with("connect-protocol-version", "2"),
            400,
            "invalid_argument",
            "unsupported protocol version",
        ),
        (
            unary(LIST, "{}").with("content-encoding", "br"),
            501,
            "unimplemented",
            "unsupported compression encoding: br",
        ),
        (unary(START, "{}"), 501, "unimplemented", "method not found: process.Process/Start"),
        (
            unary("/process.Process/Nope", "{}"),
            404,
            "unimplemented",
            "method not found: process.Process/Nope",
        ),
        (
            ask("GET /process.Process/List"),
            405,
            "unknown",
            "GET requests are only supported for idempotent methods",
        ),
        (
            ask("PUT /process.Process/List").with("content-type", "application/json"),
            405,
            "unknown",
            "only GET and POST methods are supported",
        ),
        (unary("/process.Process/SendSignal", "{}"), 400, "invalid_argument", "process selector required"),
    ];
    for (call, status, code, message) in cases {
        let answer = call.send(mock.addr()).await;
        assert_eq!(answer.status, status, "{call:?} {answer:?}");
        assert_eq!(answer.header("content-type"), Some("application/json"), "{call:?}");
        assert_eq!(answer.json(), serde_json::json!({ "code": code, "message": message }), "{call:?}");
    }
}

#[tokio::test]
async fn a_wrong_or_missing_content_type_is_415_and_empty() {
    let mock = MockEnvd::start().await.unwrap();
    let calls = [
        ask("POST /process.Process/List"),
        ask("POST /nowhere"),
        post(LIST, "text/plain", "{}"),
        post("/memory/other", "application/xml", "<a/>"),
        ask("PUT /process.Process/List"),
    ];
    for call in calls {
        let answer = call.send(mock.addr()).await;
        assert_eq!((answer.status, answer.text()), (415, ""), "{call:?}");
    }
}

#[tokio::test]
async fn stream_errors_are_200_with_one_end_envelope() {
    let mock = MockEnvd::start().await.unwrap();
    let body = |bytes: Vec<u8>| post(START, "application/connect+json", bytes);
    let two = [envelope(0, "{}"), envelope(0, "{}")].concat();
    let cases = [
        (stream("/process.Process/Nope", "{}"), "unimplemented", "method not found: process.Process/Nope"),
        (stream(LIST, "{}"), "invalid_argument", "streaming content type used for unary method"),
        (body(vec![]), "unimplemented", "server streaming request requires a message"),
        (body(two), "unimplemented", "server streaming request must have exactly one message"),
        (body(envelope(0, "{}")[..6].to_vec()), "invalid_argument", "incomplete request envelope"),
        (body(vec![0, 0]), "invalid_argument", "incomplete request envelope"),
        (
            body(envelope(1, gzip(b"{}"))),
            "internal",
            "received compressed message without connect-content-encoding header",
        ),
        (
            stream(START, "{}").with("connect-protocol-version", "2"),
            "invalid_argument",
            "unsupported protocol version",
        ),
        (
            stream(START, "{}").with("connect-content-encoding", "br"),
            "unimplemented",
            "unsupported compression encoding: br",
        ),
        (body(envelope(0, "[]")), "invalid_argument", "failed to decode JSON request: "),
        (body(envelope(0, "{}")), "invalid_argument", "process config required"),
        (
            stream("/process.Process/Connect", r#"{"process":{"pid":4000000}}"#),
            "not_found",
            "process with pid 4000000 not found",
        ),
    ];
    for (call, code, message) in cases {
        let answer = call.send(mock.addr()).await;
        let (seen_code, seen_message) = answer.end_error();
        assert_eq!(answer.header("content-type"), Some("application/connect+json"), "{call:?}");
        assert_eq!((seen_code.as_str(), answer.envelopes().len()), (code, 1), "{call:?}");
        assert!(seen_message.starts_with(message), "{call:?} {seen_message}");
    }
}

#[tokio::test]
async fn unknown_json_fields_are_ignored_and_enums_are_names_or_numbers() {
    let mock = MockEnvd::start().await.unwrap();
    for signal in ["9", r#""SIGNAL_SIGKILL""#, "77"] {
        let json = format!(r#"{{"process":{{"pid":4000000}},"signal":{signal},"later":[1]}}"#);
        let answer = unary("/process.Process/SendSignal", &json).send(mock.addr()).await;
        assert_eq!((answer.status, answer.json()["code"].as_str()), (404, Some("not_found")), "{signal}");
    }
    for json in [r#"{"signal":"SIGNAL_NOPE"}"#, r#"{"later":[1],"signal":"SIGNAL_NOPE"}"#] {
        let unknown = unary("/process.Process/SendSignal", json).send(mock.addr()).await;
        let message = unknown.json()["message"].as_str().unwrap().to_owned();
        assert!(
            message.starts_with("failed to decode JSON request: unrecognized enum value 'SIGNAL_NOPE'"),
            "{message}"
        );
    }
}

#[tokio::test]
async fn compressed_requests_are_read() {
    let mock = MockEnvd::start().await.unwrap();
    let unary = unary(LIST, "").body(gzip(b"{}")).with("content-encoding", "gzip").send(mock.addr()).await;
    assert_eq!((unary.status, unary.text()), (200, "{}"));
    let message = br#"{"process":{"pid":4000000}}"#;
    let call = post("/process.Process/Connect", "application/connect+json", envelope(1, gzip(message)));
    let answer = call.with("connect-content-encoding", "gzip").send(mock.addr()).await;
    assert_eq!(answer.end_error().0, "not_found");
    assert_eq!(
        answer.header("connect-accept-encoding").map(|list| list.contains("gzip") && list.contains("zstd")),
        Some(true)
    );
    let bad =
        post(LIST, "application/json", "not gzip").with("content-encoding", "gzip").send(mock.addr()).await;
    assert!([400, 500].contains(&bad.status), "{bad:?}");
}

#[tokio::test]
async fn a_large_unary_answer_is_compressed_for_who_accepts_it() {
    let mock = MockEnvd::start().await.unwrap();
    for n in 0..40 {
        mock.guest().write_file(&format!("/tmp/many/file-{n}"), b"x").unwrap();
    }
    let call = unary("/filesystem.Filesystem/ListDir", r#"{"path":"/tmp/many"}"#);
    let plain = call.send(mock.addr()).await;
    assert_eq!((plain.status, plain.header("content-encoding")), (200, None));
    let gzipped = call.clone().with("accept-encoding", "br, gzip, zstd").send(mock.addr()).await;
    assert_eq!(gzipped.header("content-encoding"), Some("gzip"));
    assert_eq!(gunzip(&gzipped.body), plain.body);
    let zstd = call.with("accept-encoding", "zstd").send(mock.addr()).await;
    assert_eq!(
        (zstd.header("content-encoding"), &zstd.body[..4]),
        (Some("zstd"), &[0x28, 0xb5, 0x2f, 0xfd][..])
    );
    let small = unary(LIST, "{}").with("accept-encoding", "gzip").send(mock.addr()).await;
    assert_eq!((small.header("content-encoding"), small.text()), (None, "{}"));
}

#[tokio::test]
async fn a_stream_announces_compression_and_compresses_large_messages_only() {
    let mock = MockEnvd::start().await.unwrap();
    let json = r#"{"process":{"cmd":"head","args":["-c","3000","/dev/zero"]}}"#;
    let answer = stream(START, json).with("connect-accept-encoding", "gzip").send(mock.addr()).await;
    assert_eq!(answer.header("connect-content-encoding"), Some("gzip"));
    assert!(
        answer
            .header("connect-accept-encoding")
            .is_some_and(|list| list.contains("gzip") && list.contains("zstd"))
    );
    let envelopes = answer.envelopes();
    let flags: Vec<u8> = envelopes.iter().map(|(flag, _)| *flag).collect();
    assert_eq!((flags.first(), flags.last(), flags.contains(&1)), (Some(&0), Some(&2), true), "{flags:?}");
    let large = envelopes.iter().find(|(flag, _)| *flag == 1).unwrap();
    assert!(String::from_utf8(gunzip(&large.1)).unwrap().contains("AAAAAAAA"));
}

#[tokio::test]
async fn start_is_on_the_wire_while_the_process_runs() {
    let mock = MockEnvd::start().await.unwrap();
    let call = stream(START, r#"{"process":{"cmd":"sleep","args":["600"]}}"#);
    let mut wire = Wire::open(mock.addr()).await;
    wire.write(&call.bytes(mock.addr())).await;
    wire.until(|bytes| String::from_utf8_lossy(bytes).contains(r#"{"event":{"start":{"pid":"#)).await;
    let client = reqwest::Client::builder().http2_prior_knowledge().build().unwrap();
    let mut answer = client
        .post(format!("{}{START}", mock.url()))
        .header("content-type", "application/connect+json")
        .body(envelope(0, r#"{"process":{"cmd":"sleep","args":["600"]}}"#))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.version(), reqwest::Version::HTTP_2);
    let first = answer.chunk().await.unwrap().unwrap();
    assert!(first[5..].starts_with(br#"{"event":{"start":"#), "{first:?}");
}

#[tokio::test]
async fn a_client_stream_is_answered_at_its_end() {
    let mock = MockEnvd::start().await.unwrap();
    let path = "/process.Process/StreamInput";
    let empty = post(path, "application/connect+json", "").send(mock.addr()).await;
    assert_eq!(empty.envelopes(), [(0, b"{}".to_vec()), (2, b"{}".to_vec())]);
    let early = stream(path, r#"{"data":{"input":{"stdin":"aGk="}}}"#).send(mock.addr()).await;
    assert_eq!(early.end_error(), ("failed_precondition".into(), "no start event received".into()));
    let bad = stream(path, "[]").send(mock.addr()).await;
    assert_eq!(bad.end_error().0, "invalid_argument");
}

#[tokio::test]
async fn grpc_and_grpc_web_are_spoken_on_the_same_port() {
    let mock = MockEnvd::start().await.unwrap();
    let client = reqwest::Client::builder().http2_prior_knowledge().build().unwrap();
    let grpc = client
        .post(format!("{}{LIST}", mock.url()))
        .header("content-type", "application/grpc+proto")
        .header("te", "trailers")
        .body(envelope(0, ""))
        .send()
        .await
        .unwrap();
    assert_eq!(grpc.headers()["content-type"], "application/grpc+proto");
    assert_eq!(grpc.bytes().await.unwrap(), envelope(0, ""));
    let web = post(LIST, "application/grpc-web+proto", envelope(0, "")).send(mock.addr()).await;
    let envelopes = web.envelopes();
    assert_eq!((envelopes[0].0, envelopes[1].0), (0, 0x80));
    assert!(String::from_utf8_lossy(&envelopes[1].1).contains("grpc-status: 0"));
    let text = post(LIST, "application/grpc-web-text", "AAAAAAA=").send(mock.addr()).await;
    assert!(String::from_utf8_lossy(&text.body).contains("grpc-status: 12"), "{text:?}");
}
