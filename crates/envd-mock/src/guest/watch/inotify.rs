//! One inotify descriptor: which inodes are watched, and the raw events in their order. Knows no paths.

use std::ffi::CString;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::fs::inotify::{CreateFlags, ReadFlags, Reader, WatchFlags, add_watch, init, remove_watch};
use rustix::io::Errno;

use crate::guest::tree::self_path;

const BUFFER: usize = 64 * 1024;

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

/// The descriptor.
#[derive(Debug, Clone)]
pub(super) struct Inotify(Arc<OwnedFd>);

impl Inotify {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self(Arc::new(init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?)))
    }

    /// Watches the directory that `dir` stands for; `whole` tells of its own removal and renaming too.
    pub(super) fn add(&self, dir: BorrowedFd<'_>, whole: bool) -> io::Result<i32> {
        let mut flags = WatchFlags::ONLYDIR
            | WatchFlags::EXCL_UNLINK
            | WatchFlags::CREATE
            | WatchFlags::MODIFY
            | WatchFlags::ATTRIB
            | WatchFlags::DELETE
            | WatchFlags::MOVED_FROM
            | WatchFlags::MOVED_TO;
        if whole {
            flags |= WatchFlags::DELETE_SELF | WatchFlags::MOVE_SELF;
        }
        Ok(add_watch(&*self.0, self_path(dir), flags)?)
    }

    /// Stops watching; one that is gone already is none.
    pub(super) fn forget(&self, watch: i32) {
        let _ = remove_watch(&*self.0, watch);
    }

    /// Everything that has happened and was not read yet.
    pub(super) fn read(&self) -> io::Result<Vec<Raw>> {
        let mut buffer = vec![MaybeUninit::uninit(); BUFFER];
        let mut reader = Reader::new(&*self.0, &mut buffer);
        let mut events = Vec::new();
        loop {
            match reader.next() {
                Ok(event) => events.push(Raw {
                    watch: event.wd(),
                    mask: event.events(),
                    cookie: event.cookie(),
                    name: event.file_name().map(ToOwned::to_owned),
                }),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Ok(events),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// The descriptor, to wait on.
    pub(super) fn shared(&self) -> Arc<OwnedFd> {
        Arc::clone(&self.0)
    }
}

impl AsFd for Inotify {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
