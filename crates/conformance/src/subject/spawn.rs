//! A build that is started by command: a fresh port, a wait for health, and an end for its whole process group.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

use super::{Subject, Subjects, orphans};
use crate::probe::{Ask, CleanupList, Probe, SetupError};

/// How long a build may take to answer its first GET /health.
const BOOT: Duration = Duration::from_secs(10);
/// How often a build is started that ends at once: someone else may have taken its port.
const TRIES: usize = 2;
/// Beyond so many, ports may be given away again.
const MOST_GIVEN: usize = 8192;
const PAUSE: Duration = Duration::from_millis(20);
const ONE_TRY: Duration = Duration::from_secs(1);

/// Starts a build by a shell command.
#[derive(Debug, Clone)]
pub struct Spawn {
    command: String,
}

/// Why a command cannot start a subject: the caller's mistake.
#[derive(Debug, thiserror::Error)]
#[error("command {0:?} does not say where the port goes: write {{port}} in it")]
pub struct SpawnError(String);

impl Spawn {
    /// A shell command with `{port}` where the port goes.
    ///
    /// # Errors
    /// [`SpawnError`] without it.
    pub fn command(command: &str) -> Result<Self, SpawnError> {
        if !command.contains("{port}") {
            return Err(SpawnError(command.to_owned()));
        }
        Ok(Self { command: command.to_owned() })
    }

    async fn up(&self) -> Result<Subject, SetupError> {
        for _ in 1..TRIES {
            if let Ok(subject) = self.once().await {
                return Ok(subject);
            }
        }
        self.once().await
    }

    async fn once(&self) -> Result<Subject, SetupError> {
        let address = free_port().map_err(|error| SetupError::Start(format!("no free port: {error}")))?;
        let line = self.command.replace("{port}", &address.port().to_string());
        let child = Command::new("/bin/sh")
            .args(["-c", &line])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .process_group(0)
            .spawn()
            .map_err(|error| SetupError::Start(format!("{line:?} cannot be started: {error}")))?;
        let group = Group { child: Mutex::new(child) };
        group.healthy(address, &line).await?;
        Ok(Subject { address, host: address.to_string(), guard: Some(Box::new(group)) })
    }
}

impl Subjects for Spawn {
    fn start(&self) -> BoxFuture<'_, Result<Subject, SetupError>> {
        Box::pin(self.up())
    }

    fn name(&self) -> String {
        format!("`{}`", self.command)
    }
}

/// The leader of a process group, which ends with it.
pub(super) struct Group {
    child: Mutex<Child>,
}

impl Group {
    /// How the leader ended, if it has.
    pub(super) fn ended(&self) -> Option<String> {
        let status = self.child.lock().unwrap_or_else(PoisonError::into_inner).try_wait();
        status.ok().flatten().map(|status| status.to_string())
    }

    async fn healthy(&self, address: SocketAddr, line: &str) -> Result<(), SetupError> {
        let until = Instant::now() + BOOT;
        loop {
            if health(address).await {
                return Ok(());
            }
            if let Some(status) = self.ended() {
                return Err(SetupError::Start(format!("{line:?} ended before it was healthy: {status}")));
            }
            if Instant::now() > until {
                return Err(SetupError::Start(format!("{line:?}: no 200 from GET /health within {BOOT:?}")));
            }
            sleep(PAUSE).await;
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let id = self.child.get_mut().unwrap_or_else(PoisonError::into_inner).id();
        // Nothing to kill is no matter: then it has ended by itself.
        if let Some(pid) = id.and_then(|id| Pid::from_raw(id.cast_signed())) {
            let orphans = orphans::of(pid);
            let _ = kill_process_group(pid, Signal::KILL);
            orphans::kill(&orphans);
        }
    }
}

async fn health(address: SocketAddr) -> bool {
    let mut probe = Probe::new((address, address.to_string()), "", "", ONE_TRY, CleanupList::default());
    let asked = timeout(ONE_TRY, probe.send("health", Ask::new("GET", "/health"))).await;
    matches!(asked, Ok(Ok(seen)) if seen.status == Some(200))
}

/// A port that nobody has, and that this process has not given away before: two builds that start at once must not get
/// the same one.
fn free_port() -> std::io::Result<SocketAddr> {
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
    if given.len() > MOST_GIVEN {
        given.clear();
    }
    loop {
        let address = std::net::TcpListener::bind(("127.0.0.1", 0))?.local_addr()?;
        if given.insert(address.port()) {
            return Ok(address);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_says_where_the_port_goes() {
        assert!(Spawn::command("envd --port 1").unwrap_err().to_string().contains("{port}"));
    }

    #[tokio::test]
    async fn a_command_that_ends_is_trouble_at_once() {
        let error = Spawn::command("exit 3 # {port}").unwrap().start().await.unwrap_err();
        assert!(error.to_string().contains("exit status: 3"), "{error}");
    }
}
