//! The script in force: which rules there are now, the journal that they are entered in, and what concerns the daemon
//! as a whole (refusing connections, crashing). Shared by the pipeline, the control port and the Rust handle.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use tokio::runtime::Handle;

use crate::connection::Gate;
use crate::coverage::{self, Cells, Coverage};
use crate::fault::{
    Armed, CallRule, ConnectionRule, Counts, Head, Processes, Removed, Rule, Rules, Script, ScriptError,
    dead_rules,
};
use crate::generation::Generation;
use crate::guest::{Guest, Lasting, ProgramRuns, Programs};
use crate::journal::{Export, Header, Journal};
use crate::mishaps;
use crate::refusal::Refusals;
use crate::replay::PastRun;
use crate::strict::{StrictReport, Strictness};
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
    /// Who answers in place of a guest, in words.
    instead: Option<String>,
    /// Whether rules that can never act are put in force all the same.
    allow_dead_rules: bool,
    pub(crate) refusals: Refusals,
    /// What a run is judged by.
    pub(crate) strictness: Strictness,
    rules: RwLock<Arc<Rules>>,
    /// The programs of the script, once there is a guest; the builder's stay behind them.
    programs: OnceLock<(Programs, Lasting)>,
    /// What there was at the start.
    initial: Setup,
    history: Mutex<History>,
    runtime: Handle,
}

/// So many different operations whose `X-Envd-Fault` was ignored are remembered.
const IGNORED: usize = 100;

/// What rules leave behind.
#[derive(Debug, Default)]
struct History {
    /// Operations that were called with a header `X-Envd-Fault` that is not honored, in order.
    ignored: Vec<String>,
    /// Seed and programs of the script; its rules are the armed ones.
    frame: Script,
    /// What was ever armed.
    armed: Cells,
    /// Rules that were taken away before they had been of any use.
    retired: Vec<RuleReport>,
}

/// So many rules that were taken away are remembered.
const RETIRED: usize = 1000;

/// How a mock is told to go wrong, before it starts.
#[derive(Debug, Clone, Default)]
pub(crate) struct Setup {
    pub(crate) script: Script,
    pub(crate) from_header: bool,
    pub(crate) keep_bodies: usize,
    /// The most bytes that the journal takes; 64 MiB by default.
    pub(crate) journal_limit: Option<u64>,
    /// Who answers in place of a guest, in words.
    pub(crate) instead: Option<String>,
    /// Decisions that are made again.
    pub(crate) past: Option<PastRun>,
    pub(crate) strictness: Strictness,
    /// Whether rules that can never act are put in force all the same.
    pub(crate) allow_dead_rules: bool,
}

/// Part of a script can do nothing here: it is about the inside of the guest, and none of the mock's own answers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{part} is about the inside of the guest, but {instead} answers here")]
pub struct Unfit {
    part: String,
    instead: String,
}

/// Why rules are not put in force.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ScriptRefused {
    /// Part of them can do nothing here.
    #[error(transparent)]
    Unfit(#[from] Unfit),
    /// A rule can never act: the generation has no such operation, or the operation nothing that the rule is about.
    #[error(transparent)]
    Dead(#[from] ScriptError),
    /// There is a rule of this name already.
    #[error("there is a rule called {0:?} already")]
    NameTaken(String),
}

/// For the listener to close, which may not have begun to listen.
const LONGEST_CLOSING: Duration = Duration::from_secs(1);
const JOURNAL_LIMIT: u64 = 64 << 20;
/// How long a crashed daemon is away, unless told otherwise.
const DOWN: Duration = Duration::from_millis(100);

/// What becomes of rules that can never act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DeadRules {
    Refuse,
    Warn,
}

impl DeadRules {
    pub(crate) fn allowed(allowed: bool) -> Self {
        if allowed { Self::Warn } else { Self::Refuse }
    }
}

/// A rule and what has become of it.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
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
    /// Whether it may still act: its time has come and is not over.
    pub in_force: bool,
}

