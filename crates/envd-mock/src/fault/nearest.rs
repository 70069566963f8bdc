//! Which known word somebody meant. Knows no words itself.

use std::ops::Range;

use super::node::Problem;

/// The known word that is nearest to `word`, if it is near enough to be a slip.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let given = word.to_lowercase();
    let distance = |one: &&str| strsim::damerau_levenshtein(&given, &one.to_lowercase());
    let best = known.into_iter().min_by_key(distance)?;
    let allowed = (best.chars().count() / 3).max(1);
    (distance(&best) <= allowed).then_some(best)
}

/// So many words are listed for somebody whose word is near none.
const LISTED: usize = 20;

/// ` (did you mean "WORD"?)`, or nothing.
pub(crate) fn hint<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(word, known).map_or_else(String::new, |near| format!(" (did you mean {near:?}?)"))
}

/// `word` is none of those that are known.
pub(crate) fn unknown(
    what: &str,
    word: &str,
    at: Range<usize>,
    known: &[&str],
    example: impl Into<String>,
) -> Problem {
    let hint = hint(word, known.iter().copied());
    let more = if known.len() > LISTED { ", ..." } else { "" };
    let expected = match &*hint {
        "" => format!("{what} ({}{more})", known[..known.len().min(LISTED)].join(", ")),
        _ => what.to_owned(),
    };
    Problem::new(at, expected, format!("{word:?}{hint}"), example)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_told_from_another_word() {
        let known = ["status", "stall", "reset", "down"];
        for (word, near) in [
            ("statsu", Some("status")),
            ("Reset", Some("reset")),
            ("stal", Some("stall")),
            ("banana", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, known), near, "{word}");
        }
        assert_eq!(nearest("x", []), None);
    }
}
