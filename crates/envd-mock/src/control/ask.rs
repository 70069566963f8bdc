//! What a request asks, read so that whatever is wrong with it is told as JSON: query parameters, bodies, durations.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, FromRequestParts, Query};
use axum::response::Response;
use http::request::Parts;
use http::{Request, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::fault::ScriptError;
use crate::routes::reply;
use crate::units;

/// The query parameters.
pub(super) struct Asked<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Asked<T> {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let query = Query::from_request_parts(parts, state).await;
        query.map(|Query(asked)| Self(asked)).map_err(|no| reply::error(no.status(), no.body_text()))
    }
}

/// The whole body.
pub(super) struct Content(pub(super) Bytes);

impl<S: Send + Sync> FromRequest<S> for Content {
    type Rejection = Response;

    async fn from_request(request: Request<Body>, state: &S) -> Result<Self, Response> {
        let content = Bytes::from_request(request, state).await;
        content.map(Self).map_err(|no| reply::error(no.status(), no.body_text()))
    }
}

/// The body as JSON, whatever content type it has; an empty one is `{}`.
pub(super) struct Told<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Told<T> {
    type Rejection = Response;

    async fn from_request(request: Request<Body>, state: &S) -> Result<Self, Response> {
        let Content(content) = Content::from_request(request, state).await?;
        let text = if content.is_empty() { b"{}".as_slice() } else { &content };
        serde_json::from_slice(text).map(Self).map_err(|error| bad(format!("the body as JSON: {error}")))
    }
}

/// A duration such as "250ms".
#[derive(Debug, Clone, Copy)]
pub(super) struct Span(pub(super) Duration);

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        units::duration(&text).map(Self).map_err(serde::de::Error::custom)
    }
}

/// 400, and why.
pub(super) fn bad(message: impl AsRef<str>) -> Response {
    reply::error(StatusCode::BAD_REQUEST, message)
}

/// 400, with the place of what is wrong.
pub(super) fn bad_script(error: &ScriptError) -> Response {
    let (line, column) = error.position().unzip();
    let mut body = serde_json::json!({
        "code": 400,
        "message": error.to_string(),
        "expected": error.expected(),
        "got": error.got(),
        "example": error.example(),
        "pointer": error.pointer(),
        "line": line,
        "column": column,
    });
    if let Some(fields) = body.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
    axum::response::IntoResponse::into_response((StatusCode::BAD_REQUEST, axum::Json(body)))
}
