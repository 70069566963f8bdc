//! Where in a call or a connection a fault acts, and the short form of that: `down[5]@3`, `stdout@4096`, `up@10`.

use std::fmt;

use serde_json::json;

use super::kinds::Place;
use super::nearest::hint;
use super::node::{Node, Problem, Value};
use super::param::{Param, from_text};
use super::source::ScriptError;
use crate::units;

/// Which envelopes, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Which {
    /// One of them.
    Nth(u64),
    /// From the first to the second, both included.
    Range(u64, u64),
    /// Each that is not END_STREAM.
    Each,
    /// The END_STREAM envelope.
    End,
}

/// What a process says, by where it comes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Output {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// A terminal.
    Pty,
}

/// Where a fault acts. Bytes count from 0: what is at byte 3 comes after three bytes; `@1MiB` is `@1048576`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Position {
    /// After so many bytes towards the client: `@1048576`.
    Down(u64),
    /// After so many bytes from the client: `up@65536`.
    Up(u64),
    /// At an envelope towards the client, after so many bytes of it, its prefix included: `down[5]@3`.
    DownEnvelope(Which, u64),
    /// At an envelope from the client, after so many bytes of it: `up[2]`.
    UpEnvelope(Which, u64),
    /// After so many bytes of output, however they were chunked: `stdout@4096`.
    Output(Output, u64),
}

impl Which {
    /// Whether the `index`th envelope, from 1, is meant.
    pub(crate) fn covers(self, index: u64, end: bool) -> bool {
        match self {
            Self::Nth(n) => n == index,
            Self::Range(first, last) => (first..=last).contains(&index),
            Self::Each => !end,
            Self::End => end,
        }
    }

    /// Whether it may mean more than one.
    pub(crate) fn is_many(self) -> bool {
        matches!(self, Self::Range(..) | Self::Each)
    }

    fn parse(text: &str) -> Option<Self> {
        let nth = |text: &str| digits(text).filter(|n| *n > 0);
        match text {
            "*" => Some(Self::Each),
            "end" => Some(Self::End),
            _ => match text.split_once("..") {
                Some((first, last)) => {
                    let (first, last) = (nth(first)?, nth(last)?);
                    (first <= last).then_some(Self::Range(first, last))
                }
                None => nth(text).map(Self::Nth),
            },
        }
    }
}

impl fmt::Display for Which {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nth(n) => n.fmt(f),
            Self::Range(first, last) => write!(f, "{first}..{last}"),
            Self::Each => f.write_str("*"),
            Self::End => f.write_str("end"),
        }
    }
}

impl Output {
    fn as_str(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
            Self::Pty => "pty",
        }
    }
}

impl Position {
    pub(crate) fn place(self) -> Place {
        match self {
            Self::Down(_) => Place::Byte,
            Self::Up(_) | Self::UpEnvelope(..) => Place::Up,
            Self::DownEnvelope(..) => Place::Envelope,
            Self::Output(..) => Place::Output,
        }
    }

    /// Reads the short form, without blanks.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (head, byte) = match text.split_once('@') {
            Some((head, byte)) => (head, units::size(byte).ok()?),
            None => (text, 0),
        };
        if let Some((direction, index)) = head.split_once('[') {
            let which = Which::parse(index.strip_suffix(']')?)?;
            return match direction {
                "down" => Some(Self::DownEnvelope(which, byte)),
                "up" => Some(Self::UpEnvelope(which, byte)),
                _ => None,
            };
        }
        if !text.contains('@') {
            return None;
        }
        match head {
            "" | "down" => Some(Self::Down(byte)),
            "up" => Some(Self::Up(byte)),
            "stdout" => Some(Self::Output(Output::Stdout, byte)),
            "stderr" => Some(Self::Output(Output::Stderr, byte)),
            "pty" => Some(Self::Output(Output::Pty, byte)),
            _ => None,
        }
    }
}

/// A number without a sign.
fn digits(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

impl std::str::FromStr for Position {
    type Err = ScriptError;

    fn from_str(text: &str) -> Result<Self, ScriptError> {
        Self::read(&Value::Text(text.to_owned()).into()).map_err(ScriptError::nowhere)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Down(byte) => write!(f, "@{byte}"),
            Self::Up(byte) => write!(f, "up@{byte}"),
            Self::DownEnvelope(which, 0) => write!(f, "down[{which}]"),
            Self::UpEnvelope(which, 0) => write!(f, "up[{which}]"),
            Self::DownEnvelope(which, byte) => write!(f, "down[{which}]@{byte}"),
            Self::UpEnvelope(which, byte) => write!(f, "up[{which}]@{byte}"),
            Self::Output(output, byte) => write!(f, "{}@{byte}", output.as_str()),
        }
    }
}

impl Param for Position {
    fn read(node: &Node) -> Result<Self, Problem> {
        from_text(node, Self::parse).map_err(|mut problem| {
            if let Value::Text(text) = &node.value {
                let head = text.split(['@', '[']).next().unwrap_or_default();
                let known = ["down", "up", "stdout", "stderr", "pty"];
                if !known.contains(&head) {
                    problem.got.push_str(&hint(head, known));
                }
            }
            problem
        })
    }

    fn write(&self) -> Option<Value> {
        Some(Value::Text(self.to_string()))
    }

    fn schema() -> serde_json::Value {
        json!({ "type": "string", "examples": ["@1048576", "up@65536", "down[5]@3", "down[end]", "stdout@4096"] })
    }

    fn expected() -> String {
        "a position such as @1048576, @1MiB, up@65536, down[5]@3, down[*], down[end] or stdout@4096"
            .to_owned()
    }

    fn example() -> String {
        "down[5]@3".to_owned()
    }
}
