//! Spans of time in which nobody listens: those that rules name, and the one that a lever asks for.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::AbortHandle;

use crate::connection::Gate;
use crate::fault::{Armed, ConnectionRule, Rule as _};
use crate::journal::Journal;
use crate::replay::{LISTENING, REFUSING};
use crate::time::Time;

/// What the journal calls a span that no rule named.
const LEVER: &str = "asked for";

/// For the listener to close.
const LONGEST_CLOSING: Duration = Duration::from_secs(1);

/// Whoever closes the gate, and until when.
#[derive(Debug)]
pub(crate) struct Refusals {
    gate: Gate,
    time: Time,
    journal: Arc<Journal>,
    runtime: Handle,
    /// Of rules that are in force.
    rules: Mutex<Vec<(Arc<Armed<ConnectionRule>>, AbortHandle)>>,
    lever: Mutex<Option<AbortHandle>>,
}

impl Refusals {
    /// Made within the runtime that serves.
    pub(crate) fn new(gate: Gate, time: Time, journal: Arc<Journal>) -> Self {
        let runtime = Handle::current();
        Self { gate, time, journal, runtime, rules: Mutex::default(), lever: Mutex::default() }
    }

    /// Does what these rules say, and no longer what those before them said.
    pub(crate) fn set<'r>(&self, rules: impl Iterator<Item = &'r Arc<Armed<ConnectionRule>>>) {
        let mut tasks = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        let mut old = std::mem::take(&mut *tasks);
        for armed in rules {
            // What is under way goes on.
            let known = old.iter().position(|(other, _)| Arc::ptr_eq(other, armed));
            let task = known.map(|index| old.swap_remove(index).1);
            let task = task.unwrap_or_else(|| self.by_rule(Arc::clone(armed)));
            tasks.push((Arc::clone(armed), task));
        }
        old.iter().for_each(|(_, task)| task.abort());
    }

    /// Does what these rules say, too.
    pub(crate) fn add<'r>(&self, rules: impl Iterator<Item = &'r Arc<Armed<ConnectionRule>>>) {
        let mut tasks = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.extend(rules.map(|armed| (Arc::clone(armed), self.by_rule(Arc::clone(armed)))));
    }

    /// No longer does what this rule says.
    pub(crate) fn remove(&self, armed: &Arc<Armed<ConnectionRule>>) {
        let mut tasks = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.retain(|(other, task)| {
            let other = !Arc::ptr_eq(other, armed);
            if !other {
                task.abort();
            }
            other
        });
    }

    /// Refuses connections for a while, or until told otherwise, in place of what was asked for before.
    pub(crate) fn ask(&self, span: Option<Duration>) {
        let closed = self.gate.close();
        let (time, journal) = (self.time.clone(), Arc::clone(&self.journal));
        journal.event(format!("{REFUSING}{LEVER}"));
        let until = span.map(|span| time.now().saturating_add(span));
        let task = async move {
            let ended = Ended { journal, name: LEVER.to_owned() };
            match until {
                Some(until) => time.sleep_until(until).await,
                None => std::future::pending().await,
            }
            drop((closed, ended));
        };
        self.put(Some(self.runtime.spawn(task).abort_handle()));
    }

    /// Takes back what was asked for; whether there was anything.
    pub(crate) fn take_back(&self) -> bool {
        self.put(None)
    }

    fn put(&self, task: Option<AbortHandle>) -> bool {
        let old = std::mem::replace(&mut *self.lever.lock().unwrap_or_else(PoisonError::into_inner), task);
        old.is_some_and(|old| {
            let going_on = !old.is_finished();
            old.abort();
            going_on
        })
    }

    fn by_rule(&self, armed: Arc<Armed<ConnectionRule>>) -> AbortHandle {
        let often = armed.rule.often().clone();
        let from = armed.since() + often.after.unwrap_or_default();
        let ends = armed.rule.ttl.into_iter().chain(often.until).min();
        let until = ends.map(|end| armed.since() + end);
        let (time, gate, journal) = (self.time.clone(), self.gate.clone(), Arc::clone(&self.journal));
        // Closed before this returns, where there is nothing to wait for.
        let mut closed =
            (often.after.is_none() && until.is_none_or(|until| time.now() < until)).then(|| gate.close());
        let task = async move {
            if closed.is_none() {
                time.sleep_until(from).await;
                closed = Some(gate.close());
            }
            // The listener may not have begun to listen.
            let _ = tokio::time::timeout(LONGEST_CLOSING, gate.shut()).await;
            armed.note_fired();
            journal.event(format!("{REFUSING}{}", armed.rule.name()));
            let ended = Ended { journal, name: armed.rule.name().to_owned() };
            match until {
                Some(until) => time.sleep_until(until).await,
                None => std::future::pending().await,
            }
            drop((closed, ended));
        };
        self.runtime.spawn(task).abort_handle()
    }
}

/// Notes the end of a span, whatever ends it.
struct Ended {
    journal: Arc<Journal>,
    name: String,
}

impl Drop for Ended {
    fn drop(&mut self) {
        // What the end of the mock ends has no end of its own.
        if !self.journal.is_stopping() {
            self.journal.event(format!("{LISTENING}{}", self.name));
        }
    }
}
