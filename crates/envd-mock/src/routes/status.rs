//! The one table of what a failed RPC says: the Connect code and the text of the contract. Knows no transport
//! beyond the names of the codes; HTTP statuses follow from the code in the runtime.

/// A Connect error code, by the names of the Connect specification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Code {
    InvalidArgument,
    NotFound,
    AlreadyExists,
    FailedPrecondition,
    ResourceExhausted,
    Unauthenticated,
    Unimplemented,
    DeadlineExceeded,
    Unavailable,
    Internal,
}

/// How an RPC failed: a code for programs and a message for people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code:?}: {message}")]
pub(crate) struct Status {
    pub(crate) code: Code,
    pub(crate) message: String,
}

impl Status {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}
