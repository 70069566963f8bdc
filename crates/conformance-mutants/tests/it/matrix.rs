//! The suite can fail: the checked-in kill matrix covers the existing cases and mutants, all mutants are caught, and a few of
//! them are caught now. `just matrix` measures all of it.

use std::sync::Arc;

use conformance::case::Case;
use conformance::matrix::Matrix;
use conformance::profile::Claims;
use conformance::runner::Config;
use conformance::subject::{Embedded, Subjects as _};
use conformance::suites;
use conformance::verdict::Verdict;
use conformance_mutants::{self as mutants, Change, KillRun, Mutated, SMOKE};

#[test]
fn the_matrix_is_up_to_date() {
    let (matrix, cases) = (Matrix::checked_in(), mutants::measured(&suites::all()));
    assert_eq!(
        matrix.fingerprint,
        mutants::fingerprint(&cases, &mutants::all()),
        "cases or mutants have changed: run `just matrix`"
    );
    let mut tidy = matrix.clone();
    mutants::tidy(&mut tidy, &cases, &mutants::all());
    assert_eq!(
        tidy, matrix,
        "descriptions or the smoke selection have changed: run `just matrix --only ID` with the id of any mutant"
    );
}

#[test]
fn all_mutants_are_caught_and_sixty_of_them_by_few_cases() {
    let matrix = Matrix::checked_in();
    assert_eq!(mutants::survivors(&matrix), Vec::<&str>::new());
    assert!(matrix.mutants.len() >= 100 && mutants::subtle(&matrix) >= 60, "{}", mutants::subtle(&matrix));
}

#[test]
fn the_documentation_has_the_current_number() {
    let page =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/conformance.md")).unwrap();
    let matrix = Matrix::checked_in();
    let (all, survivors) = (matrix.mutants.len(), mutants::survivors(&matrix).len());
    let text = format!("catches {} of {all}", all - survivors);
    assert!(page.contains(&text), "expected {text:?} in docs/conformance.md");
}

#[test]
fn every_case_catches_a_mutant_or_is_marked_as_a_plain_smoke_case() {
    let cases = mutants::measured(&suites::all());
    assert_eq!(mutants::idle(&Matrix::checked_in(), &cases), Vec::<&str>::new());
}

#[test]
fn the_smoke_cases_are_few_and_catch_nearly_all_mutants() {
    let (matrix, all) = (Matrix::checked_in(), suites::all());
    let caught = matrix.mutants.iter().filter(|row| !row.caught.is_disjoint(&matrix.smoke));
    assert!(caught.count() * 100 >= matrix.mutants.len() * SMOKE);
    assert!(matrix.smoke.len() * 2 < all.len(), "{} of {}", matrix.smoke.len(), all.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mutants_of_each_kind_are_caught_as_the_matrix_says() {
    let ids = ["connect/pid-plus-one", "range/ignored", "upload/mode-600", "start/held-back", "preload/lies"];
    let chosen: Vec<_> = mutants::all().into_iter().filter(|mutant| ids.contains(&mutant.id)).collect();
    assert_eq!(chosen.len(), ids.len());
    let run = KillRun::unprepared(&mutants::measured(&suites::all()), 2);
    for kill in run.first_kills(&chosen, &Matrix::checked_in(), |_| {}).await {
        assert!(kill.by.is_some() && kill.tried <= 3, "{kill:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_proxy_without_a_bug_is_not_caught() {
    let matrix = Matrix::checked_in();
    let fits = |case: &Case| matrix.smoke.contains(case.id) && !case.bulk && Embedded.unfit(case).is_none();
    let cases = suites::all().into_iter().filter(fits).collect();
    let subjects = Arc::new(Mutated::by(Change::Nothing));
    let config = Config { claims: Claims::generation(2), disposable: true, ..Config::new(subjects, cases) };
    for outcome in conformance::run(config).await.outcomes {
        assert_eq!(outcome.verdict, Verdict::Pass, "{}", outcome.case.id);
    }
}
