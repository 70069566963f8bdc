//! What the guest promises of processes: order, completeness, back-pressure, survival.

use std::time::Duration;

use envd_client::{Event, EventStream, Selector};
use envd_mock::MockEnvd;
use futures::StreamExt as _;

use crate::sh;

/// A pattern in which a lost, doubled or moved byte shows.
const PATTERN: &str = "\
import sys
for n in range(int(sys.argv[1])):
    sys.stdout.write('%015d\\n' % n)
    if n == 20000: open('/tmp/well-on', 'w')
";

fn check_pattern(seen: &mut u64, rest: &mut Vec<u8>, data: &[u8]) {
    rest.extend_from_slice(data);
    let whole = rest.len() / 16 * 16;
    for line in rest[..whole].chunks_exact(16) {
        assert_eq!(line, format!("{seen:015}\n").as_bytes());
        *seen += 1;
    }
    rest.drain(..whole);
}

#[tokio::test]
async fn events_come_in_order_and_all_of_them() {
    let mock = MockEnvd::start().await.unwrap();
    let client = mock.client();
    let script = "echo out; echo err >&2; exit 7";
    let events: Vec<_> = client.command("sh").args(["-c", script]).stream().await.unwrap().collect().await;
    let events: Vec<Event> = events.into_iter().map(Result::unwrap).collect();
    assert!(matches!(events.first(), Some(Event::Start { .. })), "{events:?}");
    let Some(Event::End(exit)) = events.last() else { panic!("{events:?}") };
    assert_eq!((exit.code, exit.exited, exit.status.as_str()), (7, true, "exit status: 7"));
    assert_eq!(events.len(), 4, "{events:?}");
}

