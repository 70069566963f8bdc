//! The order of a round: what waits, what may begin, and what is held back by an earlier verdict. Pure.

use std::collections::{BTreeMap, BTreeSet};

use crate::case::Case;
use crate::verdict::Verdict;

/// How a needed case ended without passing.
#[derive(Debug, Clone)]
pub(super) enum Unmet {
    /// It failed or could not tell.
    Failed {
        /// As the file of known failures says.
        known: Option<String>,
    },
    /// The subject lacks what it needs.
    Unsupported,
    /// It was not run.
    Skipped,
}

/// The cases of one round.
#[derive(Debug, Default)]
pub(super) struct Queue {
    all: Vec<Case>,
    waiting: Vec<Case>,
    unsettled: BTreeSet<&'static str>,
    unmet: BTreeMap<&'static str, Unmet>,
}

impl Queue {
    /// All of them, in the order given or in one drawn from `seed`.
    pub(super) fn new(cases: &[Case], seed: Option<u64>) -> Self {
        let mut waiting = cases.to_vec();
        if let Some(seed) = seed {
            shuffle(&mut waiting, seed);
        }
        let unsettled = cases.iter().map(|case| case.id).collect();
        Self { all: cases.to_vec(), unsettled, waiting, unmet: BTreeMap::new() }
    }

    /// Takes the first case whose needs are all settled; needs outside the selection do not count.
    pub(super) fn next(&mut self) -> Option<Case> {
        let ready = |case: &Case| case.needs.iter().all(|need| !self.unsettled.contains(need));
        let at = self.waiting.iter().position(ready)?;
        Some(self.waiting.remove(at))
    }

    /// Whether a case that still waits needs `id`.
    pub(super) fn waits_for(&self, id: &str) -> bool {
        self.waiting.iter().any(|case| case.needs.contains(&id))
    }

    /// What holds `case` back, if something it needs did not pass.
    pub(super) fn held_back(&self, case: &Case) -> Option<(Verdict, Option<String>)> {
        let (need, unmet) = case.needs.iter().find_map(|need| Some((*need, self.unmet.get(need)?)))?;
        Some(match unmet {
            Unmet::Failed { known } => (Verdict::Blocked(need), known.clone()),
            Unmet::Unsupported => {
                (Verdict::Unsupported(format!("{need}, which it needs, is unsupported")), None)
            }
            Unmet::Skipped => (Verdict::Skip(format!("{need}, which it needs, was not run")), None),
        })
    }

    /// A case has its verdict.
    pub(super) fn settle(&mut self, id: &'static str, unmet: Option<Unmet>) {
        self.unsettled.remove(id);
        if let Some(unmet) = unmet {
            self.unmet.insert(id, unmet);
        }
    }

    /// Everything without a verdict, waiting or begun; nothing waits any more.
    pub(super) fn abandon(&mut self) -> Vec<Case> {
        self.waiting.clear();
        self.all.iter().filter(|case| self.unsettled.contains(case.id)).copied().collect()
    }
}

/// Fisher and Yates, from SplitMix64.
fn shuffle(cases: &mut [Case], mut state: u64) {
    let mut draw = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    };
    for last in (1..cases.len()).rev() {
        let at = draw() % (last as u64 + 1);
        cases.swap(last, usize::try_from(at).unwrap_or(0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(id: &'static str, needs: &'static [&'static str]) -> Case {
        Case { id, needs, ..Case::BASE }
    }

    fn order(seed: Option<u64>) -> Vec<&'static str> {
        let cases = [case("a", &[]), case("b", &[]), case("c", &["a"]), case("d", &["gone"]), case("e", &[])];
        let mut queue = Queue::new(&cases, seed);
        let mut out = Vec::new();
        while let Some(case) = queue.next() {
            queue.settle(case.id, None);
            out.push(case.id);
        }
        out
    }

    #[test]
    fn a_seed_draws_an_order_that_keeps_needs_first() {
        assert_eq!(order(None), ["a", "b", "c", "d", "e"]);
        assert_eq!(order(Some(7)), order(Some(7)));
        let orders: BTreeSet<_> = (0..20).map(|seed| order(Some(seed))).collect();
        assert!(orders.len() > 5, "{orders:?}");
        for order in orders {
            let at = |id| order.iter().position(|known| *known == id);
            assert!(at("a") < at("c"), "{order:?}");
        }
    }

    #[test]
    fn a_case_waits_until_its_need_is_settled_and_is_held_back_if_it_failed() {
        let mut queue = Queue::new(&[case("a", &[]), case("b", &["a"])], None);
        assert_eq!(queue.next().map(|case| case.id), Some("a"));
        assert!(queue.next().is_none() && queue.waits_for("a"));
        queue.settle("a", Some(Unmet::Failed { known: None }));
        let b = queue.next().unwrap();
        assert_eq!(queue.held_back(&b), Some((Verdict::Blocked("a"), None)));
    }
}
