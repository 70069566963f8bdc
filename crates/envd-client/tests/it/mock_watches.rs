//! Watches against the mock.

use envd_client::{Code, FsEvent, FsEventKind, Watch};

use crate::peer::soon;
use crate::{assert_refused, guest};

async fn next(watch: &mut Watch) -> FsEvent {
    soon(watch.next()).await.unwrap().unwrap()
}

/// Reads until that happens.
async fn until(watch: &mut Watch, path: &str, kind: FsEventKind) {
    while next(watch).await != (FsEvent { path: path.into(), kind }) {}
}

#[tokio::test]
async fn a_watch_tells_what_happens_by_full_path() {
    let (_mock, client) = guest().await;
    let mut watch = client.watch_dir("/tmp", false).await.unwrap();
    client.command("touch").arg("/tmp/a").output().await.unwrap();
    assert_eq!(next(&mut watch).await, FsEvent { path: "/tmp/a".into(), kind: FsEventKind::Create });
    client.command("sh").args(["-c", "echo x >> /tmp/a; chmod 600 /tmp/a"]).output().await.unwrap();
    until(&mut watch, "/tmp/a", FsEventKind::Write).await;
    until(&mut watch, "/tmp/a", FsEventKind::Chmod).await;
    client.move_path("/tmp/a", "/tmp/b").await.unwrap();
    until(&mut watch, "/tmp/a", FsEventKind::Rename).await;
    until(&mut watch, "/tmp/b", FsEventKind::Rename).await;
    client.remove("/tmp/b").await.unwrap();
    until(&mut watch, "/tmp/b", FsEventKind::Remove).await;
}

#[tokio::test]
async fn a_recursive_watch_sees_a_chain_of_new_directories() {
    let (_mock, client) = guest().await;
    let mut watch = client.watch_dir("/tmp", true).await.unwrap();
    client.command("mkdir").args(["-p", "/tmp/a/b/c"]).output().await.unwrap();
    until(&mut watch, "/tmp/a/b/c", FsEventKind::Create).await;
}

#[tokio::test]
async fn what_cannot_be_watched_is_refused() {
    let (mock, client) = guest().await;
    mock.guest().write_file("/tmp/f", b"").unwrap();
    assert_refused(client.watch_dir("/no", false).await, Code::NotFound, "");
    assert_refused(client.watch_dir("/tmp/f", false).await, Code::InvalidArgument, "not a directory");
    assert_refused(client.create_watcher("/no", false).await, Code::NotFound, "");
}

#[tokio::test]
async fn a_watcher_collects_until_it_is_asked() {
    let (_mock, client) = guest().await;
    let watcher = client.create_watcher("/tmp", false).await.unwrap();
    assert_eq!(watcher.events().await.unwrap(), []);
    client.make_dir("/tmp/a").await.unwrap();
    let mut seen = Vec::new();
    let created = FsEvent { path: "/tmp/a".into(), kind: FsEventKind::Create };
    soon(async {
        while !seen.contains(&created) {
            seen.extend(watcher.events().await.unwrap());
            tokio::task::yield_now().await;
        }
    })
    .await;
    watcher.clone().remove().await.unwrap();
    watcher.clone().remove().await.unwrap();
    assert_refused(watcher.events().await, Code::NotFound, "watcher not found");
}
