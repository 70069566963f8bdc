//! HTTP/2 by hand, where a client library would hide what is on the wire.

use envd_mock::MockEnvd;

use crate::bare::Wire;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RESET: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags, 0, 0, 0, stream], payload].concat()
}

/// Fields as literals that are neither indexed nor packed (RFC 7541, section 6.2.2).
fn fields(fields: &[(&str, &str)]) -> Vec<u8> {
    let text = |text: &str| [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    fields.iter().flat_map(|(name, value)| [vec![0], text(name), text(value)].concat()).collect()
}

/// Kind, flags and stream of each whole frame.
fn frames(mut bytes: &[u8]) -> Vec<(u8, u8, u8)> {
    let mut all = Vec::new();
    while let [a, b, c, kind, flags, _, _, _, stream, rest @ ..] = bytes {
        let length = u32::from_be_bytes([0, *a, *b, *c]) as usize;
        let Some(after) = rest.get(length..) else { break };
        all.push((*kind, *flags, *stream));
        bytes = after;
    }
    all
}

#[tokio::test]
async fn an_early_refusal_does_not_reset_who_is_still_sending() {
    let mock = MockEnvd::start().await.unwrap();
    let head = fields(&[
        (":method", "POST"),
        (":scheme", "http"),
        (":authority", "localhost"),
        (":path", "/files?path=/tmp/a&username=ghost"),
        ("content-type", "multipart/form-data; boundary=B"),
    ]);
    let mut wire = Wire::open(mock.addr()).await;
    wire.write(&[PREFACE, &frame(SETTINGS, 0, 0, &[]), &frame(HEADERS, END_HEADERS, 1, &head)].concat())
        .await;
    wire.write(&frame(DATA, 0, 1, b"--B\r\n")).await;
    let is_answered = |bytes: &[u8]| frames(bytes).contains(&(DATA, END_STREAM, 1));
    wire.until(is_answered).await;
    wire.write(&frame(PING, 0, 0, &[0; 8])).await;
    let seen = frames(wire.until(|bytes| frames(bytes).contains(&(PING, 1, 0))).await);
    assert!(!seen.iter().any(|(kind, ..)| *kind == RESET), "{seen:?}");
}

/// The frames of the first stream that answers a call of gRPC in JSON; whatever follows them would come before the
/// answer to a PING.
async fn answer_to_grpc(mock: &MockEnvd, kind: &str, path: &str, body: &[u8]) -> Vec<(u8, u8)> {
    let head = fields(&[
        (":method", "POST"),
        (":scheme", "http"),
        (":authority", "localhost"),
        (":path", path),
        ("content-type", kind),
        ("te", "trailers"),
    ]);
    let mut wire = Wire::open(mock.addr()).await;
    let call = [frame(HEADERS, END_HEADERS, 1, &head), frame(DATA, END_STREAM, 1, body)].concat();
    wire.write(&[PREFACE, &frame(SETTINGS, 0, 0, &[]), &call].concat()).await;
    let ends =
        |(kind, flags, stream): &(u8, u8, u8)| *stream == 1 && (*kind == RESET || flags & END_STREAM != 0);
    wire.until(|bytes| frames(bytes).iter().any(ends)).await;
    wire.write(&frame(PING, 0, 0, &[0; 8])).await;
    let seen = frames(wire.until(|bytes| frames(bytes).contains(&(PING, 1, 0))).await);
    let of_call = |(kind, _, stream): &(u8, u8, u8)| *stream == 1 && [DATA, HEADERS, RESET].contains(kind);
    seen.into_iter().filter(of_call).map(|(kind, flags, _)| (kind, flags)).collect()
}

// The kind of mistake: an error that is framed as an answer. Clients that read trailers-only answers by the letter take
// two blocks of headers for an answer without its message.
#[tokio::test]
async fn an_error_of_grpc_before_the_first_message_is_one_frame() {
    let open = MockEnvd::start().await.unwrap();
    let closed = MockEnvd::start().await.unwrap();
    let init = crate::bare::ask("POST /init").with("content-type", "application/json");
    let init = init.body(r#"{"access_token":"secret"}"#).send(closed.addr()).await;
    assert_eq!(init.status, 204);
    let message = |json: &str| crate::bare::envelope(0, json);
    let (stat, connect) = ("/filesystem.Filesystem/Stat", "/process.Process/Connect");
    let cases: [(&MockEnvd, &str, Vec<u8>); 8] = [
        (&open, stat, message(r#"{"path":"/none"}"#)),
        (&open, stat, message("not JSON")),
        (&open, stat, message("{}")[..3].to_vec()),
        (&open, connect, message(r#"{"process":{"pid":4000000}}"#)),
        (&open, connect, message("not JSON")),
        (&open, "/process.Process/Strat", message("{}")),
        (&closed, stat, message(r#"{"path":"/"}"#)),
        (&closed, connect, message(r#"{"process":{"pid":1}}"#)),
    ];
    for (mock, path, body) in &cases {
        let seen = answer_to_grpc(mock, "application/grpc+json", path, body).await;
        assert_eq!(seen, [(HEADERS, END_HEADERS | END_STREAM)], "{path} {:?}", String::from_utf8_lossy(body));
    }
    // gRPC-Web has its trailers in the body, or in the headers of an answer without one; never in a frame of their own.
    for (mock, path, body) in &cases {
        let seen = answer_to_grpc(mock, "application/grpc-web+json", path, body).await;
        assert_eq!(seen.iter().filter(|(kind, _)| *kind == HEADERS).count(), 1, "{path} {seen:?}");
    }
}