impl Live {
    /// Arms the script; called within the runtime that serves.
    pub(crate) fn new(setup: Setup, generation: Generation, time: Time) -> Arc<Self> {
        let journal = Journal::new(setup.journal_limit.unwrap_or(JOURNAL_LIMIT), time.clone());
        let gate = Gate::default();
        let live = Arc::new(Self {
            refusals: Refusals::new(gate.clone(), time.clone(), Arc::clone(&journal)),
            journal,
            time,
            gate,
            generation,
            from_header: setup.from_header,
            keep_bodies: setup.keep_bodies,
            instead: setup.instead.clone(),
            allow_dead_rules: setup.allow_dead_rules,
            strictness: setup.strictness,
            rules: RwLock::default(),
            programs: OnceLock::new(),
            initial: setup,
            history: Mutex::default(),
            runtime: Handle::current(),
        });
        live.begin();
        live
    }

    /// Puts in force what there was at the start.
    fn begin(&self) {
        let rules = self.arm(self.initial.script.clone());
        // It was read before, or there would be no mock.
        let replay = self.initial.past.as_ref().and_then(|past| past.replay().ok());
        self.set(rules.with_replay(replay.map(Arc::new)));
    }

    /// Forgets all that has happened and puts in force what there was at the start; a manual clock stays where it is.
    pub(crate) fn reset(&self) {
        self.refusals.take_back();
        // Nothing is retired by this.
        self.put(Rules::default());
        *self.history() = History::default();
        self.journal.reset();
        self.begin();
        if let Some((programs, _)) = self.programs.get() {
            programs.forget();
        }
    }

    fn history(&self) -> MutexGuard<'_, History> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes charge of the guest's programs; `lasting` are those that no script replaces.
    pub(crate) fn direct(&self, programs: Programs, lasting: Lasting) {
        // Set once, when the guest has booted.
        let _ = self.programs.set((programs, lasting));
    }

    /// The programs that stand in for commands, with how often each has run.
    pub(crate) fn program_runs(&self) -> Vec<ProgramRuns> {
        self.programs.get().map(|(programs, _)| programs.runs()).unwrap_or_default()
    }

