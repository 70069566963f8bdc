//! The kit as a whole: against the mock, and against mocks that are wrong in one thing each.

mod binary;
mod mock;
mod mutants;
mod proxy;
mod replay;
