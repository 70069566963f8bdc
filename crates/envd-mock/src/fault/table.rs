//! All rules of a mock, found fast: by what a call names, and never one by one. Rules with the same conditions are counted
//! together, and one more rule costs the same however many there are.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use super::armed::{Armed, ChosenCall, ChosenConnection, Meter, Rule as _};
use super::buckets::Buckets;
use super::index::Ids;
use super::matcher::{Call, Head, conditions_met};
use super::replay::Replay;
use super::rule::{CallRule, ConnectionRule, Nth, Script};

/// The rules in force. More may be added while calls are decided on.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    table: RwLock<Table>,
    names: Mutex<CallNames>,
    /// Decisions that were recorded, made before any rule is asked.
    replay: Option<Arc<Replay>>,
}

/// A rule that was taken away.
#[derive(Debug)]
pub(crate) enum Removed {
    Connection(Arc<Armed<ConnectionRule>>),
    Call(Arc<Armed<CallRule>>),
}

#[derive(Debug, Default)]
struct Table {
    /// Places of rules that were taken away are empty.
    connections: Vec<Option<Arc<Armed<ConnectionRule>>>>,
    calls: Vec<Option<Arc<Armed<CallRule>>>>,
    groups: Vec<Group>,
    buckets: Buckets,
    /// By a hash of their conditions: groups that a rule with these conditions may join.
    open: HashMap<u64, u32>,
    /// Where each rule is, by its name; made when it is first needed.
    names: Option<HashMap<Box<str>, Place>>,
    /// Rules that were taken away and still have a place.
    gone: usize,
}

#[derive(Debug, Clone, Copy)]
enum Place {
    Connection(usize),
    Call(usize),
}

/// Rules of calls with the same conditions, by their indices.
#[derive(Debug)]
struct Group {
    /// One of them, even if it has been taken away.
    first: Arc<Armed<CallRule>>,
    meter: Arc<Meter>,
    /// Names the group in the counts of calls with a name.
    number: u64,
    /// Whether any of them draws.
    draws: bool,
    /// Those that may be chosen at any ordinal.
    any: Ids,
    /// Those for one reading of the meter.
    only: Option<HashMap<u64, Ids>>,
    /// Those for some readings of the meter, from the first to the last.
    spans: Vec<(u64, u64, u32)>,
}

impl Rules {
    /// Arms a script at a time.
    pub(crate) fn arm(script: Script, now: Duration) -> Self {
        let rules = Self::default();
        rules.write().extend(script, now);
        rules
    }

    /// Makes recorded decisions before any rule is asked.
    pub(crate) fn with_replay(mut self, replay: Option<Arc<Replay>>) -> Self {
        self.replay = replay;
        self
    }

    /// Decisions that were recorded.
    pub(crate) fn replay(&self) -> Option<&Arc<Replay>> {
        self.replay.as_ref()
    }

    /// Adds rules behind those that there are; gives back those of connections.
    ///
    /// # Errors
    /// The first name that there is already, and then nothing is added.
    pub(crate) fn add(
        &self,
        script: Script,
        now: Duration,
    ) -> Result<Vec<Arc<Armed<ConnectionRule>>>, String> {
        let mut table = self.write();
        table.check_names(&script)?;
        let from = table.connections.len();
        table.extend(script, now);
        Ok(table.connections[from..].iter().flatten().cloned().collect())
    }

    /// Takes the rule of this name away.
    pub(crate) fn remove(&self, name: &str) -> Option<Removed> {
        self.write().remove(name)
    }

    /// Whether a decision about the call needs its first message.
    pub(crate) fn need_message(&self, head: &dyn Head, now: Duration) -> bool {
        let table = self.read();
        let mut needed = false;
        table.buckets.visit_operations(head, &mut |bucket| {
            let mut groups = bucket.about_messages(head).map(|group| &table.groups[group as usize]);
            needed = needed || groups.any(|group| table.is_in_force(group, now));
        });
        needed
    }

    /// What goes wrong with a call: for each slot the first rule that matches.
    pub(crate) fn decide(&self, call: &Call<'_>, now: Duration) -> Vec<ChosenCall> {
        let mut plan = self.replay.as_ref().map(|replay| replay.decide(call)).unwrap_or_default();
        let mut chosen = self.choose(call, now);
        chosen.sort_by_key(|(index, _)| *index);
        for (_, chosen) in chosen {
            if !plan.iter().any(|other| other.rule().slot() == chosen.rule().slot()) {
                plan.push(chosen);
            }
        }
        plan
    }

