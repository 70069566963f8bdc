//! Traffic recorded and played back: the same answers without a guest, in the recorded time or in none.

use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use envd_client::Client;
use envd_mock::{MockEnvd, Pace, Playback, Proxy, ReplayPace};

use crate::bare::{PATIENCE, Wire, ask, envelope, stream, unary};
use crate::binary::{Binary, client};

const START: &str = "/process.Process/Start";
const TOKEN: &str = "s3cret-token";

fn client_of(url: &str) -> Client {
    Client::builder().base_url(url).token(TOKEN).build().unwrap()
}

/// What a host does with a sandbox, and all that it sees of it.
async fn session(client: &Client) -> Vec<String> {
    let mut seen = vec![format!("{:?}", client.version().await)];
    let init = envd_client::Init::default().access_token(TOKEN).env("A", "1");
    seen.push(format!("{:?}", client.init(&init).await.map_err(|error| error.to_string())));
    let big = vec![b'x'; 300_000];
    for content in [&b"one"[..], b"two", &big] {
        seen.push(format!("{:?}", client.write_file("/home/user/a", content.to_vec()).await.is_ok()));
        let output = client.command("cksum").args(["/home/user/a"]).output().await.unwrap();
        seen.push(format!("{output:?}"));
    }
    seen.push(format!("{:?}", client.read_file("/home/user/a").await.unwrap().len()));
    seen.push(format!("{:?}", client.stat("/home/user/a").await));
    seen.push(client.stat("/nope").await.unwrap_err().to_string());
    seen.push(format!("{:?}", client.list_dir("/home/user", 1).await));
    seen.push(format!("{:?}", client.process(4242).connect().await.unwrap().next().await));
    let failing = client.command("sh").args(["-c", "echo out; echo err >&2; exit 3"]).output().await.unwrap();
    seen.push(format!("{:?}", failing.exit));
    seen
}

/// Records a session through a proxy.
async fn recorded(file: &Path) -> Vec<String> {
    let mock = MockEnvd::start().await.unwrap();
    let proxy = Proxy::to(&mock.url()).unwrap().record(file).start().await.unwrap();
    let seen = session(&client_of(&proxy.url())).await;
    proxy.stop().await;
    seen
}

#[tokio::test]
async fn a_session_is_the_same_without_its_guest() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("traffic.jsonl");
    let seen = recorded(&file).await;
    for pace in [ReplayPace::Recorded, ReplayPace::Times(20.0), ReplayPace::AtOnce] {
        let playback = Playback::of(&file).pace(pace).start().await.unwrap();
        assert_eq!(session(&client_of(&playback.url())).await, seen, "{pace}");
        // The other protocol makes no difference.
        let playback = Playback::of(&file).pace(pace).start().await.unwrap();
        let client = Client::builder().base_url(playback.url()).token(TOKEN).http2_prior_knowledge();
        assert_eq!(session(&client.build().unwrap()).await, seen, "{pace}, HTTP/2");
    }
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(!text.contains(TOKEN));
    for line in text.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let body = STANDARD.decode(line["body"].as_str().unwrap_or_default()).unwrap();
        assert!(!String::from_utf8_lossy(&body).contains(TOKEN), "{line}");
    }
}

#[tokio::test]
async fn a_guest_is_recorded_as_a_proxy_is() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("traffic.jsonl");
    let mock = MockEnvd::builder().record(&file).start().await.unwrap();
    let call = stream(START, r#"{"process":{"cmd":"sh","args":["-c","echo a; echo b >&2"]}}"#);
    let live = call.send(mock.addr()).await;
    mock.stop().await;
    let playback = Playback::of(&file).pace(ReplayPace::AtOnce).start().await.unwrap();
    let played = call.send(playback.addr()).await;
    assert_eq!((played.status, played.envelopes()), (live.status, live.envelopes()));
    assert_eq!(played.header("content-type"), live.header("content-type"));
    let lines: Vec<serde_json::Value> = std::fs::read_to_string(&file)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let events: Vec<&str> = lines[1..].iter().map(|line| line["event"].as_str().unwrap()).collect();
    let downs = live.envelopes().len();
    assert_eq!(events[..4], ["request", "up", "up-end", "response"]);
    assert_eq!(events[4..], [vec!["down"; downs], vec!["end"]].concat());
}

