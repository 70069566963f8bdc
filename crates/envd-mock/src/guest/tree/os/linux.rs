//! The tree on Linux: paths are resolved by `openat2`, and a descriptor has a name in /proc.

use std::ffi::CStr;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};

use rustix::fs::{
    AtFlags, CWD, FallocateFlags, FileType, Gid, Mode, OFlags, ResolveFlags, StatVfsMountFlags, Statx,
    StatxFlags, Uid,
};
use rustix::io::{Errno, Result};

use super::{Meta, Resolve, mode};

impl From<Resolve> for ResolveFlags {
    fn from(resolve: Resolve) -> Self {
        match resolve {
            Resolve::InRoot => Self::IN_ROOT | Self::NO_MAGICLINKS,
            Resolve::InRootPlain => Self::IN_ROOT | Self::NO_SYMLINKS,
            Resolve::Beneath => Self::BENEATH | Self::NO_SYMLINKS,
            Resolve::BeneathMount => Self::BENEATH | Self::NO_SYMLINKS | Self::NO_XDEV,
        }
    }
}

impl From<Statx> for Meta {
    fn from(meta: Statx) -> Self {
        Self {
            kind: FileType::from_raw_mode(meta.stx_mode.into()),
            mode: meta.stx_mode.into(),
            uid: meta.stx_uid,
            gid: meta.stx_gid,
            size: meta.stx_size,
            links: meta.stx_nlink.into(),
            inode: meta.stx_ino,
            device: (meta.stx_dev_major, meta.stx_dev_minor),
            special: (meta.stx_rdev_major, meta.stx_rdev_minor),
            mount: meta.stx_mnt_id,
            modified: (meta.stx_mtime.tv_sec, meta.stx_mtime.tv_nsec),
            changed: (meta.stx_ctime.tv_sec, meta.stx_ctime.tv_nsec),
            born: (meta.stx_btime.tv_sec, meta.stx_btime.tv_nsec),
        }
    }
}

/// Opens `path` below `dir`.
///
/// # Errors
/// EAGAIN when a `..` raced with a rename, and those of openat2(2).
pub(in crate::guest::tree) fn open(
    dir: BorrowedFd<'_>,
    path: &CStr,
    flags: OFlags,
    resolve: Resolve,
) -> Result<OwnedFd> {
    rustix::fs::openat2(dir, path, flags, Mode::empty(), resolve.into())
}

/// The metadata of what a descriptor stands for.
pub(in crate::guest::tree) fn meta_of(fd: BorrowedFd<'_>) -> Result<Meta> {
    rustix::fs::statx(fd, c"", AtFlags::EMPTY_PATH, mask()).map(Into::into)
}

/// The metadata of `name` in `dir`, of a link itself.
pub(in crate::guest::tree) fn meta_at(dir: BorrowedFd<'_>, name: &CStr) -> Result<Meta> {
    rustix::fs::statx(dir, name, AtFlags::SYMLINK_NOFOLLOW, mask()).map(Into::into)
}

fn mask() -> StatxFlags {
    StatxFlags::BASIC_STATS | StatxFlags::BTIME | StatxFlags::MNT_ID
}

/// What the file system of a descriptor is: the number of its kind, and whether this mount of it can be written.
pub(in crate::guest::tree) fn file_system(fd: BorrowedFd<'_>) -> Result<(u64, bool)> {
    let found = rustix::fs::fstatfs(fd)?;
    // The flags are those of statvfs (statfs(2)).
    let flags = StatVfsMountFlags::from_bits_retain(found.f_flags as u64);
    // A word of the machine's size and sign, holding 32 bits.
    Ok((found.f_type as u64 & 0xffff_ffff, flags.contains(StatVfsMountFlags::RDONLY)))
}

/// The time that the kernel would stamp a file with at this moment: of the last tick, not of the clock.
pub(in crate::guest::tree) fn stamp_time() -> Result<(i64, u32)> {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: clock_gettime(2) writes one timespec to the pointer.
    let told = unsafe { libc::clock_gettime(libc::CLOCK_REALTIME_COARSE, &raw mut now) };
    if told == 0 { Ok((now.tv_sec, u32::try_from(now.tv_nsec).unwrap_or(0))) } else { Err(Errno::INVAL) }
}

/// A name by which the kernel finds what an open descriptor stands for.
pub(crate) fn self_path(fd: BorrowedFd<'_>) -> String {
    format!("/proc/self/fd/{}", fd.as_raw_fd())
}

/// Opens for reading or writing what a descriptor stands for.
pub(in crate::guest::tree) fn reopen(fd: BorrowedFd<'_>, flags: OFlags) -> Result<OwnedFd> {
    rustix::fs::openat(CWD, self_path(fd), flags, Mode::empty())
}

/// The text of the link that a descriptor stands for.
pub(in crate::guest::tree) fn read_link(fd: BorrowedFd<'_>) -> Result<Vec<u8>> {
    rustix::fs::readlinkat(fd, c"", Vec::new()).map(Into::into)
}

/// Changes the owner of what a descriptor stands for, of a link itself.
pub(in crate::guest::tree) fn chown(fd: BorrowedFd<'_>, uid: Uid, gid: Gid) -> Result<()> {
    rustix::fs::chownat(fd, c"", Some(uid), Some(gid), AtFlags::EMPTY_PATH)
}

/// Changes the permission bits of what a descriptor stands for.
pub(in crate::guest::tree) fn chmod(fd: BorrowedFd<'_>, bits: u32) -> Result<()> {
    // By the name of the descriptor: chmod of a bare one is younger than the kernels that serve.
    rustix::fs::chmod(self_path(fd), mode(bits))
}

/// Changes the permission bits of the directory `name` in `dir`.
pub(in crate::guest::tree) fn chmod_dir(dir: BorrowedFd<'_>, name: &CStr, bits: u32) -> Result<()> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    chmod(open(dir, name, flags, Resolve::Beneath)?.as_fd(), bits)
}

/// A file without a name on the file system of `dir`, to be written and read.
///
/// # Errors
/// EOPNOTSUPP, EISDIR, ENOENT or EINVAL where that cannot be.
pub(in crate::guest::tree) fn nameless(dir: BorrowedFd<'_>, bits: u32) -> Result<OwnedFd> {
    let flags = OFlags::RDWR | OFlags::TMPFILE | OFlags::CLOEXEC;
    rustix::fs::openat(dir, c".", flags, mode(bits))
}

/// Gives a file without a name one in `dir`.
pub(in crate::guest::tree) fn name(file: BorrowedFd<'_>, dir: BorrowedFd<'_>, name: &CStr) -> Result<()> {
    rustix::fs::linkat(CWD, self_path(file), dir, name, AtFlags::SYMLINK_FOLLOW)
}

/// Sees to it that there is room for `len` bytes from `offset` on, leaving the file's length.
///
/// # Errors
/// EOPNOTSUPP or ENOSYS where only writing tells.
pub(in crate::guest::tree) fn make_room(file: BorrowedFd<'_>, offset: u64, len: u64) -> Result<()> {
    rustix::fs::fallocate(file, FallocateFlags::KEEP_SIZE, offset, len)
}

/// A directory of the host, as a descriptor that stands for it.
pub(in crate::guest::tree) fn open_root(path: &std::path::Path) -> Result<OwnedFd> {
    rustix::fs::open(path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
}
