//! What of a body was handed over to the connection and is still waiting there: behind a window that the peer keeps
//! shut, or for room in the socket. A stream that is reset loses it, so who ends one waits for it first.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use tokio::sync::Notify;

/// The account of one body; cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ledger(Arc<Account>);

#[derive(Debug, Default)]
struct Account {
    owed: AtomicU64,
    changed: Notify,
}

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
}
