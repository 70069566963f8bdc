//! The holder's first moments: from a fork of the mock to the init of a guest with walls around it. Allocates
//! nothing; every failure names its stage and step.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, FromRawFd as _, IntoRawFd as _, OwnedFd};

use rustix::fs::{CWD, Gid, Mode, OFlags, Uid};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountFlags, MountPropagationFlags, MoveMountFlags,
    OpenTreeFlags, UnmountFlags, fsconfig_create, fsconfig_set_string, fsmount, fsopen, mount, mount_change,
    move_mount, open_tree, unmount,
};
use rustix::process::{chdir, pivot_root};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};

use super::make::{self, Make};
use super::plan::{Ground, Step, Walls};
use super::{baseline, erase, seccomp, sys};

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
    Keyring,
    Network,
}

impl Stage {
    pub(super) fn from_code(code: i32) -> Option<Self> {
        use Stage::{Handover, Ids, Keyring, Nested, Network, Pivot, Private, Root, Sources, Step};
        [Private, Sources, Root, Ids, Pivot, Step, Nested, Handover, Keyring, Network]
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

/// What the calling process builds its guest from.
pub(super) struct Handover<'a> {
    pub(super) ground: Ground<'a>,
    /// Ids come from a range, of which the holder takes 0.
    pub(super) mapped: bool,
    /// The tree, where it is a directory that is used in place.
    pub(super) tree: Option<Tree>,
    /// Where the mock is told what was made in the tree.
    pub(super) record: Option<OwnedFd>,
}

/// A directory that is used in place.
pub(super) enum Tree {
    /// A mount of it that shows the guest's ids.
    Mount(OwnedFd),
    /// The directory that the path of the plan must still lead to.
    Same(OwnedFd),
}

/// Builds the guest around the calling process. Nothing in the guest's tree is ever found by a plain path: others may
/// be able to write there, and have links where directories are expected.
pub(super) fn build(walls: &mut Walls, handover: Handover<'_>) -> Result<(), Failure> {
    match baseline::enter() {
        Ok(()) => {}
        // Too many keys of the mock's user: its guest is refused all of them.
        Err(_) if !handover.mapped && handover.ground != Ground::Machine => {}
        Err(error) => return Err(io_at(Stage::Keyring, 0)(error)),
    }
    if handover.ground == Ground::Machine {
        return Ok(());
    }
    // Modes are as planned, whatever mask the mock was started with; commands get the usual one.
    rustix::process::umask(Mode::empty());
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)
        .map_err(at(Stage::Private, 0))?;
    let Handover { ground, mapped, tree, record } = handover;
    let (path, disk) = match ground {
        Ground::Machine => return Ok(()),
        Ground::Dir(path) => (path, None),
        Ground::Disk(path, size) => (path, Some(size)),
    };
    open_sources(walls)?;
    // Paths of the host are walked as the user that started the mock, what is made belongs to the guest's root.
    let mut root = place_root(path, tree).map_err(at(Stage::Root, 0))?;
    if mapped {
        become_root().map_err(at(Stage::Ids, 0))?;
    }
    if let Some(size) = disk {
        root = mount_disk(&root, size).map_err(at(Stage::Root, 1))?;
    }
    let ground = Soil { root: root.as_fd(), record: record.as_ref().map(|record| record.as_fd()) };
    for index in 0..walls.steps.len() {
        carry_out(walls, index, &ground).map_err(at(Stage::Step, index))?;
    }
    rustix::process::fchdir(&root).map_err(at(Stage::Pivot, 0))?;
    pivot_root(".", ".").map_err(at(Stage::Pivot, 0))?;
    // Before anyone is told that the guest stands: until then, `..` leads from below the root up into the host's tree.
    // To a process over whose root another tree lies, the kernel gives no namespace of users either.
    seal().map_err(at(Stage::Pivot, 1))?;
    if walls.own_network {
        sys::bring_up_loopback().map_err(io_at(Stage::Network, 0))?;
    }
    nest(walls, root.as_fd())?;
    match walls.inner {
        Some(count) => leave_root(count).map_err(at(Stage::Ids, 1)),
        // All of the guest has this process's user id.
        None => seccomp::install().map_err(io_at(Stage::Ids, 2)),
    }
}

/// Takes the host's tree away, which lies on top of the guest's root until here: /proc may only be mounted while one
/// can be seen.
fn seal() -> rustix::io::Result<()> {
    unmount(".", UnmountFlags::DETACH)?;
    chdir("/")
}

fn open_sources(walls: &mut Walls) -> Result<(), Failure> {
    for (index, source) in walls.sources.iter_mut().enumerate() {
        let tree = detached(CWD, &source.path).map_err(at(Stage::Sources, index))?;
        let fd = tree.as_fd();
        sys::restrict(fd, !source.devices, source.devices).map_err(io_at(Stage::Sources, index))?;
        source.fd = tree.into_raw_fd();
    }
    Ok(())
}

