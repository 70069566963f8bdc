//! A running mock as a value: it serves from a thread of its own, so that it works in any runtime and is gone when
//! the value is dropped.

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use envd_client::Client;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::builder::Builder;
use crate::generation::Generation;
use crate::handle::GuestHandle;
use crate::levers::{Clock, Faults};
use crate::server::{self, Config, Running, StartError};
use crate::strict::StrictReport;

/// More threads serve no purpose: the work is in the guest's processes.
const MOST_WORKERS: usize = 4;
/// For file operations that are still under way at the end.
const LAST_WAIT: Duration = Duration::from_millis(200);

/// A fake guest that is up. Dropping it ends it: the ports are closed, its processes are gone, its tree is removed.
#[must_use = "the mock ends when it is dropped"]
pub struct MockEnvd {
    running: Running,
    stop: CancellationToken,
    ended: Option<oneshot::Receiver<()>>,
    thread: Option<JoinHandle<()>>,
    /// Whoever asked for the verdict has it.
    judged: bool,
}

impl MockEnvd {
    /// Starts a mock with a fresh guest on a free loopback port.
    ///
    /// # Errors
    /// As [`Builder::start`].
    pub async fn start() -> Result<Self, StartError> {
        Self::builder().start().await
    }

    /// Describes a mock before it starts.
    pub fn builder() -> Builder {
        Builder::default()
    }

    pub(crate) async fn from_config(config: Config) -> Result<Self, StartError> {
        let (stop, (ready, started), (end, ended)) =
            (CancellationToken::new(), oneshot::channel(), oneshot::channel());
        // When the caller gives up waiting, the server ends by itself: nobody takes what it has to tell.
        let server = server::run(config, ready, stop.clone());
        let thread = spawn(server, end).map_err(StartError::Thread)?;
        let gone = |_| StartError::Thread(std::io::Error::other("the server's thread ended early"));
        let running = started.await.map_err(gone)??;
        Ok(Self { running, stop, ended: Some(ended), thread: Some(thread), judged: false })
    }

    /// The base URL of envd, such as `http://127.0.0.1:40123`.
    pub fn url(&self) -> String {
        server::url(self.running.address)
    }

    /// The address that envd is served on.
    pub fn addr(&self) -> SocketAddr {
        self.running.address
    }

    /// A new client of this guest, with the host's defaults.
    pub fn client(&self) -> Client {
        Client::builder().base_url(self.url()).build().expect("a bound address makes a base URL")
    }

    /// The base URL of the control port.
    pub fn control_url(&self) -> String {
        server::url(self.running.control)
    }

    /// The wire generation that is played.
    pub fn generation(&self) -> Generation {
        self.running.generation
    }

    /// The guest behind the wire, for seeding and asserting.
    pub fn guest(&self) -> GuestHandle {
        GuestHandle::new(Arc::clone(&self.running.guest))
    }

    /// What goes wrong, while the mock is up.
    pub fn faults(&self) -> Faults {
        Faults::new(Arc::clone(&self.running.live))
    }

    /// The mock's clock.
    pub fn clock(&self) -> Clock {
        Clock::new(self.running.live.time.clone())
    }

    /// Waits until the guest's tree would be removed even if this process were killed: a moment after the start, so
    /// that the first answer need not wait for it.
    ///
    /// # Errors
    /// When the process that would remove it cannot be started.
    pub async fn guarded(&self) -> std::io::Result<()> {
        let guest = Arc::clone(&self.running.guest);
        let guarded = tokio::task::spawn_blocking(move || guest.watch_over()).await;
        guarded.map_err(|panic| std::io::Error::other(panic.to_string()))?
    }

    /// Ends the mock and waits until nothing of it is left; never more than about a second.
    pub async fn stop(mut self) {
        self.ended().await;
    }

    /// What a strict run has to complain about by now; nothing, when the mock is not strict.
    pub fn strict_report(&self) -> StrictReport {
        let live = &self.running.live;
        live.strict_report(live.strictness)
    }

    /// Ends the mock as [`MockEnvd::stop`] does and judges the run.
    ///
    /// # Errors
    /// What a strict run does not let pass.
    pub async fn finish(mut self) -> Result<(), StrictReport> {
        self.judged = true;
        self.ended().await;
        let report = self.strict_report();
        if report.is_clean() { Ok(()) } else { Err(report) }
    }

    async fn ended(&mut self) {
        self.stop.cancel();
        if let Some(ended) = self.ended.take() {
            // An error means that the thread is already gone.
            let _ = ended.await;
        }
    }
}

impl std::fmt::Debug for MockEnvd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MockEnvd")
            .field("url", &self.url())
            .field("control_url", &self.control_url())
            .finish()
    }
}

impl Drop for MockEnvd {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take() {
            // A panic of the server's thread has been printed by the panic hook.
            let _ = thread.join();
        }
        if !self.judged && !std::thread::panicking() {
            let report = self.strict_report();
            assert!(report.is_clean(), "{report}");
        }
    }
}

fn spawn(
    server: impl Future<Output = ()> + Send + 'static,
    ended: oneshot::Sender<()>,
) -> std::io::Result<JoinHandle<()>> {
    let workers = std::thread::available_parallelism().map_or(1, usize::from).min(MOST_WORKERS);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers)
        .thread_name("envd-mock")
        .enable_all()
        .build()?;
    std::thread::Builder::new().name("envd-mock".to_owned()).spawn(move || {
        runtime.block_on(server);
        runtime.shutdown_timeout(LAST_WAIT);
        // Nobody may be waiting.
        let _ = ended.send(());
    })
}
