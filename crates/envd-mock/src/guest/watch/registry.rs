//! The watchers that calls make, ask and remove by id. Each collects in the background, up to a limit; when more
//! came, the loss is told and never silent.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use tokio_util::task::AbortOnDropHandle;

use super::events::{Change, WatchError};
use super::ready::Ready;
use super::{Instance, Watch};
use crate::guest::tree::Tree;

/// Changes that wait to be fetched from one watcher.
const WAITING: usize = 1 << 16;
/// Watchers that one guest has at a time.
const WATCHERS: usize = 1024;

/// Why a watcher gave nothing.
#[derive(Debug)]
pub(crate) enum TakeError {
    Unknown,
    /// Changes were dropped because too many waited; asking again goes on from here.
    Lost,
    Failed(io::Error),
}

/// All watchers of a guest; dropping it ends them.
#[derive(Debug, Default)]
pub(crate) struct Watchers {
    registry: Mutex<Registry>,
    instance: Instance,
}

#[derive(Debug, Default)]
struct Registry {
    newest: u128,
    watchers: HashMap<String, Watcher>,
}

#[derive(Debug)]
struct Watcher {
    collected: Arc<Mutex<Collected>>,
    _collecting: AbortOnDropHandle<()>,
}

#[derive(Debug)]
struct Collected {
    watch: Watch,
    changes: Vec<Change>,
    lost: bool,
    limit: usize,
}

impl Watchers {
    /// Watches the directory at `path`, links followed. Blocking.
    pub(crate) fn watch(&self, tree: Arc<Tree>, path: &str, recursive: bool) -> Result<Watch, WatchError> {
        Watch::new(&self.instance, tree, path, recursive)
    }

    /// Takes over a watch and gives its id.
    ///
    /// # Errors
    /// When there are too many, or the runtime cannot wait for it.
    pub(crate) fn add(&self, watch: Watch) -> io::Result<String> {
        self.add_limited(watch, WAITING)
    }

    pub(super) fn add_limited(&self, watch: Watch, limit: usize) -> io::Result<String> {
        let mut registry = lock(&self.registry);
        if registry.watchers.len() >= WATCHERS {
            let limit = format!("a guest has {WATCHERS} watchers at most");
            return Err(io::Error::new(io::ErrorKind::QuotaExceeded, limit));
        }
        let ready = watch.ready()?;
        let collected = Arc::new(Mutex::new(Collected { watch, changes: Vec::new(), lost: false, limit }));
        let collecting = tokio::spawn(collect(ready, Arc::clone(&collected)));
        let id = registry.next_id();
        let watcher = Watcher { collected, _collecting: AbortOnDropHandle::new(collecting) };
        registry.watchers.insert(id.clone(), watcher);
        Ok(id)
    }

    /// Ends all of them.
    pub(crate) fn clear(&self) {
        lock(&self.registry).watchers.clear();
    }

    /// Everything that happened since the last time. Blocking.
    pub(crate) fn take(&self, id: &str) -> Result<Vec<Change>, TakeError> {
        let collected = lock(&self.registry).watchers.get(id).map(|watcher| Arc::clone(&watcher.collected));
        let collected = collected.ok_or(TakeError::Unknown)?;
        let mut collected = lock(&collected);
        collected.collect().map_err(TakeError::Failed)?;
        match (collected.changes.is_empty(), collected.lost) {
            (true, true) => {
                collected.lost = false;
                Err(TakeError::Lost)
            }
            _ => Ok(std::mem::take(&mut collected.changes)),
        }
    }

    /// Ends a watcher; an unknown id is none.
    pub(crate) fn remove(&self, id: &str) {
        let watcher = lock(&self.registry).watchers.remove(id);
        drop(watcher);
    }
}

impl Registry {
    /// Nanoseconds of the clock in hex, never the same twice.
    fn next_id(&mut self) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
        self.newest = now.max(self.newest + 1);
        format!("w-{:x}", self.newest)
    }
}

impl Collected {
    /// Fetches what the kernel has; after a loss nothing is kept until it was told.
    fn collect(&mut self) -> io::Result<()> {
        let (changes, lost) = self.watch.take()?;
        if self.lost {
            return Ok(());
        }
        let room = self.limit - self.changes.len();
        self.lost = lost || changes.len() > room;
        self.changes.extend(changes.into_iter().take(room));
        Ok(())
    }
}

async fn collect(ready: Ready, collected: Arc<Mutex<Collected>>) {
    loop {
        ready.wait().await;
        let collected = Arc::clone(&collected);
        match tokio::task::spawn_blocking(move || lock(&collected).collect()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return tracing::warn!(%error, "a watcher ended"),
            Err(_) => return,
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
