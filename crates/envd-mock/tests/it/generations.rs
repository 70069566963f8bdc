//! What each wire generation has and has not.

use std::time::Duration;

use envd_client::{Event, EventStream};
use envd_mock::{Generation, MockEnvd, Pace};
use futures::StreamExt as _;

use crate::bare::{Answer, PATIENCE, Wire, ask, stream, unary};
use crate::sh;

async fn guest(generation: Generation) -> MockEnvd {
    MockEnvd::builder().generation(generation).start().await.unwrap()
}

fn message(answer: &Answer) -> (u16, String) {
    (answer.status, answer.json()["message"].as_str().unwrap_or_default().to_owned())
}

async fn next(events: &mut EventStream) -> Event {
    let event = tokio::time::timeout(PATIENCE, events.next()).await.expect("something comes");
    event.expect("an event").unwrap()
}

#[tokio::test]
async fn each_reports_its_version() {
    for (generation, version) in [
        (Generation::One, "0.2.0"),
        (Generation::Two, env!("CARGO_PKG_VERSION")),
        (Generation::Three, env!("CARGO_PKG_VERSION")),
    ] {
        let mock = guest(generation).await;
        assert_eq!(mock.client().version().await.unwrap(), version);
        assert_eq!(mock.generation(), generation);
        let control = mock.control_url().trim_start_matches("http://").parse().unwrap();
        let told = ask("GET /guest").send(control).await.json();
        assert_eq!(told["generation"], generation.number());
    }
    let named = MockEnvd::builder().generation(Generation::One).guest_version("9").start().await.unwrap();
    assert_eq!(named.client().version().await.unwrap(), "9");
}

#[tokio::test]
async fn each_has_its_routes_and_no_others() {
    // Method and path, then the status in generations 1, 2 and 3.
    let calls = [
        ("GET /activity", [404, 200, 200]),
        ("GET /memory/preload", [404, 200, 200]),
        ("POST /memory/preload", [415, 200, 200]),
        ("POST /memory/preload/cancel", [415, 204, 204]),
        ("GET /memory/preload/cancel", [404, 405, 405]),
        ("PUT /files?path=/tmp/x", [405, 405, 200]),
        ("POST /files?path=/tmp/x", [500, 500, 405]),
        ("POST /volumes/mount", [415, 415, 415]),
        ("GET /volumes/mount", [404, 404, 405]),
        ("GET /health/", [404, 404, 404]),
        ("DELETE /health", [405, 405, 405]),
    ];
    for (n, generation) in Generation::ALL.into_iter().enumerate() {
        let mock = guest(generation).await;
        for (line, statuses) in calls {
            let answer = ask(line).send(mock.addr()).await;
            assert_eq!(answer.status, statuses[n], "{line} in generation {generation}");
        }
    }
}

#[tokio::test]
async fn files_name_the_methods_that_they_have() {
    for (generation, allow, wrong) in [
        (Generation::One, "GET,HEAD,POST", "PUT /files?path=/tmp/x"),
        (Generation::Two, "GET,HEAD,POST", "PUT /files?path=/tmp/x"),
        (Generation::Three, "GET,HEAD,PUT", "POST /files?path=/tmp/x"),
    ] {
        let mock = guest(generation).await;
        for (line, status) in [("OPTIONS /files", 200), (wrong, 405)] {
            let answer = ask(line).send(mock.addr()).await;
            assert_eq!((answer.status, answer.header("allow")), (status, Some(allow)), "{line} {generation}");
        }
    }
}

#[tokio::test]
async fn the_oldest_spells_init_its_own_way() {
    let mock = guest(Generation::One).await;
    let init = |body: &str| ask("POST /init").with("content-type", "application/json").body(body);
    let others = r#"{"access_token":"x","hyperloop_ip":"1.2.3.4","sandbox_id":"s","lifecycle_id":"l"}"#;
    assert_eq!(init(others).send(mock.addr()).await.status, 204);
    let envs = ask("GET /envs").send(mock.addr()).await.json();
    assert_eq!(envs, serde_json::json!({ "WRENN_SANDBOX": "true" }));
    let own = r#"{"accessToken":"s3cret","hyperloopIp":"10.0.0.7","volumeMounts":[{"nfs_target":"a","path":"/b"}]}"#;
    assert_eq!(init(own).send(mock.addr()).await.status, 204);
    assert_eq!(ask("GET /envs").send(mock.addr()).await.status, 401);
    let envs = ask("GET /envs").with("x-access-token", "s3cret").send(mock.addr()).await.json();
    assert_eq!(envs["WRENN_EVENTS_ADDRESS"], "http://10.0.0.7");
}

