//! Reports, from outside: what the command writes, that it can be read, and that it says how to see a failure again.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use conformance::report::json::{self, Record};
use conformance::subject::{At, Embedded, Subject, Subjects};
use conformance::suites;

use crate::mock::mutant;
use crate::mock::outcomes;

fn kit(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_envd-conformance")).args(args).output().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned()
}

/// A build of a few lines: it answers GET /health in a way that lacks the no-store.
fn build(directory: &Path) -> String {
    let script = directory.join("server.py");
    let server = "import http.server,sys\nclass H(http.server.BaseHTTPRequestHandler):\n  def do_GET(self):\n    \
                  self.send_response(200); self.end_headers(); self.wfile.write(b'{\"version\":\"1\"}')\n  \
                  do_HEAD = do_GET\n  def log_message(self, *a): pass\n\
                  http.server.ThreadingHTTPServer(('127.0.0.1',int(sys.argv[1])),H).serve_forever()";
    std::fs::write(&script, server).unwrap();
    format!("exec python3 {} {{port}}", script.display())
}

struct Reports {
    directory: tempfile::TempDir,
    output: Output,
}

impl Reports {
    fn of(args: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = |name: &str| directory.path().join(name).display().to_string();
        let [json, tap, html, badge, junit, bundle] =
            ["json", "tap", "html", "badge", "junit", "bundle"].map(|name| [format!("--{name}"), file(name)]);
        let files = [json, tap, html, badge, junit, bundle].concat();
        let args: Vec<&str> = files.iter().map(String::as_str).chain(args.iter().copied()).collect();
        let output = kit(&args);
        Self { directory, output }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }
}

#[test]
fn each_report_tells_the_same_run() {
    let directory = tempfile::tempdir().unwrap();
    let run = Reports::of(&[
        "--spawn",
        &build(directory.path()),
        "--only",
        "health/get/version",
        "--only",
        "health/head/*",
        "--generation",
        "2",
    ]);
    assert_eq!(run.output.status.code(), Some(1), "{}", text(&run.output));

    let lines: Vec<serde_json::Value> =
        run.read("json").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let kinds: Vec<_> = lines.iter().map(|line| line["event"].as_str().unwrap()).collect();
    assert_eq!((kinds[0], kinds.last(), &lines[0]["schema"]), ("began", Some(&"ended"), &1.into()));
    assert_eq!(lines.last().unwrap()["exit_code"], 1);
    let records = json::read(&run.path("json")).unwrap();
    let failed: Vec<_> = records.iter().filter(|record| record.verdict == "fail").collect();
    assert_eq!((records.len(), failed.len(), failed[0].id.as_str()), (2, 1, "health/get/version"));
    assert!(failed[0].again && failed[0].expected.as_ref().unwrap().contains("no-store"));

    let tap = run.read("tap");
    assert!(tap.starts_with("TAP version 14\n1..2\n"), "{tap}");
    assert!(
        tap.lines().any(|line| line.starts_with("not ok") && line.ends_with("health/get/version")),
        "{tap}"
    );
    assert!(tap.lines().any(|line| line.starts_with("ok") && line.contains("health/head/no-body")), "{tap}");
    assert!(run.read("junit").contains("failures=\"1\""));
    assert!(run.read("badge").contains("1 of 2") && run.read("badge").contains("#c62828"));
    assert_eq!(std::fs::read_dir(run.path("bundle")).unwrap().count(), 2);
}

#[test]
fn the_page_is_well_formed_and_needs_nothing_else() {
    let run = Reports::of(&["--only", "health/*", "--only", "process/start/*", "--only", "init/token/*"]);
    assert_eq!(run.output.status.code(), Some(0), "{}", text(&run.output));
    let page = run.read("html");
    let mut reader = quick_xml::Reader::from_str(&page);
    let mut names = BTreeSet::new();
    loop {
        match reader.read_event().unwrap() {
            quick_xml::events::Event::Eof => break,
            quick_xml::events::Event::Start(tag) | quick_xml::events::Event::Empty(tag) => {
                let name = String::from_utf8_lossy(tag.name().as_ref()).into_owned();
                for attribute in tag.attributes() {
                    let key = String::from_utf8_lossy(attribute.unwrap().key.as_ref()).into_owned();
                    assert!(
                        !["src", "href", "srcset", "data", "action"].contains(&key.as_str()),
                        "{name} {key}"
                    );
                }
                names.insert(name);
            }
            _ => {}
        }
    }
    assert!(["svg", "input", "details", "pre"].iter().all(|name| names.contains(*name)), "{names:?}");
    assert!(!["link", "img", "iframe", "object"].iter().any(|name| names.contains(*name)), "{names:?}");
    assert!(!page.contains("url(") && !page.contains("@import") && !page.contains("fetch("));
    for id in ["health/get/version", "process/start/exit-code"] {
        assert!(page.contains(id), "{id}");
    }
}

