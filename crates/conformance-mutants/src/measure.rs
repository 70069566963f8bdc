//! What follows from a kill matrix: survivors, idle cases, and whether it is up to date. Runs nothing.

use std::collections::BTreeSet;

use conformance::case::Case;
use conformance::matrix::{Matrix, Row};
use sha2::{Digest as _, Sha256};

use super::mutant::Mutant;
use super::smoke::{SMOKE, cover};

/// A mutant is subtle if fewer than one in this many cases notice it.
const SUBTLE: usize = 20;
/// The wire generation of the mutants.
const GENERATION: u8 = 2;

/// The cases that are run against mutants.
pub fn measured(all: &[Case]) -> Vec<Case> {
    let fits = |case: &&Case| case.generations.is_empty() || case.generations.contains(&GENERATION);
    all.iter().filter(fits).copied().collect()
}

/// A hash of the ids of everything that is measured, independent of their order.
pub fn fingerprint(cases: &[Case], mutants: &[Mutant]) -> String {
    let ids = cases.iter().map(|case| format!("case {}\n", case.id));
    let ids: BTreeSet<String> =
        ids.chain(mutants.iter().map(|mutant| format!("mutant {}\n", mutant.id))).collect();
    let digest = Sha256::digest(ids.into_iter().collect::<String>());
    digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// Mutants for which no case fails.
pub fn survivors(matrix: &Matrix) -> Vec<&str> {
    ids(matrix, |row| row.caught.is_empty() && row.late.is_empty())
}

/// Mutants for which cases fail, but only by a timeout.
pub fn only_late(matrix: &Matrix) -> Vec<&str> {
    ids(matrix, |row| row.caught.is_empty() && !row.late.is_empty())
}

fn ids(matrix: &Matrix, which: impl Fn(&Row) -> bool) -> Vec<&str> {
    matrix.mutants.iter().filter(|row| which(row)).map(|row| row.id.as_str()).collect()
}

/// Whether `mutant` is caught only by cases that `left_out` selects.
pub fn needs(matrix: &Matrix, mutant: &Mutant, cases: &[Case], left_out: impl Fn(&Case) -> bool) -> bool {
    let row = matrix.mutants.iter().find(|row| row.id == mutant.id);
    let is_left_out = |id: &String| cases.iter().any(|case| case.id == id && left_out(case));
    row.is_some_and(|row| !row.caught.is_empty() && row.caught.iter().chain(&row.late).all(is_left_out))
}

/// How many mutants are caught, but noticed by fewer than 5 percent of the cases.
pub fn subtle(matrix: &Matrix) -> usize {
    let is_subtle = |row: &&Row| !row.caught.is_empty() && row.noticed * SUBTLE < matrix.cases;
    matrix.mutants.iter().filter(is_subtle).count()
}

/// Cases that catch no mutant although they are not marked as plain smoke cases.
pub fn idle(matrix: &Matrix, cases: &[Case]) -> Vec<&'static str> {
    let killers: BTreeSet<&str> =
        matrix.mutants.iter().flat_map(|row| &row.caught).map(String::as_str).collect();
    // Bulk cases are run against few mutants.
    let idle = |case: &&Case| !case.smoke && !case.bulk && !killers.contains(case.id);
    cases.iter().filter(idle).map(|case| case.id).collect()
}

/// Inserts or replaces a row.
pub fn put(matrix: &mut Matrix, row: Row) {
    match matrix.mutants.iter_mut().find(|known| known.id == row.id) {
        Some(known) => *known = row,
        None => matrix.mutants.push(row),
    }
}

/// Drops cases and mutants that no longer exist, orders the rest as they are listed, and selects the smoke cases.
pub fn tidy(matrix: &mut Matrix, cases: &[Case], mutants: &[Mutant]) {
    let exists = |id: &String| cases.iter().any(|case| case.id == id);
    let place = |row: &Row| mutants.iter().position(|mutant| mutant.id == row.id);
    matrix.mutants.retain(|row| place(row).is_some());
    matrix.mutants.sort_by_key(place);
    for row in &mut matrix.mutants {
        row.caught.retain(exists);
        row.late.retain(exists);
        if let Some(mutant) = mutants.iter().find(|mutant| mutant.id == row.id) {
            row.bug = mutant.bug.to_owned();
        }
    }
    matrix.slow.retain(exists);
    matrix.cases = cases.len();
    matrix.fingerprint = fingerprint(cases, mutants);
    matrix.smoke = cover(matrix, cases, SMOKE).iter().map(|case| case.id.to_owned()).collect();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: &str, caught: &[&str]) -> Row {
        let caught: BTreeSet<String> = caught.iter().map(|&id| id.to_owned()).collect();
        Row { id: id.to_owned(), noticed: caught.len(), caught, ..Row::default() }
    }

    #[test]
    fn a_new_row_replaces_the_old_one() {
        let mut matrix = Matrix { mutants: vec![row("m", &["a", "b"])], ..Matrix::default() };
        put(&mut matrix, row("m", &["c"]));
        put(&mut matrix, row("n", &[]));
        assert_eq!(matrix.mutants, [row("m", &["c"]), row("n", &[])]);
    }

    #[test]
    fn a_mutant_that_many_cases_notice_is_not_subtle() {
        let mut matrix = Matrix { cases: 41, mutants: vec![row("m", &["a", "b"])], ..Matrix::default() };
        assert_eq!((subtle(&matrix), survivors(&matrix).len()), (1, 0));
        matrix.mutants[0].noticed = 3;
        assert_eq!(subtle(&matrix), 0);
        assert_eq!(survivors(&Matrix { mutants: vec![row("m", &[])], ..matrix }), ["m"]);
    }

    #[test]
    fn a_mutant_needs_the_cases_that_alone_catch_it() {
        let cases = ["a", "b"].map(|id| Case { id, bulk: id == "a", ..Case::BASE });
        let mutant = Mutant { id: "m", bug: "", change: crate::Change::Nothing };
        let needs_bulk = |caught: &[&str]| {
            let matrix = Matrix { mutants: vec![row("m", caught)], ..Matrix::default() };
            needs(&matrix, &mutant, &cases, |case| case.bulk)
        };
        assert_eq!((needs_bulk(&["a"]), needs_bulk(&["a", "b"]), needs_bulk(&[])), (true, false, false));
    }

    #[test]
    fn tidying_drops_what_no_longer_exists() {
        let cases = ["a"].map(|id| Case { id, ..Case::BASE });
        let mutants = [Mutant { id: "m", bug: "bug", change: crate::Change::Nothing }];
        let mut matrix =
            Matrix { mutants: vec![row("gone", &["a"]), row("m", &["a", "gone"])], ..Matrix::default() };
        tidy(&mut matrix, &cases, &mutants);
        assert_eq!(matrix.mutants, [Row { bug: "bug".into(), noticed: 2, ..row("m", &["a"]) }]);
        assert_eq!(matrix.smoke, BTreeSet::from(["a".to_owned()]));
    }
}
