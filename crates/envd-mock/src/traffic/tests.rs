//! Pieces, fingerprints and recordings, without a mock.

use std::io::Write as _;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};
use proptest::prelude::*;

use super::fingerprint::{Fingerprint, Print, head};
use super::pieces::Pieces;
use super::{BadRecording, Recording, ReplayPace, secret};
use crate::body::Framing;

fn of_type(kind: &'static str) -> HeaderMap {
    HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static(kind))])
}

fn print(path: &str, kind: &'static str, body: &[u8], piece: usize) -> Print {
    let mut print = Fingerprint::new(path, &of_type(kind));
    body.chunks(piece).for_each(|piece| print.push(piece));
    print.print()
}

fn envelope(message: &[u8]) -> Vec<u8> {
    [&[0], u32::try_from(message.len()).unwrap().to_be_bytes().as_slice(), message].concat()
}

const START: &str = "/process.Process/Start";

#[test]
fn messages_are_compared_by_what_they_say() {
    let json = br#"{"process":{"cmd":"ls","envs":{"A":"1","B":"2"}}}"#;
    let same = br#"{ "new": 1, "process": {"envs": {"B":"2","A":"1"}, "args": [], "cmd": "ls"} }"#;
    let one = print(START, "application/connect+json", &envelope(json), 3);
    assert_eq!(one, print(START, "application/connect+json", &envelope(same), 1000));
    // cmd, then both entries of the map the other way round.
    let proto = b"\x0a\x14\x0a\x02ls\x1a\x06\x0a\x01B\x12\x012\x1a\x06\x0a\x01A\x12\x011";
    assert_eq!(one, print(START, "application/connect+proto", &envelope(proto), 7));
    let other = br#"{"process":{"cmd":"ls","envs":{"A":"1","B":"3"}}}"#;
    assert_ne!(one, print(START, "application/connect+json", &envelope(other), 3));
}

#[test]
fn only_the_first_message_of_a_stream_counts() {
    let (first, second) = (envelope(br#"{"start":{}}"#), envelope(b"{}"));
    let mut print = Fingerprint::new("/process.Process/StreamInput", &of_type("application/connect+json"));
    print.push(&first[..7]);
    assert!(!print.is_settled());
    print.push(&first[7..]);
    assert!(print.is_settled());
    let alone = print.print();
    let both = [first, second].concat();
    let path = "/process.Process/StreamInput";
    assert_eq!(alone, self::print(path, "application/connect+json", &both, 1));
}

#[test]
fn neither_the_token_of_init_nor_its_time_counts() {
    let of = |body: &str| print("/init", "application/json", body.as_bytes(), 10);
    let one = of(r#"{"access_token":"a","sandbox_id":"x","timestamp":"1","lifecycle_id":"1"}"#);
    let same = r#"{"sandbox_id":"x","access_token":"[redacted]","timestamp":"2","lifecycle_id":"2"}"#;
    assert_eq!(one, of(same));
    assert_ne!(one, of(r#"{"access_token":"a","sandbox_id":"y"}"#));
    for name in ["access_token", "accessToken"] {
        let kept = secret::taken_out(format!(r#"{{"{name}":"s3cret","x":1}}"#).as_bytes());
        assert_eq!(String::from_utf8(kept).unwrap(), format!(r#"{{"{name}":"[redacted]","x":1}}"#));
    }
    assert!(secret::taken_out(br#"{"access_token":"s3c"#).is_empty());
}

#[test]
fn heads_are_compared_without_order_and_without_signatures() {
    assert_eq!(head("GET", "/files?b=2&a=1"), head("GET", "/files?a=1&signature=[redacted]&b=2"));
    assert_ne!(head("GET", "/files?a=1"), head("GET", "/files?a=2"));
    assert_ne!(head("GET", "/files?a=1"), head("POST", "/files?a=1"));
}

proptest! {
    #[test]
    fn a_form_is_the_same_with_any_boundary(content in proptest::collection::vec(any::<u8>(), 0..200), piece in 1usize..50) {
        let form = |boundary: &str| {
            let head = format!("--{boundary}\r\ncontent-disposition: form-data; name=\"file\"\r\n\r\n");
            [head.as_bytes(), &content, format!("\r\n--{boundary}--\r\n").as_bytes()].concat()
        };
        let one = print("/files", "multipart/form-data; boundary=XXAAXXXXAAY", &form("XXAAXXXXAAY"), piece);
        let other = print("/files", "multipart/form-data; boundary=other", &form("other"), 1000);
        prop_assert_eq!(one, other);
    }

    #[test]
    fn envelopes_are_put_together_however_they_came(lengths in proptest::collection::vec(0usize..40, 0..10), piece in 1usize..30) {
        let envelopes: Vec<Vec<u8>> = lengths.iter().map(|length| envelope(&vec![7; *length])).collect();
        let mut pieces = Pieces::new(Framing::of(&of_type("application/connect+json")));
        let all = envelopes.concat();
        let whole: Vec<Bytes> =
            all.chunks(piece).flat_map(|chunk| pieces.push(&Bytes::copy_from_slice(chunk))).collect();
        prop_assert_eq!(whole, envelopes);
        prop_assert_eq!(pieces.rest(), None);
    }
}

#[test]
fn paces_are_read_as_they_are_printed() {
    for text in ["recorded", "at-once", "10", "0.5"] {
        assert_eq!(text.parse::<ReplayPace>().unwrap().to_string(), text);
    }
    for text in ["", "0", "-1", "nan", "inf", "fast"] {
        assert!(text.parse::<ReplayPace>().is_err(), "{text}");
    }
    let second = Duration::from_secs(1);
    assert_eq!(ReplayPace::Times(10.0).due(second, second), Some(Duration::from_millis(1100)));
    assert_eq!(ReplayPace::AtOnce.due(second, second), None);
}

fn load(text: &str) -> Result<Recording, BadRecording> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    Recording::load(file.path())
}

#[test]
fn a_broken_recording_is_refused_with_file_and_line() {
    const TITLE: &str = r#"{"format":"envd-mock traffic","version":1}"#;
    const ASKED: &str = r#"{"call":1,"at_us":1,"event":"request","method":"GET","target":"/a","protocol":"HTTP/1.1","headers":[]}"#;
    let lines: Vec<String> = [
        String::new(),
        "hello\n".to_owned(),
        r#"{"format":"envd-mock traffic","version":2}"#.to_owned(),
        format!("{TITLE}\n{{\"call\":1"),
        format!("{TITLE}\n{{\"call\":1,\"at_us\":1,\"event\":\"up-end\"}}\n"),
        format!("{TITLE}\n{ASKED}\n{{\"call\":1,\"at_us\":1,\"event\":\"up\",\"body\":\"?\"}}\n"),
        format!("{TITLE}\n{ASKED}\n{ASKED}\n"),
        format!("{TITLE}\n{ASKED}\n{{\"call\":1,\"at_us\":1,\"event\":\"down\",\"body\":\"\"}}\n"),
    ]
    .iter()
    .map(|text| {
        let error = load(text).unwrap_err().to_string();
        error[error.find(':').unwrap() + 1..].to_owned()
    })
    .collect();
    insta::assert_snapshot!(lines.join("\n"));
    let recording = load(&format!("{TITLE}\n{ASKED}\n")).unwrap();
    assert_eq!(recording.calls.len(), 1);
}
