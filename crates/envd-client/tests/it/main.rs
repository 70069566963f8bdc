//! The client, seen from outside: against peers that write exact bytes, and against the mock.
#![expect(clippy::unwrap_used, reason = "what helps a test fails as the test does")]

mod connections;
mod downloads;
mod incidents;
mod lifecycle;
mod peer;
mod recorded;
mod requests;
mod streams;
mod unary;

mod mock_files;
mod mock_filesystem;
mod mock_generations;
mod mock_lifecycle;
mod mock_processes;
mod mock_terminals;
mod mock_watches;
mod mock_ways;

use envd_client::{Blame, Client, Code, Error, Retry};
use envd_mock::MockEnvd;

/// A guest that is up, and a client of it.
async fn guest() -> (MockEnvd, Client) {
    let mock = MockEnvd::start().await.expect("a guest boots");
    let client = mock.client();
    (mock, client)
}

/// That a call failed with a code and these words, by the caller's fault.
#[track_caller]
fn assert_refused<T: std::fmt::Debug>(outcome: Result<T, Error>, code: Code, words: &str) {
    let error = outcome.expect_err("the guest refuses");
    assert_eq!(error.code(), Some(code), "{error}");
    assert!(error.to_string().contains(words), "expected {words:?}, seen {error}");
    assert_eq!((error.blame(), error.retry()), (Blame::Caller, Retry::Pointless), "{error}");
}

/// That a call failed with a status and these words.
#[track_caller]
fn assert_status<T: std::fmt::Debug>(outcome: Result<T, Error>, status: u16, words: &str) {
    let error = outcome.expect_err("the guest refuses");
    assert_eq!(error.status(), Some(status), "{error}");
    assert!(error.to_string().contains(words), "expected {words:?}, seen {error}");
}
