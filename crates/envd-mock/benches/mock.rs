//! What the mock costs, each figure beside a bare axum server that does the same in the same run: time to the first
//! answer, to the first command, calls and commands a second, bytes a second of streams and files.

use std::hint::black_box;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::routing::{get, post};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use envd_client::Client;
use envd_mock::MockEnvd;
use futures::StreamExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;

const MIB: u64 = 1 << 20;
const BULK: u64 = 64 * MIB;

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime")
}

/// A bare axum server with the same routes; dropping it ends it.
struct Bare {
    url: String,
    serving: tokio::task::JoinHandle<std::io::Result<()>>,
}

impl Drop for Bare {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn bare() -> Bare {
    let router = Router::new()
        .route("/health", get(|| async { axum::Json(serde_json::json!({"version": "0"})) }))
        .route(
            "/process.Process/List",
            post(|_: Bytes| async { ([("content-type", "application/proto")], Body::empty()) }),
        )
        .route("/run", post(run))
        .route("/stream", get(|| async { Body::from_stream(zeros(BULK)) }))
        .route("/file", get(download).post(upload));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let serving = tokio::spawn(async move { axum::serve(listener, router).await });
    Bare { url, serving }
}

async fn run() -> String {
    let output = tokio::process::Command::new("true").output().await.expect("true runs");
    output.status.to_string()
}

fn zeros(bytes: u64) -> impl futures::Stream<Item = Result<Bytes, std::io::Error>> {
    let chunk = Bytes::from(vec![0; 64 * 1024]);
    futures::stream::iter(0..bytes / chunk.len() as u64).map(move |_| Ok(chunk.clone()))
}

fn scratch() -> std::path::PathBuf {
    std::env::temp_dir().join(format!("envd-mock-bench-{}", std::process::id()))
}

async fn download() -> Body {
    let file = tokio::fs::File::open(scratch()).await.expect("written before");
    Body::from_stream(tokio_util::io::ReaderStream::with_capacity(file, 64 * 1024))
}

async fn upload(body: Body) {
    let mut file = tokio::fs::File::create(scratch()).await.expect("a writable directory");
    let mut body = body.into_data_stream();
    while let Some(chunk) = body.next().await {
        file.write_all(&chunk.expect("a whole body")).await.expect("room on the disk");
    }
    file.flush().await.expect("room on the disk");
}

/// One GET over a fresh connection, without a client library in the way.
async fn first_answer(url: &str) {
    let mut socket = TcpStream::connect(&url["http://".len()..]).await.expect("it listens");
    socket.write_all(b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n").await.expect("it reads");
    let mut answer = [0; 512];
    let read = socket.read(&mut answer).await.expect("it answers");
    assert!(answer[..read].starts_with(b"HTTP/1.1 200"));
}

fn client(url: &str) -> Client {
    Client::builder().base_url(url).build().expect("a valid address")
}

fn start(c: &mut Criterion) {
    let runtime = runtime();
    let mut group = c.benchmark_group("start");
    group.sample_size(50);
    group.bench_function(BenchmarkId::new("first answer", "mock"), |b| {
        b.to_async(&runtime).iter_custom(|rounds| async move {
            let mut total = Duration::ZERO;
            for _ in 0..rounds {
                let begin = Instant::now();
                let mock = MockEnvd::start().await.expect("a mock");
                first_answer(&mock.url()).await;
                total += begin.elapsed();
                tokio::task::spawn_blocking(move || drop(mock)).await.expect("it ends");
            }
            total
        });
    });
    group.bench_function(BenchmarkId::new("first answer", "bare axum"), |b| {
        b.to_async(&runtime).iter(|| async {
            let bare = bare().await;
            first_answer(&bare.url).await;
        });
    });
    group.bench_function(BenchmarkId::new("first command", "mock"), |b| {
        b.to_async(&runtime).iter_custom(|rounds| async move {
            let mut total = Duration::ZERO;
            for _ in 0..rounds {
                let begin = Instant::now();
                let mock = MockEnvd::start().await.expect("a mock");
                mock.client().command("true").output().await.expect("it runs");
                total += begin.elapsed();
                tokio::task::spawn_blocking(move || drop(mock)).await.expect("it ends");
            }
            total
        });
    });
    group.bench_function(BenchmarkId::new("first command", "bare axum"), |b| {
        b.to_async(&runtime).iter(|| async {
            let bare = bare().await;
            reqwest::Client::new().post(format!("{}/run", bare.url)).send().await.expect("it runs")
        });
    });
    group.finish();
}

fn calls(c: &mut Criterion) {
    let runtime = runtime();
    let (mock, bare) = runtime.block_on(async { (MockEnvd::start().await.expect("a mock"), bare().await) });
    let url = &bare.url;
    let mut group = c.benchmark_group("calls");
    group.throughput(Throughput::Elements(1));
    for (name, client) in [("mock", mock.client()), ("bare axum", client(url))] {
        group.bench_function(BenchmarkId::new("unary List", name), |b| {
            b.to_async(&runtime).iter(|| async { black_box(client.list().await.expect("an answer")) });
        });
    }
    for (name, client) in [("mock", mock.client()), ("bare axum", client(url))] {
        group.throughput(Throughput::Elements(64));
        group.bench_function(BenchmarkId::new("64 unary List at once", name), |b| {
            b.to_async(&runtime).iter(|| async {
                let calls = (0..64).map(|_| client.list());
                futures::future::join_all(calls)
                    .await
                    .into_iter()
                    .for_each(|answer| drop(answer.expect("an answer")));
            });
        });
    }
    group.throughput(Throughput::Elements(1));
    let guest = mock.client();
    group.bench_function(BenchmarkId::new("exec true", "mock"), |b| {
        b.to_async(&runtime).iter(|| async { guest.command("true").output().await.expect("it runs") });
    });
    let http = reqwest::Client::new();
    group.bench_function(BenchmarkId::new("exec true", "bare axum"), |b| {
        b.to_async(&runtime).iter(|| async {
            http.post(format!("{url}/run")).send().await.expect("it runs").text().await.expect("an answer")
        });
    });
    group.finish();
}

fn bulk(c: &mut Criterion) {
    let runtime = runtime();
    let (mock, bare) = runtime.block_on(async { (MockEnvd::start().await.expect("a mock"), bare().await) });
    let url = &bare.url;
    let (guest, http) = (mock.client(), reqwest::Client::new());
    let mut group = c.benchmark_group("bulk");
    group.sample_size(10).throughput(Throughput::Bytes(BULK));
    let script = format!("head -c {BULK} /dev/zero");
    group.bench_function(BenchmarkId::new("stream", "mock"), |b| {
        b.to_async(&runtime).iter(|| async {
            let mut events = guest.command("sh").args(["-c", &script]).stream().await.expect("it starts");
            while let Some(event) = events.next().await {
                black_box(event.expect("a whole stream"));
            }
        });
    });
    group.bench_function(BenchmarkId::new("stream", "bare axum"), |b| {
        b.to_async(&runtime).iter(|| async { drain(http.get(format!("{url}/stream"))).await });
    });
    let content = Bytes::from(vec![7; BULK as usize]);
    group.bench_function(BenchmarkId::new("upload", "mock"), |b| {
        b.to_async(&runtime)
            .iter(|| async { guest.write_file("/tmp/bulk", content.clone()).await.expect("room") });
    });
    group.bench_function(BenchmarkId::new("upload", "bare axum"), |b| {
        b.to_async(&runtime).iter(|| async {
            http.post(format!("{url}/file")).body(content.clone()).send().await.expect("room")
        });
    });
    group.bench_function(BenchmarkId::new("download", "mock"), |b| {
        let file = format!("{}/files?path=/tmp/bulk", mock.url());
        b.to_async(&runtime).iter(|| async { drain(http.get(&file)).await });
    });
    group.bench_function(BenchmarkId::new("download", "bare axum"), |b| {
        b.to_async(&runtime).iter(|| async { drain(http.get(format!("{url}/file"))).await });
    });
    group.finish();
    let _ = std::fs::remove_file(scratch());
}

async fn drain(request: reqwest::RequestBuilder) {
    let mut body = request.send().await.expect("an answer").bytes_stream();
    let mut read = 0;
    while let Some(chunk) = body.next().await {
        read += chunk.expect("a whole body").len() as u64;
    }
    assert_eq!(read, BULK);
}

criterion_group!(benches, start, calls, bulk);
criterion_main!(benches);
