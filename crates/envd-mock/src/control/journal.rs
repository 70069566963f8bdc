//! The journal: asked, followed, exported, forgotten.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use futures::Stream;
use http::{StatusCode, header};
use serde::{Deserialize, Serialize};

use super::ask::{Asked, Span, bad};
use super::port::Context;
use crate::fault::Operation;
use crate::journal::{CallEntry, Entry, Follower, Journal, line};
use crate::verify;

const LINES: [(header::HeaderName, &str); 1] = [(header::CONTENT_TYPE, "application/jsonl")];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    operation: Option<String>,
    rule: Option<String>,
    connection: Option<u64>,
    call: Option<u64>,
    end: Option<String>,
    since: Option<u64>,
    limit: Option<usize>,
    settle: Option<Span>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Since {
    #[serde(default)]
    since: u64,
}

#[derive(Serialize)]
struct Found {
    entries: Vec<Numbered>,
    /// To go on from.
    next: u64,
    dropped: u64,
}

#[derive(Serialize)]
struct Numbered {
    number: u64,
    #[serde(flatten)]
    entry: Entry,
}

impl Since {
    fn follower(&self) -> Follower {
        Follower::new(self.since)
    }
}

pub(super) async fn query(
    State(Context { live, .. }): State<Context>,
    Asked(wanted): Asked<Wanted>,
) -> Response {
    let operation = match wanted.operation.as_deref().map(str::parse::<Operation>).transpose() {
        Ok(operation) => operation,
        Err(error) => return bad(format!("operation: {error}")),
    };
    if let Some(Span(longest)) = wanted.settle {
        live.journal.settled(longest).await;
    }
    let (since, most) = (wanted.since.unwrap_or(0), wanted.limit.unwrap_or(usize::MAX));
    let page = live.journal.page(since, most, |entry| wanted.takes(operation.as_ref(), entry));
    let number = |(number, entry)| Numbered { number, entry };
    let entries = page.entries.into_iter().map(number).collect();
    Json(Found { entries, next: page.next, dropped: page.dropped }).into_response()
}

impl Wanted {
    fn takes(&self, operation: Option<&Operation>, entry: &Entry) -> bool {
        let call: Option<&CallEntry> = match entry {
            Entry::Call(call) => Some(call),
            _ => None,
        };
        let (connection, end) = match entry {
            Entry::Call(call) => (Some(call.connection), call.end.as_ref()),
            Entry::Connection(one) => (Some(one.connection), one.end.as_ref()),
            Entry::Event(_) => (None, None),
        };
        let chosen = |rule: &String| entry.decisions().iter().any(|decision| decision.rule == *rule);
        operation.is_none_or(|operation| call.is_some_and(|call| verify::is_of(operation, call)))
            && self.call.is_none_or(|ordinal| call.is_some_and(|call| call.call == ordinal))
            && self.connection.is_none_or(|ordinal| connection == Some(ordinal))
            && self.end.as_ref().is_none_or(|wanted| end == Some(wanted))
            && self.rule.as_ref().is_none_or(chosen)
    }
}

pub(super) async fn stream(
    State(Context { live, .. }): State<Context>,
    Asked(from): Asked<Since>,
) -> Response {
    (LINES, Body::from_stream(completed(Arc::clone(&live.journal), from.follower()))).into_response()
}

/// Each entry as a line once it is complete, until the mock ends.
fn completed(
    journal: Arc<Journal>,
    follower: Follower,
) -> impl Stream<Item = Result<String, std::convert::Infallible>> + Send + 'static {
    let changes = journal.changes();
    futures::stream::unfold((journal, follower, changes), |(journal, mut follower, mut changes)| async {
        loop {
            changes.mark_unchanged();
            let lines: String = journal
                .completed(&mut follower)
                .into_iter()
                .map(|(number, entry)| line(&Numbered { number, entry }))
                .collect();
            if !lines.is_empty() {
                return Some((Ok(lines), (journal, follower, changes)));
            }
            if follower.over || changes.changed().await.is_err() {
                return None;
            }
        }
    })
}

pub(super) async fn export(State(Context { live, .. }): State<Context>) -> Response {
    (LINES, live.export()).into_response()
}

pub(super) async fn forget(State(Context { live, .. }): State<Context>) -> StatusCode {
    live.journal.clear();
    StatusCode::NO_CONTENT
}
