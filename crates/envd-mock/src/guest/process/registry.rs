//! The processes that run, by pid and by tag.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::input::{Inlet, Input};
use super::output::{Hub, Subscription};
use super::start::{Size, Spec};
use super::{ProcessError, start};
use crate::guest::ns::Link;
use crate::time::Time;

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
}

/// All processes that were started here and have not ended.
#[derive(Debug)]
pub(crate) struct Processes {
    pub(super) link: Arc<Link>,
    pub(super) stall: Duration,
    pub(super) time: Time,
    running: Mutex<BTreeMap<u32, Arc<Process>>>,
}

impl Processes {
    pub(crate) fn new(link: Arc<Link>, stall: Duration, time: Time) -> Arc<Self> {
        Arc::new(Self { link, stall, time, running: Mutex::default() })
    }

    fn running(&self) -> MutexGuard<'_, BTreeMap<u32, Arc<Process>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn insert(&self, process: Arc<Process>) {
        self.running().insert(process.pid, process);
    }

    pub(super) fn remove(&self, pid: u32) {
        self.running().remove(&pid);
    }

    /// All of them, in the order of pids.
    pub(crate) fn list(&self) -> Vec<Arc<Process>> {
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
        let events = process.hub.subscribe().ok_or(match selector {
            Selector::Pid(pid) => ProcessError::NoPid(*pid),
            Selector::Tag(tag) => ProcessError::NoTag(tag.clone()),
        })?;
        Ok((process, events))
    }

    /// Sends a signal to the process group.
    pub(crate) async fn signal(&self, process: &Process, signal: i32) -> Result<(), ProcessError> {
        let group = -process.pid.cast_signed();
        self.link.kill(group, signal).await.map_err(|error| {
            ProcessError::Signal(match error.raw_os_error() {
                Some(libc::ESRCH) => "ESRCH: No such process".to_owned(),
                _ => error.to_string(),
            })
        })
    }

    /// Starts a process as the contract's section 4.1 tells; its events come to the subscription from the first
    /// byte on.
    pub(crate) async fn start(
        self: &Arc<Self>,
        request: start::Request<'_>,
    ) -> Result<(Arc<Process>, Subscription), ProcessError> {
        start::start(self, request).await
    }
}

impl Process {
    /// Writes to the process, in turn with other writers.
    pub(crate) async fn write(&self, input: Input<'_>) -> Result<(), ProcessError> {
        self.inlet.write(input, &self.hub.time).await
    }

    /// Closes the pipe to its standard input.
    pub(crate) async fn close_stdin(&self) -> Result<(), ProcessError> {
        self.inlet.close().await
    }

    /// Sets the size of its terminal.
    pub(crate) fn resize(&self, size: Size) -> Result<(), ProcessError> {
        let terminal = self.inlet.as_terminal().ok_or(ProcessError::NoTerminal)?;
        terminal.resize(size).map_err(ProcessError::Resize)
    }
}
