//! The events of a process stream.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::Value;

use super::envelope;

/// What the events of a process stream in JSON add up to; lenient, so that a stream that still runs has one too.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Run {
    /// From the start event.
    pub pid: Option<u64>,
    /// All of it.
    pub stdout: Vec<u8>,
    /// All of it.
    pub stderr: Vec<u8>,
    /// All of it.
    pub pty: Vec<u8>,
    /// The end event.
    pub end: Option<Value>,
    /// The kinds of events in order: s(tart), d(ata), e(nd), k(eepalive), `?`.
    pub order: String,
}

impl Run {
    /// Adds up what is whole in `body`.
    pub fn of(body: &[u8]) -> Self {
        let mut run = Self::default();
        for frame in envelope::read(body).0.iter().filter(|frame| frame.flag == 0) {
            run.add(&serde_json::from_slice::<Value>(&frame.data).unwrap_or_default()["event"]);
        }
        run
    }

    fn add(&mut self, event: &Value) {
        let kinds = [("start", 's'), ("data", 'd'), ("end", 'e'), ("keepalive", 'k')];
        let kind = kinds.iter().find(|(name, _)| event.get(name).is_some()).map_or('?', |(_, kind)| *kind);
        self.order.push(kind);
        let bytes = |name: &str| {
            event["data"][name]
                .as_str()
                .and_then(|text| BASE64_STANDARD.decode(text).ok())
                .unwrap_or_default()
        };
        self.stdout.extend(bytes("stdout"));
        self.stderr.extend(bytes("stderr"));
        self.pty.extend(bytes("pty"));
        match kind {
            's' => self.pid = event["start"]["pid"].as_u64(),
            'e' => self.end = Some(event["end"].clone()),
            _ => {}
        }
    }

    /// The exit code in the end event; left out on the wire means 0.
    pub fn exit_code(&self) -> Option<i64> {
        self.end.as_ref().map(|end| end["exitCode"].as_i64().unwrap_or(0))
    }

    /// Whether `text` is in any output.
    pub fn shows(&self, text: &str) -> bool {
        [&self.stdout, &self.stderr, &self.pty].iter().any(|all| String::from_utf8_lossy(all).contains(text))
    }

    /// Standard output as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }
}
