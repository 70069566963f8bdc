//! What the tree asks of the system: opening below a directory, metadata, and the few calls that differ from one
//! system to the next. Linux resolves paths in the kernel; elsewhere, and in the tests of that, `portable` does.

#[cfg(target_os = "linux")]
mod as_guest;
#[cfg(test)]
#[cfg(target_os = "linux")]
pub(super) mod chosen;
#[cfg(target_os = "linux")]
pub(super) mod linux;
mod meta;
#[cfg(any(test, not(target_os = "linux")))]
pub(super) mod portable;
mod resolve;
#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests;
#[cfg(any(test, not(target_os = "linux")))]
mod walk;

#[cfg(target_os = "linux")]
pub(super) use as_guest::AsGuest;
#[cfg(test)]
#[cfg(target_os = "linux")]
pub(super) use chosen as system;
#[cfg(test)]
#[cfg(target_os = "linux")]
pub(super) use chosen::Chosen;
#[cfg(test)]
#[cfg(target_os = "linux")]
pub(crate) use chosen::Layer;
#[cfg(all(not(test), target_os = "linux"))]
pub(super) use linux as system;
#[cfg(target_os = "linux")]
pub(crate) use linux::self_path;
pub(super) use meta::Meta;
#[cfg(not(target_os = "linux"))]
pub(super) use portable as system;
pub(super) use resolve::{LOOK, Resolve, mode};
