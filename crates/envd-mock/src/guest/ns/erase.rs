//! Removes a directory tree of any depth and any path length: without recursion, without allocating, never through a
//! link and never into another mount. A directory that is deeper than two levels is first moved up to the top, so that
//! two open directories are enough. A forked process may call it.

use std::ffi::CStr;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, RawDir, ResolveFlags};
use rustix::io::{Errno, Result};

/// Bytes of entries that are read at once.
const BUFFER: usize = 4096;
/// How often a name is tried that somebody else may have taken.
const ATTEMPTS: u32 = 1 << 16;

/// Removes everything in `top` but the entry `spared`. `top` may be a descriptor that only stands for the directory.
///
/// # Errors
/// Why the first of the entries that are left could not be removed.
pub(super) fn empty(top: BorrowedFd<'_>, spared: &CStr) -> Result<()> {
    let mut moved = 0;
    each(top, spared, &mut |name, kind| {
        if kind != FileType::Directory {
            return unlink(top, name, kind);
        }
        remove_dir(top, name, top, &mut moved)
    })
}

/// Removes the directory `name` of `parent`, which is `top` or a child of it.
fn remove_dir(parent: BorrowedFd<'_>, name: &CStr, top: BorrowedFd<'_>, moved: &mut u64) -> Result<()> {
    match remove_empty(parent, name) {
        Err(Errno::NOTEMPTY | Errno::EXIST | Errno::ACCESS) => {}
        other => return other,
    }
    let dir = enter(parent, name)?;
    each(dir.as_fd(), c"", &mut |entry, kind| {
        if kind != FileType::Directory {
            return unlink(dir.as_fd(), entry, kind);
        }
        match remove_empty(dir.as_fd(), entry) {
            Err(Errno::NOTEMPTY | Errno::EXIST | Errno::ACCESS) => lift(dir.as_fd(), entry, top, moved),
            other => other,
        }
    })?;
    remove_empty(parent, name)
}

/// Moves a directory to `top`, under a name that is free there.
fn lift(dir: BorrowedFd<'_>, name: &CStr, top: BorrowedFd<'_>, moved: &mut u64) -> Result<()> {
    // A directory that gets another parent is itself written to.
    drop(enter(dir, name)?);
    let mut space = [0; 40];
    for _ in 0..ATTEMPTS {
        *moved += 1;
        match rustix::fs::renameat(dir, name, top, format(&mut space, format_args!(".removed-{moved}\0"))) {
            Err(Errno::NOTEMPTY | Errno::EXIST | Errno::NOTDIR) => {}
            other => return other,
        }
    }
    Err(Errno::EXIST)
}

