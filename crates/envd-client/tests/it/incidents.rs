//! Incidents of the field (`fixtures/scripts`): the client under each of them meets what the file declares of a good one.
//! The mock's clock runs faster than the wall's, and where a client is to run into a time limit, all of its limits are
//! shorter by as much; elsewhere they are what they are, so that a busy machine is no incident.

use std::time::{Duration, Instant};

use envd_client::{
    Blame, Client, Command, Error, ErrorKind, Event, EventStream, Init, PreloadStatus, Result, Retry,
};
use envd_mock::incident::{self, Act, Expectation, Incident, Kind, Seen};
use envd_mock::journal::Entry;
use envd_mock::{MockEnvd, Pace, RuleReport};
use futures::stream::{self, StreamExt};

/// So many times as fast as the wall's clock.
const SPEED: u32 = 10;
/// What a busy machine may add to any call.
const SLACK: Duration = Duration::from_secs(30);
/// The longest that an incident takes.
const PATIENCE: Duration = Duration::from_secs(60);
/// Of the client's defaults, those that the clock has a part in.
const HEAD: Duration = Duration::from_secs(30);
const UNARY: Duration = Duration::from_secs(120);
const AT_ONCE: usize = 12;

#[tokio::test]
async fn what_each_incident_declares_is_what_happens() {
    let all = incident::all().map(|(name, incident)| async move {
        let ran = tokio::time::timeout(PATIENCE, run(name, &incident)).await;
        ran.unwrap_or_else(|_| Err("no end".to_owned())).map_err(|why| format!("{name}: {why}"))
    });
    let outcomes: Vec<_> = stream::iter(all).buffer_unordered(AT_ONCE).collect().await;
    let failed: Vec<_> = outcomes.into_iter().filter_map(std::result::Result::err).collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

async fn run(name: &str, incident: &Incident) -> Result<(), String> {
    let builder = MockEnvd::builder().programs_only(true).clock(Pace::Scaled(SPEED.into()));
    let mock = builder.incident(name).unwrap().start().await.unwrap();
    let pace = pace(incident);
    let client = client(&mock, incident, pace);
    for (index, expect) in incident.expect.iter().enumerate() {
        for _ in 0..expect.times {
            let began = Instant::now();
            let met = act(&client, expect, pace).await;
            let took = began.elapsed();
            let step = format!("step {} ({})", index + 1, expect.act.as_str());
            judge(expect, &met, took, pace).map_err(|why| format!("{step}: {why}; met {met:?}"))?;
        }
        left(&mock, expect).await.map_err(|why| format!("after step {}: {why}", index + 1))?;
    }
    has_happened(&mock)
}

/// A rule that calls have met must have fired, and one at least must have been met: else all was well for want of trouble.
/// Of a wait that the client does not sit out it is enough that it began.
fn has_happened(mock: &MockEnvd) -> Result<(), String> {
    let rules = mock.faults().report();
    let waits =
        |rule: &&RuleReport| [": delay ", ": start-late "].iter().any(|word| rule.rule.contains(word));
    let fired = |rule: &&RuleReport| rule.counts.fired > 0 || (waits(rule) && rule.counts.chosen > 0);
    let dead = rules.iter().find(|rule| rule.counts.met > 0 && !fired(rule));
    match dead.or(rules.first().filter(|_| !rules.iter().any(|rule| fired(&rule)))) {
        Some(rule) => Err(format!("never fired: {rule:?}")),
        None => Ok(()),
    }
}

/// What the client's time limits are divided by.
fn pace(incident: &Incident) -> u32 {
    let waits = incident.expect.iter().any(|expect| matches!(expect.kind, Kind::Timeout | Kind::NotReady));
    if waits { SPEED } else { 1 }
}

fn client(mock: &MockEnvd, incident: &Incident, pace: u32) -> Client {
    let builder = Client::builder()
        .base_url(mock.url())
        .response_header_timeout(HEAD / pace)
        .unary_timeout(UNARY / pace);
    let builder = if incident.client.http2 { builder.http2_prior_knowledge() } else { builder };
    match incident.client.idle {
        Some(idle) => builder.stream_idle_timeout(idle / pace),
        None => builder,
    }
    .build()
    .unwrap()
}

/// What a client has met.
#[derive(Debug, Default)]
struct Met {
    error: Option<Error>,
    exit: Option<i32>,
    stdout: Vec<u8>,
    state: Option<String>,
    bytes: Option<u64>,
}

async fn act(client: &Client, expect: &Expectation, pace: u32) -> Met {
    let mut met = Met::default();
    met.error = attempt(client, expect, pace, &mut met).await.err();
    met
}

async fn attempt(client: &Client, expect: &Expectation, pace: u32, met: &mut Met) -> Result<()> {
    let limited;
    let client = match (expect.timeout, expect.act) {
        (Some(limit), act) if act != Act::Ready => {
            limited = client.with_timeout(limit / pace);
            &limited
        }
        _ => client,
    };
    let (path, tag) = (expect.path.as_str(), expect.tag.clone().unwrap_or_default());
    match expect.act {
        Act::Health => client.health().await,
        Act::Ready => client.wait_until_ready(expect.timeout.unwrap_or(HEAD) / pace).await,
        Act::Init => client.init(&Init::new()).await,
        Act::Prepare => client.prepare_snapshot().await,
        Act::Exec => {
            let output = command(client, expect).output().await?;
            (met.exit, met.stdout) = (Some(output.exit.code), output.stdout.to_vec());
            Ok(())
        }
        Act::Stream => follow(command(client, expect).stream().await?, met).await,
        Act::Connect => follow(client.process(tag).connect().await?, met).await,
        Act::Background => command(client, expect).background().await.map(drop),
        Act::Kill => client.process(tag).kill().await,
        Act::Abandon => {
            let mut events = command(client, expect).stream().await?;
            events.next().await.transpose().map(drop)
        }
        Act::AbandonWatch => client.watch_dir(path, false).await.map(drop),
        Act::List => client.list().await.map(drop),
        Act::Stat => client.stat(path).await.map(drop),
        Act::Read => {
            met.bytes = Some(client.read_file(path).await?.len() as u64);
            Ok(())
        }
        Act::Write => {
            let content = vec![b'x'; usize::try_from(expect.size).unwrap()];
            client.write_file(path, content).await.map(drop)
        }
        Act::Preload => preloaded(client.start_memory_preload().await?, met),
        Act::PreloadWait => preloaded(client.wait_memory_preload().await?, met),
        other => panic!("{other:?} is new"),
    }
}

fn command(client: &Client, expect: &Expectation) -> Command {
    let (program, args) = expect.command.split_first().unwrap();
    let command = client.command(program).args(args.iter().map(String::as_str));
    match &expect.tag {
        Some(tag) => command.tag(tag),
        None => command,
    }
}

async fn follow(mut events: EventStream, met: &mut Met) -> Result<()> {
    while let Some(event) = events.next().await.transpose()? {
        match event {
            Event::Stdout(bytes) => met.stdout.extend_from_slice(&bytes),
            Event::End(exit) => met.exit = Some(exit.code),
            _ => {}
        }
    }
    Ok(())
}

fn preloaded(status: PreloadStatus, met: &mut Met) -> Result<()> {
    (met.state, met.bytes) = (Some(status.state.to_string()), Some(status.bytes));
    Ok(())
}

fn judge(expect: &Expectation, met: &Met, took: Duration, pace: u32) -> Result<(), String> {
    let error = met.error.as_ref();
    same("kind", expect.kind, error.map_or(Kind::Ok, kind))?;
    same("blame", expect.blame, error.map(|error| blame(error.blame())))?;
    same("retry", expect.retry, error.map_or(incident::Retry::NotNeeded, |error| retry(error.retry())))?;
    if expect.code.is_some() {
        same("code", expect.code.map(|code| code.as_str()), error.and_then(Error::code).map(|c| c.as_str()))?;
    }
    if expect.status.is_some() {
        same("status", expect.status, error.and_then(Error::status))?;
    }
    let limit = expect.within / pace + SLACK;
    if took > limit {
        return Err(format!("expected within {limit:?}, took {took:?}"));
    }
    data(&expect.seen, met)
}

fn data(expected: &Seen, met: &Met) -> Result<(), String> {
    if expected.exit.is_some() || expected.no_exit {
        same("exit code", expected.exit, met.exit)?;
    }
    if let Some(stdout) = &expected.stdout
        && !met.stdout.starts_with(stdout.as_bytes())
    {
        return Err(format!("expected the output to begin with {stdout:?}"));
    }
    if expected.state.is_some() {
        same("state", expected.state.as_deref(), met.state.as_deref())?;
    }
    if expected.bytes.is_some() {
        same("bytes", expected.bytes, met.bytes)?;
    }
    Ok(())
}

/// What the guest has left when all that is under way is done.
async fn left(mock: &MockEnvd, expect: &Expectation) -> Result<(), String> {
    if let Some(open) = expect.left.open {
        let journal = mock.faults().settled_journal().await;
        let going_on = |entry: &&Entry| matches!(entry, Entry::Call(call) if call.end.is_none());
        same("open calls", open, journal.iter().filter(going_on).count() as u64)?;
    }
    if let Some(running) = expect.left.running {
        let begun = Instant::now();
        let count = || mock.guest().processes().len() as u64;
        while count() != running && begun.elapsed() < SLACK {
            tokio::task::yield_now().await;
        }
        same("running processes", running, count())?;
    }
    Ok(())
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, expected: T, seen: T) -> Result<(), String> {
    if expected == seen { Ok(()) } else { Err(format!("{what}: expected {expected:?}, seen {seen:?}")) }
}

fn kind(error: &Error) -> Kind {
    match error.kind() {
        ErrorKind::Connect { .. } => Kind::Connect,
        ErrorKind::Interrupted { .. } => Kind::Interrupted,
        ErrorKind::Timeout { .. } => Kind::Timeout,
        ErrorKind::Rpc { .. } => Kind::Rpc,
        ErrorKind::Status { .. } => Kind::Status,
        ErrorKind::Protocol { .. } => Kind::Protocol,
        ErrorKind::TooLarge { .. } => Kind::TooLarge,
        ErrorKind::NotReady { .. } => Kind::NotReady,
        ErrorKind::Unsupported { .. } => Kind::Unsupported,
        other => panic!("{other:?} is no incident"),
    }
}

fn blame(blame: Blame) -> incident::Blame {
    match blame {
        Blame::Peer => incident::Blame::Peer,
        Blame::Network => incident::Blame::Network,
        Blame::Caller => incident::Blame::Caller,
    }
}

fn retry(retry: Retry) -> incident::Retry {
    match retry {
        Retry::Safe => incident::Retry::Safe,
        Retry::Unsafe => incident::Retry::Unsafe,
        Retry::Pointless => incident::Retry::Pointless,
    }
}
