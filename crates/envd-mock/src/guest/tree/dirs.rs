//! Making directories and moving entries.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use rustix::fs::{FileType, OFlags};
use rustix::io::Errno;

use super::os::{LOOK, Meta, mode, system};
use super::owners::Owner;
use super::root::{At, Tree, c_name, guard, guard_mount, meta_at, meta_of, open_child, parts};

const NEW_DIR: u32 = 0o755;

/// Why a path of directories could not be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DirsError {
    #[error("path is a file: {0}")]
    IsFile(String),
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// Why a directory was not made.
#[derive(Debug)]
pub(crate) enum MakeDirError {
    Exists,
    NotDirectory,
    Look(io::Error),
    Make(io::Error),
}

/// Why an entry was not moved.
#[derive(Debug)]
pub(crate) enum RenameError {
    /// The destination's parents could not be made.
    Parents(DirsError),
    /// There is no such source.
    Missing(io::Error),
    Rename(io::Error),
}

impl Tree {
    /// Makes `path`, a directory that is not there yet, and the parents that it lacks.
    pub(crate) fn make_dir(&self, path: &str, owner: Owner) -> Result<(), MakeDirError> {
        match self.locate_target(path.as_bytes()).and_then(meta_of) {
            Ok(meta) if is_dir(&meta) => return Err(MakeDirError::Exists),
            Ok(_) => return Err(MakeDirError::NotDirectory),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(MakeDirError::Look(error)),
        }
        match self.make_missing(path.as_bytes(), owner) {
            Ok((_, true)) => Ok(()),
            // Somebody else has made it since it was looked for.
            Ok((_, false)) => Err(MakeDirError::Exists),
            Err(DirsError::IsFile(_)) => Err(MakeDirError::Make(Errno::EXIST.into())),
            Err(DirsError::Io(error)) => Err(MakeDirError::Make(error)),
        }
    }

    /// Moves `source`, a link as a link; what the destination was is gone, its parents are made.
    pub(crate) fn rename(&self, source: &str, destination: &str, owner: Owner) -> Result<(), RenameError> {
        let (parent, _, _) = parts(destination.as_bytes());
        self.make_dirs(parent, owner).map_err(RenameError::Parents)?;
        let from = self.split(source.as_bytes()).map_err(missing)?;
        let meta = meta_at(&from.dir, &from.name).map_err(|error| missing(error.into()))?;
        guard_mount(&from.dir, &meta).map_err(RenameError::Rename)?;
        let to = self.split(destination.as_bytes()).map_err(RenameError::Rename)?;
        self.move_entry(&from, &to).map_err(RenameError::Rename)
    }

    fn move_entry(&self, from: &At, to: &At) -> io::Result<()> {
        guard(&from.dir)?;
        guard(&to.dir)?;
        if let Ok(replaced) = meta_at(&to.dir, &to.name) {
            guard_mount(&to.dir, &replaced)?;
        }
        let (old, new) = (kept_slash(from)?, kept_slash(to)?);
        self.making(|| rustix::fs::renameat(&from.dir, old.as_c_str(), &to.dir, new.as_c_str()))
    }

    /// Makes every directory of `path` that is missing, each 0755 and given to `owner`, and opens the last.
    pub(super) fn make_dirs(&self, path: &[u8], owner: Owner) -> Result<OwnedFd, DirsError> {
        self.make_missing(path, owner).map(|(dir, _)| dir)
    }

    /// As [`Tree::make_dirs`], and whether the last was made by this call.
    fn make_missing(&self, path: &[u8], owner: Owner) -> Result<(OwnedFd, bool), DirsError> {
        let ends = ends(path);
        let mut depth = ends.len();
        let mut dir = loop {
            match self.open_dir(if depth == 0 { b"/" } else { &path[..ends[depth - 1]] }) {
                Ok(dir) => break dir,
                Err(error) if error.kind() == io::ErrorKind::NotFound && depth > 0 => depth -= 1,
                Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
                    return Err(self.file_in(path, &ends, error));
                }
                Err(error) => return Err(error.into()),
            }
        };
        let mut made = false;
        for &end in &ends[depth..] {
            (dir, made) = self.make_one(dir.as_fd(), &path[..end], owner)?;
        }
        Ok((dir, made))
    }

    /// Makes the last directory of `path` in `parent`; one that has appeared meanwhile is as good.
    fn make_one(
        &self,
        parent: BorrowedFd<'_>,
        path: &[u8],
        owner: Owner,
    ) -> Result<(OwnedFd, bool), DirsError> {
        let (_, name, _) = parts(path);
        if name == b".." {
            return Ok((self.open_dir(path)?, true));
        }
        let name = c_name(name)?;
        guard(parent)?;
        match self.making(|| rustix::fs::mkdirat(parent, name.as_c_str(), mode(NEW_DIR))) {
            Ok(()) => Ok((self.adopt_dir(parent, &name, owner)?, true)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => match self.open_dir(path) {
                Ok(dir) => Ok((dir, false)),
                Err(_) => Err(error.into()),
            },
            Err(error) => Err(error.into()),
        }
    }

    fn adopt_dir(&self, parent: BorrowedFd<'_>, name: &CStr, owner: Owner) -> io::Result<OwnedFd> {
        let dir = open_child(parent, name, LOOK | OFlags::DIRECTORY)?;
        if meta_of(&dir)?.mode & 0o777 != NEW_DIR {
            system::chmod(dir.as_fd(), NEW_DIR)?;
        }
        self.give(dir.as_fd(), owner)?;
        Ok(dir)
    }

    /// The first part of `path` that is there and no directory.
    fn file_in(&self, path: &[u8], ends: &[usize], error: io::Error) -> DirsError {
        let is_file = |end: &&usize| {
            self.locate_target(&path[..**end]).and_then(meta_of).is_ok_and(|meta| !is_dir(&meta))
        };
        match ends.iter().find(is_file) {
            Some(&end) => DirsError::IsFile(String::from_utf8_lossy(&path[..end]).into_owned()),
            None => error.into(),
        }
    }
}

/// Where each component of `path` ends.
fn ends(path: &[u8]) -> Vec<usize> {
    let mut ends = Vec::new();
    for (index, &byte) in path.iter().enumerate() {
        let last = path.get(index + 1).is_none_or(|&next| next == b'/');
        if byte != b'/' && last {
            ends.push(index + 1);
        }
    }
    ends
}

fn kept_slash(at: &At) -> io::Result<CString> {
    let mut name = at.name.as_bytes().to_vec();
    if at.slash {
        name.push(b'/');
    }
    c_name(&name)
}

fn missing(error: io::Error) -> RenameError {
    if error.kind() == io::ErrorKind::NotFound {
        RenameError::Missing(error)
    } else {
        RenameError::Rename(error)
    }
}

fn is_dir(meta: &Meta) -> bool {
    meta.kind == FileType::Directory
}
