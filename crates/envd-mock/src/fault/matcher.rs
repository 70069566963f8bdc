//! Whether a call meets the conditions of a rule. Pure: what is known of the call is handed in.

use std::borrow::Cow;
use std::fmt;

use super::glob::Glob;
use super::rule::{CallWhen, Operation};

/// The head of a request, as far as rules look at it.
pub(crate) trait Head {
    /// Such as `POST`.
    fn method(&self) -> &str;
    /// With its leading slash, without the query.
    fn path(&self) -> &str;
    /// Whether an RPC is called.
    fn is_rpc(&self) -> bool;
    /// The values of a header, by its name in any case.
    fn headers(&self, name: &str) -> Vec<Cow<'_, str>>;
    /// The decoded values of a query parameter.
    fn query(&self, name: &str) -> Vec<Cow<'_, str>>;

    /// The names of its headers, each once, in lower case.
    fn header_names(&self) -> Vec<Cow<'_, str>>;
    /// The decoded names of its query parameters, each once.
    fn query_names(&self) -> Vec<Cow<'_, str>>;

    /// `process.Process/Start`, or `GET /files`.
    fn operation(&self) -> String {
        match self.path().strip_prefix('/').filter(|_| self.is_rpc()) {
            Some(rpc) => rpc.to_owned(),
            None => format!("{} {}", self.method(), self.path()),
        }
    }

    /// The path that the query names.
    fn path_parameter(&self) -> Option<String> {
        self.query("path").first().map(|path| path.clone().into_owned())
    }
}

/// What is known of a call when its faults are chosen.
pub(crate) struct Call<'c> {
    pub(crate) head: &'c dyn Head,
    pub(crate) message: &'c Message,
    pub(crate) generation: u8,
    pub(crate) connection: u64,
    /// The coordinate that the client gave it.
    pub(crate) name: Option<&'c str>,
}

impl Call<'_> {
    /// The file, directory or watched path.
    pub(crate) fn path(&self) -> Option<Cow<'_, str>> {
        let named = self.message.path.as_deref().map(Cow::Borrowed);
        named.or_else(|| self.head.path_parameter().map(Cow::Owned))
    }
}

/// What the first message of a call says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Message {
    /// The file, directory or watched path.
    pub(crate) path: Option<String>,
    /// The process that is started or selected.
    pub(crate) tag: Option<String>,
    /// The command that is started, with its arguments behind blanks.
    pub(crate) command: Option<String>,
}

impl Operation {
    pub(crate) fn matches(&self, head: &dyn Head) -> bool {
        match self {
            Self::Any => true,
            Self::Rpc(glob) => head.path().strip_prefix('/').is_some_and(|path| glob.matches(path)),
            Self::Rest(method, glob) => {
                method.as_deref().is_none_or(|method| method == head.method()) && glob.matches(head.path())
            }
        }
    }
}

/// Whether `call` meets all conditions but its operation and how often.
pub(crate) fn conditions_met(when: &CallWhen, call: &Call<'_>) -> bool {
    conditions(when, call, |_| ()).is_none()
}

/// The first condition that `call` does not meet, in words; `None` when it meets them all.
pub(crate) fn unmet(when: &CallWhen, call: &Call<'_>) -> Option<String> {
    let head = call.head;
    if !when.operation.matches(head) {
        return Some(format!("{} {} is another operation", head.method(), head.path()));
    }
    conditions(when, call, |unmet| unmet.to_string())
}

/// A condition that a call does not meet.
enum Unmet<'c> {
    Number(&'static str, u64, u64),
    /// What it is about, its name where it has one, what was seen, and what was expected.
    Text(&'static str, Option<&'c str>, Option<&'c str>, &'c Glob),
}

/// What `tell` makes of the first condition but the operation that `call` does not meet. Nothing is put into words before
/// it is known to be needed: most rules do not match most calls.
fn conditions<R>(when: &CallWhen, call: &Call<'_>, tell: impl Fn(Unmet<'_>) -> R) -> Option<R> {
    let Call { head, message, .. } = call;
    if let Some(generation) = when.generation.filter(|generation| *generation != call.generation) {
        return Some(tell(Unmet::Number("generation", call.generation.into(), generation.into())));
    }
    if let Some(connection) = when.connection.filter(|connection| *connection != call.connection) {
        return Some(tell(Unmet::Number("connection", call.connection, connection)));
    }
    let headers = when.header.iter().map(|(name, glob)| ("header", name, glob, head.headers(name)));
    let queries = when.query.iter().map(|(name, glob)| ("query", name, glob, head.query(name)));
    for (what, name, glob, values) in headers.chain(queries) {
        if !values.iter().any(|value| glob.matches(value)) {
            return Some(tell(Unmet::Text(what, Some(name), values.first().map(|value| &**value), glob)));
        }
    }
    let differs = |what, glob: Option<&Glob>, value: Option<&str>| {
        let glob = glob.filter(|glob| !value.is_some_and(|value| glob.matches(value)))?;
        Some(tell(Unmet::Text(what, None, value, glob)))
    };
    let path = when.path.as_ref().and_then(|_| call.path());
    differs("path", when.path.as_ref(), path.as_deref())
        .or_else(|| differs("tag", when.tag.as_ref(), message.tag.as_deref()))
        .or_else(|| differs("command", when.command.as_ref(), message.command.as_deref()))
}

impl fmt::Display for Unmet<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(what, seen, expected) => write!(f, "{what} is {seen}, not {expected}"),
            Self::Text(what, name, seen, expected) => {
                f.write_str(what)?;
                if let Some(name) = name {
                    write!(f, ".{name}")?;
                }
                match seen {
                    Some(seen) => write!(f, " is {seen:?}, not {expected}"),
                    None => write!(f, " is missing, not {expected}"),
                }
            }
        }
    }
}
