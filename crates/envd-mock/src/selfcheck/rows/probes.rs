//! The calls that declarations share, and what they have in common. Data.

use crate::selfcheck::ask::{Ask, Content};
use crate::selfcheck::row::{BOTH, Body, End, Ends, Expect, Head, Of, Probe, Rest, Rests, Row, Send};

/// 64 bytes.
pub(super) const FILE: Probe = Probe::of(Ask::get("GET /files?path=/tmp/probe"));
/// 2 KiB.
pub(super) const PAGE: Probe = Probe::of(Ask::get("GET /files?path=/tmp/page"));
/// A mebibyte and a half.
pub(super) const BIG: Probe = Probe::of(Ask::get("GET /files?path=/tmp/big"));
pub(super) const INIT: Probe = Probe::of(Ask::new("POST /init", Content::Json("{}")));
pub(super) const PREPARE: Probe = Probe::of(Ask::new("POST /snapshot/prepare", Content::None));
pub(super) const HEALTH: Probe = Probe::of(Ask::get("GET /health"));
/// Unary, in JSON.
pub(super) const STAT: Probe =
    Probe::of(Ask::new("POST /filesystem.Filesystem/Stat", Content::Json(r#"{"path":"/tmp/probe"}"#)));
/// Four envelopes: start, data, end, END_STREAM.
pub(super) const START: Probe = Probe::of(Ask::new(
    "POST /process.Process/Start",
    Content::Stream(r#"{"process":{"cmd":"printf","args":["hello"]},"stdin":false}"#),
));
/// Its output comes in two chunks.
pub(super) const TWICE: Probe = Probe::of(Ask::new(
    "POST /process.Process/Start",
    Content::Stream(
        r#"{"process":{"cmd":"sh","args":["-c","printf one; sleep 0.1; printf two"]},"stdin":false}"#,
    ),
));
pub(super) const GRPC: Probe = Probe::of(
    Ask::new("POST /process.Process/List", Content::Empty("application/grpc+proto"))
        .with(&[("te", "trailers")]),
);
pub(super) const GRPC_WEB: Probe =
    Probe::of(Ask::new("POST /process.Process/List", Content::Empty("application/grpc-web+proto")));
pub(super) const UPLOAD: Probe = Probe::of(Ask::new("POST /files?path=/tmp/up", Content::Upload(8000)));

/// An upload of which so many bytes are sent at first.
pub(super) const fn held(bytes: usize) -> Probe {
    Probe { send: Send::Held(bytes), ..UPLOAD }
}

/// A declaration of a call's fault, on both protocols.
pub(super) const fn call(
    kind: &'static str,
    case: &'static str,
    rules: &'static str,
    probe: Probe,
    expect: Expect,
) -> Row {
    Row { of: Of::Call, kind, case, rules, probe, on: BOTH, expect }
}

/// A declaration of a connection's fault, on both protocols.
pub(super) const fn connection(
    kind: &'static str,
    case: &'static str,
    rules: &'static str,
    probe: Probe,
    expect: Expect,
) -> Row {
    Row { of: Of::Connection, kind, case, rules, probe, on: BOTH, expect }
}

/// The RST_STREAM of a body that breaks off: INTERNAL_ERROR.
pub(super) const BROKEN: End = End::RstStream(2);
pub(super) const USUAL: Expect = Expect::USUAL;
/// FIN or RST_STREAM; on HTTP/2 the other calls go on.
pub(super) const ABORTED: Expect =
    Expect { end: Ends(End::Fin, BROKEN), rest: Rests(Rest::Fin, Rest::Answers), ..USUAL };
/// RST, with all calls of the connection.
pub(super) const RESET: Expect =
    Expect { end: Ends(End::Rst, End::Rst), rest: Rests(Rest::Rst, Rest::Rst), ..USUAL };
/// The call stays open; on HTTP/2 the other calls go on.
pub(super) const OPEN: Expect =
    Expect { end: Ends(End::Open, End::Open), rest: Rests(Rest::Silent, Rest::Answers), ..USUAL };

/// The same without an answer.
pub(super) const fn silent(expect: Expect) -> Expect {
    Expect { head: Head::None, body: Body::Nothing, ..expect }
}

/// The same with this body.
pub(super) const fn body(body: Body, expect: Expect) -> Expect {
    Expect { body, ..expect }
}
