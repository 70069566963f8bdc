//! The types of what a fault is told: how each is read from a record, written into one, and described in the schema.
//! No fault is defined here.

use std::time::Duration;

use serde_json::json;

use super::nearest::hint;
use super::node::{Node, Problem, Value};
use crate::units;

/// One parameter of a fault, or one condition of a rule.
pub(crate) trait Param: Sized {
    /// Reads it; the problem names the place.
    fn read(node: &Node) -> Result<Self, Problem>;
    /// What stands for it in a record; `None` where it is left out.
    fn write(&self) -> Option<Value>;
    /// The JSON Schema of [`Param::write`].
    fn schema() -> serde_json::Value;
    /// What it is when the record leaves it out; `None` when it must not.
    fn missing() -> Option<Self> {
        None
    }
    /// What was expected, for a message.
    fn expected() -> String;
    /// Something that can be read.
    fn example() -> String;
}

pub(super) fn problem<P: Param>(node: &Node) -> Problem {
    Problem::new(node.at.clone(), P::expected(), node.value.to_string(), P::example())
}

/// The problem with the word that was meant, if there is one that is near.
fn near<'a>(node: &Node, known: impl IntoIterator<Item = &'a str>, mut problem: Problem) -> Problem {
    if let Value::Text(word) = &node.value {
        problem.got.push_str(&hint(word, known));
    }
    problem
}

/// Reads a parameter that is written as a text.
pub(super) fn from_text<P: Param>(node: &Node, read: impl FnOnce(&str) -> Option<P>) -> Result<P, Problem> {
    match &node.value {
        Value::Text(text) => read(text).ok_or_else(|| problem::<P>(node)),
        Value::Number(number) => read(&number.to_string()).ok_or_else(|| problem::<P>(node)),
        _ => Err(problem::<P>(node)),
    }
}

/// The schema of a whole number, which may be written as a text as well.
pub(super) fn whole(
    minimum: impl Into<serde_json::Value>,
    maximum: impl Into<serde_json::Value>,
) -> serde_json::Value {
    json!({
        "type": ["integer", "string"],
        "minimum": minimum.into(),
        "maximum": maximum.into(),
        "pattern": "^-?[0-9]+$",
    })
}

impl<P: Param> Param for Option<P> {
    fn read(node: &Node) -> Result<Self, Problem> {
        P::read(node).map(Some)
    }

    fn write(&self) -> Option<Value> {
        self.as_ref().and_then(P::write)
    }

    fn schema() -> serde_json::Value {
        P::schema()
    }

    fn missing() -> Option<Self> {
        Some(None)
    }

    fn expected() -> String {
        P::expected()
    }

    fn example() -> String {
        P::example()
    }
}

impl Param for String {
    fn read(node: &Node) -> Result<Self, Problem> {
        match &node.value {
            Value::Text(text) => Ok(text.clone()),
            Value::Number(number) => Ok(number.to_string()),
            _ => Err(problem::<Self>(node)),
        }
    }

    fn write(&self) -> Option<Value> {
        Some(Value::Text(self.clone()))
    }

    fn schema() -> serde_json::Value {
        json!({ "type": ["string", "integer"] })
    }

    fn expected() -> String {
        "a text".to_owned()
    }

    fn example() -> String {
        "\"no space left\"".to_owned()
    }
}

macro_rules! whole_number {
    ($($type:ty: $expected:literal, $example:literal;)*) => { $(
        impl Param for $type {
            fn read(node: &Node) -> Result<Self, Problem> {
                from_text(node, |text| text.parse().ok())
            }

            fn write(&self) -> Option<Value> {
                Some(i64::try_from(*self).map_or_else(|_| Value::Text(self.to_string()), Value::Number))
            }

            fn schema() -> serde_json::Value {
                whole(<$type>::MIN, <$type>::MAX)
            }

            fn expected() -> String {
                $expected.to_owned()
            }

            fn example() -> String {
                $example.to_owned()
            }
        }
    )* };
}

