//! What the guest promises of processes: order, completeness, back-pressure, survival.

use std::time::Duration;

use envd_client::{Event, Selector};
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
