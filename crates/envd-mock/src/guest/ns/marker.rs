//! The mark of a tree that is in use: a file beside it that its mock and its janitor hold locked. A marked tree whose
//! lock is free has lost both, and any later mock of the same user removes it. A tree that is to be kept has no mark.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Dir, FileType, FlockOperation, Mode, OFlags, Stat, flock, fstat, openat};

use super::erase;
use crate::guest::place::PREFIX;

/// The file that is locked.
pub(super) const NAME: &CStr = c"in-use";
const NEW: &CStr = c"in-use.new";
const CONTENT: &[u8] = b"envd-mock: this directory goes with the mock that holds the lock on this file\n";
/// Entries of the temporary directory that are looked at, and trees that are removed, by one mock.
const LOOKED_AT: usize = 20_000;
const REMOVED: usize = 64;

/// Marks `dir` as in use, as long as the descriptor that is returned, or a copy of it, is open.
///
/// # Errors
/// When the file cannot be made or locked.
pub(crate) fn mark(dir: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let file = openat(dir, NEW, flags, Mode::RUSR | Mode::WUSR)?;
    flock(&file, FlockOperation::NonBlockingLockExclusive)?;
    rustix::io::write(&file, CONTENT)?;
    // It has its name only once it is locked: a free lock means that nobody is left.
    rustix::fs::renameat(dir, NEW, dir, NAME)?;
    Ok(file)
}

/// Removes the directory that `dir` stands for and `path` names, its mark last.
///
/// # Errors
/// Why something is still there.
pub(super) fn remove(dir: BorrowedFd<'_>, path: &CStr) -> rustix::io::Result<()> {
    erase::empty(dir, NAME)?;
    let _ = rustix::fs::unlinkat(dir, NAME, AtFlags::empty());
    rustix::fs::unlinkat(CWD, path, AtFlags::REMOVEDIR)
}

/// Removes the trees in `temporary` that mocks of this user have left behind. Bounded; what cannot be removed is left.
pub(crate) fn collect(temporary: &Path) {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let Ok(temporary) = rustix::fs::open(temporary, flags, Mode::empty()) else { return };
    let Ok(entries) = Dir::read_from(&temporary) else { return };
    let named = |name: &CStr| name.to_bytes().starts_with(PREFIX.as_bytes());
    let names = entries.take(LOOKED_AT).flatten().map(|entry| entry.file_name().to_owned());
    let abandoned = names.filter(|name| named(name)).filter(|name| collect_one(temporary.as_fd(), name));
    let count = abandoned.take(REMOVED).count();
    if count > 0 {
        tracing::info!(count, "removed trees that killed mocks had left behind");
    }
}

/// Whether `name` was such a tree.
fn collect_one(temporary: BorrowedFd<'_>, name: &CStr) -> bool {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let Ok(dir) = openat(temporary, name, flags | OFlags::DIRECTORY, Mode::empty()) else { return false };
    let private = |stat: &Stat| is_mine(stat) && stat.st_mode & 0o7777 == 0o700;
    if !fstat(&dir).is_ok_and(|stat| private(&stat)) {
        return false;
    }
    let Ok(file) = openat(&dir, NAME, flags, Mode::empty()) else { return false };
    let plain = |stat: &Stat| {
        FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile && stat.st_nlink == 1 && is_mine(stat)
    };
    let mut content = [0; 128];
    if !fstat(&file).is_ok_and(|stat| plain(&stat))
        || !rustix::io::read(&file, &mut content).is_ok_and(|read| content[..read] == *CONTENT)
        || flock(&file, FlockOperation::NonBlockingLockExclusive).is_err()
    {
        return false;
    }
    if erase::empty(dir.as_fd(), NAME).is_err() {
        return false;
    }
    let _ = rustix::fs::unlinkat(&dir, NAME, AtFlags::empty());
    rustix::fs::unlinkat(temporary, name, AtFlags::REMOVEDIR).is_ok()
}

fn is_mine(stat: &Stat) -> bool {
    stat.st_uid == rustix::process::geteuid().as_raw()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    use std::path::PathBuf;

    use super::*;

    fn tree(temporary: &Path, name: &str, mode: u32) -> (PathBuf, OwnedFd) {
        let path = temporary.join(name);
        fs::create_dir_all(path.join("root/etc")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let dir = rustix::fs::open(&path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).unwrap();
        let lock = mark(dir.as_fd()).unwrap();
        (path, lock)
    }

    /// Covers: in use; kept; another name; open to others; a link; a mark that is not ours; a mark with another name.
    #[test]
    fn only_a_marked_tree_that_nobody_holds_is_collected() {
        let temporary = tempfile::tempdir().unwrap();
        let at = |name: &str| temporary.path().join(name);
        let (lost, lock) = tree(temporary.path(), "envd-mock-lost", 0o700);
        drop(lock);
        let (used, _held) = tree(temporary.path(), "envd-mock-used", 0o700);
        let (kept, _) = tree(temporary.path(), "envd-mock-kept", 0o700);
        fs::remove_file(kept.join("in-use")).unwrap();
        let (other, _) = tree(temporary.path(), "other", 0o700);
        let (open, _) = tree(temporary.path(), "envd-mock-open", 0o755);
        let (forged, _) = tree(temporary.path(), "envd-mock-forged", 0o700);
        fs::write(forged.join("in-use"), "something else").unwrap();
        let (linked, _) = tree(temporary.path(), "envd-mock-linked", 0o700);
        fs::hard_link(linked.join("in-use"), linked.join("again")).unwrap();
        symlink(&other, at("envd-mock-link")).unwrap();
        fs::write(at("envd-mock-file"), "").unwrap();

        collect(temporary.path());
        assert!(!lost.exists());
        for left in [used, kept, other, open, forged, linked, at("envd-mock-link")] {
            assert!(left.join("root/etc").exists(), "{}", left.display());
        }
        assert!(at("envd-mock-file").exists());
    }
}
