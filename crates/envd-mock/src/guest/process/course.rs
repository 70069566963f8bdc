//! A mishap under way in one process: when the process is killed, what its readers are told, and that the mishap had
//! its effect. What becomes of each chunk is `twist`'s decision.

use std::future::pending;
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::Notify;

use super::output::{Chunk, End};
use super::registry::{Process, Processes};
use super::start::name;
use super::twist::{Ending, Twist, Twister};
use crate::guest::mishap::{Acted, Mishap, MishapKind};
use crate::time::Time;

/// The mishap of one process.
#[derive(Debug)]
pub(super) struct Course {
    twist: Twist,
    twister: Mutex<Twister>,
    acted: Acted,
    /// Told when enough output has gone out.
    enough: Notify,
    late: Option<Late>,
}

/// A start that is told late.
#[derive(Debug, Clone)]
pub(super) struct Late {
    /// On the mock's clock.
    pub(super) until: Duration,
    by: Duration,
    acted: Acted,
}

impl Late {
    pub(super) async fn wait(&self, time: &Time) {
        let tell = |whole| match whole {
            true => self.acted.tell(|| format!("the start was told {:?} late", self.by)),
            false => self.acted.tell(|| format!("the call ended before a start {:?} late", self.by)),
        };
        time.sleep_until_telling(self.until, tell).await;
    }
}

impl Course {
    /// `None` when the mishap does not concern the process.
    pub(super) fn new(mishap: &Mishap, time: &Time) -> Option<Self> {
        let MishapKind::Process(twist) = &mishap.kind else { return None };
        let (twist, acted) = (twist.clone(), mishap.acted.clone());
        let twister = Twister::new(twist.clone());
        let enough = Notify::new();
        if twister.is_killed() {
            enough.notify_one();
        }
        let late = match twist {
            Twist::StartLate(by) => {
                Some(Late { until: time.now().saturating_add(by), by, acted: acted.clone() })
            }
            _ => None,
        };
        Some(Self { twist, twister: Mutex::new(twister), acted, enough, late })
    }

    /// The start that readers wait for.
    pub(super) fn late(&self) -> Option<&Late> {
        self.late.as_ref()
    }

    /// What is told instead of `chunk`; once it was, and when the second says so, [`Course::enough`] is due.
    pub(super) fn pass(&self, chunk: Chunk) -> (Vec<Chunk>, bool) {
        let passed = self.twister().pass(chunk);
        if let Some(deed) = passed.deed {
            self.acted.tell(|| deed.to_owned());
        }
        (passed.chunks, passed.kill)
    }

    /// As many bytes as the process was given have been told.
    pub(super) fn enough(&self) {
        self.tell_killed();
        self.enough.notify_one();
    }

    /// Told before the signal is sent, and in the same words should the process end by itself before that.
    fn tell_killed(&self) {
        let Twist::Kill { signal, after, bytes } = &self.twist else { return };
        let by_time = !self.twister().is_killed();
        let when = match (by_time, after, bytes) {
            (true, Some(after), _) => format!("after {after:?}"),
            (_, _, Some(bytes)) => format!("after {bytes} bytes of output"),
            _ => "at once".to_owned(),
        };
        self.acted.tell(|| format!("killed with {} {when}", name(*signal)));
    }

    /// What was held back.
    pub(super) fn rest(&self) -> Vec<Chunk> {
        self.twister().rest()
    }

    /// What is told instead of the end; `None` for nothing at all, with the streams open.
    pub(super) fn end(&self, real: End) -> Option<End> {
        let twister = self.twister();
        if let Some(deed) = twister.end_deed(&real) {
            self.acted.tell(|| deed);
        }
        match twister.end(real) {
            Ending::Told(end) => Some(end),
            Ending::Silent => None,
        }
    }

    fn twister(&self) -> MutexGuard<'_, Twister> {
        self.twister.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the process is to be killed; the signal. Never comes for other mishaps.
    async fn due(&self, time: &Time) -> i32 {
        let Twist::Kill { signal, after, .. } = self.twist else { return pending().await };
        let in_time = async {
            match after {
                Some(after) => time.sleep(after).await,
                None => pending().await,
            }
        };
        tokio::select! {
            biased;
            () = self.enough.notified() => signal,
            () = in_time => signal,
        }
    }

    async fn kill(&self, processes: &Weak<Processes>, process: &Process, time: &Time) {
        let signal = self.due(time).await;
        self.tell_killed();
        self.twister().kill();
        let Some(processes) = processes.upgrade() else { return };
        // A process that has ended by itself in this moment is told as killed all the same.
        if let Err(error) = processes.signal(process, signal).await {
            tracing::debug!(pid = process.pid, %error, "nothing was there to be killed");
        }
    }
}

/// Carries `life`, the process's own, to its end; its mishap may kill it in between.
pub(super) async fn through<T>(
    life: impl Future<Output = T>,
    processes: &Weak<Processes>,
    process: &Process,
) -> T {
    let Some(course) = &process.hub.course else { return life.await };
    let mut life = pin!(life);
    tokio::select! {
        biased;
        () = course.kill(processes, process, &process.hub.time) => life.await,
        done = life.as_mut() => done,
    }
}
