//! The programs of one guest: which there are, which one a command gets, and how often each was run.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use super::asked::Asked;
use super::model::Program;

/// The programs of one guest, in order; cheap to clone, all clones are the same.
#[derive(Debug, Clone, Default)]
pub struct Programs(Arc<RwLock<Arc<[Arc<Entry>]>>>);

#[derive(Debug)]
struct Entry {
    program: Program,
    runs: AtomicU64,
}

/// How often a program has taken the place of a command.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct ProgramRuns {
    /// The program's name.
    pub name: String,
    /// Since it was put there.
    pub runs: u64,
}

/// A program that was chosen for a command, and stays as it was then.
#[derive(Debug, Clone)]
pub(crate) struct Chosen(Arc<Entry>);

impl std::ops::Deref for Chosen {
    type Target = Program;

    fn deref(&self) -> &Program {
        &self.0.program
    }
}

impl Programs {
    /// Puts these in place of all that were there; what runs already goes on as it was.
    pub fn replace(&self, programs: Vec<Program>) {
        let entry = |program| Arc::new(Entry { program, runs: AtomicU64::new(0) });
        let entries = programs.into_iter().map(entry).collect();
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = entries;
    }

    /// All of them, in order.
    pub fn list(&self) -> Vec<Program> {
        self.entries().iter().map(|entry| entry.program.clone()).collect()
    }

    /// How often each has run, in order.
    pub fn runs(&self) -> Vec<ProgramRuns> {
        let runs = |entry: &Arc<Entry>| ProgramRuns {
            name: entry.program.name.clone(),
            runs: entry.runs.load(Ordering::Relaxed),
        };
        self.entries().iter().map(runs).collect()
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.entries().is_empty()
    }

    /// The first that takes the place of `asked`, counted as run.
    pub(crate) fn choose(&self, asked: &Asked) -> Option<Chosen> {
        let entries = self.entries();
        let entry = entries.iter().find(|entry| entry.program.when.matches(asked))?;
        entry.runs.fetch_add(1, Ordering::Relaxed);
        Some(Chosen(Arc::clone(entry)))
    }

    fn entries(&self) -> Arc<[Arc<Entry>]> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl From<Vec<Program>> for Programs {
    fn from(programs: Vec<Program>) -> Self {
        let new = Self::default();
        new.replace(programs);
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(cmd: &str) -> Asked {
        let (cwd, user) = ("/".to_owned(), "root".to_owned());
        Asked { cmd: cmd.to_owned(), args: Vec::new(), env: Default::default(), cwd, user }
    }

    #[test]
    fn the_first_that_matches_wins_and_is_counted() {
        let programs =
            Programs::from(vec![Program::named("a").called("1"), Program::named("*"), Program::named("a")]);
        assert_eq!(programs.choose(&asked("a")).map(|chosen| chosen.name.clone()), Some("1".to_owned()));
        assert_eq!(programs.choose(&asked("b")).map(|chosen| chosen.name.clone()), Some("*".to_owned()));
        let runs: Vec<_> = programs.runs().into_iter().map(|program| program.runs).collect();
        assert_eq!(runs, [1, 1, 0]);
    }

    #[test]
    fn a_chosen_program_outlives_its_replacement() {
        let programs = Programs::from(vec![Program::named("a")]);
        let chosen = programs.choose(&asked("a")).unwrap();
        programs.replace(Vec::new());
        assert_eq!(chosen.name, "a");
        assert!(programs.choose(&asked("a")).is_none() && programs.list().is_empty());
    }
}
