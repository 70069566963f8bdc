//! The guest's file tree: every access is by descriptor from its root, resolved as if that were `/`,
//! so no link and no `..` leads out of it. All methods block; none knows HTTP or the texts of the contract.

mod canonical;
mod creds;
mod descent;
mod dirs;
mod entry;
mod list;
mod os;
mod owners;
mod place;
#[cfg(test)]
#[cfg(target_os = "linux")]
#[path = "tests/mod.rs"]
#[expect(clippy::duplicate_mod, reason = "the same tests of another layer")]
mod portable_tests;
mod pseudo;
mod read;
mod remove;
mod root;
mod seed;
#[cfg(test)]
mod tests;
mod upload;
#[cfg(target_os = "linux")]
mod watched;

pub(crate) use dirs::{MakeDirError, RenameError};
pub(crate) use entry::{Entry, Kind};
pub(crate) use list::{Extent, ListError};
#[cfg(test)]
#[cfg(target_os = "linux")]
pub(crate) use os::Layer;
#[cfg(target_os = "linux")]
pub(crate) use os::self_path;
pub(crate) use owners::Owner;
#[cfg(target_os = "linux")]
pub(crate) use place::PASSING;
pub(crate) use read::{Content, Kept, ReadError};
pub(crate) use remove::RemoveError;
#[cfg(target_os = "linux")]
pub(crate) use root::is_network;
pub(crate) use root::{Opener, Tree, is_shortage, open_root};
pub(crate) use upload::{Landing, Upload, UploadError, Waits};
#[cfg(target_os = "linux")]
pub(crate) use watched::Found;
