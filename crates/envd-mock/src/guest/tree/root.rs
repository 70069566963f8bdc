//! The root of a tree and how anything below it is opened. The only file that hands a guest's path on.

use std::ffi::{CStr, CString};
use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::fs::OFlags;
use rustix::io::Errno;

use super::os::{LOOK, Meta, Resolve, system};
use super::owners::Owners;
use crate::guest::clock::Clock;
use crate::guest::ids::Ids;
use crate::guest::path::{self, PathError};
use crate::guest::users::{Databases, User};

/// Opens a path as the guest's root does; asked only when the mock itself was refused a read with EACCES.
pub(crate) type Opener = Arc<dyn Fn(&CStr, OFlags, u32) -> io::Result<OwnedFd> + Send + Sync>;

/// Attempts at a path whose `..` raced with a rename; the kernel asks to try again.
const ATTEMPTS: usize = 16;
/// Kinds of file systems that show the kernel and keep no files: procfs, sysfs, cgroup (1 and 2), debugfs, tracefs,
/// securityfs, bpf, configfs, efivarfs, selinuxfs. No kind has such a number on macOS.
const PSEUDO: [u64; 11] = [
    0x9fa0,
    0x6265_6572,
    0x27_e0eb,
    0x6367_7270,
    0x6462_6720,
    0x7472_6163,
    0x7363_6673,
    0xcafe_4a11,
    0x6265_6570,
    0xde5e_81e4,
    0xf97c_ff8c,
];
/// NFS, SMB, CIFS, SMB 2, Ceph, AFS: changes made elsewhere are not told.
#[cfg(target_os = "linux")]
const NETWORK: [u64; 6] = [0x6969, 0x517b, 0xff53_4d42, 0xfe53_4d42, 0x00c3_6400, 0x5346_414f];

/// A file tree with a root of its own.
pub(crate) struct Tree {
    root: OwnedFd,
    ids: Ids,
    opener: Option<Opener>,
    pub(super) owners: Owners,
    pub(super) clock: Arc<Clock>,
    pub(in crate::guest) databases: Databases,
}

impl fmt::Debug for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tree").field("root", &self.root).field("ids", &self.ids).finish_non_exhaustive()
    }
}

/// The last component of a path and the directory that it is in.
#[derive(Debug)]
pub(super) struct At {
    pub(super) dir: OwnedFd,
    pub(super) name: CString,
    /// The path ended with a slash, so only a directory will do.
    pub(super) slash: bool,
}

impl Tree {
    /// The tree below `root`, a directory.
    ///
    /// # Errors
    /// When the kernel cannot resolve below a directory (before Linux 5.6, or forbidden).
    pub(crate) fn new(root: OwnedFd, ids: Ids, opener: Option<Opener>) -> io::Result<Self> {
        let (owners, databases) = (Owners::default(), Databases::default());
        let tree = Self { root, ids, opener, owners, clock: Arc::default(), databases };
        tree.open_dir(b"/").map_err(|error| {
            io::Error::new(error.kind(), format!("openat2 below the guest's root was refused: {error}"))
        })?;
        Ok(tree)
    }

    /// Shows times by this clock.
    pub(crate) fn with_clock(self, clock: Arc<Clock>) -> Self {
        Self { clock, ..self }
    }

    /// What a path in a call stands for; a relative one that exists is made canonical.
    ///
    /// # Errors
    /// When it names the home of another user.
    pub(crate) fn resolve(
        &self,
        text: &str,
        user: &User,
        workdir: Option<&str>,
    ) -> Result<String, PathError> {
        let plain = path::resolve(text, &user.home, workdir)?;
        if !path::is_relative(text) {
            return Ok(plain);
        }
        let canonical = self.canonical(plain.as_bytes()).ok();
        Ok(canonical.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or(plain))
    }

    pub(crate) fn ids(&self) -> Ids {
        self.ids
    }

