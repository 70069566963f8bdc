//! A directory of the host that is a guest's root: nothing in it changes but by the guest's own commands, and what set-up
//! adds goes again. Runs as root, where ids are mapped by a mount, and as an ordinary user, where there is one id only.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use envd_mock::{MockEnvd, RootSpec};

use crate::binary::{Binary, client};
use crate::sh;

/// Every entry below `dir`, with all that set-up must not change: owner, group, mode, time, names, content. What is
/// removed meanwhile is left out.
fn state(dir: &Path) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    let mut left = vec![dir.to_owned()];
    while let Some(path) = left.pop() {
        let Some(meta) = unless_gone(fs::symlink_metadata(&path)) else { continue };
        let content = if meta.is_file() { unless_gone(fs::read(&path)) } else { Some(Vec::new()) };
        let Some(content) = content else { continue };
        let times = (meta.mtime(), meta.mtime_nsec());
        let facts = (meta.ino(), meta.mode(), meta.uid(), meta.gid(), meta.nlink(), times, content);
        if meta.is_dir() {
            let entries = unless_gone(fs::read_dir(&path)).into_iter().flatten();
            left.extend(entries.filter_map(unless_gone).map(|entry| entry.path()));
        }
        found.insert(path, format!("{facts:?}"));
    }
    found
}

