//! What a client is set up with. Data only; the defaults are those of the host's own client (contract H1).

use std::fmt;
use std::time::Duration;

use super::Codec;
use crate::generation::Generation;

/// Everything a transport needs to know, fixed when the client is built.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) base: String,
    pub(crate) token: Option<Secret>,
    pub(crate) codec: Codec,
    pub(crate) accept_gzip: bool,
    pub(crate) send_gzip: bool,
    pub(crate) http2: bool,
    pub(crate) unary_timeout: Duration,
    pub(crate) connect_timeout: Duration,
    pub(crate) head_timeout: Duration,
    /// How long an open stream may be silent.
    pub(crate) stream_idle: Option<Duration>,
    pub(crate) idle_timeout: Duration,
    pub(crate) tcp_keepalive: Duration,
    pub(crate) max_idle: usize,
    pub(crate) message_limit: usize,
    pub(crate) file_limit: usize,
    pub(crate) username: Option<String>,
    /// The guest's, where the caller knows it.
    pub(crate) generation: Option<Generation>,
}

impl Settings {
    pub(crate) fn new(base: String) -> Self {
        Self {
            base,
            token: None,
            codec: Codec::Proto,
            accept_gzip: true,
            send_gzip: false,
            http2: false,
            unary_timeout: Duration::from_secs(120),
            connect_timeout: Duration::from_secs(10),
            head_timeout: Duration::from_secs(30),
            stream_idle: None,
            idle_timeout: Duration::from_secs(90),
            tcp_keepalive: Duration::from_secs(30),
            max_idle: 10,
            message_limit: 16 << 20,
            file_limit: 256 << 20,
            username: Some("root".into()),
            generation: None,
        }
    }
}

/// Which of the two pools a call uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lane {
    /// Short calls, with a time limit for the whole.
    Unary,
    /// Calls that may run for hours.
    Streaming,
}

/// A text that no log and no `Debug` shows.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(String);

impl Secret {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}