    /// Every rule that matches, with its index.
    fn choose(&self, call: &Call<'_>, now: Duration) -> Vec<(u32, ChosenCall)> {
        let table = self.read();
        let mut chosen = Vec::new();
        table.buckets.visit_operations(call.head, &mut |bucket| {
            bucket.visit(call, &mut |group| {
                let group = &table.groups[group as usize];
                if table.is_in_force(group, now) && conditions_met(&group.first.rule.when, call) {
                    self.meet(&table, group, call.name, &mut chosen);
                }
            });
        });
        chosen
    }

    /// Counts a call that meets the conditions of a group, and decides on it.
    fn meet(&self, table: &Table, group: &Group, name: Option<&str>, chosen: &mut Vec<(u32, ChosenCall)>) {
        let reading = group.meter.count();
        let named = name.filter(|_| group.draws).map(|name| {
            let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
            (name, names.count(group.number, name))
        });
        let mut decide = |index: u32| {
            let armed = table.calls[index as usize].as_ref();
            let one = armed.and_then(|armed| armed.decide(reading, named));
            chosen.extend(one.map(|one| (index, one)));
        };
        group.any.as_slice().iter().for_each(|index| decide(*index));
        let only = group.only.as_ref().and_then(|only| only.get(&reading));
        only.into_iter().flat_map(Ids::as_slice).for_each(|index| decide(*index));
        let spans = group.spans.iter().filter(|(first, last, _)| (*first..=*last).contains(&reading));
        spans.for_each(|(.., index)| decide(*index));
    }

    /// What goes wrong with a connection: the first rule that matches at each position.
    pub(crate) fn decide_connection(&self, now: Duration) -> Vec<ChosenConnection> {
        let mut plan = self.replay.as_ref().map(|replay| replay.decide_connection()).unwrap_or_default();
        let table = self.read();
        for armed in table.connections.iter().flatten().filter(|armed| !armed.rule.is_refusal()) {
            let in_force = armed.is_in_force(now);
            let chosen = if in_force { armed.decide(armed.meter().count(), None) } else { None };
            if let Some(chosen) = chosen
                && !plan.iter().any(|other| other.rule().at == armed.rule.at)
            {
                plan.push(chosen);
            }
        }
        plan
    }

    /// The rules of connections, in order.
    pub(crate) fn connections(&self) -> Vec<Arc<Armed<ConnectionRule>>> {
        self.read().connections.iter().flatten().cloned().collect()
    }

    /// The rules of calls, in order.
    pub(crate) fn calls(&self) -> Vec<Arc<Armed<CallRule>>> {
        self.read().calls.iter().flatten().cloned().collect()
    }

    /// Spans of time in which nobody listens, each with its rule.
    pub(crate) fn refusals(&self) -> Vec<Arc<Armed<ConnectionRule>>> {
        let table = self.read();
        table.connections.iter().flatten().filter(|armed| armed.rule.is_refusal()).cloned().collect()
    }

