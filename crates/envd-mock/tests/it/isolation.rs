//! What no namespace separates: keys, limits, scheduling, the init of the guest, /proc, and what a guest uses up of what
//! the kernel counts for the host's user.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};

use envd_client::{Client, Init};
use envd_mock::{Builder, MockEnvd, Network, RootSpec};

use crate::bare::{Wire, ask, stream, unary};
use crate::sh;

/// Where guests find this test's own binary, which makes the system calls that no shell has.
const HELPER: &str = "/mnt/helper";
const ROLE: &str = "ENVD_MOCK_TEST_ROLE";

fn guest_with_helper() -> Builder {
    MockEnvd::builder().bind(std::env::current_exe().unwrap(), HELPER)
}

/// What the helper reports of `role`, line by line.
async fn helper(client: &Client, role: &str, argument: &str) -> Vec<String> {
    let arguments = ["--exact", "isolation::in_the_guest", "--nocapture", "--test-threads=1"];
    let command = client.command(HELPER).args(arguments).env(ROLE, format!("{role} {argument}"));
    let output = command.output().await.unwrap();
    assert_eq!(output.exit.code, 0, "{output:?}");
    let text = String::from_utf8(output.stdout.to_vec()).unwrap();
    assert!(text.contains("@begun"), "the helper did not run: {text}");
    text.lines().filter_map(|line| line.strip_prefix("@ ").map(ToOwned::to_owned)).collect()
}

/// Does nothing but in a guest.
#[test]
fn in_the_guest() {
    let Ok(role) = std::env::var(ROLE) else { return };
    println!("\n@begun");
    let (role, argument) = role.split_once(' ').unwrap();
    match role {
        "keys" => reach_keys(argument),
        "attack" => attack_init(),
        "attack-nested" => {
            // SAFETY: the child is a copy of this thread alone, which no other one holds up.
            unsafe {
                let child = libc::fork();
                if child == 0 {
                    assert_eq!(libc::unshare(libc::CLONE_NEWUSER), 0);
                    attack_init();
                    libc::_exit(0);
                }
                let mut status = 1;
                libc::waitpid(child, &mut status, 0);
                assert_eq!(status, 0);
            }
        }
        "bomb" => bomb(argument == "each-another"),
        "connect" => match std::net::TcpStream::connect(("127.0.0.1", argument.parse().unwrap())) {
            Ok(_) => println!("@ reached"),
            Err(error) => println!("@ {:?}", error.kind()),
        },
        "budgets" => {
            let count = |most: usize, open: fn() -> i32| (0..most).take_while(|_| open() >= 0).count();
            // Each descriptor is kept until this process ends.
            // SAFETY: takes a number only.
            let inotify = || unsafe { libc::inotify_init1(0) };
            // SAFETY: the path is a C string.
            let pty = || unsafe { libc::open(c"/dev/ptmx".as_ptr(), libc::O_RDWR | libc::O_NOCTTY) };
            println!("@ inotify {}", count(100, inotify));
            println!("@ pty {}", count(700, pty));
        }
        "inherited" => {
            let mut signal = -1_i32;
            let mut policy = -1_i32;
            // SAFETY: system calls over data that outlives them.
            let slack = unsafe {
                libc::prctl(libc::PR_GET_PDEATHSIG, &raw mut signal);
                libc::syscall(libc::SYS_get_mempolicy, &raw mut policy, 0, 0, 0, 0);
                libc::prctl(libc::PR_GET_TIMERSLACK)
            };
            // SAFETY: takes numbers only.
            let huge = unsafe { libc::prctl(libc::PR_GET_THP_DISABLE, 0, 0, 0, 0) };
            println!("@ {slack} {signal} {policy} {huge}");
        }
        "serve" => {
            let service = std::net::TcpListener::bind(("127.0.0.1", argument.parse().unwrap())).unwrap();
            std::net::TcpStream::connect(service.local_addr().unwrap()).unwrap();
            println!("@ reached");
        }
        "memory" => {
            // SAFETY: a fresh mapping that nobody uses.
            let got = unsafe {
                let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
                libc::mmap(std::ptr::null_mut(), 128 << 20, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0)
            };
            println!("@ {}", if got == libc::MAP_FAILED { "refused" } else { "got it" });
        }
        other => panic!("no such role: {other}"),
    }
}

