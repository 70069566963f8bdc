//! The answer's body on its way out: cut into its envelopes, changed where a plan says so, and ended in the way that it
//! says. Deciding is `fault`'s; the bytes come from the routes.

mod act;
mod bytes;
mod envelope;
mod framing;
mod lent;
mod output;
mod shaped;
mod shaper;
#[cfg(test)]
mod tests;

pub(crate) use envelope::{error_payload, grpc_trailers};
pub(crate) use framing::{Codec, Counter, Framing};
pub(crate) use lent::Ledger;
pub(crate) use shaped::{Setting, Shaped, delay_left};
