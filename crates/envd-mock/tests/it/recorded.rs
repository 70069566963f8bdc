//! Requests recorded from connect-go and written by hand, played to the mock: none of our own code has made them.

use envd_mock::MockEnvd;
use serde_json::Value;

use crate::bare::Wire;
use recording::{Direction, Recording};

#[path = "../../../envd-proto/tests/it/recording.rs"]
#[expect(dead_code, reason = "shared with the tests of the messages, which use the rest")]
mod recording;

fn request(direction: &Direction) -> Vec<u8> {
    let length = direction.body.len();
    let head = direction.head.join("\r\n");
    [format!("{head}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n").as_bytes(), &direction.body]
        .concat()
}

fn contains(bytes: &[u8], what: &[u8]) -> bool {
    bytes.windows(what.len()).any(|window| window == what)
}

/// The recorded code of an error, of a unary call or a stream.
fn code(response: &Direction) -> Option<&str> {
    let end = response.end.as_ref().and_then(|end| end.get("error"));
    end.or(response.error.as_ref()).and_then(|error| error["code"].as_str())
}

/// What must stand in the answer: for a stream its first event, for a unary call its status.
fn wanted(recording: &Recording) -> Vec<u8> {
    let response = &recording.response;
    let starts = response.messages.first().is_some_and(|message| {
        message.get("event").and_then(|event| event.get("start")).or(message.get("start")).is_some()
    });
    if starts && response.is_json() {
        return b"\"start\":{".to_vec();
    }
    match (starts, code(response)) {
        // An envelope without flags, shorter than 256 bytes, that begins with its first field.
        (true, _) => vec![0, 0, 0, 0],
        (false, Some(code)) => code.as_bytes().to_vec(),
        (false, None) => response.head[0].split(' ').nth(1).unwrap().as_bytes().to_vec(),
    }
}

/// Whether the call names a process that only the recording had.
fn names_a_pid(recording: &Recording) -> bool {
    let text = Value::from(recording.request.messages.clone()).to_string();
    text.contains("\"pid\":")
}

#[tokio::test]
async fn the_mock_takes_what_other_clients_send() {
    let recordings = recording::all();
    assert!(!recordings.is_empty());
    for recording in &recordings {
        let mock = MockEnvd::start().await.unwrap();
        mock.guest().write_file("/a", "a").unwrap();
        mock.guest().write_file("/tmp/w/a", "a").unwrap();
        if !recording.name.contains("missing") {
            mock.guest().write_file("/home/user/a.txt", "a").unwrap();
        }
        let client = mock.client();
        if !recording.name.contains("failed") && !recording.request.kind.ends_with("StartRequest") {
            client.command("cat").stdin(true).tag("job-1").background().await.unwrap();
            client.command("cat").pty(80, 24).tag("pty-1").background().await.unwrap();
        }
        let mut wire = Wire::open(mock.addr()).await;
        wire.write(&request(&recording.request)).await;
        let wanted = if names_a_pid(recording) { b"not_found".to_vec() } else { wanted(recording) };
        let pty_refused = recording.name.contains("stream-input") && !recording.name.contains("failed");
        // The recorded input ends in bytes for a terminal, which this process does not have.
        let wanted =
            if pty_refused && !names_a_pid(recording) { b"failed_precondition".to_vec() } else { wanted };
        let seen = wire.until(|bytes| contains(bytes, &wanted)).await;
        assert!(seen.starts_with(b"HTTP/1.1 "), "{}", recording.name);
    }
}
