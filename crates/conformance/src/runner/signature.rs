//! What a failure looks like, without what differs from run to run: failures of one shape are run again only so often.
//! Pure.

use std::collections::HashMap;

use crate::case::Case;
use crate::verdict::Finding;

/// So many failures of one shape are run again; the next ones are taken at their word.
const AGAIN: usize = 3;

/// Counts what was run again.
#[derive(Debug, Default)]
pub(super) struct FailureSignatures(HashMap<String, usize>);

impl FailureSignatures {
    /// Whether a failure of this shape is worth another go; counts it if so. All that is late looks the same.
    pub(super) fn worth(&mut self, case: &Case, finding: &Finding, late: bool) -> bool {
        self.more(if late { "late".to_owned() } else { signature(case.area(), finding) })
    }

    /// The same for a case that could not tell.
    pub(super) fn worth_unclear(&mut self, case: &Case, why: &str) -> bool {
        self.more(format!("{} ? {}", case.area(), coarse(why)))
    }

    fn more(&mut self, shape: String) -> bool {
        let count = self.0.entry(shape).or_default();
        *count += 1;
        *count <= AGAIN
    }
}

/// The area, and the finding with numbers and quoted texts left out.
fn signature(area: &str, finding: &Finding) -> String {
    format!("{area} {} / {}", coarse(&finding.expected), coarse(&finding.observed))
}

fn coarse(text: &str) -> String {
    let (mut out, mut quoted) = (String::new(), false);
    for c in text.chars() {
        match c {
            '"' => quoted = !quoted,
            _ if quoted => {}
            '0'..='9' => out.push_str(if out.ends_with('#') { "" } else { "#" }),
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(observed: &str) -> Finding {
        Finding { step: "x".into(), expected: "a whole answer within 5s".into(), observed: observed.into() }
    }

    #[test]
    fn failures_that_differ_in_numbers_are_run_again_three_times_in_all() {
        let case = |id| Case { id, ..Case::BASE };
        let mut signatures = FailureSignatures::default();
        let worth: Vec<_> = ["1 byte", "23 bytes", "4 bytes", "5 bytes", "6 bytes"]
            .iter()
            .map(|text| signatures.worth(&case("a/b/c"), &finding(&text.replace("byte ", "bytes ")), false))
            .collect();
        assert_eq!(worth, [true, true, true, true, false], "one of them has another shape");
        let late = [(); 4].map(|()| signatures.worth(&case("c/b/c"), &finding("late"), true));
        assert_eq!(late, [true, true, true, false]);
        assert!(signatures.worth(&case("b/b/c"), &finding("5 bytes"), false), "another area");
    }
}
