//! A directory of the host that is a guest's root as it is. Its owners are shown to the guest through a mount that maps
//! ids, so that nothing is changed for it; what set-up adds is written down, and taken away again at the end: by the mock,
//! or by a process that outlives it. Mocks that share a directory leave that to the last of them.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use rustix::fs::{FlockOperation, MemfdFlags, Mode, OFlags, flock, memfd_create};
use rustix::io::Errno;
use rustix::mount::{OpenTreeFlags, open_tree};
use rustix::pipe::{PipeFlags, pipe_with};

use super::plan::Step;
use super::{janitor, make, sys};

/// How long another mock may take to clean the directory up.
const PATIENCE: Duration = Duration::from_secs(10);

/// What was added to a directory; dropping it takes that away again.
#[derive(Debug)]
pub(crate) struct InPlace {
    dir: OwnedFd,
    /// Held as long as the directory is in use; `None` where it cannot be locked.
    lock: Option<OwnedFd>,
    record: OwnedFd,
    steps: Vec<Step>,
    watcher: i32,
    alive: Option<OwnedFd>,
    /// Held by the guest until it has ended.
    pub(super) guest: OwnedFd,
}

impl InPlace {
    /// Starts to watch over `dir`, to which `steps` will add what it lacks.
    ///
    /// # Errors
    /// When another mock does not come to an end of cleaning it up, or the watching process cannot be started.
    pub(super) fn begin(dir: &Path, steps: Vec<Step>) -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let dir = rustix::fs::open(dir, flags, Mode::empty())?;
        let lock = lock(&dir)?;
        let record = memfd_create(c"envd-mock-record", MemfdFlags::CLOEXEC)?;
        let (watch, alive) = pipe_with(PipeFlags::CLOEXEC)?;
        let (ended, guest) = pipe_with(PipeFlags::CLOEXEC)?;
        let held = lock.as_ref().unwrap_or(&dir);
        let fds = [&watch, &ended, &dir, &record, held].map(AsFd::as_fd);
        let watcher = fork(fds, &steps)?;
        Ok(Self { dir, lock, record, steps, watcher, alive: Some(alive), guest })
    }

    /// The directory.
    pub(super) fn dir(&self) -> BorrowedFd<'_> {
        self.dir.as_fd()
    }

    /// Where it is written down what was made.
    pub(super) fn record(&self) -> BorrowedFd<'_> {
        self.record.as_fd()
    }

    /// Makes what the directory lacks, where no holder does.
    ///
    /// # Errors
    /// Those of the kernel.
    pub(crate) fn make(&self) -> io::Result<()> {
        let work = || {
            // A mask of this thread's own: directories have the modes that they should have.
            // SAFETY: takes a number only.
            if unsafe { libc::unshare(libc::CLONE_FS) } < 0 {
                return Err(io::Error::last_os_error());
            }
            rustix::process::umask(Mode::empty());
            for (index, step) in self.steps.iter().enumerate() {
                let (path, make) = match step {
                    Step::Dir { path, mode, .. } => (path, make::Make::Dir { mode: *mode, owner: 0 }),
                    Step::File { path, mode, content } => (path, make::Make::File { mode: *mode, content }),
                    _ => continue,
                };
                make::present(self.dir(), path, &make, Some(self.record()), index)?;
            }
            Ok(())
        };
        std::thread::scope(|scope| scope.spawn(work).join()).unwrap_or_else(|_| Err(Errno::IO.into()))
    }

    /// A mount of the directory in which the ids of the user namespace of process `pid` stand for the same numbers.
    ///
    /// # Errors
    /// EINVAL or EPERM where the file system or the kernel cannot do that.
    pub(super) fn mapped(&self, pid: i32) -> io::Result<OwnedFd> {
        let flags = OpenTreeFlags::OPEN_TREE_CLONE
            | OpenTreeFlags::OPEN_TREE_CLOEXEC
            | OpenTreeFlags::AT_RECURSIVE
            | OpenTreeFlags::AT_EMPTY_PATH;
        let tree = open_tree(&self.dir, c"", flags)?;
        let namespace = File::open(format!("/proc/{pid}/ns/user"))?;
        sys::map_ids(tree.as_fd(), namespace.as_raw_fd())?;
        Ok(tree)
    }
}

impl Drop for InPlace {
    fn drop(&mut self) {
        if is_last(self.lock.as_ref()) {
            make::undo(self.dir(), &self.steps, self.record());
            let _ = sys::kill(self.watcher, libc::SIGKILL);
            sys::wait_for(self.watcher);
        } else {
            // Others are still in there: the watching process waits for them, and so not for this one any more.
            self.alive = None;
        }
    }
}

fn lock(dir: &OwnedFd) -> io::Result<Option<OwnedFd>> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let Ok(lock) = rustix::fs::openat(dir, c".", flags, Mode::empty()) else { return Ok(None) };
    match flock(&lock, FlockOperation::NonBlockingLockShared) {
        Ok(()) => Ok(Some(lock)),
        Err(Errno::WOULDBLOCK) => wait_for_lock(lock).map(Some),
        Err(_) => Ok(None),
    }
}

/// Another mock may be cleaning up.
fn wait_for_lock(lock: OwnedFd) -> io::Result<OwnedFd> {
    let (waiting, (tell, told)) = (lock.try_clone()?, mpsc::channel());
    let wait = move || {
        // Nobody hears it once the time is over.
        let _ = tell.send(flock(&waiting, FlockOperation::LockShared));
    };
    std::thread::Builder::new().name("envd-mock-lock".to_owned()).spawn(wait)?;
    let refused = || io::Error::new(io::ErrorKind::TimedOut, "another process has locked it");
    told.recv_timeout(PATIENCE).map_err(|_| refused())??;
    Ok(lock)
}

fn is_last(lock: Option<&OwnedFd>) -> bool {
    lock.is_none_or(|lock| flock(lock, FlockOperation::NonBlockingLockExclusive) != Err(Errno::WOULDBLOCK))
}

fn fork(fds: [BorrowedFd<'_>; 5], steps: &[Step]) -> io::Result<i32> {
    let mask = sys::block_signals();
    // SAFETY: the child makes system calls only and never returns.
    let forked = unsafe { sys::fork_into(0) };
    if matches!(forked, Ok(0)) {
        wait_and_undo(fds, steps);
    }
    sys::set_signal_mask(&mask);
    forked
}

/// The watching process. Allocates nothing.
fn wait_and_undo(fds: [BorrowedFd<'_>; 5], steps: &[Step]) -> ! {
    let Some([watch, ended, dir, record, lock]) = janitor::settle(fds) else { sys::exit(1) };
    janitor::wait_for(&watch);
    janitor::wait_for(&ended);
    let _ = flock(&lock, FlockOperation::LockExclusive);
    make::undo(dir.as_fd(), steps, record.as_fd());
    sys::exit(0)
}
