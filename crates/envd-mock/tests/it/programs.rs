//! Programs in place of commands: output, input, signals, files and ends as of a real process, the same each time; and a
//! guest in which nothing real runs.

use std::time::Duration;

use envd_client::{Code, Event, Exit, Selector};
use envd_mock::{MockEnvd, Program, RealRun, RootSpec};
use futures::StreamExt as _;

const LIMIT: Duration = Duration::from_secs(120);

async fn mock(programs: impl IntoIterator<Item = Program>) -> MockEnvd {
    let builder = MockEnvd::builder().programs_only(true);
    programs.into_iter().fold(builder, |builder, program| builder.program(program)).start().await.unwrap()
}

async fn events(command: envd_client::Command) -> Vec<Event> {
    let collected = async { command.stream().await.unwrap().map(Result::unwrap).collect().await };
    tokio::time::timeout(LIMIT, collected).await.expect("the command ends")
}

async fn next(events: &mut envd_client::EventStream) -> Event {
    tokio::time::timeout(LIMIT, events.next()).await.expect("an event comes").unwrap().unwrap()
}

fn left(code: i32) -> Event {
    Event::End(Exit { code, exited: true, status: format!("exit status: {code}"), error: None })
}

fn killed(status: &str) -> Event {
    Event::End(Exit { code: -1, exited: false, status: status.to_owned(), error: None })
}

fn out(text: &'static str) -> Event {
    Event::Stdout(text.into())
}

fn err(text: &'static str) -> Event {
    Event::Stderr(text.into())
}

fn clone() -> Program {
    Program::named("git")
        .arg("clone")
        .arg("**")
        .stdout("Cloning into '{arg2}'...\n")
        .wait(Duration::from_millis(1))
        .stderr("fatal: early EOF\n")
        .stdout("in {cwd} of {env.HOME}\n")
        .exit(128)
}

#[tokio::test]
async fn each_output_is_one_event_in_the_order_written() {
    let mock = mock([clone()]).await;
    let expected = [
        Event::Start { pid: 1 },
        out("Cloning into 'https://x.example'...\n"),
        err("fatal: early EOF\n"),
        out("in /tmp of /root\n"),
        left(128),
    ];
    let command = mock.client().command("/usr/bin/git").args(["clone", "https://x.example"]).cwd("/tmp");
    assert_eq!(events(command).await, expected);
    assert_eq!(mock.guest().programs().runs()[0].runs, 1);
}

#[tokio::test]
async fn two_runs_give_the_same_events() {
    let mut runs = Vec::new();
    for _ in 0..2 {
        let mock = mock([clone(), Program::named("yes").stdout("y\n").repeated(3)]).await;
        let client = mock.client();
        let mut all = Vec::new();
        for args in [&["clone", "a"][..], &["fetch"], &["clone", "b"]] {
            all.push(events(client.command("git").args(args.iter().copied())).await);
        }
        all.push(events(client.command("yes")).await);
        runs.push(all);
    }
    assert_eq!(runs[0], runs[1]);
    assert_eq!(runs[0][3], [Event::Start { pid: 4 }, out("y\n"), out("y\n"), out("y\n"), left(0)]);
}

#[tokio::test]
async fn what_no_program_stands_in_for_is_not_found() {
    let mock = mock([Program::named("cat").run(RealRun::new())]).await;
    for cmd in ["no-such-program", "/bin/sh", "cat"] {
        let output = mock.client().command(cmd).output().await.unwrap();
        let expected = format!("envd: {cmd}: not found\n");
        assert_eq!(
            (output.exit.code, output.stderr_text(), output.stdout_text()),
            (127, expected, String::new())
        );
    }
}

#[tokio::test]
async fn input_is_read_line_by_line_and_to_the_end() {
    let program = Program::named("ask").stdout("name? ").read_line().stdout("hello {stdin}\n").read_to_end();
    let mock = mock([program.stdout("[{stdin}]").hang()]).await;
    let client = mock.client();
    let mut stream = client.command("ask").stdin(true).tag("t").stream().await.unwrap();
    assert_eq!(next(&mut stream).await, Event::Start { pid: 1 });
    assert_eq!(next(&mut stream).await, out("name? "));
    let process = client.process(Selector::Tag("t".into()));
    process.send_stdin("no").await.unwrap();
    process.send_stdin("body\nrest").await.unwrap();
    assert_eq!(next(&mut stream).await, out("hello nobody\n"));
    process.close_stdin().await.unwrap();
    assert_eq!(next(&mut stream).await, out("[rest]"));
    process.close_stdin().await.unwrap();
    let late = process.send_stdin("late").await.unwrap_err();
    assert_eq!(late.code(), Some(Code::FailedPrecondition), "{late}");
    process.kill().await.unwrap();
}

