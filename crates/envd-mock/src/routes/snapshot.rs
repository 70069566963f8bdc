//! `POST /snapshot/prepare` (contract, sections 3.5 and 10): answered at once, nothing of the host is touched.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;

use super::reply::NO_STORE;
use crate::guest::Guest;

pub(crate) async fn prepare(State(guest): State<Arc<Guest>>) -> Response {
    guest.life.prepare();
    (StatusCode::NO_CONTENT, NO_STORE).into_response()
}
