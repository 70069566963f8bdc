//! What is compared with what.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use super::load::{Request, drive};
use super::program::{self, Program};
use super::report::{self, Sample};

/// How long it is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings {
    pub(crate) rounds: usize,
    /// Of one subject in one round.
    pub(crate) length: Duration,
}

/// One comparison.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Case {
    Health,
    List,
    Upload,
    Stat,
    Proxy,
    Start,
}

const CALLS: fn(f64) -> String = |rate| format!("{rate:.0}/s");
const MILLIS: fn(f64) -> String = |rate| format!("{:.2} ms", 1000.0 / rate);

impl Case {
    pub(crate) const ALL: [Self; 6] =
        [Self::Health, Self::List, Self::Upload, Self::Stat, Self::Proxy, Self::Start];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Health => "health",
            Self::List => "list",
            Self::Upload => "upload",
            Self::Stat => "stat",
            Self::Proxy => "proxy",
            Self::Start => "start",
        }
    }

    pub(crate) fn run(self, settings: Settings) {
        match self {
            Self::Health => {
                calls("GET /health, 16 connections", true, 16, &Request::get("/health"), settings);
            }
            Self::List => {
                let list = Request::post("/process.Process/List", "application/json", b"{}");
                calls("List as JSON, 16 connections", true, 16, &list, settings);
            }
            Self::Upload => {
                let upload = Request::upload("/tmp/upload", 1024);
                calls("Upload of 1 KiB, one connection", false, 1, &upload, settings);
            }
            Self::Stat => {
                let stat = Request::post(
                    "/filesystem.Filesystem/Stat",
                    "application/json",
                    br#"{"path":"/etc/passwd"}"#,
                );
                calls("Stat as JSON, one connection", false, 1, &stat, settings);
            }
            Self::Proxy => proxies(settings),
            Self::Start => starts(settings),
        }
    }
}

/// Mocks, beside the bare server where that does the same.
fn calls(title: &str, bare: bool, connections: usize, request: &Request, settings: Settings) {
    let mut subjects = Vec::new();
    if bare {
        subjects.push(("bare axum", Program::start(&mut program::bare())));
    }
    for (name, binary) in builds() {
        subjects.push((name, Program::start(&mut program::mock(&binary, &[]))));
    }
    measure(title, connections, request, &subjects, settings);
}

/// The older build first, where there is one.
fn builds() -> Vec<(&'static str, PathBuf)> {
    let baseline = program::baseline().map(|binary| ("envd-mock, baseline", binary));
    baseline.into_iter().chain([("envd-mock", program::current())]).collect()
}

fn proxies(settings: Settings) {
    let upstream = Program::start(&mut program::bare());
    let url = format!("http://{}", upstream.address);
    let mut subjects = Vec::new();
    match program::toxiproxy(upstream.address) {
        Some(toxiproxy) => subjects.push(("Toxiproxy", toxiproxy)),
        None => println!(
            "\nToxiproxy is not installed; `go install github.com/Shopify/toxiproxy/v2/cmd/server@v2.12.0` builds it, \
             and TOXIPROXY_SERVER names the binary."
        ),
    }
    for (name, binary) in builds() {
        let args = ["proxy", "--upstream", &url];
        subjects.push((name, Program::start(&mut program::mock(&binary, &args))));
    }
    measure(
        "Proxy in front of bare axum, GET /health, 32 connections",
        32,
        &Request::get("/health"),
        &subjects,
        settings,
    );
}

fn measure(
    title: &str,
    connections: usize,
    request: &Request,
    subjects: &[(&'static str, Program)],
    settings: Settings,
) {
    let mut all: Vec<(&str, Vec<Sample>)> = subjects.iter().map(|(name, _)| (*name, Vec::new())).collect();
    interleaved(subjects.len(), settings.rounds, |index| {
        let program = &subjects[index].1;
        let before = program.cpu();
        let (calls, took) = drive(program.address, connections, request, settings.length);
        let cpu = program.cpu().saturating_sub(before).as_secs_f64() * 1e6 / calls as f64;
        all[index].1.push(Sample { rate: calls as f64 / took.as_secs_f64(), cpu: Some(cpu) });
    });
    report::print(title, CALLS, &all);
}

/// Every subject once a round, in the other order each time.
fn interleaved(subjects: usize, rounds: usize, mut one: impl FnMut(usize)) {
    for round in 0..rounds {
        for index in 0..subjects {
            one(if round % 2 == 0 { index } else { subjects - 1 - index });
        }
    }
}

type Launch = Box<dyn Fn() -> Command>;

/// From the start of a program to its first answer.
fn starts(settings: Settings) {
    let mut subjects: Vec<(&str, Launch)> = vec![("bare axum", Box::new(program::bare))];
    for (name, binary) in builds() {
        let programs_only =
            if name == "envd-mock" { "envd-mock, programs only" } else { "baseline, programs only" };
        let other = binary.clone();
        subjects.push((name, Box::new(move || program::mock(&binary, &[]))));
        subjects.push((programs_only, Box::new(move || program::mock(&other, &["--programs-only"]))));
    }
    let mut all: Vec<(&str, Vec<Sample>)> = subjects.iter().map(|(name, _)| (*name, Vec::new())).collect();
    interleaved(subjects.len(), settings.rounds * 3, |index| {
        let mut command = subjects[index].1();
        let begin = Instant::now();
        let program = Program::start(&mut command);
        first_answer(program.address);
        let took = begin.elapsed();
        all[index].1.push(Sample { rate: 1.0 / took.as_secs_f64(), cpu: None });
    });
    report::print("Start of the program to the first 200 (× is of the rate: more is faster)", MILLIS, &all);
}

fn first_answer(address: SocketAddr) {
    use std::io::{Read as _, Write as _};
    let mut socket = std::net::TcpStream::connect(address).expect("it listens");
    socket.write_all(&Request::get("/health").0).expect("it reads");
    let mut answer = [0; 1024];
    let count = socket.read(&mut answer).expect("it answers");
    assert!(answer[..count].starts_with(b"HTTP/1.1 200"));
}
