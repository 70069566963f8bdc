//! What faults of the answer's head declare, and those that take its place. Data.

use super::probes::{
    ABORTED, BIG, FILE, GRPC, GRPC_WEB, INIT, OPEN, PREPARE, RESET, START, STAT, TWICE, UPLOAD, USUAL, body,
    call, held, silent,
};
use crate::selfcheck::ask::Ask;
use crate::selfcheck::row::{
    Body, Early, End, Ends, Expect, HTTP1, HTTP2, Head, Header, Late, Piece, Probe, Rest, Rests, Row, Send,
    Trailers,
};

const HEAD: Probe = Probe::of(Ask::get("HEAD /files?path=/tmp/probe"));

const fn head(head: Head) -> Expect {
    Expect { head, ..USUAL }
}

pub(super) const ROWS: &[Row] = &[
    call("delay", "", "GET /files: delay 120ms", FILE, Expect { late: Late::Head(120), ..USUAL }),
    call("delay", "at a byte", "GET /files @10: delay 130ms", FILE, Expect { late: Late::End(130), ..USUAL }),
    call(
        "delay",
        "at an envelope",
        "process.Process/Start down[2]: delay 140ms",
        START,
        Expect { late: Late::End(140), ..USUAL },
    ),
    call(
        "delay",
        "in the output",
        "process.Process/Start stdout@2: delay 150ms",
        START,
        Expect {
            body: Body::Events(&["start", "stdout he", "stdout llo", "end exit status: 0", "flag 2 {}"]),
            late: Late::End(150),
            ..USUAL
        },
    ),
    call(
        "delay",
        "in the request",
        "POST /files up@4000: delay 160ms",
        UPLOAD,
        Expect { late: Late::Head(160), ..USUAL },
    ),
    call("hang", "", "GET /files: hang", FILE, silent(OPEN)),
    call(
        "status",
        "",
        "POST /init: status 503 body=later header.retry-after=1",
        INIT,
        Expect {
            head: Head::Is(503, &[Header::Is("retry-after", "1"), Header::Is("content-length", "5")]),
            body: Body::Is("later"),
            ..USUAL
        },
    ),
    call(
        "error",
        "unary",
        "filesystem.Filesystem/Stat: error unavailable message=\"try later\"",
        STAT,
        Expect {
            head: Head::Is(503, &[Header::Is("content-type", "application/json")]),
            body: Body::Is(r#"{"code":"unavailable","message":"try later"}"#),
            ..USUAL
        },
    ),
    call(
        "error",
        "with details",
        "filesystem.Filesystem/Stat: error aborted details='[{\"type\":\"a.B\",\"value\":\"AA\"}]'",
        STAT,
        Expect {
            head: Head::Is(409, &[Header::Is("content-type", "application/json")]),
            body: Body::Is(r#"{"code":"aborted","details":[{"type":"a.B","value":"AA"}]}"#),
            ..USUAL
        },
    ),
    call(
        "error",
        "gRPC-Web",
        "process.Process/List: error unavailable",
        GRPC_WEB,
        Expect { head: Head::Is(200, &[Header::Is("grpc-status", "14")]), body: Body::Nothing, ..USUAL },
    ),
    call(
        "error",
        "of a stream",
        "process.Process/Start: error unavailable message=\"try later\"",
        START,
        Expect {
            head: Head::Is(200, &[Header::Is("content-type", "application/connect+json")]),
            body: Body::Events(&[r#"flag 2 {"error":{"code":"unavailable","message":"try later"}}"#]),
            ..USUAL
        },
    ),
    Row {
        on: HTTP2,
        ..call(
            "error",
            "gRPC",
            "process.Process/List: error unavailable message=\"try later\"",
            GRPC,
            Expect {
                head: Head::Is(
                    200,
                    &[Header::Is("grpc-status", "14"), Header::Is("grpc-message", "try later")],
                ),
                body: Body::Nothing,
                trailers: Trailers::None,
                ..USUAL
            },
        )
    },
    call(
        "content-type",
        "",
        "GET /files: content-type text/html",
        FILE,
        head(Head::But(&[Header::Is("content-type", "text/html")])),
    ),
    call(
        "content-type",
        "none",
        "GET /files: content-type",
        FILE,
        head(Head::But(&[Header::None("content-type")])),
    ),
    call(
        "header-set",
        "",
        "GET /files: header-set etag value=\"\\\"0\\\"\"",
        FILE,
        head(Head::But(&[Header::Is("etag", "\"0\"")])),
    ),
    call(
        "header-remove",
        "",
        "GET /files: header-remove content-disposition",
        FILE,
        head(Head::But(&[Header::None("content-disposition")])),
    ),
    call(
        "content-length",
        "longer than the body",
        "GET /files: content-length +10",
        FILE,
        Expect {
            head: Head::But(&[Header::Plus("content-length", 10)]),
            end: Ends(End::Fin, End::Whole),
            rest: Rests(Rest::Fin, Rest::Answers),
            ..USUAL
        },
    ),
    Row {
        on: HTTP1,
        ..call(
            "content-length",
            "shorter than the body",
            "GET /files: content-length -10",
            FILE,
            Expect { body: Body::First(54), ..head(Head::But(&[Header::Plus("content-length", -10)])) },
        )
    },
    Row {
        on: HTTP2,
        ..call(
            "content-length",
            "shorter than the body",
            "GET /files: content-length -10",
            FILE,
            head(Head::But(&[Header::Plus("content-length", -10)])),
        )
    },
    call(
        "content-length",
        "of HEAD",
        "HEAD /files: content-length +20",
        HEAD,
        head(Head::But(&[Header::Plus("content-length", 20)])),
    ),
    call("abort", "", "GET /files: abort", FILE, silent(ABORTED)),
    call("abort", "at a byte", "GET /files @10: abort", FILE, body(Body::First(10), ABORTED)),
    call(
        "abort",
        "behind a mebibyte",
        "GET /files @1048576: abort",
        BIG,
        body(Body::First(1 << 20), ABORTED),
    ),
    call(
        "abort",
        "in an envelope",
        "process.Process/Start down[2]@3: abort",
        START,
        body(Body::Of(&[Piece::Whole(1), Piece::First(2, 3)]), ABORTED),
    ),
    call(
        "abort",
        "in the output",
        "process.Process/Start stdout@4: abort",
        TWICE,
        body(Body::Events(&["start", "stdout one", "stdout t"]), ABORTED),
    ),
    call(
        "abort",
        "in the request",
        "POST /files up@4000: abort",
        held(2000),
        silent(Expect { early: Early::Nothing, ..ABORTED }),
    ),
    call(
        "abort",
        "of a unary answer",
        "filesystem.Filesystem/Stat @7: abort",
        STAT,
        body(Body::First(7), ABORTED),
    ),
    call("reset", "", "GET /files: reset", FILE, silent(RESET)),
    call("reset", "at a byte", "GET /files @10: reset", FILE, body(Body::First(10), RESET)),
    call("reset", "behind a mebibyte", "GET /files @1048576: reset", BIG, body(Body::First(1 << 20), RESET)),
    call(
        "reset",
        "in an envelope",
        "process.Process/Start down[2]@3: reset",
        START,
        body(Body::Of(&[Piece::Whole(1), Piece::First(2, 3)]), RESET),
    ),
    call(
        "reset",
        "in the output",
        "process.Process/Start stdout@4: reset",
        TWICE,
        body(Body::Events(&["start", "stdout one", "stdout t"]), RESET),
    ),
    call(
        "reset",
        "in the middle of an upload",
        "POST /files up@3000: reset",
        held(2000),
        silent(Expect { early: Early::Nothing, words: "after 3000 bytes of the request", ..RESET }),
    ),
    Row {
        on: HTTP1,
        ..call(
            "reset",
            "of a peer that does not read",
            "GET /files @1500000: reset",
            Probe { send: Send::Deaf, ..BIG },
            Expect { words: "of it unacknowledged", body: Body::Some, ..RESET },
        )
    },
    call(
        "zombie",
        "",
        "POST /snapshot/prepare: zombie",
        PREPARE,
        Expect { rest: Rests(Rest::Rst, Rest::Rst), ..USUAL },
    ),
    call(
        "zombie",
        "behind a body",
        "GET /files: zombie",
        FILE,
        Expect { rest: Rests(Rest::Rst, Rest::Rst), ..USUAL },
    ),
    Row {
        on: HTTP1,
        ..call(
            "goaway",
            "",
            "POST /snapshot/prepare: goaway",
            PREPARE,
            Expect {
                head: Head::But(&[Header::Is("connection", "close")]),
                rest: Rests(Rest::Fin, Rest::GoesAway),
                ..USUAL
            },
        )
    },
    Row {
        on: HTTP2,
        ..call(
            "goaway",
            "",
            "POST /snapshot/prepare: goaway",
            PREPARE,
            Expect { rest: Rests(Rest::Fin, Rest::GoesAway), ..USUAL },
        )
    },
];
