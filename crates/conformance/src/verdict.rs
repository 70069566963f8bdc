//! Judging: pure functions from what was seen to a verdict. Each finding says what was expected, what was observed, and
//! in which step; nothing here acts.

use serde::Serialize;
use serde_json::Value;

use crate::observation::{Ended, Exchange, Observation};
use crate::stream::Run;
use crate::stream::envelope::{self, END_STREAM, Frame};

/// What a case comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The requirement holds.
    Pass,
    /// It does not.
    Fail(Finding),
    /// It could not be told, and why.
    Inconclusive(String),
    /// Not run: this needed case did not pass.
    Blocked(&'static str),
    /// Not run: it is not for this generation, or for what the subject lacks; and why.
    Unsupported(String),
    /// Not run, and why.
    Skip(String),
}

impl Verdict {
    /// The word that reports print.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail(_) => "fail",
            Self::Inconclusive(_) => "inconclusive",
            Self::Blocked(_) => "blocked",
            Self::Unsupported(_) => "unsupported",
            Self::Skip(_) => "skip",
        }
    }

    /// What there is to say of it, in one line; nothing of a pass.
    pub fn message(&self) -> String {
        match self {
            Self::Pass => String::new(),
            Self::Fail(finding) => format!("expected {}, observed {}", finding.expected, finding.observed),
            Self::Inconclusive(why) | Self::Unsupported(why) | Self::Skip(why) => why.clone(),
            Self::Blocked(need) => format!("{need} did not pass"),
        }
    }
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The label of the step that shows it.
    pub step: String,
    /// What the requirement asks for.
    pub expected: String,
    /// What was there.
    pub observed: String,
}

/// Why a judge does not say pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Objection {
    /// The requirement is missed.
    Wrong(Finding),
    /// What came before the claim went wrong: nothing can be said of the claim.
    Unclear(String),
}

/// What a judge says.
pub type Judged = Result<(), Objection>;

/// One exchange under a judge's eyes.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    label: &'a str,
    /// The exchange itself.
    pub exchange: &'a Exchange,
}

impl Observation {
    /// The step that the case called `label`.
    ///
    /// # Errors
    /// [`Objection::Unclear`] when the case never got there.
    pub fn at<'a>(&'a self, label: &'a str) -> Result<Seen<'a>, Objection> {
        let step = self.steps.iter().find(|step| step.label == label);
        step.map(|step| Seen { label, exchange: &step.exchange })
            .ok_or_else(|| Objection::Unclear(format!("the step {label:?} was never reached")))
    }

    /// How long what the case called `label` took.
    ///
    /// # Errors
    /// [`Objection::Unclear`] when the case never got there.
    pub fn measured(&self, label: &str) -> Result<std::time::Duration, Objection> {
        let found = self.times.get(label).copied();
        found.ok_or_else(|| Objection::Unclear(format!("the time {label:?} was never taken")))
    }
}

