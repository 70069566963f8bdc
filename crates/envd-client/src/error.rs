//! What can go wrong, told so that a host can act on it: who is to blame, whether a retry is safe, the Connect
//! code. Responsible for the vocabulary only; `transport` finds out which of it applies.

use std::fmt;
use std::time::Duration;

/// The result of every call.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
#[error("{operation}: {kind}")]
pub struct Error {
    operation: &'static str,
    kind: Box<ErrorKind>,
    repeatable: bool,
}

/// The ways in which a call fails.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The caller asked for something that cannot be sent.
    #[error("the caller's {what} cannot be sent: {reason}")]
    Usage {
        /// Which argument.
        what: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The stream that the caller gave as a body failed.
    #[error("the caller's body failed: {0}")]
    Source(#[source] std::io::Error),
    /// No connection came up, so that nothing was sent.
    #[error("no connection to the guest: {cause}")]
    Connect {
        /// The innermost reason.
        cause: String,
        /// The whole chain.
        #[source]
        source: BoxError,
    },
    /// The connection broke after the request was under way.
    #[error("the connection broke {phase}: {cause}")]
    Interrupted {
        /// How far the call was.
        phase: Phase,
        /// The innermost reason.
        cause: String,
        /// The whole chain.
        #[source]
        source: BoxError,
    },
    /// The guest did not do its part in time.
    #[error("no {what} within {limit:?}")]
    Timeout {
        /// What was waited for.
        what: Wait,
        /// How long.
        limit: Duration,
    },
    /// The guest answered a Connect call with an error.
    #[error("the guest says {code}: {message}")]
    Rpc {
        /// The Connect code.
        code: Code,
        /// The guest's words.
        message: String,
        /// The error's details, as they came.
        details: Vec<Detail>,
    },
    /// The guest answered an HTTP request with another status than the contract's.
    #[error("expected status {expected}, seen {seen}: {body}")]
    Status {
        /// What the contract says.
        expected: u16,
        /// What came.
        seen: u16,
        /// The guest's words: the `message` of a JSON body, or else the text, at most 4 KiB of it.
        body: String,
    },
    /// The guest is of a generation that does not have what was asked for.
    #[error("{what} is not supported by this guest: {because}")]
    Unsupported {
        /// What it does not have.
        what: &'static str,
        /// How that is known.
        because: String,
        /// The status that it answered with, if it was asked.
        status: Option<u16>,
    },
    /// The guest's bytes are not what the protocol allows.
    #[error("the guest broke the protocol: expected {expected}, seen {seen}")]
    Protocol {
        /// What the protocol asks for.
        expected: String,
        /// What came.
        seen: String,
    },
    /// More came than the caller allowed.
    #[error("{what} exceeds its cap of {limit} bytes")]
    TooLarge {
        /// What is capped.
        what: &'static str,
        /// The cap in bytes.
        limit: usize,
    },
    /// The guest was not ready within the caller's budget.
    #[error("the guest was not ready within {budget:?}; last attempt: {last}")]
    NotReady {
        /// What the caller allowed.
        budget: Duration,
        /// What the last attempt met.
        last: Box<Error>,
    },
}

/// Any cause.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// How far a call was when its connection broke.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The request may have reached the guest, wholly or in part.
    BeforeAnswer,
    /// The answer had begun.
    InsideAnswer,
}

/// What was waited for in vain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// The head of the answer.
    Head,
    /// The event that opens a stream.
    Start,
    /// More of a body that is under way.
    Piece,
    /// The end of a stream whose last event has come.
    End,
    /// The whole answer.
    Answer,
}

/// One detail of a Connect error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detail {
    /// The message's full name, such as `google.rpc.RetryInfo`.
    pub type_name: String,
    /// The message's bytes.
    pub value: bytes::Bytes,
}

/// Who is to blame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Blame {
    /// The caller: its argument, its path, its token, its cap.
    Caller,
    /// What lies between: no connection, or a broken one.
    Network,
    /// The guest: slow, failing, or not speaking the protocol.
    Peer,
}

/// Whether the same call may be made again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Retry {
    /// Nothing was done, or doing it twice is the same as doing it once.
    Safe,
    /// The guest may have acted already, and acting twice is not the same as once.
    Unsafe,
    /// The same call will fail in the same way.
    Pointless,
}

