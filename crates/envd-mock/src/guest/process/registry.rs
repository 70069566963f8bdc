//! The processes that run, by pid and by tag, and the signals that they get.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::input::{Inlet, Input, Patience};
use super::output::{End, Hub, Subscription};
use super::scripted::{self, Around, Part, Scripted};
use super::start::{Size, Spec};
use super::{ProcessError, Unread, start};
use crate::guest::habits::Habits;
use crate::guest::ns::Link;
use crate::time::Time;

/// Processes that have ended and are still listed, where that is the habit; the oldest pids go first.
const DEAD: usize = 4096;

/// How long a SIGKILL may take to be done before it is answered all the same. The host's clock: no fault delays it.
const LONGEST_KILL: Duration = Duration::from_millis(1500);
/// Between two looks at whether a killed group has gone.
const TICK: Duration = Duration::from_millis(1);

/// Names a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Selector {
    Pid(u32),
    /// The first in the order of pids, should several carry the same tag.
    Tag(String),
}

/// One process that runs.
#[derive(Debug)]
pub(crate) struct Process {
    /// Its number, as it sees it itself.
    pub(crate) pid: u32,
    /// What was asked for, with the working directory as it was resolved.
    pub(crate) spec: Spec,
    pub(super) hub: Hub,
    pub(super) inlet: Inlet,
    /// What a program has to do with it.
    pub(super) part: Option<Part>,
    /// It has ended, and is listed all the same.
    dead: AtomicBool,
    /// SIGKILL was sent to it.
    pub(super) killed: CancellationToken,
    left: AtomicBool,
    /// Off the list, and no process of the guest has its number any more.
    gone: CancellationToken,
}

/// All processes that were started here and have not ended, or are listed as if they had not.
#[derive(Debug)]
pub(crate) struct Processes {
    /// `None`: nothing real runs.
    pub(super) link: Option<Arc<Link>>,
    pub(super) scripted: Scripted,
    pub(super) stall: Duration,
    pub(super) unread: Arc<Unread>,
    pub(super) time: Time,
    pub(super) habits: Habits,
    started: AtomicU32,
    /// There was a terminal.
    terminals: AtomicBool,
    running: Mutex<BTreeMap<u32, Arc<Process>>>,
}

impl Processes {
    pub(crate) fn new(
        link: Option<Arc<Link>>,
        scripted: Scripted,
        (stall, unread): (Duration, Unread),
        time: Time,
        habits: Habits,
    ) -> Arc<Self> {
        let unread = Arc::new(unread);
        let (started, terminals) = (AtomicU32::new(0), AtomicBool::new(false));
        let running = Mutex::default();
        Arc::new(Self { link, scripted, stall, unread, time, habits, started, terminals, running })
    }

