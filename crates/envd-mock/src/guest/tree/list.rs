//! Listing a directory: depth first, each directory before what it holds, in the kernel's order; links to
//! directories are listed and not entered.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::OwnedFd;

use rustix::fs::{FileType, OFlags};
use rustix::io::Errno;

use super::descent::{Descent, names_of};
use super::entry::Entry;
use super::os::Meta;
use super::pseudo::is_listable;
use super::root::{Tree, c_name, meta_at, meta_of};
use crate::guest::path::join;
use crate::guest::users::Names;

/// Why a directory was not listed.
#[derive(Debug)]
pub(crate) enum ListError {
    Missing(io::Error),
    Resolve(io::Error),
    NotDirectory,
    /// It has a lot of entries, and only a directory of few was asked for.
    Large,
    Read(io::Error),
}

/// Which directories are to be listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    Any,
    /// Those that do not take long and give a short answer.
    Small,
}

/// A directory that takes more bytes than this has some thousand entries on all usual file systems.
const LARGE: u64 = 64 * 1024;

impl Tree {
    /// Hands over what lies below `path`, `depth` levels down (0 means 1); entries are named below `path` as it was given.
    pub(crate) fn list_each(
        &self,
        path: &str,
        depth: u32,
        extent: Extent,
        found: &mut dyn FnMut(Entry),
    ) -> Result<(), ListError> {
        let canonical = self.canonical(path.as_bytes()).map_err(resolve_error)?;
        let dir = self.locate(&canonical).map_err(resolve_error)?;
        let meta = meta_of(&dir).map_err(ListError::Resolve)?;
        if !is_dir(&meta) {
            return Err(ListError::NotDirectory);
        }
        if extent == Extent::Small && meta.size > LARGE {
            return Err(ListError::Large);
        }
        if !is_listable(&dir).map_err(ListError::Read)? {
            return Err(ListError::Read(Errno::ACCESS.into()));
        }
        let mut listing = Listing {
            tree: self,
            names: Names::load(self).map_err(ListError::Read)?,
            shown: path.to_owned(),
            real: canonical,
            depth: depth.max(1) as usize,
            found,
        };
        listing.walk(dir).map_err(ListError::Read)
    }

    /// As [`Tree::list_each`], all at once.
    #[cfg(test)]
    pub(crate) fn list(&self, path: &str, depth: u32) -> Result<Vec<Entry>, ListError> {
        let mut found = Vec::new();
        self.list_each(path, depth, Extent::Any, &mut |entry| found.push(entry))?;
        Ok(found)
    }
}

fn resolve_error(error: io::Error) -> ListError {
    if error.kind() == io::ErrorKind::NotFound {
        ListError::Missing(error)
    } else {
        ListError::Resolve(error)
    }
}

struct Listing<'t> {
    tree: &'t Tree,
    names: Names,
    /// The current directory as the caller names it, and as it is.
    shown: String,
    real: Vec<u8>,
    depth: usize,
    found: &'t mut dyn FnMut(Entry),
}

/// What is left of one directory, and how long the paths were above it.
struct Level {
    rest: std::vec::IntoIter<CString>,
    shown: usize,
    real: usize,
}

impl Listing<'_> {
    fn walk(&mut self, dir: OwnedFd) -> io::Result<()> {
        let mut descent = Descent::new(dir, false);
        let mut levels = vec![self.level(self.read(&descent)?)];
        while let Some(level) = levels.last_mut() {
            let Some(name) = level.rest.next() else {
                self.shown.truncate(level.shown);
                self.real.truncate(level.real);
                levels.pop();
                descent.leave()?;
                continue;
            };
            let Ok(meta) = meta_at(descent.current(), &name) else { continue };
            self.note(&name, &meta)?;
            if is_dir(&meta) && levels.len() < self.depth {
                match descent.enter(&name) {
                    Ok(()) => levels.push(self.step_into(&name, &descent)?),
                    Err(error) if vanished(&error) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }

    fn note(&mut self, name: &CStr, meta: &Meta) -> io::Result<()> {
        let shown = join(&self.shown, &name.to_string_lossy());
        let real = below(&self.real, name);
        (self.found)(self.tree.describe(&shown, &real, meta, &self.names)?);
        Ok(())
    }

    fn level(&self, names: Vec<CString>) -> Level {
        Level { rest: names.into_iter(), shown: self.shown.len(), real: self.real.len() }
    }

    fn step_into(&mut self, name: &CStr, descent: &Descent) -> io::Result<Level> {
        let (shown, real) = (self.shown.len(), self.real.len());
        self.shown = join(&self.shown, &name.to_string_lossy());
        self.real = below(&self.real, name);
        // Entries of processes are left out, as what has vanished is.
        let names = if is_listable(descent.current())? { self.read(descent)? } else { Vec::new() };
        Ok(Level { shown, real, ..self.level(names) })
    }

    /// The names of the current directory, read as the guest's root where the mock may not.
    fn read(&self, descent: &Descent) -> io::Result<Vec<CString>> {
        match descent.read() {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => self.read_as_root(),
            Err(error) if vanished(&error) => Ok(Vec::new()),
            other => other,
        }
    }

    fn read_as_root(&self) -> io::Result<Vec<CString>> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW;
        names_of(self.tree.open_as_root(&c_name(&self.real)?, flags)?)
    }
}

fn vanished(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
        || error.raw_os_error() == Some(Errno::LOOP.raw_os_error())
}

fn below(dir: &[u8], name: &CStr) -> Vec<u8> {
    let mut path = dir.to_vec();
    if !path.ends_with(b"/") {
        path.push(b'/');
    }
    path.extend_from_slice(name.to_bytes());
    path
}

fn is_dir(meta: &Meta) -> bool {
    meta.kind == FileType::Directory
}