impl Error {
    pub(crate) fn new(operation: &'static str, repeatable: bool, kind: ErrorKind) -> Self {
        Self { operation, kind: Box::new(kind), repeatable }
    }

    pub(crate) fn usage(operation: &'static str, what: &'static str, reason: impl Into<String>) -> Self {
        Self::new(operation, true, ErrorKind::Usage { what, reason: reason.into() })
    }

    /// Which operation failed, by its wire name, such as `process.Process/Start` or `GET /files`.
    pub fn operation(&self) -> &'static str {
        self.operation
    }

    /// What happened.
    pub fn kind(&self) -> &ErrorKind {
        &self.kind
    }

    /// Who is to blame.
    pub fn blame(&self) -> Blame {
        match &*self.kind {
            ErrorKind::Usage { .. } | ErrorKind::Source(_) | ErrorKind::TooLarge { .. } => Blame::Caller,
            ErrorKind::Unsupported { .. } => Blame::Caller,
            ErrorKind::Connect { .. } | ErrorKind::Interrupted { .. } => Blame::Network,
            ErrorKind::Timeout { .. } | ErrorKind::Protocol { .. } => Blame::Peer,
            ErrorKind::Rpc { code, .. } if code.is_callers() => Blame::Caller,
            ErrorKind::Status { seen: 400..=499, .. } => Blame::Caller,
            ErrorKind::Rpc { .. } | ErrorKind::Status { .. } => Blame::Peer,
            ErrorKind::NotReady { last, .. } => last.blame(),
        }
    }

    /// Whether the same call may be made again. Where no connection came up, always; where it was under way, by what
    /// the operation does (contract 8):
    ///
    /// | twice is once | twice is twice |
    /// |---|---|
    /// | health, metrics, activity, envs, init, prepare, all of preload | |
    /// | reading and writing files, stat, list_dir | make_dir, move_path, remove |
    /// | list, connect, terminal of a process, close_stdin, resize | command, signal, kill, stdin and terminal input |
    /// | watch_dir, remove of a watcher | create_watcher, events of a watcher |
    ///
    /// A call of the left column that an old connection loses before any answer is made once more by the client
    /// itself, on a new connection; what comes as an error has been through that.
    pub fn retry(&self) -> Retry {
        match &*self.kind {
            ErrorKind::Connect { .. } | ErrorKind::NotReady { .. } => Retry::Safe,
            ErrorKind::TooLarge { .. } => Retry::Pointless,
            ErrorKind::Rpc { code: Code::Unimplemented, .. } => Retry::Pointless,
            ErrorKind::Source(_) => self.if_repeatable(),
            _ if self.blame() == Blame::Caller => Retry::Pointless,
            _ => self.if_repeatable(),
        }
    }

    /// Whether [`Error::retry`] is [`Retry::Safe`].
    pub fn is_retry_safe(&self) -> bool {
        self.retry() == Retry::Safe
    }

    /// The Connect code: the guest's own, or `deadline_exceeded` for a wait that ended here, or `unavailable` for
    /// a connection that did not hold; none for what has no code.
    pub fn code(&self) -> Option<Code> {
        match &*self.kind {
            ErrorKind::Rpc { code, .. } => Some(*code),
            ErrorKind::Timeout { .. } => Some(Code::DeadlineExceeded),
            ErrorKind::Connect { .. } | ErrorKind::Interrupted { .. } => Some(Code::Unavailable),
            ErrorKind::TooLarge { .. } => Some(Code::ResourceExhausted),
            ErrorKind::Unsupported { .. } => Some(Code::Unimplemented),
            _ => None,
        }
    }

    /// The HTTP status that was not the expected one.
    pub fn status(&self) -> Option<u16> {
        match &*self.kind {
            ErrorKind::Status { seen, .. } => Some(*seen),
            ErrorKind::Unsupported { status, .. } => *status,
            _ => None,
        }
    }

    /// Whether what the call named does not exist: Connect code `not_found`, or status 404.
    pub fn is_not_found(&self) -> bool {
        !self.is_unsupported() && (self.code() == Some(Code::NotFound) || self.status() == Some(404))
    }

    /// Whether the guest is of a generation that does not have what was asked for.
    pub fn is_unsupported(&self) -> bool {
        matches!(&*self.kind, ErrorKind::Unsupported { .. })
    }

    fn if_repeatable(&self) -> Retry {
        if self.repeatable { Retry::Safe } else { Retry::Unsafe }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BeforeAnswer => "before the answer",
            Self::InsideAnswer => "inside the answer",
        })
    }
}

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Head => "answer's head",
            Self::Start => "start event",
            Self::Piece => "next piece",
            Self::End => "end of the stream",
            Self::Answer => "whole answer",
        })
    }
}

