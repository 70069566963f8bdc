//! A walk down a tree that may be deeper than the process may hold descriptors: the innermost directories are
//! open, the others are found again by name. Never follows a link.

use std::collections::VecDeque;
use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use rustix::fs::{Dir, OFlags, ResolveFlags};

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
    resolve: ResolveFlags,
}

impl Descent {
    /// A walk that starts in `base`, a directory. `within`: other mounts are not entered (EXDEV).
    pub(super) fn new(base: OwnedFd, within: bool) -> Self {
        let mut resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
        if within {
            resolve |= ResolveFlags::NO_XDEV;
        }
        Self { base, names: Vec::new(), held: VecDeque::new(), resolve }
    }

    /// The directory that the walk is in.
    pub(super) fn current(&self) -> BorrowedFd<'_> {
        self.held.back().unwrap_or(&self.base).as_fd()
    }

    /// Goes into `name`.
    pub(super) fn enter(&mut self, name: &CStr) -> io::Result<()> {
        let dir =
            open_at(self.current(), name, OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW, self.resolve)?;
        self.names.push(name.to_owned());
        self.hold(dir);
        Ok(())
    }

    /// Goes back up and gives the name of what was left, `None` at the start.
    pub(super) fn leave(&mut self) -> io::Result<Option<CString>> {
        let Some(left) = self.names.pop() else { return Ok(None) };
        self.held.pop_back();
        if self.held.is_empty() && !self.names.is_empty() {
            let dir = self.find_again()?;
            self.hold(dir);
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

    fn find_again(&self) -> io::Result<OwnedFd> {
        let mut at: Option<OwnedFd> = None;
        let mut path = Vec::new();
        let last = self.names.len() - 1;
        for (index, name) in self.names.iter().enumerate() {
            path.extend_from_slice(name.to_bytes());
            if path.len() < STRIDE && index < last {
                path.push(b'/');
                continue;
            }
            let from = at.as_ref().unwrap_or(&self.base).as_fd();
            at = Some(open_at(from, &c_name(&path)?, OFlags::PATH | OFlags::DIRECTORY, self.resolve)?);
            path.clear();
        }
        at.map_or_else(|| Ok(self.base.try_clone()?), Ok)
    }
}

/// The names in a directory given by a PATH descriptor, without `.` and `..`.
pub(super) fn names_in(dir: BorrowedFd<'_>) -> io::Result<Vec<CString>> {
    let open = OFlags::RDONLY | OFlags::DIRECTORY;
    names_of(open_at(dir, c".", open, ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS)?)
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
