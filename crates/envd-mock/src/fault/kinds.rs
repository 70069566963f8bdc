//! The faults: every kind with what it is told, where it may act, on which protocols it means something, and an
//! example. One table; what a kind does on the wire is done elsewhere (`connection`, `pipeline`, `body`, `guest`).

use std::time::Duration;

use super::node::{Problem, Table};
use super::param::{
    Code, Errno, HttpStatus, Json, Length, Pairs, Param, Payload, Processes, Rate, Signal, Size, Wait,
};

/// What kind of thing goes wrong, for the catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Stage {
    /// The connection, whatever is said on it.
    Connection,
    /// The head of the answer, or that there is none.
    Reply,
    /// The bytes and envelopes of the answer.
    Body,
    /// How the request is taken.
    Request,
    /// What the guest does.
    Guest,
}

/// Where in a call a fault may act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Place {
    /// In place of the answer, or on its head.
    Head,
    /// At a byte of the answer's body, or of the connection.
    Byte,
    /// At an envelope of the answer, or a byte in it.
    Envelope,
    /// At a byte of what a process says.
    Output,
    /// At a byte or envelope of the request.
    Up,
}

/// On which protocol a fault means something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum On {
    /// HTTP/1.1 and HTTP/2.
    Both,
    /// HTTP/1.1 alone.
    Http1,
    /// HTTP/2 alone.
    Http2,
}

/// One row of the catalogue.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kind {
    /// The word that names it in a script.
    pub(crate) word: &'static str,
    pub(crate) stage: Stage,
    /// The first is where it acts when a rule names no position.
    pub(crate) places: &'static [Place],
    pub(crate) on: On,
    /// A whole rule.
    pub(crate) example: &'static str,
    /// One line.
    pub(crate) about: &'static str,
    /// Name and JSON Schema of each parameter, and whether it must be given; the first may be given without its name.
    pub(crate) params: &'static [ParamInfo],
}

/// A parameter of a kind.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ParamInfo {
    pub(crate) name: &'static str,
    pub(crate) schema: fn() -> serde_json::Value,
    pub(crate) required: fn() -> bool,
    pub(crate) example: fn() -> String,
}

