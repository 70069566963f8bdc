//! A rule: when, what and how often, under a name. Data; matching is `matcher`'s, the written forms are `record`'s
//! and `grammar`'s.

use std::time::Duration;

use super::glob::Glob;
use super::kinds::{CallFault, ConnectionFault};
use super::node::Node;
use super::position::Position;

/// Everything that a mock is told to do wrong.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct Script {
    /// What draws are made from; the same seed makes the same decisions.
    pub seed: u64,
    /// Rules of connections; the first that matches decides.
    pub connections: Vec<ConnectionRule>,
    /// Rules of calls; for each stage and position of a call the first that matches decides.
    pub calls: Vec<CallRule>,
    /// The seed was named, and is 0: without this it could not be told from none.
    pub(crate) zero_seed: bool,
    /// The scripted programs as they are written.
    pub(crate) programs_raw: Vec<Node>,
    /// The incident that it plays, as it is written.
    pub(crate) incident_raw: Option<Node>,
}

/// When a rule of either kind is in force and how often it fires.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct Often {
    /// Which of those that meet all other conditions, counted from 1 since the rule was armed.
    pub nth: Option<Nth>,
    /// Every so many of them: 3 is the third, the sixth, and so on.
    pub every: Option<u64>,
    /// The share of them, from 0 to 1, drawn from seed, rule and coordinate.
    pub probability: Option<f64>,
    /// At most so many times.
    pub times: Option<u64>,
    /// Not before this time since the rule was armed.
    pub after: Option<Duration>,
    /// Not from this time on.
    pub until: Option<Duration>,
}

/// Ordinals from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Nth {
    /// This one.
    Only(u64),
    /// From the first to the second, both included.
    Range(u64, u64),
    /// This one and all behind it.
    From(u64),
}

impl Nth {
    /// Whether the `n`th is meant.
    pub(crate) fn covers(self, n: u64) -> bool {
        match self {
            Self::Only(only) => n == only,
            Self::Range(first, last) => (first..=last).contains(&n),
            Self::From(first) => n >= first,
        }
    }
}

/// A rule of connections.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ConnectionRule {
    /// One of a kind within a script.
    pub name: String,
    /// Which connections: without `nth`, all of them.
    pub often: Often,
    /// Where the fault acts; at the start by default.
    pub at: Option<Position>,
    /// How long the rule stays, from when it is armed; as long as the script by default.
    pub ttl: Option<Duration>,
    /// What goes wrong.
    pub fault: ConnectionFault,
}

/// A rule of calls.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct CallRule {
    /// One of a kind within a script.
    pub name: String,
    /// Which calls.
    pub when: CallWhen,
    /// Which of them, and how often.
    pub often: Often,
    /// Where the fault acts; where its kind usually does, by default.
    pub at: Option<Position>,
    /// How long the rule stays, from when it is armed; as long as the script by default.
    pub ttl: Option<Duration>,
    /// What goes wrong.
    pub fault: CallFault,
}

/// What a call must be for a rule to count it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub struct CallWhen {
    /// `process.Process/Start`, `filesystem.Filesystem/*`, `GET /files`, `/memory/**` or `*`.
    pub operation: Operation,
    /// Headers of the request; each must be there and match.
    pub header: Vec<(String, Glob)>,
    /// Query parameters; each must be there and match.
    pub query: Vec<(String, Glob)>,
    /// The file, directory or watched path, as the request names it.
    pub path: Option<Glob>,
    /// The tag of the process that the call starts or selects.
    pub tag: Option<Glob>,
    /// The command that the call starts or selects, with its arguments behind blanks.
    pub command: Option<Glob>,
    /// The generation that the mock plays.
    pub generation: Option<u8>,
    /// The ordinal of the connection that the call came on.
    pub connection: Option<u64>,
}

/// What is called: a method (for REST alone) and a path, either of which may be a glob.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Operation {
    /// `*`.
    #[default]
    Any,
    /// `process.Process/Start`: the path without its leading slash.
    Rpc(Glob),
    /// `GET /files`, or `/files` with any method.
    Rest(Option<String>, Glob),
}
