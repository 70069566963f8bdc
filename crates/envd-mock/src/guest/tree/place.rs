//! Putting finished content where it belongs, in one step: no reader ever sees half of it, and nothing is left
//! behind when it fails. Content is collected without a name where the file system allows that.

use std::ffi::{CStr, CString};
use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::fs::{AtFlags, OFlags};
use rustix::io::Errno;

use super::os::{mode, system};
use super::root::{Tree, c_name, open_child};

/// How the names start that exist for the moment of replacing a file; watchers do not tell of them.
pub(crate) const PASSING: &str = ".envd-upload.";
const ATTEMPTS: usize = 16;
/// Nobody else reads content before it is in its place.
const NEW: u32 = 0o600;

/// Content on its way; dropped before it is placed, it was never there.
#[derive(Debug)]
pub(super) struct Spool {
    pub(super) file: File,
    /// Bytes that were written.
    pub(super) len: u64,
    dir: Arc<OwnedFd>,
    /// Its name, where it could not be made without one.
    name: Option<CString>,
}

impl Spool {
    /// An empty spool on the file system of `dir`.
    pub(super) fn new(tree: &Tree, dir: &Arc<OwnedFd>) -> io::Result<Self> {
        match tree.making(|| system::nameless(dir.as_fd(), NEW)) {
            Ok(fd) => Ok(Self { file: fd.into(), len: 0, dir: Arc::clone(dir), name: None }),
            Err(error) if unsupported(&error) => Self::named(tree, dir),
            Err(error) => Err(error),
        }
    }

    fn named(tree: &Tree, dir: &Arc<OwnedFd>) -> io::Result<Self> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let make = |name: &CStr| tree.making(|| rustix::fs::openat(dir, name, flags, mode(NEW)));
        let (fd, name) = with_fresh_name(make)?;
        Ok(Self { file: fd.into(), len: 0, dir: Arc::clone(dir), name: Some(name) })
    }

    /// Takes the next bytes.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.len += bytes.len() as u64;
        Ok(())
    }

    /// Gives the content the name `target` in its directory, in place of what had it.
    pub(super) fn place(mut self, tree: &Tree, target: &CStr, replaces: bool) -> io::Result<()> {
        if self.name.is_none() {
            match replaces {
                false => match self.link(tree, target) {
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                        self.link_in_passing(tree)?;
                    }
                    other => return other,
                },
                true => self.link_in_passing(tree)?,
            }
        }
        let Some(name) = self.name.as_deref() else { return Ok(()) };
        tree.making(|| rustix::fs::renameat(&self.dir, name, &self.dir, target))?;
        self.name = None;
        Ok(())
    }

    fn link_in_passing(&mut self, tree: &Tree) -> io::Result<()> {
        let ((), name) = with_fresh_name(|name| self.link(tree, name))?;
        self.name = Some(name);
        Ok(())
    }

    fn link(&self, tree: &Tree, name: &CStr) -> io::Result<()> {
        tree.making(|| system::name(self.file.as_fd(), self.dir.as_fd(), name))
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        if let Some(name) = &self.name {
            let _ = rustix::fs::unlinkat(&self.dir, name.as_c_str(), AtFlags::empty());
        }
    }
}

/// Lets watchers of a placed file see that it was written, which content without a name cannot: a preallocation of
/// bytes that are there already changes nothing and counts as a modification. Only files have such a thing.
pub(super) fn tell_written(dir: BorrowedFd<'_>, name: &CStr) {
    if let Ok(fd) = open_child(dir, name, OFlags::WRONLY) {
        let _ = system::make_room(fd.as_fd(), 0, 1);
    }
}

fn with_fresh_name<T>(mut make: impl FnMut(&CStr) -> io::Result<T>) -> io::Result<(T, CString)> {
    let mut last = Errno::EXIST.into();
    for _ in 0..ATTEMPTS {
        let name = c_name(format!("{PASSING}{:016x}", crate::random::fresh()?).as_bytes())?;
        match make(&name) {
            Ok(made) => return Ok((made, name)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => last = error,
            Err(error) => return Err(error),
        }
    }
    Err(last)
}

/// How file systems and older kernels say that content must have a name.
fn unsupported(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::OPNOTSUPP | Errno::ISDIR | Errno::NOENT | Errno::INVAL))
}
