//! The mutants, one file for each part of the contract.

mod changes;
mod commands;
mod defects;
mod downloads;
mod edit;
mod entries;
mod guards;
mod life;
mod processes;
mod signatures;
mod snapshots;
mod streams;
mod transport;
mod uploads;
mod watches;
mod wire;

use super::mutant::Mutant;

/// The tables, in the order in which they are listed.
const TABLES: &[&[Mutant]] = &[
    streams::MUTANTS,
    commands::MUTANTS,
    processes::MUTANTS,
    life::MUTANTS,
    uploads::MUTANTS,
    signatures::MUTANTS,
    downloads::MUTANTS,
    entries::MUTANTS,
    changes::MUTANTS,
    watches::MUTANTS,
    wire::MUTANTS,
    transport::MUTANTS,
    guards::MUTANTS,
    snapshots::MUTANTS,
];

/// Every mutant, in the order in which they are listed.
pub fn all() -> Vec<Mutant> {
    TABLES.concat().into_iter().chain(defects::mutants()).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::Change;

    #[test]
    fn every_mutant_says_its_bug_and_is_there_once() {
        let (mut ids, mut bugs) = (BTreeSet::new(), BTreeSet::new());
        for mutant in all() {
            assert!(ids.insert(mutant.id), "{} is there twice", mutant.id);
            assert!(bugs.insert(mutant.bug), "{} has the bug of another one", mutant.id);
            assert_eq!(mutant.id.split('/').count(), 2, "{}", mutant.id);
            assert!(
                !mutant.bug.is_empty() && !mutant.bug.contains(['|', '\n']) && !mutant.bug.ends_with('.'),
                "{}: {:?}",
                mutant.id,
                mutant.bug
            );
        }
    }

    #[test]
    fn every_fault_is_a_rule_of_a_script() {
        for mutant in all() {
            if let Change::Fault(rule) = mutant.change {
                assert!(rule.parse::<envd_mock::fault::CallRule>().is_ok(), "{}: {rule}", mutant.id);
            }
        }
    }
}