#[test]
fn no_report_holds_a_token() {
    let run = Reports::of(&["--only", "init/token/*", "--only", "files/sign*/*"]);
    let mut all = text(&run.output);
    for name in ["json", "tap", "html", "badge", "junit"] {
        all += &run.read(name);
    }
    let bundle = conformance::report::saved(&run.path("bundle")).unwrap();
    let sent = bundle.iter().flat_map(|saved| &saved.observation.steps).map(|step| &step.exchange.sent);
    let bodies = sent.map(|sent| String::from_utf8_lossy(sent).into_owned()).collect::<String>();
    assert!(bodies.contains("\"access_token\":\""), "the cases set tokens");
    for secret in ["s3cret", "v1_W0H7"] {
        assert!(!all.contains(secret) && !bodies.contains(secret), "{secret}");
    }
}

#[test]
fn a_bundle_is_judged_again_without_a_subject() {
    let run = Reports::of(&["--only", "process/start/*", "--only", "init/token/*", "--only", "health/*"]);
    assert_eq!(run.output.status.code(), Some(0), "{}", text(&run.output));
    let bundle = run.path("bundle");
    let output = kit(&["regrade", bundle.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert!(text(&output).contains(" 0 failed, 0 inconclusive, 0 were not run"), "{}", text(&output));

    let file = bundle.join("health.get.version.0.json");
    let changed = std::fs::read_to_string(&file).unwrap().replace("no-store", "public");
    std::fs::write(&file, changed).unwrap();
    let output = kit(&["regrade", bundle.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    assert!(text(&output).contains("fail (was pass) health/get/version"), "{}", text(&output));
    assert_eq!(kit(&["regrade", "/nowhere"]).status.code(), Some(2));
}

#[test]
fn what_is_accepted_no_longer_fails_and_may_not_rot() {
    let directory = tempfile::tempdir().unwrap();
    let build = build(directory.path());
    let path = |name: &str| directory.path().join(name).display().to_string();
    let (report, known) = (path("report.json"), path("known.toml"));
    let run =
        ["--spawn", &build, "--only", "health/get/version", "--only", "health/head/*", "--generation", "2"];
    assert_eq!(kit(&[&run[..], &["--json", &report]].concat()).status.code(), Some(1));
    let accept = ["accept", "--report", &report, "-o", &known];
    assert_eq!(kit(&[&accept[..], &["--reason", " "]].concat()).status.code(), Some(2));
    let accepted = kit(&[&accept[..], &["--reason", "it is a toy"]].concat());
    assert_eq!(accepted.status.code(), Some(0), "{}", text(&accepted));

    let output = kit(&[&run[..], &["--known", &known]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert!(text(&output).contains("1 known (fail): it is a toy"), "{}", text(&output));

    let anew = kit(&[&accept[..], &["--reason", "another"]].concat());
    assert_eq!(anew.status.code(), Some(0), "{}", text(&anew));
    assert!(std::fs::read_to_string(&known).unwrap().contains("it is a toy"));

    let mended = kit(&["--only", "health/*", "--known", &known]);
    assert_eq!(mended.status.code(), Some(1), "{}", text(&mended));
    assert!(text(&mended).contains("is known to fail, and passes"), "{}", text(&mended));

    let old = std::fs::read_to_string(&known).unwrap() + "expires = \"2000-01-01\"\n";
    std::fs::write(&known, old).unwrap();
    let expired = kit(&[&run[..], &["--known", &known]].concat());
    assert_eq!(expired.status.code(), Some(1), "{}", text(&expired));
    assert!(text(&expired).contains("has expired"), "{}", text(&expired));
}

/// What stands indented below the line that announces it.
fn commands(record: &Record) -> String {
    let mut lines = record.evidence.iter().skip_while(|line| !line.starts_with("see it again"));
    assert!(lines.next().is_some(), "{record:#?}");
    lines.map(|line| line.trim_start()).collect::<Vec<_>>().join("\n")
}

fn shell(script: &str) -> String {
    let output = Command::new("/bin/sh").args(["-c", script]).stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{script}: {}", text(&output));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

async fn failure(subject: &Subject, id: &str) -> Record {
    let at = At::url(&format!("http://{}", subject.address)).unwrap();
    let outcomes = outcomes(Arc::new(at), &[id]).await;
    let record = Record::of(&outcomes[0]);
    assert_eq!(record.verdict, "fail", "{record:#?}");
    record
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_printed_command_shows_the_failure_again() {
    let broken = mutant("start/end-lost").start().await.unwrap();
    let record = failure(&broken, "process/start/events").await;
    let shown = shell(&commands(&record));
    assert!(shown.contains("\"start\":{\"pid\":") && !shown.contains("\"end\""), "{shown}");

    let sound = Embedded.start().await.unwrap();
    let (from, to) = (broken.address.to_string(), sound.address.to_string());
    let shown = shell(&commands(&record).replace(&from, &to));
    assert!(shown.contains("\"end\""), "a subject that is right answers the same command rightly: {shown}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_printed_script_does_the_steps_before_it_too() {
    let broken = mutant("range/as-200").start().await.unwrap();
    let record = failure(&broken, "files/range/part").await;
    let script = commands(&record);
    assert!(script.starts_with("set -x\n"), "{script}");
    let shown = shell(&script);
    let answers = shown.matches("HTTP/1.1 200 OK").count();
    assert_eq!(
        answers,
        script.lines().count() - 1,
        "the upload, and the part that is answered as if it were all: {shown}"
    );
}

#[test]
fn two_reports_are_compared() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).display().to_string();
    let (a, b) = (path("a.json"), path("b.json"));
    kit(&["--only", "health/get/version", "--only", "health/head/*", "--json", &a]);
    kit(&[
        "--spawn",
        &build(directory.path()),
        "--only",
        "health/get/version",
        "--only",
        "health/head/*",
        "--generation",
        "2",
        "--json",
        &b,
    ]);
    let worse = kit(&["diff", &a, &b]);
    assert_eq!(worse.status.code(), Some(1), "{}", text(&worse));
    assert!(text(&worse).contains("breaking  health/get/version"), "{}", text(&worse));
    let better = kit(&["diff", &b, &a]);
    assert_eq!(better.status.code(), Some(0), "{}", text(&better));
    assert!(text(&better).contains("0 breaking, 1 additive"), "{}", text(&better));
    assert_eq!(kit(&["diff", &a, "http://127.0.0.1:1"]).status.code(), Some(2));
    assert_eq!(kit(&["diff", &a, "/nowhere"]).status.code(), Some(2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_subjects_are_compared_in_lockstep() {
    use conformance::compare::{Class, lockstep};
    let all = suites::all();
    let cases: Vec<_> = all.iter().filter(|case| case.id.starts_with("process/start/")).collect();
    let (a, b) = (Embedded.start().await.unwrap(), Embedded.start().await.unwrap());
    let url = |subject: &Subject| At::url(&format!("http://{}", subject.address)).unwrap();
    let same = lockstep(&url(&a), &url(&b), &cases).await.unwrap();
    assert!(same.iter().all(|case| matches!(case.class, Class::Equal | Class::Timing)), "{same:#?}");

    let broken = mutant("start/end-lost").start().await.unwrap();
    let other = lockstep(&url(&a), &url(&broken), &cases).await.unwrap();
    let events = other.iter().find(|case| case.id == "process/start/events").unwrap();
    assert_eq!(events.class, Class::Breaking, "{events:?}");
    let reverse = lockstep(&url(&broken), &url(&a), &cases[..1]).await.unwrap();
    assert_ne!(reverse[0].class, Class::Equal, "{reverse:?}");
}
