//! A process with several guests, which are forked by a process that it keeps for that. In a process of its own.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use envd_mock::MockEnvd;

const GUESTS: usize = 3;

async fn mocks() -> Vec<MockEnvd> {
    let mut mocks = Vec::new();
    for _ in 0..GUESTS {
        let mock = MockEnvd::start().await.expect("the mock starts");
        runs_commands(&mock).await;
        mocks.push(mock);
    }
    mocks
}

async fn runs_commands(mock: &MockEnvd) {
    let output = mock.client().command("echo").args(["here"]).output().await.expect("a command runs");
    assert_eq!(output.stdout, "here\n");
}

/// The processes of this name that this process is the parent of.
fn children(name: &str) -> Vec<i32> {
    let mine = |pid: &i32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let Some((start, rest)) = stat.rsplit_once(')') else { return false };
        let parent = rest.split_whitespace().nth(1).and_then(|word| word.parse::<u32>().ok());
        start.ends_with(&format!("({name}")) && parent == Some(std::process::id())
    };
    let pids = fs::read_dir("/proc").expect("a list of processes").flatten();
    pids.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter(mine).collect()
}

async fn until(what: &str, done: impl Fn() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < Duration::from_secs(120), "still not so after 120 s: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guests_come_from_one_zygote_and_live_without_it() {
    let mocks = mocks().await;
    let zygotes = children("envd-zygote");
    assert_eq!(zygotes.len(), 1, "{zygotes:?}");
    until("each guest has a holder and a janitor that are the mock's own children", || {
        (children("envd").len(), children("envd-janitor").len()) == (GUESTS, GUESTS)
    })
    .await;

    rustix::process::kill_process(
        rustix::process::Pid::from_raw(zygotes[0]).unwrap(),
        rustix::process::Signal::KILL,
    )
    .unwrap();
    for mock in &mocks {
        runs_commands(mock).await;
    }
    let mut later = Vec::new();
    for _ in 0..GUESTS {
        let mock = MockEnvd::start().await.unwrap();
        runs_commands(&mock).await;
        later.push(mock);
    }
    assert!(children("envd-zygote").is_empty());

    drop((mocks, later));
    assert!(children("envd").is_empty() && children("envd-janitor").is_empty());
}

#[tokio::test]
async fn a_process_that_is_killed_leaves_nothing_of_any_guest() {
    let mut process = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "stays", "--ignored", "--nocapture"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let roots: Vec<PathBuf> = lines
        .map(Result::unwrap)
        .filter_map(|line| line.strip_prefix("root ").map(PathBuf::from))
        .take(GUESTS)
        .collect();
    assert!(roots.len() == GUESTS && roots.iter().all(|root| root.exists()), "{roots:?}");
    process.kill().unwrap();
    process.wait().unwrap();
    until("their trees are gone", || !roots.iter().any(|root| parent(root).exists())).await;
}

fn parent(root: &Path) -> &Path {
    root.parent().expect("a root below a directory")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "what another test kills"]
async fn stays() {
    let mocks = mocks().await;
    until("each guest has a janitor", || children("envd-janitor").len() == GUESTS).await;
    for mock in &mocks {
        println!("root {}", mock.guest().root().display());
    }
    std::future::pending::<()>().await;
}