    /// Opens `path` without following a link at its end and without any effect on what is there.
    pub(super) fn locate(&self, path: &[u8]) -> io::Result<OwnedFd> {
        self.open(path, LOOK | OFlags::NOFOLLOW)
    }

    /// As [`locate`](Self::locate), but follows links.
    pub(super) fn locate_target(&self, path: &[u8]) -> io::Result<OwnedFd> {
        self.open(path, LOOK)
    }

    /// Whether `path` leads to something, links followed.
    pub(crate) fn exists(&self, path: &str) -> bool {
        self.locate_target(path.as_bytes()).is_ok()
    }

    /// As [`exists`](Self::exists), unless the system is short of what is needed to tell.
    ///
    /// # Errors
    /// EMFILE, ENFILE, ENOMEM.
    pub(crate) fn leads_somewhere(&self, path: &str) -> io::Result<bool> {
        match self.locate_target(path.as_bytes()) {
            Err(error) if is_shortage(&error) => Err(error),
            found => Ok(found.is_ok()),
        }
    }

    pub(super) fn open_dir(&self, path: &[u8]) -> io::Result<OwnedFd> {
        self.open(path, LOOK | OFlags::DIRECTORY)
    }

    /// The directory and the name of `path`'s last component, which may be missing.
    ///
    /// # Errors
    /// EBUSY when there is no name, as in `/` or `a/..`.
    pub(super) fn split(&self, path: &[u8]) -> io::Result<At> {
        let (parent, name, slash) = parts(path);
        if matches!(name, b"" | b"." | b"..") {
            return Err(Errno::BUSY.into());
        }
        Ok(At { dir: self.open_dir(parent)?, name: c_name(name)?, slash })
    }

    pub(super) fn open(&self, path: &[u8], flags: OFlags) -> io::Result<OwnedFd> {
        self.open_with(path, flags, Resolve::InRoot)
    }

    pub(super) fn open_with(&self, path: &[u8], flags: OFlags, resolve: Resolve) -> io::Result<OwnedFd> {
        let path = c_name(path)?;
        match open_at(self.root.as_fd(), &path, flags, resolve) {
            Err(Errno::ACCESS) => self.open_as_root(&path, flags),
            other => Ok(other?),
        }
    }

    /// What the mock may not read, the guest's root may.
    pub(super) fn open_as_root(&self, path: &CStr, flags: OFlags) -> io::Result<OwnedFd> {
        match &self.opener {
            // Not what the kernel shows of processes: the holder would see itself there.
            Some(opener) => opener(path, flags | OFlags::CLOEXEC, 0).and_then(|fd| guard(&fd).map(|()| fd)),
            None => Err(Errno::ACCESS.into()),
        }
    }
}

/// Opens `path` below `dir`; `flags` without LOOK gain NONBLOCK and NOCTTY, so that nothing hangs or is captured.
pub(super) fn open_at(
    dir: BorrowedFd<'_>,
    path: &CStr,
    flags: OFlags,
    resolve: Resolve,
) -> rustix::io::Result<OwnedFd> {
    let mut flags = flags | OFlags::CLOEXEC;
    if !flags.contains(LOOK) {
        flags |= OFlags::NONBLOCK | OFlags::NOCTTY;
    }
    let mut last = Errno::AGAIN;
    for _ in 0..ATTEMPTS {
        match system::open(dir, path, flags, resolve) {
            Err(error @ (Errno::AGAIN | Errno::INTR)) => last = error,
            other => return other,
        }
    }
    Err(last)
}

/// Opens `name` directly in `dir`, never through a link.
pub(super) fn open_child(dir: BorrowedFd<'_>, name: &CStr, flags: OFlags) -> rustix::io::Result<OwnedFd> {
    open_at(dir, name, flags | OFlags::NOFOLLOW, Resolve::Beneath)
}