/// Reports what could be done with a key of the host, its session keyring and its user keyring.
fn reach_keys(serials: &str) {
    let [key, session, user] = [0, 1, 2].map(|n| serials.split(' ').nth(n).unwrap().parse::<i64>().unwrap());
    let (kind, name, spoilt) = (c"user", c"envd-test", c"spoilt");
    let mut content = [0_u8; 64];
    let at = content.as_mut_ptr() as i64;
    for ring in [-3, -4, -5, session, user] {
        if keyctl([10, ring, kind.as_ptr() as i64, name.as_ptr() as i64, 0]) > 0 {
            println!("@ found in {ring}");
        }
    }
    for ring in [session, user] {
        if keyctl([8, ring, -3, 0, 0]) == 0 {
            println!("@ linked {ring}");
        }
    }
    for call in [
        [11, key, at, 64, 0],
        [11, session, at, 64, 0],
        [11, user, at, 64, 0],
        [6, key, at, 64, 0],
        [2, key, spoilt.as_ptr() as i64, 6, 0],
        [9, key, session, 0, 0],
        [9, key, user, 0, 0],
        [7, user, 0, 0, 0],
        [3, key, 0, 0, 0],
        [21, key, 0, 0, 0],
        [5, key, 0x3f3f_3f3f, 0, 0],
    ] {
        if keyctl(call) >= 0 {
            println!("@ did {call:?}");
        }
    }
}

/// Reports every way in which the init could be limited, slowed down, traced or ended.
fn attack_init() {
    let none = libc::rlimit64 { rlim_cur: 0, rlim_max: 0 };
    let (idle, mut first) = (libc::sched_param { sched_priority: 0 }, [1_u64; 16]);
    first[1..].fill(0);
    let report = |what: &str, result: i64| {
        if result >= 0 {
            println!("@ {what}");
        }
    };
    // SAFETY: system calls over data that outlives them.
    unsafe {
        for resource in 0..16 {
            report("limited", libc::syscall(libc::SYS_prlimit64, 1, resource, &raw const none, 0));
        }
        for (which, who) in [(0, 1), (1, 1)] {
            report("nice", libc::syscall(libc::SYS_setpriority, which, who, 19));
            report("idle I/O", libc::syscall(libc::SYS_ioprio_set, which + 1, who, 3 << 13));
        }
        report("affinity", libc::syscall(libc::SYS_sched_setaffinity, 1, 128, first.as_ptr()));
        report("idle", libc::sched_setscheduler(1, libc::SCHED_IDLE, &raw const idle).into());
        report("parameters", libc::syscall(libc::SYS_sched_setparam, 1, &raw const idle));
        report("attached", libc::ptrace(libc::PTRACE_ATTACH, 1, 0, 0));
        report("seized", libc::ptrace(libc::PTRACE_SEIZE, 1, 0, 0));
        // Orderly, at once, and with the keyboard's signal.
        for command in [libc::RB_AUTOBOOT, libc::RB_HALT_SYSTEM, libc::RB_POWER_OFF] {
            report("ended", libc::reboot(command).into());
        }
        // All users of the machine and all processes of this one: whatever this says, the init must not have changed.
        libc::syscall(libc::SYS_setpriority, libc::PRIO_USER, 0, 11);
        libc::syscall(libc::SYS_ioprio_set, 3, 0, 3 << 13);
        for signal in 1..=64 {
            libc::kill(1, signal);
        }
    }
    for file in ["mem", "oom_score_adj", "coredump_filter", "autogroup"] {
        let opened = std::fs::OpenOptions::new().write(true).open(format!("/proc/1/{file}"));
        report(file, if opened.is_ok() { 0 } else { -1 });
    }
}

/// Starts processes until it is refused, 300 at most, each as a user of its own if so: how many, and the error.
fn bomb(each_another: bool) {
    let (reader, writer) = std::io::pipe().unwrap();
    let mut refused = 0;
    let mut children = Vec::new();
    for n in 0..300 {
        // SAFETY: the child makes system calls only.
        match unsafe { libc::fork() } {
            // SAFETY: the child makes system calls only.
            0 => unsafe {
                if each_another {
                    // Refused where the guest has one id for all.
                    libc::syscall(libc::SYS_setresuid, 2000 + n, 2000 + n, 2000 + n);
                }
                libc::close(std::os::fd::AsRawFd::as_raw_fd(&writer));
                libc::read(std::os::fd::AsRawFd::as_raw_fd(&reader), [0_u8; 1].as_mut_ptr().cast(), 1);
                libc::_exit(0);
            },
            -1 => {
                refused = std::io::Error::last_os_error().raw_os_error().unwrap_or(0);
                break;
            }
            child => children.push(child),
        }
    }
    drop(writer);
    for child in &children {
        // SAFETY: no status is asked for.
        unsafe { libc::waitpid(*child, std::ptr::null_mut(), 0) };
    }
    println!("@ {} {refused}", children.len());
}

