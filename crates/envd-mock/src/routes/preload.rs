//! `/memory/preload` and its cancel (contract, sections 3.7 and 10).

use std::sync::Arc;
use std::time::Instant;

use axum::Json;
use axum::extract::State;
use http::StatusCode;

use crate::guest::Guest;
use crate::guest::preload::Status;

pub(crate) async fn get(State(guest): State<Arc<Guest>>) -> Json<Status> {
    Json(guest.preload.status(Instant::now()))
}

pub(crate) async fn start(State(guest): State<Arc<Guest>>) -> Json<Status> {
    Json(guest.preload.start(Instant::now()))
}

pub(crate) async fn cancel(State(guest): State<Arc<Guest>>) -> StatusCode {
    guest.preload.cancel(Instant::now());
    StatusCode::NO_CONTENT
}