    fn running(&self) -> MutexGuard<'_, BTreeMap<u32, Arc<Process>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn insert(&self, process: Arc<Process>) {
        self.running().insert(process.pid, process);
    }

    /// Ends what no kernel would end.
    pub(crate) fn end(&self) {
        self.scripted.end();
    }

    /// Takes a process that has ended off the list, or leaves it there as dead; only then does its leader let go of its
    /// number, so that whatever is listed can be signalled. May be called again, and dropped.
    pub(super) async fn part_with(&self, process: &Process) {
        if !process.left.swap(true, Ordering::AcqRel) {
            self.bury(process);
            let link = self.link.clone().filter(|_| !process.is_alone());
            let (gone, pid) = (process.gone.clone(), process.pid.cast_signed());
            // On its own, because this may be dropped meanwhile.
            tokio::spawn(async move {
                if let Some(link) = link {
                    // A guest that is gone has let go of all of them.
                    let _ = link.release(pid).await;
                }
                gone.cancel();
            });
        }
        process.gone.cancelled().await;
    }

    fn bury(&self, process: &Process) {
        let mut running = self.running();
        if self.habits.forgets_dead {
            running.remove(&process.pid);
            return;
        }
        process.dead.store(true, Ordering::Relaxed);
        let dead = || running.values().filter(|process| process.is_dead());
        if dead().count() > DEAD
            && let Some(oldest) = dead().next().map(|process| process.pid)
        {
            running.remove(&oldest);
        }
    }

    /// Whether the next process is one that is listened to too late.
    pub(super) fn is_next_deaf(&self) -> bool {
        let ordinal = self.started.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        self.habits.deaf_start.is_some_and(|every| ordinal.is_multiple_of(every))
    }

    /// Whether there was a terminal before; from now on there was, if this process has one.
    pub(super) fn had_terminals(&self, another: bool) -> bool {
        self.terminals.fetch_or(another, Ordering::Relaxed)
    }

    /// Those that run, in the order of pids.
    pub(crate) fn list(&self) -> Vec<Arc<Process>> {
        self.running().values().filter(|process| !process.is_dead()).cloned().collect()
    }

    /// Those that the guest says are there, in the order of pids.
    pub(crate) fn listed(&self) -> Vec<Arc<Process>> {
        self.running().values().cloned().collect()
    }

    /// The one that `selector` names.
    ///
    /// # Errors
    /// [`ProcessError::NoPid`], [`ProcessError::NoTag`].
    pub(crate) fn find(&self, selector: &Selector) -> Result<Arc<Process>, ProcessError> {
        let running = self.running();
        match selector {
            Selector::Pid(pid) => running.get(pid).cloned().ok_or(ProcessError::NoPid(*pid)),
            Selector::Tag(tag) => {
                let tagged = |process: &&Arc<Process>| process.spec.tag.as_deref() == Some(tag);
                running.values().find(tagged).cloned().ok_or_else(|| ProcessError::NoTag(tag.clone()))
            }
        }
    }

    /// Listens to a running process.
    pub(crate) fn connect(&self, selector: &Selector) -> Result<(Arc<Process>, Subscription), ProcessError> {
        let process = self.find(selector)?;
        if process.is_dead() {
            let events = process.hub.subscribe_in_vain();
            return Ok((process, events));
        }
        let events = process.hub.subscribe().ok_or_else(|| selector.not_found())?;
        Ok((process, events))
    }

    /// Sends a signal as a caller asks for it: to the process group, or to its leader, by the guest's habit. A SIGKILL
    /// is done when this returns.
    pub(crate) async fn deliver(
        &self,
        process: &Process,
        selector: &Selector,
        signal: i32,
    ) -> Result<(), ProcessError> {
        if process.is_dead() {
            return Err(refused(no_such_process()));
        }
        let sent = if self.habits.signals_group {
            self.signal(process, signal).await
        } else {
            self.send(process, process.pid.cast_signed(), signal).await
        };
        // It went off the list between being found and being signalled.
        if sent.is_err() && process.has_left() && self.habits.forgets_dead {
            return Err(selector.not_found());
        }
        sent?;
        if signal == libc::SIGKILL {
            self.wait_for_death(process).await;
        }
        Ok(())
    }

    /// Sends a signal to the process group.
    pub(crate) async fn signal(&self, process: &Process, signal: i32) -> Result<(), ProcessError> {
        self.send(process, -process.pid.cast_signed(), signal).await
    }

    /// Ends the process group and waits until it has gone.
    pub(crate) async fn kill(&self, process: &Process) {
        // One that is gone meanwhile needs no signal.
        if self.signal(process, libc::SIGKILL).await.is_ok() {
            self.wait_for_death(process).await;
        }
    }

    /// Waits until a killed process is off the list and nothing of its group is left, for a limited time.
    async fn wait_for_death(&self, process: &Process) {
        let group = async {
            process.gone.cancelled().await;
            let Some(link) = self.link.as_ref().filter(|_| !process.is_alone()) else { return };
            let leads = self.habits.signals_group;
            while leads && link.has_group(process.pid.cast_signed()).await.unwrap_or(false) {
                tokio::time::sleep(TICK).await;
            }
        };
        if tokio::time::timeout(LONGEST_KILL, group).await.is_err() {
            tracing::debug!(pid = process.pid, "a killed process is not gone yet");
        }
    }

    async fn send(&self, process: &Process, target: i32, signal: i32) -> Result<(), ProcessError> {
        let part = process.part.as_ref();
        if part.is_some_and(|part| part.ignores(signal)) {
            return Ok(());
        }
        let told = part.is_some_and(|part| part.signal(signal));
        let sent = match &self.link {
            Some(link) if !process.is_alone() => link.kill(target, signal).await,
            // One that is all script and still listed is at its end already, if it was not told.
            _ if process.has_left() => Err(no_such_process()),
            _ => Ok(()),
        };
        // The command may have ended before what is played behind it.
        if told || sent.is_ok() {
            if signal == libc::SIGKILL {
                process.killed.cancel();
            }
            return Ok(());
        }
        sent.map_err(refused)
    }

    /// Starts a process as the contract's section 4.1 tells; its events come to the subscription from the first
    /// byte on.
    pub(crate) async fn start(
        self: &Arc<Self>,
        mut request: start::Request<'_>,
    ) -> Result<(Arc<Process>, Subscription), ProcessError> {
        let program = self.scripted.choose(&request, self.habits)?;
        let real = program.as_ref().and_then(|program| program.real_run().cloned());
        match (program, real, &self.link) {
            (Some(program), Some(run), Some(link)) => {
                let around = Around::begin((&self.scripted, self.habits), &mut request, program, run).await?;
                start::start(self, link, request, Some(around)).await
            }
            (None, _, Some(link)) => start::start(self, link, request, None).await,
            (program, ..) => scripted::start(self, request, program),
        }
    }
}

