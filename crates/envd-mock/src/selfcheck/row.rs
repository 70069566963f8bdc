//! What a fault declares: the rules that arm it, what a probe does, and what it must see then. Data; looking is
//! `probe`'s, comparing is `judge`'s.

use std::fmt;

use super::ask::Ask;

/// A protocol of the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Protocol {
    Http1,
    Http2,
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(if *self == Self::Http1 { "HTTP/1.1" } else { "h2c" })
    }
}

/// Whose fault it is: the two tables of a script.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Of {
    Connection,
    Call,
}

impl fmt::Display for Of {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(if *self == Self::Connection { "connection" } else { "call" })
    }
}

/// One declaration.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Row {
    pub(crate) of: Of,
    pub(crate) kind: &'static str,
    /// Where or how it acts, for kinds that have more than one row.
    pub(crate) case: &'static str,
    /// As expressions.
    pub(crate) rules: &'static str,
    pub(crate) probe: Probe,
    pub(crate) on: &'static [Protocol],
    pub(crate) expect: Expect,
}

pub(crate) const BOTH: &[Protocol] = &[Protocol::Http1, Protocol::Http2];
pub(crate) const HTTP1: &[Protocol] = &[Protocol::Http1];
pub(crate) const HTTP2: &[Protocol] = &[Protocol::Http2];

/// What is done on the wire.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Probe {
    /// On connections of their own, once the rules are armed.
    pub(crate) before: &'static [Before],
    pub(crate) ask: Ask,
    pub(crate) send: Send,
    /// Whether a look is taken before anything is sent.
    pub(crate) look_first: bool,
    pub(crate) then: Then,
}

impl Probe {
    pub(crate) const fn of(ask: Ask) -> Self {
        Self { before: &[], ask, send: Send::Whole, look_first: false, then: Then::Call }
    }
}

/// What comes before the call that is looked at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Before {
    /// A whole call.
    Call(Ask),
    /// This call again and again while its answer holds the text, for so many milliseconds at most.
    While(Ask, &'static str, u64),
    /// A call that is left once something of its body has come.
    Left(Ask),
}

/// How the request is sent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Send {
    Whole,
    /// So many bytes of the body, then a look at what comes, then the rest.
    Held(usize),
    /// Through small buffers, to see whether it is taken.
    Flood,
    /// The same, on HTTP/2 with frames that no window holds up.
    Noise,
    /// Through small buffers; nothing is read before the fault was done.
    Deaf,
}

/// What is done behind the answer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Then {
    /// HTTP/1.1: another call on the connection. HTTP/2: the rest of a call that has been under way all the while.
    Call,
    /// Our side of the connection is closed.
    Leave,
    /// Nothing is done, and the peer may close.
    Wait,
    /// A call on a new connection, as soon as there can be one.
    Anew(Ask),
}

/// What must be seen. `Usual` is what is seen with nothing armed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Expect {
    /// What comes before anything is sent.
    pub(crate) first: First,
    /// What comes while a part of the request is held back.
    pub(crate) early: Early,
    pub(crate) writes: Writes,
    pub(crate) head: Head,
    pub(crate) body: Body,
    pub(crate) pieces: Pieces,
    pub(crate) trailers: Trailers,
    pub(crate) end: Ends,
    pub(crate) rest: Rests,
    pub(crate) late: Late,
    /// SETTINGS_MAX_CONCURRENT_STREAMS.
    pub(crate) max_streams: Option<u32>,
    /// Bytes that come on the connection, all protocols included.
    pub(crate) received: Option<usize>,
    /// Segments that they come in, at least.
    pub(crate) segments: u32,
    /// What the journal's words hold.
    pub(crate) words: &'static str,
}

/// What comes before anything is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum First {
    Nothing,
    Fin,
    Rst,
    /// The handshake is refused.
    Refused,
}

/// What comes while a part of the request is held back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Early {
    Usual,
    Nothing,
    /// `100 Continue`
    Continue,
    Answer,
    End,
    Goaway,
}

/// Whether the peer takes what is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Writes {
    Taken,
    Wait,
}

