//! Runs cases: their order, their deadlines, their subjects, and the cleaning up; tells all of it as events. Prints
//! nothing and judges nothing itself.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::case::{Case, Ground, Level};
use crate::observation::Observation;
use crate::probe::{Ask, Probe, Swept, Trouble};
use crate::subject::{Subject, Subjects};
use crate::verdict::{Finding, Verdict, judge};

/// So many cases in a row that cannot reach the subject end the run.
const DEAD_AFTER: usize = 3;
const SWEEP: Duration = Duration::from_secs(5);

/// How to run.
pub struct Config {
    /// Where subjects come from.
    pub subjects: Arc<dyn Subjects>,
    /// What to run.
    pub cases: Vec<Case>,
    /// How many cases at once.
    pub jobs: usize,
    /// How long one case may take; one answer may take half of it.
    pub case_deadline: Duration,
    /// Cancelled: no further case begins, and the run cleans up and ends.
    pub stop: CancellationToken,
}

/// What happens in a run, in order.
#[derive(Debug)]
pub enum Event {
    /// The run begins.
    Began {
        /// What the subject is called.
        subject: String,
        /// How many cases there are.
        cases: usize,
    },
    /// A case is over.
    Finished(Box<Outcome>),
    /// The run is over.
    Ended(Summary),
}

/// What became of a case.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The case.
    pub case: Case,
    /// What it came to.
    pub verdict: Verdict,
    /// What was seen.
    pub observation: Observation,
    /// How long it took.
    pub took: Duration,
}

/// What became of a run.
#[derive(Debug, Clone, Default)]
pub struct Summary {
    /// Cases that hold.
    pub passed: usize,
    /// Failed cases of level must.
    pub failed: usize,
    /// Failed cases of level should or may.
    pub advised: usize,
    /// Cases that could not tell.
    pub inconclusive: usize,
    /// Cases that were not run for a failed one.
    pub blocked: usize,
    /// Cases that were not run for another reason.
    pub skipped: usize,
    /// Why the run ended before its time.
    pub broken: Option<String>,
    /// How long it took.
    pub took: Duration,
}

impl Summary {
    /// 0 conforms, 1 does not, 3 cannot be told.
    pub fn exit_code(&self) -> u8 {
        if self.broken.is_some() {
            3
        } else if self.failed > 0 {
            1
        } else if self.inconclusive + self.blocked > 0 || self.passed == 0 {
            3
        } else {
            0
        }
    }

    fn count(&mut self, outcome: &Outcome) {
        let counter = match (&outcome.verdict, outcome.case.level) {
            (Verdict::Pass, _) => &mut self.passed,
            (Verdict::Fail(_), Level::Must) => &mut self.failed,
            (Verdict::Fail(_), Level::Should | Level::May) => &mut self.advised,
            (Verdict::Inconclusive(_), _) => &mut self.inconclusive,
            (Verdict::Blocked(_), _) => &mut self.blocked,
            (Verdict::Skip(_), _) => &mut self.skipped,
        };
        *counter += 1;
    }
}

/// Runs all cases of `config` and tells `tell`.
pub async fn run(config: Config, tell: &mut (dyn FnMut(&Event) + Send)) -> Summary {
    let since = Instant::now();
    tell(&Event::Began { subject: config.subjects.name(), cases: config.cases.len() });
    let mut summary = match config.subjects.start().await {
        Ok(shared) => Run::new(config, shared).all(tell).await,
        Err(trouble) => Summary { broken: Some(trouble.to_string()), ..Summary::default() },
    };
    summary.took = since.elapsed();
    tell(&Event::Ended(summary.clone()));
    summary
}

struct Run {
    config: Config,
    shared: Arc<Subject>,
    mark: String,
    swept: Swept,
    waiting: Vec<Case>,
    unsettled: BTreeSet<&'static str>,
    unmet: BTreeSet<&'static str>,
    unreached: usize,
    summary: Summary,
}

type Done = (Outcome, bool);

impl Run {
    fn new(mut config: Config, shared: Subject) -> Self {
        let name = uuid::Uuid::new_v4().simple().to_string();
        Self {
            unsettled: config.cases.iter().map(|case| case.id).collect(),
            waiting: std::mem::take(&mut config.cases),
            config,
            shared: Arc::new(shared),
            mark: format!("envd-conformance-{}", &name[..8]),
            swept: Swept::default(),
            unmet: BTreeSet::new(),
            unreached: 0,
            summary: Summary::default(),
        }
    }

    async fn all(mut self, tell: &mut (dyn FnMut(&Event) + Send)) -> Summary {
        let mut running: JoinSet<Done> = JoinSet::new();
        let stop = self.config.stop.clone();
        loop {
            self.begin(&mut running, tell);
            tokio::select! {
                done = running.join_next() => match done {
                    Some(Ok(done)) => self.done(done, tell),
                    Some(Err(error)) => self.summary.broken = Some(format!("harness: a case panicked: {error}")),
                    None => break,
                },
                () = stop.cancelled() => {
                    self.summary.broken = Some("stopped on request".to_owned());
                    break;
                }
            }
        }
        running.shutdown().await;
        self.abandon(tell);
        // A subject that takes no call has nothing swept: the summary has said so already.
        let _ = timeout(SWEEP, self.sweep()).await;
        self.summary
    }

    fn begin(&mut self, running: &mut JoinSet<Done>, tell: &mut (dyn FnMut(&Event) + Send)) {
        while self.summary.broken.is_none() && running.len() < self.config.jobs.max(1) {
            let Some(case) = self.next() else { return };
            if let Some(verdict) = self.not_run(&case) {
                self.settle(unrun(case, verdict), tell);
            } else {
                running.spawn(self.task(case));
            }
        }
    }

