//! Output that no client reads: discarded at a rate that all processes of a guest share, or left with the process, which
//! then waits. Real builds discard it as fast as it comes; with many such processes that keeps the processors busy.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::guest::config::UnreadOutput;

/// So many bytes in a second are discarded once the burst is used up.
const RATE: u64 = 64 << 20;
/// So many bytes are discarded at once after a time of silence: 256 MiB.
const BURST: Duration = Duration::from_secs(4);

/// What becomes of unread output in one guest.
#[derive(Debug, Default)]
pub(crate) struct Unread {
    pub(super) policy: UnreadOutput,
    /// When all that was discarded so far would have been, at the rate.
    due: Mutex<Option<Instant>>,
}

impl Unread {
    pub(crate) fn new(policy: UnreadOutput) -> Self {
        Self { policy, due: Mutex::default() }
    }

    /// Waits until so many more bytes may be discarded. It is the host's clock that counts: what is saved is its time.
    pub(super) async fn turn(&self, bytes: usize) {
        let due = self.reserve(bytes as u64, Instant::now());
        sleep_until(due).await;
    }

    fn reserve(&self, bytes: u64, now: Instant) -> Instant {
        let mut due = self.due.lock().unwrap_or_else(PoisonError::into_inner);
        let earliest = now.checked_sub(BURST).unwrap_or(now);
        let from = due.map_or(earliest, |due| due.max(earliest));
        let next = from + Duration::from_nanos(bytes.saturating_mul(1_000_000_000) / RATE);
        *due = Some(next);
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever the number of processes, they are given one rate together.
    #[test]
    fn a_burst_passes_at_once_and_the_rest_at_the_shared_rate() {
        let (unread, now) = (Unread::default(), Instant::now() + BURST);
        let burst = RATE * BURST.as_secs();
        for _ in 0..4 {
            assert!(unread.reserve(burst / 4, now) <= now);
        }
        assert_eq!(unread.reserve(RATE, now) - now, Duration::from_secs(1));
        assert_eq!(unread.reserve(RATE / 2, now) - now, Duration::from_millis(1500));
        assert!(unread.reserve(RATE, now + Duration::from_secs(60)) <= now + Duration::from_secs(60));
    }
}
