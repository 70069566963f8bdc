//! Forms and transports of the same calls: compression, binary messages, chunks, HTTP/2, gRPC (contract 1).

use std::io::Write as _;

use envd_proto::filesystem::GetWatcherEventsResponse;
use prost::Message as _;
use prost::encoding::{DecodeContext, decode_key, skip_field};
use serde_json::Value;

use super::edit::{FS, START, answer, fault, request};
use crate::http::{Answer, Call, Request};
use crate::mutant::{Change, Mutant};
use conformance::stream::envelope;

const STAT: &str = "/filesystem.Filesystem/Stat";
const STREAM_INPUT: &str = "/process.Process/StreamInput";
/// More is over the limit of a message.
const LIMIT: u64 = 4 << 20;
/// Where a connection of HTTP/2 has the kind of its first frame, which has to be SETTINGS.
const FIRST_KIND: usize = 24 + 3;
const SETTINGS: u8 = 4;

pub(crate) const MUTANTS: &[Mutant] = &[
    fault(
        "binary/end-stream-empty",
        "END_STREAM of a binary stream is an empty message",
        "process.Process/Start header.content-type=application/connect+proto down[end]: replace \"\"",
    ),
    fault(
        "binary/signal-as-exit",
        "over a binary stream an end by a signal is exit code 137",
        "process.Process/Start header.content-type=application/connect+proto command=\"**kill -9**\": exit-code 137",
    ),
    answer("binary/event-types-shifted", "types of events are one too high in binary", FS, |call, a| {
        if call.target.ends_with("/GetWatcherEvents") {
            shifted(a);
        }
    }),
    request(
        "binary/unknown-field-refused",
        "a field that is not known is no binary message",
        STAT,
        |_, r| {
            let unknown = |all: Vec<(u32, Vec<u8>)>| all.iter().any(|(number, _)| *number != 1);
            if binary(r).is_some_and(unknown) {
                *r.bytes_mut() = b"\x0a\x7f".to_vec();
            }
        },
    ),
    request("binary/first-wins", "of a field that is given twice the first counts", STAT, |_, r| {
        if let Some(mut all) = binary(r) {
            all.sort_by_key(|(number, _)| *number);
            all.dedup_by_key(|(number, _)| *number);
            *r.bytes_mut() = all.into_iter().flat_map(|(_, bytes)| bytes).collect();
        }
    }),
    request("json/null-refused", "null is no value of a field", START, |_, r| r.body("\":null", "\":[]")),
    fault(
        "chunks/length-required",
        "a stream in chunks is 411 Length Required",
        "process.Process/Start header.transfer-encoding=chunked: status 411",
    ),
    Mutant {
        id: "chunks/envelopes-backwards",
        bug: "envelopes that share a chunk are taken in reverse",
        change: Change::Chunks(STREAM_INPUT, backwards),
    },
    answer(
        "limit/length-413",
        "a Content-Length over the limit is 413 and no Connect error",
        "/",
        |call, a| {
            if call.length() > LIMIT && a.is("429") {
                a.status("413 Payload Too Large");
                a.without("content-type");
                a.bytes_mut().clear();
            }
        },
    ),
    request(
        "deadline/unjoinable",
        "a process whose stream has met its deadline is joined by nobody",
        "/process.Process/",
        unjoinable,
    ),
    answer("encoding/small-too", "an answer of any length is compressed", FS, |call, a| {
        if call.heads("accept-encoding: gzip") && a.header("content-encoding").is_none() {
            *a.bytes_mut() = gzip(a.bytes_mut());
            a.with("content-encoding", "gzip");
        }
    }),
    request("encoding/first-offer-only", "of several encodings only the first is looked at", "/", |_, r| {
        r.head("accept-encoding: br, gzip\r\n", "accept-encoding: br\r\n");
    }),
    request("encoding/zstd-passed-over", "an answer is never zstd", "/", |_, r| {
        r.head("\r\naccept-encoding: zstd\r\n", "\r\naccept-encoding: identity\r\n");
    }),
    request("encoding/taken-as-it-is", "what is called gzip and is none is taken as it is", FS, |_, r| {
        if r.heads("\r\ncontent-encoding: gzip\r\n") && !r.bytes_mut().starts_with(b"\x1f\x8b") {
            r.head("\r\ncontent-encoding:", "\r\nx-encoding:");
        }
    }),
    request("encoding/stream-unasked", "a stream is gzip whatever its client accepts", START, |_, r| {
        r.head("\r\nconnect-accept-encoding: br\r\n", "\r\nconnect-accept-encoding: gzip\r\n");
    }),
    request("http/lower-case-only", "names of headers are taken in lower case alone", "/", |_, r| {
        r.head("\r\nCONTENT-TYPE:", "\r\nx-content-type:");
    }),
    fault(
        "http2/health-cached",
        "over HTTP/2 health may be cached",
        "GET /health header.x-over=http2: header-remove cache-control",
    ),
    fault(
        "http2/error-code",
        "over HTTP/2 a missing file is unknown",
        "filesystem.Filesystem/Stat header.x-over=http2 header.content-type=application/json path=/*no-such: \
         error unknown message=\"file not found\"",
    ),
    fault(
        "http2/download-flipped",
        "over HTTP/2 a bit of a download is wrong behind 32 KiB",
        "GET /files header.x-over=http2 @32768: flip",
    ),
    fault(
        "http2/allow-lost",
        "over HTTP/2 a 405 does not tell the methods",
        "/health header.x-over=http2: header-remove allow",
    ),
    Mutant {
        id: "http2/one-breaks-all",
        bug: "after a broken connection of HTTP/2 no other is served",
        change: Change::Http2(|call, begun| {
            let mut kept = call.kept();
            if begun.get(FIRST_KIND).is_some_and(|kind| *kind != SETTINGS) {
                kept.insert("broken".to_owned(), Vec::new());
            }
            !kept.contains_key("broken")
        }),
    },
    answer("grpc-web/status-lost", "the trailers of a success in gRPC-Web are empty", "/", |_, a| {
        if a.header("content-type").is_some_and(|kind| kind.starts_with("application/grpc-web")) {
            status_lost(a.bytes_mut());
        }
    }),
    fault(
        "grpc/trailers-lost",
        "a unary answer in gRPC has no trailers",
        "filesystem.Filesystem/Stat header.content-type=application/grpc*: trailers-lost",
    ),
];

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).expect("a Vec takes all");
    encoder.finish().expect("a Vec takes all")
}

