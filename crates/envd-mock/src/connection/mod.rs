//! Sockets: a listener that accepts for as long as it is told to, and one connection from its first byte to its
//! last, with the faults that concern it. Knows HTTP's framing and no route; nothing else touches a socket.

mod conn;
mod crowd;
mod faulty;
mod gate;
mod linger;
mod listener;
mod patient;
mod port;
mod serve;
mod socket;

pub(crate) use conn::{Conn, InCall, Manner};
pub(crate) use faulty::ending;
pub(crate) use gate::{Closed, Gate};
pub(crate) use listener::{DEFAULT_CONNECTIONS, Listener};
pub(crate) use serve::{Accepted, Gone, Service};
