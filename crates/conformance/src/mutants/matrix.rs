//! The kill matrix as data: which mutant is caught by which cases, as it was last measured, and what follows from it.
//! Runs nothing.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::mutant::Mutant;
use crate::case::Case;

/// A mutant is subtle if fewer than one in so many cases notice it.
const SUBTLE: usize = 20;
/// The wire generation that mutants have.
const GENERATION: u8 = 2;

/// What was measured.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Matrix {
    /// Of the ids of the cases and mutants; another one says that the matrix is stale.
    pub fingerprint: String,
    /// How many cases were run at mutants.
    pub cases: usize,
    /// Cases that take too long for a smoke run.
    pub slow: BTreeSet<String>,
    /// Each mutant.
    pub mutants: Vec<Row>,
}

/// What became of one mutant.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// The mutant.
    pub id: String,
    /// The cases that failed through their claim.
    pub caught: BTreeSet<String>,
    /// The cases that failed because something did not come in time.
    pub late: BTreeSet<String>,
    /// The cases that were not run for a failed one, or could not tell.
    pub untold: BTreeSet<String>,
}

impl Row {
    /// How many cases did not pass.
    pub(super) fn noticed(&self) -> usize {
        self.caught.len() + self.late.len() + self.untold.len()
    }

    fn subtle(&self, cases: usize) -> bool {
        !self.caught.is_empty() && self.noticed() * SUBTLE < cases
    }
}

/// The cases that are run at mutants.
pub fn measured(all: &[Case]) -> Vec<Case> {
    let fits = |case: &&Case| case.generations.is_empty() || case.generations.contains(&GENERATION);
    all.iter().filter(fits).copied().collect()
}

