//! The mock's clock: read, and moved where it is moved by hand.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;

use super::ask::{Span, Told, bad};
use super::port::Context;
use crate::journal::millis;
use crate::routes::reply;
use crate::time::{NotManual, Pace, Time};
use crate::units::print_duration;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Move {
    by: Option<Span>,
    to: Option<String>,
    /// How long to wait for somebody who sleeps, in real time.
    wait: Option<Span>,
}

pub(super) async fn read(State(Context { live, .. }): State<Context>) -> Response {
    told(&live.time)
}

pub(super) async fn advance(
    State(Context { live, .. }): State<Context>,
    Told(Move { by, to, wait }): Told<Move>,
) -> Response {
    let time = &live.time;
    if time.pace() != Pace::Manual {
        return reply::error(StatusCode::CONFLICT, NotManual.to_string());
    }
    let by = match (by, to.as_deref()) {
        (Some(Span(by)), None) => by,
        (None, Some("next")) => match next(time, wait).await {
            Some(next) => next.saturating_sub(time.now()),
            None => return reply::error(StatusCode::CONFLICT, "nobody sleeps on the clock"),
        },
        _ => return bad("expected {\"by\":\"15m\"} or {\"to\":\"next\"}"),
    };
    match time.advance(by) {
        Ok(_) => told(time),
        Err(error) => reply::error(StatusCode::CONFLICT, error.to_string()),
    }
}

/// When the next sleeper wakes, once there is one.
async fn next(time: &Time, wait: Option<Span>) -> Option<Duration> {
    let longest = wait.map_or(Duration::ZERO, |Span(longest)| longest);
    match time.next() {
        Some(next) => Some(next),
        None => tokio::time::timeout(longest, time.sleeping()).await.ok(),
    }
}

fn told(time: &Time) -> Response {
    let (now, next) = (time.now(), time.next());
    Json(json!({
        "pace": time.pace().to_string(),
        "now": print_duration(now),
        "now_ms": millis(now),
        "next": next.map(print_duration),
        "next_ms": next.map(millis),
    }))
    .into_response()
}
