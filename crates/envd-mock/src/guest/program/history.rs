//! What the programs of one guest have done: which took the place of which command, when, and how it ended. Bounded;
//! the oldest go first. Who runs is decided elsewhere.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::asked::Asked;

/// So many runs are kept.
const MOST: usize = 1000;
/// So many bytes of commands and arguments are kept.
const MOST_BYTES: usize = 4 << 20;

/// One time that a program took the place of a command.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ProgramRun {
    /// The program's name.
    pub program: String,
    /// The process's number; missing when nothing was started.
    pub pid: Option<u32>,
    /// The command as it was asked for.
    pub cmd: String,
    /// Its arguments, without the command.
    pub args: Vec<String>,
    /// The working directory, as it was resolved.
    pub cwd: String,
    /// The name of the user that it ran as.
    pub user: String,
    /// The name that its starter gave it.
    pub tag: Option<String>,
    /// When it was chosen, since the start on the mock's clock.
    pub at: Duration,
    /// When it ended; missing while it runs.
    pub ended: Option<Duration>,
    /// What it left with, -1 after a signal; missing when it ended with the guest.
    pub exit_code: Option<i32>,
    /// Its end in words, such as "exit status: 3".
    pub status: Option<String>,
}

/// A run under way, to be completed by whoever plays it; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Run(Arc<Mutex<ProgramRun>>);

/// The last runs, in the order in which they began.
#[derive(Debug, Default)]
pub(super) struct History(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    runs: VecDeque<(usize, Run)>,
    bytes: usize,
    dropped: u64,
}

impl History {
    /// A program has taken the place of `asked`.
    pub(super) fn began(&self, program: &str, asked: &Asked, at: Duration) -> Run {
        let run = Run(Arc::new(Mutex::new(ProgramRun {
            program: program.to_owned(),
            cmd: asked.cmd.clone(),
            args: asked.args.clone(),
            cwd: asked.cwd.clone(),
            user: asked.user.clone(),
            at,
            ..ProgramRun::default()
        })));
        self.kept().push(weight(asked), run.clone());
        run
    }

    /// All that were kept, and how many were not.
    pub(super) fn list(&self) -> (Vec<ProgramRun>, u64) {
        let kept = self.kept();
        (kept.runs.iter().map(|(_, run)| run.told().clone()).collect(), kept.dropped)
    }

    pub(super) fn forget(&self) {
        *self.kept() = Kept::default();
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn push(&mut self, weight: usize, run: Run) {
        self.bytes += weight;
        self.runs.push_back((weight, run));
        while self.runs.len() > MOST || (self.bytes > MOST_BYTES && self.runs.len() > 1) {
            let Some((weight, _)) = self.runs.pop_front() else { break };
            self.bytes -= weight;
            self.dropped += 1;
        }
    }
}

impl Run {
    /// There is a process.
    pub(crate) fn started(&self, pid: u32, tag: Option<&str>) {
        let mut run = self.told();
        (run.pid, run.tag) = (Some(pid), tag.map(str::to_owned));
    }

    /// It has ended; without an end of its own, with the guest.
    pub(crate) fn ended(&self, at: Duration, end: Option<(i32, &str)>) {
        let mut run = self.told();
        run.ended = Some(at);
        (run.exit_code, run.status) = end.map(|(code, status)| (code, status.to_owned())).unzip();
    }

    fn told(&self) -> MutexGuard<'_, ProgramRun> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn weight(asked: &Asked) -> usize {
    asked.cmd.len() + asked.cwd.len() + asked.args.iter().map(String::len).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(arg: String) -> Asked {
        let (cmd, cwd, user) = ("git".to_owned(), "/".to_owned(), "root".to_owned());
        Asked { cmd, args: vec![arg], env: Default::default(), cwd, user }
    }

    #[test]
    fn a_run_is_told_from_its_start_to_its_end() {
        let history = History::default();
        let run = history.began("a", &asked("clone".to_owned()), Duration::from_secs(1));
        assert_eq!((history.list().0[0].pid, history.list().0[0].ended), (None, None));
        run.started(7, Some("tag"));
        run.ended(Duration::from_secs(2), Some((3, "exit status: 3")));
        let told = &history.list().0[0];
        assert_eq!((&*told.program, told.pid, told.tag.as_deref()), ("a", Some(7), Some("tag")));
        assert_eq!((told.ended, told.exit_code), (Some(Duration::from_secs(2)), Some(3)));
    }

    #[test]
    fn the_oldest_go_first_and_are_counted() {
        let history = History::default();
        for _ in 0..MOST + 2 {
            history.began("a", &asked("x".to_owned()), Duration::ZERO);
        }
        assert_eq!((history.list().0.len(), history.list().1), (MOST, 2));
        history.began("large", &asked("x".repeat(MOST_BYTES)), Duration::ZERO);
        assert_eq!((history.list().0.len(), history.list().1), (1, MOST as u64 + 2));
        history.forget();
        assert_eq!(history.list(), (vec![], 0));
    }
}
