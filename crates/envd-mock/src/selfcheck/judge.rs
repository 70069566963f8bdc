//! Whether what was seen is what was declared. Pure.

use std::fmt::Debug;
use std::time::Duration;

use super::events;
use super::made::{self, envelopes};
use super::row::{Body, Early, Expect, First, Head, Header, Late, Pieces, Protocol, Rest, Trailers};
use super::seen::Seen;

/// One thing that is not as declared.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Difference {
    /// What it is about.
    pub(crate) what: &'static str,
    pub(crate) expected: String,
    pub(crate) seen: String,
}

/// What differs; `usual` is what is seen with nothing armed.
pub(crate) fn judge(expect: &Expect, protocol: Protocol, usual: &Seen, seen: &Seen) -> Vec<Difference> {
    let mut all = Differences(Vec::new());
    all.same("before anything is sent", &expect.first, &seen.first);
    if expect.first != First::Nothing {
        return all.0;
    }
    let early = if expect.early == Early::Usual { usual.early } else { expect.early };
    all.same("while a part of the request is held back", &early, &seen.early);
    all.same("writes", &expect.writes, &seen.writes);
    all.head(&expect.head, usual, seen);
    all.body(&expect.body, usual, seen);
    all.pieces(expect.pieces, seen);
    all.trailers(&expect.trailers, usual, seen);
    all.same("end of the answer", &expect.end_on(protocol), &seen.end);
    all.rest(expect.rest_on(protocol), seen);
    all.late(expect.late, seen);
    // There are none on a connection that says nothing.
    if expect.max_streams.is_some() || seen.max_streams.is_some() {
        let streams = expect.max_streams.or(usual.max_streams);
        all.same("SETTINGS_MAX_CONCURRENT_STREAMS", &streams, &seen.max_streams);
    }
    if let Some(received) = expect.received {
        all.same("bytes of the connection", &received, &seen.received);
    }
    if let Some(segments) = seen.segments.filter(|segments| *segments < expect.segments) {
        all.add("segments", format!("{} or more", expect.segments), segments.to_string());
    }
    all.0
}

struct Differences(Vec<Difference>);

impl Differences {
    fn add(&mut self, what: &'static str, expected: String, seen: String) {
        self.0.push(Difference { what, expected: short(&expected), seen: short(&seen) });
    }

    fn same<T: PartialEq + Debug>(&mut self, what: &'static str, expected: &T, seen: &T) {
        if expected != seen {
            self.add(what, format!("{expected:?}"), format!("{seen:?}"));
        }
    }

    fn head(&mut self, head: &Head, usual: &Seen, seen: &Seen) {
        let (status, others): (_, &[Header]) = match head {
            Head::Usual => (usual.answer.status, &[]),
            Head::None => (None, &[]),
            Head::Is(status, headers) => (Some(*status), *headers),
            Head::But(headers) => (usual.answer.status, *headers),
        };
        self.same("status", &status, &seen.answer.status);
        others.iter().for_each(|header| self.header(header, usual, seen));
        if matches!(head, Head::Usual | Head::But(_)) {
            self.same("headers", &plain(usual, others), &plain(seen, others));
        }
    }

    fn header(&mut self, header: &Header, usual: &Seen, seen: &Seen) {
        let number = |seen: &Seen, name| seen.answer.header(name).and_then(|value| value.parse::<i64>().ok());
        match header {
            Header::Is(name, value) => self.same("header", &Some(*value), &seen.answer.header(name)),
            Header::None(name) => self.same("header", &None, &seen.answer.header(name)),
            Header::Plus(name, more) => {
                let expected = number(usual, name).map(|number| number + more);
                self.same("header", &expected, &number(seen, name));
            }
        }
    }

