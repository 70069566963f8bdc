//! Programs among the processes: one that is all script is a process without a kernel's, with a number, input, output
//! and an end like any other; one around a real command adds to its output and its end.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use tokio::net::unix::pipe;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::input::Inlet;
use super::output::{Chunk, End, Hub, Subscription};
use super::registry::{Process, Processes};
use super::start::{Request, Spec, end, environment};
use super::{ProcessError, course};
use crate::guest::habits::Habits;
use crate::guest::mishap::Mishap;
use crate::guest::ns::Exit;
use crate::guest::program::{
    Act, Asked, Chosen, Content, Ending, Outlet, Programs, RealRun, Stage, Stdin, Step, Stream,
};
use crate::guest::tree::{Owner, Tree};
use crate::time::Time;

/// No kernel gives a number as high: it has at most 2^22 of them.
const ABOVE_THE_KERNELS: u32 = 10_000_001;

/// What programs are played with.
#[derive(Debug)]
pub(crate) struct Scripted {
    programs: Programs,
    props: Props,
    next_pid: AtomicU32,
}

/// What each of them is played with.
#[derive(Debug, Clone)]
struct Props {
    tree: Arc<Tree>,
    time: Time,
    /// The guest is at its end.
    gone: CancellationToken,
}

impl Scripted {
    /// `alone`: there are no real processes, so that all numbers are free.
    pub(crate) fn new(programs: Programs, tree: Arc<Tree>, time: Time, alone: bool) -> Self {
        let first = if alone { 1 } else { ABOVE_THE_KERNELS };
        let props = Props { tree, time, gone: CancellationToken::new() };
        Self { programs, props, next_pid: AtomicU32::new(first) }
    }

    /// Ends all that is all script; streams break off.
    pub(super) fn end(&self) {
        self.props.gone.cancel();
    }

    /// The program that takes the place of what `request` asks for.
    pub(super) fn choose(
        &self,
        request: &Request<'_>,
        habits: Habits,
    ) -> Result<Option<Chosen>, ProcessError> {
        if self.programs.is_empty() {
            return Ok(None);
        }
        Ok(self.programs.choose(&asked(request, habits)?, self.props.time.now()))
    }
}

fn asked(request: &Request<'_>, habits: Habits) -> Result<Asked, ProcessError> {
    let Request { spec, user, .. } = request;
    Ok(Asked {
        cmd: spec.cmd.clone(),
        args: spec.args.clone(),
        env: environment(request, habits)?,
        cwd: spec.cwd.clone(),
        user: user.name.clone(),
    })
}

/// A program's hold on a process.
#[derive(Debug)]
pub(super) struct Part {
    /// `None`: nothing real runs, and no program matched.
    program: Option<Chosen>,
    /// There is no kernel's process.
    pub(super) alone: bool,
    /// What ends the steps that are played.
    signals: watch::Sender<Option<i32>>,
}

impl Part {
    pub(super) fn name(&self) -> Option<&str> {
        self.program.as_ref().map(|program| program.name())
    }

    /// There is a process.
    pub(super) fn started(&self, pid: u32, spec: &Spec) {
        if let Some(program) = &self.program {
            program.run.started(pid, spec.tag.as_deref());
        }
    }

    /// The process has ended; without an end of its own, with the guest.
    pub(super) fn ended(&self, at: Duration, end: Option<&End>) {
        if let Some(program) = &self.program {
            program.run.ended(at, end.map(|end| (end.exit_code, end.status.as_str())));
        }
    }

    /// Whether a signal does nothing to it.
    pub(super) fn ignores(&self, signal: i32) -> bool {
        signal == libc::SIGTERM && self.program.as_ref().is_some_and(|program| program.ignores_sigterm)
    }

    /// Ends the steps that are played; false when there are none.
    pub(super) fn signal(&self, signal: i32) -> bool {
        self.signals.send(Some(signal)).is_ok()
    }
}

