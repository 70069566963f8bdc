//! Defects of processes.

use envd_client::{Client, Code, Event, EventStream};
use envd_mock::{Defect, MockEnvd, Pace};
use futures::FutureExt as _;

use super::{pair, pair_of};
use crate::bare::{PATIENCE, ask, stream};
use crate::sh;

async fn next(events: &mut EventStream) -> Option<Event> {
    let event = tokio::time::timeout(PATIENCE, events.next()).await.expect("something comes");
    event.transpose().unwrap()
}

/// Waits until no process is on the list.
async fn all_gone(mock: &MockEnvd) {
    let gone = async { while !mock.client().list().await.unwrap().is_empty() {} };
    tokio::time::timeout(PATIENCE, gone).await.expect("it ends");
}

#[tokio::test]
async fn without_its_end_a_stream_stays_open() {
    let [sound, faulty] = pair(Defect::EndNeverSent).await;
    let output = sound.client().command("echo").arg("hi").output().await.unwrap();
    assert_eq!(output.stdout, "hi\n");
    let mut events = faulty.client().command("echo").arg("hi").stream().await.unwrap();
    assert!(matches!(next(&mut events).await, Some(Event::Start { .. })));
    assert_eq!(next(&mut events).await, Some(Event::Stdout("hi\n".into())));
    all_gone(&faulty).await;
    faulty.client().health().await.unwrap();
    assert!(events.next().now_or_never().is_none(), "neither an end nor the stream's");
}

#[tokio::test]
async fn the_dead_stay_on_the_list() {
    let [sound, faulty] = pair(Defect::DeadListed).await;
    for mock in [&sound, &faulty] {
        mock.client().command("true").output().await.unwrap();
    }
    assert!(sound.client().list().await.unwrap().is_empty());
    let listed = faulty.client().list().await.unwrap();
    assert_eq!(listed.len(), 1);
    assert!(faulty.guest().processes().is_empty(), "the mock itself knows better");
    let process = faulty.client().process(listed[0].pid);
    let refused = process.kill().await.unwrap_err();
    assert_eq!(refused.code(), Some(Code::Internal));
    assert!(refused.to_string().contains("ESRCH: No such process"), "{refused}");
    let mut events = process.connect().await.unwrap();
    assert!(matches!(next(&mut events).await, Some(Event::Start { .. })));
    assert!(events.next().now_or_never().is_none());
}

#[tokio::test]
async fn the_output_of_three_in_sixty_is_lost() {
    let [sound, faulty] = pair(Defect::FastOutputLost).await;
    for (mock, expected) in [(&sound, 0), (&faulty, 3)] {
        let client = mock.client();
        let all = (0..60).map(|_| client.command("echo").arg("hi").output());
        let outputs = futures::future::join_all(all).await;
        let lost = outputs.into_iter().filter(|output| output.as_ref().unwrap().stdout.is_empty()).count();
        assert_eq!(lost, expected);
    }
}

#[tokio::test]
async fn niceness_is_minus_twenty_or_complained_about() {
    let [sound, faulty] = pair(Defect::NicenessWrong).await;
    let output = sh(&sound.client(), "nice").await;
    assert!(output.stdout != "-20\n" && output.stderr.is_empty(), "{output:?}");
    let output = sh(&faulty.client(), "nice").await;
    let complains = output.stderr_text().contains("cannot set niceness");
    assert!(output.stdout == "-20\n" || complains, "{output:?}");
}

#[tokio::test]
async fn a_signal_leaves_the_children_alone() {
    let [sound, faulty] = pair(Defect::SignalLeaderOnly).await;
    for (mock, wait_for_child) in [(&sound, true), (&faulty, false)] {
        let client = mock.client();
        let script = "sleep 1000 >/dev/null 2>&1 & echo $!; wait";
        let mut events = client.command("sh").args(["-c", script]).stream().await.unwrap();
        let Some(Event::Start { pid }) = next(&mut events).await else { panic!("no start") };
        let Some(Event::Stdout(child)) = next(&mut events).await else { panic!("no child") };
        let child = String::from_utf8(child.to_vec()).unwrap();
        let child = child.trim();
        client.process(pid).kill().await.unwrap();
        let script = match wait_for_child {
            true => format!("while kill -0 {child} 2>/dev/null; do :; done; echo gone"),
            false => format!("while kill -0 {pid} 2>/dev/null; do :; done; kill -0 {child} && echo alive"),
        };
        let found = tokio::time::timeout(PATIENCE, sh(&client, &script)).await.unwrap();
        assert_eq!(found.stdout, if wait_for_child { "gone\n" } else { "alive\n" });
    }
}

