//! Many connections, idle ones, and the end of all of them.

use std::net::SocketAddr;
use std::time::Instant;

use envd_mock::MockEnvd;

use crate::bare::{PATIENCE, Wire, ask, stream};

#[tokio::test]
async fn a_thousand_idle_connections_are_no_burden() {
    let mock = MockEnvd::start().await.unwrap();
    let mut idle = Vec::new();
    for n in 0..1000 {
        let mut wire = Wire::open(mock.addr()).await;
        match n % 3 {
            0 => {}
            1 => wire.write(b"GET /hea").await,
            _ => {
                wire.write(&ask("GET /health").with("connection", "keep-alive").bytes(mock.addr())).await;
                assert_eq!(wire.answer(false).await.status, 200);
            }
        }
        idle.push(wire);
    }
    let begun = Instant::now();
    assert_eq!(ask("GET /health").send(mock.addr()).await.status, 200);
    assert!(begun.elapsed() < PATIENCE);
    drop(mock);
    assert!(begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());
    for mut wire in idle {
        assert!(wire.ends().await);
    }
}

// The kind of mistake: who does nothing keeps out who wants something.
#[tokio::test]
async fn idle_connections_make_room_and_calls_in_flight_stay() {
    let mock = MockEnvd::builder().max_connections(20).start().await.unwrap();
    let sleep = stream("/process.Process/Start", r#"{"process":{"cmd":"sleep","args":["600"]}}"#);
    let mut streams = Vec::new();
    for _ in 0..5 {
        let mut wire = Wire::open(mock.addr()).await;
        wire.write(&sleep.bytes(mock.addr())).await;
        wire.until(|bytes| String::from_utf8_lossy(bytes).contains("start")).await;
        streams.push(wire);
    }
    let mut idle = Vec::new();
    for n in 0..200 {
        let mut wire = Wire::open(mock.addr()).await;
        match n % 3 {
            0 => {}
            1 => wire.write(b"GET /hea").await,
            _ => {
                wire.write(&ask("GET /health").with("connection", "keep-alive").bytes(mock.addr())).await;
                assert_eq!(wire.answer(false).await.status, 200);
            }
        }
        idle.push(wire);
    }
    assert_eq!(ask("GET /health").send(mock.addr()).await.status, 200);
    assert!(idle[0].ends().await, "the one that was idle for longest was closed");
    for process in mock.client().list().await.unwrap() {
        mock.client().process(process.pid).kill().await.unwrap();
    }
    for mut wire in streams {
        let all = wire.rest().await;
        assert!(String::from_utf8_lossy(all).contains("SIGKILL"), "a call in flight was cut");
    }
}

#[tokio::test]
async fn one_connection_carries_many_calls() {
    let mock = MockEnvd::start().await.unwrap();
    let mut wire = Wire::open(mock.addr()).await;
    let call = ask("GET /health").with("connection", "keep-alive").bytes(mock.addr());
    wire.write(&[call.as_slice(), &call, &call].concat()).await;
    for _ in 0..3 {
        assert_eq!(wire.answer(false).await.status, 200);
    }
}

#[tokio::test]
async fn http2_with_prior_knowledge_is_spoken() {
    let mock = MockEnvd::start().await.unwrap();
    let client = reqwest::Client::builder().http2_prior_knowledge().build().unwrap();
    let answer = client.get(format!("{}/health", mock.url())).send().await.unwrap();
    assert_eq!((answer.version(), answer.status().as_u16()), (reqwest::Version::HTTP_2, 200));
}

#[tokio::test]
async fn dropping_the_mock_closes_the_ports_and_removes_the_tree() {
    let mock = MockEnvd::start().await.unwrap();
    let (address, root) = (mock.addr(), mock.guest().root().to_owned());
    let control: SocketAddr = mock.control_url().trim_start_matches("http://").parse().unwrap();
    let mut wire = Wire::open(address).await;
    wire.write(
        &stream("/process.Process/Start", r#"{"process":{"cmd":"sleep","args":["600"]}}"#).bytes(address),
    )
    .await;
    wire.until(|bytes| String::from_utf8_lossy(bytes).contains("start")).await;
    assert!(root.exists());
    let begun = Instant::now();
    drop(mock);
    assert!(begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());
    assert!(!root.exists());
    for port in [address, control] {
        assert!(tokio::net::TcpStream::connect(port).await.is_err());
    }
    assert!(wire.ends().await);
}

#[tokio::test]
async fn stopping_waits_for_the_end() {
    let mock = MockEnvd::start().await.unwrap();
    let (address, root) = (mock.addr(), mock.guest().root().to_owned());
    mock.stop().await;
    assert!(tokio::net::TcpStream::connect(address).await.is_err() && !root.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn many_mocks_live_side_by_side() {
    let starts: Vec<_> = (0..16).map(|_| tokio::spawn(MockEnvd::start())).collect();
    let mut mocks = Vec::new();
    for start in starts {
        mocks.push(start.await.unwrap().unwrap());
    }
    for (n, mock) in mocks.iter().enumerate() {
        mock.guest().write_file("/tmp/mine", n.to_string()).unwrap();
    }
    for (n, mock) in mocks.iter().enumerate() {
        assert_eq!(mock.guest().read_file("/tmp/mine").unwrap(), n.to_string().into_bytes());
        assert_eq!(ask("GET /health").send(mock.addr()).await.status, 200);
    }
}

#[tokio::test]
async fn a_remote_address_needs_permission() {
    let listen = SocketAddr::from(([0, 0, 0, 0], 0));
    let refused = MockEnvd::builder().listen(listen).start().await.unwrap_err();
    assert_eq!(refused.exit_code(), 2);
    assert!(refused.to_string().contains("--allow-remote"), "{refused}");
    let mock = MockEnvd::builder().listen(listen).allow_remote(true).start().await.unwrap();
    assert!(mock.url().starts_with("http://127.0.0.1:"));
    let local = SocketAddr::from(([127, 0, 0, 1], mock.addr().port()));
    assert_eq!(ask("GET /health").with("host", "any.example").send(local).await.status, 200);
}

#[tokio::test]
async fn a_taken_address_cannot_be_bound() {
    let mock = MockEnvd::start().await.unwrap();
    let error = MockEnvd::builder().listen(mock.addr()).start().await.unwrap_err();
    assert_eq!(error.exit_code(), 3);
    assert!(error.to_string().contains(&mock.addr().to_string()), "{error}");
}
