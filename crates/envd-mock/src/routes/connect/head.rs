//! What the head of a call is refused for before the runtime sees it: a body that announces itself as too long, and
//! a stream's protocol version or compression, which the runtime lets pass or words otherwise than for a unary call.

use axum::response::{IntoResponse, Response};
use bytes::{BufMut, BytesMut};
use connectrpc::{Protocol, RequestProtocol};
use envd_proto::rpc::Kind;
use http::{HeaderMap, StatusCode, header};

const VERSION: &str = "connect-protocol-version";
const ENCODING: &str = "connect-content-encoding";
const ENCODINGS: [&str; 3] = ["identity", "gzip", "zstd"];
const END_STREAM: u8 = 2;

/// The answer to a Connect call of a known RPC whose head alone rules it out; `limit` is of its body, in bytes.
pub(super) fn refuse(headers: &HeaderMap, kind: Kind, limit: usize) -> Option<Response> {
    let detected = Protocol::detect(headers).filter(|detected| detected.protocol == Protocol::Connect)?;
    match (kind, detected.is_streaming) {
        (Kind::Unary, false) => is_too_long(headers, limit).then(|| {
            let message = format!("request body size exceeds limit {limit}");
            error(StatusCode::TOO_MANY_REQUESTS, "resource_exhausted", &message)
        }),
        (Kind::ServerStream | Kind::ClientStream | Kind::Bidi, true) => refuse_stream(headers, &detected),
        _ => None,
    }
}

/// A unary error in the shape of Connect.
pub(super) fn error(status: StatusCode, code: &str, message: &str) -> Response {
    (status, axum::Json(error_object(code, message))).into_response()
}

fn is_too_long(headers: &HeaderMap, limit: usize) -> bool {
    let length = text(headers, header::CONTENT_LENGTH.as_str()).and_then(|length| length.parse::<u64>().ok());
    length.is_some_and(|length| length > limit as u64)
}

fn refuse_stream(headers: &HeaderMap, detected: &RequestProtocol) -> Option<Response> {
    if headers.get(VERSION).is_some_and(|version| version != "1") {
        return Some(end_stream(detected, "invalid_argument", "unsupported protocol version"));
    }
    let encoding = text(headers, ENCODING).filter(|encoding| !ENCODINGS.contains(encoding))?;
    let message = format!("unsupported compression encoding: {encoding}");
    Some(end_stream(detected, "unimplemented", &message))
}

/// 200 and one END_STREAM envelope.
fn end_stream(detected: &RequestProtocol, code: &str, message: &str) -> Response {
    let json = serde_json::json!({ "error": error_object(code, message) }).to_string();
    let mut body = BytesMut::with_capacity(5 + json.len());
    body.put_u8(END_STREAM);
    body.put_u32(u32::try_from(json.len()).unwrap_or(u32::MAX));
    body.put_slice(json.as_bytes());
    let kind = detected.protocol.response_content_type(detected.codec_format, true);
    ([(header::CONTENT_TYPE, kind)], body.freeze()).into_response()
}

fn error_object(code: &str, message: &str) -> serde_json::Value {
    serde_json::json!({ "code": code, "message": message })
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}
