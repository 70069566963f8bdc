//! The script in force: which rules there are now, the journal that they are entered in, and what concerns the daemon
//! as a whole (refusing connections, crashing). Shared by the pipeline, the control port and the Rust handle.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::AbortHandle;

use crate::connection::Gate;
use crate::fault::{Armed, CallRule, ConnectionRule, Counts, Processes, Rule as _, Rules, Script};
use crate::generation::Generation;
use crate::guest::Guest;
use crate::journal::Journal;
use crate::time::Time;

/// Everything that goes wrong with one mock.
#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) journal: Arc<Journal>,
    pub(crate) time: Time,
    pub(crate) gate: Gate,
    pub(crate) generation: Generation,
    /// Whether the header `X-Envd-Fault` is heard.
    pub(crate) from_header: bool,
    /// How many of the first bytes of bodies the journal keeps.
    pub(crate) keep_bodies: usize,
    rules: RwLock<Arc<Rules>>,
    seed: Mutex<u64>,
    /// Tasks that refuse connections.
    refusals: Mutex<Vec<AbortHandle>>,
    runtime: Handle,
}

/// How a mock is told to go wrong, before it starts.
#[derive(Debug, Clone, Default)]
pub(crate) struct Setup {
    pub(crate) script: Script,
    pub(crate) from_header: bool,
    pub(crate) keep_bodies: usize,
    /// The most bytes that the journal takes; 64 MiB by default.
    pub(crate) journal_limit: Option<u64>,
}

/// For the listener to close, which may not have begun to listen.
const LONGEST_CLOSING: Duration = Duration::from_secs(1);
const JOURNAL_LIMIT: u64 = 64 << 20;
/// How long a crashed daemon is away, unless told otherwise.
const DOWN: Duration = Duration::from_millis(100);

/// A rule and what has become of it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct RuleReport {
    /// Its name.
    pub name: String,
    /// The whole rule, in the grammar of expressions.
    pub rule: String,
    /// How often it was met, chosen and done.
    pub counts: Counts,
    /// Whether it has been of no use so far: it never fired, or, for a probability, was never drawn.
    pub dead: bool,
}

impl Live {
    /// Arms the script; called within the runtime that serves.
    pub(crate) fn new(setup: Setup, generation: Generation, time: Time) -> Arc<Self> {
        let journal = Journal::new(setup.journal_limit.unwrap_or(JOURNAL_LIMIT), time.clone());
        let live = Arc::new(Self {
            journal,
            time,
            gate: Gate::default(),
            generation,
            from_header: setup.from_header,
            keep_bodies: setup.keep_bodies,
            rules: RwLock::default(),
            seed: Mutex::new(setup.script.seed),
            refusals: Mutex::default(),
            runtime: Handle::current(),
        });
        live.replace(setup.script);
        live
    }

    pub(crate) fn rules(&self) -> Arc<Rules> {
        Arc::clone(&self.rules.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn seed(&self) -> u64 {
        *self.seed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts another script in force; all counts begin anew.
    pub(crate) fn replace(&self, script: Script) {
        *self.seed.lock().unwrap_or_else(PoisonError::into_inner) = script.seed;
        self.set(Rules::arm(script, self.time.now()));
    }

    /// Adds rules behind those that there are, which keep their counts.
    ///
    /// # Errors
    /// The first name that there is already.
    pub(crate) fn add(&self, mut script: Script) -> Result<(), String> {
        let old = self.rules();
        let mut names: HashSet<String> = old.names().map(str::to_owned).collect();
        for name in
            script.calls.iter().map(|rule| &rule.name).chain(script.connections.iter().map(|rule| &rule.name))
        {
            if !names.insert(name.clone()) {
                return Err(name.clone());
            }
        }
        script.seed = self.seed();
        let new = Rules::arm(script, self.time.now());
        let connections = old.connections.iter().chain(&new.connections).cloned().collect();
        let calls = old.calls.iter().chain(&new.calls).cloned().collect();
        self.set(Rules::of(connections, calls));
        Ok(())
    }

    /// Takes a rule away; whether there was one of this name.
    pub(crate) fn remove(&self, name: &str) -> bool {
        let old = self.rules();
        let connections: Vec<_> = keep(&old.connections, |rule: &ConnectionRule| rule.name != name);
        let calls: Vec<_> = keep(&old.calls, |rule: &CallRule| rule.name != name);
        let removed = connections.len() + calls.len() < old.connections.len() + old.calls.len();
        self.set(Rules::of(connections, calls));
        removed
    }

    /// The rules as a script.
    pub(crate) fn script(&self) -> Script {
        let rules = self.rules();
        let mut script = Script::default();
        script.seed = self.seed();
        script.connections = rules.connections.iter().map(|armed| armed.rule.clone()).collect();
        script.calls = rules.calls.iter().map(|armed| armed.rule.clone()).collect();
        script
    }

    /// What has become of each rule, in order.
    pub(crate) fn report(&self) -> Vec<RuleReport> {
        let rules = self.rules();
        let connections = rules.connections.iter().map(|armed| report(armed));
        let calls = rules.calls.iter().map(|armed| report(armed));
        connections.chain(calls).collect()
    }

    /// Resets every connection and refuses new ones for a while, as a daemon that crashes and is started again.
    pub(crate) fn crash(&self, guest: &Arc<Guest>, down: Option<Duration>, processes: Option<Processes>) {
        let closed = self.gate.close();
        self.journal.event("crash");
        let (time, journal, guest) = (self.time.clone(), Arc::clone(&self.journal), Arc::clone(guest));
        let gate = self.gate.clone();
        self.runtime.spawn(async move {
            // Who is reset finds nobody listening.
            let _ = tokio::time::timeout(LONGEST_CLOSING, gate.shut()).await;
            gate.lose_all();
            guest.restart(processes == Some(Processes::Keep)).await;
            time.sleep(down.unwrap_or(DOWN)).await;
            drop(closed);
            journal.event("back");
        });
    }

    fn set(&self, rules: Rules) {
        let rules = Arc::new(rules);
        *self.rules.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&rules);
        let tasks: Vec<AbortHandle> = rules.refusals().map(|armed| self.refuse(Arc::clone(armed))).collect();
        let old =
            std::mem::replace(&mut *self.refusals.lock().unwrap_or_else(PoisonError::into_inner), tasks);
        old.iter().for_each(AbortHandle::abort);
    }

    /// Refuses connections for the span of a rule.
    fn refuse(&self, armed: Arc<Armed<ConnectionRule>>) -> AbortHandle {
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
            let _ = tokio::time::timeout(LONGEST_CLOSING, gate.shut()).await;
            armed.note_fired();
            journal.event(format!("refusing: {}", armed.rule.name()));
            match until {
                Some(until) => time.sleep_until(until).await,
                None => std::future::pending().await,
            }
            drop(closed);
            journal.event(format!("listening again: {}", armed.rule.name()));
        };
        self.runtime.spawn(task).abort_handle()
    }
}

fn keep<R>(all: &[Arc<Armed<R>>], wanted: impl Fn(&R) -> bool) -> Vec<Arc<Armed<R>>> {
    all.iter().filter(|armed| wanted(&armed.rule)).cloned().collect()
}

fn report<R: crate::fault::Rule + std::fmt::Display>(armed: &Armed<R>) -> RuleReport {
    let name = armed.rule.name().to_owned();
    RuleReport { name, rule: armed.rule.to_string(), counts: armed.counts(), dead: armed.is_dead() }
}
