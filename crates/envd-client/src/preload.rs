//! `/memory/preload`: reading every page of memory in after a lazy restore (contract 3.7).

use std::fmt;
use std::time::Duration;

use http::Method;
use serde::{Deserialize, Deserializer};

use crate::client::Client;
use crate::error::Result;
use crate::generation::Feature;
use crate::transport::{Call, Reply, Rest};

/// The run takes seconds to minutes; asking more often is waste.
const POLL: Duration = Duration::from_secs(1);

/// How far the run is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum PreloadState {
    /// Not started in this lifecycle.
    Idle,
    /// Under way.
    Running,
    /// Every page was read.
    Done,
    /// It failed; the status tells why.
    Failed,
    /// It was stopped.
    Cancelled,
    /// A word that this client does not know.
    Other(String),
}

/// The answer of `/memory/preload`. A field that the guest leaves out is 0 or empty.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct PreloadStatus {
    /// How far the run is.
    pub state: PreloadState,
    /// How many regions of memory were read.
    #[serde(default)]
    pub regions: u64,
    /// How many pages were read.
    #[serde(default)]
    pub pages: u64,
    /// How many bytes were read.
    #[serde(default)]
    pub bytes: u64,
    /// How long it took, in seconds.
    #[serde(default)]
    pub elapsed_sec: f64,
    /// What was read, such as `/dev/mem`.
    #[serde(default)]
    pub source: String,
    /// Why it failed.
    #[serde(default)]
    pub error: Option<String>,
}

impl Client {
    /// Starts the run, once in a lifecycle; later calls only report.
    ///
    /// # Errors
    /// When the guest does not answer with status 200 and the contract's JSON; [`crate::ErrorKind::Unsupported`] by a guest of
    /// generation 1.
    pub async fn start_memory_preload(&self) -> Result<PreloadStatus> {
        let call = self.repeatable("POST /memory/preload");
        self.preload(&call, Rest::new(Method::POST, "/memory/preload")).await?.json(&call)
    }

    /// How far the run is; starts none.
    ///
    /// # Errors
    /// When the guest does not answer with status 200 and the contract's JSON; [`crate::ErrorKind::Unsupported`] by a guest of
    /// generation 1.
    pub async fn memory_preload_status(&self) -> Result<PreloadStatus> {
        let call = self.repeatable("GET /memory/preload");
        self.preload(&call, Rest::new(Method::GET, "/memory/preload")).await?.json(&call)
    }

    /// Asks every second until the run is no longer under way, and gives the last status, which may be a failure.
    /// The time limit of [`Client::with_timeout`] holds for the whole wait; there is no other.
    ///
    /// # Errors
    /// When asking fails; it is not repeated.
    pub async fn wait_memory_preload(&self) -> Result<PreloadStatus> {
        self.repeatable("GET /memory/preload").within(None, self.poll_memory_preload()).await
    }

    async fn poll_memory_preload(&self) -> Result<PreloadStatus> {
        loop {
            let status = self.memory_preload_status().await?;
            if status.state != PreloadState::Running {
                return Ok(status);
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Stops the run early.
    ///
    /// # Errors
    /// When the guest does not answer with status 204; [`crate::ErrorKind::Unsupported`] by a guest of generation 1.
    pub async fn cancel_memory_preload(&self) -> Result<()> {
        let call = self.repeatable("POST /memory/preload/cancel");
        let request = Rest::new(Method::POST, "/memory/preload/cancel");
        self.preload(&call, request).await?.expect(&call, &[204])?;
        Ok(())
    }

    async fn preload(&self, call: &Call, request: Rest) -> Result<Reply> {
        self.insist_on(call, Feature::Preload)?;
        self.transport.rest(call, request).await?.unless_absent(call, Feature::Preload.as_str())
    }
}

impl PreloadState {
    /// The word on the wire.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Idle => "idle",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Other(word) => word,
        }
    }
}

impl From<String> for PreloadState {
    fn from(word: String) -> Self {
        match word.as_str() {
            "idle" => Self::Idle,
            "running" => Self::Running,
            "done" => Self::Done,
            "failed" => Self::Failed,
            "cancelled" => Self::Cancelled,
            _ => Self::Other(word),
        }
    }
}

impl fmt::Display for PreloadState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for PreloadState {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_may_be_as_short_as_its_state() {
        let status: PreloadStatus = serde_json::from_str(r#"{"state":"done"}"#).unwrap();
        assert_eq!((status.state, status.error, status.bytes), (PreloadState::Done, None, 0));
    }

    #[test]
    fn a_state_from_the_future_is_kept() {
        let status: PreloadStatus = serde_json::from_str(r#"{"state":"resting","error":null}"#).unwrap();
        assert_eq!(status.state, PreloadState::Other("resting".into()));
    }
}
