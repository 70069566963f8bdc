//! Settings of a client, checked when it is built.

use std::net::Ipv6Addr;
use std::time::Duration;

use crate::client::Client;
use crate::error::{Error, Result};
use crate::generation::Generation;
use crate::transport::{Codec, Secret, Settings, Transport};

/// envd's port.
const PORT: u16 = 49983;

/// The settings of a [`Client`]; the defaults are those of the host's own client.
#[derive(Debug, Clone)]
pub struct ClientBuilder {
    settings: Settings,
}

impl Default for ClientBuilder {
    fn default() -> Self {
        Self { settings: Settings::new(format!("http://127.0.0.1:{PORT}")) }
    }
}

impl ClientBuilder {
    /// The guest's address or name; the port is envd's.
    #[must_use]
    pub fn host(self, host: &str) -> Self {
        let host = if host.parse::<Ipv6Addr>().is_ok() { format!("[{host}]") } else { host.to_owned() };
        self.base_url(format!("http://{host}:{PORT}"))
    }

    /// The guest's URL: `http`, a host and a port, no path.
    #[must_use]
    pub fn base_url(mut self, url: impl Into<String>) -> Self {
        self.settings.base = url.into();
        self
    }

    /// The token that goes with every call (`X-Access-Token`). The host never has one; other clients may.
    #[must_use]
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.settings.token = Some(Secret::new(token));
        self
    }

    /// The user that files are read and written as; root by default, as the host has it.
    #[must_use]
    pub fn username(mut self, name: impl Into<String>) -> Self {
        self.settings.username = Some(name.into());
        self
    }

    /// Reads and writes files as the guest's default user.
    #[must_use]
    pub fn default_username(mut self) -> Self {
        self.settings.username = None;
        self
    }

    /// The guest's wire generation; without it, the guest is asked before the first call that needs to know.
    #[must_use]
    pub fn generation(mut self, generation: Generation) -> Self {
        self.settings.generation = Some(generation);
        self
    }

    /// How messages are encoded; binary by default.
    #[must_use]
    pub fn codec(mut self, codec: Codec) -> Self {
        self.settings.codec = codec;
        self
    }

    /// Whether the guest may answer in gzip; true by default.
    #[must_use]
    pub fn gzip(mut self, accept: bool) -> Self {
        self.settings.accept_gzip = accept;
        self
    }

    /// Whether Connect requests are sent in gzip; false by default.
    #[must_use]
    pub fn send_gzip(mut self, send: bool) -> Self {
        self.settings.send_gzip = send;
        self
    }

    /// Speaks HTTP/2 at once (h2c) instead of HTTP/1.1.
    #[must_use]
    pub fn http2_prior_knowledge(mut self) -> Self {
        self.settings.http2 = true;
        self
    }

    /// The time limit for the whole of a short call; 2 minutes by default.
    #[must_use]
    pub fn unary_timeout(mut self, limit: Duration) -> Self {
        self.settings.unary_timeout = limit;
        self
    }

    /// The time limit for a connection to come up; 10 s by default.
    #[must_use]
    pub fn connect_timeout(mut self, limit: Duration) -> Self {
        self.settings.connect_timeout = limit;
        self
    }

    /// How long the guest may take to move when it is its turn: to send the head of its answer, the event that opens a
    /// stream, the next piece of a download, or to take the next piece of an upload; 30 s by default. A command may be
    /// silent for as long as it likes.
    #[must_use]
    pub fn response_header_timeout(mut self, limit: Duration) -> Self {
        self.settings.head_timeout = limit;
        self
    }

    /// How long a stream of a command or a watch may be silent once it is open; for ever by default. Keepalives of the
    /// guest are no silence. What ends a silence is the next call: [`Process::connect`](crate::Process::connect) is safe
    /// to repeat.
    #[must_use]
    pub fn stream_idle_timeout(mut self, limit: Duration) -> Self {
        self.settings.stream_idle = Some(limit);
        self
    }

    /// How long an idle connection is kept; 90 s by default.
    #[must_use]
    pub fn idle_timeout(mut self, limit: Duration) -> Self {
        self.settings.idle_timeout = limit;
        self
    }

    /// How long a connection is silent before TCP asks whether the other side is there; 30 s by default.
    #[must_use]
    pub fn tcp_keepalive(mut self, after: Duration) -> Self {
        self.settings.tcp_keepalive = after;
        self
    }

    /// How many idle connections each of the two pools keeps; 10 by default.
    #[must_use]
    pub fn pool(mut self, max_idle: usize) -> Self {
        self.settings.max_idle = max_idle;
        self
    }

    /// The cap of one Connect message or short answer, in bytes, unpacked; 16 MiB by default.
    #[must_use]
    pub fn message_limit(mut self, bytes: usize) -> Self {
        self.settings.message_limit = bytes.min(u32::MAX as usize);
        self
    }

    /// The cap of [`Client::read_file`], in bytes; 256 MiB by default.
    #[must_use]
    pub fn file_limit(mut self, bytes: usize) -> Self {
        self.settings.file_limit = bytes;
        self
    }

    /// The client. No connection is made yet.
    ///
    /// # Errors
    /// When the base URL is none, or holds more than `http`, host and port.
    pub fn build(mut self) -> Result<Client> {
        self.settings.base = checked(&self.settings.base)?;
        Ok(Client::from_transport(Transport::new(self.settings)?))
    }
}

fn checked(base: &str) -> Result<String> {
    let refuse = |seen: &str| {
        let reason = format!("expected http://HOST:PORT, seen {seen}");
        Error::usage("build", "base URL", reason)
    };
    let uri: http::Uri = base.parse().map_err(|_| refuse(&format!("{base:?}")))?;
    let authority = uri.authority().ok_or_else(|| refuse(&format!("{base:?}")))?;
    if authority.as_str().contains('@') {
        return Err(refuse("a user name or password in it"));
    }
    if uri.scheme_str() != Some("http") || uri.path() != "/" || uri.query().is_some() {
        return Err(refuse(&format!("{base:?}")));
    }
    Ok(format!("http://{authority}"))
}
