//! Reads an HTTP/1.1 answer as it comes, byte by byte if need be. Knows no socket.

use crate::observation::{Arrival, Ended, Exchange};
use std::time::Duration;

/// Where in an answer the next byte belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    Head,
    Body(usize),
    ToClose,
    ChunkSize,
    Chunk(usize),
    ChunkEnd,
    Trailer,
    Whole,
    Broken,
}

/// The reader of one answer.
#[derive(Debug)]
pub(super) struct Answer {
    at: At,
    raw: Vec<u8>,
}

/// A head longer than this is no head.
const MOST_HEAD: usize = 1 << 20;

impl Answer {
    pub(super) fn new() -> Self {
        Self { at: At::Head, raw: Vec::new() }
    }

    pub(super) fn over(&self) -> bool {
        matches!(self.at, At::Whole | At::Broken)
    }

    /// Takes what came, `after` the request was sent.
    pub(super) fn feed(&mut self, bytes: &[u8], after: Duration, seen: &mut Exchange) {
        self.raw.extend_from_slice(bytes);
        let before = seen.body.len();
        while !self.over() && self.step(seen) {}
        if seen.body.len() > before {
            seen.arrivals.push(Arrival { after, total: seen.body.len() });
        }
        if self.at == At::Whole {
            seen.ended = Ended::Whole;
        }
    }

    /// Gives up what came behind the answer.
    pub(super) fn rest(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.raw)
    }

    /// The connection has ended.
    pub(super) fn close(&mut self, why: &str, seen: &mut Exchange) {
        let clean = self.at == At::ToClose && why.is_empty();
        seen.ended = if clean { Ended::Whole } else { Ended::Cut(self.cut(why)) };
        self.at = At::Broken;
    }

    fn cut(&self, why: &str) -> String {
        let place = match self.at {
            At::Head => "before the end of the answer's head".to_owned(),
            At::Body(left) => format!("{left} bytes before the end of the body"),
            _ => "inside the body".to_owned(),
        };
        let how = if why.is_empty() { "closed" } else { why };
        format!("connection ended {place}: {how}")
    }

    fn step(&mut self, seen: &mut Exchange) -> bool {
        match self.at {
            At::Head => self.head(seen),
            At::Body(left) => {
                self.take(left, seen, |left| if left == 0 { At::Whole } else { At::Body(left) })
            }
            At::ToClose => self.take(usize::MAX, seen, |_| At::ToClose),
            At::Chunk(left) => {
                self.take(left, seen, |left| if left == 0 { At::ChunkEnd } else { At::Chunk(left) })
            }
            At::ChunkSize => self.line().is_some_and(|line| self.chunk(&line, seen)),
            At::ChunkEnd => self.line().is_some_and(|_| self.go(At::ChunkSize)),
            At::Trailer => {
                self.line().is_some_and(|line| self.go(if line.is_empty() { At::Whole } else { At::Trailer }))
            }
            At::Whole | At::Broken => false,
        }
    }

    fn go(&mut self, at: At) -> bool {
        self.at = at;
        true
    }

    fn take(&mut self, most: usize, seen: &mut Exchange, then: fn(usize) -> At) -> bool {
        let n = self.raw.len().min(most);
        seen.body.extend(self.raw.drain(..n));
        self.at = then(most - n);
        n > 0
    }

    fn line(&mut self) -> Option<String> {
        let end = self.raw.windows(2).position(|pair| pair == b"\r\n")?;
        let line = String::from_utf8_lossy(&self.raw[..end]).into_owned();
        self.raw.drain(..end + 2);
        Some(line)
    }

    fn chunk(&mut self, line: &str, seen: &mut Exchange) -> bool {
        let size = line.split(';').next().unwrap_or_default().trim();
        match usize::from_str_radix(size, 16) {
            Ok(0) => self.go(At::Trailer),
            Ok(size) => self.go(At::Chunk(size)),
            Err(_) => self.broken(format!("chunk size {size:?} is no hexadecimal number"), seen),
        }
    }

    fn broken(&mut self, why: String, seen: &mut Exchange) -> bool {
        seen.ended = Ended::Cut(why);
        self.at = At::Broken;
        false
    }

    fn head(&mut self, seen: &mut Exchange) -> bool {
        let Some(end) = self.raw.windows(4).position(|four| four == b"\r\n\r\n") else {
            return self.raw.len() > MOST_HEAD && self.broken("head over 1 MiB".to_owned(), seen);
        };
        let head = String::from_utf8_lossy(&self.raw[..end]).into_owned();
        self.raw.drain(..end + 4);
        let mut lines = head.split("\r\n");
        let first = lines.next().unwrap_or_default();
        let version = ["HTTP/1.1 ", "HTTP/1.0 "].iter().find_map(|version| first.strip_prefix(version));
        let status = version.and_then(|rest| rest.get(..3)?.parse().ok());
        let Some(status) = status else {
            return self.broken(format!("no status line: {first:?}"), seen);
        };
        if (100..200).contains(&status) {
            return true;
        }
        seen.status = Some(status);
        seen.headers = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
            .collect();
        let at = framing(status, seen);
        self.go(at)
    }
}

fn framing(status: u16, seen: &Exchange) -> At {
    let header = |wanted: &str| {
        seen.headers
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(wanted))
            .map(|(_, value)| value.as_str())
    };
    if seen.method == "HEAD" || status == 204 || status == 304 {
        return At::Whole;
    }
    if header("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked")) {
        return At::ChunkSize;
    }
    match header("content-length").map(str::parse) {
        Some(Ok(0)) => At::Whole,
        Some(Ok(length)) => At::Body(length),
        _ => At::ToClose,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(pieces: &[&[u8]], closed: bool) -> Exchange {
        let (mut answer, mut seen) = (Answer::new(), Exchange::default());
        for piece in pieces {
            answer.feed(piece, Duration::ZERO, &mut seen);
        }
        if closed && !answer.over() {
            answer.close("", &mut seen);
        }
        seen
    }

    #[test]
    fn chunks_are_joined_however_they_are_cut() {
        let wire =
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n";
        for cut in 1..wire.len() {
            let seen = seen(&[&wire[..cut], &wire[cut..]], false);
            assert_eq!((seen.body.as_slice(), seen.ended), (&b"abcde"[..], Ended::Whole), "cut at {cut}");
        }
    }

    #[test]
    fn a_short_body_is_cut() {
        let short = seen(&[b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nabc"], true);
        assert_eq!(
            short.ended,
            Ended::Cut("connection ended 2 bytes before the end of the body: closed".into())
        );
        let unended = seen(&[b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n"], true);
        assert!(matches!(unended.ended, Ended::Cut(_)));
    }

    #[test]
    fn without_a_length_the_close_is_the_end() {
        let seen = seen(&[b"HTTP/1.1 200 OK\r\n\r\nab", b"c"], true);
        assert_eq!((seen.body.as_slice(), seen.ended), (&b"abc"[..], Ended::Whole));
    }

    #[test]
    fn an_interim_answer_is_passed_over() {
        let seen = seen(&[b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n"], false);
        assert_eq!((seen.status, seen.ended), (Some(204), Ended::Whole));
    }
}
