//! Defects of files and directories.

use envd_mock::{Defect, MockEnvd};

use super::pair;
use crate::bare::{Answer, Ask, Wire, ask, unary};
use crate::sh;

const FORM: &str = "multipart/form-data; boundary=BOUND";

fn upload(name: &str, content: &[u8]) -> Ask {
    let head = format!("--BOUND\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"x\"\r\n\r\n");
    let body = [head.as_bytes(), content, b"\r\n--BOUND--\r\n"].concat();
    ask("POST /files?path=/tmp/x").with("content-type", FORM).body(body)
}

fn message(answer: &Answer) -> (u16, String) {
    (answer.status, answer.json()["message"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn two_mebibytes_are_the_most_of_an_upload() {
    let [sound, faulty] = pair(Defect::UploadLimit).await;
    let (small, large) = (upload("file", &[7; 2_097_000 - 200]), upload("file", &[7; 2_200_000]));
    assert_eq!(large.send(sound.addr()).await.status, 200);
    assert_eq!(small.send(faulty.addr()).await.status, 200);
    let refused = message(&large.send(faulty.addr()).await);
    assert_eq!(refused, (500, "error reading field: Error parsing `multipart/form-data` request".into()));
}

#[tokio::test]
async fn an_upload_of_nothing_is_fine() {
    let [sound, faulty] = pair(Defect::EmptyUploadOk).await;
    let nothing = upload("note", b"not a file");
    assert_eq!(nothing.send(sound.addr()).await.status, 400);
    let answer = nothing.send(faulty.addr()).await;
    assert_eq!((answer.status, answer.text()), (200, "[]"));
}

#[tokio::test]
async fn an_odd_name_gets_no_answer() {
    let [sound, faulty] = pair(Defect::OddNameCrash).await;
    for mock in [&sound, &faulty] {
        mock.guest().write_file("/tmp/a\nb", "x").unwrap();
        mock.guest().write_file("/tmp/a\"b", "x").unwrap();
    }
    let odd = ask("GET /files?path=/tmp/a%0Ab");
    assert_eq!(odd.send(sound.addr()).await.status, 200);
    let mut wire = Wire::open(faulty.addr()).await;
    wire.write(&odd.bytes(faulty.addr())).await;
    assert_eq!(wire.rest().await, b"");
    let quote = ask("GET /files?path=/tmp/a%22b").send(faulty.addr()).await;
    assert_eq!(quote.header("content-disposition"), Some("inline; filename=\"a\"b\""));
}

#[tokio::test]
async fn a_range_is_all_of_it() {
    let [sound, faulty] = pair(Defect::RangeIgnored).await;
    for (mock, status, text, tagged) in [(&sound, 206, "on", true), (&faulty, 200, "content", false)] {
        mock.guest().write_file("/tmp/x", "content").unwrap();
        let answer = ask("GET /files?path=/tmp/x").with("range", "bytes=1-2").send(mock.addr()).await;
        assert_eq!((answer.status, answer.text()), (status, text));
        assert_eq!(answer.header("etag").is_some(), tagged);
        assert_eq!(answer.header("last-modified").is_some(), tagged);
    }
}

#[tokio::test]
async fn removing_what_is_not_there_is_internal() {
    let [sound, faulty] = pair(Defect::RemoveMissingInternal).await;
    let remove = unary("/filesystem.Filesystem/Remove", r#"{"path":"/tmp/none"}"#);
    assert_eq!(remove.send(sound.addr()).await.status, 404);
    let (status, text) = message(&remove.send(faulty.addr()).await);
    assert!(
        status == 500 && text.starts_with("error removing: No such file or directory"),
        "{status} {text}"
    );
    assert!(text.contains("; also tried as file: "), "{text}");
}

#[tokio::test]
async fn watching_what_is_not_there_is_internal() {
    let [sound, faulty] = pair(Defect::WatchMissingInternal).await;
    let watch = unary("/filesystem.Filesystem/CreateWatcher", r#"{"path":"/tmp/none"}"#);
    assert_eq!(watch.send(sound.addr()).await.status, 404);
    let expected = "failed to watch path: No such file or directory (os error 2) about [\"/tmp/none\"]";
    assert_eq!(message(&watch.send(faulty.addr()).await), (500, expected.into()));
}

#[tokio::test]
async fn relative_paths_start_at_the_home() {
    let [sound, faulty] = pair(Defect::WorkdirIgnored).await;
    for (mock, content) in [(&sound, "workdir"), (&faulty, "home")] {
        mock.guest().write_file("/srv/x", "workdir").unwrap();
        mock.guest().write_file("/root/x", "home").unwrap();
        let init = ask("POST /init").with("content-type", "application/json");
        assert_eq!(init.body(r#"{"defaultWorkdir":"/srv"}"#).send(mock.addr()).await.status, 204);
        let answer = ask("GET /files?path=x&username=root").send(mock.addr()).await;
        assert_eq!(answer.text(), content);
        let stat = unary("/filesystem.Filesystem/Stat", r#"{"path":""}"#).send(mock.addr()).await;
        assert_eq!(stat.json()["entry"]["path"], "/srv", "an empty one is the working directory in both");
    }
}

#[tokio::test]
async fn files_without_a_size_come_back_empty() {
    let [sound, faulty] = pair(Defect::SpecialFilesEmpty).await;
    let read = ask("GET /files?path=/proc/version");
    assert!(read.send(sound.addr()).await.text().starts_with("Linux"));
    let answer = read.send(faulty.addr()).await;
    assert_eq!((answer.status, answer.header("content-length"), answer.text()), (200, Some("0"), ""));
}

async fn linked(mock: &MockEnvd) {
    mock.guest().write_file("/tmp/real", "old").unwrap();
    assert!(sh(&mock.client(), "chmod 640 /tmp/real; ln -s real /tmp/link").await.exit.success());
}

#[tokio::test]
async fn a_put_replaces_the_link_and_the_mode() {
    let [sound, faulty] = pair(Defect::PutDropsLink).await;
    for (mock, real, look) in
        [(&sound, "new", "symbolic link\n640\n"), (&faulty, "old", "regular file\n644\n")]
    {
        linked(mock).await;
        let put = ask("PUT /files?path=/tmp/link").body("new").send(mock.addr()).await;
        assert_eq!(put.status, 200, "{put:?}");
        assert_eq!(mock.guest().read_file("/tmp/real").unwrap(), real.as_bytes());
        assert_eq!(mock.guest().read_file("/tmp/link").unwrap(), b"new");
        let output = sh(&mock.client(), "stat -c %F /tmp/link; stat -L -c %a /tmp/link").await;
        assert_eq!(output.stdout, look);
    }
}
