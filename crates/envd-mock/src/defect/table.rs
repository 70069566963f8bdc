//! The table of defects. The line of one that the mock can only come near to says what the mock does.

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
        line: "the end of a process is never told, and its streams never close",
        built: OLD,
        state: switch(Defect::EndNeverSent, ALL, |traits| traits.guest.tells_end = false),
    },
    Row {
        id: "B2",
        name: "dead-listed",
        line: "processes that have ended stay on the list; signals to them are internal (ESRCH)",
        built: OLD,
        state: switch(Defect::DeadListed, ALL, |traits| traits.guest.forgets_dead = false),
    },
    Row {
        id: "B3",
        name: "fast-output-lost",
        line: "the first output of every 20th process is lost; the real loss is a race of about as many",
        built: OLD,
        state: switch(Defect::FastOutputLost, ALL, |traits| traits.guest.deaf_start = Some(DEAF_START)),
    },
    Row {
        id: "B4",
        name: "upload-limit",
        line: "uploads above 2 MiB are 500 with a text about parsing",
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
        line: "an RFC 3339 timestamp in /init is as good as absent; decimal seconds count",
        built: OLD,
        state: switch(Defect::Rfc3339Ignored, ALL, |traits| traits.guest.init.reads_rfc3339 = false),
    },
    Row {
        id: "B7",
        name: "niceness-wrong",
        line: "commands run at niceness -20 where the machine allows it, else they complain on stderr and run",
        built: OLD,
        state: switch(Defect::NicenessWrong, ALL, |traits| traits.guest.launch.niced = true),
    },
    Row {
        id: "B8",
        name: "signal-leader-only",
        line: "a signal reaches the leader alone; its children go on",
        built: OLD,
        state: switch(Defect::SignalLeaderOnly, ALL, |traits| traits.guest.signals_group = false),
    },
    Row {
        id: "B9",
        name: "input-blocks",
        line: "SendInput to a process that does not read waits until it reads or ends; other calls go on",
        built: OLD,
        state: switch(Defect::InputBlocks, ALL, |traits| traits.guest.input_patience = None),
    },
    Row {
        id: "B10",
        name: "empty-upload-ok",
        line: "an upload without a part named file is 200 and an empty list",
        built: OLD,
        state: switch(Defect::EmptyUploadOk, BY_FORM, |traits| traits.wire.form.needs_file = false),
    },
    Row {
        id: "B11",
        name: "token-unchecked",
        line: "a token that is set is asked for by /files alone",
        built: ALL,
        state: switch(Defect::TokenUnchecked, ALL, |traits| traits.wire.asks_token = false),
    },
    Row {
        id: "B12",
        name: "rpc-without-cors",
        line: "RPCs have no CORS headers, and a preflight to one is 415",
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
        line: "a download whose name holds a control character gets no answer; the real daemon dies, the mock stays",
        built: ALL,
        state: switch(Defect::OddNameCrash, ALL, |traits| traits.wire.names = Names::Raw),
    },
    Row {
        id: "B16",
        name: "range-ignored",
        line: "Range and conditions are ignored: always 200 and all of it, without ETag and Last-Modified",
        built: ALL,
        state: switch(Defect::RangeIgnored, ALL, |traits| traits.wire.ranges = false),
    },
    Row {
        id: "B17",
        name: "remove-missing-internal",
        line: "Remove of a missing path is internal, not not_found",
        built: ALL,
        state: switch(Defect::RemoveMissingInternal, ALL, |traits| traits.guest.misses_removed = false),
    },
    Row {
        id: "B18",
        name: "watch-missing-internal",
        line: "a watch of a missing path is internal, not not_found",
        built: ALL,
        state: switch(Defect::WatchMissingInternal, ALL, |traits| traits.guest.misses_watched = false),
    },
    Row {
        id: "B19",
        name: "terminal-leaked",
        line: "once there was a terminal, commands inherit descriptor 3 on a terminal's master (here a fresh one)",
        built: ALL,
        state: switch(Defect::TerminalLeaked, ALL, |traits| traits.guest.launch.leaks_terminals = true),
    },
    Row {
        id: "B20",
        name: "deadline-ignored",
        line: "Connect-Timeout-Ms ends nothing",
        built: ALL,
        state: switch(Defect::DeadlineIgnored, ALL, |traits| traits.wire.deadlines = false),
    },
    Row {
        id: "B21",
        name: "slow-reader-loses",
        line: "a reader that is 4096 messages behind loses the oldest, and is not told",
        built: ALL,
        state: switch(Defect::SlowReaderLoses, ALL, |traits| {
            traits.guest.overflow = Overflow::Forgets(FORGETTING);
        }),
    },
    Row {
        id: "B22",
        name: "nul-env-poisons",
        line: "a NUL in a value of envVars is accepted, and every Start fails until it is overwritten",
        built: ALL,
        state: switch(Defect::NulEnvPoisons, ALL, |traits| traits.guest.checks_env = false),
    },
    Row {
        id: "B23",
        name: "workdir-ignored",
        line: "relative paths start at the home; only an empty one is the default working directory",
        built: ALL,
        state: switch(Defect::WorkdirIgnored, ALL, |traits| traits.guest.joins_workdir = false),
    },
    Row {
        id: "B24",
        name: "nul-name-crash",
        line: "a NUL in sandbox_id, template_id or proxy_domain gets no answer; the real daemon dies, the mock stays",
        built: NEW,
        state: switch(Defect::NulNameCrash, WITH_LIFE_CYCLES, |traits| {
            traits.guest.init.survives_nul = false;
        }),
    },
    Row {
        id: "B25",
        name: "end-waits-for-descendants",
        line: "the end waits for descendants that hold the output",
        built: NEW,
        state: State::Fact("it is how pipes end; every generation of the mock does so"),
    },
    Row {
        id: "B26",
        name: "profile-wins",
        line: "what the profile sets wins over the environment of a command",
        built: NEW,
        state: switch(Defect::ProfileWins, NEW, |traits| traits.guest.launch.profile_wins = true),
    },
    Row {
        id: "B27",
        name: "nologin-stuck",
        line: "users whose shell turns them away can run nothing",
        built: NEW,
        state: switch(Defect::NologinStuck, NEW, |traits| traits.guest.launch.spares_locked = false),
    },
    Row {
        id: "B28",
        name: "special-files-empty",
        line: "files without a size, as in /proc, come back empty",
        built: NEW,
        state: switch(Defect::SpecialFilesEmpty, ALL, |traits| traits.wire.reads_sizeless = false),
    },
    Row {
        id: "B29",
        name: "put-drops-link",
        line: "an upload by PUT replaces a link, and resets the mode to 0644",
        built: NEW,
        state: switch(Defect::PutDropsLink, NEW, |traits| traits.guest.keeps_replaced = false),
    },
    Row {
        id: "B30",
        name: "first-lifecycle-ignored",
        line: "the first lifecycle_id changes nothing, even after a snapshot was prepared",
        built: NEW,
        state: switch(Defect::FirstLifecycleIgnored, WITH_LIFE_CYCLES, |traits| {
            traits.guest.init.counts_first = false;
        }),
    },
    Row {
        id: "B31",
        name: "cancel-sticky",
        line: "a cancel of the preload also counts before its start, and turns done into cancelled",
        built: NEW,
        state: switch(Defect::CancelSticky, WITH_LIFE_CYCLES, |traits| traits.guest.sticky_cancel = true),
    },
    Row {
        id: "B32",
        name: "partitions-counted",
        line: "disk_bps of /activity counts partitions beside their disks",
        built: NEW,
        state: switch(Defect::PartitionsCounted, WITH_LIFE_CYCLES, |traits| {
            traits.guest.counts_partitions = true;
        }),
    },
    Row {
        id: "B33",
        name: "machine-clock-stepped",
        line: "any caller steps the machine's clock by /init",
        built: NEW,
        state: State::Fact(
            "the mock steps its guest's own clock and never the machine's; on the wire both look the same",
        ),
    },
];

const fn switch(defect: Defect, shows: &'static [Generation], change: fn(&mut Traits)) -> State {
    State::Switch { defect, shows, change }
}
