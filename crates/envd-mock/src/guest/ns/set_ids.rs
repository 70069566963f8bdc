//! Keeps the commands of a guest from making files that run as their owner. In a directory of the host that is used in
//! place, such a file would be reachable for other users of the host, where nothing of the guest's walls applies to it.
//! Allocates nothing.

use std::io;

use libc::{sock_filter, sock_fprog};

/// How a system call is told the permission bits of something that it makes or changes.
#[derive(Clone, Copy)]
enum Call {
    /// In this argument.
    Mode(u32),
    /// In the second of these arguments, if the first says that something is made.
    Open(u32, u32),
    /// Out of a filter's sight: it is not there.
    Hidden,
}

use Call::{Hidden, Mode, Open};

const SET_IDS: u32 = 0o6000;
/// O_CREAT and the bit of O_TMPFILE that is its own.
const MAKES: u32 = (libc::O_CREAT | (libc::O_TMPFILE & !libc::O_DIRECTORY)) as u32;

#[cfg(target_arch = "x86_64")]
const NATIVE: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const NATIVE: u32 = 0xc000_00b7;
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
const NATIVE: u32 = 0;

const CALLS: &[(libc::c_long, Call)] = &[
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_chmod, Mode(1)),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_creat, Mode(1)),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_mkdir, Mode(1)),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_mknod, Mode(1)),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_open, Open(1, 2)),
    (libc::SYS_fchmod, Mode(1)),
    (libc::SYS_fchmodat, Mode(2)),
    (452, Mode(2)),
    (libc::SYS_mkdirat, Mode(2)),
    (libc::SYS_mknodat, Mode(2)),
    (libc::SYS_openat, Open(2, 3)),
    (libc::SYS_openat2, Hidden),
    (libc::SYS_io_uring_setup, Hidden),
];

const CAPACITY: usize = 128;

/// A program for the kernel's filter of system calls.
struct Program {
    code: [sock_filter; CAPACITY],
    len: usize,
}

impl Program {
    fn add(&mut self, code: u32, jt: u8, jf: u8, k: u32) {
        if let Some(slot) = self.code.get_mut(self.len) {
            *slot = sock_filter { code: code as u16, jt, jf, k };
            self.len += 1;
        }
    }

    fn load(&mut self, offset: u32) {
        self.add(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, offset);
    }

    fn argument(&mut self, number: u32) {
        let low = if cfg!(target_endian = "big") { 4 } else { 0 };
        self.load(16 + 8 * number + low);
    }

    fn jump(&mut self, test: u32, k: u32, jt: u8, jf: u8) {
        self.add(libc::BPF_JMP | test | libc::BPF_K, jt, jf, k);
    }

    fn answer(&mut self, answer: u32) {
        self.add(libc::BPF_RET | libc::BPF_K, 0, 0, answer);
    }

    fn fail(&mut self, errno: i32) {
        self.answer(libc::SECCOMP_RET_ERRNO | errno.cast_unsigned());
    }

    fn call(&mut self, number: u32, call: Call) {
        match call {
            Hidden => {
                self.jump(libc::BPF_JEQ, number, 0, 1);
                self.fail(libc::ENOSYS);
            }
            Mode(mode) => {
                self.jump(libc::BPF_JEQ, number, 0, 4);
                self.argument(mode);
                self.jump(libc::BPF_JSET, SET_IDS, 0, 1);
                self.fail(libc::EPERM);
                self.answer(libc::SECCOMP_RET_ALLOW);
            }
            Open(flags, mode) => {
                self.jump(libc::BPF_JEQ, number, 0, 6);
                self.argument(flags);
                self.jump(libc::BPF_JSET, MAKES, 0, 3);
                self.argument(mode);
                self.jump(libc::BPF_JSET, SET_IDS, 0, 1);
                self.fail(libc::EPERM);
                self.answer(libc::SECCOMP_RET_ALLOW);
            }
        }
    }
}

/// From here on this process and what it starts cannot set a file's set-user-id or set-group-id bit (EPERM), nor give
/// it capabilities. Programs of another architecture than the mock's do not run, and io_uring is not there.
pub(super) fn forbid() -> io::Result<()> {
    const CAP_SETFCAP: libc::c_ulong = 31;
    let mut program = Program { code: [sock_filter { code: 0, jt: 0, jf: 0, k: 0 }; CAPACITY], len: 0 };
    program.load(4);
    program.jump(libc::BPF_JEQ, NATIVE, 1, 0);
    program.fail(libc::ENOSYS);
    program.load(0);
    if cfg!(target_arch = "x86_64") {
        program.jump(libc::BPF_JGE, 0x4000_0000, 0, 1);
        program.fail(libc::ENOSYS);
    }
    for &(number, call) in CALLS {
        program.call(number as u32, call);
    }
    program.answer(libc::SECCOMP_RET_ALLOW);
    let filter = sock_fprog { len: program.len as u16, filter: program.code.as_mut_ptr() };
    // SAFETY: takes numbers, and a program that outlives the call.
    unsafe {
        if libc::prctl(libc::PR_CAPBSET_DROP, CAP_SETFCAP, 0, 0, 0) < 0
            || libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, &raw const filter) < 0
        {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}
