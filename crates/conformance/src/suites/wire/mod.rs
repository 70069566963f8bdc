//! HTTP and the Connect protocol (contract 1 and 10). Each file holds a table of cases.

pub(super) mod messages;
