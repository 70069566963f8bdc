//! Process operations against the mock.

use std::time::Duration;

use bytes::Bytes;
use envd_client::{Client, Code, Event, EventStream, Exit, Init, Selector, Size};
use futures::stream;

use crate::peer::soon;
use crate::{assert_refused, guest};

async fn started(events: &mut EventStream) -> u32 {
    match soon(events.next()).await.unwrap().unwrap() {
        Event::Start { pid } => pid,
        other => panic!("expected a start, seen {other:?}"),
    }
}

async fn rest(mut events: EventStream) -> (Vec<u8>, Exit) {
    let mut out = Vec::new();
    while let Some(event) = soon(events.next()).await {
        match event.unwrap() {
            Event::Stdout(bytes) => out.extend_from_slice(&bytes),
            Event::End(exit) => return (out, exit),
            other => panic!("unexpected {other:?}"),
        }
    }
    panic!("no end")
}

#[tokio::test]
async fn a_command_gives_both_outputs_and_its_exit_code() {
    let (_mock, client) = guest().await;
    let output = client.command("sh").args(["-c", "echo out; echo err >&2; exit 3"]).output().await.unwrap();
    assert_eq!((output.stdout_text().as_str(), output.stderr_text().as_str()), ("out\n", "err\n"));
    assert_eq!((output.exit.code, output.exit.exited), (3, true));
    assert_eq!(output.exit.status, "exit status: 3");
}

#[tokio::test]
async fn environment_and_directory_are_the_commands_own() {
    let (_mock, client) = guest().await;
    client.init(&Init::new().env("A", "default").env("B", "default")).await.unwrap();
    let script = "echo $A $B $HOME $USER; pwd";
    let output =
        client.command("sh").args(["-c", script]).env("A", "own").cwd("/home/user").output().await.unwrap();
    assert_eq!(output.stdout_text(), "own default /root root\n/home/user\n");
}

#[tokio::test]
async fn the_pid_is_the_one_that_the_command_sees() {
    let (_mock, client) = guest().await;
    let output = client.command("sh").args(["-c", "echo $$"]).output().await.unwrap();
    assert_eq!(output.stdout_text(), format!("{}\n", output.pid));
}

#[tokio::test]
async fn a_program_that_is_missing_is_exit_127() {
    let (_mock, client) = guest().await;
    let output = client.command("no-such-program").output().await.unwrap();
    assert_eq!((output.exit.code, output.exit.exited), (127, true));
    assert!(output.stderr_text().contains("no-such-program"), "{}", output.stderr_text());
}

#[tokio::test]
async fn death_by_signal_is_told() {
    let (_mock, client) = guest().await;
    let output = client.command("sh").args(["-c", "kill -9 $$"]).output().await.unwrap();
    assert_eq!((output.exit.code, output.exit.exited, output.exit.success()), (-1, false, false));
    assert_eq!(output.exit.status, "signal: 9 (SIGKILL)");
}

#[tokio::test]
async fn a_start_that_cannot_be_is_the_callers_fault() {
    let (_mock, client) = guest().await;
    let missing = client.command("true").cwd("/nowhere").output().await;
    assert_refused(missing, Code::InvalidArgument, "cwd '/nowhere' does not exist");
    let tilde = client.command("true").cwd("~nobody").output().await;
    assert_refused(tilde, Code::InvalidArgument, "cannot expand user-specific home dir");
    let nul = client.command("true").env("A", "b\0c").output().await;
    assert_refused(nul, Code::InvalidArgument, "");
    let equals = client.command("true").env("A=B", "c").output().await;
    assert_refused(equals, Code::InvalidArgument, "");
}

#[tokio::test]
async fn an_unknown_default_user_fails_the_start() {
    let (_mock, client) = guest().await;
    client.init(&Init::new().default_user("ghost")).await.unwrap();
    let error = client.command("true").output().await.unwrap_err();
    assert_eq!(error.code(), Some(Code::Internal));
    assert!(error.to_string().contains("user 'ghost' not found"), "{error}");
}

