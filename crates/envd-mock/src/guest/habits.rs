//! What may differ in how guests behave, in the guest's own words. Data only: which guest has which habits is decided
//! where the guest is made.

use std::time::Duration;

/// The habits of one guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Habits {
    /// How a command becomes a process.
    pub(crate) launch: Launch,
    /// A caller may say who runs a command.
    pub(crate) chooses_user: bool,
    /// Keys and values that no environment can hold are refused, in defaults and in commands.
    pub(crate) checks_env: bool,
    /// How much of the newest output a later reader still gets, in bytes.
    pub(crate) replay: usize,
    pub(crate) chunking: Chunking,
    pub(crate) overflow: Overflow,
    /// One in so many processes is listened to only after its first output.
    pub(crate) deaf_start: Option<u32>,
    /// The end of a process is told; otherwise its streams stay open.
    pub(crate) tells_end: bool,
    /// A process that has ended is off the list.
    pub(crate) forgets_dead: bool,
    /// Signals go to the whole group, not to its leader alone.
    pub(crate) signals_group: bool,
    /// How long a process may read nothing before a write gives up; `None` for ever.
    pub(crate) input_patience: Option<Duration>,
    pub(crate) init: InitHabits,
    /// Relative paths join the default working directory, not the home.
    pub(crate) joins_workdir: bool,
    /// Something missing is told from other failures of a removal.
    pub(crate) misses_removed: bool,
    /// Something missing, or that is no directory, is told from other failures of a watch.
    pub(crate) misses_watched: bool,
    /// A replaced file is reached through links and keeps its mode, however it is replaced.
    pub(crate) keeps_replaced: bool,
    /// A cancelled preload stays cancelled, also when it had not begun or was over.
    pub(crate) sticky_cancel: bool,
    /// Activity counts the partitions of a disk beside the disk.
    pub(crate) counts_partitions: bool,
    pub(crate) memory: MemoryRule,
}

/// How a command becomes a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Launch {
    /// The user's shell runs the profile, then the program, or the command line when it has no arguments; a tilde is
    /// the home, and SHELL is set. Otherwise the program is run as it is.
    pub(crate) by_shell: bool,
    /// What the profile sets wins over what the command asked for.
    pub(crate) profile_wins: bool,
    /// Users whose shell only turns them away have another one for commands.
    pub(crate) spares_locked: bool,
    /// Programs run at the niceness that was worked out wrongly.
    pub(crate) niced: bool,
    /// Once there was a terminal, later commands inherit a descriptor of one.
    pub(crate) leaks_terminals: bool,
}

/// How output is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Chunking {
    /// The most that is read at once from a pipe, in bytes.
    pub(crate) pipe: usize,
    /// The same for a terminal.
    pub(crate) terminal: usize,
    /// How long what follows a read is waited for, to go out in one chunk; at 64 KiB nothing more is.
    pub(crate) gather: Duration,
}

/// What happens to a reader that is slower than its process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Overflow {
    /// It holds the process up.
    Waits,
    /// It loses the oldest of so many messages, and is not told.
    Forgets(usize),
}

/// How the guest is initialised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct InitHabits {
    /// The default user and working directory count.
    pub(crate) sets_defaults: bool,
    /// Points in time may be RFC 3339, not decimal seconds alone.
    pub(crate) reads_rfc3339: bool,
    /// A NUL in a name is refused; otherwise the daemon breaks down over it.
    pub(crate) survives_nul: bool,
    /// The first life cycle after a snapshot was prepared counts as a change.
    pub(crate) counts_first: bool,
}

/// What counts as used memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MemoryRule {
    /// What is not available to a new program.
    NotAvailable,
    /// What is neither free nor a cache.
    NotFree,
}

impl Habits {
    /// What is meant, where nothing else is said.
    pub(crate) const MEANT: Self = Self {
        launch: Launch {
            by_shell: false,
            profile_wins: false,
            spares_locked: true,
            niced: false,
            leaks_terminals: false,
        },
        chooses_user: false,
        checks_env: true,
        replay: 0,
        chunking: Chunking { pipe: 64 << 10, terminal: 64 << 10, gather: Duration::ZERO },
        overflow: Overflow::Waits,
        deaf_start: None,
        tells_end: true,
        forgets_dead: true,
        signals_group: true,
        input_patience: Some(Duration::from_secs(5)),
        init: InitHabits { sets_defaults: true, reads_rfc3339: true, survives_nul: true, counts_first: true },
        joins_workdir: true,
        misses_removed: true,
        misses_watched: true,
        keeps_replaced: true,
        sticky_cancel: false,
        counts_partitions: false,
        memory: MemoryRule::NotAvailable,
    };
}

impl Default for Habits {
    fn default() -> Self {
        Self::MEANT
    }
}
