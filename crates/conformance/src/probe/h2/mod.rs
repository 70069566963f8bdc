//! HTTP/2 without TLS, as little of it as asking takes (RFC 9113): one connection, several requests on it. Shares
//! nothing with the library that subjects use for it.

mod client;
mod frame;
mod hpack;
mod huffman;

pub use client::Http2;
