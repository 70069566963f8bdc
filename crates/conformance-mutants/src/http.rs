//! Requests and answers as mutants change them: a head as text, a body as bytes, and lengths that fit again afterwards.
//! Knows no socket, and only what the kit sends.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use conformance::stream::envelope;

/// What a mutant keeps from one call to the next.
pub(super) type Kept = Arc<Mutex<BTreeMap<String, Vec<u8>>>>;

/// What a change may know of the call.
#[derive(Debug, Clone, Default)]
pub struct Call {
    /// The request's method.
    pub method: String,
    /// The request's target: path and query.
    pub target: String,
    head: String,
    kept: Kept,
}

impl Call {
    pub(super) fn of(head: &str, kept: &Kept) -> Self {
        let mut words = head.split(' ').map(str::to_owned);
        let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let call = Self { method, target, head: head.to_owned(), kept: Arc::clone(kept) };
        call.kept().insert(format!("asked {} {}", call.method, call.target), Vec::new());
        call
    }

    /// Whether the request's head has this text.
    pub fn heads(&self, text: &str) -> bool {
        self.head.contains(text)
    }

    /// The Content-Length of the request; 0 if it tells none.
    pub fn length(&self) -> u64 {
        header(&self.head, "content-length").and_then(|value| value.parse().ok()).unwrap_or(0)
    }

    /// Whether there was such a call, this one included: its method, a blank and its target.
    pub fn asked(&self, call: &str) -> bool {
        self.kept().contains_key(&format!("asked {call}"))
    }

    /// What the mutant keeps.
    pub fn kept(&self) -> MutexGuard<'_, BTreeMap<String, Vec<u8>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many calls have asked this under this name, from 1.
    pub fn nth(&self, name: &str) -> usize {
        let mut kept = self.kept();
        let seen = kept.entry(name.to_owned()).or_default();
        seen.push(0);
        seen.len()
    }
}

/// A request that was read to its end; of one in chunks, only the head.
#[derive(Debug)]
pub struct Request {
    head: String,
    body: Vec<u8>,
}

impl Request {
    pub(super) fn new(head: Vec<u8>, body: Vec<u8>) -> Self {
        Self { head: latin(&head), body }
    }

    /// The target: path and query.
    pub fn target(&self) -> &str {
        self.head.split(' ').nth(1).unwrap_or_default()
    }

    /// Whether the head has this text.
    pub fn heads(&self, text: &str) -> bool {
        self.head.contains(text)
    }

    /// Whether the body has this text.
    pub fn says(&self, text: &str) -> bool {
        find(&self.body, text.as_bytes()).is_some()
    }

    /// Replaces text in the head.
    pub fn head(&mut self, from: &str, to: &str) {
        self.head = self.head.replace(from, to);
    }

    /// Gives one more header.
    pub fn with(&mut self, name: &str, value: &str) {
        self.head = format!("{}\r\n{name}: {value}\r\n\r\n", self.head.trim_end());
    }

    /// Replaces text in the body.
    pub fn body(&mut self, from: &str, to: &str) {
        self.body = replaced(&self.body, from.as_bytes(), to.as_bytes());
    }

    /// The body's bytes.
    pub fn bytes_mut(&mut self) -> &mut Vec<u8> {
        &mut self.body
    }

    /// Each message in JSON, changed: the body, or what is in its envelopes.
    pub fn json(&mut self, edit: impl Fn(&mut Value)) {
        if serde_json::from_slice::<Value>(&self.body).is_ok() {
            self.body = changed(&self.body, &edit);
            return;
        }
        let (frames, rest) = envelope::read(&self.body);
        let tail = self.body.split_off(self.body.len() - rest);
        let edited = frames.iter().flat_map(|frame| match frame.flag {
            0 => envelope::write(0, &changed(&frame.data, &edit)),
            flag => envelope::write(flag, &frame.data),
        });
        self.body = edited.chain(tail).collect();
    }

