//! Rules in force: which of them a call or a connection gets, and how often each has counted, been chosen and fired.
//! The time is told, never read.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::draw::Key;
use super::kinds::{CallFault, Place, Stage};
use super::matcher::{Call, Head, call_meets};
use super::position::Position;
use super::rule::{CallRule, ConnectionRule, Often, Operation, Script};

/// What a script's rules are, as far as counting goes.
pub(crate) trait Rule {
    fn name(&self) -> &str;
    fn often(&self) -> &Often;
    fn at(&self) -> Option<Position>;
    fn ttl(&self) -> Option<Duration>;
}

impl Rule for CallRule {
    fn name(&self) -> &str {
        &self.name
    }

    fn often(&self) -> &Often {
        &self.often
    }

    fn at(&self) -> Option<Position> {
        self.at
    }

    fn ttl(&self) -> Option<Duration> {
        self.ttl
    }
}

impl Rule for ConnectionRule {
    fn name(&self) -> &str {
        &self.name
    }

    fn often(&self) -> &Often {
        &self.often
    }

    fn at(&self) -> Option<Position> {
        self.at
    }

    fn ttl(&self) -> Option<Duration> {
        self.ttl
    }
}

/// A rule that is in force, with its counts.
#[derive(Debug)]
pub(crate) struct Armed<R> {
    pub(crate) rule: R,
    seed: u64,
    since: Duration,
    /// Those that met all conditions but how often.
    met: AtomicU64,
    drawn: AtomicU64,
    chosen: AtomicU64,
    fired: AtomicU64,
    /// How often each name of a coordinate was met.
    named: Mutex<HashMap<String, u64>>,
}

/// What has become of a rule so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Counts {
    /// Calls or connections that met all conditions but how often.
    pub met: u64,
    /// Draws that were made for its probability.
    pub drawn: u64,
    /// Times that it was chosen.
    pub chosen: u64,
    /// Times that its fault was done.
    pub fired: u64,
}

/// One decision: a rule, and the coordinate at which it was made.
#[derive(Debug, Clone)]
pub(crate) struct Chosen<R> {
    pub(crate) armed: Arc<Armed<R>>,
    /// The ordinal among those that met the rule.
    pub(crate) n: u64,
    pub(crate) key: Key,
}

/// A decision about a call.
pub(crate) type ChosenCall = Chosen<CallRule>;
/// A decision about a connection.
pub(crate) type ChosenConnection = Chosen<ConnectionRule>;

impl<R: Rule> Armed<R> {
    fn new(rule: R, seed: u64, since: Duration) -> Arc<Self> {
        let zero = AtomicU64::default;
        let (met, drawn, chosen, fired) = (zero(), zero(), zero(), zero());
        Arc::new(Self { rule, seed, since, met, drawn, chosen, fired, named: Mutex::default() })
    }

    pub(crate) fn counts(&self) -> Counts {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Counts {
            met: of(&self.met),
            drawn: of(&self.drawn),
            chosen: of(&self.chosen),
            fired: of(&self.fired),
        }
    }

    /// When it was armed.
    pub(crate) fn since(&self) -> Duration {
        self.since
    }

    /// Whether it is never going to have been of use: nothing fired, or, for a probability, nothing was drawn.
    pub(crate) fn is_dead(&self) -> bool {
        let counts = self.counts();
        let by_chance = self.rule.often().probability.is_some();
        if by_chance { counts.drawn == 0 } else { counts.fired == 0 }
    }

    fn is_in_force(&self, now: Duration) -> bool {
        let often = self.rule.often();
        let age = now.saturating_sub(self.since);
        let ends = self.rule.ttl().into_iter().chain(often.until).min();
        often.after.is_none_or(|after| age >= after) && ends.is_none_or(|end| age < end)
    }

    /// Counts one that meets the conditions, and decides on it.
    fn decide(self: &Arc<Self>, name: Option<&str>) -> Option<Chosen<R>> {
        let often = self.rule.often();
        let n = self.met.fetch_add(1, Ordering::Relaxed) + 1;
        let key = Key::new(self.seed, self.rule.name(), &self.coordinate(n, name));
        let counted = often.nth.is_none_or(|nth| nth.covers(n))
            && often.every.is_none_or(|every| n.is_multiple_of(every));
        let chosen = Chosen { armed: Arc::clone(self), n, key };
        let at_once = counted && (self.draws_each_time() || (chosen.is_drawn("call") && self.take_one()));
        at_once.then_some(chosen)
    }

