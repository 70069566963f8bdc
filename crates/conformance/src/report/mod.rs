//! Reports: each is fed by the events of a run.

mod junit;
mod terminal;
mod wire;

pub use junit::Junit;
pub use terminal::Terminal;
