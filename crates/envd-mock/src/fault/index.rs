//! Numbers that are found by a text that they are about: patterns are not tried one by one, but found by the literal that
//! each of them starts or ends with. Knows no rules.

use std::collections::HashMap;

use super::glob::{Glob, Shape};

/// So many bytes of a literal are looked at: each length that occurs costs a look-up.
const LONGEST_AFFIX: usize = 32;

/// Numbers under patterns.
#[derive(Debug, Default)]
pub(super) struct TextIndex {
    exact: HashMap<Box<str>, Ids>,
    prefixes: Affixes,
    suffixes: Affixes,
    /// Those whose pattern starts and ends with a wildcard.
    rest: Vec<u32>,
}

impl TextIndex {
    pub(super) fn insert(&mut self, glob: &Glob, id: u32) {
        match glob.shape() {
            Shape::Exactly(text) => self.exact.entry(text.into()).or_default().push(id),
            Shape::Around("", "") => self.rest.push(id),
            Shape::Around(prefix, suffix) if prefix.len() >= suffix.len() => {
                self.prefixes.insert(&prefix[..floor(prefix, LONGEST_AFFIX)], id);
            }
            Shape::Around(_, suffix) => {
                let start = suffix.len() - suffix.len().min(LONGEST_AFFIX);
                let start = (start..).find(|at| suffix.is_char_boundary(*at)).unwrap_or(start);
                self.suffixes.insert(&suffix[start..], id);
            }
        }
    }

    /// The numbers whose pattern may match `text`; whether it does is still to be seen.
    pub(super) fn visit(&self, text: &str, visit: &mut dyn FnMut(u32)) {
        if let Some(ids) = self.exact.get(text) {
            ids.as_slice().iter().for_each(|id| visit(*id));
        }
        self.prefixes.visit(|length| text.get(..length), visit);
        self.suffixes.visit(|length| text.get(text.len().checked_sub(length)?..), visit);
        self.rest.iter().for_each(|id| visit(*id));
    }
}

/// The last boundary of characters up to `at`.
fn floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

/// Numbers under the start or the end of a text.
#[derive(Debug, Default)]
struct Affixes {
    lengths: Vec<usize>,
    ids: HashMap<Box<str>, Ids>,
}

impl Affixes {
    fn insert(&mut self, affix: &str, id: u32) {
        if !self.lengths.contains(&affix.len()) {
            self.lengths.push(affix.len());
        }
        self.ids.entry(affix.into()).or_default().push(id);
    }

    fn visit<'t>(&self, affix: impl Fn(usize) -> Option<&'t str>, visit: &mut dyn FnMut(u32)) {
        for ids in self.lengths.iter().filter_map(|length| self.ids.get(affix(*length)?)) {
            ids.as_slice().iter().for_each(|id| visit(*id));
        }
    }
}

/// Some numbers, most often one.
#[derive(Debug, Default)]
pub(super) enum Ids {
    #[default]
    None,
    One(u32),
    Many(Vec<u32>),
}

impl Ids {
    pub(super) fn push(&mut self, id: u32) {
        match self {
            Self::None => *self = Self::One(id),
            Self::One(first) => *self = Self::Many(vec![*first, id]),
            Self::Many(all) => all.push(id),
        }
    }

    pub(super) fn as_slice(&self) -> &[u32] {
        match self {
            Self::None => &[],
            Self::One(id) => std::slice::from_ref(id),
            Self::Many(all) => all,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn found(index: &TextIndex, text: &str) -> Vec<u32> {
        let mut found = Vec::new();
        index.visit(text, &mut |id| found.push(id));
        found.sort_unstable();
        found
    }

    #[test]
    fn only_patterns_that_may_match_are_visited() {
        let mut index = TextIndex::default();
        for (id, pattern) in
            ["/health", "/files/**", "/tmp/*.py", "**.rs", "**x**", "/health"].iter().enumerate()
        {
            index.insert(&Glob::lenient(*pattern), u32::try_from(id).unwrap());
        }
        assert_eq!(found(&index, "/health"), [0, 4, 5]);
        assert_eq!(found(&index, "/files/a.rs"), [1, 3, 4]);
        assert_eq!(found(&index, "/tmp/a"), [2, 4]);
        assert_eq!(found(&index, ""), [4]);
    }

    proptest! {
        #[test]
        fn no_pattern_that_matches_is_missed(
            patterns in prop::collection::vec("([abé/]{1,40}|\\*|\\*\\*|\\?){0,5}", 0..20),
            text in "[abé/]{0,50}",
        ) {
            let mut index = TextIndex::default();
            let globs: Vec<Glob> = patterns.into_iter().map(Glob::lenient).collect();
            for (id, glob) in globs.iter().enumerate() {
                index.insert(glob, u32::try_from(id).unwrap());
            }
            let found = found(&index, &text);
            for (id, _) in globs.iter().enumerate().filter(|(_, glob)| glob.matches(&text)) {
                prop_assert!(found.contains(&u32::try_from(id).unwrap()), "{:?}", globs[id]);
            }
        }
    }
}
