//! HTTP/2 by hand, where a client library would hide what is on the wire.

use std::time::Duration;

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
    tokio::time::timeout(Duration::from_secs(1), wire.until(is_answered)).await.unwrap();
    wire.write(&frame(PING, 0, 0, &[0; 8])).await;
    let seen = frames(wire.until(|bytes| frames(bytes).contains(&(PING, 1, 0))).await);
    assert!(!seen.iter().any(|(kind, ..)| *kind == RESET), "{seen:?}");
}