#[tokio::test]
async fn a_hundred_commands_at_once_lose_nothing() {
    let mock = MockEnvd::start().await.unwrap();
    let client = mock.client();
    let commands = (0..100).map(|n| {
        let client = client.clone();
        async move { (n, client.command("echo").args([n.to_string()]).output().await.unwrap()) }
    });
    for (n, output) in futures::future::join_all(commands).await {
        assert_eq!(output.stdout, format!("{n}\n"));
        assert_eq!(output.exit.code, 0);
    }
    assert!(client.list().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_late_reader_of_much_output_gets_every_byte() {
    let mock = MockEnvd::start().await.unwrap();
    let lines = 2_000_000;
    let mut events =
        mock.client().command("python3").args(["-c", PATTERN, &lines.to_string()]).stream().await.unwrap();
    // Several times what a pipe holds has been written before anyone reads.
    while !mock.guest().exists("/tmp/well-on") {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let (mut seen, mut rest, mut ended) = (0, Vec::new(), false);
    while let Some(event) = events.next().await {
        match event.unwrap() {
            Event::Stdout(data) => check_pattern(&mut seen, &mut rest, &data),
            Event::End(exit) => ended = exit.code == 0,
            _ => {}
        }
    }
    assert_eq!((seen, rest.len(), ended), (lines, 0, true));
}

#[tokio::test]
async fn a_reader_that_takes_nothing_loses_its_stream_and_the_process_goes_on() {
    let mock = MockEnvd::builder().stall_limit(Duration::from_millis(200)).start().await.unwrap();
    let client = mock.client();
    let script = "head -c 64000000 /dev/urandom; echo done > /tmp/done";
    let mut events = client.command("sh").args(["-c", script]).stream().await.unwrap();
    while client.read_file("/tmp/done").await.is_err() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let mut last = None;
    while let Some(event) = events.next().await {
        last = Some(event);
    }
    let error = last.unwrap().unwrap_err();
    assert_eq!(error.code(), Some(envd_client::Code::ResourceExhausted), "{error}");
}

#[tokio::test]
async fn a_process_outlives_the_stream_that_started_it() {
    let mock = MockEnvd::start().await.unwrap();
    let client = mock.client();
    let script = "echo before; read line; echo $line; head -c 1000000 /dev/zero | wc -c; exit 4";
    let mut first = client.command("sh").args(["-c", script]).stdin(true).tag("kept").stream().await.unwrap();
    first.next().await.unwrap().unwrap();
    drop(first);
    let again = client.process(Selector::Tag("kept".into())).connect().await.unwrap();
    client.process(Selector::Tag("kept".into())).send_stdin("go on\n").await.unwrap();
    let mut text = Vec::new();
    let mut events = again;
    while let Some(event) = events.next().await {
        match event.unwrap() {
            Event::Stdout(data) => text.extend_from_slice(&data),
            Event::End(exit) => assert_eq!(exit.code, 4),
            _ => {}
        }
    }
    assert!(text.ends_with(b"go on\n1000000\n"), "{:?}", String::from_utf8_lossy(&text));
}

#[tokio::test]
async fn the_end_waits_for_whoever_holds_the_pipes() {
    let mock = MockEnvd::start().await.unwrap();
    let output = sh(
        &mock.client(),
        "mkfifo /tmp/gate; (read line < /tmp/gate; echo late) & (echo x > /tmp/gate) & echo early; exit 3",
    )
    .await;
    assert_eq!(output.exit.code, 3);
    assert!(
        output.stdout.ends_with(b"early\nlate\n") || output.stdout.starts_with(b"early"),
        "{:?}",
        output.stdout
    );
}

#[tokio::test]
async fn a_signal_reaches_the_whole_group() {
    let mock = MockEnvd::start().await.unwrap();
    let client = mock.client();
    let mut events =
        client.command("sh").args(["-c", "sleep 1000 & echo up; wait"]).tag("group").stream().await.unwrap();
    while !matches!(events.next().await.unwrap().unwrap(), Event::Stdout(_)) {}
    client.process(Selector::Tag("group".into())).kill().await.unwrap();
    // Without the child's death the pipes would stay open, and the end would not come.
    let Event::End(exit) = events.next().await.unwrap().unwrap() else { panic!("no end") };
    assert_eq!((exit.code, exit.exited, exit.status.as_str()), (-1, false, "signal: 9 (SIGKILL)"));
}

#[tokio::test]
async fn a_program_that_is_not_there_ends_with_127_and_one_that_may_not_run_with_126() {
    let mock = MockEnvd::start().await.unwrap();
    let client = mock.client();
    let missing = client.command("no-such-program").output().await.unwrap();
    assert_eq!(missing.exit.code, 127);
    assert_eq!(missing.stderr, "envd: no-such-program: not found\n");
    let denied = client.command("/etc/passwd").output().await.unwrap();
    assert_eq!(denied.exit.code, 126);
    client.write_file("/tmp/script", "echo no interpreter line: $1\n").await.unwrap();
    sh(&client, "chmod +x /tmp/script").await;
    let script = client.command("/tmp/script").args(["x"]).output().await.unwrap();
    assert_eq!(script.stdout, "no interpreter line: x\n");
}

#[tokio::test]
async fn the_environment_is_the_guests_own() {
    let mock = MockEnvd::start().await.unwrap();
    let output = mock.client().command("env").env("A", "b").output().await.unwrap();
    let text = String::from_utf8(output.stdout.to_vec()).unwrap();
    let mut names: Vec<_> = text.lines().filter_map(|line| line.split_once('=')).collect();
    names.sort_unstable();
    let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    let expected = [("A", "b"), ("HOME", "/root"), ("LOGNAME", "root"), ("PATH", path), ("USER", "root")];
    let own: Vec<_> = names.iter().filter(|(key, _)| !key.starts_with("WRENN_")).copied().collect();
    assert_eq!(own, expected);
}

/// Says its own number, leaves a process outside of its group that holds its output, and ends.
const LEFT_BEHIND: &str = "echo $$; trap '' HUP; setsid sleep 1000 & exit 5";

/// Runs in the guest: waits until the kernel has this process as a zombie, or not at all.
fn wait_for_end(pid: u32) -> String {
    format!("while grep -q '^State:.[^Z]' /proc/{pid}/status 2>/dev/null; do :; done")
}

/// A command whose leader has ended while its output is still open.
async fn left_behind(client: &envd_client::Client, tag: &str, pty: bool) -> (EventStream, u32) {
    let command = client.command("sh").args(["-c", LEFT_BEHIND]).tag(tag);
    let command = if pty { command.pty(80, 24) } else { command };
    let mut events = command.stream().await.unwrap();
    let Event::Start { pid } = events.next().await.unwrap().unwrap() else { panic!("no start") };
    sh(client, &wait_for_end(pid)).await;
    (events, pid)
}

async fn last(mut events: EventStream) -> envd_client::Exit {
    let mut last = None;
    while let Some(event) = events.next().await {
        last = Some(event.unwrap());
    }
    let Some(Event::End(exit)) = last else { panic!("{last:?}") };
    exit
}

// The kind of mistake: a process that the mock still names is one that the kernel does not know any more.
#[tokio::test]
async fn a_listed_process_can_be_signalled_after_its_leader_has_ended() {
    let mock = MockEnvd::start().await.unwrap();
    let client = mock.client();
    for pty in [false, true] {
        for by_tag in [false, true] {
            let (events, pid) = left_behind(&client, "left", pty).await;
            let selector = if by_tag { Selector::Tag("left".into()) } else { Selector::Pid(pid) };
            let process = client.process(selector);
            process.terminate().await.unwrap();
            assert_eq!(client.list().await.unwrap().len(), 1, "its output is still open");
            process.kill().await.unwrap();
            assert_eq!(last(events).await.code, 5);
            assert!(client.list().await.unwrap().is_empty());
            let error = process.kill().await.unwrap_err();
            assert!(error.is_not_found(), "{error}");
        }
    }
}

#[tokio::test]
async fn what_was_written_before_a_kill_is_told_and_what_others_write_later_is_not_waited_for() {
    let mock = MockEnvd::start().await.unwrap();
    let client = mock.client();
    let script =
        "(trap '' HUP; setsid yes after) & head -c 60000 /dev/zero >&2; echo x > /tmp/written; sleep 1000";
    let mut events = client.command("sh").args(["-c", script]).tag("loud").stream().await.unwrap();
    while client.read_file("/tmp/written").await.is_err() {
        tokio::task::yield_now().await;
    }
    client.process(Selector::Tag("loud".into())).kill().await.unwrap();
    assert!(client.list().await.unwrap().is_empty());
    let (mut written, mut status) = (0, String::new());
    while let Some(event) = events.next().await {
        match event.unwrap() {
            Event::Stderr(data) => written += data.len(),
            Event::End(exit) => status = exit.status,
            _ => {}
        }
    }
    assert_eq!((written, status.as_str()), (60_000, "signal: 9 (SIGKILL)"));
}

// The kind of mistake: an answer that tells of something that has not happened yet.
#[tokio::test]
async fn a_kill_is_answered_when_nothing_of_the_group_is_left() {
    let mock = MockEnvd::start().await.unwrap();
    let client = mock.client();
    for turn in 0..40 {
        let command = client.command("sh").args(["-c", "sleep 1000 & echo $!; wait"]);
        let command = if turn % 2 == 0 { command } else { command.pty(80, 24) };
        let mut events = command.stream().await.unwrap();
        let Event::Start { pid } = events.next().await.unwrap().unwrap() else { panic!("no start") };
        let (Event::Stdout(child) | Event::Pty(child)) = events.next().await.unwrap().unwrap() else {
            panic!("no output")
        };
        let child = String::from_utf8(child.to_vec()).unwrap().trim().to_owned();
        client.process(pid).kill().await.unwrap();
        assert!(client.list().await.unwrap().is_empty(), "turn {turn}");
        let left = sh(&client, &format!("kill -0 {pid} || kill -0 {child} || echo none")).await;
        assert_eq!(left.stdout, "none\n", "turn {turn}: {left:?}");
        assert_eq!(last(events).await.status, "signal: 9 (SIGKILL)");
    }
}

#[tokio::test]
async fn a_killed_process_is_gone_although_nobody_takes_its_output() {
    let mock = MockEnvd::start().await.unwrap();
    let client = mock.client();
    let script = "echo up > /tmp/up; cat /dev/zero";
    let mut events = client.command("sh").args(["-c", script]).tag("flood").stream().await.unwrap();
    while client.read_file("/tmp/up").await.is_err() {
        tokio::task::yield_now().await;
    }
    client.process(Selector::Tag("flood".into())).kill().await.unwrap();
    assert!(client.list().await.unwrap().is_empty());
    assert!(matches!(events.next().await, Some(Ok(Event::Start { .. }))));
    assert_eq!(last(events).await.status, "signal: 9 (SIGKILL)");
}

// Orphans are reaped although an ended command in front of them, in the kernel's list, is kept.
#[tokio::test]
async fn a_command_that_is_kept_does_not_keep_orphans() {
    let mock = MockEnvd::start().await.unwrap();
    let client = mock.client();
    let (_events, pid) = left_behind(&client, "kept", false).await;
    let script = "(sleep 0 & echo $!) > /tmp/orphan; pid=$(cat /tmp/orphan); while kill -0 $pid; do :; done; echo reaped";
    assert_eq!(sh(&client, script).await.stdout, "reaped\n");
    assert_eq!(client.list().await.unwrap().len(), 1);
    let state = sh(&client, &format!("grep '^State' /proc/{pid}/status")).await;
    assert!(state.stdout_text().contains('Z'), "{state:?}");
}

#[tokio::test]
async fn a_program_is_off_the_list_once_its_kill_is_answered() {
    let script = "[[program]]\ncommand = \"npm *\"\nhang = true\n\n[[program]]\ncommand = \"sleep *\"\nrun = { after = [{ wait = \"1h\" }] }\n";
    let script = envd_mock::fault::Script::from_toml("programs", script).unwrap();
    let mock = MockEnvd::builder().script(script).start().await.unwrap();
    let client = mock.client();
    for command in [client.command("npm").args(["ci"]), client.command("sleep").args(["1000"])] {
        let mut events = command.stream().await.unwrap();
        let Event::Start { pid } = events.next().await.unwrap().unwrap() else { panic!("no start") };
        client.process(pid).kill().await.unwrap();
        assert!(client.list().await.unwrap().is_empty());
        assert_eq!(last(events).await.status, "signal: 9 (SIGKILL)");
        assert!(client.process(pid).kill().await.unwrap_err().is_not_found());
    }
}
