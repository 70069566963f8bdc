//! One command, from the mock's words to a running process: the mock packs it into a block of memory, the holder
//! points into that block, and the child between fork and exec makes system calls only.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::ptr;

use rustix::fs::{MemfdFlags, memfd_create};

use super::process::Command;
use super::sys;

/// Flag: the standard descriptors are a terminal, which becomes the controlling one.
const PTY: u32 = 1;
/// Flag: set the (empty) list of supplementary groups, where the kernel allows it.
const GROUPS: u32 = 2;
/// Flag: user and group are set by number; without it they stay the holder's.
const IDS: u32 = 4;
/// Flag: there are walls, and mounts to keep as they are.
const WALLS: u32 = 8;

const CAP_SETFCAP: libc::c_ulong = 31;

/// What of a guest's launch decides how its commands run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Manner {
    pub(crate) switch: Switch,
    /// The users with a namespace of their own, in the holder's order.
    pub(crate) nested: Vec<u32>,
    /// There are walls around the guest.
    pub(crate) walled: bool,
    /// Bytes of private memory that each process has.
    pub(crate) memory: Option<u64>,
}

/// How ids are changed for a command; the launch of the guest decides it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Switch {
    /// By number, with the groups.
    Numbers,
    /// By joining one of the nested namespaces, user ids in their order.
    Nested,
    /// Not at all.
    Never,
}

/// The head of a block; all else is found from here.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
struct Head {
    flags: u32,
    uid: u32,
    gid: u32,
    nested: i32,
    /// Offsets from the start of the block; the tables hold 8-byte offsets that the holder turns into pointers.
    candidates: u64,
    argv: u64,
    env: u64,
    cwd: u64,
    shell: u64,
    /// Bytes of private memory; 0 is no limit.
    memory: u64,
    missing: u64,
    denied: u64,
    end_of_tables: u64,
    len: u64,
}

impl Command {
    /// Packs the command into a sealed memory file.
    ///
    /// # Errors
    /// When a string holds a NUL byte ("nul byte found in provided data") or memory cannot be had.
    pub(super) fn pack(&self, manner: &Manner) -> io::Result<OwnedFd> {
        if self.uid == u32::MAX || self.gid == u32::MAX {
            let why = "4294967295 is (uid)-1, which means no change of user or group";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        }
        let block = self.block(manner)?;
        let fd = memfd_create(c"command", MemfdFlags::CLOEXEC)?;
        let mut rest = block.as_slice();
        while !rest.is_empty() {
            let written = rustix::io::write(&fd, rest)?;
            rest = &rest[written..];
        }
        Ok(fd)
    }

    fn block(&self, manner: &Manner) -> io::Result<Vec<u8>> {
        let table = |n: usize| (n as u64 + 1) * 8;
        let candidates = size_of::<Head>() as u64;
        // One slot before argv, for the shell that runs a script without an interpreter line.
        let argv = candidates + table(self.candidates.len()) + 8;
        let env = argv + table(self.argv.len());
        let end_of_tables = env + table(self.env.len());
        let mut out = Packer { bytes: vec![0; end_of_tables as usize] };
        out.table(candidates, &self.candidates)?;
        out.table(argv, &self.argv)?;
        out.table(env, &self.env)?;
        let name = self.argv.first().map_or("", String::as_str);
        let flags = if self.pty { PTY } else { 0 } | if manner.walled { WALLS } else { 0 };
        let mut head = Head {
            flags,
            uid: self.uid,
            gid: self.gid,
            nested: -1,
            candidates,
            argv,
            env,
            cwd: out.text(&self.cwd)?,
            shell: out.text("/bin/sh")?,
            memory: manner.memory.unwrap_or(0),
            missing: out.text(&format!("envd: {name}: not found\n"))?,
            denied: out.text(&format!("envd: {name}: permission denied\n"))?,
            end_of_tables,
            len: out.bytes.len() as u64,
        };
        match manner.switch {
            Switch::Numbers => {
                head.flags |= GROUPS | IDS;
                // Behind walls all commands share a namespace.
                head.nested = if manner.walled { 0 } else { -1 };
            }
            Switch::Nested if self.uid != 0 => head.nested = position(&manner.nested, self.uid)?,
            Switch::Nested | Switch::Never => {}
        }
        out.head(&head);
        Ok(out.bytes)
    }
}

fn position(nested: &[u32], uid: u32) -> io::Result<i32> {
    let at = nested.iter().position(|&known| known == uid).and_then(|n| i32::try_from(n).ok());
    let none =
        || io::Error::other(format!("a mock that is not root cannot run commands as uid {uid} in this tree"));
    at.ok_or_else(none)
}

struct Packer {
    bytes: Vec<u8>,
}