/// The mock's command, started with inherited attributes that `set` chooses.
struct Started {
    child: Child,
    client: Client,
    address: SocketAddr,
}

impl Started {
    fn new(flags: &[&str], set: impl FnMut() -> std::io::Result<()> + Send + Sync + 'static) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_envd-mock"));
        command.args(["--listen", "127.0.0.1:0"]).args(flags);
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        // SAFETY: between fork and exec only system calls are made.
        unsafe { command.pre_exec(set) };
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.split_whitespace().find_map(|word| word.strip_prefix("url=")).unwrap();
        let client = Client::builder().base_url(url).build().unwrap();
        let address = url.trim_start_matches("http://").parse().unwrap();
        Self { child, client, address }
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// What a command shows of its attributes, one a line.
const ATTRIBUTES: &str = r#"
    ulimit -c; ulimit -n; ulimit -Hn; ulimit -s; umask
    grep -E '^(Sig(Blk|Ign|Cgt)|Cap(Inh|Amb)|NoNewPrivs|Cpus_allowed):' /proc/self/status
    cat /proc/self/limits /proc/self/oom_score_adj /proc/self/coredump_filter /proc/self/personality
    echo terminal and policy: $(cut -d')' -f2 /proc/self/stat | cut -d' ' -f6,40)
"#;

/// Everything that a shell and its tools can set for the mock, other examples of the same kind included.
fn disturb() -> std::io::Result<()> {
    const BATCH: libc::c_int = 3;
    // SAFETY: system calls over data that outlives them.
    unsafe {
        libc::umask(0o077);
        for signal in
            [libc::SIGINT, libc::SIGQUIT, libc::SIGPIPE, libc::SIGHUP, libc::SIGUSR1, libc::SIGRTMAX()]
        {
            libc::signal(signal, libc::SIG_IGN);
        }
        let mut mask: libc::sigset_t = std::mem::zeroed();
        libc::sigaddset(&mut mask, libc::SIGTERM);
        libc::sigprocmask(libc::SIG_BLOCK, &mask, std::ptr::null_mut());
        for (resource, soft) in
            [(libc::RLIMIT_CORE, u64::MAX), (libc::RLIMIT_STACK, 4 << 20), (libc::RLIMIT_NOFILE, 900)]
        {
            let mut limit: libc::rlimit64 = std::mem::zeroed();
            libc::getrlimit64(resource, &mut limit);
            limit.rlim_cur = soft.min(limit.rlim_max);
            libc::setrlimit64(resource, &limit);
        }
        libc::sched_setscheduler(0, BATCH, &libc::sched_param { sched_priority: 0 });
        let mut first: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(0, &mut first);
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &first);
        libc::personality(libc::ADDR_NO_RANDOMIZE as libc::c_ulong);
    }
    Ok(())
}

#[tokio::test]
async fn a_command_starts_with_the_same_attributes_however_the_mock_was_started() {
    let (plain, disturbed) = (Started::new(&[], || Ok(())), Started::new(&[], disturb));
    let show =
        async |client: &Client| String::from_utf8(sh(client, ATTRIBUTES).await.stdout.to_vec()).unwrap();
    let expected = show(&plain.client).await;
    assert!(
        expected.contains("SigIgn:\t0000000000000000") && expected.contains("policy: 0 0\n"),
        "{expected}"
    );
    assert!(expected.starts_with("0\n1024\n") && expected.contains("\n0022\n"), "{expected}");
    assert_eq!(show(&disturbed.client).await, expected);
}

/// A lower niceness needs a privilege, so an unprivileged mock leaves it as it is.
#[tokio::test]
async fn a_command_of_a_root_mock_has_niceness_0_and_no_io_class() {
    let nice = || {
        // SAFETY: takes a number only.
        unsafe { libc::nice(5) };
        Ok(())
    };
    let mock = Started::new(&[], nice);
    let seen = sh(&mock.client, "nice").await.stdout;
    // SAFETY: takes numbers only.
    let mocks = unsafe { libc::getpriority(libc::PRIO_PROCESS, 0) } + 5;
    assert_eq!(seen, format!("{}\n", if is_root() { 0 } else { mocks.clamp(0, 19) }));
}

fn keyctl(arguments: [libc::c_long; 5]) -> i64 {
    let [a, b, c, d, e] = arguments;
    // SAFETY: the pointers among the arguments are to data that outlives the call.
    unsafe { libc::syscall(libc::SYS_keyctl, a, b, c, d, e) }
}

/// Neither the session's keyring nor the user's, by their special names or by number: as root the guest has other
/// users' ids, without it the calls are refused.
#[tokio::test]
async fn a_guest_reaches_no_key_of_the_host() {
    const SESSION: libc::c_long = -3;
    const USER: libc::c_long = -4;
    // A session keyring of this process's own, so that nobody else's is touched.
    let host = std::thread::spawn(|| {
        keyctl([1, 0, 0, 0, 0]);
        let (kind, name, content) = (c"user", c"envd-test", b"secret");
        // SAFETY: the strings outlive the call.
        let key = unsafe {
            libc::syscall(
                libc::SYS_add_key,
                kind.as_ptr(),
                name.as_ptr(),
                content.as_ptr(),
                content.len(),
                SESSION,
            )
        };
        keyctl([8, key, USER, 0, 0]);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let serials = [key, keyctl([0, SESSION, 1, 0, 0]), keyctl([0, USER, 1, 0, 0])];
        let seen = runtime.block_on(async {
            let mock = guest_with_helper().start().await.unwrap();
            helper(&mock.client(), "keys", &format!("{} {} {}", serials[0], serials[1], serials[2])).await
        });
        let mut content = [0_u8; 16];
        let read = keyctl([11, key, content.as_mut_ptr() as libc::c_long, 16, 0]);
        keyctl([9, key, USER, 0, 0]);
        (key, seen, read, content)
    });
    let (key, seen, read, content) = host.join().unwrap();
    assert!(key > 0, "this machine has no keyrings: errno of add_key");
    assert_eq!(seen, [] as [&str; 0]);
    assert_eq!((read, &content[..6]), (6, b"secret".as_slice()));
}

/// The guest's root, and root in a namespace that the guest makes itself.
#[tokio::test]
async fn no_command_limits_signals_or_traces_the_init() {
    let mock = guest_with_helper().start().await.unwrap();
    let client = mock.client();
    let limits = "sed 's/  */ /g' /proc/1/limits; cut -d' ' -f18,19 /proc/1/stat";
    let before = sh(&client, limits).await.stdout;
    assert_eq!(helper(&client, "attack", "").await, [] as [&str; 0]);
    assert_eq!(helper(&client, "attack-nested", "").await, [] as [&str; 0]);
    assert_eq!(sh(&client, limits).await.stdout, before);
    // Its own and its parent's limits are a command's to change.
    assert_eq!(sh(&client, "ulimit -n 100 && ulimit -n").await.stdout, "100\n");
}

#[tokio::test]
async fn a_fork_bomb_stops_at_the_limit_whatever_users_it_runs_as() {
    let mock = guest_with_helper().max_processes(64).start().await.unwrap();
    let client = mock.client();
    for ids in ["same", "each-another"] {
        let told = helper(&client, "bomb", ids).await;
        let (children, errno) = told[0].split_once(' ').unwrap();
        let children: usize = children.parse().unwrap();
        assert!((40..64).contains(&children) && errno == libc::EAGAIN.to_string(), "{ids}: {told:?}");
    }
    client.init(&Init::new().default_user("user")).await.unwrap();
    let told = helper(&client, "bomb", "same").await;
    let children: usize = told[0].split_once(' ').unwrap().0.parse().unwrap();
    assert!((40..64).contains(&children), "{told:?}");
    assert_eq!(sh(&client, "echo on").await.stdout, "on\n");
}

#[tokio::test]
async fn a_command_that_finds_no_room_is_told_why() {
    let mock = MockEnvd::builder().max_processes(8).start().await.unwrap();
    let client = mock.client();
    let mut running = Vec::new();
    let refusal = loop {
        assert!(running.len() < 12, "nothing was refused");
        match client.command("sleep").args(["600"]).background().await {
            Ok(process) => running.push(process),
            Err(error) => break error.to_string(),
        }
    };
    assert!(refusal.contains("--max-processes"), "{refusal}");
}

#[tokio::test]
async fn a_process_has_no_more_memory_than_was_allowed() {
    let mock = guest_with_helper().max_memory(64 << 20).start().await.unwrap();
    assert_eq!(helper(&mock.client(), "memory", "").await, ["refused"]);
    assert_eq!(sh(&mock.client(), "ulimit -Hd").await.stdout, "65536\n");
}

/// Content, lists and facts: by the plain path, by links, and by the doors that /proc itself has.
#[tokio::test]
async fn files_of_the_kernel_are_read_only_where_they_say_the_same_to_everyone() {
    let mock = MockEnvd::start().await.unwrap();
    let links = "ln -s /proc/1/maps /tmp/maps; ln -s /proc /tmp/proc; ln -s proc/kallsyms /symbols";
    sh(&mock.client(), links).await;
    for path in [
        "/proc/kallsyms",
        "/proc/iomem",
        "/proc/ioports",
        "/proc/modules",
        "/proc/1/maps",
        "/proc/1/environ",
        "/proc/1/status",
        "/proc/self/maps",
        "/proc/self/environ",
        "/proc/thread-self/maps",
        "/proc/self/root/proc/kallsyms",
        "/proc/sys/kernel/random/boot_id",
        "/proc/sys/../kallsyms",
        "/proc/timer_list",
        "/tmp/maps",
        "/tmp/proc/iomem",
        "/symbols",
    ] {
        let answer = ask(&format!("GET /files?path={path}")).send(mock.addr()).await;
        assert!(answer.status >= 400, "{path}: {} {}", answer.status, answer.text());
        assert!(mock.guest().read_file(path).is_err(), "{path}");
    }
    for path in ["/proc/version", "/proc/meminfo", "/tmp/proc/uptime"] {
        let answer = ask(&format!("GET /files?path={path}")).send(mock.addr()).await;
        assert!(answer.status == 200 && !answer.body.is_empty(), "{path}");
    }
    let client = mock.client();
    for path in ["/proc/1", "/proc/1/fd", "/proc/1/map_files", "/proc/self/task", "/tmp/proc/1/fd"] {
        assert!(client.list_dir(path, 1).await.is_err(), "{path}");
    }
    assert!(client.stat("/proc/1/fd/0").await.is_err() && client.stat("/proc/uptime").await.is_ok());
    assert!(
        client.list_dir("/proc", 3).await.unwrap().iter().all(|entry| entry.path.matches('/').count() == 2)
    );
}

#[tokio::test]
async fn the_machine_as_it_is_shows_no_more_of_its_kernel() {
    let mock = MockEnvd::builder().root(RootSpec::Machine).start().await.unwrap();
    for path in ["/proc/self/environ", "/proc/kallsyms", "/sys/kernel/notes"] {
        let answer = ask(&format!("GET /files?path={path}")).send(mock.addr()).await;
        assert!(answer.status >= 400, "{path}: {}", answer.status);
    }
}

#[test]
fn too_few_open_files_are_named_at_the_start() {
    let run = |files: u64| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_envd-mock"));
        command.args(["--listen", "127.0.0.1:0"]).stdin(Stdio::null());
        let limit = libc::rlimit64 { rlim_cur: files, rlim_max: files };
        // SAFETY: a system call over data that outlives it.
        unsafe {
            command.pre_exec(move || {
                libc::setrlimit64(libc::RLIMIT_NOFILE, &limit);
                Ok(())
            });
        }
        command.output().unwrap()
    };
    for files in [32, 64, 127] {
        let output = run(files);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(error.contains("ulimit -n") && error.contains(&files.to_string()), "{files}: {error}");
        assert_eq!(output.status.code(), Some(2));
    }
}

