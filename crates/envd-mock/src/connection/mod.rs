//! Sockets: a listener that accepts for as long as it is told to, and one connection from its first byte to its
//! last. Knows HTTP's framing and no route; nothing else touches a socket.

mod linger;
mod listener;
mod patient;
mod serve;

pub(crate) use listener::Listener;
