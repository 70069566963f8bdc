//! The command: its one line, its exit codes, its end.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::time::Instant;

use rustix::process::{Pid, Signal, kill_process};

use crate::bare::{PATIENCE, ask};

pub(crate) struct Running {
    child: Child,
    stdin: Option<ChildStdin>,
    line: String,
}

fn command(flags: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_envd-mock"));
    command.args(flags).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

pub(crate) fn start(flags: &[&str]) -> Running {
    let mut child = command(flags).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    let stdin = child.stdin.take();
    Running { child, stdin, line }
}

pub(crate) fn refused(flags: &[&str]) -> (Option<i32>, String) {
    let Output { status, stdout, stderr } = command(flags).output().unwrap();
    assert!(stdout.is_empty());
    (status.code(), String::from_utf8(stderr).unwrap())
}

/// What `validate` exits with, and all that it prints.
pub(crate) fn validated(args: &[&str]) -> (Option<i32>, String) {
    let Output { status, stdout, stderr } = command(&[&["validate"][..], args].concat()).output().unwrap();
    (status.code(), String::from_utf8([stdout, stderr].concat()).unwrap())
}

impl Running {
    fn field(&self, name: &str) -> String {
        let found = self.line.split_whitespace().find_map(|word| word.strip_prefix(&format!("{name}=")));
        found.unwrap_or_else(|| panic!("no {name} in {:?}", self.line)).to_owned()
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.field("url").trim_start_matches("http://").parse().unwrap()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// The exit code, and what was written to stdout and stderr since the ready line.
    pub(crate) fn end(mut self) -> (Option<i32>, String) {
        drop(self.stdin.take());
        let status = self.child.wait().unwrap();
        let mut text = String::new();
        self.child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
        self.child.stderr.take().unwrap().read_to_string(&mut text).unwrap();
        (status.code(), text)
    }
}

#[tokio::test]
async fn one_ready_line_and_then_it_answers() {
    let running = start(&["--listen", "127.0.0.1:0", "--guest-version", "1.2.3"]);
    assert!(running.line.starts_with("envd-mock ready url=http://127.0.0.1:"), "{}", running.line);
    assert_eq!(running.field("generation"), "2");
    let health = ask("GET /health").send(running.address()).await;
    assert_eq!(health.text(), r#"{"version":"1.2.3"}"#);
    let control = running.field("control").trim_start_matches("http://").parse().unwrap();
    assert_eq!(ask("GET /guest").send(control).await.status, 200);
    running.signal(Signal::TERM);
    assert_eq!(running.end(), (Some(0), String::new()));
}

#[test]
fn signals_end_it_and_the_tree_is_gone() {
    for signal in [Signal::INT, Signal::TERM] {
        let running = start(&["--listen", "127.0.0.1:0"]);
        let root = PathBuf::from(running.field("root"));
        assert!(root.exists());
        let begun = Instant::now();
        running.signal(signal);
        assert_eq!(running.end().0, Some(0));
        assert!(begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());
        assert!(!root.exists());
    }
}

#[test]
fn it_ends_with_its_standard_input_when_told_so() {
    let mut running = start(&["--listen", "127.0.0.1:0", "--exit-on-stdin-eof"]);
    drop(running.stdin.take());
    assert_eq!(running.end().0, Some(0));
}

#[test]
fn keep_leaves_the_tree() {
    let running = start(&["--listen", "127.0.0.1:0", "--keep"]);
    let root = PathBuf::from(running.field("root"));
    running.signal(Signal::TERM);
    running.end();
    assert!(root.join("etc/passwd").exists());
    std::fs::remove_dir_all(root.parent().unwrap()).unwrap();
}

#[test]
fn the_defects_are_listed() {
    let Output { status, stdout, .. } = command(&["defects"]).output().unwrap();
    let text = String::from_utf8(stdout).unwrap();
    assert!(status.success() && text.contains("B29 put-drops-link            3 "), "{text}");
}

#[tokio::test]
async fn a_generation_and_its_defects_are_played() {
    let running = start(&["--listen", "127.0.0.1:0", "--generation", "3", "--as-built", "--volume", "vol1"]);
    assert_eq!(running.field("generation"), "3");
    let missing = ask("POST /filesystem.Filesystem/Remove").with("content-type", "application/json");
    let missing = missing.body(r#"{"path":"/tmp/none"}"#).send(running.address()).await;
    assert_eq!(missing.status, 500);
    let mount = ask("POST /volumes/mount").with("content-type", "application/json");
    let mount = mount.body(r#"{"serial":"vol1","mount_path":"/data"}"#).send(running.address()).await;
    assert_eq!(mount.status, 204);
    running.signal(Signal::TERM);
    assert_eq!(running.end(), (Some(0), String::new()));
}

#[test]
fn a_bad_flag_or_root_is_one_line_and_exit_2() {
    let cases: [&[&str]; 8] = [
        &["--nope"],
        &["--generation", "4"],
        &["--defect", "machine-clock-stepped"],
        &["--listen", "127.0.0.1:0", "--defect", "put-drops-link"],
        &["--listen", "127.0.0.1:0", "--root", "/does/not/exist"],
        &["--listen", "127.0.0.1:0", "--files", "/does/not/exist"],
        &["--listen", "0.0.0.0:0"],
        &["--disk", "much"],
    ];
    for flags in cases {
        let (code, stderr) = refused(&[flags, &["--control", "127.0.0.1:0"]].concat());
        assert_eq!((code, stderr.lines().count()), (Some(2), 1), "{flags:?} {stderr}");
        assert!(stderr.starts_with("envd-mock: "), "{stderr}");
    }
}

#[test]
fn an_address_that_cannot_be_bound_is_exit_3() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for flag in ["--listen", "--control"] {
        let other = if flag == "--listen" { "--control" } else { "--listen" };
        let (code, stderr) = refused(&[flag, &address, other, "127.0.0.1:0"]);
        assert_eq!((code, stderr.lines().count()), (Some(3), 1), "{stderr}");
        assert!(stderr.contains(&address), "{stderr}");
    }
}

#[test]
fn help_goes_to_stdout() {
    let Output { status, stdout, stderr } = command(&["--help"]).output().unwrap();
    assert!(status.success() && stderr.is_empty());
    assert!(String::from_utf8(stdout).unwrap().contains("--listen"));
}

/// Runs the command to its end: exit code and output.
fn ran(flags: &[&str]) -> (Option<i32>, String) {
    let Output { status, stdout, stderr } = command(flags).output().unwrap();
    (status.code(), String::from_utf8([stdout, stderr].concat()).unwrap())
}

#[test]
fn a_script_can_wait_until_the_mock_is_ready() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("ready");
    let path = file.to_str().unwrap();
    let (code, text) = ran(&["wait", "--ready-file", path, "--timeout", "0s"]);
    assert_eq!(code, Some(1));
    assert!(text.contains("was not ready within 0ns: "), "{text}");
    let waiting = command(&["wait", "--ready-file", path]).spawn().unwrap();
    let running = start(&["--listen", "127.0.0.1:0", "--ready-file", path]);
    let waited = waiting.wait_with_output().unwrap();
    assert_eq!(
        (waited.status.code(), String::from_utf8(waited.stdout).unwrap()),
        (Some(0), running.line.clone())
    );
    assert_eq!(std::fs::read_to_string(&file).unwrap(), running.line);
    let url = running.field("url");
    assert_eq!(ran(&["wait", "--url", &url]), (Some(0), String::new()));
    running.signal(Signal::TERM);
    assert_eq!(running.end(), (Some(0), String::new()));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    let (code, text) = ran(&["wait", "--url", &url, "--timeout", "100ms"]);
    assert_eq!(code, Some(1));
    assert!(text.starts_with(&format!("envd-mock: {url} was not ready within 100ms: ")), "{text}");
}

// The kind of mistake: what an earlier run left is taken for the present one.
#[test]
fn the_ready_file_of_a_killed_mock_is_not_taken_for_ready() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("ready");
    let path = file.to_str().unwrap();
    let flags = ["--listen", "127.0.0.1:0", "--programs-only", "--ready-file", path];
    let running = start(&flags);
    let (code, text) = refused(&flags);
    assert_eq!(code, Some(2));
    assert!(text.contains("a mock that is running has it"), "{text}");
    running.signal(Signal::KILL);
    running.end();
    assert!(file.exists());
    let (code, text) = ran(&["wait", "--ready-file", path, "--timeout", "0s"]);
    assert_eq!(code, Some(1));
    assert!(text.contains("left behind by a mock that does not run any more"), "{text}");
    let again = start(&flags);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), again.line);
    again.signal(Signal::TERM);
    again.end();
    assert!(!file.exists());
}

#[test]
fn a_ready_file_that_cannot_be_written_is_an_error_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let notes = dir.path().join("notes");
    std::fs::write(&notes, "mine").unwrap();
    for path in [dir.path().join("none/ready"), dir.path().to_owned(), notes.clone()] {
        let (code, text) = refused(&["--listen", "127.0.0.1:0", "--ready-file", path.to_str().unwrap()]);
        assert_eq!(code, Some(2));
        assert!(
            text.starts_with("envd-mock: cannot write the ready file ") && text.lines().count() == 1,
            "{text}"
        );
    }
    assert_eq!(std::fs::read_to_string(notes).unwrap(), "mine");
}
