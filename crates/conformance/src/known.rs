//! Failures that are known: which case, with which words, for which reason, until when. Nothing in the file may rot: an
//! entry that does not do its work is complained of. Judges no subject.

mod pin;

use std::path::Path;

use globset::{Glob, GlobMatcher};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use self::pin::Pin;
use crate::case::Case;
use crate::verdict::Verdict;

/// A file of known failures, and what came of its entries so far.
#[derive(Debug, Default)]
pub struct Known {
    entries: Vec<Entry>,
    complaints: Vec<String>,
}

/// One entry, as it stands in the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// A glob over ids: every case that it matches fails.
    pub id: String,
    /// A part of the failure's text, where `*` stands for anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The same as a regular expression.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub regex: Option<String>,
    /// Why that is so, and why it is borne.
    pub reason: String,
    /// The case passes in some runs: what its failure depends on is in the reason.
    #[serde(default, skip_serializing_if = "is_false")]
    pub flaky: bool,
    /// The last day on which it counts, such as `2027-01-31`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
}

// The signature is what serde asks for.
fn is_false(flag: &bool) -> bool {
    !flag
}

/// The whole file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lines {
    /// Its entries.
    #[serde(default)]
    pub known: Vec<Line>,
}

/// Why a file holds no known failures: the caller's mistake.
#[derive(Debug, thiserror::Error)]
#[error("known failures {path}: {why}")]
pub struct BadKnown {
    path: String,
    why: String,
}

#[derive(Debug)]
struct Entry {
    line: Line,
    ids: GlobMatcher,
    pin: Pin,
}

impl Known {
    /// Reads a TOML file for a suite of `cases`, on the day `today`.
    ///
    /// # Errors
    /// [`BadKnown`] when it cannot be read or an entry lacks what it needs.
    pub fn read(path: &Path, cases: &[Case], today: Date) -> Result<Self, BadKnown> {
        let bad = |why: String| BadKnown { path: path.display().to_string(), why };
        let text = std::fs::read_to_string(path).map_err(|error| bad(error.to_string()))?;
        let lines: Lines = toml::from_str(&text).map_err(|error| bad(error.to_string()))?;
        Self::of(lines, cases, today).map_err(bad)
    }

    /// The same of lines.
    ///
    /// # Errors
    /// What an entry lacks.
    pub fn of(lines: Lines, cases: &[Case], today: Date) -> Result<Self, String> {
        let mut known = Self::default();
        for line in lines.known {
            let place = format!("entry for {:?}: ", line.id);
            let (entry, expired) = entry(line, today).map_err(|why| place + &why)?;
            if !cases.iter().any(|case| entry.ids.is_match(case.id)) {
                known.complaints.push(format!("{:?} matches no case: remove it", entry.line.id));
            } else if expired {
                let (id, day) = (&entry.line.id, entry.line.expires.as_deref().unwrap_or_default());
                known.complaints.push(format!("{id:?} has expired on {day}: repair the build, or renew it"));
            } else {
                known.entries.push(entry);
            }
        }
        Ok(known)
    }

    /// The reason why this failure is known, if it is; notes whatever contradicts the file.
    pub fn judge(&mut self, id: &str, verdict: &Verdict) -> Option<String> {
        let mut entries = self.entries.iter().filter(|entry| entry.ids.is_match(id)).peekable();
        entries.peek()?;
        let text = verdict.message();
        match verdict {
            Verdict::Pass if entries.any(|entry| entry.line.flaky) => {}
            Verdict::Pass => self.complaints.push(format!("{id} is known to fail, and passes: remove it")),
            Verdict::Fail(_) | Verdict::Inconclusive(_) => {
                let pins: Vec<_> = entries.collect();
                if let Some(entry) = pins.iter().find(|entry| entry.pin.holds(&text)) {
                    return Some(entry.line.reason.clone());
                }
                let pin = pins.first().map(|entry| entry.pin.to_string()).unwrap_or_default();
                let what = verdict.word();
                self.complaints
                    .push(format!("{id} is known to fail otherwise: pinned to {pin}, now {what}: {text}"));
            }
            Verdict::Blocked(_) | Verdict::Unsupported(_) | Verdict::Skip(_) => {}
        }
        None
    }

    /// What is wrong with the file, by what was judged so far.
    pub fn complaints(&self) -> Vec<String> {
        self.complaints.clone()
    }
}

