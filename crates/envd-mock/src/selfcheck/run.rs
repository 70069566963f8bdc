//! Runs the declarations: mocks in this process, each with one row at a time. Looking and judging are others'.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::future::join_all;

use super::judge::{Difference, judge};
use super::probe::{Look, PATIENCE, QUIET};
use super::report::{Checked, Finding, Report};
use super::row::{End, Expect, First, Probe, Protocol, Rest, Rests, Row, Then, Writes};
use super::seen::Seen;
use crate::fault::Script;
use crate::journal::{Done, Entry};
use crate::mock::MockEnvd;
use crate::server::StartError;

/// Most of the time is spent waiting for what is not to come.
const MOCKS: usize = 12;
const BEAT: Duration = Duration::from_millis(1);
/// For the journal, once everything was seen.
const LONGEST_TELLING: Duration = Duration::from_secs(4);

type Job = (Row, Protocol);

/// Checks all rows on all their protocols.
///
/// # Errors
/// When a mock cannot be started.
pub(crate) async fn run(rows: &[Row]) -> Result<Report, StartError> {
    let began = Instant::now();
    let of_row = |row: &Row| row.on.iter().map(|protocol| (*row, *protocol)).collect::<Vec<Job>>();
    let jobs: VecDeque<Job> = rows.iter().flat_map(of_row).collect();
    let mocks = MOCKS.min(jobs.len());
    let jobs = Mutex::new(jobs);
    let next = AtomicU64::new(1);
    let mut checked = Vec::new();
    for one in join_all((0..mocks).map(|_| worker(&jobs, &next))).await {
        checked.extend(one?);
    }
    checked.sort_by_key(|one: &Checked| {
        let place = rows.iter().position(|row| *row == one.row);
        (place, one.protocol == Protocol::Http2)
    });
    Ok(Report { checked, log: Vec::new(), took: began.elapsed() })
}

async fn worker(jobs: &Mutex<VecDeque<Job>>, next: &AtomicU64) -> Result<Vec<Checked>, StartError> {
    let mock = MockEnvd::builder().preload_duration(Duration::from_millis(5)).start().await?;
    seed(&mock).map_err(StartError::Thread)?;
    let mut checked = Vec::new();
    loop {
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        let Some((row, protocol)) = job else { break };
        let began = Instant::now();
        let findings = Check { mock: &mock, row, protocol, next }.run().await;
        checked.push(Checked { row, protocol, findings, took: began.elapsed() });
    }
    mock.stop().await;
    Ok(checked)
}

fn seed(mock: &MockEnvd) -> std::io::Result<()> {
    let text = |size: usize| (0..size).map(|at| b'a' + (at % 26) as u8).collect::<Vec<u8>>();
    mock.guest().write_file("/tmp/probe", text(64))?;
    mock.guest().write_file("/tmp/page", text(2 << 10))?;
    mock.guest().write_file("/tmp/big", text(3 << 19))
}

/// One row on one protocol.
struct Check<'c> {
    mock: &'c MockEnvd,
    row: Row,
    protocol: Protocol,
    next: &'c AtomicU64,
}

