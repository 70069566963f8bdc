//! Bare sockets: HTTP/1.1 and HTTP/2 written and read by hand, so that what is on the wire is what is seen. Shares no
//! framing with the mock.

mod answer;
mod hpack;
mod http1;
mod http2;
mod peer;
mod segments;
mod socket;

pub(super) use answer::{Answer, WireEnd};
pub(super) use peer::{Peer, Which};
pub(super) use socket::Buffers;
