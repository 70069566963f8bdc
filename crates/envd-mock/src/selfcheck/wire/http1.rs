//! HTTP/1.1 by hand: a request as bytes, and what came of an answer so far. Pure.

use std::str::from_utf8;
use std::time::Instant;

use super::answer::Answer;

/// The head of a request.
pub(super) fn head(method: &str, target: &str, headers: &[(String, String)], host: &str) -> Vec<u8> {
    let mut head = format!("{method} {target} HTTP/1.1\r\nhost: {host}\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    head.into_bytes()
}

/// Reads what there is of an answer to `method` into `answer`; how many bytes belong to it.
pub(super) fn read(mut bytes: &[u8], method: &str, answer: &mut Answer) -> usize {
    let all = bytes.len();
    let interim = b"HTTP/1.1 100 Continue\r\n\r\n";
    if let Some(rest) = bytes.strip_prefix(interim) {
        (answer.continued, bytes) = (true, rest);
    }
    let Some(at) = find(bytes, b"\r\n\r\n") else { return all };
    let (status, headers) = fields(&bytes[..at]);
    (answer.status, answer.headers) = (status, headers);
    answer.head_at.get_or_insert_with(Instant::now);
    let rest = body(&bytes[at + 4..], method, answer);
    all - rest
}

fn fields(head: &[u8]) -> (Option<u16>, Vec<(String, String)>) {
    let head = String::from_utf8_lossy(head);
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|status| status.parse().ok());
    let field =
        |line: &str| line.split_once(':').map(|(name, value)| (name.to_owned(), value.trim().to_owned()));
    (status, lines.filter_map(field).collect())
}

/// How many bytes follow the answer.
fn body(bytes: &[u8], method: &str, answer: &mut Answer) -> usize {
    (answer.body, answer.pieces) = (Vec::new(), Vec::new());
    if method == "HEAD" || matches!(answer.status, Some(204 | 304)) {
        answer.whole = true;
        return bytes.len();
    }
    if answer.header("transfer-encoding") == Some("chunked") {
        return chunks(bytes, answer);
    }
    let length = answer.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(usize::MAX);
    let here = length.min(bytes.len());
    answer.body = bytes[..here].to_vec();
    answer.whole = here == length;
    bytes.len() - here
}

fn chunks(mut bytes: &[u8], answer: &mut Answer) -> usize {
    while let Some(at) = find(bytes, b"\r\n") {
        let length = from_utf8(&bytes[..at]).ok().and_then(|text| usize::from_str_radix(text, 16).ok());
        let Some(length) = length else { break };
        let rest = &bytes[at + 2..];
        let here = length.min(rest.len());
        answer.body.extend_from_slice(&rest[..here]);
        if here > 0 {
            answer.pieces.push(here);
        }
        let Some(next) = rest.get(length + 2..) else { return 0 };
        bytes = next;
        if length == 0 {
            answer.whole = true;
            return bytes.len();
        }
    }
    0
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(bytes: &[u8]) -> (Answer, usize) {
        let mut answer = Answer::default();
        let taken = read(bytes, "GET", &mut answer);
        (answer, taken)
    }

    #[test]
    fn chunks_are_told_apart_and_the_last_one_ends() {
        let bytes =
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\nHTTP/";
        let (answer, taken) = seen(bytes);
        assert_eq!((answer.body.as_slice(), answer.pieces.as_slice()), (&b"abcde"[..], &[3, 2][..]));
        assert_eq!((answer.whole, taken), (true, bytes.len() - 5));
        let (cut, _) = seen(&bytes[..bytes.len() - 10]);
        assert_eq!((cut.body.len(), cut.whole), (5, false));
    }

    #[test]
    fn a_length_ends_a_body() {
        let (answer, _) = seen(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nab");
        assert_eq!((answer.body.as_slice(), answer.whole), (&b"ab"[..], false));
        let (answer, _) = seen(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n");
        assert_eq!((answer.continued, answer.status, answer.whole), (true, Some(204), true));
    }
}
