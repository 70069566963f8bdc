//! The system calls that a guest of an unprivileged mock is refused. All of its processes have the mock's own user id
//! for the kernel, which therefore lets them change the limits and the scheduling of their init, and use the keys of
//! the mock's user by number. As root, namespaces with ids of their own do what is done here. Allocates nothing.

use std::ffi::{c_long, c_ulong};
use std::io;
use std::mem::offset_of;

const EPERM: u32 = libc::SECCOMP_RET_ERRNO | libc::EPERM as u32;
const ENOSYS: u32 = libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32;
const ALLOW: u32 = libc::SECCOMP_RET_ALLOW;
/// The init's number, as the guest sees it.
const INIT: u32 = 1;
/// `which` of setpriority(2) and ioprio_set(2) for all processes of a user, the init among them.
const PRIO_USER: u32 = 2;
const IOPRIO_WHO_USER: u32 = 3;

/// The numbers of the calls in one architecture.
struct Calls {
    audit: u32,
    keys: [u32; 3],
    /// Their first argument is a process.
    schedule: [u32; 4],
    prlimit: u32,
    setpriority: u32,
    ioprio_set: u32,
}

const fn number(call: c_long) -> u32 {
    call as u32
}

#[cfg(target_arch = "x86_64")]
const AUDIT: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const AUDIT: u32 = 0xc000_00b7;
#[cfg(target_arch = "riscv64")]
const AUDIT: u32 = 0xc000_00f3;

const NATIVE: Calls = Calls {
    audit: AUDIT,
    keys: [number(libc::SYS_add_key), number(libc::SYS_request_key), number(libc::SYS_keyctl)],
    schedule: [
        number(libc::SYS_sched_setaffinity),
        number(libc::SYS_sched_setscheduler),
        number(libc::SYS_sched_setparam),
        number(libc::SYS_sched_setattr),
    ],
    prlimit: number(libc::SYS_prlimit64),
    setpriority: number(libc::SYS_setpriority),
    ioprio_set: number(libc::SYS_ioprio_set),
};

/// What 32-bit programs call.
#[cfg(target_arch = "x86_64")]
const COMPATIBLE: Option<Calls> = Some(Calls {
    audit: 0x4000_0003,
    keys: [286, 287, 288],
    schedule: [241, 156, 154, 351],
    prlimit: 340,
    setpriority: 97,
    ioprio_set: 289,
});
#[cfg(target_arch = "aarch64")]
const COMPATIBLE: Option<Calls> = Some(Calls {
    audit: 0x4000_0028,
    keys: [309, 310, 311],
    schedule: [241, 156, 154, 380],
    prlimit: 369,
    setpriority: 97,
    ioprio_set: 314,
});
#[cfg(target_arch = "riscv64")]
const COMPATIBLE: Option<Calls> = None;

/// A program as it grows.
struct Filter {
    code: [libc::sock_filter; 128],
    len: usize,
}

/// Refuses the calls to this process and all that it starts.
///
/// # Errors
/// When the kernel has no such filters.
pub(super) fn install() -> io::Result<()> {
    let mut filter = Filter { code: [instruction(0, 0, 0, 0); 128], len: 0 };
    filter.whole();
    let program = libc::sock_fprog { len: filter.len as u16, filter: filter.code.as_mut_ptr() };
    let mode: c_ulong = libc::SECCOMP_MODE_FILTER.into();
    // SAFETY: the program outlives the call, which copies it.
    match unsafe { libc::prctl(libc::PR_SET_SECCOMP, mode, &raw const program, 0, 0) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

const fn instruction(code: u32, jt: u8, jf: u8, k: u32) -> libc::sock_filter {
    libc::sock_filter { code: code as u16, jt, jf, k }
}

impl Filter {
    fn whole(&mut self) {
        if let Some(calls) = COMPATIBLE {
            self.architecture(&calls);
        }
        self.architecture(&NATIVE);
        // Any other architecture: its numbers are unknown.
        self.end(ENOSYS);
    }

    fn push(&mut self, instruction: libc::sock_filter) {
        self.code[self.len] = instruction;
        self.len += 1;
    }

    fn load(&mut self, offset: usize) {
        self.push(instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, offset as u32));
    }

    /// The half of an argument that holds numbers.
    fn load_argument(&mut self, index: usize) {
        let low = if cfg!(target_endian = "little") { 0 } else { 4 };
        self.load(offset_of!(libc::seccomp_data, args) + 8 * index + low);
    }

    fn jump_equal(&mut self, k: u32, jt: u8, jf: u8) {
        self.push(instruction(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, jt, jf, k));
    }

    fn end(&mut self, verdict: u32) {
        self.push(instruction(libc::BPF_RET | libc::BPF_K, 0, 0, verdict));
    }

    /// Decides on all calls of one architecture, and passes over those of others.
    fn architecture(&mut self, calls: &Calls) {
        self.load(offset_of!(libc::seccomp_data, arch));
        let jump = self.len;
        self.jump_equal(calls.audit, 0, 0);
        self.load(offset_of!(libc::seccomp_data, nr));
        if cfg!(target_arch = "x86_64") {
            // The x32 calls have numbers of their own; hardly any kernel has them.
            self.push(instruction(libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K, 0, 1, 0x4000_0000));
            self.end(ENOSYS);
        }
        for call in calls.keys {
            self.jump_equal(call, 0, 1);
            self.end(EPERM);
        }
        for call in calls.schedule {
            self.jump_equal(call, 0, 4);
            self.load_argument(0);
            self.jump_equal(INIT, 0, 1);
            self.end(EPERM);
            self.end(ALLOW);
        }
        for (call, all_of_a_user) in [(calls.setpriority, PRIO_USER), (calls.ioprio_set, IOPRIO_WHO_USER)] {
            self.jump_equal(call, 0, 6);
            self.load_argument(0);
            self.jump_equal(all_of_a_user, 2, 0);
            self.load_argument(1);
            self.jump_equal(INIT, 0, 1);
            self.end(EPERM);
            self.end(ALLOW);
        }
        self.prlimit(calls.prlimit);
        self.end(ALLOW);
        self.code[jump].jf = (self.len - jump - 1) as u8;
    }

    /// Limits of the init may be read: no new ones are given then.
    fn prlimit(&mut self, call: u32) {
        self.jump_equal(call, 0, 8);
        self.load_argument(0);
        self.jump_equal(INIT, 0, 5);
        let new = offset_of!(libc::seccomp_data, args) + 16;
        self.load(new);
        self.jump_equal(0, 0, 2);
        self.load(new + 4);
        self.jump_equal(0, 1, 0);
        self.end(EPERM);
        self.end(ALLOW);
    }
}
