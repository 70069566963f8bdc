//! Mishaps of the disk under files.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use futures::StreamExt as _;
use http::Request;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::harness::{TestGuest, within};
use crate::guest::disk::Disk;
use crate::guest::mishap::MishapKind;
use crate::guest::tree::Owner;
use crate::time::Pace;

const FULL: &str = "No space left on device (os error 28)";
const BAD: &str = "Input/output error (os error 5)";
const DENIED: &str = "Permission denied (os error 13)";
const READ_ONLY: &str = "Read-only file system (os error 30)";

fn broken(errno: i32, after: u64) -> MishapKind {
    MishapKind::Disk(Disk::Broken { errno, after })
}

fn closed(errno: i32) -> MishapKind {
    MishapKind::Disk(Disk::Closed(errno))
}

fn form(path: &str, parts: &[usize]) -> Request<Body> {
    let mut body = String::new();
    for (n, size) in parts.iter().enumerate() {
        let head = "content-disposition: form-data; name=\"file\"; filename";
        body.push_str(&format!("--b\r\n{head}=\"/d/{n}\"\r\n\r\n{}\r\n", "x".repeat(*size)));
    }
    body.push_str("--b--\r\n");
    let request = Request::post(format!("/files?{path}"));
    request.header("content-type", "multipart/form-data; boundary=b").body(body.into()).unwrap()
}

impl TestGuest {
    async fn upload(&self, parts: &[usize], kind: MishapKind) -> (u16, String) {
        let response = self.call(form("username=root", parts), Some(kind)).await;
        let status = response.status().as_u16();
        let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
        let json: Value = serde_json::from_slice(&body).unwrap();
        (status, json["message"].as_str().unwrap_or_default().to_owned())
    }

    fn put(&self, path: &str, size: usize) {
        self.guest.stand().tree.write_file(path, &vec![7; size], Owner::ROOT).unwrap();
    }

    /// What `/d` holds: name and size.
    fn held(&self) -> Vec<(String, i64)> {
        let entries = self.guest.stand().tree.list("/d", 1).unwrap_or_default();
        entries.into_iter().map(|entry| (entry.name, entry.size)).collect()
    }

    /// The body as far as it came, and whether it came to its end.
    async fn download(&self, method: &str, kind: MishapKind) -> (u16, usize, bool) {
        let request = Request::builder().method(method).uri("/files?path=/d/a");
        let response = self.call(request.body(Body::empty()).unwrap(), Some(kind)).await;
        let status = response.status().as_u16();
        let (mut read, mut body) = (0, response.into_body().into_data_stream());
        while let Some(data) = within(body.next()).await {
            match data {
                Ok(data) => read += data.len(),
                Err(_) => return (status, read, false),
            }
        }
        (status, read, true)
    }
}

#[tokio::test]
async fn an_upload_to_a_full_disk_fails_and_leaves_nothing() {
    let test = TestGuest::new().await;
    for (after, size) in [(0, 0), (0, 1), (4096, 4097), (4096, 1_000_000)] {
        let answer = test.upload(&[size], broken(libc::ENOSPC, after)).await;
        assert_eq!(answer, (507, "not enough disk space available".to_owned()), "{size} into {after}");
        assert_eq!(test.held(), [], "{size} into {after}");
        assert!(test.told.words().last().unwrap().starts_with(FULL));
    }
    assert_eq!(test.told.words().len(), 4);
}

#[tokio::test]
async fn an_upload_that_fits_does_not_see_the_limit() {
    let test = TestGuest::new().await;
    assert_eq!(test.upload(&[4096], broken(libc::ENOSPC, 4096)).await.0, 200);
    assert_eq!(test.held(), [("0".to_owned(), 4096)]);
    assert!(test.told.words().is_empty());
}

#[tokio::test]
async fn the_parts_of_one_upload_share_the_disk() {
    let test = TestGuest::new().await;
    assert_eq!(test.upload(&[3000, 3000], broken(libc::ENOSPC, 4096)).await.0, 507);
    assert_eq!(test.held(), [("0".to_owned(), 3000)]);
}

#[tokio::test]
async fn an_upload_tells_the_error_of_its_disk() {
    let test = TestGuest::new().await;
    for (kind, text) in [
        (broken(libc::EIO, 10), format!("error writing file: {BAD}")),
        (broken(libc::EIO, 0), format!("error writing file: {BAD}")),
        (closed(libc::EACCES), format!("error opening file: {DENIED}")),
        (closed(libc::EROFS), format!("error opening file: {READ_ONLY}")),
    ] {
        assert_eq!(test.upload(&[11], kind).await, (500, text));
        assert_eq!(test.held(), []);
    }
    assert_eq!(test.told.words().len(), 4);
}

#[tokio::test]
async fn a_download_breaks_off_after_exactly_so_many_bytes() {
    let test = TestGuest::new().await;
    test.put("/d/a", 1_000_000);
    for after in [1, 4096, 262_144, 999_999] {
        let broken = broken(libc::EIO, after);
        assert_eq!(test.download("GET", broken).await, (200, usize::try_from(after).unwrap(), false));
    }
    assert_eq!(test.told.words().len(), 4);
    assert_eq!(test.download("GET", broken(libc::EIO, 1_000_000)).await, (200, 1_000_000, true));
    assert_eq!(test.told.words().len(), 4);
}

