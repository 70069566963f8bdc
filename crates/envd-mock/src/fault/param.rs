//! The types of what a fault is told: how each is read from a record, written into one, and described in the schema.
//! No fault is defined here.

mod content;
mod quantity;

use serde_json::json;

use super::nearest::hint;
use super::node::{Node, Problem, Value};

pub(crate) use content::as_json;
pub use content::{Json, Pairs, Payload};
pub use quantity::{HttpStatus, Length, Rate, Size, Wait};

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
pub(crate) fn near<'a>(
    node: &Node,
    known: impl IntoIterator<Item = &'a str>,
    mut problem: Problem,
) -> Problem {
    if let Value::Text(word) = &node.value {
        problem.got.push_str(&hint(word, known));
    }
    problem
}

/// Reads a parameter that is written as a text.
pub(crate) fn from_text<P: Param>(node: &Node, read: impl FnOnce(&str) -> Option<P>) -> Result<P, Problem> {
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

        impl $crate::fault::param::Param for $name {
            fn read(node: &$crate::fault::node::Node) -> Result<Self, $crate::fault::node::Problem> {
                let read = $crate::fault::param::from_text(node, |text| Self::ALL.iter().find(|one| one.as_str() == text).copied());
                read.map_err(|problem| $crate::fault::param::near(node, Self::ALL.iter().map(|one| one.as_str()), problem))
            }

            fn write(&self) -> Option<$crate::fault::node::Value> {
                Some($crate::fault::node::Value::Text(self.as_str().to_owned()))
            }

            fn schema() -> serde_json::Value {
                serde_json::json!({ "enum": [$($word),+] })
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

pub(crate) use words;

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
