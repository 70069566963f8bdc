//! Removing an entry and all below it: a link as a link, and never into another mount.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd};

use rustix::fs::{AtFlags, FileType, OFlags};
use rustix::io::Errno;

use super::descent::Descent;
use super::os::{LOOK, Meta, system};
use super::root::{At, Tree, guard, guard_mount, meta_at, meta_of, open_child};

/// Why something is still there.
#[derive(Debug)]
pub(crate) enum RemoveError {
    Missing(io::Error),
    /// Removing a directory failed.
    Directory(io::Error),
    /// Removing something else failed.
    File(io::Error),
}

impl Tree {
    /// Removes `path` with all that it holds.
    pub(crate) fn remove(&self, path: &str) -> Result<(), RemoveError> {
        let at = self.split(path.as_bytes()).map_err(missing_or_dir)?;
        let meta = meta_at(&at.dir, &at.name).map_err(|error| missing_or_dir(error.into()))?;
        guard(&at.dir).map_err(RemoveError::File)?;
        if !is_dir(&meta) {
            return self.remove_file(&at, &meta).map_err(RemoveError::File);
        }
        self.remove_dir(&at, &meta).map_err(RemoveError::Directory)
    }

    fn remove_file(&self, at: &At, meta: &Meta) -> io::Result<()> {
        if at.slash {
            return Err(Errno::NOTDIR.into());
        }
        guard_mount(&at.dir, meta)?;
        rustix::fs::unlinkat(&at.dir, at.name.as_c_str(), AtFlags::empty())?;
        if meta.links == 1 {
            self.owners.forget(meta);
        }
        Ok(())
    }

    fn remove_dir(&self, at: &At, meta: &Meta) -> io::Result<()> {
        // What is mounted cannot go, so what it holds must not either.
        guard_mount(&at.dir, meta)?;
        permit(at.dir.as_fd(), &at.name);
        let dir = open_child(at.dir.as_fd(), &at.name, LOOK | OFlags::DIRECTORY)?;
        empty(Descent::new(dir, true))?;
        rustix::fs::unlinkat(&at.dir, at.name.as_c_str(), AtFlags::REMOVEDIR)?;
        self.owners.forget(meta);
        Ok(())
    }
}

/// Removes everything below the start of the walk.
fn empty(mut descent: Descent) -> io::Result<()> {
    let mount = meta_of(descent.current())?.mount;
    let mut levels: Vec<std::vec::IntoIter<CString>> = vec![descent.read()?.into_iter()];
    while let Some(level) = levels.last_mut() {
        match level.next() {
            Some(name) => {
                if let Some(below) = unlink_or_enter(&mut descent, &name, mount)? {
                    levels.push(below.into_iter());
                }
            }
            None => {
                levels.pop();
                if let Some(name) = descent.leave()? {
                    gone(rustix::fs::unlinkat(descent.current(), name.as_c_str(), AtFlags::REMOVEDIR))?;
                }
            }
        }
    }
    Ok(())
}

/// The names in `name` when that is a directory, which the walk then is in.
fn unlink_or_enter(descent: &mut Descent, name: &CStr, mount: u64) -> io::Result<Option<Vec<CString>>> {
    let meta = match meta_at(descent.current(), name) {
        Err(Errno::NOENT) => return Ok(None),
        other => other?,
    };
    if meta.mount != mount {
        return Err(Errno::BUSY.into());
    }
    if !is_dir(&meta) {
        return gone(rustix::fs::unlinkat(descent.current(), name, AtFlags::empty())).map(|()| None);
    }
    permit(descent.current(), name);
    descent.enter(name).map_err(|error| match Errno::from_io_error(&error) {
        Some(Errno::XDEV) => Errno::BUSY.into(),
        _ => error,
    })?;
    descent.read().map(Some)
}

/// The guest's root needs no permission bits; an owner that is not root has to grant them to itself first.
fn permit(dir: BorrowedFd<'_>, name: &CStr) {
    let Ok(meta) = meta_at(dir, name) else { return };
    let mode = meta.mode & 0o7777;
    if mode & 0o700 == 0o700 || meta.uid != rustix::process::geteuid().as_raw() || meta.uid == 0 {
        return;
    }
    if meta.kind == FileType::Directory {
        let _ = system::chmod_dir(dir, name, mode | 0o700);
    }
}

/// What somebody else has removed meanwhile is gone too.
fn gone(result: rustix::io::Result<()>) -> io::Result<()> {
    match result {
        Err(Errno::NOENT) => Ok(()),
        other => Ok(other?),
    }
}

fn missing_or_dir(error: io::Error) -> RemoveError {
    if error.kind() == io::ErrorKind::NotFound {
        RemoveError::Missing(error)
    } else {
        RemoveError::Directory(error)
    }
}

fn is_dir(meta: &Meta) -> bool {
    meta.kind == FileType::Directory
}
