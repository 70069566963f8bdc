//! Sets everything that a process inherits and that no namespace separates: limits, scheduling, keyrings, and the like.
//! A guest starts with the values of this file, however the mock was started. What the mock sets from outside needs its
//! privileges; what the init sets of itself allocates nothing.

use std::ffi::{c_int, c_long};
use std::fs;
use std::io;

/// What one guest may use. `None` leaves it to the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Limits {
    /// Processes and threads of all users of the guest together, its init included.
    pub(crate) processes: Option<u32>,
    /// Private memory of each command's processes, in bytes; the init is a copy of the mock and may need more.
    pub(crate) memory: Option<u64>,
}

const UNLIMITED: u64 = libc::RLIM_INFINITY;
const MIB: u64 = 1 << 20;
/// Resource, soft limit, hard limit.
type Limit = (c_int, u64, u64);
/// A core file of one byte is none; a program that takes core dumps on the host is not started for it either.
const NO_CORE: u64 = 1;
const LIMITS: [Limit; 15] = [
    (libc::RLIMIT_CPU as c_int, UNLIMITED, UNLIMITED),
    (libc::RLIMIT_FSIZE as c_int, UNLIMITED, UNLIMITED),
    (libc::RLIMIT_DATA as c_int, UNLIMITED, UNLIMITED),
    (libc::RLIMIT_STACK as c_int, 8 * MIB, UNLIMITED),
    (libc::RLIMIT_CORE as c_int, NO_CORE, NO_CORE),
    (libc::RLIMIT_RSS as c_int, UNLIMITED, UNLIMITED),
    (libc::RLIMIT_NOFILE as c_int, 1024, 65_536),
    (libc::RLIMIT_MEMLOCK as c_int, 8 * MIB, 8 * MIB),
    (libc::RLIMIT_AS as c_int, UNLIMITED, UNLIMITED),
    (libc::RLIMIT_LOCKS as c_int, UNLIMITED, UNLIMITED),
    (libc::RLIMIT_SIGPENDING as c_int, 8192, 8192),
    (libc::RLIMIT_MSGQUEUE as c_int, 819_200, 819_200),
    (libc::RLIMIT_NICE as c_int, 0, 0),
    (libc::RLIMIT_RTPRIO as c_int, 0, 0),
    (libc::RLIMIT_RTTIME as c_int, UNLIMITED, UNLIMITED),
];
const IOPRIO_WHO_PROCESS: c_int = 1;
const KEYCTL_JOIN_SESSION_KEYRING: c_int = 1;
const MPOL_DEFAULT: c_int = 0;
/// In nanoseconds, as the kernel gives the first process.
const TIMER_SLACK: libc::c_ulong = 50_000;

/// Gives the waiting process `pid`, and so all that it starts, values that do not depend on the mock's own. What the
/// kernel refuses to an unprivileged mock (a lower niceness, a higher hard limit) stays as it is.
pub(super) fn apply(pid: i32, limits: Limits) {
    for (resource, soft, hard) in LIMITS {
        limit(pid, resource, soft, hard);
    }
    if let Some(processes) = limits.processes {
        limit(pid, libc::RLIMIT_NPROC as c_int, processes.into(), processes.into());
    }
    schedule(pid);
    // A process that is gone meanwhile is noticed by whoever waits for it.
    let _ = fs::write(format!("/proc/{pid}/oom_score_adj"), "0");
    let _ = fs::write(format!("/proc/{pid}/coredump_filter"), "0x33");
}

/// Sets both limits, within the hard limit that there is where it cannot be raised.
fn limit(pid: i32, resource: c_int, soft: u64, hard: u64) {
    let wanted = libc::rlimit64 { rlim_cur: soft.min(hard), rlim_max: hard };
    let mut held = libc::rlimit64 { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the structs outlive the calls, which change nothing of this process.
    unsafe {
        if libc::syscall(libc::SYS_prlimit64, pid, resource, &raw const wanted, 0) == 0 {
            return;
        }
        if libc::syscall(libc::SYS_prlimit64, pid, resource, 0, &raw mut held) == 0 {
            let most = held.rlim_max.min(hard);
            let within = libc::rlimit64 { rlim_cur: soft.min(most), rlim_max: most };
            libc::syscall(libc::SYS_prlimit64, pid, resource, &raw const within, 0);
        }
    }
}

/// Ordinary scheduling on every processor, niceness 0, no I/O class.
fn schedule(pid: i32) {
    let parameters = libc::sched_param { sched_priority: 0 };
    // SAFETY: plain system calls over data that outlives them.
    unsafe {
        let mut all: libc::cpu_set_t = std::mem::zeroed();
        for cpu in 0..8 * size_of::<libc::cpu_set_t>() {
            libc::CPU_SET(cpu, &mut all);
        }
        libc::sched_setscheduler(pid, libc::SCHED_OTHER, &raw const parameters);
        libc::syscall(libc::SYS_setpriority, libc::PRIO_PROCESS, pid, 0);
        libc::sched_setaffinity(pid, size_of::<libc::cpu_set_t>(), &raw const all);
        libc::syscall(libc::SYS_ioprio_set, IOPRIO_WHO_PROCESS, pid, 0);
    }
}

/// What only the init itself can set. Called before it gives up the mock's user id, whose quota of keys counts.
///
/// # Errors
/// When it would keep the mock's session keyring.
pub(super) fn enter() -> io::Result<()> {
    // SAFETY: system calls that take numbers only and concern this process alone.
    unsafe {
        libc::umask(0o022);
        libc::personality(0);
        libc::prctl(libc::PR_SET_TIMERSLACK, TIMER_SLACK, 0, 0, 0);
        libc::prctl(libc::PR_SET_THP_DISABLE, 0, 0, 0, 0);
        libc::prctl(libc::PR_SET_PDEATHSIG, 0, 0, 0, 0);
        libc::prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
        libc::syscall(libc::SYS_set_mempolicy, MPOL_DEFAULT, 0, 0);
        leave_session_keyring()
    }
}

unsafe fn leave_session_keyring() -> io::Result<()> {
    // SAFETY: no name is given.
    let joined: c_long = unsafe { libc::syscall(libc::SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, 0) };
    if joined >= 0 {
        return Ok(());
    }
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        // There are no keyrings here, or what started the mock keeps it and the guest from them.
        Some(libc::ENOSYS | libc::EPERM | libc::EACCES) => Ok(()),
        _ => Err(error),
    }
}