/// The fields of a unary binary message, each with its number and its bytes.
fn binary(request: &mut Request) -> Option<Vec<(u32, Vec<u8>)>> {
    if !request.heads("content-type: application/proto\r\n") {
        return None;
    }
    let (mut rest, mut fields) = (request.bytes_mut().as_slice(), Vec::new());
    while !rest.is_empty() {
        let whole = rest;
        let (number, kind) = decode_key(&mut rest).ok()?;
        skip_field(kind, number, &mut rest, DecodeContext::default()).ok()?;
        fields.push((number, whole[..whole.len() - rest.len()].to_vec()));
    }
    Some(fields)
}

fn shifted(answer: &mut Answer) {
    if answer.header("content-type") != Some("application/proto") {
        return;
    }
    let Ok(mut message) = GetWatcherEventsResponse::decode(answer.bytes_mut().as_slice()) else { return };
    message.events.iter_mut().for_each(|event| event.r#type += 1);
    *answer.bytes_mut() = message.encode_to_vec();
}

fn backwards(data: &[u8]) -> Vec<u8> {
    let (mut frames, rest) = envelope::read(data);
    if let Some((_, input)) = frames.split_first_mut() {
        input.reverse();
    }
    let written = frames.iter().flat_map(|frame| envelope::write(frame.flag, &frame.data));
    written.chain(data[data.len() - rest..].iter().copied()).collect()
}

fn unjoinable(call: &Call, request: &mut Request) {
    let message = |request: &mut Request| -> Value {
        let frames = envelope::read(request.bytes_mut()).0;
        frames.first().and_then(|frame| serde_json::from_slice(&frame.data).ok()).unwrap_or_default()
    };
    if call.target.ends_with("/Start") && call.heads("connect-timeout-ms:") {
        let tag = message(request)["tag"].to_string();
        call.kept().insert(format!("late {tag}"), Vec::new());
    } else if call.target.ends_with("/Connect") {
        let tag = message(request)["process"]["tag"].to_string();
        if call.kept().contains_key(&format!("late {tag}")) {
            request.json(|m| m["process"]["tag"] = "none".into());
        }
    }
}

fn status_lost(body: &mut Vec<u8>) {
    let (mut frames, _) = envelope::read(body);
    if let Some(last) = frames.last_mut().filter(|last| last.data.starts_with(b"grpc-status: 0")) {
        last.data.clear();
        *body = frames.iter().flat_map(|frame| envelope::write(frame.flag, &frame.data)).collect();
    }
}
