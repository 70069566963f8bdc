//! Every message on the recorded wire decodes to what the recording says, from binary and from JSON alike.

use std::fmt::Debug;

use envd_proto::{filesystem as fs, json, process as ps};
use prost::{Message, Name};
use serde_json::Value;

use crate::recording::{self, Direction};

#[test]
fn recorded_messages_decode_to_what_the_recording_says() {
    let all = recording::all();
    assert!(!all.is_empty(), "expected recordings in fixtures/wire, found none");
    for recording in &all {
        check(&format!("{}: request", recording.name), &recording.request);
        check(&format!("{}: response", recording.name), &recording.response);
    }
}

fn check(place: &str, direction: &Direction) {
    let (payloads, last) = direction.payloads();
    assert_eq!(payloads.len(), direction.messages.len(), "{place}: number of messages");
    for (payload, stated) in payloads.iter().zip(&direction.messages) {
        let found = by_name(&direction.kind, payload, direction.is_json());
        assert_eq!(&found, stated, "{place}");
    }
    let last = last.map(|text| serde_json::from_slice::<Value>(&text).unwrap());
    assert_eq!(last, direction.end.clone().or(direction.error.clone()), "{place}: end frame or error");
}

/// The JSON form of a payload, after a way through our own types, and back through both encodings.
fn by_name(kind: &str, payload: &[u8], is_json: bool) -> Value {
    macro_rules! pick {
        ($($message:ty),* $(,)?) => {
            match kind {
                $(_ if kind == <$message>::full_name() => through::<$message>(payload, is_json),)*
                other => panic!("expected a message of ours, found {other}: name it in this list"),
            }
        };
    }
    pick!(
        fs::ListDirRequest,
        fs::ListDirResponse,
        fs::StatRequest,
        fs::StatResponse,
        fs::WatchDirRequest,
        fs::WatchDirResponse,
        ps::ConnectRequest,
        ps::ConnectResponse,
        ps::ListRequest,
        ps::ListResponse,
        ps::SendInputRequest,
        ps::SendInputResponse,
        ps::SendSignalRequest,
        ps::SendSignalResponse,
        ps::StartRequest,
        ps::StartResponse,
        ps::StreamInputRequest,
        ps::StreamInputResponse,
        ps::UpdateRequest,
        ps::UpdateResponse,
    )
}

fn through<M: Message + Name + Default + PartialEq + Debug>(payload: &[u8], is_json: bool) -> Value {
    let message = if is_json { json::decode::<M>(payload).unwrap() } else { M::decode(payload).unwrap() };
    let binary = message.encode_to_vec();
    if !is_json {
        assert_eq!(binary, payload, "the binary form is the recorded one, byte for byte");
    }
    assert_eq!(M::decode(&*binary).unwrap(), message);
    let text = json::encode(&message).unwrap();
    assert_eq!(json::decode::<M>(&text).unwrap(), message);
    serde_json::from_slice(&text).unwrap()
}
