//! A recording that was read: its calls and where in the file their bodies are. The bodies stay there.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

use http::HeaderMap;

use super::fingerprint::Print;
use super::line::{Event, Headers, How, Line};

/// All calls of a file, in the order in which they came.
#[derive(Debug)]
pub(crate) struct Recording {
    pub(super) file: File,
    pub(super) calls: Vec<Call>,
}

/// One call.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) number: u64,
    pub(super) method: String,
    pub(super) target: String,
    /// What its message says.
    pub(super) text: String,
    pub(super) head: String,
    /// Of its body; missing where that was not read to its end, so that it is not known.
    pub(super) print: Option<Print>,
    /// The answer came when all of the request was there.
    pub(super) whole_request: bool,
    /// What the times of the answer are counted from, in microseconds.
    pub(super) from_us: u64,
    pub(super) answer: Option<Answer>,
}

/// What a call was answered with.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) at_us: u64,
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) moments: Vec<Moment>,
    /// How it ended and when; missing where the recording ends first.
    pub(super) end: Option<(u64, How)>,
}

/// A piece of a body or its trailers: when, and in which bytes of the file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    pub(super) at_us: u64,
    pub(super) offset: u64,
    pub(super) length: usize,
}

impl Recording {
    /// Reads the event of a moment once more.
    pub(super) fn event(&self, moment: Moment) -> io::Result<Event> {
        let mut text = vec![0; moment.length];
        self.file.read_exact_at(&mut text, moment.offset)?;
        Ok(serde_json::from_slice::<Line>(&text)?.event)
    }
}

impl Call {
    /// "POST /process.Process/Start {...}", shortened.
    pub(super) fn description(&self) -> String {
        describe(&self.method, &self.target, &self.text)
    }
}

pub(super) fn describe(method: &str, target: &str, text: &str) -> String {
    const SHOWN: usize = 160;
    let mut shown: String = text.chars().take(SHOWN).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    let blank = if shown.is_empty() { "" } else { " " };
    format!("{method} {target}{blank}{shown}")
}

/// Headers as they were; what cannot be one is left out.
pub(super) fn header_map(headers: &Headers) -> HeaderMap {
    let pairs = headers.iter().filter_map(|(name, value)| {
        Some((http::HeaderName::try_from(name).ok()?, http::HeaderValue::try_from(value).ok()?))
    });
    let mut map = HeaderMap::new();
    for (name, value) in pairs {
        map.append(name, value);
    }
    map
}