/// The entry, and whether it has expired.
fn entry(line: Line, today: Date) -> Result<(Entry, bool), String> {
    if line.reason.trim().is_empty() {
        return Err("expected a reason, found none".to_owned());
    }
    let ids = Glob::new(&line.id).map_err(|error| error.to_string())?.compile_matcher();
    let pin = Pin::of(line.message.as_deref(), line.regex.as_deref())?;
    let last = line.expires.as_deref().map(|day| day.parse::<Date>().map_err(|error| error.to_string()));
    let expired = last.transpose()?.is_some_and(|last| last < today);
    Ok((Entry { line, ids, pin }, expired))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::Finding;

    const CASE: Case = Case { id: "files/upload/mode", ..Case::BASE };

    fn known(text: &str) -> Result<Known, String> {
        let today = jiff::civil::date(2027, 1, 31);
        Known::of(toml::from_str(text).map_err(|error| error.to_string())?, &[CASE], today)
    }

    fn fails(observed: &str) -> Verdict {
        let (expected, step) = ("mode 420".to_owned(), "a".to_owned());
        Verdict::Fail(Finding { step, expected, observed: observed.to_owned() })
    }

    #[test]
    fn a_failure_that_is_pinned_is_known() {
        let mut file =
            known("[[known]]\nid='files/*'\nmessage='mode 420, observed mode 3*'\nreason='umask'").unwrap();
        assert_eq!(file.judge(CASE.id, &fails("mode 384")).as_deref(), Some("umask"));
        assert!(file.complaints().is_empty());
    }

    #[test]
    fn one_that_passes_or_fails_otherwise_is_complained_of() {
        let mut file = known("[[known]]\nid='files/*'\nregex='mode 3\\d+$'\nreason='umask'").unwrap();
        assert_eq!(file.judge(CASE.id, &Verdict::Pass), None);
        assert_eq!(file.judge(CASE.id, &fails("status 500")), None);
        assert_eq!(file.judge(CASE.id, &Verdict::Skip("x".into())), None);
        let complaints = file.complaints();
        assert_eq!(complaints.len(), 2, "{complaints:?}");
        assert!(complaints[0].contains("passes") && complaints[1].contains("otherwise"), "{complaints:?}");
    }

    #[test]
    fn one_that_is_flaky_may_pass_and_must_fail_as_it_says() {
        let mut file =
            known("[[known]]\nid='files/*'\nmessage='mode 3'\nreason='every 20th'\nflaky=true").unwrap();
        assert_eq!(file.judge(CASE.id, &Verdict::Pass), None);
        assert_eq!(file.judge(CASE.id, &fails("mode 384")).as_deref(), Some("every 20th"));
        assert_eq!(file.complaints(), Vec::<String>::new());
        assert_eq!(file.judge(CASE.id, &fails("status 500")), None);
        assert_eq!(file.complaints().len(), 1);
    }

    #[test]
    fn one_that_matches_nothing_or_has_expired_is_complained_of_and_hides_nothing() {
        let mut file = known(
            "[[known]]\nid='nope/*'\nmessage='x'\nreason='r'\n\
             [[known]]\nid='files/*'\nmessage='mode'\nreason='r'\nexpires='2027-01-30'",
        )
        .unwrap();
        assert_eq!(file.judge(CASE.id, &fails("mode 1")), None);
        let complaints = file.complaints();
        assert!(
            complaints[0].contains("matches no case") && complaints[1].contains("expired"),
            "{complaints:?}"
        );
        let last_day = known("[[known]]\nid='files/*'\nmessage='mode'\nreason='r'\nexpires='2027-01-31'");
        assert!(last_day.unwrap().judge(CASE.id, &fails("mode 1")).is_some());
    }

    #[test]
    fn an_entry_says_why_and_is_pinned() {
        for bad in [
            "[[known]]\nid='files/*'\nmessage='x'\nreason=' '",
            "[[known]]\nid='files/*'\nmessage='x'",
            "[[known]]\nid='files/*'\nreason='r'",
            "[[known]]\nid='files/*'\nmessage=''\nreason='r'",
            "[[known]]\nid='files/*'\nmessage='x'\nregex='x'\nreason='r'",
            "[[known]]\nid='files/*'\nregex='('\nreason='r'",
            "[[known]]\nid='files/*'\nmessage='x'\nreason='r'\nexpires='soon'",
        ] {
            assert!(known(bad).is_err(), "{bad}");
        }
    }
}
