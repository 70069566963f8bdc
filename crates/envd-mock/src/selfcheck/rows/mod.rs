//! What each kind of fault declares, one file for each stage. Data.

mod body;
mod connection;
mod guest;
mod probes;
mod reply;
mod request;

use super::row::Row;

/// Every declaration.
pub(crate) const ALL: &[&[Row]] =
    &[connection::ROWS, reply::ROWS, body::ENVELOPES, body::BYTES, request::ROWS, guest::ROWS];
