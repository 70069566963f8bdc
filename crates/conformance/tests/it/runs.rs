//! What a run does with its cases: second goes, order, what it leaves out, and subjects that misbehave.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use conformance::case::{Acted, Case, Isolation, Level};
use conformance::feature::Feature;
use conformance::observation::Observation;
use conformance::probe::{Probe, SetupError};
use conformance::profile::Claims;
use conformance::runner::{Config, Outcome};
use conformance::subject::{At, Embedded, Spawn, Subject, Subjects};
use conformance::suites;
use conformance::verdict::{Judged, Verdict};
use futures::future::BoxFuture;

use crate::hanging::Hanging;

type Act = for<'a> fn(&'a mut Probe) -> BoxFuture<'a, Acted>;

const HEALTH: Act = |p| Box::pin(async move { p.get("health", "/health").await });

fn judge(o: &Observation) -> Judged {
    o.at("health")?.status(200)
}

fn never(o: &Observation) -> Judged {
    o.at("health")?.status(299)
}

const GOOD: Case = Case { id: "a/good/one", act: HEALTH, judge, ..Case::BASE };
const BAD: Case = Case { id: "a/bad/one", act: HEALTH, judge: never, ..Case::BASE };

fn config(cases: &[Case]) -> Config {
    at(Arc::new(Embedded), cases)
}

fn at(subjects: Arc<dyn Subjects>, cases: &[Case]) -> Config {
    Config { claims: Claims::generation(2), ..Config::new(subjects, cases.to_vec()) }
}

async fn verdicts(config: Config) -> BTreeMap<&'static str, Verdict> {
    let report = conformance::run(config).await;
    report.outcomes.into_iter().map(|outcome| (outcome.case.id, outcome.verdict)).collect()
}

#[tokio::test]
async fn a_case_that_passes_alone_is_inconclusive() {
    static GOES: AtomicUsize = AtomicUsize::new(0);
    let act: Act = |p| {
        Box::pin(async move {
            let target = if GOES.fetch_add(1, SeqCst) == 0 { "/nope" } else { "/health" };
            p.get("health", target).await
        })
    };
    let report = conformance::run(config(&[Case { act, ..GOOD }])).await;
    let outcome = &report.outcomes[0];
    assert!(matches!(&outcome.verdict, Verdict::Inconclusive(why) if why.starts_with("passes alone")));
    assert!(matches!(outcome.earlier.as_ref().unwrap().verdict, Verdict::Fail(_)));
    assert_eq!(report.summary.exit_code(), 3);
}

#[tokio::test]
async fn a_failed_case_runs_again_alone() {
    static RUNNING: AtomicUsize = AtomicUsize::new(0);
    static GOES: AtomicUsize = AtomicUsize::new(0);
    static BESIDE: AtomicUsize = AtomicUsize::new(0);
    let counted: Act = |p| {
        Box::pin(async move {
            RUNNING.fetch_add(1, SeqCst);
            let done = p.get("health", "/health").await;
            RUNNING.fetch_sub(1, SeqCst);
            done
        })
    };
    let failing: Act = |p| {
        Box::pin(async move {
            let done = p.get("health", "/health").await;
            if GOES.fetch_add(1, SeqCst) > 0 {
                BESIDE.store(RUNNING.load(SeqCst), SeqCst);
            }
            done
        })
    };
    let others = ["a/x/1", "a/x/2", "a/x/3", "a/x/4", "a/x/5", "a/x/6"];
    let mut cases = vec![Case { act: failing, ..BAD }];
    cases.extend(others.map(|id| Case { id, act: counted, ..GOOD }));
    let verdicts = verdicts(config(&cases)).await;
    assert!(matches!(verdicts[BAD.id], Verdict::Fail(_)));
    assert_eq!((GOES.load(SeqCst), BESIDE.load(SeqCst)), (2, 0));
}

#[tokio::test]
async fn failures_that_look_the_same_run_again_three_times_in_all() {
    static GOES: AtomicUsize = AtomicUsize::new(0);
    let act: Act = |p| {
        Box::pin(async move {
            GOES.fetch_add(1, SeqCst);
            p.get("health", "/health").await
        })
    };
    let ids = ["a/x/1", "a/x/2", "a/x/3", "a/x/4", "a/x/5", "a/x/6"];
    let cases = ids.map(|id| Case { id, act, ..BAD });
    let report = conformance::run(config(&cases)).await;
    assert_eq!((report.summary.failed, GOES.load(SeqCst)), (6, 6 + 3));
}

