//! Levers on envd's port as a whole: its connections reset, new ones refused, the daemon crashed.

use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Deserialize;

use super::ask::{Span, Told};
use super::port::Context;
use crate::fault::Processes;
use crate::routes::reply;

/// For the listener to get to it.
const LONGEST: Duration = Duration::from_secs(5);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Refused {
    #[serde(rename = "for")]
    span: Option<Span>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Crash {
    down: Option<Span>,
    processes: Option<Fate>,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum Fate {
    Keep,
    Lose,
}

pub(super) async fn reset(State(Context { live, .. }): State<Context>) -> StatusCode {
    live.gate.lose_all();
    live.journal.event("connections reset");
    StatusCode::NO_CONTENT
}

/// Answers once connections are really refused.
pub(super) async fn refuse(
    State(Context { live, .. }): State<Context>,
    Told(Refused { span }): Told<Refused>,
) -> Response {
    live.refusals.ask(span.map(|Span(span)| span));
    match tokio::time::timeout(LONGEST, live.gate.shut()).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(_) => reply::error(StatusCode::SERVICE_UNAVAILABLE, "the listener has not closed yet"),
    }
}

pub(super) async fn listen_again(State(Context { live, .. }): State<Context>) -> Response {
    if live.refusals.take_back() {
        return StatusCode::NO_CONTENT.into_response();
    }
    reply::error(StatusCode::NOT_FOUND, "connections are not refused because of a request")
}

pub(super) async fn crash(
    State(Context { live, guest, .. }): State<Context>,
    Told(Crash { down, processes }): Told<Crash>,
) -> StatusCode {
    let processes = processes.map(|fate| match fate {
        Fate::Keep => Processes::Keep,
        Fate::Lose => Processes::Lose,
    });
    live.crash(guest.as_ref(), down.map(|Span(down)| down), processes);
    StatusCode::NO_CONTENT
}