/// Whatever a call looks up first, it says that there were no descriptors, and never that something is not there.
#[tokio::test]
async fn a_shortage_of_descriptors_is_named_and_is_not_taken_for_absence() {
    let mock = Started::new(&[], || Ok(()));
    let calls = [
        unary("/filesystem.Filesystem/Stat", r#"{"path":"/etc/passwd"}"#),
        unary("/filesystem.Filesystem/Stat", r#"{"path":"/etc"}"#),
        unary("/filesystem.Filesystem/ListDir", r#"{"path":"/etc","depth":1}"#),
        unary("/filesystem.Filesystem/CreateWatcher", r#"{"path":"/tmp"}"#),
        stream("/process.Process/Start", r#"{"process":{"cmd":"true"}}"#),
        stream("/process.Process/Start", r#"{"process":{"cmd":"true","cwd":"/tmp"}}"#),
        ask("GET /files?path=/etc/passwd"),
    ];
    let mut wires = Vec::new();
    for _ in &calls {
        let mut wire = Wire::open(mock.address).await;
        wire.write(
            &ask("GET /files?path=/etc/hostname").with("connection", "keep-alive").bytes(mock.address),
        )
        .await;
        wire.answer(false).await;
        wires.push(wire);
    }
    let none = libc::rlimit64 { rlim_cur: 3, rlim_max: 4096 };
    assert_eq!(
        // SAFETY: a system call over data that outlives it.
        unsafe {
            libc::syscall(libc::SYS_prlimit64, mock.child.id(), libc::RLIMIT_NOFILE, &raw const none, 0)
        },
        0
    );
    for (call, mut wire) in calls.iter().zip(wires) {
        wire.write(&call.bytes(mock.address)).await;
        let answer = wire.answer(false).await;
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        assert!(text.contains("Too many open files") && !text.contains("not found"), "{call:?}: {text}");
    }
}

#[tokio::test]
async fn a_mock_with_few_open_files_raises_its_limit_and_runs_commands() {
    let few = || {
        let limit = libc::rlimit64 { rlim_cur: 48, rlim_max: 128 };
        // SAFETY: a system call over data that outlives it.
        unsafe { libc::setrlimit64(libc::RLIMIT_NOFILE, &limit) };
        Ok(())
    };
    let mock = Started::new(&[], few);
    // A mock that may raise hard limits does.
    let seen = sh(&mock.client, "ulimit -Hn; echo on").await.stdout;
    assert!(seen == "128\non\n" || is_root() && seen == "65536\non\n", "{seen:?}");
}

#[tokio::test]
async fn without_a_network_a_guest_reaches_its_own_loopback_and_nothing_of_the_host() {
    let service = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = service.local_addr().unwrap().port().to_string();
    let open = guest_with_helper().start().await.unwrap();
    assert_eq!(helper(&open.client(), "connect", &port).await, ["reached"]);
    let closed = guest_with_helper().network(Network::None).start().await.unwrap();
    let control = closed.control_url().rsplit(':').next().unwrap().to_owned();
    for port in [port, control, closed.addr().port().to_string()] {
        assert_eq!(helper(&closed.client(), "connect", &port).await, ["ConnectionRefused"]);
    }
    let interfaces = sh(&closed.client(), "tail -n +3 /proc/net/dev | cut -d: -f1").await.stdout;
    assert_eq!(String::from_utf8(interfaces.to_vec()).unwrap().trim(), "lo");
    for user in ["root", "user"] {
        closed.client().init(&Init::new().default_user(user)).await.unwrap();
        assert_eq!(helper(&closed.client(), "serve", "80").await, ["reached"], "{user}");
    }
}

/// Without them, one guest leaves none to other guests and programs of the host's user.
#[tokio::test]
async fn a_guest_leaves_inotify_instances_and_terminals_to_others() {
    let mock = guest_with_helper().start().await.unwrap();
    let told = helper(&mock.client(), "budgets", "").await;
    let counts: Vec<usize> =
        told.iter().map(|line| line.split_once(' ').unwrap().1.parse().unwrap()).collect();
    assert!((1..=32).contains(&counts[0]) && (1..=512).contains(&counts[1]), "{told:?}");
}

#[tokio::test]
async fn what_no_tool_shows_is_not_inherited_either() {
    const INTERLEAVE: libc::c_int = 3;
    let disturb = || {
        // SAFETY: system calls over data that outlives them.
        unsafe {
            libc::prctl(libc::PR_SET_TIMERSLACK, 7_000_000, 0, 0, 0);
            libc::prctl(libc::PR_SET_THP_DISABLE, 1, 0, 0, 0);
            libc::syscall(libc::SYS_set_mempolicy, INTERLEAVE, [1_u64].as_ptr(), 64);
        }
        Ok(())
    };
    let bind = format!("{}:{HELPER}", std::env::current_exe().unwrap().display());
    let mock = Started::new(&["--bind", &bind], disturb);
    assert_eq!(helper(&mock.client, "inherited", "").await, ["50000 0 0 0"]);
}
