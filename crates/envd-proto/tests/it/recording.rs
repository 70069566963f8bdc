//! Reads `fixtures/wire/*.json` (its README tells the format) into bytes. Knows no message.

use std::{fs, io::Read, path::Path};

use flate2::read::GzDecoder;
use serde_json::Value;

/// A recorded call.
pub(crate) struct Recording {
    /// The file's name, for messages.
    pub(crate) name: String,
    pub(crate) request: Direction,
    pub(crate) response: Direction,
}

/// What went one way.
pub(crate) struct Direction {
    pub(crate) head: Vec<String>,
    pub(crate) body: Vec<u8>,
    /// The full name of the messages in the body.
    pub(crate) kind: String,
    /// The canonical JSON form of each of them.
    pub(crate) messages: Vec<Value>,
    /// The end frame of a stream, as stated.
    pub(crate) end: Option<Value>,
    /// A unary error, as stated.
    pub(crate) error: Option<Value>,
}

/// All recordings, in the order of their names.
pub(crate) fn all() -> Vec<Recording> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/wire");
    let mut paths: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.sort();
    paths.iter().map(|path| read(path)).collect()
}

fn read(path: &Path) -> Recording {
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    let file: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    Recording { name, request: direction(&file["request"]), response: direction(&file["response"]) }
}

fn direction(part: &Value) -> Direction {
    Direction {
        head: strings(&part["head"]),
        body: strings(&part["body"]).iter().flat_map(|piece| bytes(piece)).collect(),
        kind: part["type"].as_str().unwrap().to_owned(),
        messages: part["messages"].as_array().unwrap().clone(),
        end: part.get("end").cloned(),
        error: part.get("error").cloned(),
    }
}

fn strings(list: &Value) -> Vec<String> {
    list.as_array().unwrap().iter().map(|item| item.as_str().unwrap().to_owned()).collect()
}

fn bytes(piece: &str) -> Vec<u8> {
    match piece.split_once(':').unwrap() {
        ("hex", digits) => unhex(digits),
        ("text", text) => text.as_bytes().to_vec(),
        ("note", _) => Vec::new(),
        (other, _) => panic!("expected a piece of hex, text or note, found {other}"),
    }
}

fn unhex(digits: &str) -> Vec<u8> {
    let digits: Vec<_> = digits.chars().filter(|c| *c != ' ').collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(&String::from_iter(pair), 16).unwrap()).collect()
}

impl Direction {
    pub(crate) fn is_json(&self) -> bool {
        self.header("content-type").is_some_and(|value| value.ends_with("json"))
    }

    /// The payloads of the messages, and that of the end frame or of the error.
    pub(crate) fn payloads(&self) -> (Vec<Vec<u8>>, Option<Vec<u8>>) {
        if self.header("content-type").is_some_and(|value| value.starts_with("application/connect+")) {
            return envelopes(&self.body);
        }
        let zipped = self.header("content-encoding") == Some("gzip");
        let body = if zipped { gunzip(&self.body) } else { self.body.clone() };
        if self.error.is_some() { (Vec::new(), Some(body)) } else { (vec![body], None) }
    }

    fn header(&self, name: &str) -> Option<&str> {
        let pairs = self.head.iter().skip(1).filter_map(|line| line.split_once(": "));
        pairs.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value).next()
    }
}

fn envelopes(mut body: &[u8]) -> (Vec<Vec<u8>>, Option<Vec<u8>>) {
    let (mut messages, mut end) = (Vec::new(), None);
    while !body.is_empty() {
        assert!(end.is_none(), "expected nothing behind the end frame");
        let (prefix, rest) = body.split_at(5);
        let size = u32::from_be_bytes(prefix[1..].try_into().unwrap()) as usize;
        let (payload, rest) = rest.split_at(size);
        let payload = if prefix[0] & 1 != 0 { gunzip(payload) } else { payload.to_vec() };
        if prefix[0] & 2 != 0 {
            end = Some(payload);
        } else {
            messages.push(payload);
        }
        body = rest;
    }
    (messages, end)
}

fn gunzip(data: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    GzDecoder::new(data).read_to_end(&mut out).unwrap();
    out
}