/// Starts a process that is all script: the program's, or one that was not found.
pub(super) fn start(
    processes: &Arc<Processes>,
    request: Request<'_>,
    program: Option<Chosen>,
) -> Result<(Arc<Process>, Subscription), ProcessError> {
    let asked = asked(&request, processes.habits)?;
    if let Some(error) = request.mishap.as_ref().and_then(Mishap::spawn_failure) {
        return Err(if request.spec.pty.is_some() {
            ProcessError::StartPty(error)
        } else {
            ProcessError::Start(error)
        });
    }
    let hub = Hub::new(&processes.time, processes.stall, processes.habits, request.mishap.as_ref())
        .leaving_unread(&processes.unread);
    let events = hub.subscribe().ok_or(ProcessError::Gone)?;
    let (inlet, stdin) = input(&request.spec)?;
    let pid = processes.scripted.next_pid.fetch_add(1, Ordering::Relaxed);
    let part = Part { program, alone: true, signals: watch::Sender::new(None) };
    let owner = Owner::from(request.user);
    let process = Arc::new(Process::new(pid, request.spec, hub, inlet, Some(part)));
    let props = processes.scripted.props.clone();
    let stage = Played { process: Arc::clone(&process), asked, owner }.stage(&props, stdin);
    processes.insert(Arc::clone(&process));
    tokio::spawn(attend(Arc::downgrade(processes), Arc::clone(&process), stage, props.gone));
    Ok((process, events))
}

fn input(spec: &Spec) -> Result<(Inlet, Stdin), ProcessError> {
    let failed = |error| match spec.pty {
        Some(_) => ProcessError::OpenPty(error),
        None => ProcessError::Start(error),
    };
    match spec.pty {
        None if !spec.stdin => Ok((Inlet::pipe(None), Stdin::empty())),
        pty => {
            let (sender, receiver) = pipe::pipe().map_err(failed)?;
            let inlet = match pty {
                Some(size) => Inlet::keyboard(sender, size),
                None => Inlet::pipe(Some(sender)),
            };
            Ok((inlet, Stdin::new(receiver, pty.is_some())))
        }
    }
}

/// A process with what its program needs to know.
struct Played {
    process: Arc<Process>,
    asked: Asked,
    owner: Owner,
}

impl Played {
    fn stage(self, props: &Props, stdin: Stdin) -> Stage<Speaker> {
        let Self { process, asked, owner } = self;
        let part = process.part.as_ref();
        Stage {
            name: part.and_then(Part::name).unwrap_or_default().to_owned(),
            asked,
            owner,
            stdin,
            time: props.time.clone(),
            tree: Arc::clone(&props.tree),
            signals: part.map_or_else(|| watch::channel(None).1, |part| part.signals.subscribe()),
            outlet: Speaker(process),
        }
    }
}

/// Output to all who listen to a process.
struct Speaker(Arc<Process>);

impl Outlet for Speaker {
    async fn say(&self, stream: Stream, chunk: Bytes) {
        let chunk = match (self.0.spec.pty, stream) {
            (Some(_), _) => Chunk::Pty(chunk),
            (None, Stream::Out) => Chunk::Stdout(chunk),
            (None, Stream::Err) => Chunk::Stderr(chunk),
        };
        self.0.hub.publish(chunk).await;
    }
}

/// Sees a process without a kernel's through to its end.
async fn attend(
    processes: Weak<Processes>,
    process: Arc<Process>,
    stage: Stage<Speaker>,
    gone: CancellationToken,
) {
    let program = process.part.as_ref().and_then(|part| part.program.clone());
    let parting = async {
        process.killed.cancelled().await;
        // Also while a reader of its last words takes its time.
        if let Some(processes) = processes.upgrade() {
            processes.part_with(&process).await;
        }
        std::future::pending().await
    };
    let life = async {
        tokio::select! {
            ended = gone.run_until_cancelled(run(stage, program)) => ended,
            never = parting => never,
        }
    };
    let ended = course::through(life, &processes, &process).await.map(|ended| end(exit(ended)));
    process.note_end(ended.as_ref());
    // Gone from the list before anyone is told, as with a real one.
    if let Some(processes) = processes.upgrade() {
        processes.part_with(&process).await;
    }
    process.hub.close(ended).await;
}

