//! The entries of the journal, as they are exported. Data only.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// One line of the journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "entry", rename_all = "lowercase")]
#[non_exhaustive]
pub enum Entry {
    /// A connection that was accepted.
    Connection(ConnectionEntry),
    /// A request that came.
    Call(Box<CallEntry>),
    /// Something that happened to the mock itself.
    Event(Event),
}

impl Entry {
    /// Whether its connection or call has ended.
    pub fn is_complete(&self) -> bool {
        match self {
            Self::Connection(connection) => connection.end.is_some(),
            Self::Call(call) => call.end.is_some(),
            Self::Event(_) => true,
        }
    }

    /// The rules that were chosen.
    pub fn decisions(&self) -> &[Decision] {
        match self {
            Self::Connection(connection) => &connection.decisions,
            Self::Call(call) => &call.decisions,
            Self::Event(_) => &[],
        }
    }
}

/// A rule that was chosen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// The rule.
    pub rule: String,
    /// Its ordinal among those that met the rule, from 1.
    pub n: u64,
    /// The fault, in the grammar of expressions.
    pub fault: String,
    /// Where it is to act.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// How long it waits this time, in milliseconds, where its fault has such a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_ms: Option<f64>,
}

/// Something that was really done because of a rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Done {
    /// The rule.
    pub rule: String,
    /// Such as "RST after 1024 bytes".
    pub what: String,
    /// The envelope that it was done at, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub envelope: Option<u64>,
    /// Milliseconds of the mock's clock.
    pub at_ms: f64,
}

/// Bytes of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Size {
    /// Bytes.
    pub bytes: u64,
    /// Whole envelopes, where the body has them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub envelopes: Option<u64>,
}

/// A connection.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ConnectionEntry {
    /// From 1.
    pub connection: u64,
    /// The peer's address and port.
    pub peer: String,
    /// Milliseconds of the mock's clock.
    pub at_ms: f64,
    /// Rules that were chosen.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub decisions: Vec<Decision>,
    /// What was done because of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub done: Vec<Done>,
    /// Bytes towards the peer, all protocols included.
    pub sent: u64,
    /// Bytes from the peer.
    pub received: u64,
    /// How it ended: "closed by peer", "reset by peer", "closed", "reset", "evicted" (idle for longest when there was no
    /// room for another one), "stopped"; missing while it is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<String>,
}

/// A call.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct CallEntry {
    /// From 1, over all connections.
    pub call: u64,
    /// The connection that it came on.
    pub connection: u64,
    /// "process.Process/Start", "GET /files".
    pub operation: String,
    /// "HTTP/1.1" or "HTTP/2".
    pub protocol: String,
    /// The coordinate that the client gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Path and query; secrets are taken out.
    pub target: String,
    /// Headers of the request; secrets are taken out.
    pub headers: Vec<(String, String)>,
    /// The file, directory or watched path that it names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The tag of the process that it starts or selects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// The command that it starts or selects, with its arguments behind blanks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// The process that it started or selected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// Milliseconds of the mock's clock.
    pub at_ms: f64,
    /// Rules that were chosen.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub decisions: Vec<Decision>,
    /// What was done because of them, or because of the client.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub done: Vec<Done>,
    /// The status of the answer; missing where there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Whether a route knows the request.
    pub known: bool,
    /// The body of the request, as far as it was read.
    pub received: Size,
    /// The body of the answer, as far as it was handed to the connection.
    pub sent: Size,
    /// The first bytes of both bodies, in base64, where bodies were asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bodies: Option<[String; 2]>,
    /// Milliseconds until the head of the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head_ms: Option<f64>,
    /// Milliseconds until the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub took_ms: Option<f64>,
    /// How it ended: "complete", "cut", "aborted", "reset", "abandoned" (the client left), "stopped"; missing while it is
    /// going on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<String>,
}

/// Something that happened to the mock itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Such as "script replaced", "crash", "refusing".
    pub event: String,
    /// Milliseconds of the mock's clock.
    pub at_ms: f64,
}

/// Bytes, as entries have them.
pub(crate) fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// Milliseconds, as entries have them.
pub(crate) fn millis(time: Duration) -> f64 {
    // Whole microseconds, so that a number reads well.
    time.as_micros() as f64 / 1000.0
}
