//! Keeps a download moving: each piece in its time, and all of them before the caller's deadline.

use std::time::Duration;

use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};
use tokio::time::{Instant, timeout};

use super::Call;
use crate::error::{ErrorKind, Result, Wait};

type Pieces = BoxStream<'static, Result<Bytes>>;

/// The time limits of one download, counted from the moment it is made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    call: Call,
    idle: Duration,
    deadline: Option<(Instant, Duration)>,
}

impl Pace {
    /// Each piece within `idle` of being asked for, all within the call's limit.
    pub(super) fn new(call: Call, idle: Duration) -> Self {
        Self { call, idle, deadline: call.timeout.map(|limit| (Instant::now() + limit, limit)) }
    }

    /// The same pieces, or an error for the one that is late.
    pub(super) fn of(self, pieces: Pieces) -> Pieces {
        stream::unfold(pieces, move |pieces| self.next(pieces)).boxed()
    }

    async fn next(self, mut pieces: Pieces) -> Option<(Result<Bytes>, Pieces)> {
        let (left, late) = self.limit();
        match timeout(left, pieces.next()).await {
            Ok(None) => None,
            Ok(Some(Ok(piece))) => Some((Ok(piece), pieces)),
            Ok(Some(Err(error))) => Some((Err(error), stream::empty().boxed())),
            Err(_) => Some((Err(self.call.error(late)), stream::empty().boxed())),
        }
    }

    /// How long the next piece may take, and what it means if it takes longer.
    fn limit(self) -> (Duration, ErrorKind) {
        let left = |(at, limit): (Instant, _)| (at.saturating_duration_since(Instant::now()), limit);
        match self.deadline.map(left) {
            Some((left, limit)) if left < self.idle => {
                (left, ErrorKind::Timeout { what: Wait::Answer, limit })
            }
            _ => (self.idle, ErrorKind::Timeout { what: Wait::Piece, limit: self.idle }),
        }
    }
}
