//! The handle that every call starts from. The operations are in the modules named after them.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OnceCell;

use crate::builder::ClientBuilder;
use crate::error::Result;
use crate::generation::Generation;
use crate::transport::{Call, Lane, Transport};

/// A guest, reachable. Cheap to clone; clones share their connections.
#[derive(Clone)]
pub struct Client {
    pub(crate) transport: Arc<Transport>,
    /// The guest's, once it is known.
    pub(crate) generation: Arc<OnceCell<Generation>>,
    timeout: Option<Duration>,
}

impl Client {
    /// A client for the guest at `host` (an address or a name) on envd's port 49983, with the host's defaults.
    ///
    /// # Errors
    /// When `host` makes no URL.
    pub fn new(host: &str) -> Result<Self> {
        Self::builder().host(host).build()
    }

    /// A client with settings of its own.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::default()
    }

    pub(crate) fn from_transport(transport: Transport) -> Self {
        let generation = Arc::new(OnceCell::new_with(transport.settings.generation));
        Self { transport: Arc::new(transport), generation, timeout: None }
    }

    /// The same client, with a time limit for the whole of each of its calls, streams included. Connect calls tell
    /// it to the guest (`Connect-Timeout-Ms`).
    #[must_use]
    pub fn with_timeout(&self, limit: Duration) -> Self {
        Self { timeout: Some(limit), ..self.clone() }
    }

    /// The base URL, without a slash at its end.
    pub fn base_url(&self) -> &str {
        &self.transport.settings.base
    }

    /// Closes the idle connections of both pools, and those in use as soon as their calls are done. To be called
    /// before a snapshot is taken, so that no stale TCP state goes into it.
    pub fn close_idle_connections(&self) {
        self.transport.close_idle();
    }

    /// How long the guest may take for its first move.
    pub(crate) fn start_limit(&self) -> Duration {
        self.transport.settings.head_timeout
    }

    /// A short call that may be made twice.
    pub(crate) fn repeatable(&self, name: &'static str) -> Call {
        Call { name, lane: Lane::Unary, repeatable: true, timeout: self.timeout }
    }

    /// A short call that may not.
    pub(crate) fn once(&self, name: &'static str) -> Call {
        Call { repeatable: false, ..self.repeatable(name) }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("base_url", &self.base_url()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_becomes_a_url_on_envds_port() {
        assert_eq!(Client::new("10.0.0.1").unwrap().base_url(), "http://10.0.0.1:49983");
        assert_eq!(Client::new("fd00::1").unwrap().base_url(), "http://[fd00::1]:49983");
    }

    #[test]
    fn no_debug_shows_the_token() {
        let builder = Client::builder().base_url("http://127.0.0.1:1").token("s3cret");
        assert!(!format!("{builder:?}").contains("s3cret"));
        assert!(!format!("{:?}", builder.build().unwrap()).contains("s3cret"));
    }

    #[test]
    fn a_base_url_that_is_none_is_the_callers_error() {
        for bad in ["", "nonsense", "ftp://x", "https://x", "http://x/path", "http://x?q", "http://u:p@x"] {
            let error = Client::builder().base_url(bad).build().unwrap_err();
            assert_eq!(error.blame(), crate::Blame::Caller, "{bad}");
        }
    }
}
