//! What faults of a connection declare. Data.

use super::probes::{BIG, FILE, OPEN, PAGE, PREPARE, RESET, UPLOAD, USUAL, connection, held, silent};
use crate::selfcheck::ask::{Ask, Content};
use crate::selfcheck::row::{
    Early, End, Ends, Expect, First, HTTP1, HTTP2, Late, Probe, Rest, Rests, Row, Send, Then, Writes,
};

const FIRST: Probe = Probe { look_first: true, ..FILE };
/// On HTTP/1.1 an upload that no kernel buffers whole.
const FLOOD: Probe =
    Probe { send: Send::Noise, ..Probe::of(Ask::new("POST /files?path=/tmp/up", Content::Upload(2 << 20))) };
const CLOSED: Expect =
    silent(Expect { end: Ends(End::Fin, End::Fin), rest: Rests(Rest::Fin, Rest::Fin), ..USUAL });
const MUTE: Expect = silent(Expect { rest: Rests(Rest::Silent, Rest::Silent), ..OPEN });

pub(super) const ROWS: &[Row] = &[
    connection("refuse", "", "connection: refuse", FIRST, Expect { first: First::Refused, ..USUAL }),
    connection("close", "", "connection: close", FIRST, Expect { first: First::Fin, ..USUAL }),
    connection(
        "close",
        "at a byte of it",
        "connection @70: close",
        FILE,
        Expect { received: Some(70), ..CLOSED },
    ),
    Row {
        // Within the second request; on HTTP/2 the two are not apart.
        on: HTTP1,
        ..connection(
            "close",
            "at a byte of what the peer sends",
            "connection up@150: close",
            PREPARE,
            Expect { rest: Rests(Rest::Fin, Rest::Fin), ..USUAL },
        )
    },
    Row {
        on: HTTP2,
        ..connection(
            "close",
            "at a byte of what the peer sends",
            "connection up@4000: close",
            held(2000),
            Expect { early: Early::Nothing, ..CLOSED },
        )
    },
    connection("reset", "", "connection: reset", FIRST, Expect { first: First::Rst, ..USUAL }),
    connection(
        "reset",
        "at a byte of it",
        "connection @80: reset",
        FILE,
        silent(Expect { received: Some(80), words: "RST at byte 80", ..RESET }),
    ),
    connection(
        "reset",
        "at a byte of what the peer sends",
        "connection up@4000: reset",
        held(2000),
        silent(Expect { early: Early::Nothing, ..RESET }),
    ),
    connection(
        "stall",
        "",
        "connection: stall",
        FLOOD,
        Expect { writes: Writes::Wait, received: Some(0), ..MUTE },
    ),
    connection("half-open", "", "connection: half-open", FLOOD, Expect { received: Some(0), ..MUTE }),
    connection(
        "half-open",
        "at a byte of it",
        "connection @50: half-open",
        FILE,
        Expect { received: Some(50), ..MUTE },
    ),
    connection(
        "zombie",
        "",
        "connection: zombie",
        Probe { look_first: true, ..held(0) },
        silent(Expect { early: Early::End, received: Some(0), ..RESET }),
    ),
    Row {
        // On HTTP/2 it depends on when the peer acknowledges the settings.
        on: HTTP1,
        ..connection(
            "zombie",
            "at a byte of it",
            "connection @90: zombie",
            FILE,
            silent(Expect {
                received: Some(90),
                end: Ends(End::Open, End::Open),
                rest: Rests(Rest::Rst, Rest::Rst),
                ..USUAL
            }),
        )
    },
    connection("delay", "", "connection: delay 110ms", FILE, Expect { late: Late::Head(110), ..USUAL }),
    connection(
        "bandwidth",
        "",
        "connection: bandwidth 8KiB/s",
        PAGE,
        Expect { late: Late::End(230), ..USUAL },
    ),
    connection("slice", "", "connection: slice 7 gap=1ms", FILE, Expect { segments: 30, ..USUAL }),
    connection(
        "slow-close",
        "",
        "connection: slow-close 150ms",
        Probe { then: Then::Leave, ..FILE },
        Expect { late: Late::Close(150), rest: Rests(Rest::Fin, Rest::Fin), ..USUAL },
    ),
    Row {
        on: HTTP2,
        ..connection(
            "goaway",
            "",
            "connection: goaway",
            Probe { send: Send::Held(2000), then: Then::Wait, ..UPLOAD },
            Expect { early: Early::Goaway, rest: Rests(Rest::Fin, Rest::Fin), ..USUAL },
        )
    },
    Row {
        on: HTTP2,
        ..connection(
            "max-streams",
            "",
            "connection: max-streams 1",
            Probe { then: Then::Wait, ..BIG },
            Expect { max_streams: Some(1), rest: Rests(Rest::Silent, Rest::Silent), ..USUAL },
        )
    },
    Row {
        on: HTTP2,
        ..connection(
            "max-streams",
            "one more than there may be",
            "connection: max-streams 1",
            FILE,
            silent(Expect {
                max_streams: Some(1),
                // REFUSED_STREAM
                end: Ends(End::Open, End::RstStream(7)),
                ..USUAL
            }),
        )
    },
];
