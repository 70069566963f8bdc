//! Removes a guest's tree from the host by a process that outlives the mock, when the mock is killed before it could. It
//! touches nothing but the one directory that it was given, and ends after everything else.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{Mode, OFlags};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::{marker, sys, zygote};

/// Watches over a directory that must not outlive the mock; dropping it ends the watch.
#[derive(Debug)]
pub(crate) struct Janitor {
    pid: i32,
    /// Reads as ended in the watching process when the mock, and with it this descriptor, is gone.
    _alive: OwnedFd,
}

impl Janitor {
    /// Starts to watch over `dir`, which is marked by `mark` and used by the guest of `holder`, should it have one.
    ///
    /// # Errors
    /// When the process cannot be started.
    pub(crate) fn new(dir: &Path, mark: &OwnedFd, holder: Option<i32>) -> io::Result<Self> {
        let path = CString::new(dir.as_os_str().as_bytes())?;
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let dir = rustix::fs::open(path.as_c_str(), flags, Mode::empty())?;
        let holder =
            holder.and_then(Pid::from_raw).map(|pid| pidfd_open(pid, PidfdFlags::empty())).transpose()?;
        let (watch, alive) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
        // Without a guest, the pipe stands in for it: it has ended when that has.
        let fds = [watch.as_fd(), dir.as_fd(), mark.as_fd(), holder.as_ref().unwrap_or(&watch).as_fd()];
        let forked = zygote::watch(&path, &fds).unwrap_or_else(|| fork(&path, fds));
        Ok(Self { pid: forked?, _alive: alive })
    }
}

impl Drop for Janitor {
    fn drop(&mut self) {
        let _ = sys::kill(self.pid, libc::SIGKILL);
        sys::wait_for(self.pid);
    }
}

fn fork(path: &CStr, fds: [BorrowedFd<'_>; 4]) -> io::Result<i32> {
    let mask = sys::block_signals();
    // SAFETY: the child makes system calls only and never returns.
    let forked = unsafe { sys::fork_into(0) };
    if matches!(forked, Ok(0)) {
        wait_and_remove(fds, path);
    }
    sys::set_signal_mask(&mask);
    forked
}

/// The watching process: sleeps until the mock is gone, then until the guest is, then removes the directory. Its
/// descriptors are the mock's pipe, the directory, its mark and the guest's first process. Allocates nothing. All
/// signals stay blocked: one that is meant for the mock and its group must not end what cleans up behind them.
pub(super) fn wait_and_remove(fds: [BorrowedFd<'_>; 4], path: &CStr) -> ! {
    let Some([watch, dir, _mark, holder]) = settle(fds) else { sys::exit(1) };
    for fd in [&watch, &holder] {
        wait_for(fd);
    }
    let done = marker::remove(dir.as_fd(), path);
    sys::exit(i32::from(done.is_err()))
}

/// Leaves all that is the mock's but these descriptors.
pub(super) fn settle<const N: usize>(fds: [BorrowedFd<'_>; N]) -> Option<[OwnedFd; N]> {
    let kept = keep_only(fds);
    let _ = rustix::process::setsid();
    let _ = rustix::process::chdir("/");
    let _ = rustix::thread::set_name(c"envd-janitor");
    kept
}

/// Moves the descriptors to 3 and the next numbers and closes all else that was the mock's.
fn keep_only<const N: usize>(fds: [BorrowedFd<'_>; N]) -> Option<[OwnedFd; N]> {
    let mut high = [-1; N];
    for (slot, fd) in high.iter_mut().zip(fds) {
        // SAFETY: makes a new descriptor, out of the way of what is replaced and closed below.
        *slot = unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_DUPFD_CLOEXEC, 64) };
    }
    if high.contains(&-1) {
        return None;
    }
    // SAFETY: the descriptors below 3 + N are replaced and those above closed; nothing of this process uses them again.
    unsafe {
        let null = libc::open(c"/dev/null".as_ptr(), libc::O_RDWR | libc::O_CLOEXEC);
        for standard in 0..3 {
            libc::dup2(null, standard);
        }
        for (number, fd) in (3..).zip(high) {
            libc::dup3(fd, number, libc::O_CLOEXEC);
        }
    }
    sys::close_from(3 + N as i32);
    let mut number = 2;
    // SAFETY: made above, and owned by nobody else.
    Some([(); N].map(|()| unsafe {
        number += 1;
        std::os::fd::FromRawFd::from_raw_fd(number)
    }))
}

/// Returns when a pipe has no writer left, or a process has ended.
pub(super) fn wait_for(fd: &OwnedFd) {
    while poll(&mut [PollFd::new(fd, PollFlags::IN)], None) == Err(rustix::io::Errno::INTR) {}
}
