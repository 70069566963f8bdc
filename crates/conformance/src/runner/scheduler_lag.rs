//! Watches whether the harness itself gets to run: a tick that comes late means that claims about time say nothing of
//! the subject.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::task::AbortHandle;

const TICK: Duration = Duration::from_millis(10);
/// A tick this late means that the harness starved.
pub(super) const STARVED: Duration = Duration::from_millis(100);
/// So late, even an answer that never came may have come.
pub(super) const STALLED: Duration = Duration::from_secs(1);
/// Older ticks than these are forgotten.
const KEPT: usize = 1024;

/// A task that ticks until it is dropped, and remembers its late ticks.
#[derive(Debug)]
pub(super) struct LagMonitor {
    late: Arc<LagLog>,
    task: AbortHandle,
}

/// The late ticks: when, and by how much.
#[derive(Debug, Default)]
pub(super) struct LagLog(Mutex<VecDeque<(Instant, Duration)>>);

impl LagMonitor {
    pub(super) fn begin() -> Self {
        let late = Arc::new(LagLog::default());
        let task = tokio::spawn(tick(Arc::clone(&late))).abort_handle();
        Self { late, task }
    }

    pub(super) fn late(&self) -> Arc<LagLog> {
        Arc::clone(&self.late)
    }
}

impl Drop for LagMonitor {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl LagLog {
    fn note(&self, at: Instant, by: Duration) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() == KEPT {
            all.pop_front();
        }
        all.push_back((at, by));
    }

    /// The latest tick since then; zero if none was late enough to count.
    pub(super) fn worst(&self, since: Instant) -> Duration {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let within = all.iter().filter(|(at, _)| *at >= since).map(|(_, by)| *by);
        within.max().unwrap_or_default()
    }
}

async fn tick(late: Arc<LagLog>) {
    loop {
        let due = Instant::now() + TICK;
        tokio::time::sleep(TICK).await;
        let now = Instant::now();
        let by = now.saturating_duration_since(due);
        if by >= STARVED {
            late.note(now, by);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_runtime_that_is_held_up_is_seen_to_starve() {
        let watch = LagMonitor::begin();
        let since = Instant::now();
        tokio::task::yield_now().await;
        let until = since + STARVED * 3;
        while Instant::now() < until {
            std::hint::spin_loop();
        }
        let late = watch.late();
        while late.worst(since) < STARVED {
            assert!(since.elapsed() < Duration::from_secs(10), "{late:?}");
            tokio::task::yield_now().await;
        }
        assert_eq!(late.worst(Instant::now()), Duration::ZERO, "what is past does not count");
    }
}
