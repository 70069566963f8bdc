//! What a mutant is: one seeded bug, as data. Moves no bytes.

use envd_mock::Defect;
use serde_json::Value;

use super::frames::Passing;
use super::http::{Answer, Call, Request};

/// A mock with one bug.
#[derive(Debug, Clone, Copy)]
pub struct Mutant {
    /// `part/what`; it never changes once published.
    pub id: &'static str,
    /// The bug, in one line.
    pub bug: &'static str,
    /// How it comes about.
    pub change: Change,
}

/// A change of requests on their way to the mock.
pub(super) type OnRequest = fn(&Call, &mut Request);
/// A change of whole answers on their way back.
pub(super) type OnAnswer = fn(&Call, &mut Answer);
/// What goes on in the place of one message of a JSON stream, with its flag.
pub(super) type OnFrame = fn(&mut Passing, u8, Value) -> Vec<(u8, Value)>;

/// What goes on in the place of the bytes of one chunk of a request.
pub(super) type OnChunk = fn(&[u8]) -> Vec<u8>;
/// Whether a connection that begins with these bytes of HTTP/2 is served.
pub(super) type OnHttp2 = fn(&Call, &[u8]) -> bool;

/// What is changed, and for which calls: those whose method, a blank and target begin with the text, or whose target
/// does if the text begins with a slash.
#[derive(Debug, Clone, Copy)]
pub enum Change {
    /// Nothing: the proxy itself must not be what is caught.
    Nothing,
    /// Requests.
    Request(&'static str, OnRequest),
    /// Answers, each when it is whole; of a stream only the head.
    Answer(&'static str, OnAnswer),
    /// Answers and streams are held back until they are whole.
    Held(&'static str),
    /// The messages of streams that are JSON, as the last one always is.
    Frames(&'static str, OnFrame),
    /// The chunks of requests, each as it comes.
    Chunks(&'static str, OnChunk),
    /// Connections of HTTP/2 that are closed instead of being served.
    Http2(OnHttp2),
    /// A shell script in the guest before a call, and one before its answer. `$1` is the path of which the call speaks,
    /// and `$2` the one that something is moved from.
    Aside(&'static str, &'static str, &'static str),
    /// A rule of the mock's own fault script. Calls over HTTP/2 have the header `x-over: http2` for it.
    Fault(&'static str),
    /// A defect that real builds were seen to have, by the mock's own switch.
    Defect(Defect),
}

impl Change {
    /// Whether a call with this method and target can show it.
    pub fn reaches(&self, method: &str, target: &str) -> bool {
        match self {
            Self::Nothing => false,
            Self::Request(calls, _)
            | Self::Answer(calls, _)
            | Self::Frames(calls, _)
            | Self::Chunks(calls, _)
            | Self::Held(calls)
            | Self::Aside(calls, _, _) => of(calls, method, target),
            Self::Defect(_) | Self::Http2(_) => true,
            Self::Fault(rule) => is_of(operation(rule), method, target),
        }
    }
}

fn is_of(operation: &str, method: &str, target: &str) -> bool {
    target.trim_start_matches('/').starts_with(operation) || of(operation, method, target)
}

/// A text that ends within a name is of no call: `/files` is not the beginning of `/filesystem.Filesystem/Stat`.
fn of(calls: &str, method: &str, target: &str) -> bool {
    let begins = |call: &str| {
        let rest = call.strip_prefix(calls);
        rest.is_some_and(|rest| calls.ends_with('/') || !rest.starts_with(char::is_alphanumeric))
    };
    begins(target) || begins(&format!("{method} {target}"))
}

/// The calls of a fault rule, as far as its operation is no glob: a route, or an RPC without its slash. The empty text is
/// of all calls.
fn operation(rule: &'static str) -> &'static str {
    let words: Vec<&str> = rule.split_whitespace().collect();
    let operation = match words.as_slice() {
        [method, path, ..] if path.starts_with('/') => rule.get(..method.len() + 1 + path.len()),
        [rpc, ..] if rpc.contains('/') => rule.get(..rpc.len()),
        _ => None,
    };
    let operation = operation.unwrap_or_default();
    operation[..operation.find('*').unwrap_or(operation.len())].trim_end_matches(':')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_reaches_the_calls_that_it_names() {
        let change = Change::Request("POST /files", |_, _| {});
        assert!(change.reaches("POST", "/files?path=a") && !change.reaches("GET", "/files"));
        assert!(change.reaches("POST", "/files") && !change.reaches("POST", "/filesystem.Filesystem/Stat"));
        let change = Change::Fault("GET /files @3: cut");
        assert!(change.reaches("GET", "/files") && !change.reaches("GET", "/health"));
        assert!(Change::Fault("process.Process/Start #2: hang").reaches("POST", "/process.Process/Start"));
    }
}