macro_rules! codes {
    ($($name:ident $text:literal $doc:literal),+ $(,)?) => {
        /// The sixteen codes of the Connect protocol.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code { $(#[doc = $doc] $name),+ }

        impl Code {
            /// All of them, in the order of the specification.
            pub const ALL: [Code; 16] = [$(Code::$name),+];

            /// The name on the wire.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text),+ }
            }

            /// The code of a wire name.
            pub fn from_wire(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$name),)+ _ => None }
            }
        }
    };
}

codes! {
    Canceled "canceled" "The call was cancelled.",
    Unknown "unknown" "An error without a better code.",
    InvalidArgument "invalid_argument" "The request is wrong, whatever the state of the guest.",
    DeadlineExceeded "deadline_exceeded" "Time ran out.",
    NotFound "not_found" "What was named does not exist.",
    AlreadyExists "already_exists" "What should be made exists.",
    PermissionDenied "permission_denied" "The caller may not do this.",
    ResourceExhausted "resource_exhausted" "A limit was reached.",
    FailedPrecondition "failed_precondition" "The guest is not in the state that this needs.",
    Aborted "aborted" "The call lost against another one.",
    OutOfRange "out_of_range" "A value is outside of what is possible.",
    Unimplemented "unimplemented" "The guest does not know this operation.",
    Internal "internal" "The guest failed.",
    Unavailable "unavailable" "The guest cannot be reached, or not now.",
    DataLoss "data_loss" "Data is lost or damaged.",
    Unauthenticated "unauthenticated" "The token is missing or wrong, or the user does not exist.",
}

impl Code {
    /// The code that a status stands for when the body carries none (Connect specification, "HTTP to error code").
    pub fn from_http(status: u16) -> Self {
        match status {
            400 => Self::Internal,
            401 => Self::Unauthenticated,
            403 => Self::PermissionDenied,
            404 => Self::Unimplemented,
            429 | 502 | 503 | 504 => Self::Unavailable,
            _ => Self::Unknown,
        }
    }

    fn is_callers(self) -> bool {
        matches!(
            self,
            Self::InvalidArgument
                | Self::NotFound
                | Self::AlreadyExists
                | Self::PermissionDenied
                | Self::FailedPrecondition
                | Self::OutOfRange
                | Self::Unauthenticated
        )
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rpc(code: Code, repeatable: bool) -> Error {
        Error::new("x", repeatable, ErrorKind::Rpc { code, message: String::new(), details: vec![] })
    }

    #[test]
    fn codes_read_back() {
        for code in Code::ALL {
            assert_eq!(Code::from_wire(code.as_str()), Some(code));
        }
        assert_eq!(Code::from_wire("nope"), None);
    }

    #[test]
    fn a_retry_is_judged_by_what_may_have_happened() {
        assert_eq!(rpc(Code::Unavailable, true).retry(), Retry::Safe);
        assert_eq!(rpc(Code::Unavailable, false).retry(), Retry::Unsafe);
        assert_eq!(rpc(Code::NotFound, true).retry(), Retry::Pointless);
        assert_eq!(rpc(Code::Unimplemented, true).retry(), Retry::Pointless);
        let connect = ErrorKind::Connect { cause: "refused".into(), source: "refused".into() };
        assert!(Error::new("x", false, connect).is_retry_safe());
    }

    #[test]
    fn blame_follows_the_code() {
        assert_eq!(rpc(Code::InvalidArgument, true).blame(), Blame::Caller);
        assert_eq!(rpc(Code::Internal, true).blame(), Blame::Peer);
    }
}