#[tokio::test]
async fn a_time_limit_ends_the_call_and_not_the_process() {
    let (_mock, client) = guest().await;
    let call = client.command("sleep").arg("60").tag("sleeper").timeout(Duration::from_secs(2));
    let error = soon(call.output()).await.unwrap_err();
    assert_eq!(error.code(), Some(Code::DeadlineExceeded), "{error}");
    client.process("sleeper").kill().await.unwrap();
}

#[tokio::test]
async fn a_background_process_is_listed_connected_and_killed() {
    let (_mock, client) = guest().await;
    let process = client
        .command("sh")
        .args(["-c", "read line; echo got $line; sleep 60"])
        .env("A", "b")
        .cwd("/tmp")
        .tag("bg")
        .stdin(true)
        .background()
        .await
        .unwrap();
    let [info] = <[_; 1]>::try_from(client.list().await.unwrap()).unwrap();
    assert_eq!((Some(info.pid), info.tag.as_deref()), (process.pid(), Some("bg")));
    assert_eq!((info.cmd.as_str(), info.args.len(), info.cwd.as_deref()), ("sh", 2, Some("/tmp")));
    assert_eq!(info.envs.get("A").map(String::as_str), Some("b"));

    let mut by_tag = client.process("bg").connect().await.unwrap();
    assert_eq!(Some(started(&mut by_tag).await), process.pid());
    process.send_stdin("word\n").await.unwrap();
    assert_eq!(soon(by_tag.next()).await.unwrap().unwrap(), Event::Stdout("got word\n".into()));
    process.kill().await.unwrap();
    let (_, exit) = rest(by_tag).await;
    assert_eq!(exit.status, "signal: 9 (SIGKILL)");
    assert_refused(process.kill().await, Code::NotFound, "not found");
    assert_eq!(client.list().await.unwrap(), []);
}

#[tokio::test]
async fn terminate_reaches_the_whole_group() {
    let (_mock, client) = guest().await;
    let mut events = client
        .command("sh")
        .args(["-c", "sleep 60 & trap 'echo bye; exit 5' TERM; echo up; wait"])
        .stream()
        .await
        .unwrap();
    let pid = started(&mut events).await;
    assert_eq!(soon(events.next()).await.unwrap().unwrap(), Event::Stdout("up\n".into()));
    client.process(pid).terminate().await.unwrap();
    let (out, exit) = rest(events).await;
    assert_eq!((&out[..], exit.code), (&b"bye\n"[..], 5));
}

#[tokio::test]
async fn input_ends_when_it_is_closed() {
    let (_mock, client) = guest().await;
    let mut events = client.command("cat").stdin(true).stream().await.unwrap();
    let process = client.process(started(&mut events).await);
    process.send_stdin("one ").await.unwrap();
    let pieces = ["two ", "three"].map(|piece| Ok(Bytes::from(piece)));
    process.stream_stdin(stream::iter(pieces)).await.unwrap();
    process.close_stdin().await.unwrap();
    let (out, exit) = rest(events).await;
    assert_eq!((&out[..], exit.code), (&b"one two three"[..], 0));
}

#[tokio::test]
async fn closing_input_may_be_repeated_and_ends_writing() {
    let (_mock, client) = guest().await;
    let process = client.command("sleep").arg("60").stdin(true).background().await.unwrap();
    process.close_stdin().await.unwrap();
    process.close_stdin().await.unwrap();
    let closed = "stdin not enabled or closed";
    assert_refused(process.send_stdin("x").await, Code::FailedPrecondition, closed);
    let pieces = stream::iter([Ok(Bytes::from("x"))]);
    assert_refused(process.stream_stdin(pieces).await, Code::FailedPrecondition, closed);
    process.kill().await.unwrap();
}