impl Check<'_> {
    async fn run(&self) -> Vec<Finding> {
        let usual = usual_of(&self.row.probe);
        let script = match Script::parse_expressions("self-check", self.row.rules) {
            Ok(script) => self.named(script),
            Err(error) => return vec![Finding::of("rules", "rules that can be read", error.to_string())],
        };
        let mut findings = Vec::new();
        let first = match self.disarmed("disarmed", &usual, None, &mut findings).await {
            Ok(seen) => seen,
            Err(finding) => return vec![finding],
        };
        if let Err(finding) = self.armed(script, &first, &mut findings).await {
            findings.push(finding);
        }
        if let Err(finding) = self.disarmed("disarmed again", &usual, Some(&first), &mut findings).await {
            findings.push(finding);
        }
        findings
    }

    /// Looks with no rule in force: all must be as usual, and nothing may be done.
    async fn disarmed(
        &self,
        when: &'static str,
        expect: &Expect,
        before: Option<&Seen>,
        findings: &mut Vec<Finding>,
    ) -> Result<Seen, Finding> {
        self.replace(Script::default())?;
        self.listening().await;
        let mark = self.mark();
        let seen =
            self.look(expect, &async || {}).await.map_err(|error| Finding::of(when, "answers", error))?;
        let differences = judge(expect, self.protocol, before.unwrap_or(&seen), &seen);
        findings.extend(differences.into_iter().map(|one| Finding { when, one }));
        if !matches!(seen.answer.status, Some(200..300)) {
            findings.push(Finding::of(when, "a status of success", format!("{:?}", seen.answer.status)));
        }
        if let Some(done) = self.done_since(mark).first() {
            findings.push(Finding::of(when, "nothing done in the journal", format!("{done:?}")));
        }
        Ok(seen)
    }

    fn replace(&self, script: Script) -> Result<(), Finding> {
        let refused = |refused: crate::live::ScriptRefused| {
            Finding::of("rules", "rules that can act", refused.to_string())
        };
        self.mock.faults().replace(script).map_err(refused)
    }

    async fn armed(&self, script: Script, usual: &Seen, findings: &mut Vec<Finding>) -> Result<(), Finding> {
        const WHEN: &str = "armed";
        let expect = &self.row.expect;
        let mark = self.mark();
        self.replace(script)?;
        if expect.first == First::Refused {
            self.done(mark).await;
        }
        let seen = self.look(expect, &async || drop(self.done(mark).await)).await;
        let seen = seen.map_err(|error| Finding::of(WHEN, "something to look at", error))?;
        let differences = judge(expect, self.protocol, usual, &seen);
        findings.extend(differences.into_iter().map(|one| Finding { when: WHEN, one }));
        let told = self.done(mark).await;
        if !told.iter().any(|what| what.contains(expect.words)) {
            let expected = format!("what was done, with {:?}", expect.words);
            findings.push(Finding::of("journal", expected, format!("{told:?}")));
        }
        Ok(())
    }

    async fn look(&self, expect: &Expect, done: &impl AsyncFn()) -> std::io::Result<Seen> {
        let open = expect.end_on(self.protocol) == End::Open;
        let silent = expect.rest_on(self.protocol) == Rest::Silent;
        let look = Look {
            address: self.mock.addr(),
            protocol: self.protocol,
            open,
            stuck: if expect.writes == Writes::Wait { QUIET } else { PATIENCE },
            rest: if silent { QUIET } else { PATIENCE },
            n: self.next.fetch_add(1, Ordering::Relaxed),
            done,
        };
        look.see(&self.row.probe).await
    }

    /// The number of the journal's next entry.
    fn mark(&self) -> u64 {
        self.mock.faults().journal_from(u64::MAX).1
    }

    /// The rules under a name of their own, which does not change from run to run.
    fn named(&self, mut script: Script) -> Script {
        let name = self.rule();
        script.calls.iter_mut().for_each(|rule| rule.name.clone_from(&name));
        script.connections.iter_mut().for_each(|rule| rule.name.clone_from(&name));
        script
    }

    fn rule(&self) -> String {
        format!("{} {} {}", self.row.of, self.row.kind, self.row.case)
    }

    /// What was done because of the rule since then, as soon as anything was.
    async fn done(&self, mark: u64) -> Vec<String> {
        let until = Instant::now() + LONGEST_TELLING;
        loop {
            let done = self.done_since(mark);
            if !done.is_empty() || Instant::now() >= until {
                return done;
            }
            tokio::time::sleep(BEAT).await;
        }
    }

    fn done_since(&self, mark: u64) -> Vec<String> {
        let name = self.rule();
        let (journal, _) = self.mock.faults().journal_from(mark);
        let told =
            |done: &[Done]| done.iter().filter(|one| one.rule == name).map(|one| one.what.clone()).collect();
        let of_entry = |entry: &Entry| -> Vec<String> {
            match entry {
                Entry::Connection(one) => told(&one.done),
                Entry::Call(one) => told(&one.done),
                Entry::Event(one) if one.event.contains(&name) => vec![one.event.clone()],
                Entry::Event(_) => Vec::new(),
            }
        };
        journal.iter().flat_map(of_entry).collect()
    }

    /// Waits until the port is listened on.
    async fn listening(&self) {
        let until = Instant::now() + PATIENCE;
        while tokio::net::TcpStream::connect(self.mock.addr()).await.is_err() && Instant::now() < until {
            tokio::time::sleep(BEAT).await;
        }
    }
}

/// What must be seen with nothing armed.
fn usual_of(probe: &Probe) -> Expect {
    let rest = match probe.then {
        Then::Call | Then::Anew(_) => Rest::Answers,
        Then::Leave => Rest::Fin,
        Then::Wait => Rest::Silent,
    };
    Expect { rest: Rests(rest, rest), ..Expect::USUAL }
}

impl Finding {
    fn of(when: &'static str, expected: impl ToString, seen: impl ToString) -> Self {
        let one = Difference { what: "the run", expected: expected.to_string(), seen: seen.to_string() };
        Self { when, one }
    }
}