/// Opens for reading or writing what a LOOK descriptor stands for.
pub(super) fn reopen(fd: BorrowedFd<'_>, flags: OFlags) -> rustix::io::Result<OwnedFd> {
    system::reopen(fd, flags | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY)
}

/// The metadata of what a descriptor stands for.
pub(super) fn meta_of(fd: impl AsFd) -> io::Result<Meta> {
    Ok(system::meta_of(fd.as_fd())?)
}

/// The metadata of `name` in `dir`, of a link itself.
pub(super) fn meta_at(dir: impl AsFd, name: &CStr) -> rustix::io::Result<Meta> {
    system::meta_at(dir.as_fd(), name)
}

/// Refuses (EBUSY) an entry of `dir` that something is mounted on. The kernel refuses it only to those who live in
/// the mount namespace in question; for others it would take the mount away.
pub(super) fn guard_mount(dir: impl AsFd, entry: &Meta) -> io::Result<()> {
    guard_mount_of(&meta_of(dir)?, entry)
}

/// As [`guard_mount`], for a directory whose metadata is known: an open descriptor stays on its mount.
pub(super) fn guard_mount_of(dir: &Meta, entry: &Meta) -> io::Result<()> {
    if dir.mount == entry.mount { Ok(()) } else { Err(Errno::BUSY.into()) }
}

/// Whether the kernel makes up the content: sizes are then no use, and nothing may be written.
pub(super) fn is_pseudo(fd: impl AsFd) -> io::Result<bool> {
    Ok(PSEUDO.contains(&magic(fd)?))
}

/// Whether the file system lies on another machine.
#[cfg(target_os = "linux")]
pub(crate) fn is_network(fd: impl AsFd) -> io::Result<bool> {
    Ok(NETWORK.contains(&magic(fd)?))
}

/// Whether nothing can be changed through this mount.
pub(super) fn is_read_only(fd: impl AsFd) -> io::Result<bool> {
    Ok(system::file_system(fd.as_fd())?.1)
}

/// As [`guard`], and whether nothing can be changed through this mount.
pub(super) fn guard_writing(fd: impl AsFd) -> io::Result<bool> {
    let (kind, read_only) = system::file_system(fd.as_fd())?;
    if PSEUDO.contains(&kind) { Err(Errno::ROFS.into()) } else { Ok(read_only) }
}

/// Refuses to write where the kernel shows itself: as the host's root that would change the host.
pub(super) fn guard(fd: impl AsFd) -> io::Result<()> {
    if is_pseudo(fd)? { Err(Errno::ROFS.into()) } else { Ok(()) }
}

/// Whether the system had nothing left to look with: that says nothing about what is there.
pub(crate) fn is_shortage(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE | Errno::NOMEM))
}

fn magic(fd: impl AsFd) -> io::Result<u64> {
    Ok(system::file_system(fd.as_fd())?.0)
}

/// The parent, the last name and whether a slash follows it.
pub(super) fn parts(path: &[u8]) -> (&[u8], &[u8], bool) {
    let end = path.iter().rposition(|&byte| byte != b'/').map_or(0, |last| last + 1);
    let trimmed = &path[..end];
    let start = trimmed.iter().rposition(|&byte| byte == b'/').map_or(0, |slash| slash + 1);
    let parent = if start == 0 { &b"/"[..] } else { &trimmed[..start] };
    (parent, &trimmed[start..], end < path.len())
}

/// A name as the kernel takes it.
///
/// # Errors
/// `InvalidInput` when it holds a NUL byte.
pub(super) fn c_name(name: &[u8]) -> io::Result<CString> {
    CString::new(name).map_err(|_| {
        io::Error::new(io::ErrorKind::InvalidInput, "file name contained an unexpected NUL byte")
    })
}

/// A directory of the host, from which a tree can be made.
pub(crate) fn open_root(path: &std::path::Path) -> io::Result<OwnedFd> {
    Ok(system::open_root(path)?)
}
