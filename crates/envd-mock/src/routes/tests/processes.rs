//! Mishaps of processes.

use std::time::Duration;

use serde_json::{Value, json};

use super::harness::TestGuest;
use crate::guest::mishap::MishapKind;
use crate::guest::process::Twist;
use crate::time::Pace;

const MINUTE: Duration = Duration::from_secs(60);

fn killed(status: &str) -> Value {
    json!({ "exitCode": -1, "status": status })
}

fn exited(status: &str) -> Value {
    json!({ "exited": true, "status": status })
}

fn process(twist: Twist) -> MishapKind {
    MishapKind::Process(twist)
}

#[tokio::test]
async fn a_program_that_cannot_start_says_why_and_is_not_listed() {
    let test = TestGuest::new().await;
    let mut events = test.sh("true", MishapKind::Spawn(libc::EAGAIN)).await;
    let error = events.next().await.unwrap()["endStream"]["error"].clone();
    let message = "error starting process: Resource temporarily unavailable (os error 11)";
    assert_eq!(error, json!({ "code": "internal", "message": message }));
    let pty = json!({ "process": { "cmd": "sh" }, "pty": { "size": { "cols": 80, "rows": 24 } } });
    let kind = Some(MishapKind::Spawn(libc::ENOMEM));
    let mut events = test.stream("process.Process/Start", pty, kind).await;
    let error = events.next().await.unwrap()["endStream"]["error"].clone();
    let message = "error starting pty process: Cannot allocate memory (os error 12)";
    assert_eq!(error, json!({ "code": "internal", "message": message }));
    assert_eq!((test.processes().await, test.told.words().len()), (0, 2));
}

#[tokio::test]
async fn a_process_is_killed_after_exactly_so_many_bytes() {
    let test = TestGuest::new().await;
    for bytes in [1, 1000, 200_000] {
        let kill = process(Twist::Kill { signal: libc::SIGKILL, after: None, bytes: Some(bytes) });
        let output = test.sh("yes & yes >&2", kill).await.output().await;
        let told: usize = output.stdout.iter().chain(&output.stderr).map(bytes::Bytes::len).sum();
        assert_eq!(told as u64, bytes);
        assert_eq!(output.end, killed("signal: 9 (SIGKILL)"));
        let deed = format!("killed with SIGKILL after {bytes} bytes of output");
        assert_eq!(test.told.words().last(), Some(&deed));
    }
    assert_eq!(test.processes().await, 0);
}

#[tokio::test]
async fn a_process_that_says_exactly_that_much_is_killed_all_the_same() {
    let test = TestGuest::new().await;
    for _ in 0..20 {
        let kill = process(Twist::Kill { signal: libc::SIGTERM, after: None, bytes: Some(3) });
        let output = test.sh("printf abc", kill).await.output().await;
        assert_eq!((output.stdout.concat(), output.end), (b"abc".to_vec(), killed("signal: 15 (SIGTERM)")));
    }
}

#[tokio::test]
async fn a_process_is_killed_at_once_with_its_group_and_says_nothing() {
    let test = TestGuest::new().await;
    for script in ["echo x; sleep 1000 & sleep 1000", "echo x"] {
        let kill = process(Twist::Kill { signal: libc::SIGKILL, after: None, bytes: None });
        let output = test.sh(script, kill).await.output().await;
        assert!(output.stdout.is_empty(), "{output:?}");
        assert_eq!(output.end, killed("signal: 9 (SIGKILL)"));
    }
    assert_eq!(test.told.words(), ["killed with SIGKILL at once"; 2]);
}

#[tokio::test]
async fn a_process_is_killed_after_a_time_of_the_mocks_clock() {
    let test = TestGuest::at(Pace::Manual).await;
    let kill = Twist::Kill { signal: libc::SIGTERM, after: Some(15 * MINUTE), bytes: None };
    let mut events = test.sh("echo up; exec sleep 1000", process(kill)).await;
    let start = events.next().await.unwrap();
    assert!(start["start"].is_object() && events.next().await.unwrap()["data"].is_object());
    assert_eq!(super::harness::within(test.time.sleeping()).await, 15 * MINUTE);
    assert!(events.is_silent() && test.told.words().is_empty());
    test.time.advance(15 * MINUTE).unwrap();
    assert_eq!(events.next().await.unwrap()["end"], killed("signal: 15 (SIGTERM)"));
    assert_eq!(test.told.words(), ["killed with SIGTERM after 900s"]);
}

