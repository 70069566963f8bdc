//! Which cases run: globs over ids and tags. A pattern that matches nothing is an error, since it is never meant.

use globset::{Glob, GlobMatcher};

use crate::case::Case;

/// What `--only` and `--skip` say.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// When there are any: only what one of them matches.
    pub only: Vec<String>,
    /// Not what one of these matches.
    pub skip: Vec<String>,
}

/// Why a selection is none: the caller's mistake.
#[derive(Debug, thiserror::Error)]
pub enum BadPattern {
    /// Not a glob.
    #[error("pattern {pattern:?} is no glob: {why}")]
    NoGlob {
        /// As given.
        pattern: String,
        /// Globset's words.
        why: String,
    },
    /// A glob for nothing.
    #[error("pattern {0:?} matches no case; `envd-conformance list` shows them all")]
    Nothing(String),
    /// Nothing is left.
    #[error("nothing is left to run: every case that is wanted is skipped as well")]
    Empty,
}

impl Selection {
    /// The cases that are to run, in their order.
    ///
    /// # Errors
    /// [`BadPattern`].
    pub fn of<'a>(&self, cases: &'a [Case]) -> Result<Vec<&'a Case>, BadPattern> {
        let (only, skip) = (matchers(&self.only, cases)?, matchers(&self.skip, cases)?);
        let any = |list: &[GlobMatcher], case: &Case| list.iter().any(|glob| matches(glob, case));
        let chosen: Vec<_> = cases
            .iter()
            .filter(|case| only.is_empty() || any(&only, case))
            .filter(|case| !any(&skip, case))
            .collect();
        if chosen.is_empty() { Err(BadPattern::Empty) } else { Ok(chosen) }
    }
}

fn matchers(patterns: &[String], cases: &[Case]) -> Result<Vec<GlobMatcher>, BadPattern> {
    patterns.iter().map(|pattern| matcher(pattern, cases)).collect()
}

fn matcher(pattern: &str, cases: &[Case]) -> Result<GlobMatcher, BadPattern> {
    let no_glob =
        |why: globset::Error| BadPattern::NoGlob { pattern: pattern.to_owned(), why: why.to_string() };
    let glob = Glob::new(pattern).map_err(no_glob)?.compile_matcher();
    if cases.iter().any(|case| matches(&glob, case)) {
        Ok(glob)
    } else {
        Err(BadPattern::Nothing(pattern.to_owned()))
    }
}

fn matches(glob: &GlobMatcher, case: &Case) -> bool {
    glob.is_match(case.id) || case.tags.iter().any(|tag| glob.is_match(tag))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suites;

    fn ids(only: &[&str], skip: &[&str]) -> Result<Vec<&'static str>, String> {
        let own = |list: &[&str]| list.iter().map(|&text| text.to_owned()).collect();
        let selection = Selection { only: own(only), skip: own(skip) };
        let all: &'static [Case] = Box::leak(suites::all().into_boxed_slice());
        selection
            .of(all)
            .map(|cases| cases.iter().map(|case| case.id).collect())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_star_spans_the_parts_of_an_id() {
        let chosen = ids(&["process/*"], &["process/start/*"]).unwrap();
        assert!(!chosen.is_empty());
        assert!(chosen.iter().all(|id| id.starts_with("process/") && !id.starts_with("process/start/")));
    }

    #[test]
    fn a_tag_is_matched_like_an_id() {
        let cases = [
            Case { id: "a/b/c", tags: &["slow"], ..Case::BASE },
            Case { id: "a/b/d", tags: &["quick"], ..Case::BASE },
        ];
        let skip = Selection { only: Vec::new(), skip: vec!["sl*".to_owned()] };
        assert_eq!(skip.of(&cases).unwrap().iter().map(|case| case.id).collect::<Vec<_>>(), ["a/b/d"]);
    }

    #[test]
    fn a_pattern_for_nothing_is_an_error() {
        assert!(ids(&["nope/*"], &[]).unwrap_err().contains("matches no case"));
        assert!(ids(&[], &["nope"]).unwrap_err().contains("matches no case"));
        assert!(ids(&["health/*"], &["health/*"]).unwrap_err().contains("nothing is left"));
    }
}