    /// A position that may be met more than once is drawn at each.
    fn draws_each_time(&self) -> bool {
        matches!(self.rule.at(), Some(Position::DownEnvelope(which, _) | Position::UpEnvelope(which, _)) if which.is_many())
    }

    fn coordinate(&self, n: u64, name: Option<&str>) -> String {
        let Some(name) = name else { return n.to_string() };
        let mut named = self.named.lock().unwrap_or_else(PoisonError::into_inner);
        let count = named.entry(name.to_owned()).or_default();
        *count += 1;
        format!("{name}/{count}")
    }

    /// One of the times that it may be chosen.
    fn take_one(&self) -> bool {
        let most = self.rule.often().times.unwrap_or(u64::MAX);
        let taken = |chosen: u64| (chosen < most).then_some(chosen + 1);
        self.chosen.fetch_update(Ordering::Relaxed, Ordering::Relaxed, taken).is_ok()
    }
}

impl<R: Rule> Chosen<R> {
    fn is_drawn(&self, purpose: &str) -> bool {
        self.armed.rule.often().probability.is_none_or(|probability| {
            self.armed.drawn.fetch_add(1, Ordering::Relaxed);
            self.key.draw(purpose) < probability
        })
    }

    /// Whether the fault acts at the `index`th envelope that its position names.
    pub(crate) fn acts_at(&self, index: u64) -> bool {
        !self.armed.draws_each_time()
            || (self.is_drawn(&format!("envelope {index}")) && self.armed.take_one())
    }

    /// Notes that the fault was done.
    pub(crate) fn fired(&self) {
        self.armed.fired.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn rule(&self) -> &R {
        &self.armed.rule
    }

    pub(crate) fn name(&self) -> &str {
        self.armed.rule.name()
    }
}

/// Which faults exclude each other within one call: the first rule to match has the slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Slot {
    /// A delay goes with any other fault of the reply.
    Delay(Option<Position>),
    Reply,
    Body(Option<Position>),
    Request(Option<Position>),
    Guest,
}

impl CallRule {
    /// Where the fault acts.
    pub(crate) fn place(&self) -> Place {
        self.at.map_or_else(|| self.fault.kind().places[0], Position::place)
    }

    fn slot(&self) -> Slot {
        match (&self.fault, self.fault.kind().stage, self.place()) {
            (CallFault::Delay { .. }, ..) => Slot::Delay(self.at),
            (CallFault::Crash { .. } | CallFault::Series { .. }, _, Place::Head) => Slot::Reply,
            (_, Stage::Guest, Place::Head) => Slot::Guest,
            (_, Stage::Request, _) | (_, _, Place::Up) => Slot::Request(self.at),
            (_, _, Place::Head) => Slot::Reply,
            _ => Slot::Body(self.at),
        }
    }
}

/// All rules of a mock, found fast.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    pub(crate) connections: Vec<Arc<Armed<ConnectionRule>>>,
    pub(crate) calls: Vec<Arc<Armed<CallRule>>>,
    /// Indices of rules for one path alone, by its path.
    exact: HashMap<String, Vec<usize>>,
    /// Indices of the others.
    wide: Vec<usize>,
}

impl Rules {
    /// Arms a script at a time.
    pub(crate) fn arm(script: Script, now: Duration) -> Self {
        let seed = script.seed;
        let connections = script.connections.into_iter().map(|rule| Armed::new(rule, seed, now)).collect();
        let calls = script.calls.into_iter().map(|rule| Armed::new(rule, seed, now)).collect();
        Self::of(connections, calls)
    }

    /// These rules, with the counts that they have.
    pub(crate) fn of(connections: Vec<Arc<Armed<ConnectionRule>>>, calls: Vec<Arc<Armed<CallRule>>>) -> Self {
        let (mut exact, mut wide) = (HashMap::<String, Vec<usize>>::new(), Vec::new());
        for (index, armed) in calls.iter().enumerate() {
            match armed.rule.when.operation.exact_path() {
                Some(path) => exact.entry(path).or_default().push(index),
                None => wide.push(index),
            }
        }
        Self { connections, calls, exact, wide }
    }

