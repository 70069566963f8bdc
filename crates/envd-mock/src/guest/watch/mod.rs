//! Watching directories of the tree: the kernel's own events, named by full path, in order, none lost unseen.

mod events;
mod inotify;
mod ready;
mod registry;
#[cfg(test)]
mod tests;
mod watch;

pub(crate) use events::{Change, ChangeKind};
pub(crate) use ready::Ready;
pub(crate) use registry::{TakeError, Watchers};
pub(crate) use watch::{Watch, WatchError};
