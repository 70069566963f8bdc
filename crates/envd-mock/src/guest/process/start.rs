//! From what was asked for to a process that runs, with its pumps and its end.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;

use tokio::net::unix::pipe;
use tokio_util::sync::CancellationToken;

use super::ProcessError;
use super::course;
use super::environment::assemble;
use super::input::Inlet;
use super::launch::{self, Program};
use super::output::{Chunk, End, Hub, Subscription};
use super::registry::{Process, Processes};
use super::scripted::Around;
use super::terminal::Terminal;
use crate::guest::habits::Habits;
use crate::guest::mishap::Mishap;
use crate::guest::ns::{Command, Exit, Link, Spawned};
use crate::guest::users::User;

/// Character cells of a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) cols: u16,
    pub(crate) rows: u16,
}

/// What to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Spec {
    pub(crate) cmd: String,
    pub(crate) args: Vec<String>,
    pub(crate) envs: BTreeMap<String, String>,
    /// Absolute.
    pub(crate) cwd: String,
    pub(crate) tag: Option<String>,
    /// A pipe to standard input; otherwise it reads /dev/null. A terminal ignores it.
    pub(crate) stdin: bool,
    pub(crate) pty: Option<Size>,
}

/// A [`Spec`] with what the guest adds to it.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    pub(crate) spec: Spec,
    pub(crate) user: &'a User,
    pub(crate) defaults: &'a BTreeMap<String, String>,
    /// The guest's root directory.
    pub(crate) root: &'a OwnedFd,
    /// The user's id as the kernel has it, for the ownership of a terminal.
    pub(crate) host_uid: Option<u32>,
    /// What goes wrong with it.
    pub(crate) mishap: Option<Mishap>,
}

pub(super) async fn start(
    processes: &Arc<Processes>,
    link: &Link,
    mut request: Request<'_>,
    around: Option<Around>,
) -> Result<(Arc<Process>, Subscription), ProcessError> {
    let habits = processes.habits;
    request.spec = launch::expanded(habits.launch, request.spec, request.user)?;
    let leaks = processes.had_terminals(request.spec.pty.is_some());
    let command = command(&request, habits, leaks)?;
    let hub = Hub::new(&processes.time, processes.stall, habits, request.mishap.as_ref())
        .leaving_unread(&processes.unread);
    let events = hub.subscribe().ok_or(ProcessError::Gone)?;
    if processes.is_next_deaf() {
        events.miss_first();
    }
    let (ends, standard) = if request.spec.pty.is_some() { terminal(&request)? } else { pipes(&request)? };
    let fds = [standard[0].as_fd(), standard[1].as_fd(), standard[2].as_fd()];
    let pty = request.spec.pty.is_some();
    let failed = |error| if pty { ProcessError::StartPty(error) } else { ProcessError::Start(error) };
    if let Some(error) = request.mishap.as_ref().and_then(Mishap::spawn_failure) {
        return Err(failed(error));
    }
    let Spawned { pid, exit } = link.spawn(&command, fds).await.map_err(|error| failed(explained(error)))?;
    drop(standard);
    let Ends { inlet, outlets } = ends;
    let part = around.as_ref().map(Around::part);
    let spec = around.as_ref().map_or(request.spec, |around| around.shown.clone());
    let process = Arc::new(Process::new(pid, spec, hub, inlet, part));
    processes.insert(Arc::clone(&process));
    tokio::spawn(attend(Arc::downgrade(processes), Arc::clone(&process), (outlets, exit), around));
    Ok((process, events))
}

/// Says what is used up where the kernel only says that something is.
fn explained(error: io::Error) -> io::Error {
    if error.raw_os_error() != Some(libc::EAGAIN) {
        return error;
    }
    let why = "the guest already runs as many processes and threads as it may (--max-processes)";
    io::Error::new(error.kind(), format!("{error}: {why}"))
}

/// What the command, or what stands in for it, finds in its environment.
pub(super) fn environment(
    request: &Request<'_>,
    habits: Habits,
) -> Result<BTreeMap<String, String>, ProcessError> {
    let own = (launch::shell(habits.launch, request.user), habits.checks_env);
    assemble(request.user, own, request.defaults, &request.spec.envs)
}

fn command(request: &Request<'_>, habits: Habits, leaks: bool) -> Result<Command, ProcessError> {
    let Request { spec, user, .. } = request;
    let env = environment(request, habits)?;
    let Program { candidates, argv } = launch::program(habits.launch, user, spec, &env, leaks);
    Ok(Command {
        candidates,
        argv,
        cwd: spec.cwd.clone(),
        uid: user.uid,
        gid: user.gid,
        pty: spec.pty.is_some(),
        env: env.into_iter().map(|(key, value)| format!("{key}={value}")).collect(),
    })
}

/// The mock's ends of what a process is connected to.
struct Ends {
    inlet: Inlet,
    outlets: Outlets,
}

enum Outlets {
    Pipes(pipe::Receiver, pipe::Receiver),
    Terminal(Terminal),
}

fn pipes(request: &Request<'_>) -> Result<(Ends, [OwnedFd; 3]), ProcessError> {
    let made = || -> io::Result<_> {
        let (stdin, sender) = if request.spec.stdin {
            let (sender, receiver) = pipe::pipe()?;
            (receiver.into_blocking_fd()?, Some(sender))
        } else {
            (std::fs::File::open("/dev/null")?.into(), None)
        };
        let (stdout, out) = pipe::pipe()?;
        let (stderr, err) = pipe::pipe()?;
        let ends = Ends { inlet: Inlet::pipe(sender), outlets: Outlets::Pipes(out, err) };
        Ok((ends, [stdin, stdout.into_blocking_fd()?, stderr.into_blocking_fd()?]))
    };
    made().map_err(ProcessError::Start)
}

