//! The tree where the kernel cannot resolve below a directory: on macOS, and on Linux in tests. A descriptor that
//! stands for something is opened for reading, because there is none that does neither.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::{AtFlags, CWD, FileType, Gid, Mode, OFlags, Stat, Uid};
use rustix::io::{Errno, Result};

pub(in crate::guest::tree) use super::walk::open;
use super::{LOOK, Meta, mode};

impl From<Stat> for Meta {
    fn from(stat: Stat) -> Self {
        let device = (rustix::fs::major(stat.st_dev), rustix::fs::minor(stat.st_dev));
        Self {
            kind: FileType::from_raw_mode(stat.st_mode),
            mode: number(stat.st_mode),
            uid: stat.st_uid,
            gid: stat.st_gid,
            size: number(stat.st_size),
            links: number(stat.st_nlink),
            inode: stat.st_ino,
            device,
            special: (rustix::fs::major(stat.st_rdev), rustix::fs::minor(stat.st_rdev)),
            mount: u64::from(device.0) << 32 | u64::from(device.1),
            modified: (number(stat.st_mtime), number(stat.st_mtime_nsec)),
            changed: (number(stat.st_ctime), number(stat.st_ctime_nsec)),
            born: born(&stat),
        }
    }
}

/// A field whose width and sign are each system's own.
fn number<N: Default>(field: impl TryInto<N>) -> N {
    field.try_into().unwrap_or_default()
}

#[cfg(target_os = "macos")]
fn born(stat: &Stat) -> (i64, u32) {
    (stat.st_birthtime, number(stat.st_birthtime_nsec))
}

#[cfg(not(target_os = "macos"))]
fn born(_: &Stat) -> (i64, u32) {
    (0, 0)
}

/// The metadata of what a descriptor stands for.
pub(in crate::guest::tree) fn meta_of(fd: BorrowedFd<'_>) -> Result<Meta> {
    rustix::fs::fstat(fd).map(Into::into)
}

/// The metadata of `name` in `dir`, of a link itself.
pub(in crate::guest::tree) fn meta_at(dir: BorrowedFd<'_>, name: &CStr) -> Result<Meta> {
    rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW).map(Into::into)
}

/// What the file system of a descriptor is: the number of its kind, and whether it can be written.
pub(in crate::guest::tree) fn file_system(fd: BorrowedFd<'_>) -> Result<(u64, bool)> {
    let kind = rustix::fs::fstatfs(fd)?.f_type;
    let read_only = rustix::fs::fstatvfs(fd)?.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY);
    Ok((kind as u64 & 0xffff_ffff, read_only))
}

/// The time that the system would stamp a file with at this moment.
pub(in crate::guest::tree) fn stamp_time() -> Result<(i64, u32)> {
    // Stamps may be those of the last tick.
    const TICK: Duration = Duration::from_millis(20);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().saturating_sub(TICK);
    Ok((number(now.as_secs()), now.subsec_nanos()))
}

/// A descriptor of `name` in `dir`, which was found to be of this kind.
///
/// # Errors
/// EACCES when the mock may neither read nor write it; EOPNOTSUPP, where there is no O_PATH, for pipes, sockets and
/// devices, which opening would touch.
pub(super) fn look(dir: BorrowedFd<'_>, name: &CStr, kind: FileType) -> Result<OwnedFd> {
    let plain = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let open = |flags| rustix::fs::openat(dir, name, plain | flags, Mode::empty());
    match kind {
        FileType::Directory => open(OFlags::RDONLY | OFlags::DIRECTORY),
        FileType::RegularFile => match open(OFlags::RDONLY) {
            Err(Errno::ACCESS) => open(OFlags::WRONLY),
            other => other,
        },
        kind => look_special(dir, name, kind),
    }
}

#[cfg(target_os = "linux")]
fn look_special(dir: BorrowedFd<'_>, name: &CStr, _: FileType) -> Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(dir, name, flags, Mode::empty())
}