fn unless_gone<T>(result: std::io::Result<T>) -> Option<T> {
    match result {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        other => Some(other.unwrap()),
    }
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// A directory with owners, modes and links of every kind that a re-owning by path, or a recursion, would spoil.
fn project() -> (tempfile::TempDir, PathBuf) {
    let around = tempfile::tempdir().unwrap();
    let dir = around.path().join("project");
    fs::create_dir_all(dir.join("src/deep")).unwrap();
    fs::create_dir(around.path().join("outside")).unwrap();
    fs::write(around.path().join("outside/file"), "outside").unwrap();
    for (name, bits) in [("plain", 0o644), ("private", 0o600), ("set-uid", 0o4755), ("set-gid", 0o2755)] {
        fs::write(dir.join(name), name).unwrap();
        mode(&dir.join(name), bits);
    }
    fs::hard_link(around.path().join("outside/file"), dir.join("hard")).unwrap();
    symlink(around.path().join("outside"), dir.join("link")).unwrap();
    mode(&dir.join("src"), 0o2775);
    if is_root() {
        for (name, owner) in [("plain", 1234), ("src/deep", 1000), ("private", 70_000)] {
            std::os::unix::fs::chown(dir.join(name), Some(owner), Some(owner)).unwrap();
        }
        std::os::unix::fs::chown(dir.join("set-uid"), Some(1234), Some(7)).unwrap();
        mode(&dir.join("set-uid"), 0o4755);
    }
    (around, dir)
}

async fn until(what: &str, done: impl Fn() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < Duration::from_secs(20), "still not so after 20 s: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Owners, groups, modes, set-user-id bits, times, hard links, and what is added: while the mock runs and after it.
#[tokio::test]
async fn a_directory_is_after_the_mock_what_it_was_before() {
    for programs_only in [false, true] {
        let (around, dir) = project();
        let before = state(around.path());
        let mock = MockEnvd::builder().root(RootSpec::Dir(dir.clone())).programs_only(programs_only);
        let mock = mock.start().await.unwrap();
        assert_eq!(mock.client().read_file("/plain").await.unwrap(), "plain");
        let during = state(around.path());
        for (path, facts) in &before {
            // Directories have more names in them by now.
            let same = path.is_dir() || during[path] == *facts;
            assert!(same, "{}: {facts} became {}", path.display(), during[path]);
        }
        drop(mock);
        assert_eq!(state(around.path()), before, "programs only: {programs_only}");
    }
}

#[tokio::test]
async fn what_was_added_goes_after_a_kill_as_well() {
    let (around, dir) = project();
    let before = state(around.path());
    let mut mock = Binary::start(&["--root", dir.to_str().unwrap()]);
    assert_eq!(sh(&client(&mock), "test -d /usr/bin -a -d /proc/1 && cat /plain").await.stdout, "plain");
    assert_ne!(state(around.path()).len(), before.len());
    mock.signal("KILL");
    mock.wait();
    until("what was added is gone", || state(around.path()) == before).await;
}

/// What is not as it was made has another owner now: the guest.
#[tokio::test]
async fn what_the_guest_has_changed_or_filled_stays() {
    let (_around, dir) = project();
    let mock = MockEnvd::builder().root(RootSpec::Dir(dir.clone())).start().await.unwrap();
    let script =
        "echo 10.0.0.1 db >> /etc/hosts; echo x > /srv/file; rm /etc/hostname; echo mine > /etc/hostname";
    assert_eq!(sh(&mock.client(), script).await.exit.code, 0);
    drop(mock);
    assert!(fs::read_to_string(dir.join("etc/hosts")).unwrap().ends_with("10.0.0.1 db\n"));
    assert_eq!(fs::read(dir.join("srv/file")).unwrap(), b"x\n");
    assert_eq!(fs::read(dir.join("etc/hostname")).unwrap(), b"mine\n");
    for gone in ["etc/passwd", "home", "usr", "proc", "dev", "tmp", "run"] {
        assert!(!dir.join(gone).exists(), "{gone}");
    }
}

#[tokio::test]
async fn commands_write_with_the_owners_of_the_directory() {
    let (_around, dir) = project();
    let mock = MockEnvd::builder().root(RootSpec::Dir(dir.clone())).start().await.unwrap();
    let client = mock.client();
    assert_eq!(sh(&client, "echo new > /new; mkdir /made; echo more >> /set-gid").await.exit.code, 0);
    client.write_file("/written", "content").await.unwrap();
    client.make_dir("/made/by/call").await.unwrap();
    let top = fs::metadata(&dir).unwrap();
    for name in ["new", "made", "written", "made/by", "made/by/call", "set-gid"] {
        let meta = fs::metadata(dir.join(name)).unwrap();
        assert_eq!((meta.uid(), meta.gid()), (top.uid(), top.gid()), "{name}");
    }
    if is_root() {
        assert_eq!(
            sh(&client, "stat -c %u:%g /plain /src/deep /private").await.stdout,
            "1234:1234\n1000:1000\n65534:65534\n"
        );
    }
}

/// Other users of the host can reach the directory: nothing in it may run with its owner's rights.
#[tokio::test]
async fn commands_cannot_make_files_that_run_as_their_owner() {
    let (_around, dir) = project();
    mode(&dir, 0o755);
    let mock = MockEnvd::builder().root(RootSpec::Dir(dir.clone())).start().await.unwrap();
    let client = mock.client();
    sh(&client, "cp /bin/sh /shell; chmod 755 /shell").await;
    for script in [
        "chmod u+s /shell",
        "chmod 6755 /shell",
        "chmod g+s /shell",
        "python3 -c 'import os; os.open(\"/made\", os.O_CREAT | os.O_WRONLY, 0o4755)'",
        "python3 -c 'import os; os.fchmod(os.open(\"/shell\", os.O_RDONLY), 0o4755)'",
        "python3 -c 'import os; os.mknod(\"/node\", 0o104755)'",
        "unshare -Ur chmod 4755 /shell",
        "setcap cap_setuid+ep /shell",
        "python3 -c 'import os; os.setxattr(\"/shell\", \"security.capability\", bytes.fromhex(\"0000000280000000000000000000000000000000\"))'",
    ] {
        assert_ne!(sh(&client, script).await.exit.code, 0, "{script}");
    }
    assert_eq!(
        sh(&client, "chmod 1777 /src; chmod 600 /shell; umask 077; echo x > /ordinary").await.exit.code,
        0
    );
    for entry in fs::read_dir(&dir).unwrap().flatten() {
        let name = entry.file_name().into_string().unwrap();
        let set = fs::symlink_metadata(entry.path()).unwrap().mode() & 0o6000;
        assert!(set == 0 || ["set-uid", "set-gid", "src"].contains(&name.as_str()), "{name}: {set:o}");
    }
}

/// Links where set-up expects directories: absolute, upwards, in circles, and at any depth.
#[tokio::test]
async fn links_that_were_planted_lead_set_up_nowhere_else() {
    let names = [
        "etc",
        "home",
        "dev",
        "proc",
        "sys",
        "tmp",
        "run",
        "usr",
        "var",
        "mnt",
        "root",
        "home/user",
        "run/wrenn",
        "var/tmp",
        "etc/ssl",
        "etc/passwd",
    ];
    for name in names {
        for target in ["OUTSIDE", "UP", "..", "/", "loop"] {
            let (around, dir) = project();
            let link = dir.join(name);
            fs::create_dir_all(link.parent().unwrap()).unwrap();
            let outside = around.path().join("outside");
            let target = match target {
                "OUTSIDE" => outside.to_str().unwrap().to_owned(),
                "UP" => "../../outside".to_owned(),
                "loop" => link.file_name().unwrap().to_str().unwrap().to_owned(),
                other => other.to_owned(),
            };
            symlink(&target, &link).unwrap();
            let before = state(around.path());
            let mock = MockEnvd::builder().root(RootSpec::Dir(dir.clone())).start().await;
            // It may well be refused; nothing may come of it outside.
            if let Ok(mock) = mock {
                let _ = mock.client().command("true").cwd("/").output().await;
            }
            assert_eq!(state(around.path()), before, "{name} -> {target}");
        }
    }
}

#[tokio::test]
async fn two_mocks_in_one_directory_leave_it_as_it_was() {
    let (around, dir) = project();
    let before = state(around.path());
    let first = MockEnvd::builder().root(RootSpec::Dir(dir.clone())).start().await.unwrap();
    let second = MockEnvd::builder().root(RootSpec::Dir(dir.clone())).start().await.unwrap();
    drop(first);
    assert_eq!(sh(&second.client(), "cat /proc/1/comm; ls /usr > /dev/null").await.stdout, "envd\n");
    drop(second);
    until("what was added is gone", || state(around.path()) == before).await;
}

/// Whatever path leads there: itself, links, upward steps; and what holds a home.
#[tokio::test]
async fn a_home_and_directories_of_the_system_are_refused() {
    let scratch = tempfile::tempdir().unwrap();
    let home = scratch.path().join("homes/someone");
    fs::create_dir_all(home.join("project")).unwrap();
    symlink(&home, scratch.path().join("link")).unwrap();
    let refused = [
        home.clone(),
        home.join("project/.."),
        scratch.path().join("link"),
        scratch.path().join("homes"),
        PathBuf::from("/etc"),
        PathBuf::from("/etc/ssl"),
        PathBuf::from("/usr/../var"),
        PathBuf::from("/tmp"),
        PathBuf::from("/proc/self/root/usr"),
        PathBuf::from("/home"),
        PathBuf::from("/dev"),
        PathBuf::from("/lib"),
    ];
    for extra in [&[][..], &["--programs-only"][..]] {
        for dir in &refused {
            let mut command = Command::new(env!("CARGO_BIN_EXE_envd-mock"));
            command.args(["--listen", "127.0.0.1:0", "--root"]).arg(dir).args(extra).env("HOME", &home);
            let output = command.output().unwrap();
            let error = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(!output.status.success() && error.contains("--files DIR"), "{}: {error}", dir.display());
        }
    }
}
