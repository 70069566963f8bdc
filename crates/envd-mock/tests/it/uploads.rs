//! `POST /files` over a bare socket.

use std::io::Write as _;
use std::time::Duration;

use envd_client::Event;
use envd_mock::{Generation, MockEnvd, Pace};

use crate::bare::{Answer, Ask, Wire, ask};

const FORM: &str = "multipart/form-data; boundary=BOUND";

/// A form of parts: name, file name, content.
fn form(parts: &[(&str, Option<&str>, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, file, content) in parts {
        let file = file.map(|file| format!("; filename=\"{file}\"")).unwrap_or_default();
        let head = format!("--BOUND\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n");
        body.extend([head.as_bytes(), content, b"\r\n"].concat());
    }
    body.extend(b"--BOUND--\r\n");
    body
}

fn post(query: &str, body: Vec<u8>) -> Ask {
    ask(&format!("POST /files{query}")).with("content-type", FORM).body(body)
}

fn message(answer: &Answer) -> (u16, String) {
    (answer.status, answer.json()["message"].as_str().unwrap_or_default().to_owned())
}

fn names(mock: &MockEnvd, dir: &str) -> Vec<String> {
    let dir = mock.guest().root().join(dir.trim_start_matches('/'));
    let entries = std::fs::read_dir(dir).expect("the directory is there");
    let mut names: Vec<_> =
        entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_file_goes_where_the_query_says() {
    let mock = MockEnvd::start().await.unwrap();
    let body = form(&[("file", Some("upload"), b"content")]);
    let answer = post("?path=/tmp/dir/a.txt&username=user", body).send(mock.addr()).await;
    let expected = serde_json::json!([{ "path": "/tmp/dir/a.txt", "name": "a.txt", "type": "file" }]);
    assert_eq!((answer.status, answer.json()), (200, expected));
    assert_eq!(mock.guest().read_file("/tmp/dir/a.txt").unwrap(), b"content");
    let entry = mock.client().stat("/tmp/dir/a.txt").await.unwrap();
    assert_eq!((entry.owner.as_str(), entry.mode), ("user", 0o644));
    assert_eq!(mock.client().stat("/tmp/dir").await.unwrap().owner, "user");
}

#[tokio::test]
async fn without_a_path_each_part_goes_by_its_own_name() {
    let mock = MockEnvd::start().await.unwrap();
    let parts: [(&str, Option<&str>, &[u8]); 4] = [
        ("file", Some("/tmp/one"), b"1"),
        ("note", None, b"not a file"),
        ("file", Some("sub/two"), b"2"),
        ("file", None, b"3"),
    ];
    let answer = post("?username=user", form(&parts)).send(mock.addr()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    for (path, content) in [("/tmp/one", "1"), ("/home/user/sub/two", "2"), ("/home/user/upload", "3")] {
        assert_eq!(mock.guest().read_file(path).unwrap(), content.as_bytes(), "{path}");
    }
}

#[tokio::test]
async fn parts_are_placed_one_by_one() {
    let mock = MockEnvd::start().await.unwrap();
    let twice = form(&[("file", None, b"first"), ("file", None, b"second")]);
    let answer = post("?path=/tmp/a", twice).send(mock.addr()).await;
    assert_eq!(message(&answer), (400, "cannot upload multiple files to same path '/tmp/a'".to_owned()));
    assert_eq!(mock.guest().read_file("/tmp/a").unwrap(), b"first");
    let failing = form(&[("file", Some("/tmp/b"), b"stays"), ("file", Some("/tmp"), b"fails")]);
    let answer = post("", failing).send(mock.addr()).await;
    assert_eq!(message(&answer), (400, "path is a directory: /tmp".to_owned()));
    assert_eq!(mock.guest().read_file("/tmp/b").unwrap(), b"stays");
}

#[tokio::test]
async fn a_form_cut_anywhere_leaves_what_was_there() {
    let mock = MockEnvd::start().await.unwrap();
    mock.guest().write_file("/tmp/a", "old").unwrap();
    let body = form(&[("file", None, b"new")]);
    let needed = body.len() - "\r\n".len();
    for end in 1..needed {
        let answer = post("?path=/tmp/a", body[..end].to_vec()).send(mock.addr()).await;
        assert_eq!(answer.status, 500, "cut at {end}");
        assert_eq!(mock.guest().read_file("/tmp/a").unwrap(), b"old", "cut at {end}");
    }
    assert_eq!(names(&mock, "/tmp"), ["a"]);
    assert_eq!(post("?path=/tmp/a", body[..needed].to_vec()).send(mock.addr()).await.status, 200);
    assert_eq!(mock.guest().read_file("/tmp/a").unwrap(), b"new");
}

#[tokio::test]
async fn a_form_without_a_file_is_refused() {
    let mock = MockEnvd::start().await.unwrap();
    for body in [Vec::new(), form(&[]), form(&[("other", Some("/tmp/x"), b"x")])] {
        let answer = post("?path=/tmp/x", body).send(mock.addr()).await;
        assert_eq!(message(&answer), (400, "no 'file' part in the upload".to_owned()));
    }
    assert!(names(&mock, "/tmp").is_empty());
}

#[tokio::test]
async fn what_cannot_be_taken_says_why() {
    let mock = MockEnvd::start().await.unwrap();
    mock.guest().write_file("/tmp/file", "old").unwrap();
    let body = || form(&[("file", None, b"x")]);
    for (query, status, text) in [
        ("?path=/tmp/file/x", 500, "error ensuring directories: path is a file: /tmp/file"),
        ("?path=/tmp/new/", 500, "error opening file: Is a directory (os error 21)"),
        ("?path=~user/x", 400, "cannot expand user-specific home dir"),
        ("?path=/tmp/x&username=ghost", 401, "user 'ghost' not found"),
        ("?path=/usr/bin/sh", 500, "error opening file: Read-only file system (os error 30)"),
    ] {
        assert_eq!(
            message(&post(query, body()).send(mock.addr()).await),
            (status, text.to_owned()),
            "{query}"
        );
    }
    let encoded = post("?path=/tmp/x", body()).with("content-encoding", "br").send(mock.addr()).await;
    assert_eq!(
        message(&encoded),
        (400, "unsupported Content-Encoding: br, supported: [\"gzip\"]".to_owned())
    );
    let plain =
        ask("POST /files?path=/tmp/x").with("content-type", "text/plain").body("x").send(mock.addr()).await;
    let text = "error parsing multipart: Invalid `boundary` for `multipart/form-data` request";
    assert_eq!(message(&plain), (500, text.to_owned()));
    assert_eq!(mock.guest().read_file("/tmp/file").unwrap(), b"old");
}

#[tokio::test]
async fn a_body_cut_short_changes_nothing() {
    let mock = MockEnvd::start().await.unwrap();
    mock.guest().write_file("/tmp/dir/old", "old").unwrap();
    let whole = form(&[("file", None, &vec![b'x'; 300_000])]);
    for end in [10, 100, 200_000, whole.len() - 10] {
        let answer = post("?path=/tmp/dir/old", whole[..end].to_vec()).send(mock.addr()).await;
        let text = "error reading field: Error parsing `multipart/form-data` request";
        assert_eq!(message(&answer), (500, text.to_owned()), "cut at {end}");
    }
    assert_eq!(names(&mock, "/tmp/dir"), ["old"]);
    assert_eq!(mock.guest().read_file("/tmp/dir/old").unwrap(), b"old");
}

#[tokio::test]
async fn an_upload_that_its_client_leaves_changes_nothing() {
    let mock = MockEnvd::start().await.unwrap();
    mock.guest().write_file("/tmp/dir/old", "old").unwrap();
    let bytes =
        post("?path=/tmp/dir/old", form(&[("file", None, &vec![b'x'; 3_000_000])])).bytes(mock.addr());
    for end in [400, 1_000_000, 2_900_000] {
        let mut wire = Wire::open(mock.addr()).await;
        wire.write(&bytes[..end]).await;
        assert_eq!(names(&mock, "/tmp/dir"), ["old"]);
        wire.finish().await;
        wire.ends().await;
    }
    assert_eq!(names(&mock, "/tmp/dir"), ["old"]);
    assert_eq!(mock.guest().read_file("/tmp/dir/old").unwrap(), b"old");
}

#[tokio::test]
async fn gzip_is_of_each_part() {
    let mock = MockEnvd::start().await.unwrap();
    let content = b"content ".repeat(100_000);
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(&content).unwrap();
    let packed = encoder.finish().unwrap();
    let body =
        form(&[("file", Some("/tmp/a"), &packed), ("file", Some("/tmp/b"), &packed[..packed.len() - 4])]);
    let answer = post("", body).with("content-encoding", "gzip").send(mock.addr()).await;
    let (status, text) = message(&answer);
    assert!(status == 400 && text.starts_with("gzip decompression failed: "), "{answer:?}");
    assert!(mock.guest().read_file("/tmp/a").unwrap() == content);
    assert_eq!(names(&mock, "/tmp"), ["a"]);
}

#[tokio::test]
async fn more_than_the_limit_is_refused() {
    let mock = MockEnvd::builder().max_upload(1000).start().await.unwrap();
    let exact = post("?path=/tmp/exact", form(&[("file", None, &[b'x'; 1000])])).send(mock.addr()).await;
    assert_eq!(exact.status, 200);
    let over = post("?path=/tmp/over", form(&[("file", None, &[b'x'; 1001])])).send(mock.addr()).await;
    assert_eq!(message(&over), (413, "upload exceeds the limit of 1000 bytes".to_owned()));
    assert_eq!(names(&mock, "/tmp"), ["exact"]);
}

#[tokio::test]
async fn a_full_disk_is_told_and_nothing_of_the_file_is_left() {
    let mock = MockEnvd::builder().disk(8 << 20).start().await.unwrap();
    let body = form(&[("file", None, &vec![b'x'; 16 << 20])]);
    let answer = post("?path=/tmp/big", body).send(mock.addr()).await;
    assert_eq!(message(&answer), (507, "not enough disk space available".to_owned()));
    let client = mock.client();
    assert!(client.list_dir("/tmp", 1).await.unwrap().is_empty());
    let answer =
        post("?path=/tmp/small&username=user", form(&[("file", None, b"fits")])).send(mock.addr()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(client.stat("/tmp/small").await.unwrap().owner, "user");
    assert_eq!(client.read_file("/tmp/small").await.unwrap(), "fits");
}

#[tokio::test]
async fn what_a_command_sees_is_what_was_uploaded() {
    let mock = MockEnvd::start().await.unwrap();
    let answer =
        post("?path=~/a.txt&username=user", form(&[("file", None, b"content\n")])).send(mock.addr()).await;
    assert_eq!(answer.status, 200);
    let output = crate::sh(&mock.client(), "cat /home/user/a.txt; stat -c %U /home/user/a.txt").await;
    assert!(output.stdout.starts_with(b"content\n"), "{output:?}");
}

// The kind of mistake: what was cut is taken for what was meant.
#[tokio::test]
async fn a_form_that_is_cut_anywhere_is_an_error() {
    let parts: [(&str, Option<&str>, &[u8]); 3] =
        [("file", Some("/tmp/one"), b"1"), ("note", None, b"text"), ("file", Some("/tmp/two"), b"22")];
    let whole = form(&parts);
    let closing = whole.len() - 2;
    let first_ends = whole.windows(9).position(|window| window == b"\r\n--BOUND").unwrap() + 9;
    for generation in [Generation::One, Generation::Two] {
        let mock = MockEnvd::builder().generation(generation).start().await.unwrap();
        // A body of nothing is a form without parts.
        for cut in 1..closing {
            let answer = post("?username=root", whole[..cut].to_vec()).send(mock.addr()).await;
            assert!(answer.status >= 400, "cut at {cut}: {answer:?}");
            assert!(!mock.guest().exists("/tmp/two"), "cut at {cut}");
            assert!(cut > first_ends || !mock.guest().exists("/tmp/one"), "cut at {cut}");
        }
        let answer = post("?username=root", whole[..closing].to_vec()).send(mock.addr()).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
}

/// A guest on a clock that is moved by hand, with a pipe that nobody reads.
async fn with_a_pipe(generation: Generation) -> MockEnvd {
    let builder = MockEnvd::builder().clock(Pace::Manual).generation(generation);
    let mock = builder.start().await.unwrap();
    crate::sh(&mock.client(), "mkfifo /tmp/pipe").await;
    mock
}

// The kind of mistake: what the guest makes the mock wait for is waited for on threads that others need.
#[tokio::test]
async fn uploads_to_a_pipe_that_nobody_reads_hold_up_nobody_else() {
    let mock = with_a_pipe(Generation::Two).await;
    let address = mock.addr();
    let upload = |_| async move {
        let ask = post("?path=/tmp/pipe&username=root", form(&[("file", None, b"content")]));
        let mut wire = Wire::open(address).await;
        wire.write(&ask.bytes(address)).await;
        wire
    };
    // More than the runtime has threads for.
    let mut waiting = futures::future::join_all((0..600).map(upload)).await;
    mock.clock().waited_for().await;
    let output = crate::sh(&mock.client(), "echo on time").await;
    assert_eq!(output.stdout, "on time\n");
    assert_eq!(ask("GET /health").send(address).await.status, 200);
    for wire in &waiting {
        assert!(wire.seen().is_empty());
    }
    let moving = async {
        loop {
            mock.clock().waited_for().await;
            mock.clock().advance(Duration::from_secs(10)).unwrap();
        }
    };
    let answered = async {
        for wire in &mut waiting {
            let expected = "error opening file: no reader came to the pipe".to_owned();
            assert_eq!(message(&wire.answer(false).await), (500, expected));
        }
    };
    tokio::select! {
        () = moving => {}
        () = answered => {}
    }
}

#[tokio::test]
async fn an_upload_to_a_pipe_ends_when_its_client_leaves() {
    let mock = with_a_pipe(Generation::Three).await;
    let control = mock.control_url().trim_start_matches("http://").parse().unwrap();
    let put = ask("PUT /files?path=/tmp/pipe&username=root").with("content-length", "9000000");
    // What a socket holds: a close behind more than that is seen only once the mock reads on.
    for part in [1, 60_000] {
        let mut wire = Wire::open(mock.addr()).await;
        wire.write(&put.bytes(mock.addr())).await;
        wire.write(&vec![b'x'; part]).await;
        mock.clock().waited_for().await;
        drop(wire);
        let deadline = tokio::time::Instant::now() + crate::bare::PATIENCE;
        while !ask("GET /clock").send(control).await.json()["next"].is_null() {
            assert!(tokio::time::Instant::now() < deadline, "somebody still waits for the pipe");
        }
    }
}

#[tokio::test]
async fn a_pipe_takes_all_of_an_upload_at_its_readers_pace() {
    let mock = with_a_pipe(Generation::Three).await;
    let client = mock.client();
    let reader = crate::sh(&client, "sha256sum < /tmp/pipe");
    let content: Vec<u8> = (0..3_000_000_u32).map(|n| (n / 7) as u8).collect();
    let put = ask("PUT /files?path=/tmp/pipe&username=root").body(content.clone());
    let (output, answer) = tokio::join!(reader, put.send(mock.addr()));
    assert_eq!(answer.status, 200, "{answer:?}");
    client.write_file("/tmp/same", content).await.unwrap();
    let same = crate::sh(&client, "sha256sum < /tmp/same").await;
    assert_eq!(output.stdout, same.stdout);
}

/// Against an upload that is collected before it is begun, however slowly it comes: what is written to a pipe is for a
/// reader who may decide what comes next.
#[tokio::test]
async fn a_pipe_gets_what_has_come_before_the_rest_has() {
    let mock = MockEnvd::start().await.unwrap();
    let script = "mkfifo /tmp/pipe; echo made; cat /tmp/pipe";
    let mut events = mock.client().command("sh").args(["-c", script]).stream().await.unwrap();
    let mut seen = Vec::new();
    let body = form(&[("file", None, b"first second")]);
    let bytes = post("?path=/tmp/pipe", body).bytes(mock.addr());
    let split = bytes.windows(6).position(|six| six == b"second").unwrap();
    let (first, second) = bytes.split_at(split);
    let mut wire = None;
    while seen != b"made\nfirst second" {
        match events.next().await.expect("the pipe's reader lives").unwrap() {
            Event::Stdout(data) => seen.extend_from_slice(&data),
            Event::Start { .. } => continue,
            event => panic!("expected output, got {event:?}"),
        }
        if seen == b"made\n" {
            let mut socket = Wire::open(mock.addr()).await;
            socket.write(first).await;
            wire = Some(socket);
        } else if seen == b"made\nfirst " {
            wire.as_mut().unwrap().write(second).await;
        }
    }
    assert_eq!(wire.unwrap().answer(false).await.status, 200);
}

/// Against users that are remembered from the call before.
#[tokio::test]
async fn a_user_that_a_command_has_just_added_or_changed_is_known_as_it_is() {
    let mock = MockEnvd::start().await.unwrap();
    let client = mock.client();
    let owner = async || client.stat("/tmp/new/a").await.unwrap().owner;
    for n in 0..8 {
        let add = format!("rm -rf /tmp/new; echo 'new{n}:x:200{n}:200{n}::/tmp:/bin/sh' >> /etc/passwd");
        assert_eq!(crate::sh(&client, &add).await.exit.code, 0);
        let query = format!("?path=/tmp/new/a&username=new{n}");
        let answer = post(&query, form(&[("file", None, b"a")])).send(mock.addr()).await;
        assert_eq!((answer.status, owner().await), (200, format!("new{n}")), "{answer:?}");
        // The same length in the same file.
        let rename = format!("sed 's/^new{n}:/old{n}:/' /etc/passwd > /tmp/p; cat /tmp/p > /etc/passwd");
        assert_eq!(crate::sh(&client, &rename).await.exit.code, 0);
        let answer = post(&query, form(&[("file", None, b"a")])).send(mock.addr()).await;
        assert_eq!((answer.status, owner().await), (401, format!("old{n}")), "{answer:?}");
    }
}

/// Against a refusal that waits for a body: who expects `100 Continue` sends none before it.
#[tokio::test]
async fn who_waits_to_be_told_to_go_on_is_refused_before_that() {
    for (generation, line, kind) in [
        (Generation::Two, "POST /files?path=/tmp/a&username=nobody-here", FORM),
        (Generation::Three, "PUT /files?path=/tmp/a&username=nobody-here", "x/y"),
    ] {
        let mock = MockEnvd::builder().generation(generation).start().await.unwrap();
        let ask =
            ask(line).with("content-type", kind).with("expect", "100-continue").with("content-length", "9");
        let mut wire = Wire::open(mock.addr()).await;
        wire.write(&ask.bytes(mock.addr())).await;
        let answer = wire.answer(false).await;
        assert_eq!(message(&answer), (401, "user 'nobody-here' not found".to_owned()));
    }
}

/// Against an order of errors that depends on how a request was cut into packets.
#[tokio::test]
async fn nobody_is_told_so_whatever_else_is_wrong() {
    let mock = MockEnvd::start().await.unwrap();
    let query = "POST /files?path=/tmp/a&username=nobody-here";
    let whole = form(&[("file", None, b"a")]);
    for (kind, body) in
        [(FORM, Vec::new()), (FORM, whole[..9].to_vec()), (FORM, whole), ("text/plain", b"x".to_vec())]
    {
        let answer = ask(query).with("content-type", kind).body(body).send(mock.addr()).await;
        assert_eq!(message(&answer), (401, "user 'nobody-here' not found".to_owned()));
    }
    assert!(names(&mock, "/tmp").is_empty());
}