/// The head of the answer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Head {
    Usual,
    /// None comes.
    None,
    /// This status, and these headers among others.
    Is(u16, &'static [Header]),
    /// The usual one but for these headers.
    But(&'static [Header]),
}

/// A header of the answer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Header {
    Is(&'static str, &'static str),
    None(&'static str),
    /// The usual number and so much more.
    Plus(&'static str, i64),
}

/// The body of the answer, as far as it comes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Body {
    Usual,
    Nothing,
    /// So many bytes of the usual one.
    First(usize),
    /// Some of the usual one, and not all of it.
    Some,
    /// One bit of one byte is the other way round.
    Flipped(usize, u8),
    /// Exactly these, made of the usual envelopes.
    Of(&'static [Piece]),
    /// These events of a stream, in their short form.
    Events(&'static [&'static str]),
    /// Text that is in it.
    Has(&'static str),
    Is(&'static str),
    /// A JSON object with these members among others.
    Json(&'static [(&'static str, &'static str)]),
}

/// A part of a body; envelopes count from 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Piece {
    /// The usual envelope.
    Whole(usize),
    /// So many bytes of it.
    First(usize, usize),
    /// It with this flag.
    Flag(usize, u8),
    /// It with a length that is so much more.
    Longer(usize, i64),
    /// It with this length.
    Length(usize, u32),
    /// The bytes of its message from the first to before the second, in an envelope of their own.
    Part(usize, usize, usize),
    /// It with one bit of one byte the other way round.
    Flipped(usize, usize, u8),
    /// Another envelope.
    Made(u8, &'static [u8]),
    /// Bytes outside of any.
    Raw(&'static [u8]),
}

/// The chunks or DATA frames that a body comes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pieces {
    Any,
    /// None has more bytes than these.
    AtMost(usize),
    /// A single one.
    One,
}

/// HTTP trailers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Trailers {
    Usual,
    None,
    /// These among others.
    Are(&'static [(&'static str, &'static str)]),
}

/// How the answer ends, on HTTP/1.1 and on HTTP/2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ends(pub(crate) End, pub(crate) End);

/// How the answer ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// As its framing says: its length, the last chunk, END_STREAM.
    Whole,
    /// FIN before that.
    Fin,
    /// RST.
    Rst,
    /// RST_STREAM with this code.
    RstStream(u32),
    /// Not at all: it stays open.
    Open,
}

/// What becomes of the connection, on HTTP/1.1 and on HTTP/2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rests(pub(crate) Rest, pub(crate) Rest);

/// What becomes of the connection and the other call on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rest {
    /// The other call is answered.
    Answers,
    /// The other call is answered, GOAWAY comes, and then FIN.
    GoesAway,
    Fin,
    Rst,
    /// The other call is not answered, and the connection stays open.
    Silent,
    /// New connections are refused for a while; then a call is answered, and its answer holds this text.
    Back(&'static str),
    /// As `Back`, and its answer does not hold the text.
    BackWithout(&'static str),
}

/// What is late, by at least so many milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Late {
    No,
    /// The head, since the call that is looked at or what came before it began.
    Head(u64),
    /// The end of the answer, since then.
    End(u64),
    /// The end of the connection, since our side was closed.
    Close(u64),
}

impl Expect {
    /// Nothing out of the ordinary.
    pub(crate) const USUAL: Self = Self {
        first: First::Nothing,
        early: Early::Usual,
        writes: Writes::Taken,
        head: Head::Usual,
        body: Body::Usual,
        pieces: Pieces::Any,
        trailers: Trailers::Usual,
        end: Ends(End::Whole, End::Whole),
        rest: Rests(Rest::Answers, Rest::Answers),
        late: Late::No,
        max_streams: None,
        received: None,
        segments: 0,
        words: "",
    };

    pub(crate) fn end_on(&self, protocol: Protocol) -> End {
        let Ends(one, two) = self.end;
        if protocol == Protocol::Http1 { one } else { two }
    }

    pub(crate) fn rest_on(&self, protocol: Protocol) -> Rest {
        let Rests(one, two) = self.rest;
        if protocol == Protocol::Http1 { one } else { two }
    }
}
