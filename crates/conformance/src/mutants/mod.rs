//! Mocks that are wrong in one thing each, and what they say of the suite: which cases catch them, which cases catch
//! nothing, and which of them a failing build looks like.

mod cover;
mod frames;
mod http;
mod hunt;
mod like;
mod matrix;
mod mutant;
mod proxy;
mod recorded;
mod table;
mod upward;

pub use cover::{SMOKE, cover};
pub use hunt::{First, Hunt, Target};
pub use like::{Like, Nearest};
pub use matrix::{Matrix, Row, fingerprint, measured};
pub use mutant::{Change, Mutant};
pub use proxy::Mutated;
pub use recorded::Recorded;
pub use table::all;
