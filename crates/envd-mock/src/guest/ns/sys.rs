//! The system calls that the holder needs and `rustix` does not wrap. Every one is a bare call: nothing here
//! allocates or takes a lock, so it is safe between a fork of a threaded process and its end.

use std::ffi::{CStr, c_int};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

const MOUNT_ATTR_RDONLY: u64 = 0x1;
const MOUNT_ATTR_NOSUID: u64 = 0x2;
const MOUNT_ATTR_NODEV: u64 = 0x4;

#[repr(C)]
struct MountAttr {
    set: u64,
    clear: u64,
    propagation: u64,
    userns: u64,
}

/// Forks the calling thread alone into `flags`' namespaces: 0 in the child.
///
/// # Safety
/// Until it ends, the child may make async-signal-safe calls only.
pub(super) unsafe fn fork_into(flags: c_int) -> io::Result<i32> {
    // SAFETY: no stack is given and memory is not shared, so this is a fork; the caller keeps the child's rules.
    let pid = unsafe { libc::syscall(libc::SYS_clone, flags | libc::SIGCHLD, 0, 0, 0, 0) };
    if pid < 0 { Err(io::Error::last_os_error()) } else { Ok(pid as i32) }
}

/// Makes a detached mount tree read-only and free of set-user-id, and of devices unless `devices`.
pub(super) fn restrict(mount: BorrowedFd<'_>, read_only: bool, devices: bool) -> io::Result<()> {
    let mut set = MOUNT_ATTR_NOSUID;
    set |= if read_only { MOUNT_ATTR_RDONLY } else { 0 };
    set |= if devices { 0 } else { MOUNT_ATTR_NODEV };
    let attr = MountAttr { set, clear: 0, propagation: 0, userns: 0 };
    let flags = libc::AT_EMPTY_PATH | libc::AT_RECURSIVE;
    // SAFETY: the path is a C string and the struct has the size that is passed.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            flags,
            &raw const attr,
            size_of::<MountAttr>(),
        )
    };
    check(result)
}

/// Shows the ids of a detached mount tree as the user namespace `namespace` maps them, and takes it out of any group
/// of mounts that tell each other of changes.
pub(super) fn map_ids(mount: BorrowedFd<'_>, namespace: RawFd) -> io::Result<()> {
    const MOUNT_ATTR_IDMAP: u64 = 0x0010_0000;
    let attr = MountAttr {
        set: MOUNT_ATTR_IDMAP,
        clear: 0,
        propagation: libc::MS_PRIVATE,
        userns: u64::from(namespace.cast_unsigned()),
    };
    let flags = libc::AT_EMPTY_PATH | libc::AT_RECURSIVE;
    // SAFETY: the path is a C string and the struct has the size that is passed.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            flags,
            &raw const attr,
            size_of::<MountAttr>(),
        )
    };
    check(result)
}

/// Closes every descriptor from `first` on.
pub(super) fn close_from(first: RawFd) {
    // SAFETY: closing descriptors by number is what the holder wants; none of them is used again.
    unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, 0) };
}

/// Closes every descriptor but the standard ones and `kept`.
pub(super) fn close_but(kept: RawFd) {
    let kept = kept.cast_unsigned();
    // SAFETY: as in `close_from`.
    unsafe {
        if kept > 3 {
            libc::syscall(libc::SYS_close_range, 3, kept - 1, 0);
        }
        libc::syscall(libc::SYS_close_range, kept + 1, u32::MAX, 0);
    }
}

/// Default actions for every signal, so that no handler of the mock runs in the child.
pub(super) fn default_signals() {
    for signal in 1..=64 {
        // SAFETY: the default action is always valid; the two signals that refuse it keep it anyway.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
    // The two that the C library keeps for itself and does not touch for others.
    for signal in [32, 33] {
        let action = [0_u64; 4];
        // SAFETY: all zero is the default action in the kernel's own layout, which is no longer than this.
        unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, action.as_ptr(), 0, size_of::<u64>()) };
    }
}

