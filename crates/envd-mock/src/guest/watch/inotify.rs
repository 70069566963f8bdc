//! The guest's one inotify descriptor, of which the kernel gives each user few: which inodes are watched and by whom, and
//! the raw events in their order for each who watches. Knows no paths.

use std::collections::{HashMap, HashSet, VecDeque};
use std::ffi::CString;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use rustix::fs::inotify::{CreateFlags, ReadFlags, Reader, WatchFlags, add_watch, init, remove_watch};
use rustix::io::Errno;
use tokio::sync::Notify;
use tokio_util::task::AbortOnDropHandle;

use super::ready::readable;
use crate::guest::tree::self_path;

const BUFFER: usize = 64 * 1024;
/// Events that wait for one watch; the kernel keeps as many for all of them. Beyond, they count as lost.
const WAITING: usize = 1 << 14;
/// Events that are read in one go: more than the kernel keeps, so that all that has happened is among them.
const AT_ONCE: usize = 1 << 16;

/// What happened, as the kernel says it.
#[derive(Debug, Clone)]
pub(super) struct Raw {
    pub(super) watch: i32,
    pub(super) mask: ReadFlags,
    /// Pairs the two halves of a rename.
    pub(super) cookie: u32,
    /// The entry of the watched directory; `None` for the directory itself.
    pub(super) name: Option<CString>,
}

/// What all watches of a guest share; the descriptor is opened by the first and closed behind the last one.
#[derive(Debug, Default)]
pub(crate) struct Instance(Mutex<Weak<Shared>>);

/// One watch's part of the descriptor; dropped, nobody is told of its inodes any more.
#[derive(Debug)]
pub(super) struct Inotify {
    shared: Arc<Shared>,
    id: u64,
    told: Arc<Notify>,
}

#[derive(Debug)]
struct Shared {
    descriptor: Arc<OwnedFd>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    next: u64,
    /// Who watches an inode, by watch descriptor.
    watching: HashMap<i32, Vec<u64>>,
    parts: HashMap<u64, Part>,
    /// The task that tells of events, once somebody waits for them.
    telling: Option<AbortOnDropHandle<()>>,
}

#[derive(Debug)]
struct Part {
    watches: HashSet<i32>,
    waiting: VecDeque<Raw>,
    told: Arc<Notify>,
}

impl Instance {
    /// A part for one more watch.
    ///
    /// # Errors
    /// When the host's user has no inotify instance left.
    pub(super) fn join(&self) -> io::Result<Inotify> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let shared = match held.upgrade() {
            Some(shared) => shared,
            None => Arc::new(Shared::new()?),
        };
        *held = Arc::downgrade(&shared);
        let told = Arc::<Notify>::default();
        let id = {
            let mut state = shared.state();
            state.next += 1;
            let part = Part { watches: HashSet::new(), waiting: VecDeque::new(), told: Arc::clone(&told) };
            let id = state.next;
            state.parts.insert(id, part);
            id
        };
        Ok(Inotify { shared, id, told })
    }
}

impl Inotify {
    /// Watches the directory that `dir` stands for, its own removal and renaming included.
    pub(super) fn add(&self, dir: BorrowedFd<'_>) -> io::Result<i32> {
        let flags = WatchFlags::ONLYDIR
            | WatchFlags::EXCL_UNLINK
            | WatchFlags::CREATE
            | WatchFlags::MODIFY
            | WatchFlags::ATTRIB
            | WatchFlags::DELETE
            | WatchFlags::MOVED_FROM
            | WatchFlags::MOVED_TO
            | WatchFlags::DELETE_SELF
            | WatchFlags::MOVE_SELF;
        let mut state = self.shared.state();
        // What happened before is not told to a watch that joins others.
        self.shared.collect(&mut state)?;
        let watch = add_watch(&*self.shared.descriptor, self_path(dir), flags)?;
        let watching = state.watching.entry(watch).or_default();
        if !watching.contains(&self.id) {
            watching.push(self.id);
        }
        if let Some(part) = state.parts.get_mut(&self.id) {
            part.watches.insert(watch);
        }
        Ok(watch)
    }

