//! A walk down a tree that may be deeper than the process may hold descriptors: the innermost directories are
//! open, the others are found again by name. Never follows a link.

use std::collections::VecDeque;
use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use rustix::fs::{Dir, OFlags};

use super::os::{LOOK, Resolve};
use super::root::{c_name, open_at};

/// Directories held open besides the first.
const HELD: usize = 32;
/// Bytes of a path that are given to the kernel at once; it takes 4095.
const STRIDE: usize = 3000;

/// Where the walk is.
pub(super) struct Descent {
    base: OwnedFd,
    names: Vec<CString>,
    held: VecDeque<OwnedFd>,
    resolve: Resolve,
}

impl Descent {
    /// A walk that starts in `base`, a directory. `within`: other mounts are not entered (EXDEV).
    pub(super) fn new(base: OwnedFd, within: bool) -> Self {
        let resolve = if within { Resolve::BeneathMount } else { Resolve::Beneath };
        Self { base, names: Vec::new(), held: VecDeque::new(), resolve }
    }

    /// The directory that the walk is in.
    pub(super) fn current(&self) -> BorrowedFd<'_> {
        self.held.back().unwrap_or(&self.base).as_fd()
    }

    /// Goes into `name`.
    pub(super) fn enter(&mut self, name: &CStr) -> io::Result<()> {
        let dir = open_at(self.current(), name, LOOK | OFlags::DIRECTORY | OFlags::NOFOLLOW, self.resolve)?;
        self.names.push(name.to_owned());
        self.hold(dir);
        Ok(())
    }

    /// Goes back up and gives the name of what was left, `None` at the start.
    pub(super) fn leave(&mut self) -> io::Result<Option<CString>> {
        let Some(left) = self.names.pop() else { return Ok(None) };
        self.held.pop_back();
        if self.held.is_empty() {
            self.find_again()?;
        }
        Ok(Some(left))
    }

    /// The names in the current directory, in the kernel's order.
    pub(super) fn read(&self) -> io::Result<Vec<CString>> {
        names_in(self.current())
    }

    fn hold(&mut self, dir: OwnedFd) {
        if self.held.len() == HELD {
            self.held.pop_front();
        }
        self.held.push_back(dir);
    }

    /// Opens the innermost directories anew, by their names from the start.
    fn find_again(&mut self) -> io::Result<()> {
        let far = self.names.len().saturating_sub(HELD);
        let mut dir = self.base.try_clone()?;
        let mut path = Vec::new();
        for name in &self.names[..far] {
            path.extend_from_slice(name.to_bytes());
            path.push(b'/');
            if path.len() >= STRIDE {
                dir = self.open_below(&dir, &std::mem::take(&mut path))?;
            }
        }
        if !path.is_empty() {
            dir = self.open_below(&dir, &path)?;
        }
        for index in far..self.names.len() {
            dir = self.open_below(&dir, self.names[index].to_bytes())?;
            self.hold(dir.try_clone()?);
        }
        Ok(())
    }

    fn open_below(&self, dir: &OwnedFd, path: &[u8]) -> io::Result<OwnedFd> {
        Ok(open_at(dir.as_fd(), &c_name(path)?, LOOK | OFlags::DIRECTORY, self.resolve)?)
    }
}

/// The names in a directory given by a descriptor that stands for it, without `.` and `..`.
pub(super) fn names_in(dir: BorrowedFd<'_>) -> io::Result<Vec<CString>> {
    let open = OFlags::RDONLY | OFlags::DIRECTORY;
    names_of(open_at(dir, c".", open, Resolve::Beneath)?)
}

/// The names in a directory opened for reading.
pub(super) fn names_of(dir: OwnedFd) -> io::Result<Vec<CString>> {
    let mut names = Vec::new();
    for entry in Dir::new(dir)? {
        let entry = entry?;
        if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
            names.push(entry.file_name().to_owned());
        }
    }
    Ok(names)
}
