//! The host is untouched: what a guest can see, reach and leave behind.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use envd_client::Init;
use envd_mock::{MockEnvd, RootSpec};

use crate::bare::ask;
use crate::binary::{Binary, client};
use crate::sh;

/// Everything below `dir` that a change would show in.
fn fingerprint(dir: &Path) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    let mut left = vec![dir.to_owned()];
    while let Some(path) = left.pop() {
        let meta = fs::symlink_metadata(&path).unwrap();
        let content = if meta.is_file() { fs::read(&path).unwrap() } else { Vec::new() };
        let facts =
            (meta.mode(), meta.uid(), meta.gid(), meta.mtime(), meta.mtime_nsec(), meta.nlink(), content);
        if meta.is_dir() {
            left.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
        found.insert(path, format!("{facts:?}"));
    }
    found
}

/// What a guest could spoil beyond files: mounts, kernel settings, accounts.
fn machine() -> Vec<String> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let others = ["/etc/passwd", "/etc/hosts", "/proc/sys/kernel/panic", "/proc/sys/kernel/hostname"];
    others.iter().map(|path| fs::read_to_string(path).unwrap_or_default()).chain([mounts]).collect()
}

/// Waits, with a deadline, until `done`.
async fn until(what: &str, done: impl Fn() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < Duration::from_secs(120), "still not so after 120 s: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn an_attempt_to_escape_changes_nothing_outside() {
    let outside = tempfile::tempdir().unwrap();
    let bait = outside.path().join("bait");
    fs::create_dir(&bait).unwrap();
    for (name, mode) in [("open", 0o666), ("closed", 0o600)] {
        fs::write(bait.join(name), "untouched").unwrap();
        fs::set_permissions(bait.join(name), fs::Permissions::from_mode(mode)).unwrap();
    }
    for dir in [outside.path(), &bait] {
        fs::set_permissions(dir, fs::Permissions::from_mode(0o777)).unwrap();
    }
    let (before, machine_before) = (fingerprint(outside.path()), machine());

    let mock = MockEnvd::start().await.unwrap();
    let client = mock.client();
    let host = bait.to_str().unwrap();
    let up = "../".repeat(40);
    sh(&client, &format!("mkdir -p /tmp/x; ln -s {host} /tmp/x/absolute; ln -s {up}{host} /tmp/x/relative; ln -s /etc /tmp/x/etc")).await;
    for path in [
        format!("{host}/open"),
        "/tmp/x/absolute/open".to_owned(),
        "/tmp/x/relative/closed".to_owned(),
        format!("/tmp/{up}{host}/new"),
        "/etc/passwd".to_owned(),
        "/tmp/x/etc/hosts".to_owned(),
        "/proc/sys/kernel/panic".to_owned(),
        "/proc/self/root/etc/passwd".to_owned(),
        "/proc/1/root/etc/passwd".to_owned(),
        "/proc/sysrq-trigger".to_owned(),
        "/dev/null".to_owned(),
    ] {
        // Some land inside the guest, the others are refused; none of them may land outside.
        let _ = client.write_file(&path, "root:x:0:0:spoilt:/:/bin/sh\n").await;
        let _ = client.read_file(&path).await;
    }
    for path in [
        "/tmp/x/absolute/open",
        "/tmp/x/relative",
        &format!("{up}{host}/closed"),
        "/proc/1/cwd",
        "/usr/bin/env",
    ] {
        let _ = client.remove(path).await;
        let _ = client.move_path(path, "/tmp/moved").await;
        let _ = client.move_path("/etc/hosts", path).await;
        let _ = client.make_dir(&format!("{path}/made")).await;
    }
    for script in [
        format!("echo spoilt > {host}/open; cat {host}/closed; rm -rf {host}"),
        "echo 42 > /proc/sys/kernel/panic; sysctl -w kernel.panic=42; hostname spoilt".to_owned(),
        "mount -o remount,bind,rw /usr; umount -a; mount -t tmpfs none /mnt; chroot / rm -rf /usr".to_owned(),
        "mknod /tmp/disk b 254 0 && dd if=/dev/zero of=/tmp/disk count=1".to_owned(),
        "date -s @0".to_owned(),
        "rm -rf --no-preserve-root / 2>/dev/null".to_owned(),
    ] {
        sh(&client, &script).await;
    }
    let _ = client.remove("/").await;
    drop(mock);

    assert_eq!(fingerprint(outside.path()), before);
    assert_eq!(machine(), machine_before);
}