whole_number! {
    u8: "a number from 0 to 255", "3";
    u32: "a whole number", "1";
    u64: "a whole number", "2";
    i32: "a whole number, which may be negative", "137";
}

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

/// Defines an enum of names.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident: $expected:literal { $($(#[doc = $doc:literal])+ $variant:ident = $word:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $name { $($(#[doc = $doc])+ $variant,)+ }

        impl $name {
            /// All of them.
            pub(crate) const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// As it is written.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }
        }

        impl Param for $name {
            fn read(node: &Node) -> Result<Self, Problem> {
                let read = from_text(node, |text| Self::ALL.iter().find(|one| one.as_str() == text).copied());
                read.map_err(|problem| near(node, Self::ALL.iter().map(|one| one.as_str()), problem))
            }

            fn write(&self) -> Option<Value> {
                Some(Value::Text(self.as_str().to_owned()))
            }

            fn schema() -> serde_json::Value {
                json!({ "enum": [$($word),+] })
            }

            fn expected() -> String {
                let words: Vec<&str> = Self::ALL.iter().map(|one| one.as_str()).collect();
                format!("{} ({})", $expected, words.join(", "))
            }

            fn example() -> String {
                Self::ALL[0].as_str().to_owned()
            }
        }
    };
}

words! {
    /// A code of the Connect specification ("Error codes").
    Code: "a Connect code" {
        /// The operation was cancelled.
        Canceled = "canceled",
        /// Of no known kind.
        Unknown = "unknown",
        /// The request is not valid, whatever the state.
        InvalidArgument = "invalid_argument",
        /// The deadline came first.
        DeadlineExceeded = "deadline_exceeded",
        /// What was asked for is not there.
        NotFound = "not_found",
        /// What was to be made is already there.
        AlreadyExists = "already_exists",
        /// The caller may not do this.
        PermissionDenied = "permission_denied",
        /// Something is used up.
        ResourceExhausted = "resource_exhausted",
        /// The state does not allow it.
        FailedPrecondition = "failed_precondition",
        /// It was aborted, often by a conflict.
        Aborted = "aborted",
        /// Past the valid range.
        OutOfRange = "out_of_range",
        /// Not implemented.
        Unimplemented = "unimplemented",
        /// Something broke inside.
        Internal = "internal",
        /// Not now; a retry may help.
        Unavailable = "unavailable",
        /// Data is lost beyond repair.
        DataLoss = "data_loss",
        /// Nobody knows who the caller is.
        Unauthenticated = "unauthenticated",
    }
}

words! {
    /// A signal by its POSIX name.
    Signal: "a signal" {
        /// Cannot be caught.
        Kill = "SIGKILL",
        /// Asks to end.
        Term = "SIGTERM",
        /// Interrupt from the keyboard.
        Int = "SIGINT",
        /// A bad memory access.
        Segv = "SIGSEGV",
        /// Abnormal end.
        Abrt = "SIGABRT",
        /// Hang-up.
        Hup = "SIGHUP",
    }
}

words! {
    /// An error of a system call by its POSIX name.
    Errno: "an errno" {
        /// Resource temporarily unavailable.
        Again = "EAGAIN",
        /// Cannot allocate memory.
        NoMem = "ENOMEM",
        /// Permission denied.
        Acces = "EACCES",
        /// Too many open files in system.
        NFile = "ENFILE",
        /// Too many open files.
        MFile = "EMFILE",
        /// Input/output error.
        Io = "EIO",
    }
}

words! {
    /// What becomes of the processes when the daemon crashes.
    Processes: "what becomes of the processes" {
        /// They are killed.
        Lose = "lose",
        /// They go on and can be connected to.
        Keep = "keep",
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
            ("+", by) => by.parse().ok().map(Self::Longer),
            ("-", by) => by.parse().ok().map(Self::Shorter),
            _ => text.parse().ok().map(Self::Exactly),
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
        "a length such as 100, or a difference such as +5 or -5".to_owned()
    }

    fn example() -> String {
        "+5".to_owned()
    }
}

