//! `GET /activity` (contract, section 3.6).

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};

use super::reply::NO_STORE;
use crate::guest::Guest;

pub(crate) async fn get(State(guest): State<Arc<Guest>>) -> Response {
    (NO_STORE, Json(guest.stats.activity(guest.config.time.now()))).into_response()
}
