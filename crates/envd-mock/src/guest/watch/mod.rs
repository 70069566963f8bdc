//! Watching directories of the tree: the kernel's own events, named by full path, in order, none lost unseen. Only
//! Linux tells them; elsewhere no directory is watched (`nowhere`).

mod events;
#[cfg(target_os = "linux")]
mod follow;
#[cfg(target_os = "linux")]
mod inotify;
#[cfg(not(target_os = "linux"))]
mod nowhere;
mod ready;
mod registry;
#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests;

pub(crate) use events::{Change, ChangeKind, WatchError};
#[cfg(target_os = "linux")]
pub(crate) use follow::Watch;
#[cfg(target_os = "linux")]
pub(crate) use inotify::Instance;
#[cfg(not(target_os = "linux"))]
pub(crate) use nowhere::{Instance, Watch};
pub(crate) use ready::Ready;
pub(crate) use registry::{TakeError, Watchers};
