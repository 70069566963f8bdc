//! A command as the holder takes it, and what is known of the process that it becomes.

use tokio::sync::oneshot;

/// A command to be run by the holder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Command {
    /// Paths to try in turn, as execvp(3) does.
    pub(crate) candidates: Vec<String>,
    /// The program's arguments; the first is its name.
    pub(crate) argv: Vec<String>,
    /// `KEY=value`, in order.
    pub(crate) env: Vec<String>,
    /// The working directory, absolute.
    pub(crate) cwd: String,
    /// Guest user and group ids.
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// The standard descriptors are a terminal.
    pub(crate) pty: bool,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// It left by itself with this code.
    Code(i32),
    /// A signal ended it; the flag tells of a core dump.
    Signal(i32, bool),
}

impl Exit {
    #[cfg(target_os = "linux")]
    pub(super) fn from_status(status: i32) -> Self {
        if libc::WIFSIGNALED(status) {
            Self::Signal(libc::WTERMSIG(status), libc::WCOREDUMP(status))
        } else {
            Self::Code(libc::WEXITSTATUS(status))
        }
    }
}

/// A process that the holder has started.
#[derive(Debug)]
pub(crate) struct Spawned {
    /// Its number, as it sees it itself.
    pub(crate) pid: u32,
    /// Resolves when it has ended; an error means that the guest is gone.
    pub(crate) exit: oneshot::Receiver<Exit>,
}
