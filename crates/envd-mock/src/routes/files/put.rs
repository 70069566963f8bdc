//! `PUT /files`: the body becomes a file, whole or not at all, whatever the headers call it.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use futures::StreamExt as _;
use http::request::Parts;

use super::answer::Refusal;
use super::asked::{Allowed, Asked, blocking};
use super::auth::Operation;
use super::receive::{Allowance, Receiving};
use super::settle::Caller;
use super::upload::{Placed, within};
use crate::guest::Guest;
use crate::guest::tree::{Landing, Owner};
use crate::routes::afflicted::Afflicted;

const TOKEN: &str = "x-access-token";

pub(crate) async fn put(State(guest): State<Arc<Guest>>, request: Request) -> Response {
    let asked = match Asked::read(request.uri()) {
        Ok(asked) => asked,
        Err(response) => return response,
    };
    let (parts, body) = request.into_parts();
    match receive(guest, asked, &parts, body).await {
        Ok(placed) => Json(placed).into_response(),
        Err(refusal) => refusal.into_response(),
    }
}

async fn receive(guest: Arc<Guest>, asked: Asked, parts: &Parts, body: Body) -> Result<Placed, Refusal> {
    if asked.path.as_deref().unwrap_or_default().is_empty() {
        return Err(Refusal::bad_request("missing required 'path' parameter"));
    }
    let token = parts.headers.get(TOKEN).map(|token| token.as_bytes().to_vec());
    let (allowance, time) = (Allowance::new(guest.config.max_upload), guest.config.time.clone());
    let disk = Afflicted::mishap(&parts.extensions).and_then(|mishap| mishap.disk());
    let mut throttle = disk.as_ref().and_then(|disk| disk.throttle(&time));
    let caller = Caller::new(&parts.extensions, &time);
    let (mut receiving, path) = blocking(move || {
        let allowed = Allowed::check(guest, &asked, token.as_deref(), Operation::Write)?;
        let path = allowed.resolve(asked.path.as_deref().unwrap_or_default())?;
        let (tree, owner) = (&allowed.guest.stand().tree, Owner::from(&allowed.user));
        let landing =
            if allowed.guest.config.habits.keeps_replaced { Landing::Through } else { Landing::Over };
        let receiving = Receiving::begin(tree, &path, owner, (false, landing), allowance, disk)
            .map_err(|refusal| unfinished(&path, refusal))?;
        Ok((receiving, path))
    })
    .await?;
    let mut pieces = body.into_data_stream();
    while let Some(piece) = within(pieces.next()).await? {
        let piece = piece.map_err(|error| unread(&error))?;
        if let Some(throttle) = &mut throttle {
            throttle.pass(piece.len()).await;
        }
        receiving = caller.write(receiving, piece).await?;
    }
    caller.finish(receiving).await?;
    Ok(Placed::at(path))
}

fn unread(error: &axum::Error) -> Refusal {
    Refusal::bad_request(format!("error reading request body: {error}"))
}

/// A new name with a slash behind it is found out only at the end, by the kernel.
fn unfinished(path: &str, refusal: Refusal) -> Refusal {
    if path.ends_with('/') && refusal.message.starts_with("error opening file") {
        return Refusal::internal("error finalizing file: Not a directory (os error 20)");
    }
    refusal
}
