//! Rules in force: which of them a call or a connection gets, and how often each has counted, been chosen and fired.
//! The time is told, never read.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::draw::Key;
use super::kinds::{CallFault, ConnectionFault, Place, Stage};
use super::param::Wait;
use super::position::Position;
use super::rule::{CallRule, ConnectionRule, Often};

/// What a script's rules are, as far as counting goes.
pub(crate) trait Rule {
    fn name(&self) -> &str;
    fn often(&self) -> &Often;
    fn at(&self) -> Option<Position>;
    fn ttl(&self) -> Option<Duration>;
    /// The wait that its fault draws.
    fn wait(&self) -> Option<&Wait>;

    /// Whether anything about it is drawn, so that the coordinates of what it meets count.
    fn draws(&self) -> bool {
        self.often().probability.is_some() || self.wait().is_some_and(|wait| !matches!(wait, Wait::Fixed(_)))
    }

    /// Whether it is in force for a part of the time alone.
    fn is_timed(&self) -> bool {
        let often = self.often();
        often.after.is_some() || often.until.is_some() || self.ttl().is_some()
    }
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

    fn wait(&self) -> Option<&Wait> {
        match &self.fault {
            CallFault::Delay { time } | CallFault::StartLate { time } => Some(time),
            _ => None,
        }
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

    fn wait(&self) -> Option<&Wait> {
        match &self.fault {
            ConnectionFault::Delay { time } | ConnectionFault::SlowClose { time } => Some(time),
            _ => None,
        }
    }
}

/// A rule that is in force, with its counts.
#[derive(Debug)]
pub(crate) struct Armed<R> {
    pub(crate) rule: R,
    seed: u64,
    since: Duration,
    meter: Arc<Meter>,
    /// What the meter said when the rule was armed.
    base: u64,
    drawn: AtomicU64,
    chosen: AtomicU64,
    fired: AtomicU64,
}

/// Counts those that meet all conditions but how often, for all rules with the same conditions.
#[derive(Debug)]
pub(super) struct Meter {
    /// No other meter has it.
    number: u64,
    count: AtomicU64,
}

impl Default for Meter {
    fn default() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self { number: NEXT.fetch_add(1, Ordering::Relaxed), count: AtomicU64::new(0) }
    }
}

impl Meter {
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Counts one more; how many there have been.
    pub(super) fn count(&self) -> u64 {
        self.count.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(super) fn reading(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }
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
    pub(super) fn new(rule: R, seed: u64, since: Duration) -> Arc<Self> {
        Self::with_meter(rule, seed, since, Arc::default())
    }

    /// From what the meter says now.
    pub(super) fn with_meter(rule: R, seed: u64, since: Duration, meter: Arc<Meter>) -> Arc<Self> {
        let zero = AtomicU64::default;
        let (base, drawn, chosen, fired) = (meter.reading(), zero(), zero(), zero());
        Arc::new(Self { rule, seed, since, meter, base, drawn, chosen, fired })
    }

    pub(super) fn meter(&self) -> &Arc<Meter> {
        &self.meter
    }

    /// What the meter said when the rule was armed.
    pub(super) fn base(&self) -> u64 {
        self.base
    }

    pub(crate) fn counts(&self) -> Counts {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Counts {
            met: self.meter.reading() - self.base,
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

    pub(crate) fn is_in_force(&self, now: Duration) -> bool {
        let often = self.rule.often();
        let age = now.saturating_sub(self.since);
        let ends = self.rule.ttl().into_iter().chain(often.until).min();
        often.after.is_none_or(|after| age >= after) && ends.is_none_or(|end| age < end)
    }

    /// Decides on one that meets the conditions, the `reading`th of the meter; `named` is how often its name has been met.
    pub(super) fn decide(self: &Arc<Self>, reading: u64, named: Option<(&str, u64)>) -> Option<Chosen<R>> {
        let often = self.rule.often();
        let n = reading - self.base;
        let counted = often.nth.is_none_or(|nth| nth.covers(n))
            && often.every.is_none_or(|every| n.is_multiple_of(every))
            && (!self.is_spent() || self.rule.draws() || self.draws_each_time());
        if !counted {
            return None;
        }
        let coordinate = named.map_or_else(|| n.to_string(), |(name, count)| format!("{name}/{count}"));
        let key = Key::new(self.seed, self.rule.name(), &coordinate);
        let chosen = Chosen { armed: Arc::clone(self), n, key };
        let at_once = self.draws_each_time() || (chosen.is_drawn("call") && self.take_one());
        at_once.then_some(chosen)
    }

    /// A position that may be met more than once is drawn at each.
    fn draws_each_time(&self) -> bool {
        matches!(self.rule.at(), Some(Position::DownEnvelope(which, _) | Position::UpEnvelope(which, _)) if which.is_many())
    }

    /// Whether it has been chosen as often as it may be.
    fn is_spent(&self) -> bool {
        self.rule.often().times.is_some_and(|most| self.chosen.load(Ordering::Relaxed) >= most)
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
pub(super) enum Slot {
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

    pub(super) fn slot(&self) -> Slot {
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

impl<R> Armed<R> {
    /// Notes that it was chosen without having been asked.
    pub(super) fn note_chosen(&self) {
        self.meter.count();
        self.chosen.fetch_add(1, Ordering::Relaxed);
    }

    /// Notes that the fault was done.
    pub(crate) fn note_fired(&self) {
        self.fired.fetch_add(1, Ordering::Relaxed);
    }
}

impl ConnectionRule {
    pub(crate) fn is_refusal(&self) -> bool {
        matches!(self.fault, ConnectionFault::Refuse {})
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