    /// The messages of a stream in JSON, changed as a whole.
    pub fn messages(&mut self, edit: impl Fn(&mut Vec<Value>)) {
        let (frames, rest) = envelope::read(&self.body);
        if frames.is_empty() || rest > 0 {
            return;
        }
        let read = frames.iter().map(|frame| serde_json::from_slice(&frame.data).ok());
        let Some(mut messages) = read.collect::<Option<Vec<Value>>>() else { return };
        let before = messages.clone();
        edit(&mut messages);
        messages.iter_mut().for_each(|message| without_nulls(message, &Value::Null));
        if messages == before {
            return;
        }
        let write = |message: &Value| envelope::write(0, message.to_string().as_bytes());
        self.body = messages.iter().flat_map(write).collect();
    }

    /// The path of which the request speaks, and the one that something is moved from.
    pub(super) fn paths(&self) -> [String; 2] {
        let target = self.head.split(' ').nth(1).unwrap_or_default();
        let query = target.split_once('?').map_or("", |(_, query)| query);
        let of_query = query.split('&').find_map(|pair| pair.strip_prefix("path=")).map(unescaped);
        let message: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        let text = |name: &str| message[name].as_str().map(str::to_owned);
        let path = of_query.or_else(|| text("path")).or_else(|| text("destination"));
        [path.unwrap_or_default(), text("source").unwrap_or_default()]
    }

    pub(super) fn into_bytes(self, unchanged: usize) -> Vec<u8> {
        let head =
            if self.body.len() == unchanged { self.head } else { measured(&self.head, self.body.len()) };
        [head.chars().filter_map(|c| u8::try_from(u32::from(c)).ok()).collect(), self.body].concat()
    }
}

/// An answer that was read to its end.
#[derive(Debug)]
pub struct Answer {
    head: String,
    body: Vec<u8>,
    chunked: bool,
}

impl Answer {
    pub(super) fn new(head: &[u8], body: Vec<u8>, chunked: bool) -> Self {
        Self { head: latin(head), body, chunked }
    }

    /// Whether the status is this one.
    pub fn is(&self, status: &str) -> bool {
        self.head.split(' ').nth(1) == Some(status)
    }

    /// Whether the body has this text.
    pub fn says(&self, text: &str) -> bool {
        find(&self.body, text.as_bytes()).is_some()
    }

    /// Gives it another status.
    pub fn status(&mut self, status: &str) {
        let rest = self.head.split_once("\r\n").map_or("", |(_, rest)| rest);
        self.head = format!("HTTP/1.1 {status}\r\n{rest}");
    }

    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.head, name)
    }

    /// Replaces text in the head.
    pub fn head(&mut self, from: &str, to: &str) {
        self.head = self.head.replace(from, to);
    }

    /// Takes a header away.
    pub fn without(&mut self, name: &str) {
        let of_name = |line: &&str| !line.to_ascii_lowercase().starts_with(&format!("{name}:"));
        self.head = self.head.split("\r\n").filter(of_name).collect::<Vec<_>>().join("\r\n");
    }

    /// Gives a header this value, in place of the one that it has.
    pub fn with(&mut self, name: &str, value: &str) {
        self.without(name);
        self.head = format!("{}\r\n{name}: {value}\r\n\r\n", self.head.trim_end());
    }

    /// Replaces text in the body.
    pub fn body(&mut self, from: &str, to: &str) {
        self.body = replaced(&self.body, from.as_bytes(), to.as_bytes());
    }

    /// The body's bytes.
    pub fn bytes_mut(&mut self) -> &mut Vec<u8> {
        &mut self.body
    }

    /// The body as JSON, changed.
    pub fn json(&mut self, edit: impl Fn(&mut Value)) {
        self.body = changed(&self.body, &edit);
    }

    pub(super) fn into_bytes(self, unchanged: usize) -> Vec<u8> {
        if self.chunked {
            let size = format!("{:x}\r\n", self.body.len());
            let chunk = if self.body.is_empty() {
                Vec::new()
            } else {
                [size.as_bytes(), &self.body, b"\r\n"].concat()
            };
            return [self.head.as_bytes(), &chunk, b"0\r\n\r\n"].concat();
        }
        let head =
            if self.body.len() == unchanged { self.head } else { measured(&self.head, self.body.len()) };
        [head.chars().filter_map(|c| u8::try_from(u32::from(c)).ok()).collect(), self.body].concat()
    }
}

