//! The requirements of the contract, each under an id, as the requirement file lists them. Covers nothing itself: cases
//! name what they cover.

use serde::Deserialize;

use crate::case::Case;

/// One requirement.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Requirement {
    /// What cases call it.
    pub id: String,
    /// The part of the contract that it is of, such as `4.1`.
    pub section: String,
    /// must, should or may.
    pub level: String,
    /// What is required.
    pub text: String,
    /// Why no case covers it.
    #[serde(default)]
    pub untested: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    requirement: Vec<Requirement>,
}

/// Every requirement, in the order of the file.
///
/// # Errors
/// When the file is no such TOML, which a test rules out.
pub fn all() -> Result<Vec<Requirement>, toml::de::Error> {
    toml::from_str::<File>(include_str!("../requirements.toml")).map(|file| file.requirement)
}

impl Requirement {
    /// Whether one of `cases` covers it.
    pub fn covered(&self, cases: &[Case]) -> bool {
        cases.iter().any(|case| case.reqs.contains(&self.id.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::suites;

    #[test]
    fn every_requirement_is_there_once_and_says_all_of_itself() {
        let mut known = BTreeSet::new();
        for requirement in all().unwrap() {
            assert!(known.insert(requirement.id.clone()), "{} is there twice", requirement.id);
            assert!(["must", "should", "may"].contains(&requirement.level.as_str()), "{}", requirement.id);
            for text in [&requirement.section, &requirement.text] {
                assert!(!text.is_empty(), "{}", requirement.id);
            }
        }
    }

    /// The sections of the contract's parts 0 and 1 and section 10.
    const SECTIONS: [&str; 29] = [
        "0",
        "0.1",
        "0.2",
        "0.process",
        "0.filesystem",
        "1",
        "2",
        "3",
        "3.1",
        "3.2",
        "3.3",
        "3.4",
        "3.5",
        "3.6",
        "3.7",
        "3.8",
        "3.9",
        "4",
        "4.1",
        "4.2",
        "4.3",
        "4.4",
        "4.5",
        "4.6",
        "4.7",
        "4.8",
        "5",
        "6",
        "7",
    ];

    #[test]
    fn every_section_has_requirements() {
        let all = all().unwrap();
        for section in SECTIONS.into_iter().chain(["8", "9", "10"]) {
            assert!(all.iter().any(|requirement| requirement.section == section), "section {section}");
        }
        for requirement in all {
            assert!(requirement.id.starts_with(&format!("{}.", requirement.section)), "{}", requirement.id);
        }
    }

    #[test]
    fn every_requirement_is_covered_or_says_why_not() {
        let cases = suites::all();
        for requirement in all().unwrap() {
            let covered = requirement.covered(&cases);
            assert_eq!(covered, requirement.untested.is_none(), "{}: covered {covered}", requirement.id);
        }
    }

    #[test]
    fn every_case_covers_a_requirement() {
        let idle: Vec<_> =
            suites::all().iter().filter(|case| case.reqs.is_empty()).map(|case| case.id).collect();
        assert!(idle.is_empty(), "{idle:?}");
    }

    #[test]
    fn cases_cover_only_requirements_that_there_are() {
        let known: BTreeSet<_> = all().unwrap().into_iter().map(|requirement| requirement.id).collect();
        for case in suites::all() {
            let unknown = case.reqs.iter().find(|req| !known.contains(**req));
            assert_eq!(unknown, None, "{}", case.id);
        }
    }
}
