//! HTTP and Connect to guest and back, one file for each part of the contract.

mod activity;
pub(crate) mod afflicted;
mod auth;
pub(crate) mod connect;
mod cors;
mod envs;
mod files;
mod filesystem;
mod front;
mod health;
mod init;
mod metrics;
pub(crate) mod origin;
mod preload;
mod process;
pub(crate) mod reply;
mod rpc;
mod snapshot;
pub(crate) mod status;
mod table;
#[cfg(test)]
mod tests;
pub(crate) mod told;
mod volumes;

pub(crate) use front::Front;
pub(crate) use table::{Routes, is_rpc, methods, operations};
