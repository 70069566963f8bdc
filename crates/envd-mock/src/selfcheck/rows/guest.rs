//! What faults of the guest declare. Data.

use super::probes::{
    ABORTED, BIG, HEALTH, OPEN, PAGE, PREPARE, RESET, START, STAT, TWICE, UPLOAD, USUAL, body, call, silent,
};
use crate::selfcheck::ask::{Ask, Content};
use crate::selfcheck::row::{Before, Body, Expect, Head, Header, Late, Probe, Rest, Rests, Row, Then};

const DONE: &str = "flag 2 {}";
const ENDED: &str = "end exit status: 0";

const fn events(events: &'static [&'static str]) -> Expect {
    body(Body::Events(events), USUAL)
}

const fn refused(status: u16, text: &'static str) -> Expect {
    Expect { head: Head::Is(status, &[]), body: Body::Has(text), ..USUAL }
}

const PRELOAD: Ask = Ask::get("GET /memory/preload");
/// A preload of a new life, polled until it does not run any more.
const PRELOADED: Probe = Probe {
    before: &[
        Before::Call(Ask::new("POST /init", Content::Json(r#"{"lifecycle_id":"life-{n}"}"#))),
        Before::Call(Ask::new("POST /memory/preload", Content::None)),
        Before::While(PRELOAD, "\"running\"", 500),
    ],
    ..Probe::of(PRELOAD)
};
const KEPT: Content =
    Content::Stream(r#"{"process":{"cmd":"sleep","args":["1000"]},"tag":"kept","stdin":false}"#);
/// With a process that may be lost.
const CRASHED: Probe = Probe {
    before: &[Before::Left(Ask::new("POST /process.Process/Start", KEPT))],
    then: Then::Anew(Ask::new("POST /process.Process/List", Content::Json("{}"))),
    ..PREPARE
};

const fn preload(members: &'static [(&'static str, &'static str)]) -> Expect {
    Expect { head: Head::Is(200, &[]), body: Body::Json(members), ..USUAL }
}

pub(super) const ROWS: &[Row] = &[
    call(
        "spawn-fails",
        "",
        "process.Process/Start: spawn-fails",
        START,
        Expect {
            head: Head::Is(200, &[]),
            ..body(Body::Has("Resource temporarily unavailable (os error 11)"), USUAL)
        },
    ),
    call(
        "kill",
        "after so many bytes",
        "process.Process/Start: kill bytes=4",
        TWICE,
        events(&["start", "stdout one", "stdout t", "end signal: 9 (SIGKILL)", DONE]),
    ),
    call(
        "kill",
        "at once",
        "process.Process/Start: kill signal=SIGTERM",
        TWICE,
        events(&["start", "end signal: 15 (SIGTERM)", DONE]),
    ),
    call(
        "end-lost",
        "",
        "process.Process/Start: end-lost",
        START,
        body(Body::Events(&["start", "stdout hello"]), OPEN),
    ),
    call(
        "exit-code",
        "",
        "process.Process/Start: exit-code 137",
        START,
        events(&["start", "stdout hello", "end exit status: 137", DONE]),
    ),
    call(
        "output-lost",
        "",
        "process.Process/Start: output-lost 2 from=1",
        START,
        events(&["start", "stdout h", "stdout lo", ENDED, DONE]),
    ),
    call(
        "output-doubled",
        "",
        "process.Process/Start: output-doubled",
        TWICE,
        events(&["start", "stdout one", "stdout one", "stdout two", "stdout two", ENDED, DONE]),
    ),
    call(
        "output-merged",
        "",
        "process.Process/Start: output-merged",
        TWICE,
        events(&["start", "stdout onetwo", ENDED, DONE]),
    ),
    call(
        "output-split",
        "",
        "process.Process/Start: output-split 2",
        START,
        events(&["start", "stdout he", "stdout ll", "stdout o", ENDED, DONE]),
    ),
    call(
        "start-late",
        "",
        "process.Process/Start: start-late 200ms",
        START,
        Expect { late: Late::End(190), ..USUAL },
    ),
    call(
        "disk-full",
        "",
        "POST /files: disk-full 4096",
        UPLOAD,
        refused(507, "not enough disk space available"),
    ),
    call(
        "io-error",
        "in an upload",
        "POST /files: io-error 4096",
        UPLOAD,
        refused(500, "Input/output error (os error 5)"),
    ),
    call("io-error", "in a download", "GET /files: io-error 4096", BIG, body(Body::First(4096), ABORTED)),
    call(
        "access-denied",
        "",
        "filesystem.Filesystem/Stat: access-denied",
        STAT,
        refused(500, "ermission denied"),
    ),
    call("read-only", "", "POST /files: read-only", UPLOAD, refused(500, "ead-only file system")),
    call("slow-disk", "", "GET /files: slow-disk 10KiB/s", PAGE, Expect { late: Late::End(170), ..USUAL }),
    call(
        "preload-stuck",
        "",
        "POST /memory/preload: preload-stuck",
        PRELOADED,
        preload(&[("state", "\"running\"")]),
    ),
    call(
        "preload-slow",
        "",
        "POST /memory/preload: preload-slow 250ms",
        PRELOADED,
        Expect { late: Late::Head(250), ..preload(&[("state", "\"done\"")]) },
    ),
    call(
        "preload-fails",
        "",
        "POST /memory/preload: preload-fails text=\"no memory\"",
        PRELOADED,
        preload(&[("state", "\"failed\""), ("error", "\"no memory\"")]),
    ),
    call(
        "preload-lies",
        "",
        "POST /memory/preload: preload-lies",
        PRELOADED,
        preload(&[("state", "\"done\"")]),
    ),
    call(
        "series",
        "",
        "GET /health: series '[{\"version\":\"9.9.9\"}]'",
        HEALTH,
        Expect {
            head: Head::But(&[Header::Is("content-length", "19")]),
            body: Body::Json(&[("version", "\"9.9.9\"")]),
            ..USUAL
        },
    ),
    call(
        "series",
        "the second time",
        "GET /health: series '[{\"version\":\"1\"},{\"version\":\"2\"}]'",
        Probe { before: &[Before::Call(HEALTH.ask)], ..HEALTH },
        Expect {
            head: Head::But(&[Header::Is("content-length", "15")]),
            body: Body::Json(&[("version", "\"2\"")]),
            ..USUAL
        },
    ),
    call(
        "crash",
        "",
        "POST /snapshot/prepare: crash 100ms",
        CRASHED,
        silent(Expect { rest: Rests(Rest::BackWithout("kept"), Rest::BackWithout("kept")), ..RESET }),
    ),
    call(
        "crash",
        "with its processes kept",
        "POST /snapshot/prepare: crash 100ms processes=keep",
        CRASHED,
        silent(Expect { rest: Rests(Rest::Back("kept"), Rest::Back("kept")), ..RESET }),
    ),
];