impl Packer {
    fn text(&mut self, text: &str) -> io::Result<u64> {
        if text.contains('\0') {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "nul byte found in provided data"));
        }
        let at = self.bytes.len() as u64;
        self.bytes.extend_from_slice(text.as_bytes());
        self.bytes.push(0);
        Ok(at)
    }

    fn table(&mut self, at: u64, texts: &[String]) -> io::Result<()> {
        for (n, text) in texts.iter().enumerate() {
            let offset = self.text(text)?;
            let slot = at as usize + 8 * n;
            self.bytes[slot..slot + 8].copy_from_slice(&offset.to_ne_bytes());
        }
        Ok(())
    }

    fn head(&mut self, head: &Head) {
        // SAFETY: `Head` is plain data without padding that matters, and the block starts with room for it.
        let bytes =
            unsafe { std::slice::from_raw_parts(ptr::from_ref(head).cast::<u8>(), size_of::<Head>()) };
        self.bytes[..bytes.len()].copy_from_slice(bytes);
    }
}

/// What the child needs; lives on the holder's stack, which the child shares until it execs.
struct Child {
    base: *mut u8,
    head: Head,
    fds: [c_int; 3],
    userns: c_int,
    failed: c_int,
}

/// Runs the command of `block` in a new process and gives its pid. Called by the holder.
///
/// # Errors
/// What fork, chdir, the change of user or exec said; a program that is not there is no error: the process
/// says so on its standard error and ends with 127 (126 when it may not be run).
pub(super) fn spawn(block: &OwnedFd, standard: [BorrowedFd<'_>; 3], nested: &[c_int]) -> io::Result<i32> {
    let map = Map::new(block)?;
    let head = map.relocate();
    let mut child = Child {
        base: map.base,
        head,
        fds: standard.map(|fd| fd.as_raw_fd()),
        userns: usize::try_from(head.nested).ok().and_then(|n| nested.get(n).copied()).unwrap_or(-1),
        failed: 0,
    };
    let stack = Stack::new()?;
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
    let argument = (&raw mut child).cast::<c_void>();
    // SAFETY: the stack is mapped and large, this thread sleeps until the child has exec'd or ended, and the
    // child makes system calls only.
    let pid = unsafe { libc::clone(run, stack.top(), flags, argument) };
    if pid < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the child has written it before it ended, in memory that both share.
    match unsafe { ptr::read_volatile(&raw const child.failed) } {
        0 => Ok(pid),
        errno => {
            sys::wait_for(pid);
            Err(io::Error::from_raw_os_error(errno))
        }
    }
}

/// The child, from fork to exec.
extern "C" fn run(argument: *mut c_void) -> c_int {
    // SAFETY: the pointer is to the `Child` of a parent that sleeps.
    let child = unsafe { &mut *argument.cast::<Child>() };
    // SAFETY: the block is mapped and relocated.
    if let Err(errno) = unsafe { child.prepare() } {
        child.failed = errno;
        sys::exit(1);
    }
    // SAFETY: as above.
    let errno = unsafe { child.exec() };
    match errno {
        libc::ENOENT | libc::ENOTDIR => child.say(child.head.missing, 127),
        libc::EACCES | libc::EPERM => child.say(child.head.denied, 126),
        other => {
            child.failed = other;
            sys::exit(1)
        }
    }
}

impl Child {
    unsafe fn prepare(&mut self) -> Result<(), c_int> {
        let head = self.head;
        // SAFETY: system calls on numbers and on strings inside the mapped block.
        unsafe {
            sys::default_signals();
            sys::set_signal_mask(&std::mem::zeroed());
            libc::umask(0o022);
            let pty = head.flags & PTY != 0;
            check(if pty { libc::setsid() } else { libc::setpgid(0, 0) })?;
            // First out of the way of 0, 1 and 2, then into place: none of them may overwrite another.
            for fd in &mut self.fds {
                *fd = check(libc::fcntl(*fd, libc::F_DUPFD_CLOEXEC, 10))?;
            }
            for (to, &fd) in self.fds.iter().enumerate() {
                check(libc::dup2(fd, to as c_int))?;
            }
            if pty {
                check(libc::ioctl(0, libc::TIOCSCTTY, 0))?;
            }
            if self.userns >= 0 {
                // Joining gives back what the init has forbidden itself.
                let sets_capabilities = libc::prctl(libc::PR_CAPBSET_READ, CAP_SETFCAP, 0, 0, 0);
                check(libc::setns(self.userns, libc::CLONE_NEWUSER))?;
                if sets_capabilities == 0 {
                    libc::prctl(libc::PR_CAPBSET_DROP, CAP_SETFCAP, 0, 0, 0);
                }
            }
            sys::close_from(3);
            if head.flags & WALLS != 0 {
                sys::forbid_mounts();
            }
            if head.flags & GROUPS != 0 {
                // Not an error where the kernel forbids it; the list is then the holder's own.
                libc::syscall(libc::SYS_setgroups, 0, ptr::null::<libc::gid_t>());
            }
            if head.flags & IDS != 0 {
                let (uid, gid) = (head.uid, head.gid);
                check(libc::syscall(libc::SYS_setresgid, gid, gid, gid) as c_int)?;
                // Only who has been root loses root's powers with its id.
                check(libc::syscall(libc::SYS_setresuid, 0, 0, 0) as c_int)?;
                check(libc::syscall(libc::SYS_setresuid, uid, uid, uid) as c_int)?;
            }
            check(libc::chdir(self.text(head.cwd)))?;
            if head.memory > 0 {
                let limit = libc::rlimit64 { rlim_cur: head.memory, rlim_max: head.memory };
                // Not an error where the mock itself may have less.
                libc::setrlimit64(libc::RLIMIT_DATA, &raw const limit);
            }
        }
        Ok(())
    }

    /// Tries every candidate; gives the error that tells most.
    unsafe fn exec(&mut self) -> c_int {
        let mut told = libc::ENOENT;
        let (argv, env) = (self.table(self.head.argv), self.table(self.head.env));
        let mut candidate = self.table(self.head.candidates);
        // SAFETY: the tables end with a null pointer and point at strings inside the block; the slot before argv
        // is part of the block.
        unsafe {
            while !(*candidate).is_null() {
                libc::execve(*candidate, argv.cast(), env.cast());
                match errno() {
                    libc::ENOENT | libc::ENOTDIR => {}
                    libc::EACCES => told = libc::EACCES,
                    libc::ENOEXEC => {
                        let shell = argv.sub(1);
                        *shell = self.text(self.head.shell);
                        *argv = *candidate;
                        libc::execve(*shell, shell.cast(), env.cast());
                        return errno();
                    }
                    other => return other,
                }
                candidate = candidate.add(1);
            }
        }
        told
    }

    fn say(&self, text: u64, code: c_int) -> ! {
        let text = self.text(text);
        // SAFETY: a C string inside the block; a failed write changes nothing.
        unsafe { libc::write(2, text.cast(), CStr::from_ptr(text).to_bytes().len()) };
        sys::exit(code)
    }

    fn text(&self, offset: u64) -> *const c_char {
        self.base.wrapping_add(offset as usize).cast_const().cast()
    }

    fn table(&self, offset: u64) -> *mut *const c_char {
        self.base.wrapping_add(offset as usize).cast()
    }
}

fn errno() -> c_int {
    // SAFETY: glibc's and musl's thread-local errno is always valid.
    unsafe { *libc::__errno_location() }
}

fn check(result: c_int) -> Result<c_int, c_int> {
    if result < 0 { Err(errno()) } else { Ok(result) }
}

/// A private mapping, unmapped when dropped.
struct Map {
    base: *mut u8,
    len: usize,
}

impl Map {
    fn new(fd: &OwnedFd) -> io::Result<Self> {
        let len = rustix::fs::fstat(fd)?.st_size as usize;
        if len < size_of::<Head>() {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let (protection, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE);
        Self::fresh(len, protection, flags, fd.as_raw_fd())
    }

    fn fresh(len: usize, protection: c_int, flags: c_int, fd: c_int) -> io::Result<Self> {
        // SAFETY: a fresh mapping at an address of the kernel's choice.
        let base = unsafe { libc::mmap(ptr::null_mut(), len, protection, flags, fd, 0) };
        if base == libc::MAP_FAILED {
            Err(io::Error::last_os_error())
        } else {
            Ok(Self { base: base.cast(), len })
        }
    }

    /// Turns the offsets of the tables into pointers.
    fn relocate(&self) -> Head {
        // SAFETY: the mock packed the block: a head, then tables of aligned 8-byte words up to `end_of_tables`.
        unsafe {
            let head = ptr::read(self.base.cast::<Head>());
            let mut at = head.candidates as usize;
            while at < head.end_of_tables as usize {
                let word = self.base.add(at).cast::<u64>();
                if *word != 0 {
                    *word += self.base as u64;
                }
                at += 8;
            }
            head
        }
    }
}

impl Drop for Map {
    fn drop(&mut self) {
        // SAFETY: mapped by `fresh`, and nothing points into it any more.
        unsafe { libc::munmap(self.base.cast(), self.len) };
    }
}

/// The stack on which a child runs until it execs.
struct Stack(Map);

impl Stack {
    const SIZE: usize = 64 * 1024;

    fn new() -> io::Result<Self> {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_STACK;
        Ok(Self(Map::fresh(Self::SIZE, libc::PROT_READ | libc::PROT_WRITE, flags, -1)?))
    }

    fn top(&self) -> *mut c_void {
        self.0.base.wrapping_add(Self::SIZE).cast()
    }
}
