//! Compares the mock with its peers in one run: a bare axum server always, Toxiproxy where it is installed, and an
//! older build of the mock when `ENVD_MOCK_BASELINE` names its binary.
//!
//! Every subject is a program of its own. Rounds are interleaved and their order alternates, so that all subjects
//! see the same machine; the report shows medians over the rounds and medians of the ratios within each round.
//! `docs/performance.md` explains the method.
//!
//!     cargo bench -p envd-mock --bench compare -- [--rounds N] [--millis N] [CASE...]

mod bare;
mod cases;
mod load;
mod program;
mod report;

use std::time::Duration;

use cases::{Case, Settings};

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if args.iter().any(|arg| arg == bare::FLAG) {
        return bare::serve();
    }
    let mut settings = Settings { rounds: 9, length: Duration::from_millis(700) };
    let mut wanted = Vec::new();
    let mut args = args.into_iter();
    while let Some(arg) = args.next() {
        let mut number =
            || args.next().and_then(|text| text.parse::<u64>().ok()).expect("a number behind a flag");
        match arg.as_str() {
            "--rounds" => settings.rounds = usize::try_from(number()).expect("a small number"),
            "--millis" => settings.length = Duration::from_millis(number()),
            // Cargo passes it to every benchmark.
            "--bench" => {}
            // `cargo test --benches` only wants to know that it starts.
            "--test" => return,
            _ => wanted.push(arg),
        }
    }
    for case in Case::ALL {
        if wanted.is_empty() || wanted.iter().any(|name| name == case.name()) {
            case.run(settings);
        }
    }
}