    /// The rules that may be about a path, in order.
    fn about<'r>(&'r self, path: &str) -> impl Iterator<Item = &'r Arc<Armed<CallRule>>> {
        let (mut exact, mut wide) = (
            self.exact.get(path).map(Vec::as_slice).unwrap_or_default().iter().peekable(),
            self.wide.iter().peekable(),
        );
        std::iter::from_fn(move || {
            let first = match (exact.peek(), wide.peek()) {
                (Some(one), Some(other)) if one < other => exact.next(),
                (Some(_), None) => exact.next(),
                _ => wide.next(),
            };
            first.map(|index| &self.calls[*index])
        })
    }

    /// Whether a decision about the call needs its first message.
    pub(crate) fn need_message(&self, head: &dyn Head, now: Duration) -> bool {
        self.about(head.path()).any(|armed| {
            let when = &armed.rule.when;
            armed.is_in_force(now)
                && when.operation.matches(head)
                && (when.tag.is_some() || when.command.is_some() || (when.path.is_some() && head.is_rpc()))
        })
    }

    /// What goes wrong with a call: for each slot the first rule that matches.
    pub(crate) fn decide(&self, call: &Call<'_>, now: Duration) -> Vec<ChosenCall> {
        let mut plan: Vec<ChosenCall> = Vec::new();
        for armed in self.about(call.head.path()) {
            if !armed.is_in_force(now) || !call_meets(&armed.rule.when, call) {
                continue;
            }
            let slot = armed.rule.slot();
            let Some(chosen) = armed.decide(call.name) else { continue };
            if !plan.iter().any(|other| other.rule().slot() == slot) {
                plan.push(chosen);
            }
        }
        plan
    }

    /// What goes wrong with a connection: the first rule that matches at each position.
    pub(crate) fn decide_connection(&self, now: Duration) -> Vec<ChosenConnection> {
        let mut plan: Vec<ChosenConnection> = Vec::new();
        for armed in self.connections.iter().filter(|armed| !armed.rule.is_refusal()) {
            let chosen = if armed.is_in_force(now) { armed.decide(None) } else { None };
            if let Some(chosen) = chosen
                && !plan.iter().any(|other| other.rule().at == armed.rule.at)
            {
                plan.push(chosen);
            }
        }
        plan
    }

    /// Spans of time in which nobody listens, each with its rule.
    pub(crate) fn refusals(&self) -> impl Iterator<Item = &Arc<Armed<ConnectionRule>>> {
        self.connections.iter().filter(|armed| armed.rule.is_refusal())
    }

    /// The names of all rules.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        let connections = self.connections.iter().map(|armed| armed.rule.name.as_str());
        connections.chain(self.calls.iter().map(|armed| armed.rule.name.as_str()))
    }
}

impl<R> Armed<R> {
    /// Notes that the fault was done.
    pub(crate) fn note_fired(&self) {
        self.fired.fetch_add(1, Ordering::Relaxed);
    }
}

impl ConnectionRule {
    fn is_refusal(&self) -> bool {
        matches!(self.fault, super::kinds::ConnectionFault::Refuse {})
    }
}

impl Operation {
    /// The one path that is meant, with its leading slash.
    fn exact_path(&self) -> Option<String> {
        let (slash, glob) = match self {
            Self::Any => return None,
            Self::Rpc(glob) => ("/", glob),
            Self::Rest(_, glob) => ("", glob),
        };
        let text = glob.as_str();
        let plain = !text.contains(['*', '?', '[', ']', '{', '}', '\\']);
        plain.then(|| format!("{slash}{text}"))
    }
}

/// A decision for a test: this fault, here.
#[cfg(test)]
pub(crate) fn decided(fault: CallFault, at: Option<Position>) -> ChosenCall {
    let rule = CallRule {
        name: "rule".into(),
        when: Default::default(),
        often: Default::default(),
        at,
        ttl: None,
        fault,
    };
    Chosen { armed: Armed::new(rule, 7, Duration::ZERO), n: 1, key: Key::new(7, "rule", "1") }
}
