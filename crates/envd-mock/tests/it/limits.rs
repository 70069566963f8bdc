//! Too much, too long, too slow, cut short: each is an answer, none is a hang.

use std::io::Write;

use envd_mock::MockEnvd;
use proptest::prelude::*;

use crate::bare::{PATIENCE, Wire, ask, envelope, stream, unary};

const LIMIT: usize = 4 << 20;
const LIST: &str = "/process.Process/List";
const START: &str = "/process.Process/Start";
const SLEEP: &str = r#"{"process":{"cmd":"sleep","args":["600"]}}"#;

fn padded(length: usize) -> String {
    format!("{{}}{}", " ".repeat(length - 2))
}

#[tokio::test]
async fn a_unary_body_over_the_limit_is_429() {
    let mock = MockEnvd::start().await.unwrap();
    let long = unary(LIST, &padded(LIMIT + 1)).send(mock.addr()).await;
    let message = "request body size exceeds limit 4194304";
    let expected = serde_json::json!({ "code": "resource_exhausted", "message": message });
    assert_eq!((long.status, long.json()), (429, expected));
    let whole = unary(LIST, &padded(LIMIT)).send(mock.addr()).await;
    assert_eq!(whole.status, 200);
}

#[tokio::test]
async fn a_body_that_announces_itself_as_too_long_is_not_waited_for() {
    let mock = MockEnvd::start().await.unwrap();
    let call = unary(LIST, "{").with("content-length", &(LIMIT + 1).to_string());
    let answer = call.send(mock.addr()).await;
    assert_eq!((answer.status, answer.json()["code"].as_str()), (429, Some("resource_exhausted")));
}

#[tokio::test]
async fn a_message_that_unpacks_beyond_the_limit_is_429() {
    let mock = MockEnvd::start().await.unwrap();
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(&vec![b' '; LIMIT + 1]).unwrap();
    let packed = encoder.finish().unwrap();
    let call = unary(LIST, "").with("content-encoding", "gzip").body(packed);
    let answer = call.send(mock.addr()).await;
    assert_eq!((answer.status, answer.json()["code"].as_str()), (429, Some("resource_exhausted")));
}

/// The head of a streaming call and only the prefix of its message; the body stays open.
async fn promise(mock: &MockEnvd, path: &str, length: u32) -> Wire {
    let call = ask(&format!("POST {path}"))
        .with("content-type", "application/connect+json")
        .with("transfer-encoding", "chunked");
    let mut wire = Wire::open(mock.addr()).await;
    wire.write(&call.bytes(mock.addr())).await;
    wire.write(&[b"5\r\n\0", length.to_be_bytes().as_slice(), b"\r\n"].concat()).await;
    wire
}

#[tokio::test]
async fn an_absurd_length_is_judged_before_its_bytes() {
    let mock = MockEnvd::start().await.unwrap();
    for path in [START, "/process.Process/StreamInput", "/process.Process/Connect"] {
        for length in [4_194_305, u32::MAX] {
            let answer = promise(&mock, path, length).await.answer(false).await;
            assert_eq!(answer.end_error().0, "resource_exhausted", "{path} {length}");
        }
        let cut = ask(&format!("POST {path}"))
            .with("content-type", "application/connect+json")
            .body([0, 255, 255, 255, 255, 1]);
        assert_eq!(cut.send(mock.addr()).await.end_error().0, "resource_exhausted", "{path}");
    }
}

#[tokio::test]
async fn a_body_cut_short_is_an_end_and_not_a_hang() {
    let mock = MockEnvd::start().await.unwrap();
    for path in [START, LIST, "/process.Process/StreamInput"] {
        let call = ask(&format!("POST {path}"))
            .with("content-type", if path == LIST { "application/json" } else { "application/connect+json" })
            .with("content-length", "500")
            .body(envelope(0, SLEEP));
        let mut wire = Wire::open(mock.addr()).await;
        wire.write(&call.bytes(mock.addr())).await;
        wire.finish().await;
        assert!(wire.ends().await, "{path}");
    }
    assert_eq!(ask("GET /health").send(mock.addr()).await.status, 200);
    assert!(mock.guest().processes().is_empty());
}

#[tokio::test]
async fn a_deadline_ends_a_running_stream_and_the_process_goes_on() {
    let mock = MockEnvd::start().await.unwrap();
    let answer = stream(START, SLEEP).with("connect-timeout-ms", "2000").send(mock.addr()).await;
    assert_eq!(answer.end_error().0, "deadline_exceeded");
    assert_eq!(answer.envelopes().len(), 2, "the start event came first");
    assert_eq!(mock.guest().processes().len(), 1);
}

#[tokio::test]
async fn a_deadline_ends_a_unary_call_with_504() {
    let mock = MockEnvd::start().await.unwrap();
    let mut wire = Wire::open(mock.addr()).await;
    wire.write(&stream(START, SLEEP).bytes(mock.addr())).await;
    wire.until(|bytes| String::from_utf8_lossy(bytes).contains("start")).await;
    let pid = mock.guest().processes()[0].pid;
    let full = format!(r#"{{"process":{{"pid":{pid}}},"input":{{"stdin":"{}"}}}}"#, "AAAA".repeat(300_000));
    let answer =
        unary("/process.Process/SendInput", &full).with("connect-timeout-ms", "2000").send(mock.addr()).await;
    assert_eq!((answer.status, answer.json()["code"].as_str()), (504, Some("deadline_exceeded")));
}

#[tokio::test]
async fn a_timeout_of_zero_or_nonsense_is_none() {
    let mock = MockEnvd::start().await.unwrap();
    for value in ["0", "000", "soon", "-5", "1.5", "99999999999"] {
        let answer = unary(LIST, "{}").with("connect-timeout-ms", value).send(mock.addr()).await;
        assert_eq!(answer.status, 200, "{value}");
    }
}

#[tokio::test]
async fn a_head_that_is_too_large_or_no_http_is_refused() {
    let mock = MockEnvd::start().await.unwrap();
    let large = ask("GET /health").with("x-large", &"x".repeat(1 << 20));
    let mut wire = Wire::open(mock.addr()).await;
    wire.write(&large.bytes(mock.addr())).await;
    assert!(wire.ends().await);
    let mut wire = Wire::open(mock.addr()).await;
    wire.write(b"\x16\x03\x01 this is not HTTP\r\n\r\n").await;
    assert!(wire.ends().await);
    assert_eq!(ask("GET /health").send(mock.addr()).await.status, 200);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Whatever follows the head, there is an answer or an end, and the server goes on.
    #[test]
    fn any_body_is_answered(
        body in proptest::collection::vec(any::<u8>(), 0..300),
        kind in prop::sample::select(vec!["application/json", "application/proto", "application/connect+json", "application/connect+proto", "application/grpc-web+proto"]),
        path in prop::sample::select(vec![LIST, "/process.Process/Connect", "/process.Process/StreamInput", "/filesystem.Filesystem/Stat", "/init", "/nowhere"]),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mock = MockEnvd::start().await.unwrap();
            let call = ask(&format!("POST {path}")).with("content-type", kind).body(body);
            let answer = tokio::time::timeout(PATIENCE, call.send(mock.addr())).await.unwrap();
            assert!((200..600).contains(&answer.status));
            assert_eq!(ask("GET /health").send(mock.addr()).await.status, 200);
        });
    }
}
