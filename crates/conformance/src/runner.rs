//! Runs cases: their order, their deadlines, their subjects, second goes, and the cleaning up; tells all of it as events.
//! Prints nothing and judges nothing itself.

mod attempt;
mod cleanup;
mod event;
mod queue;
mod redact;
mod retry;
mod scheduler_lag;
mod signature;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use self::attempt::{Attempt, AttemptReport};
use self::cleanup::CLEANUP;
use self::queue::{Queue, Unmet};
use self::scheduler_lag::LagMonitor;
use self::signature::FailureSignatures;
use crate::case::{Case, Isolation, Level};
use crate::known::Known;
use crate::probe::CleanupList;
use crate::profile::{Claims, Profile};
use crate::subject::{Subject, Subjects};
use crate::verdict::Verdict;

pub use self::attempt::UNFINISHED;
pub(crate) use self::cleanup::clean_up;
pub use self::event::{AttemptOutcome, Began, Event, Outcome, Summary};

/// So many cases in a row that cannot reach the subject end the run.
const DEAD_AFTER: usize = 3;
/// So many goes that were waited for in vain make the run hasty, if one of them was alone.
const HASTY_AFTER: usize = 4;
/// A hasty run gives cases this part of their deadline.
const HASTE: u32 = 10;
/// A case of big data may take so many times the deadline.
const BULK: u32 = 6;

/// How to run.
pub struct Config {
    /// Where subjects come from.
    pub subjects: Arc<dyn Subjects>,
    /// What to run.
    pub cases: Vec<Case>,
    /// What is said of the subject; the rest is asked.
    pub claims: Claims,
    /// Failures that are known.
    pub known: Known,
    /// How many cases at once.
    pub jobs: usize,
    /// How long one case may take; one answer may take half of it.
    pub case_deadline: Duration,
    /// Whether every case gets a fresh subject.
    pub fresh: bool,
    /// Whether the machine may be changed.
    pub disposable: bool,
    /// Whether the first failure of level must ends the run.
    pub fail_fast: bool,
    /// How often everything is run.
    pub repeat: usize,
    /// What the order is drawn from; absent: as listed.
    pub seed: Option<u64>,
    /// Cancelled: no further case begins, and the run cleans up and ends.
    pub stop: CancellationToken,
}

impl Config {
    /// `cases` at `subjects`, everything else as the command does it unasked.
    pub fn new(subjects: Arc<dyn Subjects>, cases: Vec<Case>) -> Self {
        Self {
            subjects,
            cases,
            claims: Claims::default(),
            known: Known::default(),
            jobs: 4,
            case_deadline: Duration::from_secs(10),
            fresh: false,
            disposable: false,
            fail_fast: false,
            repeat: 1,
            seed: None,
            stop: CancellationToken::new(),
        }
    }
}

/// What is told of each event.
pub type Tell<'a> = &'a mut (dyn FnMut(&Event) + Send);

/// Runs all cases of `config` and tells `tell`.
pub async fn run(config: Config, tell: Tell<'_>) -> Summary {
    let since = Instant::now();
    let mut summary = match config.subjects.start().await {
        Ok(shared) => Run::begin(config, shared, tell).await.all(tell).await,
        Err(trouble) => {
            let (subject, cases, seed) = (config.subjects.name(), config.cases.len(), config.seed);
            tell(&Event::Began(Box::new(Began { subject, cases, seed, profile: Profile::default() })));
            Summary { broken: Some(trouble.to_string()), ..Summary::default() }
        }
    };
    summary.took = since.elapsed();
    tell(&Event::Ended(summary.clone()));
    summary
}

struct Run {
    config: Config,
    profile: Profile,
    shared: Arc<Subject>,
    mark: String,
    cleanup: CleanupList,
    watch: LagMonitor,
    round: usize,
    queue: Queue,
    suspects: Vec<Suspect>,
    signatures: FailureSignatures,
    unreached: usize,
    /// Goes that were waited for in vain.
    in_vain: usize,
    /// Whether one of them was alone, and so no fault of the harness.
    in_vain_alone: bool,
    /// No further case begins.
    over: bool,
    summary: Summary,
}

/// A case that failed among others and is to be run again alone.
struct Suspect {
    case: Case,
    first: AttemptOutcome,
    /// The first go does not count: the subject died under it.
    void: bool,
}

/// What a task of the run comes back with.
struct Done {
    case: Case,
    gone: AttemptReport,
    /// The first go, if this was the second one.
    suspect: Option<Suspect>,
    /// It had less than its usual time.
    hasty: bool,
}

