//! The holder's first moments: from a fork of the mock to the init of a guest with walls around it. Allocates
//! nothing; every failure names its stage and step.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, FromRawFd as _, IntoRawFd as _, OwnedFd};

use rustix::fs::{AtFlags, CWD, Gid, Mode, OFlags, Uid};
use rustix::io::Errno;
use rustix::mount::{
    MountFlags, MountPropagationFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags, mount, mount_change,
    move_mount, open_tree, unmount,
};
use rustix::process::{chdir, pivot_root};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};

use super::plan::{Ground, Step, Walls};
use super::sys;

/// Where a set-up failed; the launcher turns it into words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub(super) enum Stage {
    Private = 1,
    Sources,
    Root,
    Ids,
    Pivot,
    Step,
    Nested,
    Handover,
}

impl Stage {
    pub(super) fn from_code(code: i32) -> Option<Self> {
        use Stage::{Handover, Ids, Nested, Pivot, Private, Root, Sources, Step};
        [Private, Sources, Root, Ids, Pivot, Step, Nested, Handover]
            .into_iter()
            .find(|&stage| stage as i32 == code)
    }
}

/// What went wrong: the stage, the step in it, and what the kernel said.
#[derive(Debug, Clone, Copy)]
pub(super) struct Failure {
    pub(super) stage: Stage,
    pub(super) step: usize,
    pub(super) errno: i32,
}

fn at(stage: Stage, step: usize) -> impl Fn(Errno) -> Failure {
    move |errno| Failure { stage, step, errno: errno.raw_os_error() }
}

fn io_at(stage: Stage, step: usize) -> impl Fn(io::Error) -> Failure {
    move |error| Failure { stage, step, errno: error.raw_os_error().unwrap_or(0) }
}

/// Builds the guest around the calling process. `mapped`: ids come from a range, of which the holder takes 0.
pub(super) fn build(walls: &mut Walls, ground: Ground<'_>, mapped: bool) -> Result<(), Failure> {
    // Modes are as planned, whatever mask the mock was started with; commands get the usual one.
    rustix::process::umask(Mode::empty());
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)
        .map_err(at(Stage::Private, 0))?;
    let (path, disk) = match ground {
        Ground::Machine => return Ok(()),
        Ground::Dir(path) => (path, None),
        Ground::Disk(path, data) => (path, Some(data)),
    };
    open_sources(walls)?;
    // Paths of the host are walked as the user that started the mock, what is made belongs to the guest's root.
    bind_root(path).map_err(at(Stage::Root, 0))?;
    if mapped {
        become_root().map_err(at(Stage::Ids, 0))?;
    }
    if let Some(data) = disk {
        mount_disk(path, data).map_err(at(Stage::Root, 1))?;
    }
    pivot_root(".", ".").map_err(at(Stage::Pivot, 0))?;
    for index in 0..walls.steps.len() {
        carry_out(walls, index).map_err(at(Stage::Step, index))?;
    }
    // Before anyone is told that the guest stands: until then, `..` leads from below the root up into the host's tree.
    // To a process over whose root another tree lies, the kernel gives no namespace of users either.
    seal().map_err(at(Stage::Pivot, 1))?;
    nest(walls)
}

/// Takes the host's tree away, which lies on top of the guest's root until here: /proc may only be mounted while one
/// can be seen.
fn seal() -> rustix::io::Result<()> {
    unmount(".", UnmountFlags::DETACH)?;
    chdir("/")
}

fn open_sources(walls: &mut Walls) -> Result<(), Failure> {
    for (index, source) in walls.sources.iter_mut().enumerate() {
        let tree = detached(&source.path).map_err(at(Stage::Sources, index))?;
        let fd = tree.as_fd();
        sys::restrict(fd, !source.devices, source.devices).map_err(io_at(Stage::Sources, index))?;
        source.fd = tree.into_raw_fd();
    }
    Ok(())
}

fn bind_root(path: &CStr) -> rustix::io::Result<()> {
    let tree = detached(path)?;
    move_mount(&tree, c"", CWD, path, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)?;
    chdir(path)
}

fn become_root() -> rustix::io::Result<()> {
    let _ = set_thread_groups(&[]);
    set_thread_res_gid(Gid::ROOT, Gid::ROOT, Gid::ROOT)?;
    set_thread_res_uid(Uid::ROOT, Uid::ROOT, Uid::ROOT)
}

fn mount_disk(path: &CStr, data: &CStr) -> rustix::io::Result<()> {
    mount(c"tmpfs", c".", c"tmpfs", MountFlags::NODEV, data)?;
    // The mount covers the directory that this process is in: come in again by its name from above.
    chdir(path)
}