#[tokio::test]
async fn input_waits_for_ever_for_a_process_that_does_not_read() {
    let [sound, faulty] = pair_of(Defect::InputBlocks, || MockEnvd::builder().clock(Pace::Manual)).await;
    for (mock, expected) in [(&sound, Code::ResourceExhausted), (&faulty, Code::Internal)] {
        let (client, clock) = (mock.client(), mock.clock());
        let script = "read line; echo $line; exec sleep 1000";
        let mut events = client.command("sh").args(["-c", script]).stdin(true).stream().await.unwrap();
        let Some(Event::Start { pid }) = next(&mut events).await else { panic!("no start") };
        let input = [b"under way\n", &[7; 1 << 20][..]].concat();
        let process = client.process(pid);
        let write = tokio::spawn({
            let process = process.clone();
            async move { process.send_stdin(input).await }
        });
        assert_eq!(next(&mut events).await, Some(Event::Stdout("under way\n".into())));
        if expected == Code::ResourceExhausted {
            let due = tokio::time::timeout(PATIENCE, clock.waited_for()).await.unwrap();
            clock.advance(due).unwrap();
        } else {
            clock.advance(std::time::Duration::from_secs(3600)).unwrap();
            client.list().await.unwrap();
            assert!(!write.is_finished());
            process.kill().await.unwrap();
        }
        let refused = tokio::time::timeout(PATIENCE, write).await.unwrap().unwrap().unwrap_err();
        assert_eq!(refused.code(), Some(expected), "{refused}");
    }
}

#[tokio::test]
async fn a_command_inherits_a_terminal_once_there_was_one() {
    let [sound, faulty] = pair(Defect::TerminalLeaked).await;
    for (mock, expected) in [(&sound, ""), (&faulty, "ptmx")] {
        let client = mock.client();
        let look = || sh(&client, "readlink /proc/self/fd/3");
        assert_eq!(look().await.stdout, "");
        client.command("true").pty(80, 24).output().await.unwrap();
        assert!(look().await.stdout_text().trim().ends_with(expected));
        assert_eq!(look().await.stdout.is_empty(), expected.is_empty());
    }
}

#[tokio::test]
async fn a_deadline_ends_nothing() {
    let [sound, faulty] = pair(Defect::DeadlineIgnored).await;
    let script = r#"{"process":{"cmd":"sh","args":["-c","sleep 0.3; exit 3"]},"stdin":false}"#;
    let call = stream("/process.Process/Start", script).with("connect-timeout-ms", "100");
    assert_eq!(call.send(sound.addr()).await.end_error().0, "deadline_exceeded");
    let answer = call.send(faulty.addr()).await;
    assert!(answer.text().contains(r#""exitCode":3"#), "{answer:?}");
}

#[tokio::test]
async fn a_slow_reader_loses_the_oldest_and_still_sees_the_end() {
    let [sound, faulty] = pair(Defect::SlowReaderLoses).await;
    let size: usize = 200_000_000;
    for (mock, complete) in [(&sound, true), (&faulty, false)] {
        // Packed, it would all fit into the connection.
        let client = Client::builder().base_url(mock.url()).gzip(false).build().unwrap();
        let command = client.command("head").args(["-c", &size.to_string(), "/dev/zero"]);
        let mut events = command.stream().await.unwrap();
        if !complete {
            // Nobody reads, and it ends all the same.
            all_gone(mock).await;
        }
        let (mut seen, mut ended) = (0, false);
        while let Some(event) = next(&mut events).await {
            match event {
                Event::Stdout(data) => seen += data.len(),
                Event::End(exit) => ended = exit.success(),
                _ => {}
            }
        }
        assert!(ended);
        assert_eq!(seen == size, complete, "{seen} of {size} bytes");
    }
}

#[tokio::test]
async fn a_nul_in_the_environment_poisons_every_start() {
    let [sound, faulty] = pair(Defect::NulEnvPoisons).await;
    let init = |value: &str| {
        let body = format!(r#"{{"envVars":{{"A":"{value}"}}}}"#);
        ask("POST /init").with("content-type", "application/json").body(body)
    };
    assert_eq!(init(r"x\u0000y").send(sound.addr()).await.status, 400);
    assert_eq!(init(r"x\u0000y").send(faulty.addr()).await.status, 204);
    let start = stream("/process.Process/Start", r#"{"process":{"cmd":"true"}}"#);
    let (code, message) = start.send(faulty.addr()).await.end_error();
    let expected = "error starting process: nul byte found in provided data";
    assert_eq!((code.as_str(), message.as_str()), ("internal", expected));
    assert_eq!(init("fine").send(faulty.addr()).await.status, 204);
    faulty.client().command("true").output().await.unwrap();
}

#[tokio::test]
async fn the_profile_wins_over_what_a_command_asks_for() {
    let [sound, faulty] = pair(Defect::ProfileWins).await;
    for (mock, expected) in [(&sound, "it's mine\n"), (&faulty, "the profile's\n")] {
        mock.guest().write_file("/etc/profile", "export WHOSE=\"the profile's\"\n").unwrap();
        let output = mock.client().command("printenv").arg("WHOSE").env("WHOSE", "it's mine");
        assert_eq!(output.output().await.unwrap().stdout, expected);
    }
}

#[tokio::test]
async fn a_user_who_is_turned_away_can_run_nothing() {
    let [sound, faulty] = pair(Defect::NologinStuck).await;
    for (mock, code) in [(&sound, 0), (&faulty, 1)] {
        let client = mock.client();
        let guest = mock.guest();
        guest
            .write_file("/opt/nologin", "#!/bin/sh\necho This account is currently not available.\nexit 1\n")
            .unwrap();
        assert!(sh(&client, "chmod 755 /opt/nologin").await.exit.success());
        guest.write_file("/etc/passwd", "root:x:0:0:root:/root:/opt/nologin\n").unwrap();
        assert_eq!(sh(&client, "true").await.exit.code, code);
    }
}