/// Bytes: a text, or `base64:` and base64 of the standard alphabet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payload(pub Vec<u8>);

impl Payload {
    fn parse(text: &str) -> Option<Self> {
        use base64::Engine as _;
        let standard = base64::engine::general_purpose::STANDARD;
        match text.strip_prefix("base64:") {
            Some(encoded) => standard.decode(encoded).ok().map(Self),
            None => Some(Self(text.as_bytes().to_vec())),
        }
    }
}

impl Param for Payload {
    fn read(node: &Node) -> Result<Self, Problem> {
        from_text(node, Self::parse)
    }

    fn write(&self) -> Option<Value> {
        use base64::Engine as _;
        let standard = base64::engine::general_purpose::STANDARD;
        let unprintable = |c: char| c.is_control() && c != '\n' && c != '\t';
        let fits = |text: &&str| !text.starts_with("base64:") && !text.contains(unprintable);
        let plain = std::str::from_utf8(&self.0).ok().filter(fits);
        let text = plain.map_or_else(|| format!("base64:{}", standard.encode(&self.0)), str::to_owned);
        Some(Value::Text(text))
    }

    fn schema() -> serde_json::Value {
        json!({ "type": ["string", "integer"], "examples": ["{}", "base64:AAEC"] })
    }

    fn expected() -> String {
        "bytes as a text, or base64: and their base64".to_owned()
    }

    fn example() -> String {
        "base64:AAEC".to_owned()
    }
}

/// Names with texts, such as headers; what is read is in the order of the names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pairs(pub Vec<(String, String)>);

impl Param for Pairs {
    fn read(node: &Node) -> Result<Self, Problem> {
        let Value::Table(table) = &node.value else { return Err(problem::<Self>(node)) };
        let pair = |entry: &super::node::Entry| Ok((entry.key.clone(), String::read(&entry.node)?));
        let mut pairs: Vec<_> = table.entries.iter().map(pair).collect::<Result<_, Problem>>()?;
        pairs.sort();
        Ok(Self(pairs))
    }

    fn write(&self) -> Option<Value> {
        let mut table = super::node::Table::default();
        for (name, text) in &self.0 {
            table.put(name, Value::Text(text.clone()));
        }
        (!self.0.is_empty()).then_some(Value::Table(table))
    }

    fn schema() -> serde_json::Value {
        json!({ "type": "object", "additionalProperties": String::schema() })
    }

    fn missing() -> Option<Self> {
        Some(Self::default())
    }

    fn expected() -> String {
        "a table of names and texts".to_owned()
    }

    fn example() -> String {
        "{ retry-after = \"1\" }".to_owned()
    }
}

/// Any JSON value, written as such or as a text that holds it.
#[derive(Debug, Clone, PartialEq)]
pub struct Json(pub serde_json::Value);

impl Param for Json {
    fn read(node: &Node) -> Result<Self, Problem> {
        match &node.value {
            Value::Text(text) => serde_json::from_str(text).map(Self).map_err(|_| problem::<Self>(node)),
            _ => Ok(Self(as_json(&node.value))),
        }
    }

    fn write(&self) -> Option<Value> {
        Some(Value::Text(self.0.to_string()))
    }

    fn schema() -> serde_json::Value {
        json!({ "description": "a JSON value, or a text that holds one" })
    }

    fn expected() -> String {
        "a JSON value".to_owned()
    }

    fn example() -> String {
        "'[{\"mem_used\":1}]'".to_owned()
    }
}

/// The same value in JSON.
pub(crate) fn as_json(value: &Value) -> serde_json::Value {
    match value {
        Value::Text(text) => json!(text),
        Value::Number(number) => json!(number),
        Value::Fraction(fraction) => json!(fraction),
        Value::Flag(flag) => json!(flag),
        Value::Null => serde_json::Value::Null,
        Value::List(list) => list.iter().map(|node| as_json(&node.value)).collect(),
        Value::Table(table) => table
            .entries
            .iter()
            .map(|entry| (entry.key.clone(), as_json(&entry.node.value)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
    }
}
