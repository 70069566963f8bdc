//! The command: its exit codes, what it prints, and that nothing it started is left.

use std::process::{Command, Output};

fn kit(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_envd-conformance")).args(args).output().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned()
}

#[test]
fn it_judges_the_embedded_mock_and_writes_junit() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("report.xml");
    let output =
        kit(&["--only", "health/get/version", "--only", "health/head/*", "--junit", file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert!(text(&output).contains("conforms: 2 passed"), "{}", text(&output));
    let xml = std::fs::read_to_string(file).unwrap();
    assert!(xml.contains("testsuite name=\"health\" tests=\"2\""), "{xml}");
}

#[test]
fn a_mistake_of_the_caller_is_2() {
    let spawn_without_port = ["--spawn", "envd"];
    for args in [
        &["--only", "nope/*"][..],
        &["--skip", "*"],
        &["--url", "nope"],
        &spawn_without_port,
        &["--no-such-flag"],
        &["explain", "nope"],
        &["--generation", "4"],
        &["--claims", "/nowhere"],
        &["--known", "/nowhere"],
        &["--json", "/nowhere/report.json"],
        &["--url", "http://127.0.0.1:1", "--spawn-per-case"],
        &["regrade", "/nowhere"],
        &["accept", "--report", "/nowhere", "--reason", "x"],
        &["--url", "http://a", "--spawn", "b {port}"],
    ] {
        let output = kit(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", text(&output));
    }
}

#[test]
fn a_subject_that_cannot_be_judged_is_3() {
    let output = kit(&["--spawn", "exit 7 # {port}"]);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output));
    assert!(text(&output).contains("ended before it was healthy"), "{}", text(&output));
}

#[test]
fn a_build_that_answers_health_alone_does_not_conform_and_is_gone_afterwards() {
    let directory = tempfile::tempdir().unwrap();
    let pids = directory.path().join("pids");
    let server = "import http.server,sys\nclass H(http.server.BaseHTTPRequestHandler):\n  def do_GET(self):\n   \
                  self.send_response(200); self.end_headers(); self.wfile.write(b'{\"version\":\"1\"}')\n\
                  http.server.HTTPServer(('127.0.0.1',int(sys.argv[1])),H).serve_forever()";
    let script = directory.path().join("server.py");
    std::fs::write(&script, server).unwrap();
    let command =
        format!("echo $$ >> {}; python3 {} {{port}} 2>/dev/null; true", pids.display(), script.display());
    let output = kit(&["--spawn", &command, "--only", "health/get/version", "--only", "init/body/none"]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    for part in
        ["FAIL health/get/version", "requirement:", "expected:", "observed:", "curl -sSi -m 10 -X GET"]
    {
        assert!(text(&output).contains(part), "{part}: {}", text(&output));
    }
    let groups = std::fs::read_to_string(pids).unwrap();
    assert_eq!(
        groups.lines().count(),
        3,
        "one for the run, and two for the case that needs its own and runs again"
    );
    for group in groups.lines() {
        let group = rustix::process::Pid::from_raw(group.parse().unwrap()).unwrap();
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(5);
        // A killed process may stay for a moment until it is reaped.
        while rustix::process::test_kill_process_group(group).is_ok() {
            assert!(std::time::Instant::now() < deadline, "group {group:?} is still there");
            std::thread::yield_now();
        }
    }
}

#[test]
fn it_lists_and_explains() {
    let output = kit(&["list", "--only", "process/start/*"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output).lines().all(|line| line.starts_with("process/start/")), "{}", text(&output));
    let output = kit(&["explain", "process/start/exit-code"]);
    assert!(
        text(&output).contains("contract 4.1") && text(&output).contains("exitCode 7"),
        "{}",
        text(&output)
    );
}

#[test]
fn explain_shows_what_is_sent_and_answered() {
    let output = kit(&["explain", "health/get/version"]);
    assert_eq!(output.status.code(), Some(0));
    for part in ["requirement", "why", "source", "level", "needs", "> GET /health", "< 200", "no-store"] {
        assert!(text(&output).contains(part), "{part}: {}", text(&output));
    }
}

#[test]
fn a_claim_makes_what_is_disclaimed_unsupported() {
    let directory = tempfile::tempdir().unwrap();
    let claims = directory.path().join("claims.toml");
    std::fs::write(&claims, "generation = 2\nlacks = [\"preload\"]\n").unwrap();
    let output = kit(&["--claims", claims.to_str().unwrap(), "--only", "health/*"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert!(text(&output).contains("it lacks preload: disclaimed"), "{}", text(&output));
    std::fs::write(&claims, "lacks = [\"nothing-of-the-kind\"]\n").unwrap();
    assert_eq!(kit(&["--claims", claims.to_str().unwrap()]).status.code(), Some(2));
}

#[test]
fn a_run_that_is_interrupted_cleans_up_and_is_3() {
    let directory = tempfile::tempdir().unwrap();
    let json = directory.path().join("report.json");
    let mut child = Command::new(env!("CARGO_BIN_EXE_envd-conformance"))
        .args(["--repeat", "1000", "--only", "process/*", "--json", json.to_str().unwrap()])
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while !std::fs::read_to_string(&json).unwrap_or_default().contains("\"finished\"") {
        assert!(std::time::Instant::now() < deadline, "no case has ended");
        std::thread::yield_now();
    }
    let pid = rustix::process::Pid::from_raw(child.id().cast_signed()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(3));
    let report = std::fs::read_to_string(&json).unwrap();
    assert!(
        report.lines().last().unwrap().contains("stopped on request"),
        "{}",
        report.lines().last().unwrap()
    );
}