    /// The first case whose needs are all settled; needs outside the selection do not count.
    fn next(&mut self) -> Option<Case> {
        let ready = |case: &Case| case.needs.iter().all(|need| !self.unsettled.contains(need));
        let at = self.waiting.iter().position(ready)?;
        Some(self.waiting.remove(at))
    }

    fn not_run(&self, case: &Case) -> Option<Verdict> {
        if case.ground == Ground::Own && !self.config.subjects.renewable() {
            return Some(Verdict::Skip("needs a fresh subject, which --url cannot give".to_owned()));
        }
        case.needs.iter().find(|need| self.unmet.contains(*need)).map(|need| Verdict::Blocked(need))
    }

    fn task(&self, case: Case) -> impl Future<Output = Done> + Send + 'static {
        let (subjects, shared) = (Arc::clone(&self.config.subjects), Arc::clone(&self.shared));
        let (mark, swept, deadline) = (self.mark.clone(), Arc::clone(&self.swept), self.config.case_deadline);
        async move {
            let since = Instant::now();
            let subject = match case.ground {
                Ground::Shared => Ok(shared),
                Ground::Own => subjects.start().await.map(Arc::new),
            };
            let (observation, verdict, reached) = match subject {
                Ok(subject) => {
                    let at = (subject.address, subject.host.clone());
                    one(&case, Probe::new(at, &mark, case.id, deadline / 2, swept), deadline).await
                }
                Err(trouble) => (Observation::default(), Verdict::Inconclusive(trouble.to_string()), false),
            };
            (Outcome { case, verdict, observation, took: since.elapsed() }, reached)
        }
    }

    fn done(&mut self, (outcome, reached): Done, tell: &mut (dyn FnMut(&Event) + Send)) {
        self.unreached = if reached { 0 } else { self.unreached + 1 };
        if self.unreached == DEAD_AFTER {
            let Verdict::Inconclusive(why) = &outcome.verdict else { return };
            self.summary.broken =
                Some(format!("{DEAD_AFTER} cases in a row did not get to the subject: {why}"));
        }
        self.settle(outcome, tell);
    }

    fn settle(&mut self, outcome: Outcome, tell: &mut (dyn FnMut(&Event) + Send)) {
        self.unsettled.remove(outcome.case.id);
        if outcome.verdict != Verdict::Pass {
            self.unmet.insert(outcome.case.id);
        }
        self.summary.count(&outcome);
        tell(&Event::Finished(Box::new(outcome)));
    }

    fn abandon(&mut self, tell: &mut (dyn FnMut(&Event) + Send)) {
        for case in std::mem::take(&mut self.waiting) {
            let verdict = Verdict::Skip("the run ended before its turn".to_owned());
            self.settle(unrun(case, verdict), tell);
        }
    }

    /// Ends every process that was started under a tag of the run, and removes the run's directory.
    async fn sweep(&self) {
        let at = (self.shared.address, self.shared.host.clone());
        let mut probe = Probe::new(at, &self.mark, "sweep", SWEEP / 5, Swept::default());
        let tags = std::mem::take(&mut *self.swept.lock().unwrap_or_else(PoisonError::into_inner));
        let listed = probe.unary("list", "process.Process/List", json!({})).await.unwrap_or_default();
        let text = listed.to_string();
        for tag in tags.iter().filter(|tag| text.contains(*tag) || !listed.is_object()) {
            let message = json!({ "process": { "tag": tag }, "signal": "SIGNAL_SIGKILL" });
            if probe.send("kill", Ask::unary("process.Process/SendSignal", &message)).await.is_err() {
                return;
            }
        }
        let path = format!("/tmp/{}", self.mark);
        // Nothing there is no matter: then no case has written anything.
        let _ = probe.unary("remove", "filesystem.Filesystem/Remove", json!({ "path": path })).await;
    }
}

fn unrun(case: Case, verdict: Verdict) -> Outcome {
    Outcome { case, verdict, observation: Observation::default(), took: Duration::ZERO }
}

/// Acts and judges; the flag says whether the subject was reached.
async fn one(case: &Case, mut probe: Probe, deadline: Duration) -> (Observation, Verdict, bool) {
    let acted = timeout(deadline, (case.act)(&mut probe)).await;
    let observation = probe.into_observation();
    let (verdict, reached) = match acted {
        Ok(Ok(())) => (judge(case, &observation), true),
        Ok(Err(trouble @ (Trouble::Connect { .. } | Trouble::Start(_)))) => {
            (Verdict::Inconclusive(trouble.to_string()), false)
        }
        Ok(Err(trouble)) => (unfinished(judge(case, &observation), &trouble.to_string(), &observation), true),
        Err(_) => {
            let why = format!("its answers did not all come within {deadline:?}");
            (unfinished(judge(case, &observation), &why, &observation), true)
        }
    };
    (observation, verdict, reached)
}

/// A case that could not finish does not pass; what its judge has seen wrong goes first.
fn unfinished(verdict: Verdict, why: &str, observation: &Observation) -> Verdict {
    match verdict {
        Verdict::Fail(finding) => Verdict::Fail(finding),
        _ => Verdict::Fail(Finding {
            step: observation.steps.last().map(|step| step.label.clone()).unwrap_or_default(),
            expected: "answers with which the case can go on".to_owned(),
            observed: why.to_owned(),
        }),
    }
}