/// Blocks all signals in this thread and gives the mask of before.
pub(super) fn block_signals() -> libc::sigset_t {
    // SAFETY: both sets are plain data that the calls fill.
    unsafe {
        let (mut all, mut old) = (std::mem::zeroed(), std::mem::zeroed());
        libc::sigfillset(&mut all);
        libc::pthread_sigmask(libc::SIG_BLOCK, &all, &mut old);
        old
    }
}

/// Sets this thread's signal mask.
pub(super) fn set_signal_mask(mask: &libc::sigset_t) {
    // SAFETY: `mask` is a valid set.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, mask, std::ptr::null_mut()) };
}

/// A descriptor that becomes readable when a child ends; other signals are let through.
pub(super) fn child_events() -> io::Result<OwnedFd> {
    // SAFETY: the set is plain data; a non-negative result is a fresh descriptor that nobody else owns.
    unsafe {
        let mut mask = std::mem::zeroed();
        libc::sigemptyset(&mut mask);
        libc::sigaddset(&mut mask, libc::SIGCHLD);
        set_signal_mask(&mask);
        let fd = libc::signalfd(-1, &mask, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK);
        if fd < 0 { Err(io::Error::last_os_error()) } else { Ok(OwnedFd::from_raw_fd(fd)) }
    }
}

/// Waits for any child to end; false when there is none.
pub(super) fn reap() -> bool {
    // SAFETY: no status is asked for.
    unsafe { libc::waitpid(-1, std::ptr::null_mut(), 0) > 0 }
}

/// One ended child, any or this one, which stays as it is: its pid and wait status.
pub(super) fn ended(pid: Option<i32>) -> Option<(i32, i32)> {
    let (kind, id) = pid.map_or((libc::P_ALL, 0), |pid| (libc::P_PID, pid.cast_unsigned()));
    // SAFETY: the record is plain data that the call fills; without an ended child its pid stays 0.
    unsafe {
        let mut info: libc::siginfo_t = std::mem::zeroed();
        let flags = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
        if libc::waitid(kind, id, &raw mut info, flags) < 0 || info.si_pid() == 0 {
            return None;
        }
        let word = info.si_status();
        let status = match info.si_code {
            libc::CLD_EXITED => (word & 0xff) << 8,
            libc::CLD_DUMPED => word | 0x80,
            _ => word,
        };
        Some((info.si_pid(), status))
    }
}

/// Waits for one child to end.
pub(super) fn wait_for(pid: i32) {
    // SAFETY: no status is asked for.
    while unsafe { libc::waitpid(pid, std::ptr::null_mut(), 0) } < 0
        && io::Error::last_os_error().kind() == io::ErrorKind::Interrupted
    {}
}

/// Numbers in pages of their own, which grow without an allocator.
pub(super) struct Pages {
    base: *mut i32,
    bytes: usize,
}

impl Default for Pages {
    fn default() -> Self {
        Self { base: std::ptr::null_mut(), bytes: 0 }
    }
}

impl Pages {
    const FIRST: usize = 4096;

