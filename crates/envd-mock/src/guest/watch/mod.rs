//! Watching directories of the tree: the kernel's own events, named by full path, in order, none lost unseen.

mod events;
mod follow;
mod inotify;
mod ready;
mod registry;
#[cfg(test)]
mod tests;

pub(crate) use events::{Change, ChangeKind};
pub(crate) use follow::{Watch, WatchError};
pub(crate) use ready::Ready;
pub(crate) use registry::{TakeError, Watchers};
