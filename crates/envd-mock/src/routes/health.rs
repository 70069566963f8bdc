//! `GET /health` (contract, section 3.1).

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};

use super::reply::NO_STORE;

/// What the guest reports as envd's version.
#[derive(Clone)]
pub(crate) struct Version(pub(crate) String);

pub(crate) async fn get(State(Version(version)): State<Version>) -> Response {
    (NO_STORE, Json(serde_json::json!({ "version": version }))).into_response()
}