    /// Makes room for so many numbers; new ones are 0.
    pub(super) fn grow(&mut self, words: usize) -> io::Result<()> {
        let bytes = words.saturating_mul(size_of::<i32>());
        if bytes <= self.bytes {
            return Ok(());
        }
        let wanted = bytes.next_power_of_two().max(Self::FIRST);
        // SAFETY: a fresh private mapping, or the growth of the one that this value alone uses.
        let base = unsafe {
            if self.base.is_null() {
                let (protection, flags) =
                    (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
                libc::mmap(std::ptr::null_mut(), wanted, protection, flags, -1, 0)
            } else {
                libc::mremap(self.base.cast(), self.bytes, wanted, libc::MREMAP_MAYMOVE)
            }
        };
        if base == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        (self.base, self.bytes) = (base.cast(), wanted);
        Ok(())
    }

    /// All that there is room for.
    pub(super) fn words(&mut self) -> &mut [i32] {
        if self.base.is_null() {
            return &mut [];
        }
        // SAFETY: mapped by `grow`, zeroed by the kernel, and borrowed as this value is.
        unsafe { std::slice::from_raw_parts_mut(self.base, self.bytes / size_of::<i32>()) }
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        if !self.base.is_null() {
            // SAFETY: mapped by `grow`, and nothing borrows it any more.
            unsafe { libc::munmap(self.base.cast(), self.bytes) };
        }
    }
}

/// Takes CAP_SYS_ADMIN from whatever this process execs: with it the guest's root could make the read-only mounts of
/// the host's directories writable again. In a namespace of its own making they are locked. And CAP_SYS_BOOT, with which
/// it could end the init.
pub(super) fn forbid_mounts() {
    const CAP_SYS_ADMIN: libc::c_ulong = 21;
    const CAP_SYS_BOOT: libc::c_ulong = 22;
    for capability in [CAP_SYS_ADMIN, CAP_SYS_BOOT] {
        // SAFETY: takes numbers only. It is refused to a process that has no such capability to pass on.
        unsafe { libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0) };
    }
}

/// Whether this process keeps what it may do when it stops being root.
pub(super) fn keep_capabilities(keep: bool) -> rustix::io::Result<()> {
    // SAFETY: takes numbers only.
    match unsafe { libc::prctl(libc::PR_SET_KEEPCAPS, libc::c_ulong::from(keep), 0, 0, 0) } {
        0 => Ok(()),
        _ => Err(rustix::io::Errno::PERM),
    }
}

/// Files are opened, and made, as root's.
pub(super) fn open_as_root() {
    // SAFETY: changes only the file id of the calling thread.
    unsafe { libc::setfsuid(0) };
}

/// Brings up the loopback of this process's network.
pub(super) fn bring_up_loopback() -> io::Result<()> {
    // SAFETY: the request is plain data that outlives the call; the socket is a fresh descriptor of nobody else.
    unsafe {
        let socket = libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0);
        if socket < 0 {
            return Err(io::Error::last_os_error());
        }
        let socket = OwnedFd::from_raw_fd(socket);
        let mut request: libc::ifreq = std::mem::zeroed();
        for (slot, byte) in request.ifr_name.iter_mut().zip(*b"lo") {
            *slot = byte.cast_signed() as libc::c_char;
        }
        request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
        let call = libc::SIOCSIFFLAGS as libc::c_ulong;
        check(libc::syscall(libc::SYS_ioctl, socket.as_raw_fd(), call, &raw const request))
    }
}

/// kill(2).
pub(super) fn kill(pid: i32, signal: i32) -> io::Result<()> {
    // SAFETY: takes numbers only.
    check(i64::from(unsafe { libc::kill(pid, signal) }))
}

/// Leaves at once, without running anything of the mock.
pub(super) fn exit(code: c_int) -> ! {
    // SAFETY: never returns and runs no handlers.
    unsafe { libc::_exit(code) }
}

/// Writes `text` over the memory that this process shows as its command line, and zeroes its environment, so
/// that the guest learns nothing of the mock's. `areas` are (start, end) of both, from /proc/self/stat.
pub(super) fn rename(areas: [(usize, usize); 2], text: &CStr) {
    for (start, end) in areas {
        if start != 0 && end > start {
            // SAFETY: the kernel reports these as the process's own argument and environment strings; this is a
            // private copy that nobody reads any more.
            unsafe { std::ptr::write_bytes(start as *mut u8, 0, end - start) };
        }
    }
    let (start, end) = areas[0];
    let bytes = text.to_bytes_with_nul();
    if start != 0 && end.saturating_sub(start) >= bytes.len() {
        // SAFETY: as above, and the text fits.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), start as *mut u8, bytes.len()) };
    }
}

fn check(result: i64) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