/// Of the ids of all that is measured, in no order.
pub fn fingerprint(cases: &[Case], mutants: &[Mutant]) -> String {
    let ids = cases.iter().map(|case| format!("case {}\n", case.id));
    let ids: BTreeSet<String> =
        ids.chain(mutants.iter().map(|mutant| format!("mutant {}\n", mutant.id))).collect();
    let digest = Sha256::digest(ids.into_iter().collect::<String>());
    digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

impl Matrix {
    /// The one that is checked in.
    pub fn last() -> Self {
        serde_json::from_str(include_str!("../../matrix.json")).unwrap_or_default()
    }

    /// As it is checked in: one line for each mutant.
    pub fn text(&self) -> String {
        let json = |value: serde_json::Result<String>| value.unwrap_or_default();
        let rows: Vec<String> =
            self.mutants.iter().map(|row| format!("    {}", json(serde_json::to_string(row)))).collect();
        format!(
            "{{\n  \"fingerprint\": {},\n  \"cases\": {},\n  \"slow\": {},\n  \"mutants\": [\n{}\n  ]\n}}\n",
            json(serde_json::to_string(&self.fingerprint)),
            self.cases,
            json(serde_json::to_string(&self.slow)),
            rows.join(",\n"),
        )
    }

    /// Mutants that no case fails for.
    pub fn survivors(&self) -> Vec<&str> {
        self.ids(|row| row.caught.is_empty() && row.late.is_empty())
    }

    /// Mutants for which cases fail, but only because they wait in vain.
    pub fn only_late(&self) -> Vec<&str> {
        self.ids(|row| row.caught.is_empty() && !row.late.is_empty())
    }

    /// Whether it is noticed by none of the cases but those.
    pub fn needs(&self, mutant: &Mutant, cases: &[Case], those: impl Fn(&Case) -> bool) -> bool {
        let row = self.mutants.iter().find(|row| row.id == mutant.id);
        let one_of_those = |id: &String| cases.iter().any(|case| case.id == id && those(case));
        row.is_some_and(|row| !row.caught.is_empty() && row.caught.iter().chain(&row.late).all(one_of_those))
    }

    fn ids(&self, which: impl Fn(&Row) -> bool) -> Vec<&str> {
        self.mutants.iter().filter(|row| which(row)).map(|row| row.id.as_str()).collect()
    }

    /// Mutants that are caught, and noticed by fewer than 5 per cent of the cases.
    pub fn subtle(&self) -> usize {
        self.mutants.iter().filter(|row| row.subtle(self.cases)).count()
    }

    /// Cases that catch no mutant, though they are no plain smoke cases.
    pub fn idle(&self, cases: &[Case]) -> Vec<&'static str> {
        let kills = self.kills();
        // Bulk is run at few mutants.
        let idle = |case: &&Case| !case.smoke && !case.bulk && !kills.contains_key(case.id);
        cases.iter().filter(idle).map(|case| case.id).collect()
    }

    /// How many mutants each case catches; cases that catch none are left out.
    pub fn kills(&self) -> BTreeMap<&str, usize> {
        let mut kills = BTreeMap::new();
        for id in self.mutants.iter().flat_map(|row| &row.caught) {
            *kills.entry(id.as_str()).or_default() += 1;
        }
        kills
    }

    /// Puts a row in, for the `cases` that were run; what other cases said of this mutant stays.
    pub fn put(&mut self, row: Row, cases: &BTreeSet<&str>) {
        let Some(known) = self.mutants.iter_mut().find(|known| known.id == row.id) else {
            return self.mutants.push(row);
        };
        for (known, new) in
            [(&mut known.caught, row.caught), (&mut known.late, row.late), (&mut known.untold, row.untold)]
        {
            known.retain(|id| !cases.contains(id.as_str()));
            known.extend(new);
        }
    }

    /// Forgets cases and mutants that are no more, and orders the rest as they are listed.
    pub fn tidy(&mut self, cases: &[Case], mutants: &[Mutant]) {
        let ids: BTreeSet<&str> = cases.iter().map(|case| case.id).collect();
        let place = |row: &Row| mutants.iter().position(|mutant| mutant.id == row.id);
        self.mutants.retain(|row| place(row).is_some());
        self.mutants.sort_by_key(place);
        for row in &mut self.mutants {
            for list in [&mut row.caught, &mut row.late, &mut row.untold] {
                list.retain(|id| ids.contains(id.as_str()));
            }
        }
        self.slow.retain(|id| ids.contains(id.as_str()));
        self.cases = cases.len();
        self.fingerprint = fingerprint(cases, mutants);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: &str, caught: &[&str]) -> Row {
        Row { id: id.to_owned(), caught: caught.iter().map(|&id| id.to_owned()).collect(), ..Row::default() }
    }

    #[test]
    fn a_row_keeps_what_cases_said_that_were_not_run() {
        let mut matrix = Matrix { mutants: vec![row("m", &["a", "b"])], ..Matrix::default() };
        matrix.put(row("m", &["c"]), &BTreeSet::from(["b", "c"]));
        assert_eq!(matrix.mutants, [row("m", &["a", "c"])]);
    }

    #[test]
    fn a_mutant_that_much_fails_for_is_not_subtle() {
        let mut matrix = Matrix { cases: 41, mutants: vec![row("m", &["a", "b"])], ..Matrix::default() };
        assert_eq!((matrix.subtle(), matrix.survivors().len()), (1, 0));
        matrix.mutants[0].untold.insert("c".to_owned());
        assert_eq!(matrix.subtle(), 0);
        assert_eq!(Matrix { mutants: vec![row("m", &[])], ..matrix }.survivors(), ["m"]);
    }

    #[test]
    fn a_mutant_needs_those_cases_that_alone_notice_it() {
        let cases = ["a", "b"].map(|id| Case { id, bulk: id == "a", ..Case::BASE });
        let mutant = Mutant { id: "m", bug: "", change: crate::mutants::Change::Nothing };
        let needs = |caught: &[&str]| {
            let matrix = Matrix { mutants: vec![row("m", caught)], ..Matrix::default() };
            matrix.needs(&mutant, &cases, |case| case.bulk)
        };
        assert_eq!((needs(&["a"]), needs(&["a", "b"]), needs(&[])), (true, false, false));
    }

    #[test]
    fn what_is_written_is_read() {
        let matrix = Matrix { cases: 3, mutants: vec![row("m", &["a"]), row("n", &[])], ..Matrix::default() };
        assert_eq!(serde_json::from_str::<Matrix>(&matrix.text()).unwrap(), matrix);
    }
}
