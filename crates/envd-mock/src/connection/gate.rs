//! Whether a port is listened on, and the moment at which all of its connections are lost at once.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// The gate before a listener; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Gate(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// How many reasons there are to refuse connections.
    closed: watch::Sender<usize>,
    /// Whether the port is listened on.
    listening: watch::Sender<bool>,
    /// Cancelled when the connections of now are lost.
    lost: Mutex<CancellationToken>,
}

/// One reason to refuse connections, for as long as it lives.
#[derive(Debug)]
pub(crate) struct Closed(Gate);

impl Default for Gate {
    fn default() -> Self {
        let lost = Mutex::new(CancellationToken::new());
        Self(Arc::new(Inner { closed: watch::Sender::new(0), listening: watch::Sender::new(false), lost }))
    }
}

impl Gate {
    /// Refuses connections until the answer is dropped.
    pub(crate) fn close(&self) -> Closed {
        self.0.closed.send_modify(|reasons| *reasons += 1);
        Closed(self.clone())
    }

    /// Waits until connections are really refused, as they are asked to be.
    pub(crate) async fn shut(&self) {
        // The sender lives as long as `self`.
        let _ = self.0.listening.subscribe().wait_for(|listening| !listening).await;
    }

    pub(super) fn listens(&self, listening: bool) {
        self.0.listening.send_replace(listening);
    }

    pub(super) fn is_closed(&self) -> bool {
        *self.0.closed.borrow() > 0
    }

    /// Waits until connections are refused, or are not.
    pub(super) async fn until(&self, closed: bool) {
        // The sender lives as long as `self`.
        let _ = self.0.closed.subscribe().wait_for(|reasons| (*reasons > 0) == closed).await;
    }

    /// Resets every connection of now.
    pub(crate) fn lose_all(&self) {
        let mut lost = self.0.lost.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *lost).cancel();
    }

    /// Cancelled when a connection that is accepted now is lost.
    pub(super) fn lost(&self) -> CancellationToken {
        self.0.lost.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Closed {
    fn drop(&mut self) {
        self.0.0.closed.send_modify(|reasons| *reasons -= 1);
    }
}
