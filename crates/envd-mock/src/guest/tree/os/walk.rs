//! Resolves a path below a directory as openat2(2) does, one component at a time. The kernel is given single names
//! that are no links and never `..`, so whatever is renamed meanwhile, nothing above the start can be reached.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::{Errno, Result};

use super::portable::{is_look, look, meta_at, meta_of};
use super::{Meta, Resolve};

/// Links followed before a path counts as a loop, as in the kernel.
const LINKS: u32 = 40;
/// Bytes of a path, with the one that ends it.
const PATH_MAX: usize = 4096;

/// Opens `path` below `dir`.
///
/// # Errors
/// EAGAIN when what was found was replaced at once, and those of openat2(2).
pub(in crate::guest::tree) fn open(
    dir: BorrowedFd<'_>,
    path: &CStr,
    flags: OFlags,
    resolve: Resolve,
) -> Result<OwnedFd> {
    let path = path.to_bytes();
    if path.is_empty() {
        return Err(Errno::NOENT);
    }
    if path.len() >= PATH_MAX {
        return Err(Errno::NAMETOOLONG);
    }
    let mount = meta_of(dir)?.mount;
    let mut walk = Walk {
        root: dir,
        resolve,
        mount,
        names: Vec::new(),
        here: again(dir)?,
        rest: Vec::new(),
        slash: false,
        links: 0,
    };
    walk.take(path)?;
    walk.run(flags)
}

/// Where a walk is.
struct Walk<'d> {
    root: BorrowedFd<'d>,
    resolve: Resolve,
    mount: u64,
    /// From the start to where it is; none is a link, `.` or `..`.
    names: Vec<CString>,
    here: OwnedFd,
    /// The components that are left, the next one last.
    rest: Vec<CString>,
    /// The path ends with a slash.
    slash: bool,
    links: u32,
}

impl Walk<'_> {
    /// Puts the components of a path, or of a link's text, before those that are left.
    fn take(&mut self, path: &[u8]) -> Result<()> {
        if path.starts_with(b"/") {
            if self.is_beneath() {
                return Err(Errno::XDEV);
            }
            self.names.clear();
            self.here = again(self.root)?;
        }
        // A link in the middle has a component behind it, so only the text of the last one can end the path.
        self.slash |= self.rest.is_empty() && path.ends_with(b"/");
        let names = path.split(|&byte| byte == b'/').filter(|name| !name.is_empty()).rev();
        self.rest.extend(names.filter_map(|name| CString::new(name).ok()));
        Ok(())
    }

    fn is_beneath(&self) -> bool {
        matches!(self.resolve, Resolve::Beneath | Resolve::BeneathMount)
    }

    fn run(mut self, flags: OFlags) -> Result<OwnedFd> {
        while let Some(name) = self.rest.pop() {
            match name.to_bytes() {
                b"." => {}
                b".." => self.ascend()?,
                _ => {
                    if let Some(opened) = self.step(name, flags)? {
                        return Ok(opened);
                    }
                }
            }
        }
        self.open_here(flags)
    }

    /// Goes through one name; gives what the path leads to when that was the last one and no directory.
    fn step(&mut self, name: CString, flags: OFlags) -> Result<Option<OwnedFd>> {
        let meta = meta_at(self.here.as_fd(), &name)?;
        let (last, dir) = (self.rest.is_empty(), self.slash || flags.contains(OFlags::DIRECTORY));
        self.within(&meta)?;
        match meta.kind {
            FileType::Directory => self.descend(name).map(|()| None),
            FileType::Symlink if !last || self.slash || !flags.contains(OFlags::NOFOLLOW) => {
                self.follow(&name).map(|()| None)
            }
            _ if !last || dir => Err(Errno::NOTDIR),
            FileType::Symlink if !is_look(flags) => Err(Errno::LOOP),
            kind => self.open_last(&name, kind, flags).map(Some),
        }
    }

    fn within(&self, meta: &Meta) -> Result<()> {
        let crossed = self.resolve == Resolve::BeneathMount && meta.mount != self.mount;
        if crossed { Err(Errno::XDEV) } else { Ok(()) }
    }

    fn descend(&mut self, name: CString) -> Result<()> {
        self.here = enter(self.here.as_fd(), &name)?;
        self.names.push(name);
        Ok(())
    }

    /// Goes to the parent, by name from the start.
    fn ascend(&mut self) -> Result<()> {
        if self.names.pop().is_none() && self.is_beneath() {
            return Err(Errno::XDEV);
        }
        self.here = again(self.root)?;
        for name in &self.names {
            self.here = enter(self.here.as_fd(), name)?;
        }
        Ok(())
    }

    fn follow(&mut self, name: &CStr) -> Result<()> {
        self.links += 1;
        if self.links > LINKS || self.resolve != Resolve::InRoot {
            return Err(Errno::LOOP);
        }
        let text = rustix::fs::readlinkat(&self.here, name, Vec::new()).map_err(replaced)?;
        self.take(text.to_bytes())
    }

    fn open_last(&self, name: &CStr, kind: FileType, flags: OFlags) -> Result<OwnedFd> {
        if is_look(flags) {
            return look(self.here.as_fd(), name, kind);
        }
        rustix::fs::openat(&self.here, name, flags | OFlags::NOFOLLOW, Mode::empty())
    }

    fn open_here(self, flags: OFlags) -> Result<OwnedFd> {
        if is_look(flags) {
            return Ok(self.here);
        }
        rustix::fs::openat(&self.here, c".", flags, Mode::empty())
    }
}

/// The directory `name` of `dir`, which was one a moment ago.
fn enter(dir: BorrowedFd<'_>, name: &CStr) -> Result<OwnedFd> {
    look(dir, name, FileType::Directory).map_err(replaced)
}

/// How opening says that something is no longer what it was found to be.
fn replaced(error: Errno) -> Errno {
    if matches!(error, Errno::LOOP | Errno::NOTDIR | Errno::INVAL) { Errno::AGAIN } else { error }
}

fn again(dir: BorrowedFd<'_>) -> Result<OwnedFd> {
    rustix::io::fcntl_dupfd_cloexec(dir, 0)
}
