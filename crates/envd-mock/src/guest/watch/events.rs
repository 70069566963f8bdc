//! What a watch tells, in words of the contract.

use std::io;

/// What happened to a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "nothing is watched there"))]
pub(crate) enum ChangeKind {
    Create,
    Write,
    Remove,
    Rename,
    Chmod,
}

/// One change, named by its full path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) path: String,
    pub(crate) kind: ChangeKind,
}

/// Why a directory is not watched.
#[derive(Debug)]
#[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "nothing is watched there"))]
pub(crate) enum WatchError {
    Missing(io::Error),
    NotDirectory,
    Network,
    Failed(io::Error),
}
