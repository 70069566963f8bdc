//! A running mock as a value, with its guest.

use std::sync::Arc;

use envd_client::Client;

use crate::builder::Builder;
use crate::generation::Generation;
use crate::guest::Guest;
use crate::handle::GuestHandle;
use crate::served::{Served, levers};
use crate::server::{Config, StartError};

/// A fake guest that is up. Dropping it ends it: the ports are closed, its processes are gone, its tree is removed.
#[must_use = "the mock ends when it is dropped"]
pub struct MockEnvd {
    served: Served,
}

levers!(MockEnvd);

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
        Ok(Self { served: Served::start(config).await? })
    }

    /// A new client of this guest, with the host's defaults.
    pub fn client(&self) -> Client {
        Client::builder().base_url(self.url()).build().expect("a bound address makes a base URL")
    }

    /// The wire generation that is played.
    pub fn generation(&self) -> Generation {
        self.served.running.generation
    }

    /// The guest behind the wire, for seeding and asserting.
    pub fn guest(&self) -> GuestHandle {
        GuestHandle::new(Arc::clone(self.inner()))
    }

    fn inner(&self) -> &Arc<Guest> {
        self.served.running.guest.as_ref().expect("a mock has a guest behind it")
    }

    /// Waits until the guest's tree would be removed even if this process were killed: a moment after the start, so
    /// that the first answer need not wait for it.
    ///
    /// # Errors
    /// When the process that would remove it cannot be started.
    pub async fn guarded(&self) -> std::io::Result<()> {
        let guest = Arc::clone(self.inner());
        let guarded = tokio::task::spawn_blocking(move || guest.watch_over()).await;
        guarded.map_err(|panic| std::io::Error::other(panic.to_string()))?
    }
}
