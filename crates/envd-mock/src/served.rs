//! A server that is up, on a thread of its own, so that it works in any runtime and is gone when the value is dropped.

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::fault::Script;
use crate::levers::{Clock, Faults};
use crate::server::{self, Config, Running, StartError};
use crate::strict::StrictReport;

/// More threads serve no purpose: the work is in the guest's processes, or in somebody else's.
const MOST_WORKERS: usize = 4;
/// For file operations that are still under way at the end.
const LAST_WAIT: Duration = Duration::from_millis(200);

/// A server that answers until it is dropped.
pub(crate) struct Served {
    pub(crate) running: Running,
    stop: CancellationToken,
    ended: Option<oneshot::Receiver<()>>,
    thread: Option<JoinHandle<()>>,
    /// Whoever asked for the verdict has it.
    judged: bool,
}

impl Served {
    pub(crate) async fn start(mut config: Config) -> Result<Self, StartError> {
        // Names are made unique, or refused.
        config.setup.script = Script::default().merge(config.setup.script)?;
        let (stop, (ready, started), (end, ended)) =
            (CancellationToken::new(), oneshot::channel(), oneshot::channel());
        // When the caller gives up waiting, the server ends by itself: nobody takes what it has to tell.
        let server = server::run(config, ready, stop.clone());
        let thread = spawn(server, end).map_err(StartError::Thread)?;
        let gone = |_| StartError::Thread(std::io::Error::other("the server's thread ended early"));
        let running = started.await.map_err(gone)??;
        Ok(Self { running, stop, ended: Some(ended), thread: Some(thread), judged: false })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.running.address
    }

    pub(crate) fn faults(&self) -> Faults {
        Faults::new(Arc::clone(&self.running.live), self.running.guest.clone())
    }

    pub(crate) fn clock(&self) -> Clock {
        Clock::new(self.running.live.time.clone())
    }

    pub(crate) fn strict_report(&self) -> StrictReport {
        let live = &self.running.live;
        live.strict_report(live.strictness)
    }

    pub(crate) async fn stop(mut self) {
        self.ended().await;
    }

    pub(crate) async fn finish(mut self) -> Result<(), StrictReport> {
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

impl Drop for Served {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take() {
            // A panic of the server's thread has been printed by the panic hook.
            let _ = thread.join();
        }
        if !self.judged && !std::thread::panicking() {
            let report = self.strict_report();
            assert!(report.is_clean(), "a strict run ended with complaints:\n{report}");
        }
    }
}

/// What everything that is served has in common; the type has a field `served`.
macro_rules! levers {
    ($type:ident) => {
        impl $type {
            /// The base URL of envd, such as `http://127.0.0.1:40123`.
            pub fn url(&self) -> String {
                $crate::server::url(self.served.address())
            }

            /// The address that envd is served on.
            pub fn addr(&self) -> std::net::SocketAddr {
                self.served.address()
            }

            /// The base URL of the control port.
            pub fn control_url(&self) -> String {
                $crate::server::url(self.served.running.control)
            }

            /// What goes wrong, while it is up.
            pub fn faults(&self) -> $crate::levers::Faults {
                self.served.faults()
            }

            /// The clock that delays, limits and timestamps are on.
            pub fn clock(&self) -> $crate::levers::Clock {
                self.served.clock()
            }

            /// Ends it and waits until nothing of it is left; never more than about a second.
            pub async fn stop(self) {
                self.served.stop().await;
            }

            /// What a strict run has to complain about by now; nothing, when it is not strict.
            pub fn strict_report(&self) -> $crate::strict::StrictReport {
                self.served.strict_report()
            }

            /// Ends it as `stop` does and judges the run.
            ///
            /// # Errors
            /// What a strict run does not let pass.
            pub async fn finish(self) -> Result<(), $crate::strict::StrictReport> {
                self.served.finish().await
            }
        }

        impl std::fmt::Debug for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($type))
                    .field("url", &self.url())
                    .field("control_url", &self.control_url())
                    .finish()
            }
        }
    };
}
pub(crate) use levers;

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