    fn read(&self) -> RwLockReadGuard<'_, Table> {
        self.table.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Table> {
        self.table.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn extend(&mut self, script: Script, now: Duration) {
        let seed = script.seed;
        for rule in script.connections {
            self.put_connection(Armed::new(rule, seed, now));
        }
        for rule in script.calls {
            let hash = (!rule.is_timed()).then(|| hash_of(&rule));
            let group = hash.and_then(|hash| self.group_for(hash, &rule));
            let meter = group.map(|group| Arc::clone(&self.groups[group as usize].meter));
            let armed = Armed::with_meter(rule, seed, now, meter.unwrap_or_default());
            let group = group.unwrap_or_else(|| self.new_group(&armed));
            if let Some(hash) = hash {
                self.open.insert(hash, group);
            }
            self.put_call(armed, group);
        }
    }

    /// The group that a rule may join: the counts of what it is drawn by start when it is armed.
    fn group_for(&self, hash: u64, rule: &CallRule) -> Option<u32> {
        let index = *self.open.get(&hash)?;
        let group = &self.groups[index as usize];
        let unused = group.meter.reading() == 0;
        (group.first.rule.when == rule.when && (unused || !group.draws && !rule.draws())).then_some(index)
    }

    fn new_group(&mut self, first: &Arc<Armed<CallRule>>) -> u32 {
        let index = number(self.groups.len());
        self.groups.push(Group {
            first: Arc::clone(first),
            meter: Arc::clone(first.meter()),
            number: first.meter().number(),
            draws: false,
            any: Ids::None,
            only: None,
            spans: Vec::new(),
        });
        self.buckets.insert(index, |group| &self.groups[group as usize].first.rule.when);
        index
    }

    fn put_connection(&mut self, armed: Arc<Armed<ConnectionRule>>) {
        if let Some(names) = &mut self.names {
            names.insert(armed.rule.name.as_str().into(), Place::Connection(self.connections.len()));
        }
        self.connections.push(Some(armed));
    }

    fn put_call(&mut self, armed: Arc<Armed<CallRule>>, group: u32) {
        if let Some(names) = &mut self.names {
            names.insert(armed.rule.name.as_str().into(), Place::Call(self.calls.len()));
        }
        let (index, base, group) = (number(self.calls.len()), armed.base(), &mut self.groups[group as usize]);
        group.draws |= armed.rule.draws();
        match armed.rule.often.nth {
            None => group.any.push(index),
            Some(Nth::Only(n)) => {
                group.only.get_or_insert_default().entry(base.saturating_add(n)).or_default().push(index);
            }
            Some(Nth::Range(first, last)) => {
                group.spans.push((base.saturating_add(first), base.saturating_add(last), index));
            }
            Some(Nth::From(first)) => group.spans.push((base.saturating_add(first), u64::MAX, index)),
        }
        self.calls.push(Some(armed));
    }

    fn is_in_force(&self, group: &Group, now: Duration) -> bool {
        !group.first.rule.is_timed() || group.first.is_in_force(now)
    }

    fn names(&mut self) -> &mut HashMap<Box<str>, Place> {
        let (connections, calls) = (&self.connections, &self.calls);
        self.names.get_or_insert_with(|| {
            let connections = connections.iter().enumerate().filter_map(|(index, armed)| {
                Some((armed.as_ref()?.rule.name.as_str().into(), Place::Connection(index)))
            });
            let calls = calls.iter().enumerate().filter_map(|(index, armed)| {
                Some((armed.as_ref()?.rule.name.as_str().into(), Place::Call(index)))
            });
            connections.chain(calls).collect()
        })
    }

    fn check_names(&mut self, script: &Script) -> Result<(), String> {
        let names = self.names();
        let mut new = std::collections::HashSet::new();
        let connections = script.connections.iter().map(|rule| &rule.name);
        for name in connections.chain(script.calls.iter().map(|rule| &rule.name)) {
            if names.contains_key(name.as_str()) || !new.insert(name) {
                return Err(name.clone());
            }
        }
        Ok(())
    }

    fn remove(&mut self, name: &str) -> Option<Removed> {
        let removed = match self.names().remove(name)? {
            Place::Connection(index) => Removed::Connection(self.connections[index].take()?),
            Place::Call(index) => Removed::Call(self.calls[index].take()?),
        };
        self.gone += 1;
        if self.gone > 32 && self.gone > (self.connections.len() + self.calls.len()) / 2 {
            self.compact();
        }
        Some(removed)
    }

    /// Gives up the places of rules that were taken away; the others keep their counts.
    fn compact(&mut self) {
        let old = std::mem::take(self);
        old.connections.into_iter().flatten().for_each(|armed| self.put_connection(armed));
        let mut groups: HashMap<*const Meter, u32> = HashMap::new();
        for armed in old.calls.into_iter().flatten() {
            let group = match groups.entry(Arc::as_ptr(armed.meter())) {
                Entry::Occupied(known) => *known.get(),
                Entry::Vacant(unknown) => *unknown.insert(self.new_group(&armed)),
            };
            if !armed.rule.is_timed() {
                self.open.insert(hash_of(&armed.rule), group);
            }
            self.put_call(armed, group);
        }
    }
}

/// Of all that makes a rule count something.
fn hash_of(rule: &CallRule) -> u64 {
    let mut hasher = DefaultHasher::new();
    rule.when.hash(&mut hasher);
    hasher.finish()
}

fn number(index: usize) -> u32 {
    u32::try_from(index).expect("a script of 16 MiB has fewer rules")
}

/// How often each name of a call has been met, for the rules that draw. Bounded: the name that came first is forgotten, and
/// counted from 1 again when it comes back.
#[derive(Debug, Default)]
struct CallNames {
    counts: HashMap<(u64, u64), u64>,
    order: VecDeque<(u64, u64)>,
}

/// So many names are counted at most, each once for each set of conditions that it meets.
const MOST_NAMES: usize = 1 << 16;

impl CallNames {
    fn count(&mut self, group: u64, name: &str) -> u64 {
        // A name of any length takes the same room.
        let mut hasher = DefaultHasher::new();
        name.hash(&mut hasher);
        let key = (group, hasher.finish());
        match self.counts.entry(key) {
            Entry::Occupied(mut known) => {
                *known.get_mut() += 1;
                *known.get()
            }
            Entry::Vacant(unknown) => {
                unknown.insert(1);
                self.order.push_back(key);
                if self.order.len() > MOST_NAMES
                    && let Some(oldest) = self.order.pop_front()
                {
                    self.counts.remove(&oldest);
                }
                1
            }
        }
    }
}

#[cfg(test)]
#[path = "tests/table.rs"]
mod tests;
