//! The table of defects. If the mock can only approximate a defect, its line says what the mock does.

use super::Defect;
use crate::generation::{Generation, Names, TimestampForm, Traits};
use crate::guest::habits::Overflow;

use Generation::{One, Three, Two};

/// One defect.
pub(super) struct Row {
    pub(super) id: &'static str,
    pub(super) name: &'static str,
    pub(super) line: &'static str,
    /// The generations whose builds have it. Nobody has watched a build of generation 2: it has what was there both
    /// before and after it.
    pub(super) built: &'static [Generation],
    pub(super) state: State,
}

/// Whether there is a switch.
pub(super) enum State {
    /// In which generations it shows, and what it changes.
    Switch { defect: Defect, shows: &'static [Generation], change: fn(&mut Traits) },
    /// Why there is none.
    Fact(&'static str),
}

const ALL: &[Generation] = &Generation::ALL;
const OLD: &[Generation] = &[One];
const NEW: &[Generation] = &[Three];
const BY_FORM: &[Generation] = &[One, Two];
const WITH_LIFE_CYCLES: &[Generation] = &[Two, Three];

/// Of so many processes one is listened to late: 3 of 60 were.
const DEAF_START: u32 = 20;
/// Messages that wait for a reader that may lose some.
const FORGETTING: usize = 4096;
/// What the framework takes of a body unless it is told otherwise, in bytes.
const BODY_LIMIT: u64 = 2 << 20;

pub(super) const TABLE: &[Row] = &[
    Row {
        id: "B1",
        name: "end-never-sent",
        line: "the end event of a process is never sent, and its streams never close",
        built: OLD,
        state: switch(Defect::EndNeverSent, ALL, |traits| traits.guest.tells_end = false),
    },
    Row {
        id: "B2",
        name: "dead-listed",
        line: "ended processes stay on the list; a signal to one fails with internal (ESRCH)",
        built: OLD,
        state: switch(Defect::DeadListed, ALL, |traits| traits.guest.forgets_dead = false),
    },
    Row {
        id: "B3",
        name: "fast-output-lost",
        line: "the first output of every 20th process is lost; real builds lose about as many in a race",
        built: OLD,
        state: switch(Defect::FastOutputLost, ALL, |traits| traits.guest.deaf_start = Some(DEAF_START)),
    },
    Row {
        id: "B4",
        name: "upload-limit",
        line: "an upload above 2 MiB fails with 500 and a message about parsing",
        built: OLD,
        state: switch(Defect::UploadLimit, BY_FORM, |traits| traits.wire.form.limit = Some(BODY_LIMIT)),
    },
    Row {
        id: "B5",
        name: "defaults-ignored",
        line: "/init accepts defaultUser and defaultWorkdir and ignores them",
        built: OLD,
        state: switch(Defect::DefaultsIgnored, ALL, |traits| traits.guest.init.sets_defaults = false),
    },
    Row {
        id: "B6",
        name: "rfc3339-ignored",
        line: "/init ignores an RFC 3339 timestamp; decimal seconds work",
        built: OLD,
        state: switch(Defect::Rfc3339Ignored, ALL, |traits| traits.guest.init.reads_rfc3339 = false),
    },
    Row {
        id: "B7",
        name: "niceness-wrong",
        line: "commands run at niceness -20 if the machine allows it, otherwise they print a warning on stderr",
        built: OLD,
        state: switch(Defect::NicenessWrong, ALL, |traits| traits.guest.launch.niced = true),
    },
    Row {
        id: "B8",
        name: "signal-leader-only",
        line: "a signal reaches only the process itself; its children keep running",
        built: OLD,
        state: switch(Defect::SignalLeaderOnly, ALL, |traits| traits.guest.signals_group = false),
    },
    Row {
        id: "B9",
        name: "input-blocks",
        line: "SendInput to a process that does not read blocks until it reads or ends; other calls work",
        built: OLD,
        state: switch(Defect::InputBlocks, ALL, |traits| traits.guest.input_patience = None),
    },
    Row {
        id: "B10",
        name: "empty-upload-ok",
        line: "an upload without a part named file succeeds with 200 and an empty list",
        built: OLD,
        state: switch(Defect::EmptyUploadOk, BY_FORM, |traits| traits.wire.form.needs_file = false),
    },
    Row {
        id: "B11",
        name: "token-unchecked",
        line: "only /files checks the access token",
        built: ALL,
        state: switch(Defect::TokenUnchecked, ALL, |traits| traits.wire.asks_token = false),
    },
    Row {
        id: "B12",
        name: "rpc-without-cors",
        line: "RPCs have no CORS headers, and a CORS preflight to one fails with 415",
        built: ALL,
        state: switch(Defect::RpcWithoutCors, ALL, |traits| traits.wire.rpc_cors = false),
    },
    Row {
        id: "B13",
        name: "watch-dir-missing",
        line: "WatchDir is unimplemented",
        built: ALL,
        state: switch(Defect::WatchDirMissing, ALL, |traits| traits.wire.watch_dir = false),
    },
    Row {
        id: "B14",
        name: "timestamp-object",
        line: "timestamps in JSON messages are {\"seconds\":\"...\",\"nanos\":n}",
        built: ALL,
        state: switch(Defect::TimestampObject, ALL, |traits| traits.wire.timestamps = TimestampForm::Object),
    },
    Row {
        id: "B15",
        name: "odd-name-crash",
        line: "a download whose name has a control character gets no response; real daemons crash, the mock does not",
        built: ALL,
        state: switch(Defect::OddNameCrash, ALL, |traits| traits.wire.names = Names::Raw),
    },
    Row {
        id: "B16",
        name: "range-ignored",
        line: "Range and conditional headers are ignored: always 200 and the whole file, no ETag or Last-Modified",
        built: ALL,
        state: switch(Defect::RangeIgnored, ALL, |traits| traits.wire.ranges = false),
    },
    Row {
        id: "B17",
        name: "remove-missing-internal",
        line: "Remove of a missing path fails with internal instead of not_found",
        built: ALL,
        state: switch(Defect::RemoveMissingInternal, ALL, |traits| traits.guest.misses_removed = false),
    },
    Row {
        id: "B18",
        name: "watch-missing-internal",
        line: "a watch of a missing path fails with internal instead of not_found",
        built: ALL,
        state: switch(Defect::WatchMissingInternal, ALL, |traits| traits.guest.misses_watched = false),
    },
    Row {
        id: "B19",
        name: "terminal-leaked",
        line: "after the first terminal, commands inherit the master of a terminal as descriptor 3 (here a new one)",
        built: ALL,
        state: switch(Defect::TerminalLeaked, ALL, |traits| traits.guest.launch.leaks_terminals = true),
    },
    Row {
        id: "B20",
        name: "deadline-ignored",
        line: "Connect-Timeout-Ms has no effect",
        built: ALL,
        state: switch(Defect::DeadlineIgnored, ALL, |traits| traits.wire.deadlines = false),
    },
    Row {
        id: "B21",
        name: "slow-reader-loses",
        line: "a reader that is 4096 messages behind silently loses the oldest",
        built: ALL,
        state: switch(Defect::SlowReaderLoses, ALL, |traits| {
            traits.guest.overflow = Overflow::Forgets(FORGETTING);
        }),
    },
    Row {
        id: "B22",
        name: "nul-env-poisons",
        line: "a NUL in an envVars value is accepted, and every Start fails until the value is overwritten",
        built: ALL,
        state: switch(Defect::NulEnvPoisons, ALL, |traits| traits.guest.checks_env = false),
    },
    Row {
        id: "B23",
        name: "workdir-ignored",
        line: "relative paths start at the home; only an empty path is the default working directory",
        built: ALL,
        state: switch(Defect::WorkdirIgnored, ALL, |traits| traits.guest.joins_workdir = false),
    },
    Row {
        id: "B24",
        name: "nul-name-crash",
        line: "a NUL in sandbox_id, template_id or proxy_domain gets no response; real daemons crash, the mock does not",
        built: NEW,
        state: switch(Defect::NulNameCrash, WITH_LIFE_CYCLES, |traits| {
            traits.guest.init.survives_nul = false;
        }),
    },
    Row {
        id: "B25",
        name: "end-waits-for-descendants",
        line: "the end event waits for descendants that hold the output open",
        built: NEW,
        state: State::Fact("pipes work this way, and so does every generation of the mock"),
    },
    Row {
        id: "B26",
        name: "profile-wins",
        line: "variables set by the profile override the environment of a command",
        built: NEW,
        state: switch(Defect::ProfileWins, NEW, |traits| traits.guest.launch.profile_wins = true),
    },
    Row {
        id: "B27",
        name: "nologin-stuck",
        line: "users with a nologin shell cannot run commands",
        built: NEW,
        state: switch(Defect::NologinStuck, NEW, |traits| traits.guest.launch.spares_locked = false),
    },
    Row {
        id: "B28",
        name: "special-files-empty",
        line: "files without a size, as in /proc, are read as empty",
        built: NEW,
        state: switch(Defect::SpecialFilesEmpty, ALL, |traits| traits.wire.reads_sizeless = false),
    },
    Row {
        id: "B29",
        name: "put-drops-link",
        line: "an upload by PUT replaces a symbolic link and resets the mode to 0644",
        built: NEW,
        state: switch(Defect::PutDropsLink, NEW, |traits| traits.guest.keeps_replaced = false),
    },
    Row {
        id: "B30",
        name: "first-lifecycle-ignored",
        line: "the first lifecycle_id has no effect, even after a snapshot was prepared",
        built: NEW,
        state: switch(Defect::FirstLifecycleIgnored, WITH_LIFE_CYCLES, |traits| {
            traits.guest.init.counts_first = false;
        }),
    },
    Row {
        id: "B31",
        name: "cancel-sticky",
        line: "cancelling a preload also has an effect before its start, and changes done to cancelled",
        built: NEW,
        state: switch(Defect::CancelSticky, WITH_LIFE_CYCLES, |traits| traits.guest.sticky_cancel = true),
    },
    Row {
        id: "B32",
        name: "partitions-counted",
        line: "disk_bps of /activity counts partitions in addition to their disks",
        built: NEW,
        state: switch(Defect::PartitionsCounted, WITH_LIFE_CYCLES, |traits| {
            traits.guest.counts_partitions = true;
        }),
    },
    Row {
        id: "B33",
        name: "machine-clock-stepped",
        line: "any caller can set the machine's clock by /init",
        built: NEW,
        state: State::Fact(
            "the mock sets only its guest's clock, never the machine's; on the wire both look the same",
        ),
    },
];

const fn switch(defect: Defect, shows: &'static [Generation], change: fn(&mut Traits)) -> State {
    State::Switch { defect, shows, change }
}
