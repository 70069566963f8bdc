//! Who may call what once a token is set (contract, sections 2 and 10). `/files` checks for itself.

use axum::response::Response;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};

use super::reply;
use crate::guest::life::Life;

const TEXT: &str = "unauthorized access, please provide a valid access token or method signing if supported";

/// A 401 unless the call is open to everyone or shows the token.
pub(crate) fn refuse(life: &Life, method: &Method, path: &str, headers: &HeaderMap) -> Option<Response> {
    if is_open(method, path) {
        return None;
    }
    let shown = headers.get("x-access-token").map(http::HeaderValue::as_bytes);
    (!life.admits(shown)).then(|| refusal(headers))
}

/// To gRPC a status of HTTP says nothing of its own: it gets its status and message in the headers of an answer without a
/// body ("Trailers-Only", gRPC over HTTP/2, "Responses"; gRPC-Web has the same).
fn refusal(headers: &HeaderMap) -> Response {
    const UNAUTHENTICATED: u16 = 16;
    let kind = headers.get(header::CONTENT_TYPE);
    match kind.filter(|kind| kind.as_bytes().starts_with(b"application/grpc")) {
        Some(kind) => {
            let mut response = Response::default();
            let headers = response.headers_mut();
            headers.insert(header::CONTENT_TYPE, kind.clone());
            headers.insert("grpc-status", UNAUTHENTICATED.into());
            headers.insert("grpc-message", HeaderValue::from_static(TEXT));
            response
        }
        None => reply::error(StatusCode::UNAUTHORIZED, TEXT),
    }
}

fn is_open(method: &Method, path: &str) -> bool {
    match path {
        _ if method == Method::OPTIONS => true,
        "/health" => [Method::GET, Method::HEAD].contains(method),
        "/activity" => method == Method::GET,
        "/init" | "/snapshot/prepare" => method == Method::POST,
        "/files" => true,
        _ => false,
    }
}
