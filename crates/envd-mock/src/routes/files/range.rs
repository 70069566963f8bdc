//! The arithmetic of byte ranges (RFC 9110, section 14): from a header and a length to the bytes that are sent.
//! Pure.

use std::ops::Range;

/// Ranges that one answer sends; more, or more bytes than the file has, and the whole file is sent instead.
const MOST: usize = 64;

/// What a Range header comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wanted {
    /// No range that this server knows: the whole file.
    Whole,
    /// These bytes, at least one range and none empty.
    Parts(Vec<Range<u64>>),
    /// Nothing of it lies in the file.
    Unsatisfiable,
}

/// Reads a Range header for a file of `len` bytes.
pub(super) fn wanted(header: &str, len: u64) -> Wanted {
    let Some(specs) = specs(header) else { return Wanted::Whole };
    let parts: Vec<_> = specs.iter().filter_map(|spec| spec.within(len)).collect();
    let total = parts.iter().try_fold(0_u64, |sum, part| sum.checked_add(part.end - part.start));
    match parts.len() {
        0 => Wanted::Unsatisfiable,
        1 => Wanted::Parts(parts),
        2..=MOST if total.is_some_and(|total| total <= len) => Wanted::Parts(parts),
        _ => Wanted::Whole,
    }
}

/// One range as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Spec {
    /// From the first to the last byte, both included; to the end without a last.
    From(u64, Option<u64>),
    /// So many bytes at the end.
    Last(u64),
}

impl Spec {
    fn within(self, len: u64) -> Option<Range<u64>> {
        let range = match self {
            Self::From(first, last) => first..last.map_or(len, |last| last.saturating_add(1).min(len)),
            Self::Last(count) => len.saturating_sub(count)..len,
        };
        (range.start < range.end).then_some(range)
    }
}

/// The ranges, `None` when the header is of another unit or malformed, and so is ignored.
fn specs(header: &str) -> Option<Vec<Spec>> {
    let (unit, set) = header.split_once('=')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return None;
    }
    let listed = set.split(',').map(str::trim).filter(|item| !item.is_empty());
    let specs: Vec<_> = listed.map(spec).collect::<Option<_>>()?;
    (!specs.is_empty()).then_some(specs)
}

fn spec(item: &str) -> Option<Spec> {
    match item.split_once('-')? {
        ("", last) => Some(Spec::Last(number(last)?)),
        (first, "") => Some(Spec::From(number(first)?, None)),
        (first, last) => {
            let (first, last) = (number(first)?, number(last)?);
            (first <= last).then_some(Spec::From(first, Some(last)))
        }
    }
}

/// A number of any length; what does not fit is as far away as can be.
fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parts(parts: &[(u64, u64)]) -> Wanted {
        Wanted::Parts(parts.iter().map(|&(start, end)| start..end).collect())
    }

    #[test]
    fn each_form_gives_the_bytes_that_it_names() {
        for (header, expected) in [
            ("bytes=0-0", parts(&[(0, 1)])),
            ("bytes=2-", parts(&[(2, 10)])),
            ("bytes=-3", parts(&[(7, 10)])),
            ("bytes=-99", parts(&[(0, 10)])),
            ("bytes=5-99999999999999999999999", parts(&[(5, 10)])),
            ("Bytes = 0-1 , , 8-", parts(&[(0, 2), (8, 10)])),
            ("bytes=0-1,20-", parts(&[(0, 2)])),
            ("bytes=10-", Wanted::Unsatisfiable),
            ("bytes=-0", Wanted::Unsatisfiable),
            ("bytes=20-30,40-", Wanted::Unsatisfiable),
            ("bytes=3-2", Wanted::Whole),
            ("bytes=a-b", Wanted::Whole),
            ("bytes=+1-2", Wanted::Whole),
            ("bytes=", Wanted::Whole),
            ("bytes=-", Wanted::Whole),
            ("lines=0-1", Wanted::Whole),
            ("bytes", Wanted::Whole),
            ("bytes=0-,0-", Wanted::Whole),
        ] {
            assert_eq!(wanted(header, 10), expected, "{header}");
        }
        assert_eq!(wanted("bytes=0-", 0), Wanted::Unsatisfiable);
    }

    #[test]
    fn a_flood_of_ranges_is_the_whole_file() {
        let header = format!("bytes={}", vec!["0-0"; MOST + 1].join(","));
        assert_eq!(wanted(&header, 1000), Wanted::Whole);
    }

    proptest! {
        #[test]
        fn what_is_sent_lies_in_the_file_and_is_never_more_than_it(header in "bytes=[0-9, -]{0,40}", len: u64) {
            if let Wanted::Parts(parts) = wanted(&header, len) {
                prop_assert!(!parts.is_empty());
                let mut total = 0_u64;
                for part in &parts {
                    prop_assert!(part.start < part.end && part.end <= len, "{:?}", part);
                    total += part.end - part.start;
                }
                prop_assert!(total <= len);
            }
        }

        #[test]
        fn a_range_of_the_file_is_sent_as_asked(len in 1_u64.., start: u64, size: u64) {
            let start = start % len;
            let end = start + size % (len - start);
            let expected = parts(&[(start, end + 1)]);
            prop_assert_eq!(wanted(&format!("bytes={start}-{end}"), len), expected);
        }

        #[test]
        fn any_text_is_taken(header in ".*", len: u64) {
            let _ = wanted(&header, len);
        }
    }
}