#[tokio::test]
async fn input_that_is_not_as_expected_ends_it() {
    let mock = mock([Program::named("login").expect_stdin("yes\n").stdout("in\n")]).await;
    let client = mock.client();
    for (typed, expected) in [
        ("yes\n", vec![out("in\n"), left(0)]),
        ("no!\n", vec![err("login: expected \"yes\\n\" on standard input, got \"no!\\n\"\n"), left(1)]),
    ] {
        let mut stream = client.command("login").stdin(true).stream().await.unwrap();
        let Event::Start { pid } = next(&mut stream).await else { panic!("no start") };
        client.process(pid).send_stdin(typed).await.unwrap();
        let rest: Vec<_> = stream.map(Result::unwrap).collect().await;
        assert_eq!(rest, expected);
    }
}

#[tokio::test]
async fn a_program_that_does_not_read_exhausts_its_writers() {
    let mock = mock([Program::named("deaf").hang()]).await;
    let client = mock.client();
    let process = client.command("deaf").stdin(true).background().await.unwrap();
    let error = process.send_stdin(vec![b'x'; 100_000]).await.unwrap_err();
    assert_eq!(error.code(), Some(Code::ResourceExhausted), "{error}");
    assert!(error.to_string().contains("(65536 of 100000 bytes written)"), "{error}");
    process.kill().await.unwrap();
}

#[tokio::test]
async fn signals_end_it_unless_it_ignores_them() {
    let mock = mock([
        Program::named("server").stdout("up\n").hang(),
        Program::named("stubborn").stdout("up\n").hang().ignoring_sigterm(),
        Program::named("crash").killed_by(11),
    ])
    .await;
    let client = mock.client();
    let mut server = client.command("server").stream().await.unwrap();
    assert_eq!((next(&mut server).await, next(&mut server).await), (Event::Start { pid: 1 }, out("up\n")));
    client.process(1).terminate().await.unwrap();
    assert_eq!(next(&mut server).await, killed("signal: 15 (SIGTERM)"));
    assert!(client.process(1).kill().await.is_err(), "it is gone from the list");

    let mut stubborn = client.command("stubborn").stream().await.unwrap();
    assert_eq!(
        (next(&mut stubborn).await, next(&mut stubborn).await),
        (Event::Start { pid: 2 }, out("up\n"))
    );
    client.process(2).terminate().await.unwrap();
    assert_eq!(client.list().await.unwrap().len(), 1);
    client.process(2).kill().await.unwrap();
    assert_eq!(next(&mut stubborn).await, killed("signal: 9 (SIGKILL)"));
    assert_eq!(events(client.command("crash")).await.last(), Some(&killed("signal: 11 (SIGSEGV)")));
}

#[tokio::test]
async fn it_is_listed_and_can_be_connected_to() {
    let program = Program::named("job").called("a job").stdout("begun\n").read_line().stdout("go {stdin}\n");
    let mock = mock([program]).await;
    let client = mock.client();
    let process =
        client.command("job").args(["x"]).stdin(true).tag("t").env("A", "b").background().await.unwrap();
    let listed = client.list().await.unwrap();
    assert_eq!((listed[0].pid, listed[0].cmd.as_str(), listed[0].tag.as_deref()), (1, "job", Some("t")));
    assert_eq!(mock.guest().processes()[0].program.as_deref(), Some("a job"));
    let mut again = client.process(Selector::Tag("t".into())).connect().await.unwrap();
    assert_eq!(next(&mut again).await, Event::Start { pid: 1 });
    process.send_stdin("on\n").await.unwrap();
    let rest: Vec<_> = again
        .map(Result::unwrap)
        .filter(|event| futures::future::ready(*event != out("begun\n")))
        .collect()
        .await;
    assert_eq!(rest, [out("go on\n"), left(0)]);
    assert!(client.list().await.unwrap().is_empty());
}

