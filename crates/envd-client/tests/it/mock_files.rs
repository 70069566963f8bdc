//! `/files` against the mock.

use std::io;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use envd_client::{Client, Code, FileOperation, Init, Range};
use futures::stream;

use crate::{assert_status, guest};

#[tokio::test]
async fn a_file_goes_in_and_comes_out() {
    let (mock, client) = guest().await;
    let content: Vec<u8> = (0..100_000u32).flat_map(u32::to_le_bytes).collect();
    let written = client.write_file("/home/user/a b+ü.bin", content.clone()).await.unwrap();
    assert_eq!(written.path, "/home/user/a b+ü.bin");
    assert_eq!(client.read_file("/home/user/a b+ü.bin").await.unwrap(), content);
    let plain = client_of(&mock).gzip(false).build().unwrap();
    assert_eq!(plain.read_file("/home/user/a b+ü.bin").await.unwrap(), content);
}

#[tokio::test]
async fn the_command_sees_what_was_uploaded() {
    let (_mock, client) = guest().await;
    client.write_file("/home/user/deep/er/a.txt", "hello\n").await.unwrap();
    let output = client.command("cat").arg("/home/user/deep/er/a.txt").output().await.unwrap();
    assert_eq!(output.stdout_text(), "hello\n");
}

#[tokio::test]
async fn streams_go_both_ways() {
    let (_mock, client) = guest().await;
    let pieces = (0..64u8).map(|n| Ok(Bytes::from(vec![n; 100_000])));
    client.write_file_stream("/tmp/big", stream::iter(pieces)).await.unwrap();
    let mut file = client.read_file_stream("/tmp/big").await.unwrap();
    let mut seen = 0;
    while let Some(piece) = file.next().await.transpose().unwrap() {
        for byte in &piece[..] {
            assert_eq!(usize::from(*byte), seen / 100_000);
            seen += 1;
        }
    }
    assert_eq!(seen, 6_400_000);
}

#[tokio::test]
async fn an_aborted_upload_leaves_what_was_there() {
    let (mock, client) = guest().await;
    client.write_file("/tmp/d/a", "before").await.unwrap();
    let pieces = stream::iter([Ok(Bytes::from(vec![0; 1 << 20])), Err(io::Error::other("gone"))]);
    client.write_file_stream("/tmp/d/a", pieces).await.unwrap_err();
    assert_eq!(mock.guest().read_file("/tmp/d/a").unwrap(), b"before");
}

#[tokio::test]
async fn parts_are_read() {
    let (_mock, client) = guest().await;
    client.write_file("/tmp/a", "0123456789").await.unwrap();
    for (range, part) in [
        (Range::Between(2, 4), "234"),
        (Range::From(7), "789"),
        (Range::Last(2), "89"),
        (Range::Between(8, 99), "89"),
    ] {
        assert_eq!(client.read_file_range("/tmp/a", range).await.unwrap(), part, "{range:?}");
    }
    assert_status(client.read_file_range("/tmp/a", Range::From(10)).await, 416, "");
}

#[tokio::test]
async fn what_cannot_be_read_is_told_by_status() {
    let (_mock, client) = guest().await;
    assert_status(client.read_file("/no").await, 404, "path '/no' does not exist");
    assert!(client.read_file("/no").await.unwrap_err().is_not_found());
    assert_status(client.read_file("/tmp").await, 400, "path '/tmp' is a directory");
    client.command("mkfifo").arg("/tmp/pipe").output().await.unwrap();
    assert_status(client.read_file("/tmp/pipe").await, 400, "not a regular file");
    assert_status(client.read_file("~x/a").await, 400, "cannot expand user-specific home dir");
    client.write_file("/tmp/f", "").await.unwrap();
    assert_status(client.read_file("/tmp/f/x").await, 500, "error checking path");
    assert_status(client.read_file_stream("/no").await, 404, "does not exist");
}

#[tokio::test]
async fn what_cannot_be_written_is_told_by_status() {
    let (_mock, client) = guest().await;
    assert_status(client.write_file("/tmp", "x").await, 400, "path is a directory");
    client.write_file("/tmp/f", "").await.unwrap();
    assert_status(client.write_file("/tmp/f/x", "x").await, 500, "error ensuring directories");
    assert_status(client.write_file("~x/a", "x").await, 400, "cannot expand user-specific home dir");
}

