//! What a script costs that is armed and never matches: the rate of unary calls and the throughput of a stream, with
//! none, 1, 10, 1,000 and 10,000 rules, in one run, and the CPU time of a call in rounds that take turns.

use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use envd_client::Client;
use envd_mock::MockEnvd;
use envd_mock::fault::Script;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;

const RULES: [usize; 5] = [0, 1, 10, 1000, 10_000];
const BULK: u64 = 64 << 20;

/// Rules of every sort of condition, none of which a call of the benchmark meets.
fn script(rules: usize) -> Script {
    let rule = |n: usize| match n % 8 {
        0 => format!("* header.x-never=yes-{n} name=\"rule {n}\": status 503"),
        1 => format!("GET /files path=/tmp/{n}/** name=\"rule {n}\": cut"),
        2 => format!("* #{} name=\"rule {n}\": hang", n + 1_000_000_000),
        3 => format!("process.Process/* query.never=* name=\"rule {n}\": reset"),
        4 => format!("GET /health header.user-agent={n}* name=\"rule {n}\": hang"),
        5 => format!("process.Process/Start tag=build-{n} name=\"rule {n}\": hang"),
        6 => format!("process.Process/List header.user-agent=**{n} name=\"rule {n}\": hang"),
        _ => format!("* connection={} name=\"rule {n}\": abort", n + 1_000_000_000),
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
    one(socket, "GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
}

async fn one(socket: &mut TcpStream, request: &str) {
    socket.write_all(request.as_bytes()).await.expect("it reads");
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

/// The CPU time that this process has used.
fn cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    let (seconds, nanos) = (u64::try_from(time.tv_sec), u32::try_from(time.tv_nsec));
    Duration::new(seconds.expect("a time"), nanos.expect("less than a second"))
}

/// CPU time of calls with rules, as a multiple of the CPU time without any: the median of rounds in which all of them take
/// turns, so that whatever else the machine does meets them alike. Client and mock share the process.
fn turns(_: &mut Criterion) {
    const ROUNDS: usize = 31;
    const CALLS: usize = 400;
    let runtime = Runtime::new().expect("a runtime");
    let counts = [0, 1000, 10_000];
    let mocks = counts.map(|rules| runtime.block_on(mock(rules)));
    let mut sockets = mocks.each_ref().map(|mock| {
        runtime.block_on(async {
            let socket = TcpStream::connect(mock.addr()).await.expect("it listens");
            socket.set_nodelay(true).expect("a socket");
            socket
        })
    });
    let list = "POST /process.Process/List HTTP/1.1\r\nhost: localhost\r\nuser-agent: bench\r\n\
                content-type: application/json\r\ncontent-length: 2\r\n\r\n{}";
    let health = "GET /health HTTP/1.1\r\nhost: localhost\r\nuser-agent: bench\r\n\r\n";
    for (name, request) in [("GET /health", health), ("List", list)] {
        let mut ratios: [Vec<f64>; 3] = Default::default();
        for _ in 0..ROUNDS {
            let times = [0, 1, 2].map(|index| {
                let before = cpu();
                (0..CALLS).for_each(|_| runtime.block_on(one(&mut sockets[index], request)));
                (cpu() - before).as_secs_f64()
            });
            (0..3).for_each(|index| ratios[index].push(times[index] / times[0]));
        }
        for (rules, ratios) in counts.iter().zip(&mut ratios) {
            ratios.sort_by(f64::total_cmp);
            println!("CPU of {name} with {rules} rules that do not match: {:.2} x none", ratios[ROUNDS / 2]);
        }
    }
}

/// Rules that are added one by one, each time in rounds of their own mock.
fn adding(c: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let mut group = c.benchmark_group("adding rules one by one");
    group.sample_size(10);
    for rules in [1000, 3000, 9000] {
        group.throughput(Throughput::Elements(rules as u64));
        group.bench_function(BenchmarkId::new("rules", rules), |b| {
            let rules = script(rules).calls;
            let mock = runtime.block_on(mock(0));
            b.iter(|| {
                mock.faults().reset();
                rules.iter().for_each(|rule| mock.faults().add(rule.clone().into()).expect("a new name"));
            });
        });
    }
    group.finish();
}

criterion_group!(benches, turns, adding, unary, stream);
criterion_main!(benches);