impl Run {
    async fn begin(config: Config, shared: Subject, tell: Tell<'_>) -> Self {
        let profile = Profile::of(&shared, &config.claims).await;
        let cases = config.cases.len() * config.repeat.max(1);
        let (subject, seed) = (config.subjects.name(), config.seed);
        tell(&Event::Began(Box::new(Began { subject, cases, seed, profile: profile.clone() })));
        let name = uuid::Uuid::new_v4().simple().to_string();
        Self {
            config,
            profile,
            shared: Arc::new(shared),
            mark: format!("envd-conformance-{}", &name[..8]),
            cleanup: CleanupList::default(),
            watch: LagMonitor::begin(),
            round: 0,
            queue: Queue::default(),
            suspects: Vec::new(),
            signatures: FailureSignatures::default(),
            unreached: 0,
            in_vain: 0,
            in_vain_alone: false,
            over: false,
            summary: Summary::default(),
        }
    }

    async fn all(mut self, tell: Tell<'_>) -> Summary {
        for round in 0..self.config.repeat.max(1) {
            self.round = round;
            let seed = self.config.seed.map(|seed| seed.wrapping_add(round as u64));
            self.queue = Queue::new(&self.config.cases, seed);
            self.one_round(tell).await;
        }
        if !self.over {
            self.revive().await;
        }
        // A subject that takes no call has nothing cleanup: the summary has said so already.
        let _ = timeout(CLEANUP, clean_up(&self.shared, &self.mark, &self.cleanup)).await;
        self.summary.stale = self.config.known.complaints();
        self.summary
    }

    async fn one_round(&mut self, tell: Tell<'_>) {
        let mut running: JoinSet<Done> = JoinSet::new();
        let stop = self.config.stop.clone();
        loop {
            self.begin_some(&mut running, tell).await;
            tokio::select! {
                done = running.join_next() => match done {
                    Some(Ok(done)) => self.done(done, tell),
                    Some(Err(error)) => self.broken(format!("harness: a task of the run ended: {error}")),
                    None => break,
                },
                () = stop.cancelled() => {
                    self.broken("stopped on request".to_owned());
                    break;
                }
            }
        }
        running.shutdown().await;
        self.abandon(tell);
    }

    fn broken(&mut self, why: String) {
        self.over = true;
        self.summary.broken.get_or_insert(why);
    }

    /// Begins as many cases as may run now: one suspect alone, or others beside one another.
    async fn begin_some(&mut self, running: &mut JoinSet<Done>, tell: Tell<'_>) {
        if !running.is_empty() && self.urgent().is_some() {
            return;
        }
        while !self.over && self.urgent().is_none() && running.len() < self.config.jobs.max(1) {
            let Some(case) = self.queue.next() else { break };
            if let Some((verdict, known)) = self.not_run(&case) {
                self.settle(Outcome { known, ..Outcome::unrun(case, self.round, verdict) }, tell);
            } else {
                self.spawn(running, case, None, tell).await;
            }
        }
        if !self.over && running.is_empty() && !self.suspects.is_empty() {
            let suspect = self.suspects.remove(self.urgent().unwrap_or(0));
            self.spawn(running, suspect.case, Some(suspect), tell).await;
        }
    }

    /// A suspect on which others wait.
    fn urgent(&self) -> Option<usize> {
        let urgent = |suspect: &Suspect| self.config.fail_fast || self.queue.waits_for(suspect.case.id);
        self.suspects.iter().position(urgent)
    }

    fn not_run(&self, case: &Case) -> Option<(Verdict, Option<String>)> {
        if let Some(why) = self.profile.lacks(case.generations, case.features) {
            return Some((Verdict::Unsupported(why), None));
        }
        if let Some(why) = self.config.subjects.unfit(case) {
            return Some((Verdict::Unsupported(why), None));
        }
        let skip = |why: &str| Some((Verdict::Skip(why.to_owned()), None));
        if case.disposable && !self.config.disposable {
            return skip("changes the machine: runs with --disposable only");
        }
        if case.isolation == Isolation::Fresh && !self.config.subjects.renewable() {
            return skip("needs a fresh subject, which --url cannot give");
        }
        self.queue.held_back(case)
    }

    async fn spawn(
        &mut self,
        running: &mut JoinSet<Done>,
        case: Case,
        suspect: Option<Suspect>,
        tell: Tell<'_>,
    ) {
        self.revive().await;
        if self.over {
            return self.settle(Outcome::unrun(case, self.round, unturned()), tell);
        }
        tell(&Event::Started { case: case.id, again: suspect.is_some() });
        let hasty = self.in_vain_alone && self.in_vain >= HASTY_AFTER && suspect.is_none();
        let mut go = self.go(case, suspect.is_some());
        go.deadline /= if hasty { HASTE } else { 1 };
        running.spawn(async move { Done { case, gone: go.run().await, suspect, hasty } });
    }