fn carry_out(walls: &Walls, index: usize) -> rustix::io::Result<()> {
    match &walls.steps[index] {
        Step::Dir { path, mode, owner } => make_dir(path, *mode, *owner),
        Step::File { path, mode, content } => make_file(path, *mode, content),
        Step::Link { path, target } => present(rustix::fs::symlink(target.as_c_str(), path.as_c_str())),
        Step::Bind { slot, target, dir } => {
            if *dir {
                make_dir(target, 0o755, 0)?;
            } else {
                make_file(target, 0o644, &[])?;
            }
            // SAFETY: opened by `open_sources` and used here only.
            let source = unsafe { OwnedFd::from_raw_fd(walls.sources[*slot].fd) };
            attach(&source, target)
        }
        Step::Mount { kind, target, data } => {
            let flags =
                MountFlags::NOSUID | if *kind == c"proc" { MountFlags::NODEV } else { MountFlags::empty() };
            mount(*kind, target.as_c_str(), *kind, flags, data.as_c_str())
        }
        Step::Freeze { path } => {
            let tree = detached(path)?;
            sys::restrict(tree.as_fd(), true, false)
                .map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
            attach(&tree, path)
        }
    }
}

/// A copy of what is mounted at `path` and below, mounted nowhere yet.
fn detached(path: &CStr) -> rustix::io::Result<OwnedFd> {
    let flags =
        OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_RECURSIVE;
    open_tree(CWD, path, flags)
}

fn attach(tree: &OwnedFd, target: &CStr) -> rustix::io::Result<()> {
    move_mount(tree, c"", CWD, target, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
}

/// What exists already is as good as made.
fn present(made: rustix::io::Result<()>) -> rustix::io::Result<()> {
    match made {
        Err(Errno::EXIST) => Ok(()),
        other => other,
    }
}

fn make_dir(path: &CStr, mode: u32, owner: u32) -> rustix::io::Result<()> {
    match rustix::fs::mkdir(path, Mode::from_raw_mode(mode)) {
        Ok(()) => {}
        Err(Errno::EXIST) => return Ok(()),
        Err(other) => return Err(other),
    }
    if owner != 0 {
        // Refused where only one id is mapped: the mock then keeps the owner in its own record.
        let _ = rustix::fs::chownat(
            CWD,
            path,
            Some(Uid::from_raw(owner)),
            Some(Gid::from_raw(owner)),
            AtFlags::empty(),
        );
    }
    Ok(())
}

fn make_file(path: &CStr, mode: u32, content: &[u8]) -> rustix::io::Result<()> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let file = match rustix::fs::open(path, flags, Mode::from_raw_mode(mode)) {
        Ok(file) => file,
        Err(Errno::EXIST) => return Ok(()),
        Err(other) => return Err(other),
    };
    let mut rest = content;
    while !rest.is_empty() {
        let written = rustix::io::write(&file, rest)?;
        rest = &rest[written..];
    }
    Ok(())
}

/// Makes a user namespace for each user that a command may run as, where only one id is mapped.
fn nest(walls: &mut Walls) -> Result<(), Failure> {
    for (index, &uid) in walls.nested.iter().enumerate() {
        walls.nested_fds[index] = nested(uid).map_err(io_at(Stage::Nested, index))?.into_raw_fd();
    }
    Ok(())
}

fn nested(uid: u32) -> io::Result<OwnedFd> {
    let (ready, tell) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
    // SAFETY: the child makes system calls only.
    let pid = unsafe { sys::fork_into(libc::CLONE_NEWUSER) }?;
    if pid == 0 {
        let done = map_self(uid);
        let errno = done.err().map_or(0, Errno::raw_os_error);
        let _ = rustix::io::write(&tell, &errno.to_ne_bytes());
        loop {
            // SAFETY: waits for the signal that ends it.
            unsafe { libc::pause() };
        }
    }
    let mut errno = [0; 4];
    let told = rustix::io::read(&ready, &mut errno);
    let namespace = open_namespace(pid);
    let _ = sys::kill(pid, libc::SIGKILL);
    sys::wait_for(pid);
    told?;
    match i32::from_ne_bytes(errno) {
        0 => Ok(namespace?),
        errno => Err(io::Error::from_raw_os_error(errno)),
    }
}

fn map_self(uid: u32) -> rustix::io::Result<()> {
    write_to(c"/proc/self/setgroups", b"deny")?;
    let mut line = [0; 32];
    let len = format_into(&mut line, uid);
    write_to(c"/proc/self/uid_map", &line[..len])?;
    write_to(c"/proc/self/gid_map", &line[..len])
}

fn write_to(path: &CStr, content: &[u8]) -> rustix::io::Result<()> {
    let file = rustix::fs::open(path, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
    rustix::io::write(&file, content).map(drop)
}

fn open_namespace(pid: i32) -> rustix::io::Result<OwnedFd> {
    let mut path = [0; 48];
    let mut out = io::Cursor::new(&mut path[..]);
    let _ = io::Write::write_fmt(&mut out, format_args!("/proc/{pid}/ns/user\0"));
    let path = CStr::from_bytes_until_nul(&path).map_err(|_| Errno::INVAL)?;
    rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
}

fn format_into(line: &mut [u8; 32], uid: u32) -> usize {
    let mut out = io::Cursor::new(&mut line[..]);
    let _ = io::Write::write_fmt(&mut out, format_args!("{uid} 0 1"));
    out.position() as usize
}

/// The guest's root directory, for the mock.
pub(super) fn open_root() -> Result<OwnedFd, Failure> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = rustix::fs::open("/", flags, Mode::empty()).map_err(at(Stage::Handover, 0))?;
    debug_assert!(root.as_raw_fd() >= 0);
    Ok(root)
}