/// Nobody is served before the host's tree is out of reach: a path that goes up and down again ended in it, for as long
/// as the holder had not taken it away.
#[tokio::test]
async fn the_first_call_of_a_fresh_guest_cannot_go_up_into_the_host() {
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret"), "the host's").unwrap();
    let path = format!("/tmp/..{}/secret", outside.path().display());
    for round in 0..100 {
        let mock = MockEnvd::start().await.unwrap();
        let answer = ask(&format!("GET /files?path={path}")).send(mock.addr()).await;
        assert_eq!((answer.status, round), (404, round), "{}", answer.text());
    }
}

#[tokio::test]
async fn what_is_shown_of_the_host_stays_read_only() {
    let shown = tempfile::tempdir().unwrap();
    fs::set_permissions(shown.path(), fs::Permissions::from_mode(0o777)).unwrap();
    fs::write(shown.path().join("file"), "shown").unwrap();
    fs::set_permissions(shown.path().join("file"), fs::Permissions::from_mode(0o666)).unwrap();
    let before = fingerprint(shown.path());
    let mock = MockEnvd::builder().bind(shown.path(), "/mnt/shown").start().await.unwrap();
    let client = mock.client();
    assert_eq!(client.read_file("/mnt/shown/file").await.unwrap(), "shown");
    let spoil = "mount -o remount,bind,rw /mnt/shown; umount /mnt/shown; echo spoilt > /mnt/shown/file; touch /mnt/shown/new";
    for script in [
        spoil.to_owned(),
        format!("unshare -Urm sh -c '{spoil}'"),
        format!("nsenter -t 1 -m sh -c '{spoil}'"),
    ] {
        assert_ne!(sh(&client, &script).await.exit.code, 0);
    }
    assert!(client.write_file("/mnt/shown/file", "spoilt").await.is_err());
    assert!(client.remove("/mnt/shown/file").await.is_err());
    assert!(client.remove("/mnt/shown").await.is_err());
    drop(mock);
    assert_eq!(fingerprint(shown.path()), before);
}

#[tokio::test]
async fn a_process_of_the_host_cannot_be_signalled() {
    let mut bait = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let mock = MockEnvd::start().await.unwrap();
    let pid = bait.id();
    let output = sh(
        &mock.client(),
        &format!("kill -9 {pid}; kill -9 -- -{pid}; python3 -c 'import os; os.kill({pid}, 9)'"),
    )
    .await;
    assert!(!output.stderr.is_empty());
    assert!(bait.try_wait().unwrap().is_none(), "the bait was killed");
    bait.kill().unwrap();
    bait.wait().unwrap();
}

#[tokio::test]
async fn commands_see_the_guest_alone() {
    let mock = MockEnvd::start().await.unwrap();
    let output = sh(&mock.client(), "ps -e -o pid=,comm=").await;
    let text = String::from_utf8(output.stdout.to_vec()).unwrap();
    let names: Vec<_> = text.lines().map(|line| line.split_whitespace().nth(1).unwrap_or_default()).collect();
    assert_eq!(names, ["envd", "sh", "ps"], "{text}");
    assert_eq!(sh(&mock.client(), "tr -d '\\0' < /proc/1/cmdline; cat /proc/1/environ").await.stdout, "envd");
    let devices = "fd full null ptmx pts random shm stderr stdin stdout tty urandom zero\n";
    assert_eq!(sh(&mock.client(), "echo $(ls /dev)").await.stdout, devices);
}

