//! Reads a recording, line by line, and says where it is broken.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};

use super::fingerprint::{self, Fingerprint};
use super::line::{Event, Line, Title};
use super::recording::{Answer, Call, Moment, Recording, header_map};

/// The longest line, in bytes: more than the longest envelope takes.
const LONGEST: u64 = 64 << 20;
const EXAMPLE: &str = r#"{"call":1,"at_us":250,"event":"down","body":"aGVsbG8="}"#;

/// A recording that cannot be played.
#[derive(Debug, thiserror::Error)]
pub enum BadRecording {
    /// The file cannot be read.
    #[error("cannot read the recording {}: {source}", .file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A line is none of a recording.
    #[error("{}:{line}: expected {expected}, got {got}; example: {example}", .file.display())]
    Line {
        /// The file.
        file: PathBuf,
        /// From 1.
        line: usize,
        /// What was expected there.
        expected: &'static str,
        /// What stands there.
        got: String,
        /// What would be right.
        example: String,
    },
}

/// What is wrong with a line: expected, got, example.
type Wrong = (&'static str, String, String);

impl Recording {
    /// Reads the file once; the bodies of answers are left in it.
    pub(crate) fn load(path: &Path) -> Result<Self, BadRecording> {
        let unreadable = |source| BadRecording::Unreadable { file: path.to_owned(), source };
        let file = File::open(path).map_err(unreadable)?;
        let mut reader = BufReader::new(file.try_clone().map_err(unreadable)?);
        let (mut loading, mut offset, mut number) = (Loading::default(), 0, 0);
        let mut text = Vec::new();
        loop {
            text.clear();
            let length = (&mut reader).take(LONGEST).read_until(b'\n', &mut text).map_err(unreadable)?;
            if length == 0 && number > 0 {
                break;
            }
            number += 1;
            loading.line(number, &text, offset).map_err(|(expected, got, example)| BadRecording::Line {
                file: path.to_owned(),
                line: number,
                expected,
                got,
                example,
            })?;
            offset += length as u64;
        }
        Ok(Self { file, calls: loading.finish() })
    }
}

#[derive(Default)]
struct Loading {
    calls: Vec<Call>,
    /// Those that have not ended, by number: where each is, and its body so far.
    open: HashMap<u64, (usize, Option<Fingerprint>)>,
}

impl Loading {
    fn line(&mut self, number: usize, text: &[u8], offset: u64) -> Result<(), Wrong> {
        if number == 1 {
            return title(text);
        }
        let line: Line = serde_json::from_slice(text).map_err(|error| {
            let got = format!("{} ({error})", shown(text));
            ("an event of a recording", got, EXAMPLE.to_owned())
        })?;
        let moment = Moment { at_us: line.at_us, offset, length: text.len() };
        self.event(line, moment)
    }

    fn event(&mut self, line: Line, moment: Moment) -> Result<(), Wrong> {
        let number = line.call;
        if let Event::Request { method, target, headers, .. } = line.event {
            return self.begin(number, moment.at_us, method, target, &header_map(&headers));
        }
        let Some((index, fingerprint)) = self.open.get_mut(&number) else {
            let got = format!("an event of call {number}, which has not begun or has ended");
            return Err(("an event of a call that is going on", got, EXAMPLE.to_owned()));
        };
        let call = &mut self.calls[*index];
        match line.event {
            Event::Up { body } => {
                if let Some(fingerprint) = fingerprint.as_mut().filter(|known| !known.is_settled()) {
                    fingerprint.push(&body.0);
                }
                return Ok(());
            }
            Event::UpEnd {} => {
                settle(call, fingerprint, true);
                if call.answer.is_none() {
                    (call.whole_request, call.from_us) = (true, moment.at_us);
                }
                return Ok(());
            }
            Event::Response { status, headers } if call.answer.is_none() => {
                let (headers, moments) = (header_map(&headers), Vec::new());
                call.answer = Some(Answer { at_us: moment.at_us, status, headers, moments, end: None });
                return Ok(());
            }
            Event::End { how } => {
                settle(call, fingerprint, false);
                if let Some(answer) = &mut call.answer {
                    answer.end = Some((moment.at_us, how));
                }
                self.open.remove(&number);
                return Ok(());
            }
            Event::Down { .. } | Event::DownTrailers { .. } => {
                if let Some(answer) = &mut call.answer {
                    answer.moments.push(moment);
                    return Ok(());
                }
            }
            Event::UpTrailers { .. } => return Ok(()),
            Event::Request { .. } | Event::Response { .. } => {}
        }
        let got = format!("a second answer, or a body without one, in call {number}");
        Err(("one answer to a call, and its body behind it", got, EXAMPLE.to_owned()))
    }

    fn begin(
        &mut self,
        number: u64,
        at_us: u64,
        method: String,
        target: String,
        headers: &http::HeaderMap,
    ) -> Result<(), Wrong> {
        let path = target.split('?').next().unwrap_or_default();
        let fingerprint = Fingerprint::new(path, headers);
        if self.open.insert(number, (self.calls.len(), Some(fingerprint))).is_some() {
            let got = format!("a second request of call {number}");
            return Err(("one request a call", got, EXAMPLE.to_owned()));
        }
        let head = fingerprint::head(&method, &target);
        self.calls.push(Call {
            number,
            method,
            target,
            text: String::new(),
            head,
            print: None,
            whole_request: false,
            from_us: at_us,
            answer: None,
        });
        Ok(())
    }

    fn finish(mut self) -> Vec<Call> {
        for (index, mut fingerprint) in self.open.into_values() {
            settle(&mut self.calls[index], &mut fingerprint, false);
        }
        self.calls
    }
}

/// Takes down what the request's body was, if that is known.
fn settle(call: &mut Call, fingerprint: &mut Option<Fingerprint>, whole: bool) {
    if let Some(known) = fingerprint.take_if(|known| whole || known.is_settled()) {
        call.text = known.text();
        call.print = Some(known.print());
    }
}

fn title(text: &[u8]) -> Result<(), Wrong> {
    let expected = Title::of_this_build();
    match serde_json::from_slice::<Title>(text) {
        Ok(title) if title == expected => Ok(()),
        _ => {
            let example = serde_json::json!({ "format": expected.format, "version": expected.version });
            Err(("the first line of a recording", shown(text), example.to_string()))
        }
    }
}

fn shown(text: &[u8]) -> String {
    const SHOWN: usize = 80;
    let text = String::from_utf8_lossy(text);
    let text = text.trim_end();
    match text.char_indices().nth(SHOWN) {
        _ if text.is_empty() => "nothing".to_owned(),
        Some((at, _)) => format!("{:?}…", &text[..at]),
        None => format!("{text:?}"),
    }
}
