//! The kit as a whole: against the mock, and against mocks that are wrong in one thing each.
#![expect(clippy::unwrap_used, reason = "in a test, a failed expectation is a failed test")]

mod binary;
mod diagram;
mod docs;
mod generations;
mod hanging;
mod known;
mod mock;
mod replay;
mod reports;
mod runs;