/// Hands every entry of a directory over until a pass over it has removed nothing.
fn each(
    dir: BorrowedFd<'_>,
    spared: &CStr,
    remove: &mut dyn FnMut(&CStr, FileType) -> Result<()>,
) -> Result<()> {
    loop {
        let (mut removed, mut failed) = (false, None);
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let opened = rustix::fs::openat(dir, c".", flags, Mode::empty())?;
        let mut buffer = [MaybeUninit::uninit(); BUFFER];
        let mut entries = RawDir::new(&opened, &mut buffer);
        while let Some(entry) = entries.next() {
            let entry = entry?;
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") || name == spared {
                continue;
            }
            match remove(name, entry.file_type()) {
                Ok(()) | Err(Errno::NOENT) => removed = true,
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        if !removed {
            return failed.map_or(Ok(()), Err);
        }
    }
}

/// Some file systems do not say of what kind an entry is.
fn unlink(dir: BorrowedFd<'_>, name: &CStr, kind: FileType) -> Result<()> {
    match rustix::fs::unlinkat(dir, name, AtFlags::empty()) {
        Err(Errno::ISDIR | Errno::PERM) if kind == FileType::Unknown => remove_empty(dir, name),
        other => other,
    }
}

fn remove_empty(dir: BorrowedFd<'_>, name: &CStr) -> Result<()> {
    rustix::fs::unlinkat(dir, name, AtFlags::REMOVEDIR)
}

/// Opens a directory on the same mount, with all permissions for its owner.
fn enter(dir: BorrowedFd<'_>, name: &CStr) -> Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
    let found = rustix::fs::openat2(dir, name, flags, Mode::empty(), resolve)?;
    let mode = Mode::from_raw_mode(rustix::fs::fstat(&found)?.st_mode);
    if !mode.contains(Mode::RWXU) {
        let mut space = [0; 40];
        let path = format(&mut space, format_args!("/proc/self/fd/{}\0", found.as_raw_fd()));
        // Refused to those who are not the owner; what follows then says so.
        let _ = rustix::fs::chmod(path, mode | Mode::RWXU);
    }
    Ok(found)
}

/// Text with a NUL at its end, without allocating.
pub(super) fn format<'a>(space: &'a mut [u8], text: std::fmt::Arguments<'_>) -> &'a CStr {
    let _ = std::io::Write::write_fmt(&mut std::io::Cursor::new(&mut *space), text);
    CStr::from_bytes_until_nul(space).unwrap_or(c"")
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    use std::path::Path;

    use super::*;

    /// A chain of directories that no path can name, built from inside.
    fn dig(dir: &Path, depth: usize) {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let mut here = rustix::fs::open(dir, flags, Mode::empty()).unwrap();
        for level in 0..depth {
            rustix::fs::mkdirat(&here, c"deeper", Mode::RWXU).unwrap();
            if level % 100 == 0 {
                let file = OFlags::WRONLY | OFlags::CREATE | OFlags::CLOEXEC;
                rustix::fs::openat(&here, c"file", file, Mode::RUSR).unwrap();
            }
            here = rustix::fs::openat(&here, c"deeper", flags, Mode::empty()).unwrap();
        }
    }

    fn emptied(dir: &Path) -> Result<()> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        empty(rustix::fs::open(dir, flags, Mode::empty()).unwrap().as_fd(), c"kept")
    }

    fn names(dir: &Path) -> Vec<String> {
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    /// Whatever is done once a level overflows a stack, a table of descriptors or a path.
    #[test]
    fn a_tree_of_any_depth_is_removed_on_a_small_stack() {
        let dir = tempfile::tempdir().unwrap();
        dig(dir.path(), 20_000);
        fs::write(dir.path().join("kept"), "").unwrap();
        let path = dir.path().to_owned();
        let thread = std::thread::Builder::new().stack_size(64 << 10);
        thread.spawn(move || emptied(&path)).unwrap().join().unwrap().unwrap();
        assert_eq!(names(dir.path()), ["kept"]);
    }

    #[test]
    fn many_entries_links_and_closed_directories_go_and_what_links_lead_to_stays() {
        let (dir, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(outside.path().join("file"), "mine").unwrap();
        for index in 0..300 {
            fs::create_dir_all(dir.path().join(format!("{index}/a/b"))).unwrap();
            fs::write(dir.path().join(format!("{index}/a/.removed-{index}")), "").unwrap();
            fs::create_dir_all(dir.path().join(format!(".removed-{index}/x"))).unwrap();
        }
        symlink(outside.path(), dir.path().join("link")).unwrap();
        symlink(outside.path(), dir.path().join("7/a/link")).unwrap();
        fs::hard_link(outside.path().join("file"), dir.path().join("8/hard")).unwrap();
        for closed in ["9/a/b", "9/a", "9"] {
            fs::set_permissions(dir.path().join(closed), fs::Permissions::from_mode(0o0)).unwrap();
        }
        emptied(dir.path()).unwrap();
        assert_eq!(names(dir.path()), Vec::<String>::new());
        assert_eq!(fs::read(outside.path().join("file")).unwrap(), b"mine");
    }
}
