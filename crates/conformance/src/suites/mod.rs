//! The cases, one file for each part of the contract.

mod controls;
mod files;
mod filesystem;
mod helpers;
mod life;
mod process;
mod rest;
mod wire;
mod wrenn1;
mod wrenn3;

use crate::case::Case;

/// The tables, in the order in which they are listed.
const TABLES: &[&[Case]] = &[
    rest::basics::CASES,
    process::start::CASES,
    process::joins::CASES,
    process::input::CASES,
    process::config::CASES,
    process::environment::CASES,
    process::ends::CASES,
    process::output::CASES,
    process::signals::CASES,
    process::streams::CASES,
    process::stdin::CASES,
    process::terminal::CASES,
    life::init::CASES,
    files::transfer::CASES,
    files::uploads::CASES,
    files::refusals::CASES,
    files::downloads::CASES,
    files::ranges::CASES,
    files::paths::CASES,
    files::signatures::CASES,
    filesystem::calls::CASES,
    filesystem::entries::CASES,
    filesystem::changes::CASES,
    filesystem::listings::CASES,
    filesystem::watches::CASES,
    filesystem::trees::CASES,
    filesystem::streams::CASES,
    wire::messages::CASES,
    wire::envelopes::CASES,
    wire::encodings::CASES,
    wire::forms::CASES,
    wire::json::CASES,
    wire::http1::CASES,
    wire::http2::CASES,
    wire::grpc::CASES,
    life::gates::CASES,
    life::stamps::CASES,
    life::identity::CASES,
    life::token::CASES,
    life::preload::CASES,
    life::snapshot::CASES,
    life::across::CASES,
    rest::routes::CASES,
    rest::browsers::CASES,
    wrenn1::CASES,
    wrenn3::routes::CASES,
    wrenn3::puts::CASES,
    wrenn3::volumes::CASES,
    wrenn3::replay::CASES,
    wrenn3::commands::CASES,
    wrenn3::environment::CASES,
];

/// Every case, in the order in which they are listed.
pub fn all() -> Vec<Case> {
    TABLES.concat()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_case_says_all_of_itself_and_is_there_once() {
        let mut known = BTreeSet::new();
        for case in all() {
            assert!(known.insert(case.id), "{} is there twice", case.id);
            assert_eq!(case.id.split('/').count(), 3, "{}", case.id);
            for text in [case.source, case.requirement, case.why] {
                assert!(!text.is_empty() && !text.ends_with('.'), "{}: {text:?}", case.id);
            }
        }
    }

    #[test]
    fn needs_are_cases_that_come_before() {
        let mut known = BTreeSet::new();
        for case in all() {
            assert!(case.needs.iter().all(|need| known.contains(need)), "{} needs {:?}", case.id, case.needs);
            known.insert(case.id);
        }
    }
}
