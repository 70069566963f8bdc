//! What goes out: nothing, bytes, or a stream whose progress is watched, so that the wait for an answer counts
//! only while the guest is the one to move.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{BoxStream, Stream};
use tokio::time::Instant;

/// A body in pieces.
pub(crate) type OutStream = BoxStream<'static, io::Result<Bytes>>;

/// The body of a request.
pub(crate) enum OutBody {
    Empty,
    Whole(Bytes),
    /// Pieces, and their total length when it is known.
    Stream(OutStream, Option<u64>),
}

impl OutBody {
    /// The same once more, where it can be sent twice.
    pub(crate) fn again(&self) -> Option<Self> {
        match self {
            Self::Empty => Some(Self::Empty),
            Self::Whole(bytes) => Some(Self::Whole(bytes.clone())),
            Self::Stream(..) => None,
        }
    }
}

impl fmt::Debug for OutBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("Empty"),
            Self::Whole(bytes) => write!(f, "Whole({} bytes)", bytes.len()),
            Self::Stream(_, length) => write!(f, "Stream({length:?})"),
        }
    }
}

/// Whose turn it is while a body is being sent.
#[derive(Debug, Clone)]
pub(crate) struct Progress(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    /// Since when the guest is the one to move; none while the caller is.
    guest_since: Option<Instant>,
    failure: Option<io::Error>,
}

impl Progress {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(State { guest_since: Some(Instant::now()), failure: None })))
    }

    /// What the caller's stream failed with.
    pub(crate) fn take_failure(&self) -> Option<io::Error> {
        self.state().failure.take()
    }

    /// Returns when the guest has not moved for `limit`.
    pub(crate) async fn guest_idle(&self, limit: Duration) {
        loop {
            let since = self.state().guest_since;
            let until = since.unwrap_or_else(Instant::now) + limit;
            if since.is_some() && until <= Instant::now() {
                return;
            }
            tokio::time::sleep_until(until).await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A stream that keeps `progress` up to date.
pub(crate) struct Watched {
    pub(crate) inner: OutStream,
    pub(crate) progress: Progress,
}

impl Stream for Watched {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let polled = self.inner.as_mut().poll_next(cx);
        let mut state = self.progress.state();
        state.guest_since = polled.is_ready().then(Instant::now);
        if let Poll::Ready(Some(Err(error))) = &polled {
            state.failure = Some(io::Error::new(error.kind(), error.to_string()));
        }
        drop(state);
        polled
    }
}
