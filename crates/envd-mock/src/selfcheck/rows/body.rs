//! What faults of the answer's body declare: its envelopes, and its bytes. Data.

use super::probes::{ABORTED, FILE, GRPC, GRPC_WEB, OPEN, PAGE, START, STAT, TWICE, USUAL, body, call};
use crate::selfcheck::row::{
    Body, End, Ends, Expect, HTTP2, Late, Piece, Pieces, Rest, Rests, Row, Trailers,
};

/// All of the body came before the end that it has now.
const fn of(pieces: &'static [Piece]) -> Expect {
    body(Body::Of(pieces), USUAL)
}

use Piece::{First, Flag, Flipped, Length, Longer, Made, Part, Raw, Whole};

const UNAVAILABLE: Piece = Made(2, br#"{"error":{"code":"unavailable"}}"#);

pub(super) const ENVELOPES: &[Row] = &[
    call("drop", "", "process.Process/Start down[2]: drop", START, of(&[Whole(1), Whole(3), Whole(4)])),
    call("drop", "each but END_STREAM", "process.Process/Start down[*]: drop", START, of(&[Whole(4)])),
    call(
        "drop",
        "each that is drawn",
        "process.Process/Start down[*] %0.4: drop",
        START,
        of(&[Whole(1), Whole(3), Whole(4)]),
    ),
    call(
        "duplicate",
        "",
        "process.Process/Start down[2]: duplicate",
        START,
        of(&[Whole(1), Whole(2), Whole(2), Whole(3), Whole(4)]),
    ),
    call(
        "swap",
        "",
        "process.Process/Start down[1]: swap",
        START,
        of(&[Whole(2), Whole(1), Whole(3), Whole(4)]),
    ),
    call(
        "split",
        "",
        "process.Process/Start down[2]: split 10",
        START,
        of(&[Whole(1), Part(2, 0, 10), Part(2, 10, usize::MAX), Whole(3), Whole(4)]),
    ),
    call(
        "replace",
        "",
        "process.Process/Start down[2]: replace base64://///w==",
        START,
        of(&[Whole(1), Made(0, &[255; 4]), Whole(3), Whole(4)]),
    ),
    call(
        "flag",
        "",
        "process.Process/Start down[2]: flag 64",
        START,
        of(&[Whole(1), Flag(2, 64), Whole(3), Whole(4)]),
    ),
    call(
        "length-longer",
        "",
        "process.Process/Start down[2]: length-longer 3",
        START,
        of(&[Whole(1), Longer(2, 3), Whole(3), Whole(4)]),
    ),
    call(
        "length-shorter",
        "",
        "process.Process/Start down[2]: length-shorter 1",
        START,
        of(&[Whole(1), Longer(2, -1), Whole(3), Whole(4)]),
    ),
    call(
        "length-absurd",
        "",
        "process.Process/Start down[2]: length-absurd",
        START,
        of(&[Whole(1), Length(2, u32::MAX), Whole(3), Whole(4)]),
    ),
    call(
        "false-compressed",
        "",
        "process.Process/Start down[2]: false-compressed",
        START,
        of(&[Whole(1), Flag(2, 1), Whole(3), Whole(4)]),
    ),
    call("end-missing", "", "process.Process/Start: end-missing", START, of(&[Whole(1), Whole(2), Whole(3)])),
    call("end-missing", "gRPC-Web", "process.Process/List: end-missing", GRPC_WEB, of(&[Whole(1)])),
    call(
        "end-malformed",
        "",
        "process.Process/Start: end-malformed",
        START,
        of(&[Whole(1), Whole(2), Whole(3), Made(2, b"{\"error\":")]),
    ),
    call(
        "end-error",
        "after `end`",
        "process.Process/Start: end-error unavailable",
        START,
        of(&[Whole(1), Whole(2), Whole(3), UNAVAILABLE]),
    ),
    call(
        "end-error",
        "after data",
        "process.Process/Start down[3]: end-error unavailable",
        START,
        of(&[Whole(1), Whole(2), UNAVAILABLE]),
    ),
    Row {
        on: HTTP2,
        ..call(
            "end-error",
            "gRPC",
            "process.Process/List: end-error unavailable message=gone",
            GRPC,
            Expect { trailers: Trailers::Are(&[("grpc-status", "14"), ("grpc-message", "gone")]), ..USUAL },
        )
    },
    call(
        "end-error",
        "gRPC-Web",
        "process.Process/List: end-error unavailable message=gone",
        GRPC_WEB,
        of(&[Whole(1), Made(128, b"grpc-status: 14\r\ngrpc-message: gone\r\n")]),
    ),
    call(
        "end-twice",
        "",
        "process.Process/Start: end-twice",
        START,
        of(&[Whole(1), Whole(2), Whole(3), Whole(4), Whole(4)]),
    ),
    call(
        "end-trailing",
        "",
        "process.Process/Start: end-trailing",
        START,
        of(&[Whole(1), Whole(2), Whole(3), Whole(4), Raw(b"trailing")]),
    ),
    Row {
        on: HTTP2,
        ..call(
            "trailers-lost",
            "",
            "process.Process/List: trailers-lost",
            GRPC,
            Expect { trailers: Trailers::None, ..USUAL },
        )
    },
];

/// A body with a length says more than comes; one in chunks ends like any other.
const CUT: Expect =
    Expect { end: Ends(End::Fin, End::Whole), rest: Rests(Rest::Fin, Rest::Answers), ..USUAL };

pub(super) const BYTES: &[Row] = &[
    call("cut", "with a length", "GET /files @10: cut", FILE, body(Body::First(10), CUT)),
    call("cut", "of a unary answer", "filesystem.Filesystem/Stat @7: cut", STAT, body(Body::First(7), USUAL)),
    call(
        "cut",
        "in an envelope",
        "process.Process/Start down[2]@3: cut",
        START,
        of(&[Whole(1), First(2, 3)]),
    ),
    call(
        "cut",
        "in the output",
        "process.Process/Start stdout@4: cut",
        TWICE,
        body(Body::Events(&["start", "stdout one", "stdout t"]), USUAL),
    ),
    call("stall", "", "process.Process/Start down[2]: stall", START, body(Body::Of(&[Whole(1)]), OPEN)),
    call("stall", "at a byte", "GET /files @10: stall", FILE, body(Body::First(10), OPEN)),
    call("slow", "", "GET /files: slow 10KiB/s", PAGE, Expect { late: Late::End(180), ..USUAL }),
    call("slice", "", "process.Process/Start: slice 3", START, Expect { pieces: Pieces::AtMost(3), ..USUAL }),
    call("coalesce", "", "process.Process/Start: coalesce", START, Expect { pieces: Pieces::One, ..USUAL }),
    call("flip", "", "GET /files @10: flip bit=3", FILE, body(Body::Flipped(10, 3), USUAL)),
    call(
        "flip",
        "of a unary answer",
        "filesystem.Filesystem/Stat @5: flip",
        STAT,
        body(Body::Flipped(5, 0), USUAL),
    ),
    call(
        "flip",
        "in an envelope",
        "process.Process/Start down[2]@7: flip bit=1",
        START,
        of(&[Whole(1), Flipped(2, 7, 1), Whole(3), Whole(4)]),
    ),
    call(
        "flip",
        "in the output",
        "process.Process/Start stdout@4: flip",
        START,
        body(Body::Events(&["start", "stdout hell", "stdout n", "end exit status: 0", "flag 2 {}"]), USUAL),
    ),
    call(
        "abort",
        "gRPC-Web",
        "process.Process/List down[2]: abort",
        GRPC_WEB,
        body(Body::Of(&[Whole(1)]), ABORTED),
    ),
];
