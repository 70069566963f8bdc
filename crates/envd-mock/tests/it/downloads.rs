//! `GET /files` over a bare socket.

use std::io::Read as _;

use envd_mock::MockEnvd;

use crate::bare::{Answer, Ask, ask};

async fn mock(content: &[u8]) -> MockEnvd {
    let mock = MockEnvd::start().await.expect("the mock starts");
    mock.guest().write_file("/home/user/a.txt", content).expect("the guest takes a file");
    mock
}

fn get(path: &str) -> Ask {
    ask(&format!("GET /files?path={path}"))
}

async fn file(mock: &MockEnvd, headers: &[(&str, &str)]) -> Answer {
    let asked = headers.iter().fold(get("/home/user/a.txt"), |asked, (name, value)| asked.with(name, value));
    asked.send(mock.addr()).await
}

fn message(answer: &Answer) -> (u16, String) {
    let json = answer.json();
    assert_eq!(json["code"], answer.status, "{json}");
    (answer.status, json["message"].as_str().expect("a message").to_owned())
}

#[tokio::test]
async fn a_file_comes_with_what_tells_of_it() {
    let mock = mock(b"content").await;
    let answer = file(&mock, &[]).await;
    assert_eq!((answer.status, answer.text()), (200, "content"));
    for (name, value) in [
        ("content-type", "text/plain"),
        ("content-disposition", "inline; filename=\"a.txt\""),
        ("content-length", "7"),
        ("accept-ranges", "bytes"),
    ] {
        assert_eq!(answer.header(name), Some(value), "{name}");
    }
    assert!(answer.header("etag").is_some_and(|tag| tag.starts_with('"')));
    assert!(answer.header("last-modified").is_some_and(|date| date.ends_with("GMT")));
    assert!(answer.headers.iter().any(|(name, value)| name == "vary" && value == "Accept-Encoding"));
}

#[tokio::test]
async fn head_tells_the_same_and_sends_nothing() {
    let mock = mock(b"content").await;
    let get = file(&mock, &[]).await;
    let head = ask("HEAD /files?path=/home/user/a.txt").send(mock.addr()).await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    for name in ["content-length", "content-type", "etag", "last-modified", "content-disposition"] {
        assert_eq!(head.header(name), get.header(name), "{name}");
    }
}