#[tokio::test]
async fn without_input_there_is_nothing_to_write_to() {
    let (_mock, client) = guest().await;
    let process = client.command("sleep").arg("60").background().await.unwrap();
    let refused = process.send_stdin("x").await;
    assert_refused(refused, Code::FailedPrecondition, "stdin not enabled or closed");
    process.close_stdin().await.unwrap();
    assert_refused(process.send_pty("x").await, Code::FailedPrecondition, "pty not assigned to process");
    let resized = process.resize(Size::new(1, 1)).await;
    assert_refused(resized, Code::FailedPrecondition, "tty not assigned to process");
    process.kill().await.unwrap();
}

#[tokio::test]
async fn a_process_that_does_not_read_exhausts_its_input() {
    let (_mock, client) = guest().await;
    let process = client.command("sleep").arg("60").stdin(true).background().await.unwrap();
    let error = process.send_stdin(vec![b'x'; 1_000_000]).await.unwrap_err();
    assert_eq!(error.code(), Some(Code::ResourceExhausted));
    assert!(error.to_string().contains("process is not reading its input"), "{error}");
    assert!(!error.is_retry_safe(), "a part of it was written");
    process.kill().await.unwrap();
}

#[tokio::test]
async fn writing_to_a_process_that_closed_its_input_is_an_error() {
    let (_mock, client) = guest().await;
    let mut events = client
        .command("sh")
        .args(["-c", "exec <&-; echo shut; sleep 60"])
        .stdin(true)
        .stream()
        .await
        .unwrap();
    let process = client.process(started(&mut events).await);
    assert_eq!(soon(events.next()).await.unwrap().unwrap(), Event::Stdout("shut\n".into()));
    // A guest that another test starts in this very moment may hold a copy of the pipe until it has shed it.
    let refused = async {
        loop {
            if let Err(error) = process.send_stdin("x").await {
                return error;
            }
        }
    };
    let error = soon(refused).await;
    assert_eq!(error.code(), Some(Code::Internal));
    assert!(error.to_string().contains("Broken pipe"), "{error}");
    process.kill().await.unwrap();
}

#[tokio::test]
async fn nobody_is_not_found() {
    let (_mock, client) = guest().await;
    for (selector, words) in [
        (Selector::Pid(999_999), "process with pid 999999 not found"),
        (Selector::Tag("t".into()), "process with tag t not found"),
    ] {
        let process = client.process(selector.clone());
        let found = Code::NotFound;
        assert_refused(first(process.connect().await.unwrap()).await, found, words);
        assert_refused(process.kill().await, found, words);
        assert_refused(process.send_stdin("x").await, found, words);
        assert_refused(process.close_stdin().await, found, words);
        assert_refused(process.resize(Size::new(1, 1)).await, found, words);
        assert_refused(process.stream_stdin(stream::iter([])).await, found, words);
        assert_refused(process.terminal().await, found, words);
    }
}

#[tokio::test]
async fn a_dropped_stream_leaves_the_process_and_its_output_alone() {
    let (mock, client) = guest().await;
    let script = "for i in 1 2 3; do head -c 100000 /dev/zero; done; echo x > /tmp/done; sleep 60";
    let mut events = client.command("sh").args(["-c", script]).tag("t").stream().await.unwrap();
    started(&mut events).await;
    let mut watch = client.watch_dir("/tmp", false).await.unwrap();
    drop(events);
    while !mock.guest().exists("/tmp/done") {
        soon(watch.next()).await.unwrap().unwrap();
    }
    client.process("t").kill().await.unwrap();
}

#[tokio::test]
async fn commands_in_parallel_keep_their_outputs_apart() {
    let (_mock, client) = guest().await;
    let run = async |client: Client, n: usize| {
        client.command("echo").arg(n.to_string()).output().await.unwrap().stdout_text()
    };
    let all = futures::future::join_all((0..20).map(|n| run(client.clone(), n))).await;
    assert_eq!(all, (0..20).map(|n| format!("{n}\n")).collect::<Vec<_>>());
}

async fn first(mut events: EventStream) -> envd_client::Result<Event> {
    soon(events.next()).await.expect("something comes")
}
