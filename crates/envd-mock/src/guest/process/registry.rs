//! The processes that run, by pid and by tag.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::input::{Inlet, Input, Patience};
use super::output::{End, Hub, Subscription};
use super::scripted::{self, Around, Part, Scripted};
use super::start::{Size, Spec};
use super::{ProcessError, start};
use crate::guest::habits::Habits;
use crate::guest::ns::Link;
use crate::time::Time;

/// Processes that have ended and are still listed, where that is the habit; the oldest pids go first.
const DEAD: usize = 4096;

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
}

/// All processes that were started here and have not ended, or are listed as if they had not.
#[derive(Debug)]
pub(crate) struct Processes {
    /// `None`: nothing real runs.
    pub(super) link: Option<Arc<Link>>,
    pub(super) scripted: Scripted,
    pub(super) stall: Duration,
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
        stall: Duration,
        time: Time,
        habits: Habits,
    ) -> Arc<Self> {
        let (started, terminals) = (AtomicU32::new(0), AtomicBool::new(false));
        Arc::new(Self { link, scripted, stall, time, habits, started, terminals, running: Mutex::default() })
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

    /// Takes a process that has ended off the list, or leaves it there as dead.
    pub(super) fn bury(&self, process: &Process) {
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
        let events = process.hub.subscribe().ok_or(match selector {
            Selector::Pid(pid) => ProcessError::NoPid(*pid),
            Selector::Tag(tag) => ProcessError::NoTag(tag.clone()),
        })?;
        Ok((process, events))
    }

    /// Sends a signal as a caller asks for it: to the process group, or to its leader, by the guest's habit.
    pub(crate) async fn deliver(&self, process: &Process, signal: i32) -> Result<(), ProcessError> {
        if process.is_dead() {
            return Err(ProcessError::Signal("ESRCH: No such process".to_owned()));
        }
        if self.habits.signals_group {
            return self.signal(process, signal).await;
        }
        self.send(process, process.pid.cast_signed(), signal).await
    }

    /// Sends a signal to the process group.
    pub(crate) async fn signal(&self, process: &Process, signal: i32) -> Result<(), ProcessError> {
        self.send(process, -process.pid.cast_signed(), signal).await
    }

    async fn send(&self, process: &Process, target: i32, signal: i32) -> Result<(), ProcessError> {
        let part = process.part.as_ref();
        if part.is_some_and(|part| part.ignores(signal)) {
            return Ok(());
        }
        let told = part.is_some_and(|part| part.signal(signal));
        match &self.link {
            Some(link) if !part.is_some_and(|part| part.alone) => {
                let sent = link.kill(target, signal).await;
                // The command may have ended before what is played behind it.
                if told { Ok(()) } else { sent.map_err(refused) }
            }
            _ if told => Ok(()),
            _ => Err(refused(std::io::Error::from_raw_os_error(libc::ESRCH))),
        }
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
        Self { pid, spec, hub, inlet, part, dead: AtomicBool::new(false) }
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

fn refused(error: std::io::Error) -> ProcessError {
    ProcessError::Signal(match error.raw_os_error() {
        Some(libc::ESRCH) => "ESRCH: No such process".to_owned(),
        _ => error.to_string(),
    })
}
