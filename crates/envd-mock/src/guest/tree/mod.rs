//! The guest's file tree: every access is by descriptor from its root, resolved by the kernel as if that were `/`,
//! so no link and no `..` leads out of it. All methods block; none knows HTTP or the texts of the contract.

mod canonical;
mod creds;
mod descent;
mod dirs;
mod entry;
mod list;
mod owners;
mod place;
mod read;
mod remove;
mod root;
mod seed;
#[cfg(test)]
mod tests;
mod upload;
mod watched;

pub(crate) use dirs::{MakeDirError, RenameError};
pub(crate) use entry::{Entry, Kind};
pub(crate) use list::ListError;
pub(crate) use owners::Owner;
pub(crate) use place::PASSING;
pub(crate) use read::{Content, ReadError};
pub(crate) use remove::RemoveError;
pub(crate) use root::{Opener, Tree, is_network, self_path};
pub(crate) use upload::{Landing, Upload, UploadError};
pub(crate) use watched::Found;
