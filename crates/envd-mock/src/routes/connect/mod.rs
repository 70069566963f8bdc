//! Connect, gRPC and gRPC-Web over the runtime that the real guest uses; nothing outside this folder names it.
//! Responsible for framing, codecs, limits, deadlines and protocol errors; what an RPC does is the handlers'.

mod body;
mod codec;
mod head;
mod list;
mod service;
mod table;
mod timestamps;

pub(crate) use list::{Field, ListEncoder};
pub(crate) use service::Connect;
pub(crate) use table::{Caller, Rpcs};
