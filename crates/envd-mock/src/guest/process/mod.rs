//! The guest's processes: starting them, their output to everyone who listens, their input, their end. Knows
//! neither the wire nor the walls: commands run wherever the `Link` runs them.

mod course;
mod environment;
mod input;
mod launch;
mod output;
mod queue;
mod registry;
mod replay;
mod scripted;
mod start;
mod terminal;
mod twist;
mod unread;

pub(crate) use input::Input;
pub(crate) use output::{Chunk, End, Event, Subscription};
pub(crate) use registry::{Process, Processes, Selector};
pub(crate) use scripted::Scripted;
pub(crate) use start::{Request, Size, Spec};
pub(crate) use twist::Twist;
pub(crate) use unread::Unread;

/// Why a request about a process was refused. The texts are the contract's, section 4.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProcessError {
    #[error("process with pid {0} not found")]
    NoPid(u32),
    #[error("process with tag {0} not found")]
    NoTag(String),
    #[error("user '{0}' not found")]
    NoUser(String),
    #[error("error looking up {what}: {source}")]
    LookUp { what: String, source: std::io::Error },
    #[error("{0}")]
    BadPath(#[from] crate::guest::path::PathError),
    #[error("cwd '{0}' does not exist")]
    NoCwd(String),
    #[error(
        "environment variable {0:?}: a name is not empty and holds neither '=' nor NUL, a value holds no NUL"
    )]
    BadEnv(String),
    #[error("error starting process: {0}")]
    Start(std::io::Error),
    #[error("openpty failed: {0}")]
    OpenPty(std::io::Error),
    #[error("error starting pty process: {0}")]
    StartPty(std::io::Error),
    #[error("pty not assigned to process")]
    NotPty,
    #[error("tty not assigned to process")]
    NoTerminal,
    #[error("stdin not enabled or closed")]
    NoStdin,
    #[error("cannot close stdin for PTY process — send Ctrl+D (0x04) instead")]
    PtyStdin,
    #[error("error writing to {what}: {source}")]
    Write { what: &'static str, source: std::io::Error },
    #[error("{what} input buffer full ({written} of {len} bytes written): process is not reading its input")]
    Full { what: &'static str, written: usize, len: usize },
    #[error("error sending signal: {0}")]
    Signal(String),
    #[error("error resizing pty: {0}")]
    Resize(std::io::Error),
    #[error("the guest is gone")]
    Gone,
}
