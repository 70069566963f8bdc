//! Making what a guest needs in a tree that others may be able to write: below a descriptor of its root, in which links
//! lead nowhere else. What is there already stays as it is, with its times. What was made is written down, so that it
//! can be taken away again if nobody has changed it. Allocates nothing, so that the holder may call it.

use std::ffi::CStr;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use rustix::fs::{
    AtFlags, FileType, Gid, Mode, OFlags, ResolveFlags, Statx, StatxFlags, Timespec, Timestamps, Uid,
};
use rustix::io::{Errno, Result};

use super::plan::Step;

/// Something to make.
#[derive(Debug, Clone, Copy)]
pub(super) enum Make<'a> {
    Dir { mode: u32, owner: u32 },
    File { mode: u32, content: &'a [u8] },
    Link(&'a CStr),
}

/// How long a path may be, with its end.
const PATH: usize = 4096;
/// Bytes of an entry of the record: device, inode, and the time of the last change of content.
const ENTRY: usize = 32;
/// The directory that is the mock's own: what it has put there itself goes with it.
const OWN: &CStr = c"/run/wrenn";

/// Makes what is not there at `path`. `record` gets an entry at `index` when something was made.
///
/// # Errors
/// Those of the kernel; ELOOP where a link leads in circles.
pub(super) fn present(
    root: BorrowedFd<'_>,
    path: &CStr,
    make: &Make<'_>,
    record: Option<BorrowedFd<'_>>,
    index: usize,
) -> Result<()> {
    let (parent, name) = parent(root, path)?;
    let before = look(parent.as_fd(), c"")?;
    if !created(parent.as_fd(), name, make)? {
        return Ok(());
    }
    if let Some(record) = record {
        let made = look(parent.as_fd(), name)?;
        rustix::io::pwrite(record, &entry(&made), (index * ENTRY) as u64)?;
        keep_times(parent.as_fd(), &before);
    }
    Ok(())
}

/// What `path` leads to below the root, as a descriptor that stands for it.
///
/// # Errors
/// ELOOP when that is the root itself, and those of the kernel.
pub(super) fn find(root: BorrowedFd<'_>, path: &CStr) -> Result<OwnedFd> {
    let found = rustix::fs::openat2(root, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), inside())?;
    let (is, top) = (look(found.as_fd(), c"")?, look(root, c"")?);
    if (is.stx_mnt_id, is.stx_ino) == (top.stx_mnt_id, top.stx_ino) { Err(Errno::LOOP) } else { Ok(found) }
}

/// Takes away again what the record says was made by `steps`, the last first, where nobody has changed it.
pub(super) fn undo(root: BorrowedFd<'_>, steps: &[Step], record: BorrowedFd<'_>) {
    for (index, step) in steps.iter().enumerate().rev() {
        let (path, size) = match step {
            Step::Dir { path, .. } | Step::Link { path, .. } => (path, 0),
            Step::File { path, content, .. } => (path, content.len() as u64),
            Step::Bind { target, .. } => (target, 0),
            Step::Mount { .. } | Step::Freeze { .. } | Step::Set { .. } => continue,
        };
        let mut made = [0; ENTRY];
        let read = rustix::io::pread(record, &mut made, (index * ENTRY) as u64);
        if read.is_ok_and(|read| read == ENTRY) && made != [0; ENTRY] {
            // What is not empty or was replaced stays.
            let _ = take_away(root, path, &made, size);
        }
    }
}

fn take_away(root: BorrowedFd<'_>, path: &CStr, made: &[u8; ENTRY], size: u64) -> Result<()> {
    let (parent, name) = parent(root, path)?;
    let (before, there) = (look(parent.as_fd(), c"")?, look(parent.as_fd(), name)?);
    let now = entry(&there);
    // A directory's time changes with what comes and goes in it.
    if now[..16] != made[..16] {
        return Err(Errno::STALE);
    }
    match FileType::from_raw_mode(there.stx_mode.into()) {
        FileType::Directory => {
            if path == OWN {
                let dir = rustix::fs::openat2(
                    &parent,
                    name,
                    OFlags::PATH | OFlags::NOFOLLOW,
                    Mode::empty(),
                    inside(),
                )?;
                super::erase::empty(dir.as_fd(), c"")?;
            }
            rustix::fs::unlinkat(&parent, name, AtFlags::REMOVEDIR)?;
        }
        FileType::RegularFile if now != *made || there.stx_size != size => return Err(Errno::STALE),
        _ => rustix::fs::unlinkat(&parent, name, AtFlags::empty())?,
    }
    keep_times(parent.as_fd(), &before);
    Ok(())
}

