//! The journal: asked, followed, exported, forgotten.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use futures::{Stream, StreamExt as _};
use http::{StatusCode, header};
use serde::{Deserialize, Serialize};

use super::ask::{Asked, Span, bad};
use super::port::Context;
use crate::fault::Operation;
use crate::journal::{CallEntry, Cursor, Entry, Follower, Journal, json, line};
use crate::verify;

/// A piece of an answer is handed over once it has so many bytes.
const PIECE: usize = 64 * 1024;
const JSON: [(header::HeaderName, &str); 1] = [(header::CONTENT_TYPE, "application/json")];
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
    let found = Found::new(Arc::clone(&live.journal), wanted, operation);
    (JSON, found.body().await).into_response()
}

/// The answer to a query as it is written: `entries`, then `next`, the number to go on from, and `dropped`.
struct Found {
    journal: Arc<Journal>,
    cursor: Cursor,
    wanted: Wanted,
    operation: Option<Operation>,
    /// How many more entries are wanted.
    left: usize,
    /// An entry has been written.
    begun: bool,
    /// Written and not handed over.
    text: String,
    over: bool,
}

impl Found {
    fn new(journal: Arc<Journal>, wanted: Wanted, operation: Option<Operation>) -> Self {
        let cursor = journal.cursor(wanted.since.unwrap_or(0));
        let left = wanted.limit.unwrap_or(usize::MAX);
        Self {
            journal,
            cursor,
            wanted,
            operation,
            left,
            begun: false,
            text: "{\"entries\":[".to_owned(),
            over: false,
        }
    }

    /// Short answers are one piece and have a length; longer ones are written as they are read.
    async fn body(mut self) -> Body {
        let first = self.piece().await;
        if self.over {
            return Body::from(first);
        }
        let rest = futures::stream::unfold(self, |mut found| async {
            if found.over {
                return None;
            }
            Some((Ok::<_, Infallible>(found.piece().await), found))
        });
        Body::from_stream(futures::stream::iter([Ok(first)]).chain(rest))
    }

    async fn piece(&mut self) -> String {
        while !self.over && self.text.len() < PIECE {
            self.read();
            // A filter may pass over a lot of entries before it takes one.
            tokio::task::yield_now().await;
        }
        std::mem::take(&mut self.text)
    }

    fn read(&mut self) {
        let part = if self.left == 0 { Vec::new() } else { self.journal.read(&mut self.cursor) };
        if part.is_empty() {
            let (next, dropped) = (self.cursor.next(), self.journal.dropped());
            self.text.push_str(&format!("],\"next\":{next},\"dropped\":{dropped}}}"));
            self.over = true;
        }
        for (number, entry) in part {
            if self.left == 0 {
                return self.cursor.back_to(number);
            }
            if self.wanted.takes(self.operation.as_ref(), &entry) {
                self.left -= 1;
                self.text.push_str(if self.begun { "," } else { "" });
                self.begun = true;
                self.text.push_str(&json(&Numbered { number, entry }));
            }
        }
    }
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
) -> impl Stream<Item = Result<String, Infallible>> + Send + 'static {
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
    (LINES, Body::from_stream(futures::stream::iter(live.export()))).into_response()
}

pub(super) async fn forget(State(Context { live, .. }): State<Context>) -> StatusCode {
    live.journal.clear();
    StatusCode::NO_CONTENT
}