#[tokio::test]
async fn the_user_decides_owner_and_home() {
    let (mock, _) = guest().await;
    let user = client_of(&mock).username("user").build().unwrap();
    user.write_file("mine", "x").await.unwrap();
    assert_eq!(mock.client().stat("/home/user/mine").await.unwrap().owner, "user");
    let ghost = client_of(&mock).username("ghost").build().unwrap();
    assert_status(ghost.read_file("/tmp/x").await, 401, "user 'ghost' not found");
    assert_status(ghost.write_file("/tmp/x", "").await, 401, "user 'ghost' not found");
    let nobody = client_of(&mock).username("").build().unwrap();
    assert_status(nobody.read_file("/tmp/x").await, 401, "user '' not found");
}

#[tokio::test]
async fn without_a_user_the_default_one_counts() {
    let (mock, client) = guest().await;
    client.init(&Init::new().default_user("user")).await.unwrap();
    client_of(&mock).default_username().build().unwrap().write_file("mine", "x").await.unwrap();
    assert!(mock.guest().exists("/home/user/mine"));
}

#[tokio::test]
async fn files_ask_for_the_token_or_a_signature() {
    let (mock, client) = guest().await;
    client.write_file("/tmp/a", "x").await.unwrap();
    client.init(&Init::new().access_token("s3cret")).await.unwrap();
    assert_status(client.read_file("/tmp/a").await, 401, "missing signature query parameter");
    assert_status(client.write_file("/tmp/a", "y").await, 401, "missing signature query parameter");
    let wrong = client_of(&mock).token("other").build().unwrap();
    let words = "access token present in header but does not match";
    assert_status(wrong.read_file("/tmp/a").await, 401, words);
    let right = client_of(&mock).token("s3cret").build().unwrap();
    assert_eq!(right.read_file("/tmp/a").await.unwrap(), "x");
    assert_eq!(right.stat("/tmp/a").await.unwrap().size, 1);
}

#[tokio::test]
async fn a_signed_url_opens_one_file_for_a_while() {
    let (mock, client) = guest().await;
    client.write_file("/tmp/a", "x").await.unwrap();
    client.init(&Init::new().access_token("s3cret")).await.unwrap();
    let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap();
    let url = client.file_url("/tmp/a", FileOperation::Read);
    assert_eq!(get(&url.sign("s3cret")).await, (200, "x".into()));
    assert_eq!(get(&url.clone().expires_at(now + 60).sign("s3cret")).await.0, 200);
    for (url, words) in [
        (url.sign("other"), "invalid signature"),
        (url.clone().expires_at(now - 60).sign("s3cret"), "signature is already expired"),
        (client.file_url("/tmp/a", FileOperation::Write).sign("s3cret"), "invalid signature"),
        (
            client.file_url("/tmp/b", FileOperation::Read).sign("s3cret").replace("b&", "a&"),
            "invalid signature",
        ),
    ] {
        let (status, body) = get(&url).await;
        assert_eq!(status, 401, "{body}");
        assert!(body.contains(words), "{body}");
    }
    drop(mock);
}

#[tokio::test]
async fn a_special_file_is_read_to_its_end() {
    let (_mock, client) = guest().await;
    let content = client.read_file("/proc/meminfo").await;
    assert!(content.is_ok_and(|content| content.starts_with(b"MemTotal:")));
}

#[tokio::test]
async fn an_upload_over_the_guests_cap_is_413() {
    let mock = envd_mock::MockEnvd::builder().max_upload(1000).start().await.unwrap();
    let outcome = mock.client().write_file("/tmp/a", vec![0; 2000]).await;
    assert_status(outcome, 413, "");
    assert!(!mock.guest().exists("/tmp/a"));
}

#[tokio::test]
async fn a_full_disk_is_507_and_leaves_nothing() {
    let mock = envd_mock::MockEnvd::builder().disk(8 << 20).start().await.unwrap();
    let client = mock.client();
    assert_status(client.write_file("/tmp/a", vec![1; 8 << 20]).await, 507, "not enough disk space");
    assert_eq!(client.stat("/tmp/a").await.unwrap_err().code(), Some(Code::NotFound));
}

fn client_of(mock: &envd_mock::MockEnvd) -> envd_client::ClientBuilder {
    Client::builder().base_url(mock.url())
}

async fn get(url: &str) -> (u16, String) {
    let response = reqwest::get(url).await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}
