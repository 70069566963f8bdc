//! Filesystem operations against the mock.

use envd_client::{Code, FileType, Init};

use crate::{assert_refused, guest};

#[tokio::test]
async fn an_entry_is_described() {
    let (mock, client) = guest().await;
    mock.guest().write_file("/tmp/a.txt", b"hello").unwrap();
    let entry = client.stat("/tmp/a.txt").await.unwrap();
    assert_eq!((entry.name.as_str(), entry.path.as_str(), entry.size), ("a.txt", "/tmp/a.txt", 5));
    assert_eq!(
        (entry.file_type, entry.owner.as_str(), entry.group.as_str()),
        (FileType::File, "root", "root")
    );
    assert_eq!(entry.permissions, "-rw-r--r--");
    assert_eq!(entry.mode, 0o644);
    let age = std::time::SystemTime::now().duration_since(entry.modified.unwrap()).unwrap();
    assert!(age.as_secs() < 60);
    assert_eq!(entry.symlink_target, None);
}

#[tokio::test]
async fn a_link_is_described_by_what_it_leads_to() {
    let (mock, client) = guest().await;
    mock.guest().write_file("/tmp/a", b"hello").unwrap();
    client.command("ln").args(["-s", "/tmp/a", "/tmp/link"]).output().await.unwrap();
    let entry = client.stat("/tmp/link").await.unwrap();
    assert_eq!((entry.file_type, entry.symlink_target.as_deref()), (FileType::File, Some("/tmp/a")));
    client.remove("/tmp/link").await.unwrap();
    assert!(mock.guest().exists("/tmp/a"));
}

#[tokio::test]
async fn a_tree_is_made_listed_moved_and_removed() {
    let (mock, client) = guest().await;
    let made = client.make_dir("/tmp/t/a/b").await.unwrap();
    assert_eq!((made.file_type, made.path.as_str()), (FileType::Directory, "/tmp/t/a/b"));
    mock.guest().write_file("/tmp/t/f", b"x").unwrap();
    let names = async |depth| {
        let mut all: Vec<String> =
            client.list_dir("/tmp/t", depth).await.unwrap().into_iter().map(|entry| entry.path).collect();
        all.sort();
        all
    };
    assert_eq!(names(0).await, ["/tmp/t/a", "/tmp/t/f"]);
    assert_eq!(names(1).await, ["/tmp/t/a", "/tmp/t/f"]);
    assert_eq!(names(2).await, ["/tmp/t/a", "/tmp/t/a/b", "/tmp/t/f"]);
    let moved = client.move_path("/tmp/t", "/tmp/new/u").await.unwrap();
    assert_eq!(moved.path, "/tmp/new/u");
    assert_eq!(mock.guest().read_file("/tmp/new/u/f").unwrap(), b"x");
    client.remove("/tmp/new").await.unwrap();
    assert!(!mock.guest().exists("/tmp/new"));
    assert_eq!(client.list_dir("/home/user", 1).await.map(drop).ok(), Some(()));
}

#[tokio::test]
async fn what_is_missing_is_not_found() {
    let (_mock, client) = guest().await;
    assert_refused(client.stat("/no").await, Code::NotFound, "file not found");
    assert_refused(client.list_dir("/no", 1).await, Code::NotFound, "path not found");
    assert_refused(client.move_path("/no", "/tmp/x").await, Code::NotFound, "source not found");
    assert_refused(client.remove("/no").await, Code::NotFound, "");
}

#[tokio::test]
async fn what_is_there_is_not_made_again() {
    let (mock, client) = guest().await;
    mock.guest().write_file("/tmp/f", b"").unwrap();
    assert_refused(client.make_dir("/tmp").await, Code::AlreadyExists, "directory already exists: /tmp");
    let file = client.make_dir("/tmp/f").await;
    assert_refused(file, Code::InvalidArgument, "path exists but is not a directory: /tmp/f");
    let below = client.make_dir("/tmp/f/g").await.unwrap_err();
    assert_eq!(below.code(), Some(Code::Internal), "{below}");
    assert_refused(client.list_dir("/tmp/f", 1).await, Code::InvalidArgument, "path is not a directory");
}

#[tokio::test]
async fn a_directory_with_something_in_it_is_not_overwritten() {
    let (mock, client) = guest().await;
    mock.guest().write_file("/tmp/a/x", b"").unwrap();
    mock.guest().write_file("/tmp/b/y", b"").unwrap();
    let error = client.move_path("/tmp/a", "/tmp/b").await.unwrap_err();
    assert!(error.to_string().contains("error renaming"), "{error}");
    assert!(mock.guest().exists("/tmp/a/x") && mock.guest().exists("/tmp/b/y"));
}

#[tokio::test]
async fn paths_start_from_home_or_workdir() {
    let (mock, client) = guest().await;
    client.make_dir("~/x").await.unwrap();
    assert!(mock.guest().exists("/root/x"));
    client.init(&Init::new().default_workdir("/tmp")).await.unwrap();
    client.make_dir("y").await.unwrap();
    assert!(mock.guest().exists("/tmp/y"));
    let words = "cannot expand user-specific home dir";
    assert_refused(client.stat("~other/x").await, Code::InvalidArgument, words);
}

#[tokio::test]
async fn an_unknown_default_user_is_unauthenticated() {
    let (_mock, client) = guest().await;
    client.init(&Init::new().default_user("ghost")).await.unwrap();
    assert_refused(client.stat("/tmp").await, Code::Unauthenticated, "user 'ghost' not found");
}