#[tokio::test]
async fn a_later_reader_gets_earlier_output_in_the_newest_alone() {
    for (generation, replayed) in [(Generation::Two, false), (Generation::Three, true)] {
        let mock = guest(generation).await;
        let command = mock.client().command("sh").args(["-c", "echo early; read x; echo late"]).stdin(true);
        let mut first = command.stream().await.unwrap();
        let Event::Start { pid } = next(&mut first).await else { panic!("no start") };
        assert_eq!(next(&mut first).await, Event::Stdout("early\n".into()));
        let process = mock.client().process(pid);
        let mut second = process.connect().await.unwrap();
        assert_eq!(next(&mut second).await, Event::Start { pid });
        process.send_stdin("go\n").await.unwrap();
        if replayed {
            assert_eq!(next(&mut second).await, Event::Stdout("early\n".into()));
        }
        assert_eq!(next(&mut second).await, Event::Stdout("late\n".into()));
        assert!(matches!(next(&mut second).await, Event::End(_)));
    }
}

#[tokio::test]
async fn the_newest_256_kibibytes_are_replayed() {
    let mock = guest(Generation::Three).await;
    let script = "head -c 1000000 /dev/zero; echo; echo ready >&2; read x";
    let mut first = mock.client().command("sh").args(["-c", script]).stdin(true).stream().await.unwrap();
    let Event::Start { pid } = next(&mut first).await else { panic!("no start") };
    let mut seen = 0;
    while seen < 1_000_001 {
        if let Event::Stdout(data) = next(&mut first).await {
            seen += data.len();
        }
    }
    let process = mock.client().process(pid);
    let second = process.connect().await.unwrap();
    process.send_stdin("\n").await.unwrap();
    let sizes = second.map(|event| match event.unwrap() {
        Event::Stdout(data) => data.len(),
        _ => 0,
    });
    let replayed: usize = sizes.fold(0, |sum, size| async move { sum + size }).await;
    assert!(replayed <= 256 << 10 && replayed > 128 << 10, "{replayed} bytes");
}

#[tokio::test]
async fn the_newest_takes_a_command_without_arguments_for_a_line_of_shell() {
    let mock = guest(Generation::Three).await;
    let client = mock.client();
    let output = client.command("echo one; echo $0 $SHELL").output().await.unwrap();
    assert_eq!(output.stdout, "one\n/bin/sh /bin/sh\n");
    let shell = client.command("").stdin(true);
    let mut events = shell.stream().await.unwrap();
    let Event::Start { pid } = next(&mut events).await else { panic!("no start") };
    client.process(pid).send_stdin("echo it reads; exit 4\n").await.unwrap();
    assert_eq!(next(&mut events).await, Event::Stdout("it reads\n".into()));
    let Event::End(exit) = next(&mut events).await else { panic!("no end") };
    assert_eq!(exit.code, 4);
    let missing = client.command("no-such-program").arg("x").output().await.unwrap();
    assert!(missing.exit.code == 127 && !missing.stderr.is_empty(), "{missing:?}");
}

#[tokio::test]
async fn older_ones_take_it_for_a_program() {
    for generation in [Generation::One, Generation::Two] {
        let mock = guest(generation).await;
        let client = mock.client();
        assert_eq!(client.command("echo one").output().await.unwrap().exit.code, 127);
        assert_eq!(client.command("echo").arg("~").output().await.unwrap().stdout, "~\n");
        assert_eq!(client.command("printenv").arg("SHELL").output().await.unwrap().exit.code, 1);
    }
}

