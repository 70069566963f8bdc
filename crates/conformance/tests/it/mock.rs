//! The embedded mock conforms, and what a run does with one that does not answer.

use std::sync::Arc;
use std::time::Duration;

use conformance::Report;
use conformance::case::Case;
use conformance::profile::Claims;
use conformance::runner::{Config, Outcome, Summary};
use conformance::select::Selection;
use conformance::subject::{At, Embedded, Subjects};
use conformance::suites;
use conformance::verdict::Verdict;
use conformance_mutants::Mutated;
use tokio::sync::OnceCell;

pub(crate) fn mutant(id: &str) -> Mutated {
    Mutated::by(conformance_mutants::all().into_iter().find(|mutant| mutant.id == id).unwrap().change)
}

pub(crate) async fn outcomes(subjects: Arc<dyn Subjects>, only: &[&str]) -> Vec<Outcome> {
    run(subjects, only).await.0
}

/// One run of everything but big data against the mock, for every test that looks at such outcomes; big data is for
/// the test target `suite`.
pub(crate) async fn all() -> &'static (Vec<Outcome>, Summary) {
    static ALL: OnceCell<(Vec<Outcome>, Summary)> = OnceCell::const_new();
    ALL.get_or_init(|| run(Arc::new(Embedded), &["*"])).await
}

/// Whether a mock of this process can be asked for it, in little time; at an address nobody says so.
fn fits(case: &Case) -> bool {
    !case.bulk && Embedded.unfit(case).is_none()
}

async fn run(subjects: Arc<dyn Subjects>, only: &[&str]) -> (Vec<Outcome>, Summary) {
    let all = suites::all();
    let only = only.iter().map(|&text| text.to_owned()).collect();
    let cases = Selection { only, skip: Vec::new() }.of(&all).unwrap().into_iter();
    let cases = cases.copied().filter(fits).collect();
    let config = Config { claims: Claims::generation(2), disposable: true, ..Config::new(subjects, cases) };
    let Report { outcomes, summary } = conformance::run(config).await;
    (outcomes, summary)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_mock_conforms() {
    let (outcomes, summary) = all().await;
    for Outcome { case, verdict, .. } in outcomes {
        let other = matches!(verdict, Verdict::Unsupported(_)) && !case.generations.is_empty();
        let unasked = matches!(verdict, Verdict::Skip(_)) && case.disposable;
        assert!(other || unasked || *verdict == Verdict::Pass, "{}: {verdict:?}", case.id);
    }
    let fitting = suites::all().iter().filter(|case| fits(case)).count();
    assert_eq!((outcomes.len(), summary.exit_code()), (fitting, 0));
}

#[tokio::test]
async fn a_subject_that_is_not_there_ends_the_run_as_untold() {
    let closed = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap();
    let (outcomes, summary) =
        run(Arc::new(At::url(&format!("http://{closed}")).unwrap()), &["routes/*"]).await;
    assert!(summary.broken.unwrap().contains("did not get to the subject"));
    let untold = |outcome: &Outcome| !matches!(outcome.verdict, Verdict::Pass | Verdict::Fail(_));
    assert!(outcomes.iter().all(untold));
}

#[tokio::test]
async fn cases_that_rest_on_a_failed_one_are_blocked() {
    let only = ["process/start/events", "process/start/cwd"];
    let (outcomes, summary) = run(Arc::new(mutant("start/end-lost")), &only).await;
    assert!(matches!(outcomes[0].verdict, Verdict::Fail(_)));
    assert_eq!(outcomes[1].verdict, Verdict::Blocked("process/start/events"));
    assert_eq!((summary.exit_code(), summary.failed, summary.blocked), (1, 1, 1));
}

#[tokio::test]
async fn a_guest_at_an_address_is_left_as_it_was() {
    let mock = Embedded.start().await.unwrap();
    let (_, summary) = run(Arc::new(At::url(&format!("http://{}", mock.address)).unwrap()), &["*"]).await;
    assert_eq!((summary.exit_code(), summary.failed, summary.blocked), (0, 0, 0));
    assert!(summary.skipped > 0, "cases that need a fresh guest are told, not run");
    let cleanup = conformance::probe::CleanupList::default();
    let at = (mock.address, mock.host.clone());
    let mut probe = conformance::probe::Probe::new(at, "check", "after", Duration::from_secs(5), cleanup);
    let list = serde_json::json!({ "path": "/tmp" });
    let left = probe.unary("tmp", "filesystem.Filesystem/ListDir", list).await.unwrap();
    assert_eq!(left, serde_json::json!({}));
    let running = probe.unary("ps", "process.Process/List", serde_json::json!({})).await.unwrap();
    assert_eq!(running, serde_json::json!({}));
}