#[tokio::test]
async fn a_form_with_another_boundary_is_the_same_upload() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("traffic.jsonl");
    let upload = |boundary: &str, content: &str| {
        let body = format!(
            "--{boundary}\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n{content}\r\n--{boundary}--\r\n"
        );
        let kind = format!("multipart/form-data; boundary={boundary}");
        ask("POST /files?path=/tmp/a&username=root").with("content-type", &kind).body(body)
    };
    let mock = MockEnvd::builder().record(&file).start().await.unwrap();
    let live = upload("AAAA", "hello").send(mock.addr()).await;
    assert_eq!(live.status, 200, "{}", live.text());
    mock.stop().await;
    let playback = Playback::of(&file).pace(ReplayPace::AtOnce).start().await.unwrap();
    assert_eq!(upload("other-boundary", "hello").send(playback.addr()).await.text(), live.text());
    let other = upload("AAAA", "changed").send(playback.addr()).await;
    assert_eq!(other.status, 404);
    assert!(other.text().contains("POST /files?path=/tmp/a"), "{}", other.text());
}

#[tokio::test]
async fn on_a_manual_clock_nothing_comes_before_its_time() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("traffic.jsonl");
    let line = |at_ms: u64, event: &str, more: &str| {
        format!("{{\"call\":1,\"at_us\":{},\"event\":\"{event}\"{more}}}\n", at_ms * 1000)
    };
    let text = [
        "{\"format\":\"envd-mock traffic\",\"version\":1}\n".to_owned(),
        line(0, "request", r#","method":"GET","target":"/slow","protocol":"HTTP/1.1","headers":[]"#),
        line(0, "up-end", ""),
        line(60_000, "response", r#","status":200,"headers":[]"#),
        line(120_000, "down", r#","body":"b25l""#),
        line(180_000, "down", r#","body":"dHdv""#),
        line(180_000, "end", r#","how":"failed""#),
    ];
    std::fs::write(&file, text.concat()).unwrap();
    let playback =
        Playback::of(&file).pace(ReplayPace::Times(2.0)).clock(Pace::Manual).start().await.unwrap();
    let (clock, minute) = (playback.clock(), Duration::from_secs(60));
    let mut wire = Wire::open(playback.addr()).await;
    wire.write(&ask("GET /slow").bytes(playback.addr())).await;
    for (due, seen) in [(30, "\r\n\r\n"), (60, "one\r\n"), (90, "two\r\n")] {
        let next = tokio::time::timeout(PATIENCE, clock.waited_for()).await.unwrap();
        assert_eq!(next, Duration::from_secs(due));
        assert!(!String::from_utf8_lossy(wire.seen()).ends_with(seen));
        clock.advance(minute / 2).unwrap();
        wire.until(|bytes| bytes.ends_with(seen.as_bytes())).await;
    }
    wire.ends().await;
    assert!(wire.seen().ends_with(b"two\r\n"));
}

#[tokio::test]
async fn equal_requests_get_their_answers_in_turn_and_the_last_from_then_on() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("traffic.jsonl");
    let mock = MockEnvd::builder().record(&file).start().await.unwrap();
    let read = ask("GET /files?path=/tmp/a&username=root").with("accept-encoding", "identity");
    for content in ["first", "second"] {
        mock.guest().write_file("/tmp/a", content).unwrap();
        assert_eq!(read.send(mock.addr()).await.text(), content);
    }
    mock.stop().await;
    let playback = Playback::of(&file).pace(ReplayPace::AtOnce).start().await.unwrap();
    for content in ["first", "second", "second"] {
        assert_eq!(read.send(playback.addr()).await.text(), content);
    }
}

#[tokio::test]
async fn what_was_not_recorded_names_the_nearest() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("traffic.jsonl");
    let mock = MockEnvd::builder().record(&file).start().await.unwrap();
    ask("GET /health").send(mock.addr()).await;
    stream(START, r#"{"process":{"cmd":"true"}}"#).send(mock.addr()).await;
    mock.stop().await;
    let playback = Playback::of(&file).start().await.unwrap();
    let nearest = r#"the nearest is call 2: POST /process.Process/Start {"process":{"cmd":"true"}}"#;
    let (code, message) =
        stream(START, r#"{"process":{"cmd":"false"}}"#).send(playback.addr()).await.end_error();
    assert_eq!(code, "not_found");
    assert!(message.ends_with(nearest), "{message}");
    let list = unary("/process.Process/List", "{}").send(playback.addr()).await;
    assert_eq!((list.status, list.json()["code"].as_str()), (404, Some("not_found")));
    let envs = ask("GET /envs").send(playback.addr()).await;
    assert_eq!((envs.status, envs.json()["code"].as_u64()), (404, Some(404)));
    assert!(envs.text().ends_with(r#"the nearest is call 1: GET /health"}"#), "{}", envs.text());
}

#[tokio::test]
async fn faults_hold_before_a_recording_and_are_not_in_one() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("traffic.jsonl");
    let cut = "process.Process/Start #1 down[2]: end-error unavailable".parse().unwrap();
    let mock = MockEnvd::builder().record(&file).fault(cut).start().await.unwrap();
    let call = stream(START, r#"{"process":{"cmd":"true"}}"#);
    call.send(mock.addr()).await;
    mock.stop().await;
    let status = "GET /health: status 418".parse().unwrap();
    let playback = Playback::of(&file).fault(status).start().await.unwrap();
    assert_eq!(ask("GET /health").send(playback.addr()).await.status, 418);
    let rule = "process.Process/Start: end-lost".parse().unwrap();
    let refused = Playback::of(&file).fault(rule).start().await.unwrap_err().to_string();
    assert!(refused.contains("end-lost") && refused.contains("traffic.jsonl"), "{refused}");
}

#[tokio::test]
async fn a_terminated_command_leaves_all_that_passed() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("traffic.jsonl");
    let name = file.to_str().unwrap();
    let mut mock = Binary::start(&["--record", name]);
    let address = mock.field("url").trim_start_matches("http://").parse().unwrap();
    let mut wire = Wire::open(address).await;
    wire.write(&stream(START, r#"{"process":{"cmd":"sleep","args":["600"]}}"#).bytes(address)).await;
    wire.until(|bytes| String::from_utf8_lossy(bytes).contains("start")).await;
    mock.signal("TERM");
    assert!(mock.wait().success());
    assert!(std::fs::read_to_string(&file).unwrap().ends_with("\"event\":\"end\",\"how\":\"abandoned\"}\n"));

    let playback = Binary::start(&["serve", "--replay-traffic", name, "--replay-pace", "at-once"]);
    assert_eq!(playback.field("recording"), name);
    let mut events = client(&playback).command("sleep").args(["600"]).stdin(true).stream().await;
    if let Ok(events) = &mut events {
        assert!(events.next().await.is_some());
    }
    let address = playback.field("url").trim_start_matches("http://").parse().unwrap();
    let mut wire = Wire::open(address).await;
    wire.write(&stream(START, r#"{"process":{"cmd":"sleep","args":["600"]}}"#).bytes(address)).await;
    wire.until(|bytes| String::from_utf8_lossy(bytes).contains("start")).await;
}

#[tokio::test]
async fn a_client_stream_is_known_by_its_first_message() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("traffic.jsonl");
    let mock = MockEnvd::builder().record(&file).start().await.unwrap();
    let input = |second: &str| {
        let first = r#"{"start":{"process":{"tag":"none"}}}"#;
        let body = [envelope(0, first), envelope(0, second)].concat();
        ask("POST /process.Process/StreamInput").with("content-type", "application/connect+json").body(body)
    };
    let live = input(r#"{"keepalive":{}}"#).send(mock.addr()).await;
    mock.stop().await;
    let playback = Playback::of(&file).pace(ReplayPace::AtOnce).start().await.unwrap();
    let played = input(r#"{"data":{"input":{"stdin":"YQ=="}}}"#).send(playback.addr()).await;
    assert_eq!(played.envelopes(), live.envelopes());
}

#[tokio::test]
async fn what_cannot_be_recorded_or_played_is_refused_before_it_is_ready() {
    let unwritable = MockEnvd::builder().record("/does/not/exist/a").start().await.unwrap_err();
    assert_eq!(unwritable.exit_code(), 2);
    assert!(unwritable.to_string().starts_with("cannot record to /does/not/exist/a: "), "{unwritable}");
    let missing = Playback::of("/does/not/exist/a").start().await.unwrap_err();
    assert_eq!(missing.exit_code(), 2);
    assert!(missing.to_string().contains("/does/not/exist/a"), "{missing}");
}