/// Mounts the tree in this mount namespace. Where it is mounted does not matter: it becomes the root.
fn place_root(path: &CStr, tree: Option<Tree>) -> rustix::io::Result<OwnedFd> {
    let tree = match tree {
        Some(Tree::Mount(tree)) => tree,
        Some(Tree::Same(dir)) => {
            let (tree, dir) = (detached(CWD, path)?, rustix::fs::fstat(dir)?);
            let found = rustix::fs::fstat(&tree)?;
            if (found.st_dev, found.st_ino) != (dir.st_dev, dir.st_ino) {
                return Err(Errno::STALE);
            }
            tree
        }
        None => detached(CWD, path)?,
    };
    let moved = |path| move_mount(&tree, c"", CWD, path, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH);
    match moved(path) {
        // A user may have closed what the directory lies in: to root in a namespace as to anyone.
        Err(Errno::ACCESS) => moved(c"/usr")?,
        other => other?,
    }
    Ok(tree)
}

fn become_root() -> rustix::io::Result<()> {
    let _ = set_thread_groups(&[]);
    set_thread_res_gid(Gid::ROOT, Gid::ROOT, Gid::ROOT)?;
    set_thread_res_uid(Uid::ROOT, Uid::ROOT, Uid::ROOT)
}

/// Mounts a tmpfs of so many bytes over the root, and gives its own.
fn mount_disk(root: &OwnedFd, size: &CStr) -> rustix::io::Result<OwnedFd> {
    let context = fsopen(c"tmpfs", FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_set_string(&context, c"mode", c"755")?;
    fsconfig_set_string(&context, c"size", size)?;
    fsconfig_create(&context)?;
    let disk = fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::MOUNT_ATTR_NODEV)?;
    attach(&disk, root)?;
    Ok(disk)
}

/// Where the steps are carried out.
struct Soil<'a> {
    root: BorrowedFd<'a>,
    /// Where it is written down what was made.
    record: Option<BorrowedFd<'a>>,
}

fn carry_out(walls: &Walls, index: usize, soil: &Soil<'_>) -> rustix::io::Result<()> {
    let made = |path: &CStr, make: &Make<'_>| make::present(soil.root, path, make, soil.record, index);
    match &walls.steps[index] {
        Step::Dir { path, mode, owner } => made(path, &Make::Dir { mode: *mode, owner: *owner }),
        Step::File { path, mode, content } => made(path, &Make::File { mode: *mode, content }),
        Step::Link { path, target } => made(path, &Make::Link(target)),
        Step::Bind { slot, target, dir } => {
            let dir = if *dir {
                Make::Dir { mode: 0o755, owner: 0 }
            } else {
                Make::File { mode: 0o644, content: &[] }
            };
            made(target, &dir)?;
            // SAFETY: opened by `open_sources` and used here only.
            let source = unsafe { OwnedFd::from_raw_fd(walls.sources[*slot].fd) };
            attach(&source, &make::find(soil.root, target)?)
        }
        Step::Mount { kind, target, data } => {
            let flags =
                MountFlags::NOSUID | if *kind == c"proc" { MountFlags::NODEV } else { MountFlags::empty() };
            let (target, mut space) = (make::find(soil.root, target)?, [0; 40]);
            // The host's /proc, which this process still sees.
            let target = erase::format(&mut space, format_args!("/proc/self/fd/{}\0", target.as_raw_fd()));
            mount(*kind, target, *kind, flags, data.as_c_str())
        }
        Step::Set { path, value } => {
            // Older kernels do not have all of them.
            let (Ok(target), mut space) = (make::find(soil.root, path), [0; 40]) else { return Ok(()) };
            let target = erase::format(&mut space, format_args!("/proc/self/fd/{}\0", target.as_raw_fd()));
            if let Ok(file) = rustix::fs::open(target, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty()) {
                let _ = rustix::io::write(&file, value.as_bytes());
            }
            Ok(())
        }
        Step::Freeze { path } => {
            let there = make::find(soil.root, path)?;
            let tree = detached(&there, c"")?;
            sys::restrict(tree.as_fd(), true, false)
                .map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
            attach(&tree, &there)
        }
    }
}

/// A copy of what is mounted at `path` and below, mounted nowhere yet.
fn detached(dir: impl AsFd, path: &CStr) -> rustix::io::Result<OwnedFd> {
    let mut flags =
        OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_RECURSIVE;
    flags |= if path.is_empty() { OpenTreeFlags::AT_EMPTY_PATH } else { OpenTreeFlags::empty() };
    open_tree(dir, path, flags)
}

fn attach(tree: &OwnedFd, target: &OwnedFd) -> rustix::io::Result<()> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    move_mount(tree, c"", target, c"", flags)
}