#[tokio::test]
async fn a_claim_about_time_is_not_failed_by_a_harness_that_starves() {
    let hog: Act = |p| {
        Box::pin(async move {
            let until = Instant::now() + Duration::from_millis(300);
            while Instant::now() < until {
                std::hint::spin_loop();
            }
            p.get("health", "/health").await
        })
    };
    let timed = Case { id: "a/timed/one", act: hog, timing: true, ..BAD };
    let untimed = Case { id: "a/untimed/one", act: hog, ..BAD };
    let verdicts = verdicts(config(&[timed, untimed])).await;
    assert!(matches!(&verdicts[timed.id], Verdict::Inconclusive(why) if why.contains("kept from running")));
    assert!(matches!(verdicts[untimed.id], Verdict::Fail(_)));
}

#[tokio::test]
async fn a_negative_case_whose_twin_fails_is_inconclusive() {
    let twin = Case { id: "a/twin/bad", positive_control: Some(never), ..GOOD };
    let verdicts = verdicts(config(&[twin, GOOD])).await;
    assert!(matches!(&verdicts[twin.id], Verdict::Inconclusive(why) if why.contains("its twin")));
    assert_eq!(verdicts[GOOD.id], Verdict::Pass);
}

#[tokio::test]
async fn a_case_that_panics_is_the_harness_own_trouble_and_the_run_goes_on() {
    let act: Act = |_| Box::pin(async { panic!("a case of the test") });
    let verdicts = verdicts(config(&[Case { act, ..BAD }, GOOD])).await;
    assert!(matches!(&verdicts[BAD.id], Verdict::Inconclusive(why) if why.contains("panicked")));
    assert_eq!(verdicts[GOOD.id], Verdict::Pass);
}

#[tokio::test]
async fn what_is_not_for_the_subject_is_unsupported_and_what_changes_the_machine_waits_to_be_asked() {
    let cases = [
        Case { id: "a/x/other", generations: &[1, 3], ..GOOD },
        Case { id: "a/x/lacks", features: &[Feature::Volumes], ..GOOD },
        Case { id: "a/x/needs", needs: &["a/x/lacks"], ..GOOD },
        Case { id: "a/x/clock", disposable: true, ..GOOD },
        GOOD,
    ];
    let asked = verdicts(Config { disposable: true, ..config(&cases) }).await;
    let unasked = verdicts(config(&cases)).await;
    for id in ["a/x/other", "a/x/lacks", "a/x/needs"] {
        assert!(matches!(unasked[id], Verdict::Unsupported(_)), "{id}: {:?}", unasked[id]);
    }
    assert!(matches!(unasked["a/x/clock"], Verdict::Skip(_)));
    assert_eq!((&asked["a/x/clock"], &unasked[GOOD.id]), (&Verdict::Pass, &Verdict::Pass));
}

#[tokio::test]
async fn the_generation_is_read_from_the_mock() {
    let cases = [Case { id: "a/x/own", generations: &[2], features: &[Feature::Preload], ..GOOD }];
    assert_eq!(verdicts(Config::new(Arc::new(Embedded), cases.to_vec())).await["a/x/own"], Verdict::Pass);
}

#[tokio::test]
async fn the_first_failure_ends_a_run_that_was_asked_to_fail_fast() {
    let cases = [BAD, Case { id: "a/x/after", needs: &[BAD.id], ..GOOD }, Case { level: Level::May, ..BAD }];
    let report = conformance::run(Config { fail_fast: true, jobs: 1, ..config(&cases[..2]) }).await;
    assert!(matches!(report.outcomes[0].verdict, Verdict::Fail(_)));
    assert!(matches!(report.outcomes[1].verdict, Verdict::Skip(_) | Verdict::Blocked(_)));
    assert_eq!(report.summary.exit_code(), 1);
    let advised = conformance::run(Config { fail_fast: true, jobs: 1, ..config(&[cases[2], GOOD]) }).await;
    assert_eq!((advised.summary.passed, advised.summary.exit_code()), (1, 0));
}

#[tokio::test]
async fn a_seed_orders_and_a_repeat_repeats() {
    let ids = ["a/x/1", "a/x/2", "a/x/3", "a/x/4", "a/x/5", "a/x/6", "a/x/7", "a/x/8"];
    let cases = ids.map(|id| Case { id, ..GOOD });
    let order = async |seed, repeat| {
        let config = Config { seed, repeat, jobs: 1, ..config(&cases) };
        let outcomes = conformance::run(config).await.outcomes;
        outcomes.iter().map(|outcome: &Outcome| (outcome.case.id, outcome.round)).collect::<Vec<_>>()
    };
    let (listed, drawn) = (order(None, 2).await, order(Some(1), 1).await);
    assert_eq!(listed.len(), 16);
    assert_eq!(listed[..8], ids.map(|id| (id, 0)));
    assert_ne!(listed[..8], drawn);
    assert_eq!(drawn, order(Some(1), 1).await);
}

