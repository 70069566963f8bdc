//! Whether a call meets the conditions of a rule. Pure: what is known of the call is handed in.

use std::borrow::Cow;

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

/// Whether `call` meets all conditions but how often.
pub(crate) fn call_meets(when: &CallWhen, call: &Call<'_>) -> bool {
    unmet(when, call).is_none()
}

/// The first condition that `call` does not meet, in words; `None` when it meets them all.
pub(crate) fn unmet(when: &CallWhen, call: &Call<'_>) -> Option<String> {
    let Call { head, message, .. } = call;
    if !when.operation.matches(*head) {
        return Some(format!("{} {} is another operation", head.method(), head.path()));
    }
    if let Some(generation) = when.generation.filter(|generation| *generation != call.generation) {
        return Some(format!("generation is {}, not {generation}", call.generation));
    }
    if let Some(connection) = when.connection.filter(|connection| *connection != call.connection) {
        return Some(format!("connection is {}, not {connection}", call.connection));
    }
    for (name, glob) in &when.header {
        if let Some(why) = no_value("header", name, glob, &head.headers(name)) {
            return Some(why);
        }
    }
    for (name, glob) in &when.query {
        if let Some(why) = no_value("query", name, glob, &head.query(name)) {
            return Some(why);
        }
    }
    let path = message.path.clone().or_else(|| head.path_parameter());
    differs("path", when.path.as_ref(), path.as_deref())
        .or_else(|| differs("tag", when.tag.as_ref(), message.tag.as_deref()))
        .or_else(|| differs("command", when.command.as_ref(), message.command.as_deref()))
}

fn no_value(what: &str, name: &str, glob: &Glob, values: &[Cow<'_, str>]) -> Option<String> {
    match values.first() {
        _ if values.iter().any(|value| glob.matches(value)) => None,
        Some(value) => Some(format!("{what}.{name} is {value:?}, not {glob}")),
        None => Some(format!("{what}.{name} is missing, not {glob}")),
    }
}

fn differs(what: &str, glob: Option<&Glob>, value: Option<&str>) -> Option<String> {
    match (glob, value) {
        (None, _) => None,
        (Some(glob), Some(value)) if glob.matches(value) => None,
        (Some(glob), Some(value)) => Some(format!("{what} is {value:?}, not {glob}")),
        (Some(glob), None) => Some(format!("{what} is missing, not {glob}")),
    }
}
