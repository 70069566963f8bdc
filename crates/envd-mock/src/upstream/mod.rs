//! The envd behind a proxy: where it is, the connections to it, and a call handed on to it and back, untouched. Knows
//! no faults and no routes.

mod answer;
mod forward;
mod headers;
mod line;
mod target;

pub(crate) use forward::Upstream;
pub use target::{BadTarget, Target, UpstreamProtocol};
