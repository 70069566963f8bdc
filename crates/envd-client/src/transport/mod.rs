//! The only place that knows HTTP: two pools of connections, plain requests, and Connect calls over them.
//! Knows nothing of what the operations mean.

mod body;
mod codec;
mod envelope;
mod failure;
mod gzip;
mod messages;
mod pace;
mod patience;
mod pool;
mod rest;
mod rpc;
mod send;
mod settings;
mod wire_error;

pub(crate) use body::{OutBody, OutStream};
pub use codec::Codec;
pub(crate) use messages::Messages;
pub(crate) use patience::{Limits, Patience};
pub(crate) use rest::{Download, Reply, Rest};
pub(crate) use rpc::starting_with;
pub(crate) use send::{Call, Transport};
pub(crate) use settings::{Lane, Secret, Settings};