async fn run(mut stage: Stage<Speaker>, program: Option<Chosen>) -> Ending {
    match program.as_ref().map(|program| &program.act) {
        Some(Act::Script { steps, finish }) => match stage.play(steps).await {
            Ok(()) => stage.finish(*finish).await,
            Err(ending) => ending,
        },
        Some(Act::Real(_)) | None => {
            let step = not_found(&stage.asked.cmd, stage.outlet.0.spec.pty.is_some());
            stage.play(&[step]).await.err().unwrap_or(Ending::Code(127))
        }
    }
}

/// What the guest says of a command that is not there.
fn not_found(cmd: &str, pty: bool) -> Step {
    let line = format!("envd: {cmd}: not found{}\n", if pty { "\r" } else { "" });
    Step::Say { stream: Stream::Err, content: Content::Bytes(line.into()), repeat: 1 }
}

fn exit(ending: Ending) -> Exit {
    match ending {
        Ending::Code(code) => Exit::Code(code),
        Ending::Signal(signal) => Exit::Signal(signal, false),
    }
}

/// A program around a real command.
pub(super) struct Around {
    program: Chosen,
    run: RealRun,
    asked: Asked,
    owner: Owner,
    props: Props,
    /// What was asked for, and what lists show.
    pub(super) shown: Spec,
}

impl Around {
    /// Changes `request` to what runs, after the time that it takes to begin.
    pub(super) async fn begin(
        (scripted, habits): (&Scripted, Habits),
        request: &mut Request<'_>,
        program: Chosen,
        run: RealRun,
    ) -> Result<Self, ProcessError> {
        let around = Self {
            asked: asked(request, habits)?,
            owner: Owner::from(request.user),
            props: scripted.props.clone(),
            shown: request.spec.clone(),
            program,
            run,
        };
        around.props.time.sleep(around.run.delay).await;
        request.spec.envs.extend(around.run.env.clone());
        if let Some(args) = &around.run.args {
            request.spec.args.clone_from(args);
        }
        Ok(around)
    }

    pub(super) fn part(&self) -> Part {
        let program = Some(self.program.clone());
        Part { program, alone: false, signals: watch::Sender::new(None) }
    }

    /// Plays what comes before the command's output.
    pub(super) async fn before(&self, process: &Arc<Process>) {
        if !self.run.before.is_empty() {
            // A signal that ends it ends the command, too.
            let mut stage = self.stage(process);
            let _ = self.props.gone.run_until_cancelled(stage.play(&self.run.before)).await;
        }
    }

    /// Plays what comes behind the command's end; gives the end that is told, if there is still a guest.
    pub(super) async fn after(&self, process: &Arc<Process>, exit: Exit) -> Option<Exit> {
        self.props.gone.run_until_cancelled(self.play_after(process, exit)).await
    }

    async fn play_after(&self, process: &Arc<Process>, exit: Exit) -> Exit {
        if let Some(part) = &process.part {
            part.signals.send_replace(None);
        }
        let mut stage = self.stage(process);
        let ending = match stage.play(&self.run.after).await {
            Err(ending) => Some(ending),
            Ok(()) => match self.run.finish {
                Some(finish) => Some(stage.finish(finish).await),
                None => None,
            },
        };
        ending.map_or(exit, self::exit)
    }

    fn stage(&self, process: &Arc<Process>) -> Stage<Speaker> {
        let (process, asked) = (Arc::clone(process), self.asked.clone());
        Played { process, asked, owner: self.owner }.stage(&self.props, Stdin::empty())
    }
}