#[tokio::test]
async fn the_pid_of_the_start_event_is_what_the_command_sees() {
    let mock = MockEnvd::start().await.unwrap();
    let output = sh(&mock.client(), "echo $$; ls -l /proc/self/fd | wc -l").await;
    let text = String::from_utf8(output.stdout.to_vec()).unwrap();
    // Three standard descriptors, the directory that ls reads, and the line with the total.
    assert_eq!(text, format!("{}\n5\n", output.pid));
}

#[tokio::test]
async fn the_guests_root_is_not_the_hosts() {
    let mock = MockEnvd::start().await.unwrap();
    sh(&mock.client(), "touch /tmp/made").await;
    let made = fs::metadata(mock.guest().root().join("tmp/made")).unwrap();
    assert!(made.uid() != 0 && made.gid() != 0, "guest root is the host's root");
    assert_eq!(sh(&mock.client(), "id -u; id -un").await.stdout, "0\nroot\n");
}

#[tokio::test]
async fn a_user_that_the_mock_cannot_become_is_an_error_and_never_root() {
    let mock = MockEnvd::start().await.unwrap();
    let client = mock.client();
    client.init(&Init::new().default_user("nobody")).await.unwrap();
    let output = client.command("id").args(["-u"]).cwd("/").output().await;
    if rustix::process::geteuid().is_root() {
        assert_eq!(output.unwrap().stdout, "65534\n");
    } else {
        let error = output.unwrap_err().to_string();
        assert!(error.contains("cannot run commands as uid 65534"), "{error}");
    }
}

#[tokio::test]
async fn a_command_as_user_is_user() {
    let mock = MockEnvd::start().await.unwrap();
    let client = mock.client();
    client.init(&Init::new().default_user("user")).await.unwrap();
    let output = sh(
        &client,
        "id -u; id -g; echo $HOME $USER; pwd; touch x; stat -c %U x; test -w /root && echo yes || echo no",
    )
    .await;
    // A mock that is not root has one id for both, so the kernel cannot tell root's files from the user's.
    let may_write = if rustix::process::geteuid().is_root() { "no" } else { "yes" };
    assert_eq!(output.stdout, format!("1000\n1000\n/home/user user\n/home/user\nuser\n{may_write}\n"));
}

/// Whether a process of the host carries `marker` in its arguments.
fn runs(marker: &str) -> bool {
    let pids =
        fs::read_dir("/proc").unwrap().filter_map(|entry| fs::read(entry.ok()?.path().join("cmdline")).ok());
    pids.into_iter().any(|cmdline| cmdline.split(|&byte| byte == 0).any(|word| word == marker.as_bytes()))
}

/// A mock with a command that ignores every polite way to end, and one that has left its group.
async fn busy_mock(marker: &str, extra: &[&str]) -> (Binary, PathBuf) {
    let mock = Binary::start(extra);
    let script = format!(
        "trap '' TERM HUP INT; setsid sh -c 'sleep 1000; :' {marker} & sh -c 'sleep 1000; :' {marker}"
    );
    client(&mock).command("sh").args(["-c", &script]).cwd("/").background().await.unwrap();
    until("the commands run", || runs(marker)).await;
    let root = mock.root();
    (mock, root)
}

#[tokio::test]
async fn a_mock_that_is_killed_leaves_nothing() {
    let marker = format!("killed-{}", std::process::id());
    let (mut mock, root) = busy_mock(&marker, &[]).await;
    assert!(root.exists());
    mock.signal("KILL");
    mock.wait();
    until("no command is left", || !runs(&marker)).await;
    until("no tree is left", || !root.exists() && !root.parent().unwrap().exists()).await;
}

#[tokio::test]
async fn a_mock_that_is_told_to_end_leaves_nothing() {
    for signal in ["TERM", "INT"] {
        let marker = format!("told-{signal}-{}", std::process::id());
        let (mut mock, root) = busy_mock(&marker, &[]).await;
        let start = Instant::now();
        mock.signal(signal);
        assert!(mock.wait().success());
        assert!(start.elapsed() < Duration::from_secs(120), "took {:?}", start.elapsed());
        assert!(!runs(&marker));
        assert!(!root.exists() && !root.parent().unwrap().exists());
    }
}