/// Links are followed as the guest follows them, and stay inside.
fn inside() -> ResolveFlags {
    ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS
}

/// The directory in which `path` has its last name, and that name.
fn parent<'a>(root: BorrowedFd<'_>, path: &'a CStr) -> Result<(OwnedFd, &'a CStr)> {
    let bytes = path.to_bytes_with_nul();
    let slash = bytes.iter().rposition(|&byte| byte == b'/').ok_or(Errno::INVAL)?;
    let name = CStr::from_bytes_with_nul(&bytes[slash + 1..]).map_err(|_| Errno::INVAL)?;
    let mut space = [0; PATH];
    space.get_mut(..=slash).ok_or(Errno::NAMETOOLONG)?.copy_from_slice(&bytes[..=slash]);
    let dir = CStr::from_bytes_until_nul(&space).map_err(|_| Errno::NAMETOOLONG)?;
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok((rustix::fs::openat2(root, dir, flags, Mode::empty(), inside())?, name))
}

/// Whether it was not there and now is.
fn created(parent: BorrowedFd<'_>, name: &CStr, make: &Make<'_>) -> Result<bool> {
    let made = match *make {
        Make::Dir { mode, owner } => make_dir(parent, name, mode, owner),
        Make::File { mode, content } => make_file(parent, name, mode, content),
        Make::Link(target) => rustix::fs::symlinkat(target, parent, name),
    };
    match made {
        Ok(()) => Ok(true),
        Err(Errno::EXIST) => Ok(false),
        Err(other) => Err(other),
    }
}

fn make_dir(parent: BorrowedFd<'_>, name: &CStr, mode: u32, owner: u32) -> Result<()> {
    let since = rustix::time::clock_gettime(rustix::time::ClockId::RealtimeCoarse);
    rustix::fs::mkdirat(parent, name, Mode::from_raw_mode(mode))?;
    if owner == 0 {
        return Ok(());
    }
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let dir = rustix::fs::openat(parent, name, flags, Mode::empty())?;
    let stat = look(dir.as_fd(), c"")?;
    let born = (stat.stx_btime.tv_sec, i64::from(stat.stx_btime.tv_nsec));
    // Not one that somebody has put in its place.
    if born == (0, 0) || born >= (since.tv_sec, since.tv_nsec) {
        // Refused where only one id is mapped: the mock then keeps the owner in its own record.
        let (uid, gid) = (Uid::from_raw(owner), Gid::from_raw(owner));
        let _ = rustix::fs::chownat(&dir, c"", Some(uid), Some(gid), AtFlags::EMPTY_PATH);
    }
    Ok(())
}

fn make_file(parent: BorrowedFd<'_>, name: &CStr, mode: u32, content: &[u8]) -> Result<()> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = rustix::fs::openat(parent, name, flags, Mode::from_raw_mode(mode))?;
    let mut rest = content;
    while !rest.is_empty() {
        let written = rustix::io::write(&file, rest)?;
        rest = &rest[written..];
    }
    Ok(())
}

/// The metadata of `name` in `dir`, of a link itself; of `dir` when there is no name.
fn look(dir: BorrowedFd<'_>, name: &CStr) -> Result<Statx> {
    let mask = StatxFlags::BASIC_STATS | StatxFlags::BTIME | StatxFlags::MNT_ID;
    let empty = if name.is_empty() { AtFlags::EMPTY_PATH } else { AtFlags::empty() };
    rustix::fs::statx(dir, name, AtFlags::SYMLINK_NOFOLLOW | empty, mask)
}

fn entry(stat: &Statx) -> [u8; ENTRY] {
    let mut entry = [0; ENTRY];
    entry[..4].copy_from_slice(&stat.stx_dev_major.to_ne_bytes());
    entry[4..8].copy_from_slice(&stat.stx_dev_minor.to_ne_bytes());
    entry[8..16].copy_from_slice(&stat.stx_ino.to_ne_bytes());
    entry[16..24].copy_from_slice(&stat.stx_mtime.tv_sec.to_ne_bytes());
    entry[24..28].copy_from_slice(&stat.stx_mtime.tv_nsec.to_ne_bytes());
    entry
}

/// Gives a directory the times back that it had. Refused to all but its owner.
fn keep_times(dir: BorrowedFd<'_>, before: &Statx) {
    let time =
        |time: rustix::fs::StatxTimestamp| Timespec { tv_sec: time.tv_sec, tv_nsec: time.tv_nsec.into() };
    let times = Timestamps { last_access: time(before.stx_atime), last_modification: time(before.stx_mtime) };
    let _ = rustix::fs::utimensat(dir, c"", &times, AtFlags::EMPTY_PATH);
}
