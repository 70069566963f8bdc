//! The shapes that REST answers share: the JSON error of the handlers, the header against caching, and no answer at all.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};

/// Keeps the answer out of caches.
pub(crate) const NO_STORE: [(header::HeaderName, &str); 1] = [(header::CACHE_CONTROL, "no-store")];

/// An extension of an answer: the daemon broke down over the call, and nobody is answered.
#[derive(Debug, Clone, Copy)]
struct Breakdown;

/// The answer of a daemon that breaks down: none.
pub(crate) fn breakdown() -> Response {
    let mut response = StatusCode::INTERNAL_SERVER_ERROR.into_response();
    response.extensions_mut().insert(Breakdown);
    response
}

/// Whether the daemon broke down instead of answering.
pub(crate) fn is_breakdown(response: &Response) -> bool {
    response.extensions().get::<Breakdown>().is_some()
}

/// `{"code":<status>,"message":"..."}`.
pub(crate) fn error(status: StatusCode, message: impl AsRef<str>) -> Response {
    let body = serde_json::json!({ "code": status.as_u16(), "message": message.as_ref() });
    (status, Json(body)).into_response()
}
