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

/// `word` is none of those that are known.
pub(crate) fn unknown(
    what: &str,
    word: &str,
    at: Range<usize>,
    known: &[&str],
    example: impl Into<String>,
) -> Problem {
    let hint = nearest(word, known.iter().copied()).map(|near| format!(" (did you mean {near:?}?)"));
    let expected = format!("{what} ({})", known.join(", "));
    Problem::new(at, expected, format!("{word:?}{}", hint.unwrap_or_default()), example)
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
