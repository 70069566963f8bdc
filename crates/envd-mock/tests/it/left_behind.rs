//! Fresh trees: who can reach them, and who removes them when the mock cannot.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use crate::binary::Binary;

async fn until(what: &str, done: impl Fn() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < Duration::from_secs(20), "still not so after 20 s: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// The directory around the tree of a mock.
fn around(mock: &Binary) -> PathBuf {
    mock.root().parent().unwrap().to_owned()
}

fn below(temporary: &Path) -> impl FnOnce(&mut Command) {
    move |command| {
        command.env("TMPDIR", temporary).process_group(0);
    }
}

/// The processes that are children of `parent`, by number and name.
fn children(parent: u32) -> Vec<(i32, String)> {
    let read = |pid: i32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let (start, rest) = stat.rsplit_once(')')?;
        let mine = rest.split_whitespace().nth(1)?.parse::<u32>().ok()? == parent;
        mine.then(|| (pid, start.split_once('(').map_or("", |(_, name)| name).to_owned()))
    };
    let pids = fs::read_dir("/proc").unwrap().flatten();
    pids.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter_map(read).collect()
}

async fn guarded(mock: &Binary) -> Vec<(i32, String)> {
    until("there is a janitor", || children(mock.pid()).iter().any(|(_, name)| name == "envd-janitor")).await;
    children(mock.pid())
}

/// A set-user-id file that the guest makes is out of reach for other users of the host.
#[tokio::test]
async fn nobody_else_can_enter_the_directory_around_a_tree() {
    let temporary = tempfile::tempdir().unwrap();
    for words in [&[][..], &["--disk", "4MiB"][..], &["--programs-only"][..], &["--keep"][..]] {
        let mock = Binary::start_as(words, below(temporary.path()));
        assert_eq!(fs::metadata(around(&mock)).unwrap().mode() & 0o7777, 0o700, "{words:?}");
    }
}

#[tokio::test]
async fn an_empty_tmpdir_is_not_the_working_directory() {
    let work = tempfile::tempdir().unwrap();
    let mock = Binary::start_as(&[], |command| {
        command.env("TMPDIR", "").current_dir(work.path());
    });
    assert!(mock.root().starts_with("/tmp"), "{}", mock.root().display());
    assert_eq!(fs::read_dir(work.path()).unwrap().count(), 0);
}

/// The janitor is in no group of the mock's, and what ends a mock politely does not end it.
#[tokio::test]
async fn a_signal_to_the_whole_group_leaves_no_tree() {
    for signal in [Signal::INT, Signal::TERM, Signal::HUP, Signal::QUIT, Signal::KILL] {
        let temporary = tempfile::tempdir().unwrap();
        let mut mock = Binary::start_as(&[], below(temporary.path()));
        let (tree, children) = (around(&mock), guarded(&mock).await);
        for (pid, _) in children.iter().filter(|(_, name)| name == "envd-janitor") {
            for polite in [Signal::INT, Signal::TERM, Signal::HUP, Signal::QUIT] {
                kill_process(Pid::from_raw(*pid).unwrap(), polite).unwrap();
            }
        }
        kill_process_group(Pid::from_raw(mock.pid().cast_signed()).unwrap(), signal).unwrap();
        mock.wait();
        until("the tree is gone", || !tree.exists()).await;
    }
}

#[tokio::test]
async fn a_later_mock_removes_what_nobody_is_left_to_remove() {
    let temporary = tempfile::tempdir().unwrap();
    let mut lost = Binary::start_as(&[], below(temporary.path()));
    let mut kept = Binary::start_as(&["--keep"], below(temporary.path()));
    let used = Binary::start_as(&[], below(temporary.path()));
    for (pid, _) in guarded(&lost).await {
        // The guest's own first process may have ended meanwhile.
        let _ = kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL);
    }
    for mock in [&mut lost, &mut kept] {
        mock.signal("KILL");
        mock.wait();
    }
    assert!(around(&lost).exists());
    let _later = Binary::start_as(&[], below(temporary.path()));
    until("the lost tree is gone", || !around(&lost).exists()).await;
    assert!(kept.root().join("etc/passwd").exists() && used.root().join("etc/passwd").exists());
}
