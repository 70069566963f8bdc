//! What a case was seen to do at a true mock, and whether a change would have shown in it. Pure: a change is tried on what
//! was written down.

use std::sync::{Arc, Mutex};

use super::frames::Frames;
use super::http::{Answer, Call, Request, chunk, find, header};
use super::mutant::Change;
use super::upward::MARKED;

/// More of an answer is not kept.
const MOST: usize = 1 << 20;

/// One call of a case.
#[derive(Debug, Clone, Default)]
pub struct Recorded {
    /// The request's method.
    pub(super) method: String,
    /// The request's target.
    pub(super) target: String,
    /// The request's head, if it went over HTTP/1.1.
    pub(super) head: Vec<u8>,
    /// The request's body, unless it came in chunks or is too long.
    pub(super) body: Option<Vec<u8>>,
    /// Whether it went over HTTP/2.
    pub(super) http2: bool,
    /// The answer as it came, up to what is kept.
    pub(super) answer: Vec<u8>,
}

impl Recorded {
    /// A call of which no more is known.
    pub(super) fn bare(method: &str, target: &str) -> Self {
        Self { method: method.to_owned(), target: target.to_owned(), ..Self::default() }
    }

    /// Takes more of the answer.
    pub(super) fn take(&mut self, bytes: &[u8]) {
        let room = MOST.saturating_sub(self.answer.len());
        self.answer.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }
}

impl Change {
    /// Whether it would have shown in any of these calls. What is not known well enough counts as shown.
    pub fn shows_in(&self, calls: &[Recorded]) -> bool {
        let kept = Arc::default();
        // What a change makes of a stream may hang on a call that came while it was open.
        for recorded in calls {
            Call::of(&String::from_utf8_lossy(&recorded.head), &kept);
        }
        calls
            .iter()
            .any(|recorded| self.reaches(&recorded.method, &recorded.target) && self.shows(recorded, &kept))
    }

    fn shows(&self, recorded: &Recorded, kept: &super::http::Kept) -> bool {
        if recorded.head.is_empty() {
            return match self {
                Self::Fault(rule) => recorded.http2 || !rule.contains(MARKED),
                Self::Http2(_) => recorded.http2,
                Self::Defect(_) => true,
                _ => false,
            };
        }
        let call = Call::of(&String::from_utf8_lossy(&recorded.head), kept);
        match self {
            Self::Nothing | Self::Http2(_) => false,
            Self::Fault(rule) => !rule.contains(MARKED),
            Self::Aside(..) | Self::Defect(_) => true,
            Self::Chunks(..) => call.heads("transfer-encoding: chunked"),
            Self::Request(_, edit) => recorded.body.as_ref().is_none_or(|body| {
                let before = [recorded.head.clone(), body.clone()].concat();
                let mut request = Request::new(recorded.head.clone(), body.clone());
                edit(&call, &mut request);
                request.into_bytes(body.len()) != before
            }),
            Self::Held(_) => stream(recorded),
            Self::Frames(_, edit) => stream(recorded) && frames(recorded, call, *edit),
            Self::Answer(_, edit) => answer(recorded).is_none_or(|(head, body, chunked)| {
                let body = if stream(recorded) { Vec::new() } else { body };
                let (length, mut answer) = (body.len(), Answer::new(&head, body.clone(), chunked));
                let before = Answer::new(&head, body, chunked).into_bytes(length);
                edit(&call, &mut answer);
                answer.into_bytes(length) != before
            }),
        }
    }
}

fn stream(recorded: &Recorded) -> bool {
    answer(recorded).is_none_or(|(head, _, _)| {
        let head = String::from_utf8_lossy(&head).into_owned();
        header(&head, "content-type").is_some_and(|kind| kind.starts_with("application/connect"))
    })
}

/// Head and body of the answer; none if it was too long.
fn answer(recorded: &Recorded) -> Option<(Vec<u8>, Vec<u8>, bool)> {
    let raw = &recorded.answer;
    let end = find(raw, b"\r\n\r\n")? + 4;
    let (head, mut rest) = (raw[..end].to_vec(), raw[end..].to_vec());
    if raw.len() >= MOST {
        return None;
    }
    let text = String::from_utf8_lossy(&head).into_owned();
    if header(&text, "transfer-encoding") != Some("chunked") {
        return Some((head, rest, false));
    }
    let mut body = Vec::new();
    while let Some(data) = chunk(&mut rest).filter(|data| !data.is_empty()) {
        body.extend(data);
    }
    Some((head, body, true))
}

fn frames(recorded: &Recorded, call: Call, edit: super::mutant::OnFrame) -> bool {
    let Some((_, body, _)) = answer(recorded) else { return true };
    Frames::new(call, edit).changes(&body)
}

/// The calls of one case, as they come.
pub(super) type Record = Arc<Mutex<Vec<Recorded>>>;