    pub(crate) fn rules(&self) -> Arc<Rules> {
        Arc::clone(&self.rules.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn seed(&self) -> u64 {
        self.history().frame.seed
    }

    /// A call asks for a fault by a header that is not honored: warned of once, and remembered for a strict run.
    pub(crate) fn header_ignored(&self, head: &dyn Head) {
        let operation = head.operation();
        let mut history = self.history();
        if history.ignored.is_empty() {
            tracing::warn!(
                "the request header X-Envd-Fault of {operation} is ignored, as all are: --faults-from-header honors it"
            );
        }
        if history.ignored.len() < IGNORED && !history.ignored.contains(&operation) {
            history.ignored.push(operation);
        }
    }

    /// The generation in which rules must be able to act; `None` where they need not.
    pub(crate) fn alive_in(&self) -> Option<u8> {
        let judged = self.instead.is_none() && !self.allow_dead_rules;
        judged.then(|| self.generation.number())
    }

    /// Whether every part of a script can do what it says here. Warns of rules that can never act where they are
    /// allowed: in front of an upstream, whose operations are not known, or where `dead` says so.
    ///
    /// # Errors
    /// [`ScriptRefused`], for the first part that cannot.
    pub(crate) fn admit(&self, script: &Script, dead: DeadRules) -> Result<(), ScriptRefused> {
        let refuse = dead == DeadRules::Refuse && self.alive_in().is_some();
        for (name, why) in dead_rules(script, self.generation.number()) {
            if refuse {
                return Err(why.of_rule(name).into());
            }
            tracing::warn!("the rule {name:?} can never act: {}", why.got());
        }
        Ok(self.admit_inside(script)?)
    }

    fn admit_inside(&self, script: &Script) -> Result<(), Unfit> {
        let Some(instead) = &self.instead else { return Ok(()) };
        let mut inside = script.calls.iter().filter(|rule| mishaps::is_inside(&rule.fault));
        let rule = inside.next().map(|rule| format!("the rule {:?} ({})", rule.name, rule.fault.word()));
        let program = || script.programs().first().map(|program| format!("the program {:?}", program.name));
        match rule.or_else(program) {
            Some(part) => Err(Unfit { part, instead: instead.clone() }),
            None => Ok(()),
        }
    }

    /// Puts another script in force; all counts begin anew.
    pub(crate) fn replace(&self, script: Script) {
        self.journal.event("script replaced");
        let rules = self.arm(script);
        self.set(rules);
    }

    fn arm(&self, mut script: Script) -> Rules {
        if let Some((programs, lasting)) = self.programs.get() {
            programs.replace_before(script.programs(), lasting);
        }
        self.history().armed.extend(coverage::armed(&script));
        let rules = Script {
            connections: std::mem::take(&mut script.connections),
            calls: std::mem::take(&mut script.calls),
            ..Script::default().with_seed(script.seed)
        };
        self.history().frame = script;
        Rules::arm(rules, self.time.now())
    }

    /// Adds rules behind those that there are, which keep their counts.
    ///
    /// # Errors
    /// The first name that there is already.
    pub(crate) fn add(&self, mut script: Script) -> Result<(), ScriptRefused> {
        let armed = coverage::armed(&script);
        script.seed = self.seed();
        let connections = self.rules().add(script, self.time.now()).map_err(ScriptRefused::NameTaken)?;
        self.history().armed.extend(armed);
        self.refusals.add(connections.iter().filter(|armed| armed.rule.is_refusal()));
        self.journal.event("rules added");
        Ok(())
    }

    /// Takes a rule away; whether there was one of this name.
    pub(crate) fn remove(&self, name: &str) -> bool {
        let Some(removed) = self.rules().remove(name) else { return false };
        let now = self.time.now();
        match removed {
            Removed::Connection(armed) => {
                self.refusals.remove(&armed);
                self.retire(armed.is_dead().then(|| report(&armed, now)));
            }
            Removed::Call(armed) => self.retire(armed.is_dead().then(|| report(&armed, now))),
        }
        self.journal.event(format!("rule removed: {name}"));
        true
    }

    /// The rules as a script.
    pub(crate) fn script(&self) -> Script {
        let rules = self.rules();
        let mut script = self.history().frame.clone();
        script.connections = rules.connections().iter().map(|armed| armed.rule.clone()).collect();
        script.calls = rules.calls().iter().map(|armed| armed.rule.clone()).collect();
        script
    }

    /// What has become of each rule, in order, and of each recorded decision that is to be done again.
    pub(crate) fn report(&self) -> Vec<RuleReport> {
        self.report_if(|_| true, |_| true)
    }

    /// Every rule that was in force since the start or the last reset and has been of no use.
    pub(crate) fn dead(&self) -> Vec<RuleReport> {
        let mut dead = self.history().retired.clone();
        dead.extend(self.report_if(|armed| armed.is_dead(), |armed| armed.is_dead()));
        dead
    }

    fn report_if(
        &self,
        connections: impl Fn(&Armed<ConnectionRule>) -> bool,
        calls: impl Fn(&Armed<CallRule>) -> bool,
    ) -> Vec<RuleReport> {
        let (rules, now) = (self.rules(), self.time.now());
        let (mut of_connections, mut of_calls) = (rules.connections(), rules.calls());
        if let Some(replay) = rules.replay() {
            of_connections.extend_from_slice(replay.armed_connections());
            of_calls.extend_from_slice(replay.armed_calls());
        }
        let of_connections = of_connections.iter().filter(|armed| connections(armed));
        let of_calls = of_calls.iter().filter(|armed| calls(armed));
        of_connections
            .map(|armed| report(armed, now))
            .chain(of_calls.map(|armed| report(armed, now)))
            .collect()
    }

    /// What a strict run would have to say by now.
    pub(crate) fn strict_report(&self, strictness: Strictness) -> StrictReport {
        let idle = self.programs.get().map(|(programs, _)| programs.idle()).unwrap_or_default();
        let ignored = self.history().ignored.clone();
        StrictReport::new(strictness, self.dead(), idle, ignored, self.journal.tally())
    }

    /// What has been tried by now.
    pub(crate) fn coverage(&self) -> Coverage {
        let tally = self.journal.tally();
        let dead = self.dead().into_iter().map(|rule| rule.name).collect();
        let armed = self.history().armed.clone();
        Coverage::new(&armed, &tally.fired, dead, tally.unknown.first)
    }

    /// The journal as a file, a part at a time.
    pub(crate) fn export(&self) -> Export {
        let cursor = self.journal.cursor(0);
        let dropped = self.journal.dropped();
        let header = Header::new(self.generation.number(), self.seed(), self.script().to_json(), dropped);
        Export::new(Arc::clone(&self.journal), header, cursor)
    }

    /// Resets every connection and refuses new ones for a while, as a daemon that crashes and is started again.
    pub(crate) fn crash(
        &self,
        guest: Option<&Arc<Guest>>,
        down: Option<Duration>,
        processes: Option<Processes>,
    ) {
        let closed = self.gate.close();
        self.journal.event("crash");
        let (time, journal, guest) = (self.time.clone(), Arc::clone(&self.journal), guest.cloned());
        let gate = self.gate.clone();
        self.runtime.spawn(async move {
            // Who is reset finds nobody listening. With all places taken the listener does not get to it.
            let _ = tokio::time::timeout(LONGEST_CLOSING, gate.shut()).await;
            gate.lose_all();
            if let Some(guest) = guest {
                guest.restart(processes == Some(Processes::Keep)).await;
            }
            time.sleep(down.unwrap_or(DOWN)).await;
            drop(closed);
            journal.event("back");
        });
    }

    /// Puts rules in force; those that go and were of no use are remembered.
    fn set(&self, rules: Rules) {
        let now = self.time.now();
        let (old, new) = (self.rules(), (rules.connections(), rules.calls()));
        let connections = new.0.iter().map(|armed| armed.rule.name.as_str());
        let kept: HashSet<&str> =
            connections.chain(new.1.iter().map(|armed| armed.rule.name.as_str())).collect();
        let (connections, calls) = (old.connections(), old.calls());
        // Put into words one by one, because no more than a few are remembered.
        let connections =
            connections.iter().filter(|armed| is_useless(armed, &kept)).map(|armed| report(armed, now));
        let calls = calls.iter().filter(|armed| is_useless(armed, &kept)).map(|armed| report(armed, now));
        self.retire(connections.chain(calls));
        drop(kept);
        self.put(rules);
    }

    fn retire(&self, rules: impl IntoIterator<Item = RuleReport>) {
        let mut history = self.history();
        let room = RETIRED.saturating_sub(history.retired.len());
        history.retired.extend(rules.into_iter().take(room));
    }

    fn put(&self, rules: Rules) {
        let rules = Arc::new(rules);
        *self.rules.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&rules);
        self.refusals.set(rules.refusals().iter());
    }
}

fn is_useless<R: Rule>(armed: &Armed<R>, kept: &HashSet<&str>) -> bool {
    armed.is_dead() && !kept.contains(armed.rule.name())
}

fn report<R: Rule + std::fmt::Display>(armed: &Armed<R>, now: Duration) -> RuleReport {
    RuleReport {
        name: armed.rule.name().to_owned(),
        rule: armed.rule.to_string(),
        counts: armed.counts(),
        dead: armed.is_dead(),
        in_force: armed.is_in_force(now),
    }
}