#[tokio::test]
async fn a_process_that_ends_before_it_is_killed_is_not_told_as_killed() {
    let test = TestGuest::at(Pace::Manual).await;
    let kill = Twist::Kill { signal: libc::SIGKILL, after: Some(MINUTE), bytes: Some(1000) };
    let output = test.sh("echo x", process(kill)).await.output().await;
    assert_eq!((output.stdout.concat(), output.end), (b"x\n".to_vec(), exited("exit status: 0")));
    assert!(test.told.words().is_empty());
    assert_eq!(test.time.next(), None, "somebody still waits to kill it");
}

#[tokio::test]
async fn a_lost_end_leaves_the_stream_open_though_the_process_is_gone() {
    let test = TestGuest::new().await;
    let mut events = test.sh("echo x", process(Twist::EndLost)).await;
    assert!(events.next().await.unwrap()["start"].is_object());
    assert!(events.next().await.unwrap()["data"].is_object());
    // Another one that runs to its end in the meantime.
    test.sh("true", process(Twist::Doubled)).await.output().await;
    super::harness::within(async {
        while test.processes().await > 0 || test.told.words().is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert!(events.is_silent());
    assert_eq!(test.told.words(), ["the end (exit status: 0) was not told"]);
}

#[tokio::test]
async fn another_exit_code_is_told() {
    let test = TestGuest::new().await;
    let output = test.sh("exit 3", process(Twist::ExitCode(137))).await.output().await;
    assert_eq!(output.end, json!({ "exitCode": 137, "exited": true, "status": "exit status: 137" }));
    assert_eq!(test.told.words(), ["exit code 137 was told instead of exit status: 3"]);
}

#[tokio::test]
async fn output_is_lost_doubled_split_and_merged() {
    let test = TestGuest::new().await;
    let of = async |script: &str, twist: Twist| {
        let output = test.sh(script, process(twist)).await.output().await;
        assert_eq!(output.end, exited("exit status: 0"));
        (output.stdout, output.stderr)
    };
    let (out, err) = of("printf abcdefghij; printf abcdef >&2", Twist::Lost { from: 2, size: 3 }).await;
    assert_eq!((out.concat(), err.concat()), (b"abfghij".to_vec(), b"abf".to_vec()));
    let (out, _) = of("printf abc", Twist::Doubled).await;
    assert_eq!(out, ["abc", "abc"]);
    let (out, _) = of("printf abcde", Twist::Split(2)).await;
    assert_eq!(out, ["ab", "cd", "e"]);
    let (out, err) = of("echo a; sleep 0; echo b >&2; sleep 0; echo c", Twist::Merged).await;
    assert_eq!((out, err), (vec!["a\nc\n".into()], vec!["b\n".into()]));
    assert_eq!(
        test.told.words(),
        [
            "a part of the output was lost",
            "each chunk of output came twice",
            "chunks of output were split",
            "output was held back"
        ]
    );
}

#[tokio::test]
async fn who_connects_sees_the_mishap_too() {
    let test = TestGuest::new().await;
    let message = json!({ "process": { "cmd": "cat" }, "tag": "t" });
    let kind = Some(process(Twist::Doubled));
    let mut first = test.stream("process.Process/Start", message, kind).await;
    assert!(first.next().await.unwrap()["start"].is_object());
    let select = json!({ "process": { "tag": "t" } });
    let mut second = test.stream("process.Process/Connect", select.clone(), None).await;
    assert!(second.next().await.unwrap()["start"].is_object());
    let mut input = select.clone();
    input["input"] = json!({ "stdin": "eA==" });
    assert_eq!(test.unary("process.Process/SendInput", input, None).await.0, 200);
    for events in [&mut first, &mut second] {
        for _ in 0..2 {
            assert_eq!(events.next().await.unwrap()["data"]["stdout"], "eA==");
        }
    }
    assert_eq!(test.unary("process.Process/CloseStdin", select, None).await.0, 200);
    assert_eq!(first.next().await.unwrap()["end"], exited("exit status: 0"));
}

#[tokio::test]
async fn a_late_start_holds_back_what_the_process_says_meanwhile() {
    let test = TestGuest::at(Pace::Manual).await;
    let late = process(Twist::StartLate(35 * Duration::from_secs(1)));
    let mut events = test.sh("echo x", late).await;
    super::harness::within(async {
        while test.processes().await > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert!(events.is_silent());
    assert_eq!(super::harness::within(test.time.sleeping()).await, Duration::from_secs(35));
    test.time.advance(Duration::from_secs(35)).unwrap();
    let output = events.output().await;
    assert_eq!((output.stdout.concat(), output.end), (b"x\n".to_vec(), exited("exit status: 0")));
    assert_eq!(test.told.words(), ["the start was told 35s late"]);
}