#[tokio::test]
async fn head_names_no_length_that_get_would_not_have() {
    let mock = mock(b"content").await;
    let head = || ask("HEAD /files?path=/home/user/a.txt");
    let gzip = head().with("accept-encoding", "gzip").send(mock.addr()).await;
    assert_eq!((gzip.status, gzip.header("content-encoding")), (200, Some("gzip")));
    let unchanged = head().with("if-none-match", "*").send(mock.addr()).await;
    assert_eq!(unchanged.status, 304);
    for answer in [gzip, unchanged] {
        assert_eq!(answer.header("content-length"), None, "{answer:?}");
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_told_by_name() {
    let mock = mock(b"content").await;
    for (path, status, text) in [
        ("/none", 404, "path '/none' does not exist"),
        ("", 400, "path '/root' is a directory"),
        ("/home/user", 400, "path '/home/user' is a directory"),
        ("~user/a", 400, "cannot expand user-specific home dir"),
        ("/dev/null", 400, "path '/dev/null' is not a regular file"),
        ("/home/user/a.txt/x", 500, "error checking path: Not a directory (os error 20)"),
        ("a%00b", 500, "error checking path: file name contained an unexpected NUL byte"),
    ] {
        assert_eq!(message(&get(path).send(mock.addr()).await), (status, text.to_owned()), "{path}");
    }
    let answer = ask("GET /files").send(mock.addr()).await;
    assert_eq!(message(&answer), (400, "path '/root' is a directory".to_owned()));
}

#[tokio::test]
async fn a_user_decides_where_relative_paths_start_and_must_be_there() {
    let mock = mock(b"content").await;
    assert_eq!(get("a.txt&username=user").send(mock.addr()).await.text(), "content");
    assert_eq!(get("~/a.txt&username=user").send(mock.addr()).await.text(), "content");
    assert_eq!(get("a.txt").send(mock.addr()).await.status, 404);
    for (user, text) in [("ghost", "user 'ghost' not found"), ("", "user '' not found")] {
        let answer = get(&format!("a.txt&username={user}")).send(mock.addr()).await;
        assert_eq!(message(&answer), (401, text.to_owned()));
    }
}

#[tokio::test]
async fn a_query_that_cannot_be_read_is_plain_text() {
    let mock = mock(b"").await;
    for query in ["path=/a&path=/b", "path=/a&signature_expiration=soon"] {
        let answer = ask(&format!("GET /files?{query}")).send(mock.addr()).await;
        assert_eq!(answer.status, 400, "{query}");
        assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
        assert!(answer.text().starts_with("Failed to deserialize query string: "), "{}", answer.text());
    }
}

#[tokio::test]
async fn gzip_is_what_the_client_asks_for() {
    let content: Vec<u8> = (0..600_000_u32).flat_map(|n| (n % 977).to_le_bytes()).collect();
    let mock = mock(&content).await;
    let answer = file(&mock, &[("accept-encoding", "gzip")]).await;
    assert_eq!((answer.status, answer.header("content-encoding")), (200, Some("gzip")));
    assert!(answer.header("etag").is_some_and(|tag| tag.starts_with("W/")));
    let mut unpacked = Vec::new();
    flate2::read::GzDecoder::new(&answer.body[..]).read_to_end(&mut unpacked).unwrap();
    assert!(unpacked == content);
    for (accepted, text) in [
        ("identity;q=0", "no acceptable encoding found, supported: [\"gzip\"]"),
        ("*;q=0", "no acceptable encoding found, supported: [\"gzip\"]"),
    ] {
        let answer = file(&mock, &[("accept-encoding", accepted)]).await;
        assert_eq!(message(&answer), (406, text.to_owned()));
    }
    let answer = file(&mock, &[("accept-encoding", "gzip"), ("range", "bytes=0-3")]).await;
    assert_eq!((answer.status, answer.header("content-encoding")), (206, None));
    let answer = file(&mock, &[("accept-encoding", "gzip, identity;q=0"), ("range", "bytes=0-3")]).await;
    let text = "identity encoding not acceptable for Range or conditional request";
    assert_eq!(message(&answer), (406, text.to_owned()));
}

#[tokio::test]
async fn ranges_are_cut_as_asked() {
    let mock = mock(b"0123456789").await;
    for (range, content, placed) in [
        ("bytes=2-4", "234", "bytes 2-4/10"),
        ("bytes=7-", "789", "bytes 7-9/10"),
        ("bytes=-1", "9", "bytes 9-9/10"),
    ] {
        let answer = file(&mock, &[("range", range)]).await;
        assert_eq!((answer.status, answer.text()), (206, content), "{range}");
        assert_eq!(answer.header("content-range"), Some(placed));
    }
    let answer = file(&mock, &[("range", "bytes=10-")]).await;
    assert_eq!((answer.status, answer.header("content-range")), (416, Some("bytes */10")));
    let answer = file(&mock, &[("range", "lines=1-2")]).await;
    assert_eq!((answer.status, answer.text()), (200, "0123456789"));
}

#[tokio::test]
async fn several_ranges_come_as_parts() {
    let mock = mock(b"0123456789").await;
    let answer = file(&mock, &[("range", "bytes=0-1,-2")]).await;
    assert_eq!(answer.status, 206);
    let kind = answer.header("content-type").unwrap().to_owned();
    let boundary = kind.strip_prefix("multipart/byteranges; boundary=").unwrap();
    let part = |place: &str, content: &str| {
        format!(
            "\r\n--{boundary}\r\ncontent-type: text/plain\r\ncontent-range: bytes {place}/10\r\n\r\n{content}"
        )
    };
    let expected = format!("{}{}\r\n--{boundary}--\r\n", part("0-1", "01"), part("8-9", "89"));
    assert_eq!(answer.text(), expected);
}

#[tokio::test]
async fn what_the_client_has_is_not_sent_again() {
    let mock = mock(b"0123456789").await;
    let first = file(&mock, &[]).await;
    let (tag, date) = (first.header("etag").unwrap(), first.header("last-modified").unwrap());
    for (name, value, status) in [
        ("if-none-match", tag, 304),
        ("if-none-match", "\"other\"", 200),
        ("if-modified-since", date, 304),
        ("if-match", tag, 200),
        ("if-match", "\"other\"", 412),
        ("if-unmodified-since", "Sun, 06 Nov 1994 08:49:37 GMT", 412),
    ] {
        let answer = file(&mock, &[(name, value)]).await;
        assert_eq!(answer.status, status, "{name}: {value}");
        assert_eq!(answer.header("etag"), Some(tag));
    }
    let part = |condition: &str| file_range(&mock, condition.to_owned());
    assert_eq!(part(tag).await.status, 206);
    assert_eq!(part(date).await.status, 206);
    assert_eq!(part("\"other\"").await.status, 200);
}

async fn file_range(mock: &MockEnvd, condition: String) -> Answer {
    file(mock, &[("range", "bytes=0-0"), ("if-range", &condition)]).await
}

#[tokio::test]
async fn a_name_of_any_characters_can_be_downloaded() {
    let mock = MockEnvd::start().await.unwrap();
    mock.guest().write_file("/tmp/a\n\"é", "x").unwrap();
    let answer = get("/tmp/a%0A%22%C3%A9").send(mock.addr()).await;
    assert_eq!((answer.status, answer.text()), (200, "x"));
    let expected = "inline; filename=\"a_\\\"_\"; filename*=UTF-8''a%0A%22%C3%A9";
    assert_eq!(answer.header("content-disposition"), Some(expected));
}

#[tokio::test]
async fn empty_files_and_made_up_ones_are_read_to_their_end() {
    let mock = mock(b"").await;
    let answer = file(&mock, &[]).await;
    assert_eq!((answer.status, answer.text(), answer.header("content-length")), (200, "", Some("0")));
    assert_eq!(file(&mock, &[("range", "bytes=0-")]).await.status, 416);
    let answer = get("/proc/version").send(mock.addr()).await;
    assert!(answer.text().starts_with("Linux"), "{answer:?}");
    assert_eq!(answer.header("etag"), None);
}

#[tokio::test]
async fn a_large_file_comes_whole() {
    let content: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
    let mock = mock(&content).await;
    let answer = file(&mock, &[]).await;
    assert!(answer.body == content);
    let answer = file(&mock, &[("range", "bytes=1000000-2999999")]).await;
    assert!(answer.body == content[1_000_000..]);
}

#[tokio::test]
async fn once_a_token_is_set_files_need_it_or_a_signature() {
    let mock = mock(b"content").await;
    let init =
        ask("POST /init").with("content-type", "application/json").body(r#"{"access_token":"s3cret"}"#);
    assert_eq!(init.send(mock.addr()).await.status, 204);
    for (query, header, expected) in [
        ("", None, Err("missing signature query parameter")),
        ("", Some("s3cret"), Ok(())),
        ("", Some("other"), Err("access token present in header but does not match")),
        ("&signature=v1_W0H70l5eP6cXb6svHqsDGEavs8WBopekZlY%2Fhy8DMKY", None, Ok(())),
        (
            "&signature=v1_W0H70l5eP6cXb6svHqsDGEavs8WBopekZlY%2Fhy8DMKY&username=user",
            None,
            Err("invalid signature"),
        ),
        ("&signature=v1_x", None, Err("invalid signature")),
    ] {
        let mut asked = get(&format!("/home/user/a.txt{query}"));
        if let Some(token) = header {
            asked = asked.with("x-access-token", token);
        }
        let answer = asked.send(mock.addr()).await;
        match expected {
            Ok(()) => assert_eq!(answer.text(), "content", "{query}"),
            Err(text) => assert_eq!(message(&answer), (401, text.to_owned()), "{query}"),
        }
    }
}

fn date(answer: &Answer, name: &str) -> std::time::SystemTime {
    httpdate::parse_http_date(answer.header(name).expect("a date")).expect("an HTTP date")
}

async fn set_clock(mock: &MockEnvd, time: &str) {
    let control = mock.control_url().trim_start_matches("http://").parse().expect("an address");
    let told = format!("{{\"time\":\"{time}\"}}");
    let ask = ask("POST /guest/clock").with("content-type", "application/json").body(told);
    assert_eq!(ask.send(control).await.status, 204);
}

// The kind of mistake: two clocks in one guest (RFC 9110, section 8.8.2.1).
#[tokio::test]
async fn nothing_was_modified_later_than_now() {
    let mock = mock(b"content").await;
    for time in ["2099-01-01", "9999-12-31", "12000-01-01"] {
        crate::sh(&mock.client(), &format!("touch -d {time} /home/user/a.txt")).await;
        for line in ["GET", "HEAD"] {
            let answer = ask(&format!("{line} /files?path=/home/user/a.txt")).send(mock.addr()).await;
            assert_eq!(answer.status, 200);
            assert!(date(&answer, "last-modified") <= date(&answer, "date"), "{answer:?}");
        }
        // What a client was told is never a reason to keep what it has, and never a reason to refuse it the rest.
        let since =
            httpdate::fmt_http_date(std::time::SystemTime::now() - std::time::Duration::from_secs(60));
        assert_eq!(file(&mock, &[("if-modified-since", &since)]).await.status, 200);
        let part = file(&mock, &[("if-range", &since), ("range", "bytes=0-1")]).await;
        assert_eq!((part.status, part.text()), (200, "content"));
    }
}

#[tokio::test]
async fn files_are_modified_by_the_clock_of_the_guest() {
    let mock = mock(b"before").await;
    let before = mock.client().stat("/home/user/a.txt").await.unwrap().modified;
    for (year, from, to) in [("2001", 978_307_200, 978_393_600), ("2050", 2_524_608_000, 2_524_694_400)] {
        set_clock(&mock, &format!("{year}-01-01T00:00:00Z")).await;
        mock.guest().write_file("/tmp/new", "new").expect("the guest takes a file");
        crate::sh(&mock.client(), "echo x > /tmp/made").await;
        for path in ["/tmp/new", "/tmp/made"] {
            let answer = get(path).send(mock.addr()).await;
            let (modified, now) = (date(&answer, "last-modified"), date(&answer, "date"));
            assert!(modified <= now && now < modified + std::time::Duration::from_secs(3600), "{answer:?}");
            let entry = mock.client().stat(path).await.unwrap();
            let since = entry.modified.unwrap().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
            assert!((from..to).contains(&since), "{path}: {since}");
        }
        assert_eq!(mock.client().stat("/home/user/a.txt").await.unwrap().modified, before);
    }
}
