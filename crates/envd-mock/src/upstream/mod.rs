//! The envd behind a proxy: where it is, the connections to it, and a call handed on to it and back, untouched but for
//! the Via by which a loop is found. Knows no faults and no routes.

mod answer;
mod forward;
mod headers;
mod line;
mod loops;
mod target;

pub(crate) use forward::Upstream;
pub use loops::OwnUpstream;
pub(crate) use loops::refuse_own;
pub use target::{BadTarget, Target, UpstreamProtocol};