    /// Stops watching; one that is gone already is none.
    pub(super) fn forget(&self, watch: i32) {
        let mut state = self.shared.state();
        if let Some(part) = state.parts.get_mut(&self.id) {
            part.watches.remove(&watch);
        }
        self.shared.leave(&mut state, self.id, watch);
    }

    /// Everything that has happened and was not read yet.
    pub(super) fn read(&self) -> io::Result<Vec<Raw>> {
        let mut state = self.shared.state();
        self.shared.collect(&mut state)?;
        Ok(state.parts.get_mut(&self.id).map(|part| part.waiting.drain(..).collect()).unwrap_or_default())
    }

    /// Told when there may be something to read. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// When the runtime cannot wait for the descriptor.
    pub(super) fn told(&self) -> io::Result<Arc<Notify>> {
        let mut state = self.shared.state();
        if state.telling.is_none() {
            let ready = readable(Arc::clone(&self.shared.descriptor))?;
            let telling = tokio::spawn(tell(ready, Arc::downgrade(&self.shared)));
            state.telling = Some(AbortOnDropHandle::new(telling));
        }
        // What came before there was a task.
        self.told.notify_one();
        Ok(Arc::clone(&self.told))
    }

    #[cfg(test)]
    pub(super) fn descriptor_for_tests(&self) -> Weak<OwnedFd> {
        Arc::downgrade(&self.shared.descriptor)
    }
}

impl Drop for Inotify {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        let Some(part) = state.parts.remove(&self.id) else { return };
        for watch in part.watches {
            self.shared.leave(&mut state, self.id, watch);
        }
    }
}

impl Shared {
    fn new() -> io::Result<Self> {
        let descriptor = Arc::new(init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?);
        Ok(Self { descriptor, state: Mutex::default() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn leave(&self, state: &mut State, id: u64, watch: i32) {
        let Some(watching) = state.watching.get_mut(&watch) else { return };
        watching.retain(|other| *other != id);
        if watching.is_empty() {
            state.watching.remove(&watch);
            let _ = remove_watch(&*self.descriptor, watch);
        }
    }

    /// Reads what the kernel has and hands it to those whom it concerns.
    fn collect(&self, state: &mut State) -> io::Result<()> {
        let mut buffer = [MaybeUninit::uninit(); BUFFER];
        let mut reader = Reader::new(&*self.descriptor, &mut buffer);
        for _ in 0..AT_ONCE {
            match reader.next() {
                Ok(event) => state.hand_on(&Raw {
                    watch: event.wd(),
                    mask: event.events(),
                    cookie: event.cookie(),
                    name: event.file_name().map(ToOwned::to_owned),
                }),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

impl State {
    fn hand_on(&mut self, event: &Raw) {
        if event.mask.contains(ReadFlags::QUEUE_OVERFLOW) {
            self.parts.values_mut().for_each(|part| part.push(event.clone()));
            return;
        }
        let gone = event.mask.contains(ReadFlags::IGNORED);
        let watching = if gone { self.watching.remove(&event.watch) } else { None };
        let watching = watching.as_ref().or_else(|| self.watching.get(&event.watch));
        for id in watching.into_iter().flatten() {
            if let Some(part) = self.parts.get_mut(id) {
                part.push(event.clone());
                if gone {
                    part.watches.remove(&event.watch);
                }
            }
        }
    }
}

impl Part {
    /// The event that does not fit is replaced by the news that some were lost; those behind it are dropped.
    fn push(&mut self, event: Raw) {
        match self.waiting.len() {
            0..WAITING => self.waiting.push_back(event),
            WAITING => {
                let lost = Raw { watch: -1, mask: ReadFlags::QUEUE_OVERFLOW, cookie: 0, name: None };
                self.waiting.push_back(lost);
            }
            _ => return,
        }
        self.told.notify_one();
    }
}

/// Tells watches of their events until the last one is gone.
async fn tell(ready: super::ready::Readable, shared: Weak<Shared>) {
    loop {
        if ready.wait().await.is_err() {
            return;
        }
        let Some(shared) = shared.upgrade() else { return };
        let collected = tokio::task::spawn_blocking(move || shared.collect(&mut shared.state())).await;
        if !matches!(collected, Ok(Ok(()))) {
            return tracing::warn!("the guest's directories are no longer watched");
        }
    }
}
