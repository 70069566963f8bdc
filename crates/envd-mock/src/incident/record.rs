//! What an incident declares: what happened to whom, and what a good client does, call by call. Data; its written form
//! is `script::incident`'s.

use std::time::Duration;

use crate::fault::Code;
use crate::fault::param::words;

/// An incident of the field.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Incident {
    /// A few words.
    pub title: String,
    /// Where it was reported; none for what only the hosts' own habits tell.
    pub report: Vec<String>,
    /// What happens, in one or two sentences.
    pub what: String,
    /// How the client has to be set up, where the defaults do not do.
    pub client: Settings,
    /// What a good client meets, in order.
    pub expect: Vec<Expectation>,
}

/// Settings of a client that are not its defaults.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Settings {
    /// Speaks h2c.
    pub http2: bool,
    /// How long a stream may be silent.
    pub idle: Option<Duration>,
}

/// One thing that a client does, and what it then meets.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Expectation {
    /// What it does.
    pub act: Act,
    /// A command and its arguments; `make` by default.
    pub command: Vec<String>,
    /// The tag of the process that is started, connected to or killed.
    pub tag: Option<String>,
    /// A file or directory; `/tmp/file` by default.
    pub path: String,
    /// Bytes to write.
    pub size: u64,
    /// The time limit of the call, or the budget of `ready`.
    pub timeout: Option<Duration>,
    /// How often it is done; each time comes out the same.
    pub times: u64,
    /// How it ends.
    pub kind: Kind,
    /// The Connect code, where there is one.
    pub code: Option<Code>,
    /// The HTTP status, where that is the error.
    pub status: Option<u16>,
    /// Who is to blame; nobody where all is well.
    pub blame: Option<Blame>,
    /// Whether it may be done again.
    pub retry: Retry,
    /// How long it takes at the most.
    pub within: Duration,
    /// What the client has got, whether it ended well or not.
    pub seen: Seen,
    /// What is there afterwards.
    pub left: Left,
}

/// Data that the client has got.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Seen {
    /// The exit code that the guest told.
    pub exit: Option<i32>,
    /// Whether no exit code may have been seen.
    pub no_exit: bool,
    /// The standard output, from its start.
    pub stdout: Option<String>,
    /// The word for the state of a preload.
    pub state: Option<String>,
    /// Bytes of a file, or that a preload has read.
    pub bytes: Option<u64>,
}

/// What is there when the call is over.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Left {
    /// Processes that run in the guest.
    pub running: Option<u64>,
    /// Calls that the guest is still answering.
    pub open: Option<u64>,
}

words! {
    /// What a client can be told to do.
    Act: "an operation of a client" {
        /// Asks for health once.
        Health = "health",
        /// Waits until the guest is up.
        Ready = "ready",
        /// Initialises the guest.
        Init = "init",
        /// Prepares a snapshot.
        Prepare = "prepare",
        /// Runs a command to its end and collects its output.
        Exec = "exec",
        /// Runs a command and follows its events to the end.
        Stream = "stream",
        /// Starts a command and leaves it alone.
        Background = "background",
        /// Attaches to a process by its tag and follows its events to the end.
        Connect = "connect",
        /// Kills a process by its tag.
        Kill = "kill",
        /// Runs a command and leaves its stream after the first event.
        Abandon = "abandon",
        /// Watches a directory and leaves the watch at once.
        AbandonWatch = "abandon-watch",
        /// Lists the processes.
        List = "list",
        /// Describes a file.
        Stat = "stat",
        /// Reads a whole file.
        Read = "read",
        /// Writes a whole file.
        Write = "write",
        /// Starts a memory preload.
        Preload = "preload",
        /// Waits until a memory preload is no longer under way.
        PreloadWait = "preload-wait",
    }
}

words! {
    /// How a call ends: well, or in one of the ways in which a call can fail.
    Kind: "how a call ends" {
        /// Well.
        Ok = "ok",
        /// No connection came up.
        Connect = "connect",
        /// The connection broke under the call.
        Interrupted = "interrupted",
        /// The guest did not do its part in time.
        Timeout = "timeout",
        /// The guest answered with a Connect error.
        Rpc = "rpc",
        /// The guest answered with another HTTP status than the contract's.
        Status = "status",
        /// The guest's bytes are not what the protocol allows.
        Protocol = "protocol",
        /// More came than the caller allowed.
        TooLarge = "too-large",
        /// The guest was not ready within the caller's budget.
        NotReady = "not-ready",
        /// This guest has no such operation.
        Unsupported = "unsupported",
    }
}

words! {
    /// Who is to blame.
    Blame: "who is to blame" {
        /// The guest.
        Peer = "peer",
        /// What lies between.
        Network = "network",
        /// The caller.
        Caller = "caller",
    }
}

words! {
    /// Whether the same call may be made again.
    Retry: "whether a retry is safe" {
        /// Nothing was done, or doing it twice is the same as doing it once.
        Safe = "safe",
        /// The guest may have acted already.
        Unsafe = "unsafe",
        /// The same call fails in the same way.
        Pointless = "pointless",
        /// All is well.
        NotNeeded = "not needed",
    }
}
