//! `POST /volumes/mount` and `/volumes/unmount` (contract, section 3.9): reads the bodies; mounting is the guest's.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Deserialize;

use super::reply::{self, NO_STORE};
use crate::guest::Guest;
use crate::guest::volumes::MountError;

#[derive(Deserialize)]
pub(crate) struct Mount {
    serial: String,
    mount_path: String,
}

#[derive(Deserialize)]
pub(crate) struct Unmount {
    mount_path: String,
}

pub(crate) async fn mount(State(guest): State<Arc<Guest>>, Json(asked): Json<Mount>) -> Response {
    let Mount { serial, mount_path } = asked;
    if serial.is_empty() || !serial.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return reply::error(StatusCode::BAD_REQUEST, "invalid volume serial");
    }
    if mount_path.is_empty() {
        return pathless();
    }
    if let Err(error) = guest.volumes.find(&serial, &guest.config.time).await {
        return refused(&error);
    }
    let done =
        tokio::task::spawn_blocking(move || guest.volumes.mount(&guest.stand().tree, &serial, &mount_path));
    match done.await {
        Ok(Ok(())) => mounted(),
        Ok(Err(error)) => refused(&error),
        Err(panic) => reply::error(StatusCode::INTERNAL_SERVER_ERROR, format!("mount failed: {panic}")),
    }
}

/// Whatever becomes of it, it is told as done.
pub(crate) async fn unmount(State(guest): State<Arc<Guest>>, Json(asked): Json<Unmount>) -> Response {
    if asked.mount_path.is_empty() {
        return pathless();
    }
    let done = tokio::task::spawn_blocking(move || {
        guest.volumes.unmount(&guest.stand().tree, &asked.mount_path);
    });
    if let Err(panic) = done.await {
        tracing::error!(%panic, "a volume was not taken off its directory");
    }
    mounted()
}

fn mounted() -> Response {
    (StatusCode::NO_CONTENT, NO_STORE).into_response()
}

fn pathless() -> Response {
    reply::error(StatusCode::BAD_REQUEST, "mount_path is required")
}

fn refused(error: &MountError) -> Response {
    let status = match error {
        MountError::NoDevice(_) => StatusCode::NOT_FOUND,
        MountError::Directory(_) | MountError::Failed(_) => StatusCode::INTERNAL_SERVER_ERROR,
    };
    reply::error(status, error.to_string())
}