#[tokio::test]
async fn what_was_read_before_the_error_reaches_the_client() {
    let test = Arc::new(TestGuest::new().await);
    test.put("/d/a", 1_000_000);
    for after in [1, 300_000] {
        let (mut near, far) = tokio::io::duplex(1 << 20);
        let served = Arc::clone(&test);
        let service = service_fn(move |request: Request<hyper::body::Incoming>| {
            let test = Arc::clone(&served);
            let kind = broken(libc::EIO, after);
            async move { Ok::<_, std::convert::Infallible>(test.call(request.map(Body::new), Some(kind)).await) }
        });
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(far), service));
        near.write_all(b"GET /files?path=/d/a HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        let mut answer = Vec::new();
        within(near.read_to_end(&mut answer)).await.unwrap();
        let head = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
        assert_eq!((answer.len() - head) as u64, after);
        assert!(String::from_utf8_lossy(&answer[..head]).contains("content-length: 1000000"));
    }
}

#[tokio::test]
async fn a_download_of_which_nothing_can_be_read_is_an_error() {
    let test = TestGuest::new().await;
    test.put("/d/a", 100);
    for (kind, text) in [
        (broken(libc::EIO, 0), format!("error reading file: {BAD}")),
        (closed(libc::EACCES), format!("error opening file: {DENIED}")),
    ] {
        let (status, error) = test.json("GET", "/files?path=/d/a", None, Some(kind)).await;
        assert_eq!((status, &error["message"]), (500, &json!(text)));
    }
    assert_eq!(test.download("HEAD", broken(libc::EIO, 0)).await.0, 200);
    assert_eq!(test.told.words().len(), 2);
}

#[tokio::test]
async fn a_full_or_read_only_disk_can_be_read() {
    let test = TestGuest::new().await;
    test.put("/d/a", 100);
    for kind in [broken(libc::ENOSPC, 0), closed(libc::EROFS)] {
        assert_eq!(test.download("GET", kind.clone()).await, (200, 100, true));
        let stat = test.unary("filesystem.Filesystem/Stat", json!({ "path": "/d/a" }), Some(kind)).await;
        assert_eq!(stat.0, 200);
    }
    assert!(test.told.words().is_empty());
}

#[tokio::test]
async fn a_slow_disk_gives_and_takes_at_its_pace() {
    let test = TestGuest::at(Pace::Manual).await;
    test.put("/d/a", 3000);
    let slow = || MishapKind::Disk(Disk::Slow { rate: 1000 });
    let advance = async {
        loop {
            let next = test.time.sleeping().await;
            test.time.advance(next.saturating_sub(test.time.now())).unwrap();
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        () = advance => {}
        read = test.download("GET", slow()) => assert_eq!(read, (200, 3000, true)),
    }
    assert_eq!(test.time.now(), Duration::from_secs(3));
    let advance = async {
        let until = within(test.time.sleeping()).await;
        test.time.advance(until.saturating_sub(test.time.now())).unwrap();
        until
    };
    let (answer, until) = tokio::join!(test.upload(&[5000], slow()), advance);
    assert_eq!((answer.0, until), (200, Duration::from_secs(8)));
    assert_eq!(test.told.words(), ["content passes at 1000 bytes a second"; 2]);
}

#[tokio::test]
async fn file_rpcs_tell_the_error_of_their_disk() {
    let test = TestGuest::new().await;
    test.put("/d/a", 1);
    let (at, dir) = (json!({ "path": "/d/a" }), json!({ "path": "/d" }));
    let to = json!({ "source": "/d/a", "destination": "/d/b" });
    let is_dir = "Is a directory (os error 21)";
    let not_dir = "Not a directory (os error 20)";
    for (rpc, message, kind, text) in [
        ("Stat", &at, broken(libc::EIO, 9), format!("error getting file info: {BAD}")),
        ("ListDir", &dir, broken(libc::EIO, 0), format!("error reading directory: {BAD}")),
        (
            "MakeDir",
            &json!({ "path": "/n" }),
            broken(libc::ENOSPC, 9),
            format!("failed to create directory /n: {FULL}"),
        ),
        (
            "MakeDir",
            &json!({ "path": "/n" }),
            closed(libc::EACCES),
            format!("failed to create directory /n: {DENIED}"),
        ),
        ("Move", &to, closed(libc::EROFS), format!("error renaming: {READ_ONLY}")),
        (
            "Remove",
            &at,
            closed(libc::EROFS),
            format!("error removing: {not_dir}; also tried as file: {READ_ONLY}"),
        ),
        (
            "Remove",
            &dir,
            closed(libc::EACCES),
            format!("error removing: {DENIED}; also tried as file: {is_dir}"),
        ),
        (
            "CreateWatcher",
            &dir,
            closed(libc::EACCES),
            format!("failed to watch path: {DENIED} about [\"/d\"]"),
        ),
    ] {
        let rpc = format!("filesystem.Filesystem/{rpc}");
        let (status, error) = test.unary(&rpc, message.clone(), Some(kind)).await;
        assert_eq!((status, error), (500, json!({ "code": "internal", "message": text })), "{rpc}");
    }
    assert_eq!(test.told.words().len(), 8);
    assert_eq!(test.held(), [("a".to_owned(), 1)]);
    assert!(!test.guest.stand().tree.exists("/n"));
    let mut events = test.stream("filesystem.Filesystem/WatchDir", dir, Some(broken(libc::EIO, 0))).await;
    assert_eq!(events.next().await.unwrap()["endStream"]["error"]["code"], "internal");
}

#[tokio::test]
async fn a_full_disk_can_be_emptied() {
    let test = TestGuest::new().await;
    test.put("/d/a", 1);
    let message = json!({ "path": "/d/a" });
    let full = Some(broken(libc::ENOSPC, 0));
    assert_eq!(test.unary("filesystem.Filesystem/Remove", message, full).await.0, 200);
    assert!(test.told.words().is_empty());
}
