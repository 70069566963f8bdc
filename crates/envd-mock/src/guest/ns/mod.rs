//! The walls of a guest: namespaces of its own, set up once by a holder that is their init, spawns every command
//! and takes all of them with it when it ends. Knows processes by number only; what they say is `process`'s. Only
//! Linux has them; elsewhere nothing real runs (`nowhere`).

#[cfg(target_os = "linux")]
mod baseline;
#[cfg(target_os = "linux")]
mod children;
#[cfg(target_os = "linux")]
mod erase;
mod error;
#[cfg(target_os = "linux")]
mod holder;
#[cfg(target_os = "linux")]
mod in_place;
#[cfg(target_os = "linux")]
mod janitor;
#[cfg(target_os = "linux")]
mod launch;
#[cfg(target_os = "linux")]
mod link;
#[cfg(target_os = "linux")]
mod make;
#[cfg(target_os = "linux")]
pub(crate) mod marker;
#[cfg(target_os = "linux")]
mod message;
#[cfg(not(target_os = "linux"))]
mod nowhere;
#[cfg(target_os = "linux")]
mod plan;
mod process;
mod root;
#[cfg(target_os = "linux")]
mod seccomp;
#[cfg(target_os = "linux")]
mod set_ids;
#[cfg(target_os = "linux")]
mod setup;
#[cfg(any(test, not(target_os = "linux")))]
mod shell_janitor;
#[cfg(target_os = "linux")]
mod spawn;
#[cfg(target_os = "linux")]
mod sys;
#[cfg(target_os = "linux")]
mod zygote;

#[cfg(target_os = "linux")]
pub(crate) use baseline::Limits;
pub use error::LaunchError;
#[cfg(target_os = "linux")]
pub(crate) use in_place::InPlace;
#[cfg(target_os = "linux")]
pub(crate) use janitor::Janitor;
#[cfg(target_os = "linux")]
pub(crate) use launch::{choose_ids, launch};
#[cfg(target_os = "linux")]
pub(crate) use link::{Link, register};
#[cfg(not(target_os = "linux"))]
pub(crate) use nowhere::{InPlace, Inner, Limits, Link, Plan, choose_ids, launch};
#[cfg(target_os = "linux")]
pub(crate) use plan::{Inner, Plan};
pub(crate) use process::{Command, Exit, Spawned};
pub(crate) use root::{Root, remove};
#[cfg(not(target_os = "linux"))]
pub(crate) use shell_janitor::Janitor;
