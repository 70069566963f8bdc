//! The levers of a running mock as a Rust test has them: its script, its journal, its clock. The same as the control
//! port's, without the port.

use std::sync::Arc;
use std::time::Duration;

use crate::control;
use crate::coverage::Coverage;
use crate::fault::{Processes, Script};
use crate::guest::{Guest, ProgramRuns};
use crate::journal::Entry;
use crate::live::{DeadRules, Live, RuleReport, ScriptRefused};
use crate::time::{NotManual, Pace, Time};
use crate::verify::{self, Expectations, Unverified};

/// What goes wrong with a mock that is up; cheap to clone.
#[derive(Debug, Clone)]
pub struct Faults {
    live: Arc<Live>,
    guest: Option<Arc<Guest>>,
    dead: DeadRules,
}

/// For the listener to close.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

impl Faults {
    pub(crate) fn new(live: Arc<Live>, guest: Option<Arc<Guest>>) -> Self {
        Self { live, guest, dead: DeadRules::Refuse }
    }

    /// The same levers, but rules that can never act are warned of and put in force all the same.
    pub fn allow_dead_rules(mut self) -> Self {
        self.dead = DeadRules::Warn;
        self
    }

    /// Puts another script in force; all counts begin anew.
    ///
    /// # Errors
    /// [`ScriptRefused`], and then nothing changes.
    pub fn replace(&self, script: Script) -> Result<(), ScriptRefused> {
        // Names are made unique, or refused.
        let script = Script::default().merge(script)?;
        self.live.admit(&script, self.dead)?;
        self.live.replace(script);
        Ok(())
    }

    /// Adds rules behind those that there are.
    ///
    /// # Errors
    /// [`ScriptRefused`], and then nothing is added.
    pub fn add(&self, script: Script) -> Result<(), ScriptRefused> {
        self.live.admit(&script, self.dead)?;
        self.live.add(script)
    }

    /// Takes the rule of this name away; whether there was one.
    pub fn remove(&self, name: &str) -> bool {
        self.live.remove(name)
    }

    /// The rules in force.
    pub fn script(&self) -> Script {
        self.live.script()
    }

    /// What has become of each rule, in order.
    pub fn report(&self) -> Vec<RuleReport> {
        self.live.report()
    }

    /// The programs that stand in for commands, with how often each has run.
    pub fn programs(&self) -> Vec<ProgramRuns> {
        self.live.program_runs()
    }

    /// All that the journal has kept, in the order in which connections and calls came.
    pub fn journal(&self) -> Vec<Entry> {
        self.live.journal.entries(0).0
    }

    /// What the journal has kept from this number on, and the number of the next entry.
    pub(crate) fn journal_from(&self, number: u64) -> (Vec<Entry>, u64) {
        self.live.journal.entries(number)
    }

    /// As [`Faults::journal`], once no call is going on any more: at most five seconds later.
    pub async fn settled_journal(&self) -> Vec<Entry> {
        const LONGEST: Duration = Duration::from_secs(5);
        self.live.journal.settled(LONGEST).await;
        self.journal()
    }

    /// Compares what has happened so far with what was expected. Calls that are going on count; wait for
    /// [`Faults::settled_journal`] where they should not be.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// use envd_mock::fault::Expect;
    ///
    /// let mock = envd_mock::MockEnvd::start().await?;
    /// mock.faults().verify(Expect::call("process.Process/Start").tag("build").times(2))?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Unverified`]: it has not happened, or an expectation cannot be read.
    pub fn verify(&self, expectations: impl Into<Expectations>) -> Result<(), Unverified> {
        verify::of(&self.live, &expectations.into())
    }

    /// Which faults have been armed, and which were done.
    pub fn coverage(&self) -> Coverage {
        self.live.coverage()
    }

    /// The journal as `envd-mock replay` reads it: JSON lines, a header first.
    pub fn export(&self) -> String {
        self.live.export().into_text()
    }

    /// As [`Faults::export`], written a part at a time.
    ///
    /// # Errors
    /// Those of `out`; or the journal has dropped an entry before it was written.
    pub fn export_to(&self, mut out: impl std::io::Write) -> std::io::Result<()> {
        self.live.export().try_for_each(|part| out.write_all(part?.as_bytes()))
    }

    /// Forgets all that has happened and puts in force what there was at the start; a manual clock stays.
    pub fn reset(&self) {
        self.live.reset();
    }

    /// Refuses connections until the answer is dropped.
    pub async fn refuse_connections(&self) -> Refusing {
        let closed = self.live.gate.close();
        self.live.gate.shut().await;
        Refusing(closed)
    }

    /// Refuses connections for this time of the mock's clock, in place of what such a call asked for before; returns once
    /// they are really refused, at most five seconds later.
    pub async fn refuse_connections_for(&self, span: Duration) {
        self.live.refusals.ask(Some(span));
        // A listener that has not closed by then does so when it gets to it.
        let _ = tokio::time::timeout(LONGEST_WAIT, self.live.gate.shut()).await;
    }

    /// Accepts connections again that [`Faults::refuse_connections_for`] or the control port refuses; whether any of them
    /// did.
    pub fn accept_connections(&self) -> bool {
        self.live.refusals.take_back()
    }

    /// Resets every connection that there is now.
    pub fn reset_connections(&self) {
        self.live.gate.lose_all();
        self.live.journal.event("connections reset");
    }

    /// Crashes the daemon: every connection is reset, nobody listens for the time `down` (100 ms by default), and the
    /// processes are lost unless they are to be kept.
    pub fn crash(&self, down: Option<Duration>, processes: Processes) {
        self.live.crash(self.guest.as_ref(), down, Some(processes));
    }

    /// Forgets the entries of the journal; ordinals and totals go on.
    pub fn forget_journal(&self) {
        self.live.journal.clear();
    }

    /// The totals in the text format of Prometheus.
    pub fn metrics(&self) -> String {
        control::metrics(&self.live)
    }
}

/// Connections are refused for as long as this lives.
#[derive(Debug)]
#[must_use = "connections are accepted again when it is dropped"]
pub struct Refusing(
    #[expect(dead_code, reason = "held: dropping it opens the gate")] crate::connection::Closed,
);

/// The clock of a mock; cheap to clone.
#[derive(Debug, Clone)]
pub struct Clock {
    time: Time,
}

impl Clock {
    pub(crate) fn new(time: Time) -> Self {
        Self { time }
    }

    /// Since the mock was started.
    pub fn now(&self) -> Duration {
        self.time.now()
    }

    /// Moves a manual clock on; what it says now.
    ///
    /// # Errors
    /// [`NotManual`].
    pub fn advance(&self, by: Duration) -> Result<Duration, NotManual> {
        self.time.advance(by)
    }

    /// Waits until something waits on a manual clock; when the first of it is due.
    pub async fn waited_for(&self) -> Duration {
        self.time.sleeping().await
    }

    /// How it goes.
    pub fn pace(&self) -> Pace {
        self.time.pace()
    }

    /// When the first of those that wait on it is due; `None` when nobody does.
    pub fn next(&self) -> Option<Duration> {
        self.time.next()
    }

    /// Moves a manual clock on to where the first of those that wait on it is due, once somebody does; what it says now.
    ///
    /// # Errors
    /// [`NotManual`].
    pub async fn advance_to_next(&self) -> Result<Duration, NotManual> {
        if self.time.pace() != Pace::Manual {
            return Err(NotManual);
        }
        let next = self.time.sleeping().await;
        self.time.advance(next.saturating_sub(self.time.now()))
    }
}
