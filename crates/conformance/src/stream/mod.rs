//! Reading recorded streams: the envelopes of a body, and what the events of a process add up to. Judges nothing.

pub mod envelope;
mod run;

pub use run::Run;