#[tokio::test]
async fn a_mock_ends_with_its_parent_when_told_to() {
    let marker = format!("parent-{}", std::process::id());
    let (mut mock, root) = busy_mock(&marker, &["--exit-on-stdin-eof"]).await;
    mock.close_stdin();
    assert!(mock.wait().success());
    assert!(!runs(&marker));
    assert!(!root.exists());
}

#[tokio::test]
async fn the_machine_as_it_is_loses_only_what_the_mock_started() {
    let marker = format!("machine-{}", std::process::id());
    let (mut mock, root) = busy_mock(&marker, &["--root", "/"]).await;
    assert_eq!(root, Path::new("/"));
    mock.signal("TERM");
    assert!(mock.wait().success());
    assert!(!runs(&marker));
    let (mut mock, _) = busy_mock(&marker, &["--root", "/"]).await;
    mock.signal("KILL");
    mock.wait();
    until("no command is left", || !runs(&marker)).await;
}

#[tokio::test]
async fn a_kept_tree_stays_and_a_given_one_always_does() {
    let marker = format!("kept-{}", std::process::id());
    let (mut mock, root) = busy_mock(&marker, &["--keep"]).await;
    mock.signal("KILL");
    mock.wait();
    until("no command is left", || !runs(&marker)).await;
    assert!(root.join("home/user").exists());
    fs::remove_dir_all(root.parent().unwrap()).unwrap();

    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("mine"), "mine").unwrap();
    let mock = MockEnvd::builder().root(RootSpec::Dir(dir.path().into())).start().await.unwrap();
    assert_eq!(sh(&mock.client(), "cat /mine; echo new > /new; ls /").await.exit.code, 0);
    drop(mock);
    assert_eq!(fs::read(dir.path().join("mine")).unwrap(), b"mine");
    assert_eq!(fs::read(dir.path().join("new")).unwrap(), b"new\n");
}

#[tokio::test]
async fn a_guest_that_is_dropped_leaves_nothing() {
    let marker = format!("dropped-{}", std::process::id());
    let mock = MockEnvd::start().await.unwrap();
    let root = mock.guest().root().to_owned();
    mock.client()
        .command("sh")
        .args(["-c", &format!("sh -c 'sleep 1000; :' {marker}")])
        .background()
        .await
        .unwrap();
    until("the command runs", || runs(&marker)).await;
    drop(mock);
    assert!(!runs(&marker));
    assert!(!root.exists());
}

#[tokio::test]
async fn a_guest_that_nobody_asked_for_anything_leaves_nothing() {
    for _ in 0..10 {
        let mock = MockEnvd::start().await.unwrap();
        let root = mock.guest().root().to_owned();
        assert!(root.exists());
        drop(mock);
        assert!(!root.exists() && !root.parent().unwrap().exists());
    }
}

#[tokio::test]
async fn a_test_that_panics_leaves_nothing() {
    let marker = format!("panicked-{}", std::process::id());
    let (tell, told) = tokio::sync::oneshot::channel();
    let script = format!("sh -c 'sleep 1000; :' {marker}");
    let test = tokio::spawn(async move {
        let mock = MockEnvd::start().await.unwrap();
        mock.client().command("sh").args(["-c", &script]).background().await.unwrap();
        tell.send(mock.guest().root().to_owned()).unwrap();
        panic!("on purpose");
    });
    let root = told.await.unwrap();
    assert!(test.await.unwrap_err().is_panic());
    assert!(!runs(&marker));
    assert!(!root.exists());
}

#[tokio::test]
async fn a_full_disk_is_the_guests_own() {
    let mock = MockEnvd::builder().disk(4 << 20).start().await.unwrap();
    let client = mock.client();
    let error = client.write_file("/tmp/big", vec![7; 48 << 20]).await.unwrap_err();
    assert_eq!(error.status(), Some(507), "{error}");
    assert!(client.stat("/tmp/big").await.is_err(), "an upload that failed left something");
    assert_ne!(sh(&client, "head -c 8000000 /dev/zero > /tmp/big").await.exit.code, 0);
}
