//! The connections of one port, bounded: when there is no room for another one, the one that has been idle for longest
//! makes room. One with a call in flight is never ended.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::conn::Conn;

/// Between two looks for an idle connection, while all of them have calls.
const TICK: Duration = Duration::from_millis(20);
/// Descriptors that are left to files, pipes and processes, at least.
const RESERVE: usize = 64;

/// The connections of now; cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Crowd(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    slots: Arc<Semaphore>,
    members: Mutex<Members>,
}

#[derive(Debug, Default)]
struct Members {
    next: u64,
    list: HashMap<u64, Arc<Conn>>,
}

/// A connection among the others, for as long as it lives.
#[derive(Debug)]
pub(super) struct Member {
    crowd: Crowd,
    id: u64,
    _slot: OwnedSemaphorePermit,
}

impl Crowd {
    /// Of so many connections, or fewer where the process may not have as many descriptors.
    pub(super) fn new(most: usize) -> Self {
        let most = most.min(affordable(soft_limit())).max(1);
        let slots = Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS)));
        Self(Arc::new(Inner { slots, members: Mutex::default() }))
    }

    /// Waits until there is room for one more, and makes some.
    pub(super) async fn room(&self) -> Option<OwnedSemaphorePermit> {
        loop {
            if self.0.slots.available_permits() == 0 {
                self.evict();
            }
            let slot = Arc::clone(&self.0.slots).acquire_owned();
            if let Ok(slot) = tokio::time::timeout(TICK, slot).await {
                return slot.ok();
            }
        }
    }

    /// Ends the connection that has been idle for longest; whether there was one.
    pub(super) fn evict(&self) -> bool {
        let members = self.members();
        let idle = members.list.values().filter_map(|conn| Some((conn.idle_since()?, conn)));
        let Some((_, oldest)) = idle.min_by_key(|(since, _)| *since) else { return false };
        oldest.evict();
        true
    }

    pub(super) fn enter(&self, conn: &Arc<Conn>, slot: OwnedSemaphorePermit) -> Member {
        let mut members = self.members();
        let id = members.next;
        members.next += 1;
        members.list.insert(id, Arc::clone(conn));
        Member { crowd: self.clone(), id, _slot: slot }
    }

    fn members(&self) -> MutexGuard<'_, Members> {
        self.0.members.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.crowd.members().list.remove(&self.id);
    }
}

fn soft_limit() -> usize {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX))
}

/// How many connections leave enough descriptors to everything else: a quarter, and never fewer than the reserve.
fn affordable(descriptors: usize) -> usize {
    descriptors.saturating_sub(RESERVE.max(descriptors / 4))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Time;

    fn conn() -> Arc<Conn> {
        Arc::new(Conn::new(None, Time::default()))
    }

    #[tokio::test]
    async fn the_one_that_was_idle_for_longest_makes_room() {
        let crowd = Crowd::new(3);
        let conns = [conn(), conn(), conn()];
        let mut members = Vec::new();
        for conn in &conns {
            members.push(crowd.enter(conn, crowd.room().await.unwrap()));
        }
        // The first has had a call since, and the second has one now.
        drop(conns[0].enter());
        let call = conns[1].enter();
        assert!(crowd.evict());
        assert_eq!([0, 1, 2].map(|n: usize| conns[n].is_over()), [false, false, true]);
        assert!(crowd.evict() && conns[0].is_over());
        assert!(!crowd.evict(), "the only one left has a call");
        drop(call);
        assert!(crowd.evict() && conns[1].is_over());
    }

    #[test]
    fn descriptors_are_left_for_everything_else() {
        assert_eq!([0, 64, 256, 1024, 1 << 20].map(affordable), [0, 0, 192, 768, 786_432]);
    }
}