impl Seen<'_> {
    /// An objection to this step.
    pub fn wrong(&self, expected: impl Into<String>, observed: impl Into<String>) -> Objection {
        let (expected, observed) = (expected.into(), observed.into());
        Objection::Wrong(Finding { step: self.label.to_owned(), expected, observed })
    }

    /// Holds `what` to be `expected`.
    ///
    /// # Errors
    /// A finding, like all that follow.
    pub fn same<T: PartialEq + Serialize>(&self, what: &str, observed: T, expected: T) -> Judged {
        if observed == expected {
            return Ok(());
        }
        Err(self.wrong(format!("{what} {}", brief(&expected)), format!("{what} {}", brief(&observed))))
    }

    /// Holds that `holds`.
    ///
    /// # Errors
    /// A finding.
    pub fn holds(&self, holds: bool, expected: &str, observed: impl Serialize) -> Judged {
        if holds { Ok(()) } else { Err(self.wrong(expected, brief(&observed))) }
    }

    /// The answer is whole.
    ///
    /// # Errors
    /// A finding.
    pub fn whole(&self) -> Judged {
        match &self.exchange.ended {
            Ended::Whole => Ok(()),
            Ended::Left => Err(self.wrong("a whole answer", "the answer was still coming")),
            Ended::Cut(why) => Err(self.wrong("a whole answer", why.clone())),
            Ended::Late(after) => {
                let state = match self.exchange.status {
                    None => "nothing had come".to_owned(),
                    Some(status) => {
                        format!("{status} and {} bytes had come, and no end", self.exchange.body.len())
                    }
                };
                Err(self.wrong(format!("a whole answer within {after:?}"), state))
            }
        }
    }

    /// A whole answer with this status.
    ///
    /// # Errors
    /// A finding.
    pub fn status(&self, expected: u16) -> Judged {
        let Some(status) = self.exchange.status else {
            return self.whole().and(Err(self.wrong("a status", "none")));
        };
        if status != expected {
            let observed = format!("status {status}: {}", excerpt(&self.exchange.body));
            return Err(self.wrong(format!("status {expected}"), observed));
        }
        self.whole()
    }

    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.exchange.headers.iter();
        headers.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// All values of a header.
    pub fn headers_named(&self, name: &str) -> Vec<&str> {
        let headers = self.exchange.headers.iter();
        headers
            .filter(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
            .collect()
    }

    /// A header with this value.
    ///
    /// # Errors
    /// A finding.
    pub fn header_is(&self, name: &str, expected: &str) -> Judged {
        self.same(&format!("header {name}"), self.header(name), Some(expected))
    }

    /// The body byte for byte.
    ///
    /// # Errors
    /// A finding that names the first difference.
    pub fn body_is(&self, expected: &[u8]) -> Judged {
        self.bytes("body", &self.exchange.body, expected)
    }

    /// Bytes, byte for byte.
    ///
    /// # Errors
    /// A finding that names the first difference.
    pub fn bytes(&self, what: &str, observed: &[u8], expected: &[u8]) -> Judged {
        if observed == expected {
            return Ok(());
        }
        let at = observed.iter().zip(expected).take_while(|(a, b)| a == b).count();
        let side = |bytes: &[u8]| {
            format!(
                "{what} of {} bytes, at {at}: {}",
                bytes.len(),
                excerpt(bytes.get(at..).unwrap_or_default())
            )
        };
        Err(self.wrong(side(expected), side(observed)))
    }

    /// The text of the body holds `part`.
    ///
    /// # Errors
    /// A finding.
    pub fn says(&self, part: &str) -> Judged {
        let text = String::from_utf8_lossy(&self.exchange.body);
        self.holds(text.contains(part), &format!("a body that holds {part:?}"), &text)
    }

    /// The JSON of the body.
    ///
    /// # Errors
    /// A finding when it is none.
    pub fn json(&self) -> Result<Value, Objection> {
        serde_json::from_slice(&self.exchange.body)
            .map_err(|_| self.wrong("a JSON body", excerpt(&self.exchange.body)))
    }

    /// One field of the JSON body, by pointer; absent is null.
    ///
    /// # Errors
    /// A finding.
    pub fn field_is(&self, pointer: &str, expected: impl Into<Value>) -> Judged {
        let json = self.json()?;
        let observed = json.pointer(pointer).cloned().unwrap_or_default();
        self.same(&format!("field {pointer}"), observed, expected.into())
    }

    /// A unary RPC that went well, with its JSON.
    ///
    /// # Errors
    /// A finding.
    pub fn ok(&self) -> Result<Value, Objection> {
        self.status(200)?;
        self.json()
    }

    /// A unary Connect error with its status, code and words.
    ///
    /// # Errors
    /// A finding.
    pub fn error(&self, status: u16, code: &str, words: &str) -> Judged {
        self.status(status)?;
        self.field_is("/code", code)?;
        self.words(&self.json()?, words)
    }

    fn words(&self, error: &Value, words: &str) -> Judged {
        let message = error["message"].as_str().unwrap_or_default();
        self.holds(message.contains(words), &format!("a message that holds {words:?}"), message)
    }

    /// The envelopes of a whole stream, the last of them END_STREAM.
    ///
    /// # Errors
    /// A finding.
    pub fn frames(&self) -> Result<Vec<Frame>, Objection> {
        self.status(200)?;
        let (frames, rest) = envelope::read(&self.exchange.body);
        self.same("bytes behind the last whole envelope:", rest, 0)?;
        let last = frames.iter().position(|frame| frame.flag & END_STREAM != 0);
        self.same("END_STREAM at envelope", last, frames.len().checked_sub(1))?;
        self.holds(last.is_some(), "an END_STREAM envelope", "no envelope at all")?;
        Ok(frames)
    }

    /// The messages of a JSON stream that ended well.
    ///
    /// # Errors
    /// A finding.
    pub fn messages(&self) -> Result<Vec<Value>, Objection> {
        let mut all = self.frames_json()?;
        let end = all.pop().unwrap_or_default();
        self.same("END_STREAM", end.get("error"), None)?;
        Ok(all)
    }

    /// A stream that ended with this error.
    ///
    /// # Errors
    /// A finding.
    pub fn stream_error(&self, code: &str, words: &str) -> Judged {
        let end = self.frames_json()?.pop().unwrap_or_default();
        self.same("END_STREAM error code", end.pointer("/error/code").and_then(Value::as_str), Some(code))?;
        self.words(&end["error"], words)
    }

    fn frames_json(&self) -> Result<Vec<Value>, Objection> {
        let frames = self.frames()?;
        let read = |frame: &Frame| {
            serde_json::from_slice(&frame.data)
                .map_err(|_| self.wrong("JSON in every envelope", excerpt(&frame.data)))
        };
        frames.iter().map(read).collect()
    }

    /// A process stream that ended well.
    ///
    /// # Errors
    /// A finding.
    pub fn run(&self) -> Result<Run, Objection> {
        self.messages()?;
        Ok(Run::of(&self.exchange.body))
    }

    /// A process stream that ended well, with exit code 0.
    ///
    /// # Errors
    /// A finding that holds what the process said on stderr.
    pub fn succeeded(&self) -> Result<Run, Objection> {
        let run = self.run()?;
        let observed = (&run.end, String::from_utf8_lossy(&run.stderr));
        self.holds(run.exit_code() == Some(0), "an end event with exit code 0", observed)?;
        Ok(run)
    }
}

/// A short printable form of bytes, on one line.
pub fn excerpt(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(LONG)]);
    let show = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
    let more = if bytes.len() > LONG { "…" } else { "" };
    text.chars().map(show).chain([more.to_owned()]).collect()
}

/// What a report shows of one value, in bytes.
const LONG: usize = 400;

fn brief(value: &impl Serialize) -> String {
    excerpt(serde_json::to_string(value).unwrap_or_default().as_bytes())
}
