//! The kill matrix: the seeded bugs ("mutants") that the suite has been run against, and the cases that caught each. A run
//! reads it for `--smoke` and to name the closest known bug. The crate `conformance-mutants` measures and writes it.

mod nearest;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::str::FromStr;

pub use self::nearest::{Nearest, NearestMutant};

/// The file opens with this comment.
const HEADER: &str = "# The kill matrix, written by `just matrix`. Do not edit.
# case group: names, numbered from 0 in order; then one line per mutant:
# id|bug|cases that caught it|cases that failed only by a timeout|number of cases that did not pass
";

/// What was measured.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Matrix {
    /// A hash of the ids of the measured cases and mutants; a different one means that the matrix is stale.
    pub fingerprint: String,
    /// How many cases were run against each mutant.
    pub cases: usize,
    /// Cases that are too slow for a smoke run.
    pub slow: BTreeSet<String>,
    /// The cases of a smoke run.
    pub smoke: BTreeSet<String>,
    /// The mutants.
    pub mutants: Vec<Row>,
}

/// The result for one mutant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Row {
    /// The mutant.
    pub id: String,
    /// The bug, in one line without `|`.
    pub bug: String,
    /// The failure signature: the cases whose claim failed.
    pub caught: BTreeSet<String>,
    /// The cases that failed only because an expected answer did not arrive in time.
    pub late: BTreeSet<String>,
    /// How many cases did not pass, including those that were blocked or inconclusive.
    pub noticed: usize,
}

/// A line of the file that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("kill matrix: expected a field, a group of cases or a mutant, found {0:?}")]
pub struct BadMatrix(String);

impl Matrix {
    /// The matrix that is checked in; empty if it cannot be read, which a test refuses.
    pub fn checked_in() -> Self {
        include_str!("../kill-matrix.txt").parse().unwrap_or_default()
    }

    /// The form that is checked in.
    pub fn to_text(&self) -> String {
        let rows = self.mutants.iter().flat_map(|row| row.caught.iter().chain(&row.late));
        let ids: BTreeSet<&str> = rows.chain(&self.slow).chain(&self.smoke).map(String::as_str).collect();
        let groups = grouped(&ids);
        let names =
            groups.iter().flat_map(|(group, names)| names.iter().map(move |name| format!("{group}/{name}")));
        let numbers: BTreeMap<String, usize> = names.zip(0..).collect();
        let list = |ids: &BTreeSet<String>| {
            ids.iter().filter_map(|id| numbers.get(id)).map(usize::to_string).collect::<Vec<_>>().join(",")
        };
        let mut text = format!("{HEADER}fingerprint: {}\ncases: {}\n", self.fingerprint, self.cases);
        for (group, names) in &groups {
            let _ = writeln!(text, "{group}: {}", names.join(" "));
        }
        let _ = writeln!(text, "slow: {}\nsmoke: {}", list(&self.slow), list(&self.smoke));
        for Row { id, bug, caught, late, noticed } in &self.mutants {
            let _ = writeln!(text, "{id}|{bug}|{}|{}|{noticed}", list(caught), list(late));
        }
        text
    }
}

/// The case ids by everything before their last part.
fn grouped<'a>(ids: &BTreeSet<&'a str>) -> BTreeMap<&'a str, Vec<&'a str>> {
    let mut groups: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (group, name) in ids.iter().filter_map(|id| id.rsplit_once('/')) {
        groups.entry(group).or_default().push(name);
    }
    groups
}

impl FromStr for Matrix {
    type Err = BadMatrix;

    fn from_str(text: &str) -> Result<Self, BadMatrix> {
        let (mut matrix, mut ids) = (Self::default(), Vec::new());
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let read = if line.contains('|') {
                row(line, &ids).map(|row| matrix.mutants.push(row))
            } else {
                matrix.read_field(line, &mut ids)
            };
            read.ok_or_else(|| BadMatrix(line.to_owned()))?;
        }
        Ok(matrix)
    }
}

impl Matrix {
    fn read_field(&mut self, line: &str, ids: &mut Vec<String>) -> Option<()> {
        let (key, value) = line.split_once(": ").or_else(|| line.strip_suffix(':').map(|key| (key, "")))?;
        match key {
            "fingerprint" => self.fingerprint = value.to_owned(),
            "cases" => self.cases = value.parse().ok()?,
            "slow" => self.slow = listed(value, ids)?,
            "smoke" => self.smoke = listed(value, ids)?,
            group if group.contains('/') => {
                ids.extend(value.split(' ').map(|name| format!("{group}/{name}")));
            }
            _ => return None,
        }
        Some(())
    }
}

fn row(line: &str, ids: &[String]) -> Option<Row> {
    let [id, bug, caught, late, noticed] = line.split('|').collect::<Vec<_>>().try_into().ok()?;
    Some(Row {
        id: id.to_owned(),
        bug: bug.to_owned(),
        caught: listed(caught, ids)?,
        late: listed(late, ids)?,
        noticed: noticed.parse().ok()?,
    })
}

/// The ids behind a list of numbers.
fn listed(numbers: &str, ids: &[String]) -> Option<BTreeSet<String>> {
    let numbers = numbers.split(',').filter(|number| !number.is_empty());
    numbers.map(|number| ids.get(number.parse::<usize>().ok()?).cloned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(ids: &[&str]) -> BTreeSet<String> {
        ids.iter().map(|&id| id.to_owned()).collect()
    }

    #[test]
    fn a_matrix_survives_being_written_and_read() {
        let row =
            Row { id: "m/n".into(), bug: "a bug".into(), caught: set(&["a/b/c", "a/b/d"]), ..Row::default() };
        let late =
            Row { id: "m/o".into(), bug: "b".into(), late: set(&["e/f/g"]), noticed: 4, ..Row::default() };
        let matrix = Matrix {
            fingerprint: "0f".into(),
            cases: 3,
            slow: set(&["e/f/g"]),
            smoke: set(&[]),
            mutants: vec![row, late],
        };
        assert_eq!(matrix.to_text().parse::<Matrix>().unwrap(), matrix, "{}", matrix.to_text());
    }

    #[test]
    fn a_line_that_is_not_understood_is_an_error() {
        for bad in ["nonsense", "cases: many", "m/n|bug|0||1", "m/n|bug|1", "slow: 3"] {
            assert!(bad.parse::<Matrix>().is_err(), "{bad}");
        }
    }

    #[test]
    fn the_checked_in_matrix_can_be_read_and_is_small() {
        let text = include_str!("../kill-matrix.txt");
        assert!(text.parse::<Matrix>().is_ok_and(|matrix| matrix.mutants.len() > 100));
        assert!(text.len() < 60_000, "{} bytes", text.len());
    }
}
