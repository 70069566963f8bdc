//! `PUT /files`: the body becomes a file, whole or not at all, whatever the headers call it.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use http::header;
use http::request::Parts;
use http_body::Body as _;
use http_body_util::BodyExt as _;

use super::answer::Refusal;
use super::asked::{Admitted, Asked, blocking};
use super::auth::Operation;
use super::receive::{Allowance, Receiving};
use super::settle::Caller;
use super::upload::{Placed, soon, within};
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
    let admitted = Admitted::check(guest, &asked, token.as_deref(), Operation::Write)?;
    let mut body = body;
    // A client that waits for a refusal before it sends anything gets it before anything is read.
    let at_once = throttle.is_none() && !parts.headers.contains_key(header::EXPECT);
    let first = if at_once { soon(next_piece(&mut body)).await } else { None };
    let whole = match &first {
        None => false,
        Some(Ok(Some(_))) => body.is_end_stream(),
        Some(Ok(None) | Err(_)) => true,
    };
    // A small body takes one trip to a thread that may block.
    let (begun, path) = blocking(move || {
        let allowed = admitted.find()?;
        let path = allowed.resolve(asked.path.as_deref().unwrap_or_default())?;
        let (tree, owner) = (&allowed.guest.stand().tree, Owner::from(&allowed.user));
        let landing =
            if allowed.guest.config.habits.keeps_replaced { Landing::Through } else { Landing::Over };
        let mut receiving = Receiving::begin(tree, &path, owner, (false, landing), allowance, disk)
            .map_err(|refusal| unfinished(&path, refusal))?;
        let first = first.transpose()?.flatten().unwrap_or_default();
        if receiving.upload().is_through() {
            return Ok((Some((receiving, first)), path));
        }
        receiving.write(&first)?;
        if whole {
            receiving.finish()?;
            return Ok((None, path));
        }
        Ok((Some((receiving, Bytes::new())), path))
    })
    .await?;
    let Some((receiving, first)) = begun else { return Ok(Placed::at(path)) };
    let mut receiving = caller.write(receiving, first).await?;
    while let Some(piece) = next_piece(&mut body).await? {
        if let Some(throttle) = &mut throttle {
            throttle.pass(piece.len()).await;
        }
        receiving = caller.write(receiving, piece).await?;
    }
    caller.finish(receiving).await?;
    Ok(Placed::at(path))
}

async fn next_piece(body: &mut Body) -> Result<Option<Bytes>, Refusal> {
    loop {
        let Some(frame) = within(body.frame()).await? else { return Ok(None) };
        // Trailers say nothing about the content.
        if let Ok(data) = frame.map_err(|error| unread(&error))?.into_data() {
            return Ok(Some(data));
        }
    }
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