/// Makes a user namespace for each user that a command may run as, where only one id is mapped.
fn nest(walls: &mut Walls, root: BorrowedFd<'_>) -> Result<(), Failure> {
    if walls.nested.is_empty() && walls.inner.is_none() {
        return Ok(());
    }
    let proc = make::find(root, c"/proc").map_err(at(Stage::Nested, 0))?;
    for (index, &uid) in walls.nested.iter().enumerate() {
        walls.nested_fds[index] = nested(&proc, uid).map_err(io_at(Stage::Nested, index))?.into_raw_fd();
    }
    if let Some(count) = walls.inner {
        walls.nested_fds[0] = inner(&proc, count).map_err(io_at(Stage::Nested, 0))?.into_raw_fd();
    }
    Ok(())
}

/// Makes the user namespace of all commands where ids come from a range: the same ids but the init's own, over which
/// nobody in there has power. What its users do counts together against the limits that hold when it is made.
fn inner(proc: &OwnedFd, count: u32) -> io::Result<OwnedFd> {
    let (ready, tell) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
    // SAFETY: the child makes system calls only.
    let pid = unsafe { sys::fork_into(libc::CLONE_NEWUSER) }?;
    if pid == 0 {
        // Its files in /proc belong to who may write the maps only while it can be dumped; no command runs yet.
        let done = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::Dumpable);
        let errno = done.err().map_or(0, Errno::raw_os_error);
        let _ = rustix::io::write(&tell, &errno.to_ne_bytes());
        loop {
            // SAFETY: waits for the signal that ends it.
            unsafe { libc::pause() };
        }
    }
    let namespace = (|| {
        rustix::io::read(&ready, &mut [0; 4])?;
        for map in ["uid_map", "gid_map"] {
            write_map(proc, pid, map, count)?;
        }
        open_namespace(proc, pid)
    })();
    let _ = sys::kill(pid, libc::SIGKILL);
    sys::wait_for(pid);
    Ok(namespace?)
}

fn write_map(proc: &OwnedFd, pid: i32, map: &str, count: u32) -> rustix::io::Result<()> {
    let (mut path, mut line) = ([0; 48], [0; 32]);
    let path = erase::format(&mut path, format_args!("{pid}/{map}\0"));
    let mut out = io::Cursor::new(&mut line[..]);
    let _ = io::Write::write_fmt(&mut out, format_args!("0 0 {count}"));
    let len = out.position() as usize;
    write_to(proc, path, &line[..len])
}

/// Takes the id that no command can have, so that none may signal this process or change its limits, and keeps the
/// powers of root over the guest. Files are still opened as the guest's root.
fn leave_root(own: u32) -> rustix::io::Result<()> {
    let own = Uid::from_raw(own);
    sys::keep_capabilities(true)?;
    set_thread_res_uid(own, own, own)?;
    sys::keep_capabilities(false)?;
    let mut held = rustix::thread::capabilities(None)?;
    held.effective = held.permitted;
    rustix::thread::set_capabilities(None, held)?;
    sys::open_as_root();
    Ok(())
}

fn nested(proc: &OwnedFd, uid: u32) -> io::Result<OwnedFd> {
    let (ready, tell) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
    // SAFETY: the child makes system calls only.
    let pid = unsafe { sys::fork_into(libc::CLONE_NEWUSER) }?;
    if pid == 0 {
        let done = map_self(proc, uid);
        let errno = done.err().map_or(0, Errno::raw_os_error);
        let _ = rustix::io::write(&tell, &errno.to_ne_bytes());
        loop {
            // SAFETY: waits for the signal that ends it.
            unsafe { libc::pause() };
        }
    }
    let mut errno = [0; 4];
    let told = rustix::io::read(&ready, &mut errno);
    let namespace = open_namespace(proc, pid);
    let _ = sys::kill(pid, libc::SIGKILL);
    sys::wait_for(pid);
    told?;
    match i32::from_ne_bytes(errno) {
        0 => Ok(namespace?),
        errno => Err(io::Error::from_raw_os_error(errno)),
    }
}

fn map_self(proc: &OwnedFd, uid: u32) -> rustix::io::Result<()> {
    write_to(proc, c"self/setgroups", b"deny")?;
    let mut line = [0; 32];
    let len = format_into(&mut line, uid);
    write_to(proc, c"self/uid_map", &line[..len])?;
    write_to(proc, c"self/gid_map", &line[..len])
}

fn write_to(dir: &OwnedFd, path: &CStr, content: &[u8]) -> rustix::io::Result<()> {
    let file = rustix::fs::openat(dir, path, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
    rustix::io::write(&file, content).map(drop)
}

fn open_namespace(proc: &OwnedFd, pid: i32) -> rustix::io::Result<OwnedFd> {
    let mut space = [0; 48];
    let path = erase::format(&mut space, format_args!("{pid}/ns/user\0"));
    rustix::fs::openat(proc, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
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