    /// A build that has died is started again.
    async fn revive(&mut self) {
        if self.shared.ended().is_none() {
            return;
        }
        match self.config.subjects.start().await {
            Ok(subject) => self.shared = Arc::new(subject),
            Err(trouble) => self.broken(format!("it died and does not come up again: {trouble}")),
        }
    }

    fn go(&self, case: Case, again: bool) -> Attempt {
        let again = if again { "+alone" } else { "" };
        let round = if self.round == 0 { String::new() } else { format!("+{}", self.round) };
        Attempt {
            case,
            name: format!("{}{round}{again}", case.id),
            mark: self.mark.clone(),
            cleanup: Arc::clone(&self.cleanup),
            dialect: self.profile.dialect(),
            subjects: Arc::clone(&self.config.subjects),
            shared: Arc::clone(&self.shared),
            fresh: self.config.fresh,
            deadline: self.config.case_deadline * if case.bulk { BULK } else { 1 },
            waits: case.waits,
            ticks: self.watch.late(),
        }
    }

    fn done(&mut self, done: Done, tell: Tell<'_>) {
        let Done { case, gone: AttemptReport { attempt, reached, died }, suspect, hasty } = done;
        self.in_vain += usize::from(attempt.late && !hasty);
        self.in_vain_alone |= attempt.late && suspect.is_some();
        self.unreached = if reached || died.is_some() { 0 } else { self.unreached + 1 };
        if self.unreached == DEAD_AFTER {
            let why = attempt.verdict.message();
            self.broken(format!("{DEAD_AFTER} cases in a row did not get to the subject: {why}"));
        }
        if hasty && attempt.late && died.is_none() {
            let verdict = retry::hasty(&attempt);
            return self.settle(Outcome { verdict, ..Outcome::of(case, self.round, attempt) }, tell);
        }
        let Some(suspect) = suspect else { return self.first(case, attempt, died, tell) };
        let mut verdict = retry::settled(&case, &suspect.first, suspect.void, &attempt);
        if let Some(death) = died {
            verdict = retry::with_death(verdict, &death);
        }
        let earlier = Some(Box::new(suspect.first));
        self.settle(Outcome { verdict, earlier, ..Outcome::of(case, self.round, attempt) }, tell);
    }

    /// The first go of a case: settled, or suspect.
    fn first(&mut self, case: Case, attempt: AttemptOutcome, died: Option<String>, tell: Tell<'_>) {
        let void = died.is_some();
        let suspicious = void
            || match &attempt.verdict {
                Verdict::Fail(finding) => self.signatures.worth(&case, finding, attempt.late),
                Verdict::Inconclusive(why) => self.signatures.worth_unclear(&case, why),
                _ => false,
            };
        if suspicious && !self.over {
            return self.suspects.push(Suspect { case, first: attempt, void });
        }
        let verdict = retry::at_its_word(&case, &attempt);
        self.settle(Outcome { verdict, ..Outcome::of(case, self.round, attempt) }, tell);
    }

    fn settle(&mut self, mut outcome: Outcome, tell: Tell<'_>) {
        if outcome.known.is_none() {
            outcome.known = self.config.known.judge(outcome.case.id, &outcome.verdict);
        }
        let known = outcome.known.clone();
        let unmet = match &outcome.verdict {
            Verdict::Pass => None,
            Verdict::Fail(_) | Verdict::Inconclusive(_) | Verdict::Blocked(_) => {
                Some(Unmet::Failed { known })
            }
            Verdict::Unsupported(_) => Some(Unmet::Unsupported),
            Verdict::Skip(_) => Some(Unmet::Skipped),
        };
        self.queue.settle(outcome.case.id, unmet);
        self.summary.count(&outcome);
        let failed = matches!(outcome.verdict, Verdict::Fail(_)) && outcome.known.is_none();
        self.over |= self.config.fail_fast && failed && outcome.case.level == Level::Must;
        tell(&Event::Finished(Box::new(outcome)));
    }

    /// What will not be run any more; a suspect keeps what its first go came to.
    fn abandon(&mut self, tell: Tell<'_>) {
        for suspect in std::mem::take(&mut self.suspects) {
            let why = format!("not run again alone; it was: {}", suspect.first.verdict.message());
            let verdict = Verdict::Inconclusive(why);
            self.settle(Outcome { verdict, ..Outcome::of(suspect.case, self.round, suspect.first) }, tell);
        }
        for case in self.queue.abandon() {
            self.settle(Outcome::unrun(case, self.round, unturned()), tell);
        }
    }
}

fn unturned() -> Verdict {
    Verdict::Skip("the run ended before its turn".to_owned())
}
