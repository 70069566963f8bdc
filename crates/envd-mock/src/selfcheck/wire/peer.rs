//! One side of a connection of either protocol: a call whose answer is looked at, and another one beside or behind it.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::Instant;

use super::answer::{Answer, WireEnd};
use super::http1;
use super::http2::{self, Session};
use super::socket::{Buffers, Socket};
use crate::selfcheck::ask::Call;
use crate::selfcheck::row::Protocol;

const PIECE: usize = 64 * 1024;

/// Which call of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Which {
    Main,
    Other,
}

impl Which {
    /// The other one is opened first on HTTP/2, and is under way all the while.
    fn stream(self) -> u32 {
        match self {
            Self::Other => 1,
            Self::Main => 3,
        }
    }
}

/// A connection.
pub(crate) struct Peer {
    socket: Socket,
    host: String,
    kind: Kind,
}

enum Kind {
    /// One answer after the other.
    One {
        method: String,
        from: usize,
        current: Which,
        main: Answer,
        other: Answer,
    },
    Two {
        session: Session,
        none: Answer,
        greeted: bool,
    },
}

impl Peer {
    pub(crate) async fn open(
        address: SocketAddr,
        protocol: Protocol,
        buffers: Buffers,
        stuck: Duration,
    ) -> io::Result<Self> {
        let kind = match protocol {
            Protocol::Http1 => {
                let (main, other) = (Answer::default(), Answer::default());
                Kind::One { method: String::new(), from: 0, current: Which::Main, main, other }
            }
            Protocol::Http2 => Kind::Two { session: Session::new(), none: Answer::default(), greeted: false },
        };
        Ok(Self { socket: Socket::open(address, buffers, stuck).await?, host: address.to_string(), kind })
    }

    /// Sends the head of a call; the body follows, if it has one.
    pub(crate) async fn begin(&mut self, which: Which, call: &Call) {
        let bytes = match &mut self.kind {
            Kind::One { method, current, .. } => {
                (*method, *current) = (call.method.clone(), which);
                http1::head(&call.method, &call.target, &call.headers, &self.host)
            }
            Kind::Two { greeted, .. } => {
                let mut bytes =
                    if std::mem::replace(greeted, true) { Vec::new() } else { Session::preface() };
                let Call { method, target, headers, body } = call;
                let last = body.is_empty();
                bytes.extend(http2::open(which.stream(), method, target, headers, &self.host, last));
                bytes
            }
        };
        self.socket.write(&bytes).await;
    }

    /// What does not get on for so long waits for the peer, from now on.
    pub(crate) fn stuck_after(&mut self, stuck: Duration) {
        self.socket.stuck = stuck;
    }

    /// Sends a part of the body; false when the peer does not take it.
    pub(crate) async fn body(&mut self, which: Which, bytes: &[u8], last: bool) -> bool {
        let stream = which.stream();
        let mut left = bytes;
        while !left.is_empty() && self.socket.end.is_none() {
            let (written, size) = match &mut self.kind {
                Kind::One { .. } => {
                    let (piece, rest) = left.split_at(left.len().min(PIECE));
                    left = rest;
                    (piece.to_vec(), piece.len())
                }
                Kind::Two { session, .. } => {
                    let size = session.room(stream).min(left.len()).min(http2::MOST);
                    let (piece, rest) = left.split_at(size);
                    left = rest;
                    (session.data(stream, piece, last && rest.is_empty()), size)
                }
            };
            if size == 0 {
                if self.answer(which).is_over() {
                    return true;
                }
                if !self.more(Instant::now() + self.socket.stuck).await {
                    return false;
                }
                continue;
            }
            if !self.socket.write(&written).await {
                return false;
            }
        }
        true
    }

    /// Sends what means nothing on HTTP/2; false when the peer does not take it.
    pub(crate) async fn noise(&mut self, mut length: usize) -> bool {
        while length > 0 && self.socket.end.is_none() {
            let size = length.min(http2::MOST);
            if !self.socket.write(&http2::noise(size)).await {
                return false;
            }
            length -= size;
        }
        true
    }

    /// Takes what comes next; false when nothing did by then, or ever will.
    pub(crate) async fn more(&mut self, until: Instant) -> bool {
        if !self.socket.more(until).await {
            return false;
        }
        let now = std::time::Instant::now();
        match &mut self.kind {
            Kind::One { method, from, current, main, other } => {
                let answer = if *current == Which::Main { main } else { other };
                let bytes = &self.socket.arrived[*from..];
                if !answer.whole && !bytes.is_empty() {
                    let taken = http1::read(bytes, method, answer);
                    answer.last_at = Some(now);
                    *from += if answer.whole { taken } else { 0 };
                }
            }
            Kind::Two { session, .. } => {
                let answers = session.take(&self.socket.arrived);
                self.socket.write(&answers).await;
            }
        }
        true
    }

    /// Takes what comes until `enough`; false when it was not by then.
    pub(crate) async fn until(&mut self, until: Instant, enough: impl Fn(&Self) -> bool) -> bool {
        while !enough(self) {
            if !self.more(until).await {
                return enough(self);
            }
        }
        true
    }

    pub(crate) fn answer(&self, which: Which) -> &Answer {
        match &self.kind {
            Kind::One { main, other, .. } => {
                if which == Which::Main {
                    main
                } else {
                    other
                }
            }
            Kind::Two { session, none, .. } => session.streams.get(&which.stream()).unwrap_or(none),
        }
    }

    pub(crate) fn end(&self) -> Option<WireEnd> {
        self.socket.end
    }

    /// Bytes that have come, all protocols included.
    pub(crate) fn received(&self) -> usize {
        self.socket.arrived.len()
    }

    pub(crate) fn segments(&self) -> Option<u32> {
        self.socket.segments()
    }

    pub(crate) fn went_away(&self) -> bool {
        matches!(&self.kind, Kind::Two { session, .. } if session.went_away)
    }

    pub(crate) fn max_streams(&self) -> Option<u32> {
        match &self.kind {
            Kind::One { .. } => None,
            Kind::Two { session, .. } => session.max_streams,
        }
    }

    /// Says that nothing more will come (FIN).
    pub(crate) async fn leave(&mut self) {
        self.socket.leave().await;
    }
}