#[tokio::test]
async fn on_a_terminal_both_outputs_are_its_bytes() {
    let program = Program::named("top").stdout("a").stderr("b").read_line().stdout("<{stdin}>").read_to_end();
    let mock = mock([program]).await;
    let mut terminal = mock.client().command("top").pty(80, 24).terminal().await.unwrap();
    assert_eq!(terminal.read().await.unwrap().unwrap(), "a");
    assert_eq!(terminal.read().await.unwrap().unwrap(), "b");
    terminal.resize(100, 30).await.unwrap();
    terminal.send("typed\r").await.unwrap();
    assert_eq!(terminal.read().await.unwrap().unwrap(), "<typed>");
    assert!(
        terminal.process().send_stdin("x").await.is_err() && terminal.process().close_stdin().await.is_err()
    );
    terminal.send("\x04").await.unwrap();
    assert_eq!(terminal.read().await.unwrap(), None);
    assert_eq!(terminal.exit().unwrap().code, 0);
}

#[tokio::test]
async fn files_belong_to_the_user_that_it_runs_as() {
    let program = Program::named("make")
        .write_file("out/{arg1}", "built")
        .mode(0o755)
        .write_file("/home/user", "no")
        .stdout("not reached");
    let mock = mock([program]).await;
    let client = mock.client();
    client.init(&envd_client::Init::new().default_user("user")).await.unwrap();
    let output = client.command("make").args(["a.bin"]).cwd("/home/user").output().await.unwrap();
    assert_eq!(output.exit.code, 1);
    assert!(output.stderr_text().starts_with("make: /home/user: "), "{}", output.stderr_text());
    assert_eq!(client.read_file("/home/user/out/a.bin").await.unwrap(), "built");
    let entry = client.stat("/home/user/out/a.bin").await.unwrap();
    assert_eq!((entry.mode & 0o7777, entry.owner.as_str(), entry.group.as_str()), (0o755, "user", "user"));
}