#[tokio::test]
async fn a_tilde_is_the_home_and_the_profile_is_read_in_the_newest() {
    let mock = guest(Generation::Three).await;
    let client = mock.client();
    mock.guest().write_file("/etc/profile", "export FROM=profile\n").unwrap();
    mock.guest().write_file("/root/.bashrc", "export FROM=$FROM,bashrc\n").unwrap();
    mock.guest().write_file("/root/run", "#!/bin/sh\necho \"$@\" $FROM\n").unwrap();
    assert!(sh(&client, "chmod 755 /root/run").await.exit.success());
    let output = client.command("~/run").args(["~", "~other", "a~"]).output().await.unwrap();
    assert_eq!(output.stdout, "/root ~other a~ profile,bashrc\n");
    let start = stream("/process.Process/Start", r#"{"process":{"cmd":"~other/x","args":["y"]}}"#);
    let expected = ("invalid_argument".into(), "cannot expand user-specific home dir".into());
    assert_eq!(start.send(mock.addr()).await.end_error(), expected);
}

#[tokio::test]
async fn the_list_shows_commands_with_their_tildes_replaced() {
    let mock = guest(Generation::Three).await;
    let client = mock.client();
    client.command("cat").args(["~/a", "-"]).stdin(true).background().await.unwrap();
    let listed = client.list().await.unwrap();
    assert_eq!(
        (listed[0].cmd.as_str(), &*listed[0].args),
        ("cat", &["/root/a".to_owned(), "-".to_owned()][..])
    );
}

#[tokio::test]
async fn the_newest_runs_commands_as_whom_they_name() {
    let start = |user: &str| {
        let process = format!(r#"{{"process":{{"cmd":"id","args":["-un"],"user":"{user}"}}}}"#);
        stream("/process.Process/Start", &process)
    };
    let mock = guest(Generation::Three).await;
    let told = start("user").send(mock.addr()).await;
    assert!(told.text().contains("dXNlcgo="), "{told:?}");
    let nobody = start("nobody-here").send(mock.addr()).await.end_error();
    assert_eq!(nobody, ("internal".into(), "user 'nobody-here' not found".into()));
    let older = guest(Generation::Two).await;
    assert!(start("user").send(older.addr()).await.text().contains("cm9vdAo="));
}

#[tokio::test]
async fn a_put_is_the_body_as_it_is() {
    let mock = guest(Generation::Three).await;
    let put =
        ask("PUT /files?path=/tmp/dir/a.txt&username=user").with("content-encoding", "gzip").body("raw");
    let answer = put.send(mock.addr()).await;
    let expected = serde_json::json!({ "path": "/tmp/dir/a.txt", "name": "a.txt", "type": "file" });
    assert_eq!((answer.status, answer.json()), (200, expected));
    assert_eq!(mock.guest().read_file("/tmp/dir/a.txt").unwrap(), b"raw");
    let entry = mock.client().stat("/tmp/dir/a.txt").await.unwrap();
    assert_eq!((entry.owner.as_str(), entry.mode), ("user", 0o644));
    assert_eq!(ask("PUT /files?path=/tmp/empty").body("").send(mock.addr()).await.status, 200);
    assert_eq!(mock.guest().read_file("/tmp/empty").unwrap(), b"");
}

#[tokio::test]
async fn a_put_that_cannot_be_says_why() {
    let mock = guest(Generation::Three).await;
    mock.guest().write_file("/tmp/file", "x").unwrap();
    for (query, status, text) in [
        ("", 400, "missing required 'path' parameter"),
        ("?path=", 400, "missing required 'path' parameter"),
        ("?path=/tmp", 400, "path is a directory: /tmp"),
        ("?path=/tmp/file/x", 500, "error ensuring directories: path is a file: /tmp/file"),
        ("?path=/tmp/new/", 500, "error finalizing file: Not a directory (os error 20)"),
        ("?path=x&username=nobody-here", 401, "user 'nobody-here' not found"),
        ("?path=~other/x", 400, "cannot expand user-specific home dir"),
    ] {
        let answer = ask(&format!("PUT /files{query}")).body("y").send(mock.addr()).await;
        assert_eq!(message(&answer), (status, text.to_owned()), "{query}");
    }
    let twice = ask("PUT /files?path=a&path=b").body("y").send(mock.addr()).await;
    assert_eq!(twice.status, 400);
}

#[tokio::test]
async fn a_put_that_is_cut_leaves_what_was_there() {
    let mock = guest(Generation::Three).await;
    mock.guest().write_file("/srv/x", "old").unwrap();
    let mut wire = Wire::open(mock.addr()).await;
    let put = ask("PUT /files?path=/srv/x").with("content-length", "1000").body("only a part");
    wire.write(&put.bytes(mock.addr())).await;
    wire.finish().await;
    assert!(wire.ends().await);
    assert_eq!(mock.guest().read_file("/srv/x").unwrap(), b"old");
    let names = std::fs::read_dir(mock.guest().root().join("srv")).unwrap().count();
    assert_eq!(names, 1, "nothing is left behind");
}

#[tokio::test]
async fn a_download_of_the_newest_is_plain_whatever_is_accepted() {
    for (generation, kind, packed) in [
        (Generation::One, "text/plain", Some("gzip")),
        (Generation::Two, "text/plain", Some("gzip")),
        (Generation::Three, "application/octet-stream", None),
    ] {
        let mock = guest(generation).await;
        mock.guest().write_file("/tmp/a.txt", "content").unwrap();
        let get = ask("GET /files?path=/tmp/a.txt").with("accept-encoding", "gzip, identity;q=0");
        let answer = get.send(mock.addr()).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, Some(kind)), "{generation}");
        assert_eq!(answer.header("content-encoding"), packed, "{generation}");
        let varies = answer.headers.iter().any(|(name, value)| name == "vary" && value == "Accept-Encoding");
        assert_eq!(varies, packed.is_some(), "{generation}");
        if packed.is_none() {
            assert_eq!((answer.header("content-length"), answer.text()), (Some("7"), "content"));
        }
    }
}

