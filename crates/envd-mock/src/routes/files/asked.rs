//! What the query of `/files` asks for, and for whom.

use std::sync::Arc;

use axum::extract::Query;
use axum::response::{IntoResponse as _, Response};
use http::Uri;
use serde::Deserialize;

use super::answer::Refusal;
use super::auth::{self, Operation};
use crate::guest::Guest;
use crate::guest::users::{self, User};

/// The query; a key given twice, or a bad value, is refused.
#[derive(Default, Deserialize)]
pub(super) struct Asked {
    pub(super) path: Option<String>,
    pub(super) username: Option<String>,
    pub(super) signature: Option<String>,
    pub(super) signature_expiration: Option<i64>,
}

impl Asked {
    /// # Errors
    /// With the framework's own text, 400.
    #[expect(clippy::result_large_err, reason = "a response, made once for a request that ends with it")]
    pub(super) fn read(uri: &Uri) -> Result<Self, Response> {
        match Query::<Self>::try_from_uri(uri) {
            Ok(Query(asked)) => Ok(asked),
            Err(rejection) => Err(rejection.into_response()),
        }
    }
}

/// A request whose token or signature is right; its user is not looked up yet. Cheap to clone.
#[derive(Clone)]
pub(super) struct Admitted {
    guest: Arc<Guest>,
    username: Arc<str>,
    workdir: Option<String>,
}

impl Admitted {
    /// Checks signature or token.
    pub(super) fn check(
        guest: Arc<Guest>,
        asked: &Asked,
        token_header: Option<&[u8]>,
        operation: Operation,
    ) -> Result<Self, Refusal> {
        let defaults = guest.life.defaults();
        let username = asked.username.clone().unwrap_or(defaults.user);
        if let Some(token) = &defaults.token {
            auth::check(
                &auth::Claim { asked, username: &username, operation, token_header },
                token,
                guest.clock.now(),
            )
            .map_err(Refusal::unauthorized)?;
        }
        Ok(Self { guest, username: username.into(), workdir: defaults.workdir })
    }

    /// Looks the user up. Blocking.
    pub(super) fn find(self) -> Result<Allowed, Refusal> {
        let Self { guest, username, workdir } = self;
        let user = users::lookup(&guest.stand().tree, &username)
            .map_err(|error| Refusal::internal(format!("error looking up user '{username}': {error}")))?
            .ok_or_else(|| Refusal::unauthorized(format!("user '{username}' not found")))?;
        Ok(Allowed { guest, user, workdir })
    }
}

/// A request that may go on: its user, and what paths start from.
pub(super) struct Allowed {
    pub(super) guest: Arc<Guest>,
    pub(super) user: User,
    workdir: Option<String>,
}

impl Allowed {
    /// Checks signature or token, then the user. Blocking.
    pub(super) fn check(
        guest: Arc<Guest>,
        asked: &Asked,
        token_header: Option<&[u8]>,
        operation: Operation,
    ) -> Result<Self, Refusal> {
        Admitted::check(guest, asked, token_header, operation)?.find()
    }

    pub(super) fn resolve(&self, path: &str) -> Result<String, Refusal> {
        let resolved = self.guest.resolve(path, &self.user, self.workdir.as_deref());
        resolved.map_err(|error| Refusal::bad_request(error.to_string()))
    }
}

/// Runs what blocks; a panic is an answer too.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|panic| Refusal::internal(format!("the operation did not finish: {panic}")))?
}
