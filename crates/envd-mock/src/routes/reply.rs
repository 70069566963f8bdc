//! The shapes that REST answers share: the JSON error of the handlers and the header against caching.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};

/// Keeps the answer out of caches.
pub(crate) const NO_STORE: [(header::HeaderName, &str); 1] = [(header::CACHE_CONTROL, "no-store")];

/// `{"code":<status>,"message":"..."}`.
pub(crate) fn error(status: StatusCode, message: impl AsRef<str>) -> Response {
    let body = serde_json::json!({ "code": status.as_u16(), "message": message.as_ref() });
    (status, Json(body)).into_response()
}
