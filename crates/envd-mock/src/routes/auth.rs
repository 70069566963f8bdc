//! Who may call what once a token is set (contract, sections 2 and 10). `/files` checks for itself.

use axum::response::Response;
use http::{HeaderMap, Method, StatusCode};

use super::reply;
use crate::guest::life::Life;

const TEXT: &str = "unauthorized access, please provide a valid access token or method signing if supported";

/// A 401 unless the call is open to everyone or shows the token.
pub(crate) fn refuse(life: &Life, method: &Method, path: &str, headers: &HeaderMap) -> Option<Response> {
    if is_open(method, path) {
        return None;
    }
    let shown = headers.get("x-access-token").map(http::HeaderValue::as_bytes);
    (!life.admits(shown)).then(|| reply::error(StatusCode::UNAUTHORIZED, TEXT))
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
