//! The programs of one guest: which there are, which one a command gets, and how often each was run.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use super::asked::Asked;
use super::history::{History, ProgramRun, Run};
use super::model::Program;

/// The programs of one guest, in order; cheap to clone, all clones are the same.
#[derive(Debug, Clone, Default)]
pub struct Programs(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    entries: RwLock<Arc<[Arc<Entry>]>>,
    /// Names of those that were replaced before they had run.
    retired: Mutex<Vec<String>>,
    history: History,
}

/// So many that were replaced are remembered.
const RETIRED: usize = 1000;

/// Programs that stay when others are replaced, with their counts.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lasting(Arc<[Arc<Entry>]>);

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
pub(crate) struct Chosen {
    entry: Arc<Entry>,
    pub(crate) run: Run,
}

impl std::ops::Deref for Chosen {
    type Target = Program;

    fn deref(&self) -> &Program {
        &self.entry.program
    }
}

impl Programs {
    /// Puts these in place of all that were there; what runs already goes on as it was.
    pub fn replace(&self, programs: Vec<Program>) {
        self.replace_before(programs, &Lasting::default());
    }

    /// Puts these in place of all that were there; behind them stay the lasting ones.
    pub(crate) fn replace_before(&self, programs: Vec<Program>, lasting: &Lasting) {
        let entry = |program| Arc::new(Entry { program, runs: AtomicU64::new(0) });
        let new = programs.into_iter().map(entry).chain(lasting.0.iter().cloned()).collect();
        let old = {
            let mut entries = self.0.entries.write().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *entries, Arc::clone(&new))
        };
        let kept = |one: &Entry| new.iter().any(|other| other.program.name == one.program.name);
        let gone = old.iter().filter(|entry| entry.is_idle() && !kept(entry));
        let mut retired = self.retired();
        let room = RETIRED.saturating_sub(retired.len());
        retired.extend(gone.map(|entry| entry.program.name.clone()).take(room));
    }

    /// The last `count` of them.
    pub(crate) fn last(&self, count: usize) -> Lasting {
        let entries = self.entries();
        Lasting(entries[entries.len().saturating_sub(count)..].into())
    }

    /// Forgets what has run, and what was there and never did.
    pub(crate) fn forget(&self) {
        self.entries().iter().for_each(|entry| entry.runs.store(0, Ordering::Relaxed));
        self.retired().clear();
        self.0.history.forget();
    }

    /// The names of those that have never run, though they may have been replaced since.
    pub(crate) fn idle(&self) -> Vec<String> {
        let mut idle = self.retired().clone();
        let entries = self.entries();
        idle.extend(entries.iter().filter(|entry| entry.is_idle()).map(|entry| entry.program.name.clone()));
        idle
    }

    fn retired(&self) -> MutexGuard<'_, Vec<String>> {
        self.0.retired.lock().unwrap_or_else(PoisonError::into_inner)
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

    /// The last runs, in the order in which they began: at most a thousand of them, and 4 MiB of commands.
    pub fn history(&self) -> Vec<ProgramRun> {
        self.kept().0
    }

    /// The last runs, and how many there were before them.
    pub(crate) fn kept(&self) -> (Vec<ProgramRun>, u64) {
        self.0.history.list()
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.entries().is_empty()
    }

    /// The first that takes the place of `asked`, counted as run at that time.
    pub(crate) fn choose(&self, asked: &Asked, at: Duration) -> Option<Chosen> {
        let entries = self.entries();
        let entry = entries.iter().find(|entry| entry.program.when.matches(asked))?;
        entry.runs.fetch_add(1, Ordering::Relaxed);
        let run = self.0.history.began(&entry.program.name, asked, at);
        Some(Chosen { entry: Arc::clone(entry), run })
    }

    fn entries(&self) -> Arc<[Arc<Entry>]> {
        Arc::clone(&self.0.entries.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Entry {
    fn is_idle(&self) -> bool {
        self.runs.load(Ordering::Relaxed) == 0
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
        assert_eq!(
            programs.choose(&asked("a"), Duration::ZERO).map(|chosen| chosen.name.clone()),
            Some("1".to_owned())
        );
        assert_eq!(
            programs.choose(&asked("b"), Duration::ZERO).map(|chosen| chosen.name.clone()),
            Some("*".to_owned())
        );
        let runs: Vec<_> = programs.runs().into_iter().map(|program| program.runs).collect();
        assert_eq!(runs, [1, 1, 0]);
    }

    #[test]
    fn who_never_ran_is_remembered_unless_there_is_one_of_the_name_again() {
        let programs = Programs::from(vec![Program::named("a"), Program::named("b"), Program::named("last")]);
        let lasting = programs.last(1);
        programs.choose(&asked("last"), Duration::ZERO).unwrap();
        programs.replace_before(vec![Program::named("b"), Program::named("c")], &lasting);
        assert_eq!(programs.idle(), ["a", "b", "c"]);
        programs.choose(&asked("b"), Duration::ZERO).unwrap();
        assert_eq!(programs.idle(), ["a", "c"]);
        programs.forget();
        assert_eq!(programs.idle(), ["b", "c", "last"]);
    }

    #[test]
    fn a_chosen_program_outlives_its_replacement() {
        let programs = Programs::from(vec![Program::named("a")]);
        let chosen = programs.choose(&asked("a"), Duration::ZERO).unwrap();
        programs.replace(Vec::new());
        assert_eq!(chosen.name, "a");
        assert!(programs.choose(&asked("a"), Duration::ZERO).is_none() && programs.list().is_empty());
    }
}
