//! Selects the smoke cases: a small set of cases that catches most mutants, found greedily. Pure.

use std::collections::BTreeSet;

use conformance::case::Case;
use conformance::matrix::Matrix;

/// The percentage of mutants that a smoke run catches.
pub const SMOKE: usize = 95;

/// A small set of cases that catches `percent` of the mutants, without slow cases, in the order of `cases`.
pub fn cover(matrix: &Matrix, cases: &[Case], percent: usize) -> Vec<Case> {
    let quick: Vec<&Case> = cases.iter().filter(|case| !matrix.slow.contains(case.id)).collect();
    let caught_by = |case: &Case| -> BTreeSet<usize> {
        let rows = matrix.mutants.iter().enumerate();
        rows.filter(|(_, row)| row.caught.contains(case.id)).map(|(at, _)| at).collect()
    };
    let kills: Vec<BTreeSet<usize>> = quick.iter().map(|case| caught_by(case)).collect();
    let enough = (matrix.mutants.len() * percent).div_ceil(100);
    let (mut covered, mut chosen) = (BTreeSet::new(), BTreeSet::new());
    while covered.len() < enough {
        let gain = |at: &usize| (kills[*at].difference(&covered).count(), std::cmp::Reverse(*at));
        let Some(best) = (0..quick.len()).max_by_key(gain).filter(|at| gain(at).0 > 0) else { break };
        covered.extend(&kills[best]);
        chosen.insert(best);
    }
    chosen.into_iter().map(|at| *quick[at]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use conformance::matrix::Row;

    fn matrix(slow: &[&str]) -> Matrix {
        let owned = |ids: &[&str]| ids.iter().map(|&id| id.to_owned()).collect::<BTreeSet<_>>();
        let row = |caught: &[&str]| Row { caught: owned(caught), ..Row::default() };
        let mutants = vec![row(&["a", "c"]), row(&["b", "c"]), row(&["b"]), row(&[])];
        Matrix { mutants, slow: owned(slow), ..Matrix::default() }
    }

    fn ids(slow: &[&str], percent: usize) -> Vec<&'static str> {
        let cases = ["a", "b", "c"].map(|id| Case { id, ..Case::BASE });
        cover(&matrix(slow), &cases, percent).iter().map(|case| case.id).collect()
    }

    #[test]
    fn the_greedy_selection_catches_enough() {
        assert_eq!(ids(&[], 100), ["a", "b"]);
        assert_eq!(ids(&[], 50), ["b"]);
    }

    #[test]
    fn slow_cases_are_left_out() {
        assert_eq!(ids(&["b"], 100), ["c"]);
    }
}