    fn body(&mut self, body: &Body, usual: &Seen, seen: &Seen) {
        let (usual, seen) = (made::as_in(&usual.answer.body, &seen.answer.body), &seen.answer.body);
        let text = String::from_utf8_lossy(seen);
        let exactly = match body {
            Body::Usual => usual,
            Body::Nothing => Vec::new(),
            Body::First(size) => usual[..usual.len().min(*size)].to_vec(),
            Body::Flipped(byte, bit) => made::flipped(&usual, *byte, *bit),
            Body::Of(pieces) => made::of(pieces, &envelopes(&usual)),
            Body::Is(text) => text.as_bytes().to_vec(),
            Body::Some => {
                if seen.is_empty() || seen.len() >= usual.len() || !usual.starts_with(seen) {
                    self.add(
                        "body",
                        format!("some of {} bytes", usual.len()),
                        format!("{} bytes", seen.len()),
                    );
                }
                return;
            }
            Body::Events(events) => {
                let expected: Vec<String> = events.iter().map(|event| (*event).to_owned()).collect();
                return self.same("events", &expected, &events::of(seen));
            }
            Body::Has(part) => {
                if !text.contains(part) {
                    self.add("body", format!("{part:?} in it"), format!("{text:?}"));
                }
                return;
            }
            Body::Json(members) => {
                let object: serde_json::Value = serde_json::from_slice(seen).unwrap_or_default();
                for (name, value) in *members {
                    let member = object.get(name).map(ToString::to_string);
                    self.same("member of the JSON", &Some((*value).to_owned()), &member);
                }
                return;
            }
        };
        if exactly != *seen {
            self.add("body", shown(&exactly), shown(seen));
        }
    }

    fn pieces(&mut self, pieces: Pieces, seen: &Seen) {
        let sizes = &seen.answer.pieces;
        let fits = match pieces {
            Pieces::Any => true,
            Pieces::One => sizes.len() == 1,
            Pieces::AtMost(size) => sizes.iter().all(|one| *one <= size) && sizes.contains(&size),
        };
        if !fits {
            self.add("chunks or frames", format!("{pieces:?}"), format!("{sizes:?}"));
        }
    }

    fn trailers(&mut self, trailers: &Trailers, usual: &Seen, seen: &Seen) {
        match trailers {
            Trailers::Usual => self.same("trailers", &usual.answer.trailers, &seen.answer.trailers),
            Trailers::None => self.same("trailers", &Vec::new(), &seen.answer.trailers),
            Trailers::Are(fields) => {
                for (name, value) in *fields {
                    let field = (name.to_string(), value.to_string());
                    if !seen.answer.trailers.contains(&field) {
                        self.add("trailers", format!("{field:?}"), format!("{:?}", seen.answer.trailers));
                    }
                }
            }
        }
    }

    fn rest(&mut self, rest: Rest, seen: &Seen) {
        let (rest, text, there) = match rest {
            Rest::Back(text) => (Rest::Back(""), text, true),
            Rest::BackWithout(text) => (Rest::Back(""), text, false),
            other => (other, "", true),
        };
        self.same("the connection and the other call", &rest, &seen.rest);
        let anew = seen.anew.as_deref().unwrap_or_default();
        if anew.contains(text) != there {
            let expected = if there { format!("{text:?} in it") } else { format!("no {text:?} in it") };
            self.add("the answer on a new connection", expected, anew.to_owned());
        }
    }

    fn late(&mut self, late: Late, seen: &Seen) {
        let (what, least, took) = match late {
            Late::No => return,
            Late::Head(least) => ("time to the head", least, seen.head_after),
            Late::End(least) => ("time to the end of the answer", least, seen.end_after),
            Late::Close(least) => ("time to the peer's FIN", least, seen.close_after),
        };
        if took < Duration::from_millis(least) {
            self.add(what, format!("{least}ms or more"), format!("{took:?}"));
        }
    }
}

/// All headers but those that are told apart, and but the time of day.
fn plain(seen: &Seen, others: &[Header]) -> Vec<(String, String)> {
    let named = |name: &str| {
        others.iter().any(|other| match other {
            Header::Is(known, _) | Header::None(known) | Header::Plus(known, _) => *known == name,
        })
    };
    let mut headers: Vec<_> =
        seen.answer.headers.iter().filter(|(name, _)| name != "date" && !named(name)).cloned().collect();
    headers.sort();
    headers
}

fn shown(bytes: &[u8]) -> String {
    let escaped = bytes.iter().take(400).copied().flat_map(std::ascii::escape_default).map(char::from);
    format!("{} bytes: {}", bytes.len(), escaped.collect::<String>())
}

fn short(text: &str) -> String {
    const MOST: usize = 600;
    let mut short: String = text.chars().take(MOST).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}
