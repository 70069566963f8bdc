//! What a script costs that is armed and never matches: the rate of unary calls and the throughput of a stream, with
//! none, 1, 10 and 1,000 rules, in one run.

use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use envd_client::Client;
use envd_mock::MockEnvd;
use envd_mock::fault::Script;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;

const RULES: [usize; 4] = [0, 1, 10, 1000];
const BULK: u64 = 64 << 20;

/// Rules of every sort of condition, none of which a call of the benchmark meets.
fn script(rules: usize) -> Script {
    let rule = |n: usize| match n % 5 {
        0 => format!("* header.x-never=yes name=\"rule {n}\": status 503"),
        1 => format!("GET /files/{n} name=\"rule {n}\": cut"),
        2 => format!("filesystem.Filesystem/Move #{n} name=\"rule {n}\": hang"),
        3 => format!("process.Process/* query.never=* name=\"rule {n}\": reset"),
        _ => format!("* connection=1000000000 name=\"rule {n}\": abort"),
    };
    let text: Vec<String> = (1..=rules).map(rule).collect();
    Script::parse_expressions("bench", &text.join("\n")).expect("a script")
}

async fn mock(rules: usize) -> MockEnvd {
    MockEnvd::builder().script(script(rules)).start().await.expect("a mock")
}

fn client(mock: &MockEnvd) -> Client {
    Client::builder().base_url(mock.url()).build().expect("a valid address")
}

/// One `GET /health` on a connection that stays, without a client library in the way.
async fn health(socket: &mut TcpStream) {
    socket.write_all(b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n").await.expect("it reads");
    let mut answer = [0; 1024];
    let mut seen = 0;
    while !answer[..seen].ends_with(b"}") {
        seen += socket.read(&mut answer[seen..]).await.expect("it answers");
    }
}

fn unary(c: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let mut group = c.benchmark_group("unmatched rules, one call");
    group.throughput(Throughput::Elements(1));
    for rules in RULES {
        let mock = runtime.block_on(mock(rules));
        let mut socket = runtime.block_on(TcpStream::connect(mock.addr())).expect("it listens");
        socket.set_nodelay(true).expect("a socket");
        group.bench_function(BenchmarkId::new("GET /health", rules), |b| {
            b.iter(|| runtime.block_on(health(&mut socket)));
        });
        let client = client(&mock);
        group.bench_function(BenchmarkId::new("List", rules), |b| {
            b.iter(|| runtime.block_on(client.list()).expect("a list"));
        });
        drop(mock);
    }
    group.finish();
}

fn stream(c: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let mut group = c.benchmark_group("unmatched rules, stream of output");
    group.throughput(Throughput::Bytes(BULK)).sample_size(10).measurement_time(Duration::from_secs(8));
    for rules in RULES {
        let mock = runtime.block_on(mock(rules));
        let client = client(&mock);
        group.bench_function(BenchmarkId::new("64 MiB", rules), |b| {
            b.iter(|| {
                let script = format!("head -c {BULK} /dev/zero");
                let command = client.command("sh").args(["-c", script.as_str()]).output_limit(2 << 30);
                let output = runtime.block_on(command.output()).expect("output");
                assert_eq!(output.stdout.len() as u64, BULK);
            });
        });
        drop(mock);
    }
    group.finish();
}

criterion_group!(benches, unary, stream);
criterion_main!(benches);
