//! The command: reads the flags, starts what they say, prints the one ready line, waits for its end. Everything else is
//! the library's.

use std::io::{Read, Write};
use std::process::ExitCode;
use std::time::Duration;

use envd_mock::cli::{Cli, LogFormat, ReadyFile, Stop, Up, Verdict};
use envd_mock::commands::{self, Validated};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;
use tracing_subscriber::EnvFilter;

const REFUSED: u8 = 2;
const NOT_READY: u8 = 1;
/// The orderly end did not come to its end.
const ABANDONED: u8 = 1;
/// How long an orderly end may take.
const LONGEST_END: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    commands::tune();
    let cli = match Cli::read(std::env::args_os()) {
        Ok(cli) => cli,
        Err(Stop::Told(text)) => return told(&text),
        Err(Stop::Refused(line)) => return refused(&line, REFUSED),
        Err(Stop::Validated(validated)) => return told_validated(&validated),
        Err(Stop::SelfCheck { json }) => return commands::self_check(json),
        Err(Stop::Wait(wait)) => return waited(wait.run()),
    };
    log(cli.common().log_format);
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return refused(&format!("cannot start: {error}"), REFUSED),
    };
    runtime.block_on(run(cli))
}

async fn run(cli: Cli) -> ExitCode {
    let mut ends = match Ends::watch(cli.common().exit_on_stdin_eof) {
        Ok(ends) => ends,
        Err(error) => return refused(&format!("cannot watch for signals: {error}"), REFUSED),
    };
    let mut ready = match cli.common().ready_file.as_deref().map(ReadyFile::prepare).transpose() {
        Ok(ready) => ready,
        Err(Stop::Refused(line)) => return refused(&line, REFUSED),
        Err(_) => None,
    };
    let epilogue = cli.epilogue(std::env::args_os());
    let started = tokio::select! {
        started = cli.start() => started,
        () = ends.next() => return ExitCode::SUCCESS,
    };
    match started {
        Ok(up) => {
            if let Err(error) = up.guarded().await {
                tracing::warn!(%error, "nobody will remove the guest's tree should the mock be killed");
            }
            if let Err(line) = ready.as_mut().map_or(Ok(()), |ready| ready.publish(&up.ready_line())) {
                return refused(&line, REFUSED);
            }
            announce(&up);
            // Beside the server, whose threads are its own.
            tokio::spawn(commands::give_back());
            ends.next().await;
            // Before anything else ends: whoever sees it may count on all of the mock.
            drop(ready);
            give_up_late();
            // A second signal does not wait for the end that the first one asked for.
            tokio::select! {
                verdict = epilogue.end(up) => judged(verdict),
                () = ends.again() => abandoned("told to end twice"),
            }
        }
        Err(failed) => refused(&failed.line, failed.code),
    }
}

/// What can end the command.
struct Ends {
    interrupt: Signal,
    terminate: Signal,
    input: Option<oneshot::Receiver<()>>,
}

impl Ends {
    fn watch(input: bool) -> std::io::Result<Self> {
        let input = if input { Some(end_of_input()?) } else { None };
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            input,
        })
    }

    /// Resolves at the next signal.
    async fn again(&mut self) {
        let Self { interrupt, terminate, .. } = self;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    }

    async fn next(&mut self) {
        let Self { interrupt, terminate, input } = self;
        let ended = async {
            match input {
                Some(ended) => drop(ended.await),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            () = ended => {}
        }
    }
}

/// Ends the process when its orderly end takes too long: no call keeps it alive, whatever the call does. A thread of its own
/// waits, because the runtime may be what hangs.
fn give_up_late() {
    let waiting = std::thread::Builder::new().name("end".to_owned()).spawn(|| {
        let (_open, never) = std::sync::mpsc::channel::<()>();
        // Nothing is ever sent: this is the deadline alone.
        let _ = never.recv_timeout(LONGEST_END);
        abandoned("the end took too long");
    });
    if let Err(error) = waiting {
        tracing::warn!(%error, "nothing ends the process should its end hang");
    }
}

/// Ends the process at once. The guest is killed and its tree removed by the cleanup process, as after a kill.
fn abandoned(why: &str) -> ! {
    // There is nowhere else to say it.
    let _ = writeln!(std::io::stderr(), "envd-mock: {why}");
    std::process::exit(ABANDONED.into())
}

/// Resolves when standard input ends. A thread of its own reads it, because such a read cannot be cancelled.
fn end_of_input() -> std::io::Result<oneshot::Receiver<()>> {
    let (ended, receiver) = oneshot::channel();
    std::thread::Builder::new().name("stdin".to_owned()).spawn(move || {
        let mut buffer = [0; 4096];
        while std::io::stdin().read(&mut buffer).is_ok_and(|read| read > 0) {}
        // Nobody may be waiting.
        let _ = ended.send(());
    })?;
    Ok(receiver)
}

fn announce(up: &Up) {
    let mut stdout = std::io::stdout().lock();
    let line = writeln!(stdout, "{}", up.ready_line());
    if let Err(error) = line.and_then(|()| stdout.flush()) {
        tracing::warn!(%error, "nobody reads the ready line");
    }
}

fn judged(verdict: Verdict) -> ExitCode {
    for line in &verdict.lines {
        // There is nowhere else to say it.
        let _ = writeln!(std::io::stderr(), "envd-mock: {line}");
    }
    ExitCode::from(verdict.code)
}

fn waited(done: Result<String, String>) -> ExitCode {
    match done {
        Ok(text) => told(&text),
        Err(line) => refused(&line, NOT_READY),
    }
}

fn told(text: &str) -> ExitCode {
    // A closed pipe is no reason to complain about a help text.
    let _ = std::io::stdout().write_all(text.as_bytes());
    ExitCode::SUCCESS
}

fn told_validated(validated: &Validated) -> ExitCode {
    if validated.ok {
        return told(&validated.text);
    }
    // There is nowhere else to say it.
    let _ = std::io::stderr().write_all(validated.text.as_bytes());
    ExitCode::from(REFUSED)
}

fn refused(line: &str, code: u8) -> ExitCode {
    let line = line.lines().collect::<Vec<_>>().join(" ");
    // There is nowhere else to say it.
    let _ = writeln!(std::io::stderr(), "envd-mock: {line}");
    ExitCode::from(code)
}

fn log(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match format {
        LogFormat::Text => subscriber.init(),
        LogFormat::Json => subscriber.json().init(),
    }
}