#[tokio::test]
async fn a_volume_keeps_what_was_written_and_shows_what_it_hid() {
    let mock = MockEnvd::builder().generation(Generation::Three).volume("vol1").start().await.unwrap();
    let client = mock.client();
    mock.guest().write_file("/data/below", "x").unwrap();
    for n in 0..2 {
        client.mount_volume("vol1", "/data").await.unwrap();
        client.mount_volume("vol1", "/data").await.unwrap();
        assert_eq!(mock.guest().exists("/data/kept"), n > 0);
        assert!(!mock.guest().exists("/data/below"));
        assert_eq!(client.stat("/data").await.unwrap().mode, 0o1777);
        assert!(sh(&client, "echo kept > /data/kept").await.exit.success());
        client.unmount_volume("/data/").await.unwrap();
        assert!(mock.guest().exists("/data/below") && !mock.guest().exists("/data/kept"));
    }
    client.unmount_volume("/nothing/there").await.unwrap();
    client.mount_volume("vol1", "/elsewhere").await.unwrap();
    assert_eq!(mock.guest().read_file("/elsewhere/kept").unwrap(), b"kept\n");
    assert_eq!(client.mount_volume("vol1", "/data").await.unwrap_err().status(), Some(500));
}

#[tokio::test]
async fn a_volume_that_is_not_there_is_waited_for() {
    let builder = MockEnvd::builder().generation(Generation::Three).clock(Pace::Manual);
    let mock = builder.start().await.unwrap();
    let mount = |body: &str| unary("/volumes/mount", body);
    let address = mock.addr();
    let waiting = tokio::spawn(async move {
        unary("/volumes/mount", r#"{"serial":"none","mount_path":"/data"}"#).send(address).await
    });
    let due = tokio::time::timeout(PATIENCE, mock.clock().waited_for()).await.unwrap();
    assert_eq!(due, Duration::from_secs(5));
    mock.clock().advance(due).unwrap();
    assert_eq!(message(&waiting.await.unwrap()), (404, "no block device with serial none".into()));
    for (body, text) in [
        (r#"{"serial":"","mount_path":"/d"}"#, "invalid volume serial"),
        (r#"{"serial":"a/b","mount_path":"/d"}"#, "invalid volume serial"),
        (r#"{"serial":"a","mount_path":""}"#, "mount_path is required"),
    ] {
        assert_eq!(message(&mount(body).send(address).await), (400, text.into()), "{body}");
    }
    let unmount = unary("/volumes/unmount", r#"{"mount_path":""}"#).send(address).await;
    assert_eq!(message(&unmount), (400, "mount_path is required".into()));
    assert_eq!(mount("{}").send(address).await.status, 422);
    assert_eq!(mount("{").send(address).await.status, 400);
}

#[tokio::test]
async fn what_is_written_within_a_moment_comes_as_one_in_the_newest() {
    let mock = guest(Generation::Three).await;
    let script = "import os\nfor n in range(100): os.write(1, b'x')";
    let mut events = mock.client().command("python3").args(["-c", script]).stream().await.unwrap();
    let mut chunks = 0;
    loop {
        match next(&mut events).await {
            Event::Stdout(_) => chunks += 1,
            Event::End(_) => break,
            _ => {}
        }
    }
    assert!((1..50).contains(&chunks), "{chunks} chunks");
}
