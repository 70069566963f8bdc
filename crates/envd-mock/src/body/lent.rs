//! What of a body was handed over to the connection and is still waiting there: behind a window that the peer keeps
//! shut, or for room in the socket. A stream that is reset loses it, so who ends one waits for it first.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tokio::sync::Notify;

/// The account of one body; cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Ledger(Arc<Account>);

#[derive(Default)]
struct Account {
    owed: AtomicU64,
    changed: Notify,
    /// What follows the last of it.
    then: Mutex<Option<Then>>,
}

type Then = Box<dyn FnOnce() + Send>;

/// Bytes whose end is noted.
struct Lent {
    bytes: Bytes,
    ledger: Ledger,
}

impl Ledger {
    /// The same bytes, on the account until the connection has done with them.
    pub(super) fn lend(&self, bytes: Bytes) -> Bytes {
        self.0.owed.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        Bytes::from_owner(Lent { bytes, ledger: self.clone() })
    }

    /// Bytes that the connection still has.
    pub(crate) fn owed(&self) -> u64 {
        self.0.owed.load(Ordering::Acquire)
    }

    /// Calls `then` as soon as the connection has none of them, before it takes anything from the peer.
    pub(crate) fn when_settled(&self, then: impl FnOnce() + Send + 'static) {
        *self.0.then.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(then));
        self.go_on();
    }

    fn go_on(&self) {
        if self.owed() > 0 {
            return;
        }
        let then = self.0.then.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(then) = then {
            then();
        }
    }

    /// Resolves once the connection has none of them.
    pub(crate) async fn settled(&self) {
        loop {
            let changed = self.0.changed.notified();
            if self.owed() == 0 {
                return;
            }
            changed.await;
        }
    }
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.ledger.0.owed.fetch_sub(self.bytes.len() as u64, Ordering::Release);
        self.ledger.0.changed.notify_waiters();
        self.ledger.go_on();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_body_is_settled_once_the_last_piece_is_gone() {
        let ledger = Ledger::default();
        ledger.settled().await;
        let (one, other) = (ledger.lend("abc".into()), ledger.lend("de".into()));
        assert_eq!((ledger.owed(), &one[..]), (5, &b"abc"[..]));
        let part = one.slice(1..);
        drop((one, other));
        assert_eq!(ledger.owed(), 3);
        let waiting = tokio::spawn({
            let ledger = ledger.clone();
            async move { ledger.settled().await }
        });
        drop(part);
        waiting.await.unwrap();
    }

    #[test]
    fn what_follows_comes_with_the_last_piece_and_once() {
        let (ledger, told) = (Ledger::default(), Arc::new(AtomicU64::new(0)));
        let then = || {
            let told = Arc::clone(&told);
            move || {
                told.fetch_add(1, Ordering::Relaxed);
            }
        };
        ledger.when_settled(then());
        assert_eq!(told.load(Ordering::Relaxed), 1);
        let piece = ledger.lend("abc".into());
        ledger.when_settled(then());
        assert_eq!(told.load(Ordering::Relaxed), 1);
        drop(piece);
        drop(ledger.lend("de".into()));
        assert_eq!(told.load(Ordering::Relaxed), 2);
    }
}
