//! Parameters that are quantities: times, sizes, rates, lengths, statuses.

use std::time::Duration;

use serde_json::json;

use super::{Param, from_text, whole};
use crate::fault::node::{Node, Problem, Value};
use crate::units;

/// How long something takes: the same each time, or drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Wait {
    /// The same each time: `20ms`.
    Fixed(Duration),
    /// Anything in between, all equally likely: `20ms..200ms`.
    Uniform(Duration, Duration),
    /// Log-normal, by its median and the standard deviation of its logarithm: `lognormal(50ms,0.5)`.
    Lognormal(Duration, f64),
}

impl From<Duration> for Wait {
    fn from(time: Duration) -> Self {
        Self::Fixed(time)
    }
}

impl Wait {
    fn parse(text: &str) -> Option<Self> {
        let of = |text: &str| units::duration(text.trim()).ok();
        if let Some(inner) = text.strip_prefix("lognormal(") {
            let (median, sigma) = inner.strip_suffix(')')?.split_once(',')?;
            let sigma = sigma.trim().parse().ok().filter(|sigma| (0.0..=10.0).contains(sigma))?;
            return Some(Self::Lognormal(of(median)?, sigma));
        }
        match text.split_once("..") {
            Some((low, high)) => {
                let (low, high) = (of(low)?, of(high)?);
                (low <= high).then_some(Self::Uniform(low, high))
            }
            None => of(text).map(Self::Fixed),
        }
    }
}

impl std::fmt::Display for Wait {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = units::print_duration;
        match self {
            Self::Fixed(time) => f.write_str(&text(*time)),
            Self::Uniform(low, high) => write!(f, "{}..{}", text(*low), text(*high)),
            Self::Lognormal(median, sigma) => write!(f, "lognormal({},{sigma})", text(*median)),
        }
    }
}

impl Param for Wait {
    fn read(node: &Node) -> Result<Self, Problem> {
        from_text(node, Self::parse)
    }

    fn write(&self) -> Option<Value> {
        Some(Value::Text(self.to_string()))
    }

    fn schema() -> serde_json::Value {
        json!({ "type": "string", "examples": ["20ms", "20ms..200ms", "lognormal(50ms,0.5)"] })
    }

    fn expected() -> String {
        "a time such as 20ms, 20ms..200ms or lognormal(50ms,0.5)".to_owned()
    }

    fn example() -> String {
        "20ms..200ms".to_owned()
    }
}

impl Param for Duration {
    fn read(node: &Node) -> Result<Self, Problem> {
        from_text(node, |text| units::duration(text).ok())
    }

    fn write(&self) -> Option<Value> {
        Some(Value::Text(units::print_duration(*self)))
    }

    fn schema() -> serde_json::Value {
        json!({ "type": "string", "examples": ["250ms", "1.5s", "2m"] })
    }

    fn expected() -> String {
        "a duration such as 250ms, 1.5s or 2m".to_owned()
    }

    fn example() -> String {
        "250ms".to_owned()
    }
}

/// A number of bytes: `1MiB`, `4096`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

impl Param for Size {
    fn read(node: &Node) -> Result<Self, Problem> {
        from_text(node, |text| units::size(text).ok().map(Self))
    }

    fn write(&self) -> Option<Value> {
        Some(Value::Text(units::print_size(self.0)))
    }

    fn schema() -> serde_json::Value {
        json!({ "type": ["string", "integer"], "examples": ["1MiB", "4096"] })
    }

    fn expected() -> String {
        "a size such as 64KiB, 10MB or 512".to_owned()
    }

    fn example() -> String {
        "64KiB".to_owned()
    }
}

/// Bytes a second, at least one: `64KiB/s`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rate(pub u64);

impl Param for Rate {
    fn read(node: &Node) -> Result<Self, Problem> {
        from_text(node, |text| units::size(text.strip_suffix("/s")?).ok().filter(|rate| *rate > 0).map(Self))
    }

    fn write(&self) -> Option<Value> {
        Some(Value::Text(format!("{}/s", units::print_size(self.0))))
    }

    fn schema() -> serde_json::Value {
        json!({ "type": "string", "pattern": "/s$", "examples": ["64KiB/s"] })
    }

    fn expected() -> String {
        "a rate such as 64KiB/s".to_owned()
    }

    fn example() -> String {
        "64KiB/s".to_owned()
    }
}

/// An HTTP status from 200 to 599.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HttpStatus(pub u16);

impl Param for HttpStatus {
    fn read(node: &Node) -> Result<Self, Problem> {
        from_text(node, |text| text.parse().ok().filter(|code| (200..600).contains(code)).map(Self))
    }

    fn write(&self) -> Option<Value> {
        Some(Value::Number(self.0.into()))
    }

    fn schema() -> serde_json::Value {
        whole(200, 599)
    }

    fn expected() -> String {
        "an HTTP status from 200 to 599".to_owned()
    }

    fn example() -> String {
        "503".to_owned()
    }
}

/// A length, or how far it is off: `100`, `+5`, `-5`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Length {
    /// This length.
    Exactly(u64),
    /// Longer than the truth.
    Longer(u64),
    /// Shorter than the truth.
    Shorter(u64),
}

impl Length {
    fn parse(text: &str) -> Option<Self> {
        match text.split_at_checked(1)? {
            ("+", by) => units::size(by).ok().map(Self::Longer),
            ("-", by) => units::size(by).ok().map(Self::Shorter),
            _ => units::size(text).ok().map(Self::Exactly),
        }
    }

    /// What is said of something that is `truth` long.
    pub(crate) fn of(self, truth: u64) -> u64 {
        match self {
            Self::Exactly(length) => length,
            Self::Longer(by) => truth.saturating_add(by),
            Self::Shorter(by) => truth.saturating_sub(by),
        }
    }
}

impl Param for Length {
    fn read(node: &Node) -> Result<Self, Problem> {
        from_text(node, Self::parse)
    }

    fn write(&self) -> Option<Value> {
        Some(Value::Text(match self {
            Self::Exactly(length) => length.to_string(),
            Self::Longer(by) => format!("+{by}"),
            Self::Shorter(by) => format!("-{by}"),
        }))
    }

    fn schema() -> serde_json::Value {
        json!({ "type": ["string", "integer"], "examples": ["100", "+5", "-5"] })
    }

    fn expected() -> String {
        "a length such as 100 or 1MiB, or a difference such as +5 or -5".to_owned()
    }

    fn example() -> String {
        "+5".to_owned()
    }
}
