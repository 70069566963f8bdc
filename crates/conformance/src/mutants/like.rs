//! Which mutant a failing subject looks like: the one whose catchers are most like the cases that failed. Pure.

use std::collections::BTreeSet;

use super::matrix::Matrix;
use super::table;
use crate::runner::Event;
use crate::verdict::Verdict;

/// Below this part, two sets of failures have nothing to do with one another.
const LEAST: f64 = 0.2;

/// Listens to a run.
#[derive(Debug, Default)]
pub struct Like {
    ran: BTreeSet<String>,
    failed: BTreeSet<String>,
}

/// The mutant that a subject is most like.
#[derive(Debug, Clone, PartialEq)]
pub struct Nearest {
    /// The mutant.
    pub id: String,
    /// Its bug.
    pub bug: String,
    /// Of the cases that fail for either, the part that fails for both: 1 is the same.
    pub likeness: f64,
}

impl Like {
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

    /// The mutant that is most like what failed, by the last matrix.
    pub fn nearest(&self) -> Option<Nearest> {
        if self.failed.is_empty() {
            return None;
        }
        let (id, likeness) = self.within(&Matrix::last())?;
        let bug = table::all().into_iter().find(|mutant| mutant.id == id)?.bug.to_owned();
        Some(Nearest { id, bug, likeness })
    }

    /// By Jaccard's measure, over the cases that were run.
    fn within(&self, matrix: &Matrix) -> Option<(String, f64)> {
        let rows = matrix.mutants.iter().map(|row| {
            let caught: BTreeSet<String> = row.caught.intersection(&self.ran).cloned().collect();
            let both = caught.intersection(&self.failed).count();
            let either = caught.union(&self.failed).count();
            (row.id.clone(), both as f64 / either.max(1) as f64)
        });
        rows.max_by(|a, b| a.1.total_cmp(&b.1)).filter(|(_, likeness)| *likeness >= LEAST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mutants::Row;

    fn set(ids: &[&str]) -> BTreeSet<String> {
        ids.iter().map(|&id| id.to_owned()).collect()
    }

    fn nearest(failed: &[&str]) -> Option<(String, f64)> {
        let row = |id: &str, caught| Row { id: id.to_owned(), caught: set(caught), ..Row::default() };
        let mutants = vec![row("m", &["a"]), row("n", &["a", "b", "gone"]), row("o", &["c", "d"])];
        let like = Like { ran: set(&["a", "b", "c", "d", "e"]), failed: set(failed) };
        like.within(&Matrix { mutants, ..Matrix::default() })
    }

    #[test]
    fn the_mutant_with_the_same_failures_is_the_nearest() {
        assert_eq!(nearest(&["a", "b"]), Some(("n".to_owned(), 1.0)));
        assert_eq!(nearest(&["a"]), Some(("m".to_owned(), 1.0)));
        assert_eq!(nearest(&["d"]).map(|(id, _)| id), Some("o".to_owned()));
    }

    #[test]
    fn failures_of_another_kind_are_like_nothing() {
        assert_eq!(nearest(&["e"]), None);
    }
}
