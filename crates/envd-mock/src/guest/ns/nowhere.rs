//! Where there are no namespaces, no guest has walls: none is launched, so that nothing here is ever talked to.

use std::ffi::CStr;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::PathBuf;

use rustix::fs::OFlags;

use super::error::LaunchError;
use super::process::{Command, Spawned};
use super::root::Root;
use crate::guest::ids::Ids;

/// What one guest may use, were there any.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Limits {
    pub(crate) processes: Option<u32>,
    pub(crate) memory: Option<u64>,
}

/// The user namespaces of commands, were there any.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Inner {
    All(u32),
    Users(Vec<u32>),
}

/// What a guest would be built of.
#[derive(Debug)]
pub(crate) struct Plan;

impl Plan {
    /// Plans nothing.
    #[expect(clippy::unnecessary_wraps, reason = "as on Linux, where paths can be refused")]
    pub(crate) fn guest(_: Root, _: &[(PathBuf, PathBuf)], _: Inner) -> io::Result<Self> {
        Ok(Self)
    }

    /// Nothing is added.
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "as on Linux, where something is")]
    pub(crate) fn in_place(&mut self) -> io::Result<Option<InPlace>> {
        Ok(None)
    }

    /// There is no network to take away.
    #[expect(clippy::unnecessary_wraps, reason = "as on Linux")]
    pub(crate) fn without_network(self) -> io::Result<Self> {
        Ok(self)
    }

    /// Limits nothing.
    pub(crate) fn limit(self, _: Limits) -> Self {
        self
    }
}

/// What set-up has added to a directory that is used in place; it stays there.
#[derive(Debug)]
pub(crate) enum InPlace {}

/// A guest with walls, of which there is none.
#[derive(Debug)]
pub(crate) enum Launched {}

/// The talk with the holder of a guest with walls.
#[derive(Debug)]
pub(crate) enum Link {}

/// Refuses.
///
/// # Errors
/// [`LaunchError::Failed`], always.
pub(crate) fn launch(_: Plan, _: Ids, _: Option<&InPlace>) -> Result<Launched, LaunchError> {
    let why = "a guest in which commands run needs Linux; --programs-only works here";
    let source = io::Error::new(io::ErrorKind::Unsupported, why);
    Err(LaunchError::Failed { what: "wall it in".to_owned(), source })
}

/// Nobody else's ids are at hand.
pub(crate) fn choose_ids(_: &Root) -> Ids {
    let (uid, gid) = (rustix::process::geteuid(), rustix::process::getegid());
    Ids::Single { uid: uid.as_raw(), gid: gid.as_raw() }
}

impl Link {
    pub(crate) fn new(launched: Launched) -> io::Result<(Self, OwnedFd)> {
        match launched {}
    }

    pub(crate) async fn spawn(&self, _: &Command, _: [BorrowedFd<'_>; 3]) -> io::Result<Spawned> {
        match *self {}
    }

    pub(crate) async fn kill(&self, _: i32, _: i32) -> io::Result<()> {
        match *self {}
    }

    pub(crate) async fn has_group(&self, _: i32) -> io::Result<bool> {
        match *self {}
    }

    pub(crate) async fn release(&self, _: i32) -> io::Result<()> {
        match *self {}
    }

    pub(crate) fn end(&self) {
        match *self {}
    }

    pub(crate) fn holder(&self) -> i32 {
        match *self {}
    }

    pub(crate) fn opener(
        &self,
    ) -> impl Fn(&CStr, OFlags, u32) -> io::Result<OwnedFd> + Send + Sync + 'static + use<> {
        |_: &CStr, _, _| Err(io::ErrorKind::Unsupported.into())
    }
}