#[tokio::test]
async fn much_output_loses_nothing_and_a_reader_that_takes_nothing_loses_its_stream() {
    // Nothing that compression on the way could make smaller.
    let next = |state: &u32| Some(state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223));
    let random = std::iter::successors(Some(1_u32), next).map(|state| state.to_be_bytes()[0]);
    let chunk: Vec<u8> = random.take(65_536).collect();
    let many = Program::named("many").stdout_bytes(chunk.clone()).repeated(200);
    let flood =
        Program::named("flood").stdout_bytes(chunk.clone()).repeated(1000).write_file("/tmp/done", "");
    let builder = MockEnvd::builder().programs_only(true).stall_limit(Duration::from_millis(200));
    let mock = builder.program(many).program(flood).start().await.unwrap();
    let client = mock.client();
    let output = client.command("many").output_limit(1 << 30).output().await.unwrap();
    assert_eq!(output.stdout.len(), 200 * chunk.len());
    assert!(output.stdout.chunks(chunk.len()).all(|one| one == chunk));
    let idle = client.command("flood").stream().await.unwrap();
    let done = async {
        while !mock.guest().exists("/tmp/done") {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(LIMIT, done).await.expect("the program goes on without its reader");
    let last = idle.collect::<Vec<_>>().await.pop().unwrap().unwrap_err();
    assert_eq!(last.code(), Some(Code::ResourceExhausted), "{last}");
}

#[tokio::test]
async fn the_real_one_runs_but_with_other_arguments_output_and_end() {
    let run = RealRun::new()
        .args(["-c", "echo real $ADDED; exit 5"])
        .env("ADDED", "one")
        .stderr_before("warning: {args}\n")
        .stdout_after("after\n")
        .delay(Duration::from_millis(1))
        .exit(9);
    let program = Program::named("sh").args(["-c", "true"]).run(run);
    let mock = MockEnvd::builder().program(program).start().await.unwrap();
    let all = events(mock.client().command("sh").args(["-c", "true"])).await;
    assert!(matches!(all[0], Event::Start { pid } if pid < 10_000_000), "{all:?}");
    assert_eq!(all[1..], [err("warning: -c true\n"), out("real one\n"), out("after\n"), left(9)]);
    assert_eq!(crate::sh(&mock.client(), "exit 4").await.exit.code, 4);
}

#[tokio::test]
async fn a_signal_reaches_what_is_played_behind_the_real_one() {
    let run = RealRun::new().stdout_after("over\n").wait_after(Duration::from_secs(3600));
    let mock = MockEnvd::builder().program(Program::named("true").run(run)).start().await.unwrap();
    let client = mock.client();
    let mut stream = client.command("true").tag("t").stream().await.unwrap();
    while next(&mut stream).await != out("over\n") {}
    client.process(Selector::Tag("t".into())).kill().await.unwrap();
    assert_eq!(next(&mut stream).await, killed("signal: 9 (SIGKILL)"));
}

#[tokio::test]
async fn numbers_of_programs_beside_real_processes_are_above_the_kernels() {
    let mock = MockEnvd::builder().program(Program::named("fake")).start().await.unwrap();
    assert_eq!(events(mock.client().command("fake")).await, [Event::Start { pid: 10_000_001 }, left(0)]);
}

#[tokio::test]
async fn programs_are_replaced_while_one_runs() {
    let mock = mock([Program::named("job").stdout("old\n").read_line().exit(1)]).await;
    let client = mock.client();
    let mut old = client.command("job").stdin(true).stream().await.unwrap();
    next(&mut old).await;
    mock.guest().programs().replace(vec![Program::named("job").stdout("new\n")]);
    assert_eq!(events(client.command("job")).await[1..], [out("new\n"), left(0)]);
    client.process(1).send_stdin("\n").await.unwrap();
    assert_eq!([next(&mut old).await, next(&mut old).await], [out("old\n"), left(1)]);
}

#[tokio::test]
async fn an_end_of_the_mock_breaks_off_what_hangs() {
    let mock = mock([Program::named("server").hang()]).await;
    let root = mock.guest().root().to_owned();
    let mut stream = mock.client().command("server").stream().await.unwrap();
    next(&mut stream).await;
    tokio::time::timeout(LIMIT, mock.stop()).await.expect("the mock ends");
    let rest: Vec<_> = stream.collect().await;
    assert!(rest.iter().all(Result::is_err), "{rest:?}");
    assert!(!root.exists());
}

#[tokio::test]
async fn a_tree_without_walls_has_what_a_guest_has_and_no_way_out() {
    let mock = mock([]).await;
    let client = mock.client();
    let owner = |path: &'static str| {
        let client = client.clone();
        async move { client.stat(path).await.map(|entry| (entry.owner, entry.mode & 0o7777)).unwrap() }
    };
    assert_eq!(owner("/home/user").await, ("user".to_owned(), 0o755));
    assert_eq!(owner("/root").await, ("root".to_owned(), 0o700));
    assert_eq!(owner("/tmp").await, ("root".to_owned(), 0o1777));
    assert!(client.read_file("/etc/passwd").await.unwrap().starts_with(b"root:x:0:0:"));
    std::os::unix::fs::symlink("/etc", mock.guest().root().join("tmp/etc")).unwrap();
    assert!(
        client
            .read_file("/tmp/etc/passwd")
            .await
            .unwrap()
            .starts_with(b"root:x:0:0:root:/root:/bin/sh\nuser:")
    );
    assert!(client.read_file("/proc/version").await.is_err() && client.read_file("/bin/sh").await.is_err());
}

#[tokio::test]
async fn a_directory_in_place_is_kept_and_the_machine_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("mine"), "kept").unwrap();
    let only = || MockEnvd::builder().programs_only(true);
    let mock = only().root(RootSpec::Dir(dir.path().into())).start().await.unwrap();
    assert_eq!(mock.client().read_file("/mine").await.unwrap(), "kept");
    mock.stop().await;
    assert_eq!(std::fs::read(dir.path().join("mine")).unwrap(), b"kept");
    for builder in [
        only().root(RootSpec::Machine),
        only().root(RootSpec::Dir("/".into())),
        only().disk(1 << 20),
        only().bind("/usr", "/usr"),
    ] {
        let error = builder.start().await.unwrap_err();
        assert!(error.to_string().contains("where nothing real runs"), "{error}");
    }
}
