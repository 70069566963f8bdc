//! What watching a directory needs of the tree: the directory by descriptor, and what is in it.

use std::ffi::CString;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::fs::{FileType, OFlags};

use super::descent::names_in;
use super::os::LOOK;
use super::root::{Tree, is_pseudo, is_read_only, meta_at};

/// An entry of a directory.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub(crate) name: CString,
    pub(crate) is_dir: bool,
    /// A regular file that holds something.
    pub(crate) filled: bool,
}

impl Tree {
    /// The directory at a path without links.
    ///
    /// # Errors
    /// ENOTDIR when it is none.
    pub(crate) fn open_watched(&self, path: &[u8]) -> io::Result<OwnedFd> {
        self.open(path, LOOK | OFlags::DIRECTORY | OFlags::NOFOLLOW)
    }

    /// What is at a path without links, itself a link or not.
    ///
    /// # Errors
    /// ENOENT when nothing is.
    pub(crate) fn open_watched_entry(&self, path: &[u8]) -> io::Result<OwnedFd> {
        self.locate(path)
    }

    /// What `dir` holds; nothing where nothing in it can change: on a read-only mount, or made up by the kernel.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) fn find(&self, dir: BorrowedFd<'_>) -> io::Result<Vec<Found>> {
        if is_pseudo(dir)? || is_read_only(dir)? {
            return Ok(Vec::new());
        }
        let found = names_in(dir)?.into_iter().filter_map(|name| {
            let meta = meta_at(dir, &name).ok()?;
            let filled = meta.kind == FileType::RegularFile && meta.size > 0;
            Some(Found { name, is_dir: meta.kind == FileType::Directory, filled })
        });
        Ok(found.collect())
    }
}
