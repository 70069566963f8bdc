//! The client, seen from outside: against peers that write exact bytes, and against the mock.

mod connections;
mod downloads;
mod lifecycle;
mod peer;
mod requests;
mod streams;
mod unary;

mod mock_files;
mod mock_filesystem;
mod mock_lifecycle;
mod mock_processes;
mod mock_terminals;
mod mock_watches;
