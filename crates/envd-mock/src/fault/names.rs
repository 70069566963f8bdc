//! The names of rules: the default ones, and that no two of a script are the same.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use super::node::Problem;

use super::rule::Script;
use super::write::Rule;

/// A name that was given twice.
#[derive(Debug)]
pub(crate) struct Twice {
    /// Of the later rule, connections before calls.
    pub(crate) index: usize,
    name: String,
}

impl Twice {
    /// As a problem with that rule's name, which stands at `at`.
    pub(crate) fn problem(self, at: Range<usize>) -> Problem {
        let got = format!("{:?} for the second time", self.name);
        Problem::new(
            at,
            "a name of its own for each rule",
            got,
            format!("name = {:?}", format!("{} again", self.name)),
        )
    }
}

/// Gives a rule without a name its default one.
pub(crate) fn fill<R: Rule>(rule: &mut R) {
    if rule.name().is_empty() {
        *rule.name() = rule.default_name();
    }
}

/// Numbers default names that are the same: the second is `NAME (2)`. Given names are left as they are and must differ.
pub(crate) fn settle(script: &mut Script) -> Result<(), Twice> {
    let mut taken = HashSet::new();
    let mut defaults = Vec::new();
    let connections = script.connections.iter_mut().map(|rule| rule as &mut dyn Rule);
    let calls = script.calls.iter_mut().map(|rule| rule as &mut dyn Rule);
    for (index, rule) in connections.chain(calls).enumerate() {
        let default = rule.default_name();
        let name = rule.name();
        if name.is_empty() {
            name.clone_from(&default);
        }
        if is_default(name, &default) {
            defaults.push((name, default));
        } else if !taken.insert(name.clone()) {
            return Err(Twice { index, name: name.clone() });
        }
    }
    let mut numbers = HashMap::new();
    for (name, default) in defaults {
        while !taken.insert(name.clone()) {
            let number = numbers.entry(default.clone()).and_modify(|number| *number += 1).or_insert(1u64);
            *name = if *number == 1 { default.clone() } else { format!("{default} ({number})") };
        }
    }
    Ok(())
}

/// Whether `name` is `default`, or `default` with a number.
fn is_default(name: &str, default: &str) -> bool {
    let Some(rest) = name.strip_prefix(default) else { return false };
    let number = rest.strip_prefix(" (").and_then(|rest| rest.strip_suffix(')'));
    rest.is_empty() || number.is_some_and(|number| number.parse::<u64>().is_ok_and(|number| number > 1))
}
