//! How `/files` says no: a status and the JSON error of the handlers.

use axum::response::{IntoResponse, Response};
use http::StatusCode;

use crate::guest::tree::UploadError;
use crate::routes::reply;

/// Why a request got nothing of what it asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) message: String,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }

    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    pub(super) fn unauthorized(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, message)
    }

    pub(super) fn internal(message: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, message)
    }
}

impl From<UploadError> for Refusal {
    fn from(error: UploadError) -> Self {
        match error {
            error if error.is_full() => {
                Self::new(StatusCode::INSUFFICIENT_STORAGE, "not enough disk space available")
            }
            UploadError::IsDirectory(_) => Self::bad_request(error.to_string()),
            error => Self::internal(error.to_string()),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        reply::error(self.status, self.message)
    }
}
