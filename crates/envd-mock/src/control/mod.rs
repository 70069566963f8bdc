//! The second port: what a test in any language may ask of the mock and do to it without going through envd. Guarded
//! against web pages like the first, and never faulted; documented in docs/control.md.

mod ask;
mod clock;
mod connections;
mod guest;
mod journal;
mod metrics;
mod openapi;
#[cfg(test)]
mod parity;
mod port;
mod script;
mod table;
mod token;
mod verify;

pub(crate) use metrics::text as metrics;
pub(crate) use port::{Control, Facts};
pub(crate) use token::ControlToken;