/// Defines an enum of faults and its catalogue.
macro_rules! faults {
    ($(#[$meta:meta])* $name:ident { $(
        $(#[doc = $doc:literal])+
        $variant:ident = $word:literal, $stage:ident on $on:ident at [$($place:ident),+], $example:literal
        { $($(#[doc = $field_doc:literal])+ $field:ident: $type:ty),* $(,)? };
    )+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq)]
        #[non_exhaustive]
        pub enum $name { $(
            $(#[doc = $doc])+
            $variant { $($(#[doc = $field_doc])+ $field: $type),* },
        )+ }

        impl $name {
            /// Every kind, in the order of the catalogue.
            pub(crate) const KINDS: &'static [Kind] = &[$(Kind {
                word: $word,
                stage: Stage::$stage,
                places: &[$(Place::$place),+],
                on: On::$on,
                example: $example,
                about: concat!($($doc),+),
                params: &[$(ParamInfo {
                    name: stringify!($field),
                    schema: <$type as Param>::schema,
                    required: || <$type as Param>::missing().is_none(),
                    example: <$type as Param>::example,
                }),*],
            }),+];

            /// The word that names the kind in a script.
            pub fn word(&self) -> &'static str {
                match self { $(Self::$variant { .. } => $word),+ }
            }

            /// Its row of the catalogue.
            pub(crate) fn kind(&self) -> &'static Kind {
                let word = self.word();
                Self::KINDS.iter().find(|kind| kind.word == word).expect("every kind has a row")
            }

            /// Reads the kind called `word` from its parameters; takes out of `table` what it knows.
            pub(crate) fn read(word: &str, table: &mut Table) -> Option<Result<Self, Problem>> {
                match word {
                    $($word => Some(built(|| Ok(Self::$variant {
                        $($field: parameter::<$type>($word, stringify!($field), table)?),*
                    }))),)+
                    _ => None,
                }
            }

            /// Its parameters as a record has them.
            pub(crate) fn write(&self) -> Table {
                let mut table = Table::default();
                match self { $(
                    Self::$variant { $($field),* } => { $(table.put(stringify!($field), Param::write($field));)* }
                )+ }
                table
            }
        }
    };
}

/// Gives `?` within the table of kinds something to return from.
fn built<F>(build: impl FnOnce() -> Result<F, Problem>) -> Result<F, Problem> {
    build()
}

/// Takes a parameter of `word` out of a record.
pub(super) fn parameter<P: Param>(word: &str, name: &str, table: &mut Table) -> Result<P, Problem> {
    match table.take(name) {
        Some(node) => P::read(&node),
        None => P::missing().ok_or_else(|| {
            let expected = format!("{name} ({}) for {word}", P::expected());
            Problem::new(table.at.clone(), expected, "nothing", format!("{name}={}", P::example()))
        }),
    }
}

faults! {
    /// A fault of a whole connection.
    ConnectionFault {
        /// nobody listens: the handshake is refused, for the span of time that the rule names
        Refuse = "refuse", Connection on Both at [Head], "connection until=500ms: refuse" {};
        /// accepted and closed at once
        Close = "close", Connection on Both at [Head, Byte, Up], "connection #1: close" {};
        /// accepted and reset at once (RST), or after so many bytes
        Reset = "reset", Connection on Both at [Head, Byte, Up], "connection #2 @100: reset" {};
        /// accepted and never read, so that the peer's writes end up waiting
        Stall = "stall", Connection on Both at [Head, Byte, Up], "connection #3: stall" {};
        /// every byte is acknowledged and none is ever answered
        HalfOpen = "half-open", Connection on Both at [Head, Byte, Up], "connection #1: half-open" {};
        /// silent, and reset on the peer's next byte: what a connection looks like after a restore
        Zombie = "zombie", Connection on Both at [Head, Byte, Up], "connection #1: zombie" {};
        /// nothing is read before this time has passed
        Delay = "delay", Connection on Both at [Head], "connection: delay 100ms" {
            /// How long.
            time: Wait,
        };
        /// so many bytes a second towards the peer, at the most
        Bandwidth = "bandwidth", Connection on Both at [Head], "connection: bandwidth 64KiB/s" {
            /// Bytes a second.
            rate: Rate,
        };
        /// written in small pieces, each a segment of its own
        Slice = "slice", Connection on Both at [Head], "connection: slice 7 gap=1ms" {
            /// Bytes of a piece.
            size: Size,
            /// Between two pieces.
            gap: Option<Duration>,
        };
        /// the end of the connection (FIN) comes late
        SlowClose = "slow-close", Connection on Both at [Head], "connection: slow-close 300ms" {
            /// How late.
            time: Wait,
        };
        /// told to go away (GOAWAY) once the first call is under way; that call is still answered
        Goaway = "goaway", Connection on Http2 at [Head], "connection #1: goaway" {};
        /// the peer is told that it may have so many streams at once
        MaxStreams = "max-streams", Connection on Http2 at [Head], "connection: max-streams 1" {
            /// Concurrent streams.
            streams: u32,
        };
    }
}

faults! {
    /// A fault of one call.
    CallFault {
        /// the answer comes late; with a position, what is behind it does
        Delay = "delay", Reply on Both at [Head, Byte, Envelope, Output, Up], "* %0.05: delay 20ms..200ms" {
            /// How late.
            time: Wait,
        };
        /// no answer ever comes, and the connection stays open
        Hang = "hang", Reply on Both at [Head], "GET /health #1: hang" {};
        /// this HTTP status instead of the answer
        Status = "status", Reply on Both at [Head], "POST /init #1..3: status 503" {
            /// From 200 to 599.
            status: HttpStatus,
            /// Nothing by default.
            body: Option<Payload>,
            /// More headers.
            header: Pairs,
        };
        /// a Connect error instead of the answer, in the shape that the call's protocol has for it
        Error = "error", Reply on Both at [Head], "process.Process/Start: error unavailable message=\"try later\"" {
            /// The code.
            code: Code,
            /// The text.
            message: Option<String>,
            /// A list of objects with `type` and `value` (base64), as the Connect specification has them.
            details: Option<Json>,
        };
        /// another content type, or none
        ContentType = "content-type", Reply on Both at [Head], "GET /health: content-type text/html" {
            /// None takes the header away.
            value: Option<String>,
        };
        /// a header more, or with another value
        HeaderSet = "header-set", Reply on Both at [Head], "GET /files: header-set etag value=\"\\\"0\\\"\"" {
            /// The header.
            name: String,
            /// Its value.
            value: String,
        };
        /// a header less
        HeaderRemove = "header-remove", Reply on Both at [Head], "GET /files: header-remove content-disposition" {
            /// The header.
            name: String,
        };
        /// a content-length that is not the body's
        ContentLength = "content-length", Reply on Both at [Head], "GET /files: content-length +10" {
            /// As said, or how far off.
            length: Length,
        };
        /// the call breaks off: FIN without an answer or without the last chunk, RST_STREAM on HTTP/2
        Abort = "abort", Body on Both at [Head, Byte, Envelope, Output, Up], "process.Process/Start stdout@4096: abort" {};
        /// the call's connection is reset (RST), with all that is on it
        Reset = "reset", Body on Both at [Head, Byte, Envelope, Output, Up], "process.Process/Start #2 down[5] @3: reset" {};
        /// the call is answered, then the connection is silent and reset on the peer's next byte
        Zombie = "zombie", Reply on Both at [Head], "POST /snapshot/prepare: zombie" {};
        /// the connection takes no further call: GOAWAY on HTTP/2, `connection: close` on HTTP/1.1
        Goaway = "goaway", Reply on Both at [Head], "POST /snapshot/prepare: goaway" {};

        /// the body ends early and cleanly, as far as its framing allows: last chunk, END_STREAM, or FIN
        Cut = "cut", Body on Both at [Byte, Envelope, Output], "GET /files #1 @1048576: cut" {};
        /// nothing more comes, and the connection stays open
        Stall = "stall", Body on Both at [Byte, Envelope, Output], "process.Process/Start down[2]: stall" {};
        /// so many bytes a second from here on, at the most
        Slow = "slow", Body on Both at [Byte, Envelope, Output], "GET /files: slow 64KiB/s" {
            /// Bytes a second.
            rate: Rate,
        };
        /// pieces of this size from here on, each a chunk or DATA frame of its own
        Slice = "slice", Body on Both at [Byte, Envelope, Output], "process.Process/Start: slice 3 gap=1ms" {
            /// Bytes of a piece.
            size: Size,
            /// Between two pieces.
            gap: Option<Duration>,
        };
        /// held back until there is so much of it, or the end
        Coalesce = "coalesce", Body on Both at [Byte, Envelope, Output], "process.Process/Start: coalesce" {
            /// Bytes; until the end by default.
            size: Option<Size>,
        };
        /// one bit is the other way round
        Flip = "flip", Body on Both at [Byte, Envelope, Output], "GET /files @10: flip bit=3" {
            /// From 0, the lowest, to 7; 0 by default.
            bit: Option<u8>,
        };
        /// an envelope does not come
        Drop = "drop", Body on Both at [Envelope], "process.Process/Start down[2]: drop" {};
        /// an envelope comes twice
        Duplicate = "duplicate", Body on Both at [Envelope], "process.Process/Start down[2]: duplicate" {};
        /// an envelope comes behind the next one
        Swap = "swap", Body on Both at [Envelope], "process.Process/Start down[1]: swap" {};
        /// the message of one envelope comes in two, neither of which holds a whole one
        Split = "split", Body on Both at [Envelope], "process.Process/Start down[2]: split" {
            /// Bytes in the first; half by default.
            size: Option<Size>,
        };
        /// an envelope holds something else
        Replace = "replace", Body on Both at [Envelope], "process.Process/Start down[2]: replace base64://///w==" {
            /// Instead of the message.
            payload: Payload,
        };
        /// the flag byte of an envelope is this
        Flag = "flag", Body on Both at [Envelope], "process.Process/Start down[2]: flag 64" {
            /// The whole byte.
            flag: u8,
        };
        /// the length of an envelope says more than comes, and what follows is taken for its message
        LengthLonger = "length-longer", Body on Both at [Envelope], "process.Process/Start down[2]: length-longer 3" {
            /// Bytes too many; 1 by default.
            by: Option<u32>,
        };
        /// the length of an envelope says less than comes
        LengthShorter = "length-shorter", Body on Both at [Envelope], "process.Process/Start down[2]: length-shorter 1" {
            /// Bytes too few; 1 by default.
            by: Option<u32>,
        };
        /// the length of an envelope says 4 GiB
        LengthAbsurd = "length-absurd", Body on Both at [Envelope], "process.Process/Start down[2]: length-absurd" {};
        /// the flag says compressed and the message is not
        FalseCompressed = "false-compressed", Body on Both at [Envelope], "process.Process/Start down[2]: false-compressed" {};
        /// END_STREAM does not come, and the body ends cleanly
        EndMissing = "end-missing", Body on Both at [Envelope], "process.Process/Start: end-missing" {};
        /// END_STREAM holds something that is not JSON
        EndMalformed = "end-malformed", Body on Both at [Envelope], "process.Process/Start: end-malformed" {
            /// Instead of the JSON; `{"error":` by default.
            payload: Option<Payload>,
        };
        /// END_STREAM with an error, in place of the envelope at the position (by default of END_STREAM, so after `end`)
        EndError = "end-error", Body on Both at [Envelope], "process.Process/Start down[3]: end-error unavailable" {
            /// The code.
            code: Code,
            /// The text.
            message: Option<String>,
        };
        /// END_STREAM comes twice
        EndTwice = "end-twice", Body on Both at [Envelope], "process.Process/Start: end-twice" {};
        /// bytes follow END_STREAM
        EndTrailing = "end-trailing", Body on Both at [Envelope], "process.Process/Start: end-trailing" {
            /// What follows; `trailing` by default.
            payload: Option<Payload>,
        };
        /// the trailers of a gRPC answer do not come, and with them its status
        TrailersLost = "trailers-lost", Body on Http2 at [Envelope], "process.Process/List: trailers-lost" {};

        /// the request is not read past this point, and not answered
        StopReading = "stop-reading", Request on Both at [Up], "POST /files up@65536: stop-reading" {};
        /// answered before the request has come, and the connection is closed
        AnswerEarly = "answer-early", Request on Both at [Up], "POST /files up@1024: answer-early 413" {
            /// The status of the answer.
            status: HttpStatus,
        };
        /// `100 Continue` is never sent, so that a client that waits for it goes on only by itself
        NoContinue = "no-continue", Request on Http1 at [Head], "POST /files: no-continue" {};

        /// the program does not start: Start fails with `internal` and the text of this errno
        SpawnFails = "spawn-fails", Guest on Both at [Head], "process.Process/Start #1: spawn-fails" {
            /// EAGAIN by default.
            errno: Option<Errno>,
        };
        /// the process is killed, by default at once, after a time or so many bytes of output
        Kill = "kill", Guest on Both at [Head], "process.Process/Start tag=build: kill bytes=1000" {
            /// SIGKILL by default.
            signal: Option<Signal>,
            /// After this time.
            after: Option<Duration>,
            /// After so many bytes of output.
            bytes: Option<Size>,
        };
        /// the `end` event of the process never comes, and its streams stay open
        EndLost = "end-lost", Guest on Both at [Head], "process.Process/Start: end-lost" {};
        /// the process ends with another exit code than its own
        ExitCode = "exit-code", Guest on Both at [Head], "process.Process/Start: exit-code 137" {
            /// The code that is told.
            code: i32,
        };
        /// a part of the output never comes
        OutputLost = "output-lost", Guest on Both at [Head], "process.Process/Start: output-lost 100 from=50" {
            /// Bytes that are lost.
            size: Size,
            /// Bytes before them; 0 by default.
            from: Option<Size>,
        };
        /// each chunk of output comes twice
        OutputDoubled = "output-doubled", Guest on Both at [Head], "process.Process/Start: output-doubled" {};
        /// all output of a stream comes in one chunk, at the end of the process (at most 1 MiB is held back)
        OutputMerged = "output-merged", Guest on Both at [Head], "process.Process/Start: output-merged" {};
        /// output comes in chunks of this size
        OutputSplit = "output-split", Guest on Both at [Head], "process.Process/Start: output-split 1" {
            /// Bytes of a chunk.
            size: Size,
        };
        /// the start event comes late, though the process runs
        StartLate = "start-late", Guest on Both at [Head], "process.Process/Start: start-late 35s" {
            /// How late.
            time: Wait,
        };
        /// the disk is full (ENOSPC), for an upload after so many bytes of it
        DiskFull = "disk-full", Guest on Both at [Head], "POST /files: disk-full 4096" {
            /// Bytes that still fit; 0 by default.
            size: Option<Size>,
        };
        /// the disk gives an error (EIO), for an upload or download after so many bytes of it
        IoError = "io-error", Guest on Both at [Head], "GET /files: io-error 4096" {
            /// Bytes that still work; 0 by default.
            size: Option<Size>,
        };
        /// access is denied (EACCES)
        AccessDenied = "access-denied", Guest on Both at [Head], "filesystem.Filesystem/MakeDir: access-denied" {};
        /// the tree is read-only (EROFS)
        ReadOnly = "read-only", Guest on Both at [Head], "POST /files: read-only" {};
        /// the disk reads and writes this slowly
        SlowDisk = "slow-disk", Guest on Both at [Head], "POST /files: slow-disk 64KiB/s" {
            /// Bytes a second.
            rate: Rate,
        };
        /// the preload that this call starts runs for ever
        PreloadStuck = "preload-stuck", Guest on Both at [Head], "POST /memory/preload: preload-stuck" {};
        /// the preload that this call starts takes this long
        PreloadSlow = "preload-slow", Guest on Both at [Head], "POST /memory/preload: preload-slow 15m" {
            /// How long.
            time: Duration,
        };
        /// the preload that this call starts fails
        PreloadFails = "preload-fails", Guest on Both at [Head], "POST /memory/preload: preload-fails" {
            /// The text of the failure.
            text: Option<String>,
        };
        /// the preload that this call starts says at once that it is done, with nothing read
        PreloadLies = "preload-lies", Guest on Both at [Head], "POST /memory/preload: preload-lies" {};
        /// the nth call gets the nth object of a list laid over its JSON answer, and the last one from then on
        Series = "series", Guest on Both at [Head], "GET /activity: series '[{\"cpu_used_pct\":90},{\"cpu_used_pct\":0}]'" {
            /// A list of objects.
            values: Json,
        };
        /// the daemon crashes: every connection is reset, nobody listens for a while, then it is back
        Crash = "crash", Guest on Both at [Head, Byte, Envelope, Output, Up], "POST /snapshot/prepare: crash 200ms processes=keep" {
            /// How long nobody listens; 100 ms by default.
            down: Option<Duration>,
            /// Lost by default.
            processes: Option<Processes>,
        };
    }
}
