//! The suite proves that it can fail: the checked-in kill matrix is of these cases and mutants and says that all are
//! caught, and mutants are caught now as it says. The whole of it is measured by `just matrix`.

use std::sync::Arc;

use conformance::mutants::{self, Change, Hunt, Matrix, Mutated};
use conformance::subject::{Embedded, Subjects as _};
use conformance::suites;
use conformance::verdict::Verdict;

use crate::mock::outcomes;

#[test]
fn the_matrix_is_of_the_cases_and_mutants_that_there_are() {
    let now = mutants::fingerprint(&mutants::measured(&suites::all()), &mutants::all());
    assert_eq!(Matrix::last().fingerprint, now, "`just matrix` measures it anew");
}

#[test]
fn all_mutants_are_caught_and_sixty_of_them_by_few_cases() {
    let matrix = Matrix::last();
    assert_eq!(matrix.survivors(), Vec::<&str>::new());
    assert!(matrix.mutants.len() >= 100 && matrix.subtle() >= 60, "{}", matrix.subtle());
}

#[test]
fn the_readme_tells_the_number() {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../README.md")).unwrap();
    let matrix = Matrix::last();
    let (all, survivors) = (matrix.mutants.len(), matrix.survivors().len());
    let told = format!("catches {} of {all}", all - survivors);
    assert!(readme.contains(&told), "expected {told:?} in README.md");
}

#[test]
fn every_case_catches_a_mutant_or_says_that_it_is_a_plain_smoke_case() {
    let cases = mutants::measured(&suites::all());
    assert_eq!(Matrix::last().idle(&cases), Vec::<&str>::new());
}

#[test]
fn the_smoke_cases_are_few_and_catch_nearly_all() {
    let (matrix, all) = (Matrix::last(), suites::all());
    let chosen = mutants::cover(&matrix, &all, mutants::SMOKE);
    let caught = matrix.mutants.iter().filter(|row| chosen.iter().any(|case| row.caught.contains(case.id)));
    assert!(caught.count() * 100 >= matrix.mutants.len() * mutants::SMOKE);
    assert!(chosen.len() * 2 < all.len(), "{} of {}", chosen.len(), all.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mutants_of_each_kind_are_caught_as_the_matrix_says() {
    let few = ["connect/pid-plus-one", "range/ignored", "upload/mode-600", "start/held-back", "preload/lies"];
    let chosen: Vec<_> = mutants::all().into_iter().filter(|mutant| few.contains(&mutant.id)).collect();
    assert_eq!(chosen.len(), few.len());
    let hunt = Hunt::blind(&mutants::measured(&suites::all()), 2);
    for first in hunt.first(&chosen, &Matrix::last(), |_| {}).await {
        assert!(first.by.is_some() && first.tried <= 3, "{first:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_proxy_alone_is_not_caught() {
    let chosen = mutants::cover(&Matrix::last(), &suites::all(), mutants::SMOKE);
    let ids: Vec<_> = chosen.iter().map(|case| case.id).collect();
    for outcome in outcomes(Arc::new(Mutated::by(Change::Nothing)), &ids).await {
        let unfit = Embedded.unfit(&outcome.case).is_some();
        assert!(unfit || outcome.verdict == Verdict::Pass, "{}: {:?}", outcome.case.id, outcome.verdict);
    }
}