/// A server of a few lines that dies when it is asked to.
fn mortal(directory: &std::path::Path) -> Spawn {
    let script = directory.join("server.py");
    let server = "import http.server,os,sys\nclass H(http.server.BaseHTTPRequestHandler):\n  def do_GET(self):\n    \
                  if self.path == '/die': os.abort()\n    self.send_response(200); \
                  self.send_header('content-length','0'); self.end_headers()\n  def log_message(self, *a): pass\n\
                  http.server.ThreadingHTTPServer(('127.0.0.1',int(sys.argv[1])),H).serve_forever()";
    std::fs::write(&script, server).unwrap();
    let starts = directory.join("starts");
    let (starts, script) = (starts.display(), script.display());
    Spawn::command(&format!("echo >> {starts}; exec python3 {script} {{port}}")).unwrap()
}

fn starts(directory: &std::path::Path) -> usize {
    std::fs::read_to_string(directory.join("starts")).unwrap().lines().count()
}

const DIE: Act = |p| Box::pin(async move { p.get("health", "/die").await });

#[tokio::test]
async fn a_build_that_dies_is_started_again_and_only_the_culprit_fails() {
    let directory = tempfile::tempdir().unwrap();
    let mut cases = vec![GOOD, Case { act: DIE, ..BAD }];
    cases.extend(["a/x/1", "a/x/2", "a/x/3", "a/x/4", "a/x/5", "a/x/6"].map(|id| Case { id, ..GOOD }));
    let verdicts = verdicts(at(Arc::new(mortal(directory.path())), &cases)).await;
    for (id, verdict) in &verdicts {
        if *id != BAD.id {
            assert_eq!(verdict, &Verdict::Pass, "{id}");
        }
    }
    assert!(verdicts[BAD.id].message().contains("died: signal: 6"), "{:?}", verdicts[BAD.id]);
    assert_eq!(starts(directory.path()), 3, "at first, after the first death, and after the second one");
}

#[tokio::test]
async fn every_case_can_have_a_build_of_its_own() {
    let directory = tempfile::tempdir().unwrap();
    let cases =
        [GOOD, Case { id: "a/x/1", ..GOOD }, Case { id: "a/x/2", isolation: Isolation::Fresh, ..GOOD }];
    let config = Config { fresh: true, ..at(Arc::new(mortal(directory.path())), &cases) };
    assert_eq!(conformance::run(config).await.summary.passed, 3);
    assert_eq!(starts(directory.path()), 1 + 3);
}

/// With a tenth of the usual patience; what takes no waiting takes the same time as ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subject_whose_streams_never_end_is_judged_in_time() {
    let case_deadline = Duration::from_secs(1);
    let all: Vec<_> = suites::all().into_iter().filter(|case| !case.bulk).collect();
    let report = conformance::run(Config { case_deadline, ..at(Arc::new(Hanging), &all) }).await;
    assert_eq!(report.outcomes.len(), all.len());
    assert!(report.summary.failed > 0 && report.summary.blocked > 20, "{:?}", report.summary);
    assert_eq!(report.summary.exit_code(), 1);
    assert!(report.summary.took < Duration::from_secs(30), "{:?}", report.summary);
}

/// The embedded mock, of which it is known that it cannot show one case.
struct Unfit;

impl Subjects for Unfit {
    fn start(&self) -> BoxFuture<'_, Result<Subject, SetupError>> {
        Embedded.start()
    }

    fn unfit(&self, case: &Case) -> Option<String> {
        (case.id == BAD.id).then(|| "it has one id".to_owned())
    }

    fn name(&self) -> String {
        "unfit".to_owned()
    }
}

#[tokio::test]
async fn what_a_subject_cannot_show_is_unsupported_with_the_reason() {
    let verdicts = verdicts(at(Arc::new(Unfit), &[GOOD, BAD])).await;
    assert_eq!(verdicts[GOOD.id], Verdict::Pass);
    assert_eq!(verdicts[BAD.id], Verdict::Unsupported("it has one id".to_owned()));
}

#[test]
fn of_a_guest_at_an_address_nothing_is_known_to_be_unfit() {
    let (at, spawn) = (At::url("http://127.0.0.1:1").unwrap(), Spawn::command("x {port}").unwrap());
    for case in suites::all() {
        assert_eq!((at.unfit(&case), spawn.unfit(&case)), (None, None), "{}", case.id);
    }
}
