//! `envd-mock self-check`: runs every declaration and prints what came of it.

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use tracing::level_filters::LevelFilter;

use crate::selfcheck::{ALL, Report, Row, run};

/// Proves every fault; 0 when all is as declared, 1 when it is not, 2 when there is nothing to check with.
pub fn self_check(json: bool) -> ExitCode {
    let rows: Vec<Row> = ALL.iter().flat_map(|rows| rows.iter().copied()).collect();
    match check(&rows) {
        Ok(report) => {
            let code = if report.is_ok() { ExitCode::SUCCESS } else { ExitCode::from(1) };
            let text = if json { format!("{}\n", report.to_json()) } else { report.to_string() };
            // A closed pipe is no reason to complain.
            let _ = io::stdout().write_all(text.as_bytes());
            code
        }
        Err(error) => {
            // There is nowhere else to say it.
            let _ = writeln!(io::stderr(), "envd-mock: {error}");
            ExitCode::from(2)
        }
    }
}

fn check(rows: &[Row]) -> Result<Report, Box<dyn std::error::Error>> {
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt()
        .with_max_level(LevelFilter::INFO)
        .with_ansi(false)
        .without_time()
        .with_writer(move || writer.clone())
        .try_init()
        .map_err(|error| error.to_string())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let mut report = runtime.block_on(run(rows))?;
    report.log = log.lines();
    Ok(report)
}

/// What was logged: an injected fault is no error of the mock.
#[derive(Debug, Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn lines(&self) -> Vec<String> {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&bytes).lines().map(|line| line.trim().to_owned()).collect()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
