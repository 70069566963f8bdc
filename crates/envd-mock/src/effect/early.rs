//! Answers that take the place of the guest's: a status, or a Connect error in the shape of the call's protocol.

use axum::Json;
use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use crate::body::{Framing, error_payload, grpc_trailers};
use crate::fault::{Code, HttpStatus, Json as JsonParam, Pairs, Payload};

/// An HTTP status with a body and headers.
pub(crate) fn status(status: HttpStatus, body: Option<&Payload>, more: &Pairs) -> Response {
    let body = body.map_or_else(Body::empty, |payload| Body::from(payload.0.clone()));
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status.0).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in &more.0 {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            response.headers_mut().append(name, value);
        }
    }
    response
}

/// A Connect error for a call with these headers (Connect specification, "Unary-Response", "Streaming-Response").
pub(crate) fn error(
    headers: &HeaderMap,
    code: Code,
    message: Option<&str>,
    details: Option<&JsonParam>,
) -> Response {
    let error = error_payload(code, message, details.map(|details| &details.0));
    let framing = Framing::of(headers);
    match framing {
        Framing::Plain => (http_status(code), Json(error)).into_response(),
        _ if framing.is_end(2) => {
            let end = serde_json::json!({ "error": error }).to_string();
            let length = u32::try_from(end.len()).unwrap_or(u32::MAX);
            framed(headers, [&[2], length.to_be_bytes().as_slice(), end.as_bytes()].concat())
        }
        // gRPC and gRPC-Web both know an answer of headers alone.
        _ => {
            let mut response = framed(headers, Vec::new());
            response.headers_mut().extend(grpc_trailers(code, message));
            response
        }
    }
}

/// 200, with the content type that the request has.
fn framed(headers: &HeaderMap, body: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(body));
    if let Some(kind) = headers.get(header::CONTENT_TYPE) {
        response.headers_mut().insert(header::CONTENT_TYPE, kind.clone());
    }
    response
}

/// The status of a unary error (Connect specification, "Error codes").
fn http_status(code: Code) -> StatusCode {
    let number = match code {
        Code::InvalidArgument | Code::FailedPrecondition | Code::OutOfRange => 400,
        Code::Unauthenticated => 401,
        Code::PermissionDenied => 403,
        Code::NotFound => 404,
        Code::AlreadyExists | Code::Aborted => 409,
        Code::ResourceExhausted => 429,
        Code::Canceled => 499,
        Code::Unimplemented => 501,
        Code::Unavailable => 503,
        Code::DeadlineExceeded => 504,
        _ => 500,
    };
    StatusCode::from_u16(number).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}
