//! How long the next thing may take: a wait that begins when it is first asked for, and begins anew when something came.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Sleep, sleep};

/// The time limits of a stream that is open.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// For the event that opens it.
    pub(crate) start: Duration,
    /// For each silence after that; for ever without it.
    pub(crate) idle: Option<Duration>,
}

/// A wait for the next thing.
#[derive(Debug, Default)]
pub(crate) struct Patience {
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Patience {
    /// Something came.
    pub(crate) fn renew(&mut self) {
        self.sleep = None;
    }

    /// Ready with the limit once nothing came for so long.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, limit: Option<Duration>) -> Poll<Duration> {
        let Some(limit) = limit else { return Poll::Pending };
        ready!(self.sleep.get_or_insert_with(|| Box::pin(sleep(limit))).as_mut().poll(cx));
        Poll::Ready(limit)
    }
}
