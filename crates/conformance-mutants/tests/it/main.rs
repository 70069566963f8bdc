//! The kill matrix as a whole: it is up to date, and mutants are caught as it says.
#![expect(clippy::unwrap_used, reason = "in a test, a failed expectation is a failed test")]

mod matrix;
