//! Removes a guest's tree from the host by a process that outlives the mock, when the mock is killed before it could. Touches nothing but the one directory that it was given.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsFd, AsRawFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::{sys, zygote};

/// Watches over a directory that must not outlive the mock; dropping it ends the watch.
#[derive(Debug)]
pub(crate) struct Janitor {
    pid: i32,
    /// Reads as ended in the watching process when the mock, and with it this descriptor, is gone.
    _alive: OwnedFd,
}

impl Janitor {
    /// Starts to watch over `dir`, which is used by the guest of `holder`, should it have one.
    ///
    /// # Errors
    /// When the process cannot be started.
    pub(crate) fn new(dir: &Path, holder: Option<i32>) -> io::Result<Self> {
        let path = CString::new(dir.as_os_str().as_bytes())?;
        let holder =
            holder.and_then(Pid::from_raw).map(|pid| pidfd_open(pid, PidfdFlags::empty())).transpose()?;
        let (watch, alive) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
        let fds: Vec<_> = [Some(&watch), holder.as_ref()].into_iter().flatten().map(AsFd::as_fd).collect();
        let forked = zygote::watch(&path, &fds).unwrap_or_else(|| fork(&path, &watch, holder.as_ref()));
        Ok(Self { pid: forked?, _alive: alive })
    }
}

impl Drop for Janitor {
    fn drop(&mut self) {
        let _ = sys::kill(self.pid, libc::SIGKILL);
        sys::wait_for(self.pid);
    }
}

fn fork(dir: &CStr, watch: &OwnedFd, holder: Option<&OwnedFd>) -> io::Result<i32> {
    let mask = sys::block_signals();
    // SAFETY: the child makes system calls only and never returns.
    let forked = unsafe { sys::fork_into(0) };
    if matches!(forked, Ok(0)) {
        wait_and_remove(watch, holder, dir);
    }
    sys::set_signal_mask(&mask);
    forked
}

/// The watching process: sleeps until the mock is gone, then until the guest is, then becomes what removes `dir`.
/// Allocates nothing.
pub(super) fn wait_and_remove(watch: &OwnedFd, holder: Option<&OwnedFd>, dir: &CStr) -> ! {
    let script = c"chmod -R u+rwx \"$0\" 2>/dev/null; exec rm -rf -- \"$0\"";
    let argv = [c"sh".as_ptr(), c"-c".as_ptr(), script.as_ptr(), dir.as_ptr(), std::ptr::null()];
    let env = [c"PATH=/usr/sbin:/usr/bin:/sbin:/bin".as_ptr(), std::ptr::null()];
    // SAFETY: plain system calls; the two descriptors in use are moved out of the way of the closing.
    unsafe {
        let watch = libc::fcntl(watch.as_raw_fd(), libc::F_DUPFD_CLOEXEC, 64);
        let holder = holder.map(|holder| libc::fcntl(holder.as_raw_fd(), libc::F_DUPFD_CLOEXEC, 64));
        let null = libc::open(c"/dev/null".as_ptr(), libc::O_RDWR | libc::O_CLOEXEC);
        for standard in 0..3 {
            libc::dup2(null, standard);
        }
        libc::dup3(watch, 3, libc::O_CLOEXEC);
        libc::dup3(holder.unwrap_or(watch), 4, libc::O_CLOEXEC);
        sys::close_from(5);
        libc::setsid();
        let _ = rustix::thread::set_name(c"envd-janitor");
        sys::default_signals();
        sys::set_signal_mask(&std::mem::zeroed());
        let mut byte = 0_u8;
        while libc::read(3, (&raw mut byte).cast(), 1) < 0 && *libc::__errno_location() == libc::EINTR {}
        if holder.is_some() {
            let holder = std::os::fd::BorrowedFd::borrow_raw(4);
            let _ = poll(&mut [PollFd::from_borrowed_fd(holder, PollFlags::IN)], None);
        }
        libc::execve(c"/bin/sh".as_ptr(), argv.as_ptr(), env.as_ptr());
    }
    sys::exit(1)
}