#[cfg(target_os = "macos")]
fn look_special(dir: BorrowedFd<'_>, name: &CStr, kind: FileType) -> Result<OwnedFd> {
    if kind != FileType::Symlink {
        return Err(Errno::OPNOTSUPP);
    }
    let link = OFlags::from_bits_retain(libc::O_SYMLINK.cast_unsigned());
    rustix::fs::openat(dir, name, link | OFlags::CLOEXEC, Mode::empty())
}

#[cfg(target_os = "macos")]
fn name_of(fd: BorrowedFd<'_>) -> Result<CString> {
    rustix::fs::getpath(fd)
}

#[cfg(target_os = "linux")]
fn name_of(fd: BorrowedFd<'_>) -> Result<CString> {
    rustix::fs::readlinkat(CWD, super::self_path(fd), Vec::new())
}

/// Opens for reading or writing what a descriptor stands for.
///
/// # Errors
/// ESTALE when something else has taken its name.
pub(in crate::guest::tree) fn reopen(fd: BorrowedFd<'_>, flags: OFlags) -> Result<OwnedFd> {
    let opened = rustix::fs::openat(CWD, name_of(fd)?, flags | OFlags::NOFOLLOW, Mode::empty())?;
    let (was, is) = (meta_of(fd)?, meta_of(opened.as_fd())?);
    if (was.device, was.inode) == (is.device, is.inode) { Ok(opened) } else { Err(Errno::STALE) }
}

/// The text of the link that a descriptor stands for.
pub(in crate::guest::tree) fn read_link(fd: BorrowedFd<'_>) -> Result<Vec<u8>> {
    rustix::fs::readlinkat(CWD, name_of(fd)?, Vec::new()).map(Into::into)
}

/// Changes the owner of what a descriptor stands for, of a link itself.
pub(in crate::guest::tree) fn chown(fd: BorrowedFd<'_>, uid: Uid, gid: Gid) -> Result<()> {
    match rustix::fs::fchown(fd, Some(uid), Some(gid)) {
        // What `look` opens on Linux for a link and the like.
        #[cfg(target_os = "linux")]
        Err(Errno::BADF) => rustix::fs::chownat(fd, c"", Some(uid), Some(gid), AtFlags::EMPTY_PATH),
        other => other,
    }
}

/// Changes the permission bits of what a descriptor stands for.
pub(in crate::guest::tree) fn chmod(fd: BorrowedFd<'_>, bits: u32) -> Result<()> {
    rustix::fs::fchmod(fd, mode(bits))
}

/// Changes the permission bits of the directory `name` in `dir`, which nobody may be able to open yet.
pub(in crate::guest::tree) fn chmod_dir(dir: BorrowedFd<'_>, name: &CStr, bits: u32) -> Result<()> {
    // Linux before 6.6 has no such flag.
    let links = if cfg!(target_os = "linux") { AtFlags::empty() } else { AtFlags::SYMLINK_NOFOLLOW };
    rustix::fs::chmodat(dir, name, mode(bits), links)
}

/// A file without a name.
///
/// # Errors
/// EOPNOTSUPP: it has to have one.
pub(in crate::guest::tree) fn nameless(_: BorrowedFd<'_>, _: u32) -> Result<OwnedFd> {
    Err(Errno::OPNOTSUPP)
}

/// Gives a file without a name one.
///
/// # Errors
/// EOPNOTSUPP: there is none.
pub(in crate::guest::tree) fn name(_: BorrowedFd<'_>, _: BorrowedFd<'_>, _: &CStr) -> Result<()> {
    Err(Errno::OPNOTSUPP)
}

/// Sees to it that there is room.
///
/// # Errors
/// EOPNOTSUPP: only writing tells.
pub(in crate::guest::tree) fn make_room(_: BorrowedFd<'_>, _: u64, _: u64) -> Result<()> {
    Err(Errno::OPNOTSUPP)
}

/// A directory of the host.
pub(in crate::guest::tree) fn open_root(path: &Path) -> Result<OwnedFd> {
    rustix::fs::open(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
}

/// Whether a descriptor is only to stand for what it is opened on.
pub(super) fn is_look(flags: OFlags) -> bool {
    flags.contains(LOOK)
}