fn terminal(request: &Request<'_>) -> Result<(Ends, [OwnedFd; 3]), ProcessError> {
    let size = request.spec.pty.unwrap_or(Size { cols: 0, rows: 0 });
    let made = || -> io::Result<_> {
        let (terminal, theirs) = Terminal::open(request.root, size)?;
        if let Some(uid) = request.host_uid {
            // Refused to an unprivileged mock, whose terminals already are its only user's.
            let _ = rustix::fs::fchown(&theirs, Some(rustix::fs::Uid::from_raw(uid)), None);
        }
        let ends = Ends { inlet: Inlet::terminal(terminal.clone()), outlets: Outlets::Terminal(terminal) };
        Ok((ends, [theirs.try_clone()?, theirs.try_clone()?, theirs]))
    };
    made().map_err(ProcessError::OpenPty)
}

/// Sees a process through: all of its output, its exit, and only then the end. Once it was killed, its exit ends it:
/// what others may still say into its pipes is not waited for.
async fn attend(
    processes: std::sync::Weak<Processes>,
    process: Arc<Process>,
    (outlets, exit): (Outlets, tokio::sync::oneshot::Receiver<Exit>),
    around: Option<Around>,
) {
    let hub = &process.hub;
    let exited = CancellationToken::new();
    let cut = || async {
        process.killed.cancelled().await;
        exited.cancelled().await;
    };
    let output = async {
        if let Some(around) = &around {
            around.before(&process).await;
        }
        match outlets {
            Outlets::Pipes(out, err) => {
                tokio::join!(hub.pump(out, Chunk::Stdout, cut()), hub.pump(err, Chunk::Stderr, cut()));
            }
            Outlets::Terminal(terminal) => hub.pump(terminal, Chunk::Pty, cut()).await,
        }
    };
    let leader = async {
        let exit = exit.await;
        exited.cancel();
        exit
    };
    let life = async {
        let ((), exit) = tokio::join!(output, leader);
        match (exit.ok(), &around) {
            (Some(exit), Some(around)) if !process.killed.is_cancelled() => {
                around.after(&process, exit).await
            }
            (exit, _) => exit,
        }
    };
    let parting = async {
        cut().await;
        // Also while a reader of its last words takes its time.
        if let Some(processes) = processes.upgrade() {
            processes.part_with(&process).await;
        }
        std::future::pending().await
    };
    let life = async {
        tokio::select! {
            ended = life => ended,
            never = parting => never,
        }
    };
    let ended = course::through(life, &processes, &process).await.map(end);
    process.note_end(ended.as_ref());
    // Gone from the list before anyone is told, so that nobody who knows the end can still find it.
    if let Some(processes) = processes.upgrade() {
        processes.part_with(&process).await;
    }
    hub.close(ended).await;
}

pub(super) fn end(exit: Exit) -> End {
    match exit {
        Exit::Code(code) => End { exit_code: code, exited: true, status: format!("exit status: {code}") },
        Exit::Signal(signal, dumped) => {
            let core = if dumped { " (core dumped)" } else { "" };
            End { exit_code: -1, exited: false, status: format!("signal: {signal} ({}){core}", name(signal)) }
        }
    }
}

/// A signal's POSIX name.
pub(super) fn name(signal: i32) -> &'static str {
    match signal {
        libc::SIGHUP => "SIGHUP",
        libc::SIGINT => "SIGINT",
        libc::SIGQUIT => "SIGQUIT",
        libc::SIGILL => "SIGILL",
        libc::SIGTRAP => "SIGTRAP",
        libc::SIGABRT => "SIGABRT",
        libc::SIGBUS => "SIGBUS",
        libc::SIGFPE => "SIGFPE",
        libc::SIGKILL => "SIGKILL",
        libc::SIGUSR1 => "SIGUSR1",
        libc::SIGSEGV => "SIGSEGV",
        libc::SIGUSR2 => "SIGUSR2",
        libc::SIGPIPE => "SIGPIPE",
        libc::SIGALRM => "SIGALRM",
        libc::SIGTERM => "SIGTERM",
        #[cfg(target_os = "linux")]
        libc::SIGSTKFLT => "SIGSTKFLT",
        libc::SIGXCPU => "SIGXCPU",
        libc::SIGXFSZ => "SIGXFSZ",
        libc::SIGVTALRM => "SIGVTALRM",
        libc::SIGPROF => "SIGPROF",
        libc::SIGIO => "SIGIO",
        #[cfg(target_os = "linux")]
        libc::SIGPWR => "SIGPWR",
        libc::SIGSYS => "SIGSYS",
        _ => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_strings_are_the_contracts() {
        assert_eq!(end(Exit::Code(3)).status, "exit status: 3");
        assert_eq!(end(Exit::Signal(9, false)).status, "signal: 9 (SIGKILL)");
        assert_eq!(end(Exit::Signal(6, true)).status, "signal: 6 (SIGABRT) (core dumped)");
        assert_eq!(
            (end(Exit::Signal(15, false)).exit_code, end(Exit::Signal(15, false)).exited),
            (-1, false)
        );
    }
}
