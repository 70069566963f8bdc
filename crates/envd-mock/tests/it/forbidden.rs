//! A machine that forbids namespaces and mounts: the system calls are refused to the mock and to all that it starts, as a
//! container's seccomp profile does.

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use envd_client::Client;

const NAMESPACES: u32 = (libc::CLONE_NEWUSER
    | libc::CLONE_NEWNS
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWNET
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWCGROUP)
    .cast_unsigned();
const REFUSED: [libc::c_long; 9] = [
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_open_tree,
    libc::SYS_move_mount,
    libc::SYS_mount_setattr,
];
const NOBODY: u32 = 65_534;
const BINARY: &str = env!("CARGO_BIN_EXE_envd-mock");
const ONLY: &[&str] = &["--programs-only"];

/// An instruction that stands alone.
fn statement(code: u32, k: u32) -> libc::sock_filter {
    libc::sock_filter { code: u16::try_from(code).unwrap(), jt: 0, jf: 0, k }
}

/// Where `matches` is not so, the next instruction is skipped.
fn unless_skip(matches: u32, k: u32) -> libc::sock_filter {
    libc::sock_filter { jf: 1, ..statement(libc::BPF_JMP | matches | libc::BPF_K, k) }
}

fn load(offset: usize) -> libc::sock_filter {
    statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, u32::try_from(offset).unwrap())
}

fn answer(errno: i32) -> libc::sock_filter {
    statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ERRNO | errno.cast_unsigned())
}

/// Refuses (EPERM) what walls need; clone3, whose flags no filter sees, does not exist (ENOSYS).
fn filter() -> Vec<libc::sock_filter> {
    let number = |call: libc::c_long| u32::try_from(call).unwrap();
    let mut program = vec![load(std::mem::offset_of!(libc::seccomp_data, nr))];
    for call in REFUSED {
        program.extend([unless_skip(libc::BPF_JEQ, number(call)), answer(libc::EPERM)]);
    }
    program.extend([unless_skip(libc::BPF_JEQ, number(libc::SYS_clone3)), answer(libc::ENOSYS)]);
    let allow = statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ALLOW);
    let not_clone = libc::sock_filter { jt: 1, jf: 0, ..unless_skip(libc::BPF_JEQ, number(libc::SYS_clone)) };
    // The low half of the first argument: the flags.
    let flags = load(std::mem::offset_of!(libc::seccomp_data, args));
    program.extend([not_clone, allow, flags]);
    program.extend([unless_skip(libc::BPF_JSET, NAMESPACES), answer(libc::EPERM), allow]);
    program
}

/// The command, under the filter.
fn confined(binary: &Path, flags: &[&str]) -> Command {
    let mut command = Command::new(binary);
    command.args(["--listen", "127.0.0.1:0"]).args(flags);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let filter = filter();
    // SAFETY: between fork and exec only system calls are made, over memory that was laid out before.
    unsafe {
        command.pre_exec(move || {
            let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_ptr().cast_mut() };
            let strict = libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
            let set = libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program);
            if strict == 0 && set == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
        });
    }
    command
}

/// Ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts a program that was written a moment ago: a process that another test has just forked may still hold it open.
async fn start(command: &mut Command) -> Running {
    let deadline = tokio::time::Instant::now() + crate::bare::PATIENCE;
    loop {
        match command.spawn() {
            Err(error) if error.kind() == std::io::ErrorKind::ExecutableFileBusy => {
                assert!(tokio::time::Instant::now() < deadline, "{error}");
                tokio::task::yield_now().await;
            }
            started => return Running(started.unwrap()),
        }
    }
}

async fn serves(mut command: Command) {
    let mut running = start(&mut command).await;
    let mut line = String::new();
    BufReader::new(running.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let field =
        |key: &str| line.split_whitespace().find_map(|word| word.strip_prefix(key)).map(str::to_owned);
    let client = Client::builder().base_url(field("url=").expect(&line)).build().unwrap();
    let root = std::path::PathBuf::from(field("root=").unwrap());
    let output = client.command("sh").args(["-c", "true"]).output().await.unwrap();
    assert_eq!((output.exit.code, output.stderr_text().as_str()), (127, "envd: sh: not found\n"));
    client.write_file("/home/user/a", "here").await.unwrap();
    assert_eq!(client.stat("/home/user/a").await.unwrap().owner, "root");
    assert_eq!(client.stat("/home/user").await.unwrap().owner, "user");
    assert_eq!(client.read_file("/home/user/a").await.unwrap(), "here");
    assert!(root.exists());
    running.0.kill().unwrap();
    let gone = async {
        while root.exists() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    let deadline = std::time::Duration::from_secs(120);
    tokio::time::timeout(deadline, gone).await.expect("the tree goes with a mock that is killed");
}

#[test]
fn the_filter_does_forbid_walls() {
    let refused = confined(Path::new(BINARY), &[]).output().unwrap();
    let text = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(2), "{text}");
    assert!(text.contains("does not let the mock wall its guest in"), "{text}");
}

#[tokio::test]
async fn programs_alone_need_no_namespace() {
    serves(confined(Path::new(BINARY), ONLY)).await;
}

#[tokio::test]
async fn programs_alone_need_no_privilege() {
    let dir = tempfile::tempdir().unwrap();
    let root = rustix::process::geteuid().is_root();
    serves(if root { confined_as_nobody(dir.path()) } else { confined(Path::new(BINARY), ONLY) }).await;
}

/// Runs a copy in `dir`, because nobody may not be able to walk to the original.
fn confined_as_nobody(dir: &Path) -> Command {
    let copy = dir.join("envd-mock");
    std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::copy(BINARY, &copy).unwrap();
    let mut command = confined(&copy, ONLY);
    command.uid(NOBODY).gid(NOBODY).current_dir("/");
    command
}
