//! What faults of the request declare. Data.

use super::probes::{OPEN, USUAL, call, held, silent};
use crate::selfcheck::ask::{Ask, Content};
use crate::selfcheck::row::{
    Body, Early, Expect, HTTP1, Head, Header, Probe, Rest, Rests, Row, Send, Writes,
};

const EXPECTING: Probe = Probe {
    send: Send::Held(0),
    ..Probe::of(
        Ask::new("POST /files?path=/tmp/up", Content::Upload(8000)).with(&[("expect", "100-continue")]),
    )
};
const FLOOD: Probe =
    Probe { send: Send::Flood, ..Probe::of(Ask::new("POST /files?path=/tmp/up", Content::Upload(2 << 20))) };
/// The answer comes before the request is whole, and nothing follows it on the connection.
const EARLY: Expect =
    Expect { early: Early::Answer, body: Body::Nothing, rest: Rests(Rest::Fin, Rest::GoesAway), ..USUAL };

pub(super) const ROWS: &[Row] = &[
    call(
        "stop-reading",
        "",
        "POST /files up@1000: stop-reading",
        FLOOD,
        silent(Expect { writes: Writes::Wait, words: "after 1000 bytes of the request", ..OPEN }),
    ),
    Row {
        on: HTTP1,
        ..call(
            "answer-early",
            "",
            "POST /files up@1024: answer-early 413",
            held(2000),
            Expect { head: Head::Is(413, &[Header::Is("connection", "close")]), ..EARLY },
        )
    },
    Row {
        on: crate::selfcheck::row::HTTP2,
        ..call(
            "answer-early",
            "",
            "POST /files up@1024: answer-early 413",
            held(2000),
            Expect { head: Head::Is(413, &[]), ..EARLY },
        )
    },
    Row {
        on: HTTP1,
        ..call(
            "no-continue",
            "",
            "POST /files: no-continue",
            EXPECTING,
            Expect { early: Early::Nothing, ..USUAL },
        )
    },
];