/// One char for each byte, so that what is no text comes back as it was.
fn latin(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

/// A message after a change; what the change leaves alone, and what is no JSON, keeps its bytes.
fn changed(bytes: &[u8], edit: &impl Fn(&mut Value)) -> Vec<u8> {
    let Ok(before) = serde_json::from_slice::<Value>(bytes) else { return bytes.to_vec() };
    let mut after = before.clone();
    edit(&mut after);
    without_nulls(&mut after, &before);
    if after == before { bytes.to_vec() } else { after.to_string().into_bytes() }
}

/// A look at a field that is not there makes it null: that is no change.
pub(super) fn without_nulls(after: &mut Value, before: &Value) {
    match after {
        Value::Object(fields) => {
            fields.retain(|name, value| !value.is_null() || before.get(name).is_some_and(Value::is_null));
            fields.iter_mut().for_each(|(name, value)| without_nulls(value, &before[name]));
        }
        Value::Array(items) => {
            items.iter_mut().enumerate().for_each(|(at, item)| without_nulls(item, &before[at]));
        }
        _ => {}
    }
}

/// A head that tells this length.
fn measured(head: &str, length: usize) -> String {
    let is_length = |line: &str| line.to_ascii_lowercase().starts_with("content-length:");
    let told =
        |line: &str| if is_length(line) { format!("content-length: {length}") } else { line.to_owned() };
    head.split("\r\n").map(told).collect::<Vec<_>>().join("\r\n")
}

/// What percent signs in a query stand for.
fn unescaped(text: &str) -> String {
    let (mut out, mut rest) = (Vec::new(), text.as_bytes());
    while let Some((first, more)) = rest.split_first() {
        let code = more.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        match (first, code.and_then(|digits| u8::from_str_radix(digits, 16).ok())) {
            (b'%', Some(byte)) => {
                out.push(byte);
                rest = &more[2..];
            }
            _ => {
                out.push(*first);
                rest = more;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// The bytes with `to` wherever `from` was.
pub(super) fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let (mut out, mut rest) = (Vec::with_capacity(bytes.len()), bytes);
    while let Some(at) = find(rest, from) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(to);
        rest = &rest[at + from.len()..];
    }
    out.extend_from_slice(rest);
    out
}

/// Where `what` is in `bytes`.
pub(super) fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

/// The value of a header in a head of any case.
pub(super) fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let lines = head.split("\r\n").filter_map(|line| line.split_once(':'));
    let mut of_name = lines.filter(|(known, _)| known.eq_ignore_ascii_case(name));
    of_name.next().map(|(_, value)| value.trim())
}

/// Takes a whole chunk from the front: `Some` of none is the last one.
pub(super) fn chunk(rest: &mut Vec<u8>) -> Option<Vec<u8>> {
    let line = find(rest, b"\r\n")?;
    let size = usize::from_str_radix(std::str::from_utf8(&rest[..line]).ok()?, 16).ok()?;
    if rest.len() < line + 2 + size + 2 {
        return None;
    }
    let data = rest[line + 2..line + 2 + size].to_vec();
    rest.drain(..line + 2 + size + 2);
    Some(data)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\nx: y\r\n\r\n";

    #[test]
    fn an_answer_tells_its_new_length_and_keeps_the_rest() {
        let mut answer = Answer::new(HEAD, b"abc".to_vec(), false);
        answer.body("b", "");
        answer.without("x");
        assert_eq!(answer.into_bytes(3), b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nac");
    }

    #[test]
    fn an_answer_without_a_change_stays_as_it_is() {
        assert_eq!(Answer::new(HEAD, Vec::new(), false).into_bytes(0), HEAD, "as to HEAD");
    }

    #[test]
    fn every_message_of_a_request_is_changed() {
        let body = [envelope::write(0, br#"{"a":1}"#), envelope::write(1, b"zip")].concat();
        let mut request = Request::new(b"POST / HTTP/1.1\r\n\r\n".to_vec(), body);
        request.json(|message| message["a"] = 22.into());
        assert!(
            request
                .body
                .ends_with(&[envelope::write(0, br#"{"a":22}"#), envelope::write(1, b"zip")].concat())
        );
    }
}
