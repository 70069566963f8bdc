//! `GET /health` (contract, section 3.1).

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};

/// What the guest reports as envd's version: the whole answer, which never changes.
#[derive(Clone)]
pub(crate) struct Version(Bytes);

impl Version {
    pub(crate) fn new(version: &str) -> Self {
        Self(serde_json::json!({ "version": version }).to_string().into())
    }
}

pub(crate) async fn get(State(Version(answer)): State<Version>) -> Response {
    let mut response = Response::new(Body::from(answer));
    // Room for what every answer gets on its way out.
    *response.headers_mut() = HeaderMap::with_capacity(12);
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
