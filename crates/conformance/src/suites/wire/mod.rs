//! HTTP and the Connect protocol (contract 1 and 10). Each file holds a table of cases.

pub(super) mod encodings;
pub(super) mod envelopes;
pub(super) mod forms;
pub(super) mod grpc;
pub(super) mod http1;
pub(super) mod http2;
pub(super) mod json;
pub(super) mod messages;