impl Process {
    pub(super) fn new(pid: u32, spec: Spec, hub: Hub, inlet: Inlet, part: Option<Part>) -> Self {
        if let Some(part) = &part {
            part.started(pid, &spec);
        }
        let (killed, gone) = (CancellationToken::new(), CancellationToken::new());
        let (dead, left) = (AtomicBool::new(false), AtomicBool::new(false));
        Self { pid, spec, hub, inlet, part, dead, killed, left, gone }
    }

    /// There is no kernel's process.
    fn is_alone(&self) -> bool {
        self.part.as_ref().is_some_and(|part| part.alone)
    }

    /// It is on its way off the list, or off it.
    fn has_left(&self) -> bool {
        self.left.load(Ordering::Acquire)
    }

    /// It has ended; without an end of its own, with the guest.
    pub(super) fn note_end(&self, end: Option<&End>) {
        if let Some(part) = &self.part {
            part.ended(self.hub.time.now(), end);
        }
    }

    /// It has ended, and is listed all the same.
    fn is_dead(&self) -> bool {
        self.dead.load(Ordering::Relaxed)
    }

    /// Writes to the process, in turn with other writers.
    pub(crate) async fn write(&self, input: Input<'_>) -> Result<(), ProcessError> {
        let patience = Patience { limit: self.hub.habits.input_patience, time: &self.hub.time };
        self.inlet.write(input, patience).await
    }

    /// Closes the pipe to its standard input.
    pub(crate) async fn close_stdin(&self) -> Result<(), ProcessError> {
        self.inlet.close().await
    }

    /// Sets the size of its terminal.
    pub(crate) fn resize(&self, size: Size) -> Result<(), ProcessError> {
        self.inlet.resize(size)
    }

    /// The name of the program that takes its place or surrounds it.
    pub(crate) fn program(&self) -> Option<&str> {
        self.part.as_ref().and_then(Part::name)
    }
}

impl Selector {
    fn not_found(&self) -> ProcessError {
        match self {
            Self::Pid(pid) => ProcessError::NoPid(*pid),
            Self::Tag(tag) => ProcessError::NoTag(tag.clone()),
        }
    }
}

fn no_such_process() -> std::io::Error {
    std::io::Error::from_raw_os_error(libc::ESRCH)
}

fn refused(error: std::io::Error) -> ProcessError {
    ProcessError::Signal(match error.raw_os_error() {
        Some(libc::ESRCH) => "ESRCH: No such process".to_owned(),
        _ => error.to_string(),
    })
}
