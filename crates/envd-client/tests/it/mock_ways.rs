//! The same tour of the mock over every codec, compression and HTTP version.

use std::time::Duration;

use bytes::Bytes;
use envd_client::{Client, ClientBuilder, Code, Codec, FsEventKind, Init};
use futures::stream;

use crate::peer::soon;
use crate::{assert_refused, guest};

async fn tour(build: impl FnOnce(ClientBuilder) -> ClientBuilder) {
    let (mock, _) = guest().await;
    let client = build(Client::builder().base_url(mock.url())).build().unwrap();
    client.wait_until_ready(Duration::from_secs(60)).await.unwrap();
    client.init(&Init::new().env("A", "b")).await.unwrap();
    commands(&client).await;
    files(&client).await;
    watches(&client).await;
    client.prepare_snapshot().await.unwrap();
    client.close_idle_connections();
    client.health().await.unwrap();
}

async fn commands(client: &Client) {
    let script = "head -c 300000 /dev/zero | tr '\\0' x; echo $A >&2; exit 9";
    let output = client.command("sh").args(["-c", script]).output().await.unwrap();
    assert_eq!((output.stdout, output.exit.code), (Bytes::from(vec![b'x'; 300_000]), 9));
    assert_eq!(output.stderr, "b\n");
    let cat = client.command("cat").stdin(true).tag("cat").background().await.unwrap();
    let mut events = cat.connect().await.unwrap();
    soon(events.next()).await.unwrap().unwrap();
    cat.stream_stdin(stream::iter([Ok(Bytes::from(vec![b'y'; 5000]))])).await.unwrap();
    soon(events.next()).await.unwrap().unwrap();
    assert_eq!(client.list().await.unwrap().len(), 1);
    cat.kill().await.unwrap();
    while soon(events.next()).await.transpose().unwrap().is_some() {}
    assert_refused(cat.kill().await, Code::NotFound, "not found");
}

async fn files(client: &Client) {
    client.write_file("/tmp/t/a", vec![b'z'; 50_000]).await.unwrap();
    assert_eq!(client.read_file("/tmp/t/a").await.unwrap(), vec![b'z'; 50_000]);
    let [entry] = <[_; 1]>::try_from(client.list_dir("/tmp/t", 1).await.unwrap()).unwrap();
    assert_eq!((entry.size, entry.modified.is_some()), (50_000, true));
    assert_refused(client.stat("/no").await, Code::NotFound, "file not found");
}

async fn watches(client: &Client) {
    let mut watch = client.watch_dir("/tmp/t", false).await.unwrap();
    client.make_dir("/tmp/t/d").await.unwrap();
    assert_eq!(soon(watch.next()).await.unwrap().unwrap().kind, FsEventKind::Create);
}

#[tokio::test]
async fn binary_over_http_1() {
    tour(|builder| builder).await;
}

#[tokio::test]
async fn json_over_http_1() {
    tour(|builder| builder.codec(Codec::Json)).await;
}

#[tokio::test]
async fn binary_over_http_2() {
    tour(ClientBuilder::http2_prior_knowledge).await;
}

#[tokio::test]
async fn json_over_http_2() {
    tour(|builder| builder.http2_prior_knowledge().codec(Codec::Json)).await;
}

#[tokio::test]
async fn gzip_in_both_directions() {
    tour(|builder| builder.send_gzip(true)).await;
}

#[tokio::test]
async fn gzip_in_no_direction() {
    tour(|builder| builder.gzip(false)).await;
}
