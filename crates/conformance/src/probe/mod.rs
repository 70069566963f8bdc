//! Acts on the subject and writes down what comes: its own rude HTTP/1.1 and envelope code over a bare socket, which
//! shares nothing with what it looks at. Never judges.

mod act;
mod answer;
pub mod ask;
mod bulk;
mod dialect;
mod h2;
mod socket;

pub use act::{CleanupList, Probe, base64, pid, shell};
pub use ask::{Ask, Part};
pub use bulk::{What, sha256};
pub use dialect::Dialect;
pub use h2::Http2;
pub use socket::{Open, SetupError};
