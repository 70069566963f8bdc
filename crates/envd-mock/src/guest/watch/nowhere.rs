//! Where the kernel has no inotify, no directory is watched.

use std::io;
use std::sync::Arc;

use super::events::{Change, WatchError};
use super::ready::Ready;
use crate::guest::tree::Tree;

/// What watches would share.
#[derive(Debug, Default)]
pub(crate) struct Instance;

/// A watch, of which there is none.
#[derive(Debug)]
pub(crate) enum Watch {}

impl Watch {
    /// Refuses.
    pub(crate) fn new(_: &Instance, _: Arc<Tree>, _: &str, _: bool) -> Result<Self, WatchError> {
        let why = "directories are watched on Linux only";
        Err(WatchError::Failed(io::Error::new(io::ErrorKind::Unsupported, why)))
    }

    pub(crate) fn ready(&self) -> io::Result<Ready> {
        match *self {}
    }

    pub(crate) fn take(&mut self) -> io::Result<(Vec<Change>, bool)> {
        match *self {}
    }
}
