//! The closest known bug: the mutant whose failure signature is most similar to the failures of a run. Pure.

use std::collections::BTreeSet;

use super::Matrix;
use crate::runner::Event;
use crate::verdict::Verdict;

/// Two sets of failures below this similarity are unrelated.
const LEAST: f64 = 0.2;

/// Collects the failures of a run.
#[derive(Debug, Default)]
pub struct NearestMutant {
    ran: BTreeSet<String>,
    failed: BTreeSet<String>,
}

/// The closest known bug.
#[derive(Debug, Clone, PartialEq)]
pub struct Nearest {
    /// The mutant.
    pub id: String,
    /// Its bug.
    pub bug: String,
    /// Failures in common, as a part of the failures of either; 1 means identical failures.
    pub similarity: f64,
}

impl NearestMutant {
    /// Takes one event.
    pub fn event(&mut self, event: &Event) {
        let Event::Finished(outcome) = event else { return };
        let id = outcome.case.id.to_owned();
        match outcome.verdict {
            Verdict::Pass => drop(self.ran.insert(id)),
            Verdict::Fail(_) => drop((self.ran.insert(id.clone()), self.failed.insert(id))),
            _ => {}
        }
    }

    /// The mutant with the most similar failures; none if nothing failed or nothing is similar.
    pub fn nearest(&self) -> Option<Nearest> {
        if self.failed.is_empty() {
            return None;
        }
        self.within(&Matrix::checked_in())
    }

    /// By the Jaccard index, over the cases that were run.
    fn within(&self, matrix: &Matrix) -> Option<Nearest> {
        let rows = matrix.mutants.iter().map(|row| {
            let caught: BTreeSet<String> = row.caught.intersection(&self.ran).cloned().collect();
            let both = caught.intersection(&self.failed).count();
            let either = caught.union(&self.failed).count();
            (row, both as f64 / either.max(1) as f64)
        });
        let (row, similarity) =
            rows.max_by(|a, b| a.1.total_cmp(&b.1)).filter(|(_, similarity)| *similarity >= LEAST)?;
        Some(Nearest { id: row.id.clone(), bug: row.bug.clone(), similarity })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matrix::Row;

    fn set(ids: &[&str]) -> BTreeSet<String> {
        ids.iter().map(|&id| id.to_owned()).collect()
    }

    fn nearest(failed: &[&str]) -> Option<(String, f64)> {
        let row = |id: &str, caught| Row { id: id.to_owned(), caught: set(caught), ..Row::default() };
        let mutants = vec![row("m", &["a"]), row("n", &["a", "b", "gone"]), row("o", &["c", "d"])];
        let run = NearestMutant { ran: set(&["a", "b", "c", "d", "e"]), failed: set(failed) };
        run.within(&Matrix { mutants, ..Matrix::default() }).map(|nearest| (nearest.id, nearest.similarity))
    }

    #[test]
    fn the_mutant_with_the_same_failures_is_the_nearest() {
        assert_eq!(nearest(&["a", "b"]), Some(("n".to_owned(), 1.0)));
        assert_eq!(nearest(&["a"]), Some(("m".to_owned(), 1.0)));
        assert_eq!(nearest(&["d"]).map(|(id, _)| id), Some("o".to_owned()));
    }

    #[test]
    fn unrelated_failures_have_no_nearest_mutant() {
        assert_eq!(nearest(&["e"]), None);
    }
}
