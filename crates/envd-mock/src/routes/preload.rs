//! `/memory/preload` and its cancel (contract, sections 3.7 and 10).

use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use http::StatusCode;

use super::afflicted::Afflicted;
use crate::guest::Guest;
use crate::guest::preload::Status;

pub(crate) async fn get(State(guest): State<Arc<Guest>>) -> Json<Status> {
    Json(guest.preload.status(guest.config.time.now()))
}

pub(crate) async fn start(
    State(guest): State<Arc<Guest>>,
    afflicted: Option<Extension<Afflicted>>,
) -> Json<Status> {
    let mishap = afflicted.map(|Extension(Afflicted(mishap))| mishap);
    Json(guest.preload.start(guest.config.time.now(), mishap.as_ref()))
}

pub(crate) async fn cancel(State(guest): State<Arc<Guest>>) -> StatusCode {
    guest.preload.cancel(guest.config.time.now());
    StatusCode::NO_CONTENT
}
