//! The known defects of real builds (contract, section 9): their names, who has them, and what asks for them. What each
//! changes is in the table (`defect/table`). Off unless asked for.

mod table;

use std::fmt;
use std::str::FromStr;

use crate::generation::{Generation, Traits};

use table::{Row, State, TABLE};

/// A known defect of real builds that the mock can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Defect {
    /// B1: the end of a process is never told, and its streams never close.
    EndNeverSent,
    /// B2: processes that have ended stay on the list.
    DeadListed,
    /// B3: the first output of some processes is lost.
    FastOutputLost,
    /// B4: uploads above 2 MiB fail with a misleading 500.
    UploadLimit,
    /// B5: `/init` accepts the default user and working directory and ignores them.
    DefaultsIgnored,
    /// B6: an RFC 3339 timestamp in `/init` is as good as absent.
    Rfc3339Ignored,
    /// B7: commands run at niceness -20, or complain that they may not.
    NicenessWrong,
    /// B8: a signal reaches the leader alone; its children go on.
    SignalLeaderOnly,
    /// B9: SendInput to a process that does not read waits for ever.
    InputBlocks,
    /// B10: an upload without a `file` part is 200 and an empty list.
    EmptyUploadOk,
    /// B11: only `/files` asks for the token.
    TokenUnchecked,
    /// B12: RPCs have no CORS headers and no preflight.
    RpcWithoutCors,
    /// B13: WatchDir is unimplemented.
    WatchDirMissing,
    /// B14: timestamps in JSON are objects.
    TimestampObject,
    /// B15: a download whose name holds a control character gets no answer.
    OddNameCrash,
    /// B16: Range and conditions are ignored.
    RangeIgnored,
    /// B17: Remove of a missing path is internal, not not_found.
    RemoveMissingInternal,
    /// B18: a watch of a missing path is internal, not not_found.
    WatchMissingInternal,
    /// B19: commands inherit a descriptor of a terminal once there was one.
    TerminalLeaked,
    /// B20: `Connect-Timeout-Ms` ends nothing.
    DeadlineIgnored,
    /// B21: a reader that is 4096 messages behind loses the oldest, and is not told.
    SlowReaderLoses,
    /// B22: a NUL in an environment variable of `/init` makes every later Start fail.
    NulEnvPoisons,
    /// B23: relative paths start at the home, whatever the default working directory.
    WorkdirIgnored,
    /// B24: a NUL in a name of `/init` gets no answer.
    NulNameCrash,
    /// B26: the profile wins over the environment of a command.
    ProfileWins,
    /// B27: users whose shell turns them away can run nothing.
    NologinStuck,
    /// B28: files without a size, as in /proc, come back empty.
    SpecialFilesEmpty,
    /// B29: an upload by PUT replaces a link and resets the mode.
    PutDropsLink,
    /// B30: the first life cycle id after a snapshot was prepared changes nothing.
    FirstLifecycleIgnored,
    /// B31: a cancel of the preload counts before it begins and after it is done.
    CancelSticky,
    /// B32: `disk_bps` counts partitions beside their disks.
    PartitionsCounted,
}

impl Defect {
    /// All of them, in the order of the contract.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().filter_map(|row| match row.state {
            State::Switch { defect, .. } => Some(defect),
            State::Fact(_) => None,
        })
    }

    /// Those that the builds of a generation have.
    pub fn as_built(generation: Generation) -> impl Iterator<Item = Self> {
        Self::all().filter(move |defect| defect.row().built.contains(&generation))
    }

    /// Its name, such as `end-never-sent`.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// Its number in the contract, such as `B1`.
    pub fn id(self) -> &'static str {
        self.row().id
    }

    /// What it is, in one line.
    pub fn line(self) -> &'static str {
        self.row().line
    }

    /// The generations in which it can be seen.
    pub fn shows(self) -> &'static [Generation] {
        match self.row().state {
            State::Switch { shows, .. } => shows,
            State::Fact(_) => &[],
        }
    }

    /// Changes the traits of a guest into those of one that has it.
    pub(crate) fn change(self, traits: &mut Traits) {
        if let State::Switch { change, .. } = self.row().state {
            change(traits);
        }
    }

    fn row(self) -> &'static Row {
        let is_own = |row: &&Row| matches!(row.state, State::Switch { defect, .. } if defect == self);
        TABLE.iter().find(is_own).expect("every defect has a row in the table")
    }
}

/// The traits of a generation with some defects.
///
/// # Errors
/// The first defect that cannot be seen in this generation.
pub(crate) fn traits(generation: Generation, defects: &[Defect]) -> Result<Traits, NotShown> {
    let mut traits = generation.traits();
    for &defect in defects {
        if !defect.shows().contains(&generation) {
            return Err(NotShown { defect, generation });
        }
        defect.change(&mut traits);
    }
    Ok(traits)
}

/// Every row of the table for people: id, name, the generations whose builds have it, and what it is.
pub(crate) fn listing() -> String {
    let mut text = String::from(
        "Known defects of real builds; --defect NAME gives the mock one, --as-built those of its generation.\n\n",
    );
    for Row { id, name, line, built, state } in TABLE {
        let built: Vec<String> = built.iter().map(ToString::to_string).collect();
        let why = match state {
            State::Switch { .. } => String::new(),
            State::Fact(reason) => format!(" (no switch: {reason})"),
        };
        text.push_str(&format!("{id:<4}{name:<26}{:<8}{line}{why}\n", built.join(",")));
    }
    text
}

impl fmt::Display for Defect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Defect {
    type Err = UnknownDefect;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let named = TABLE.iter().find(|row| row.name == text || row.id.eq_ignore_ascii_case(text));
        match named.map(|row| &row.state) {
            Some(State::Switch { defect, .. }) => Ok(*defect),
            Some(State::Fact(reason)) => Err(UnknownDefect::NoSwitch(text.to_owned(), reason)),
            None => Err(UnknownDefect::NoSuch(text.to_owned())),
        }
    }
}

/// No defect has this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UnknownDefect {
    /// There is none.
    #[error("expected the name of a defect (`envd-mock defects` lists them), got {0:?}")]
    NoSuch(String),
    /// There is one that the mock cannot show.
    #[error("the defect {0:?} is no switch: {1}")]
    NoSwitch(String, &'static str),
}

/// The defect cannot be seen in this generation, so that asking for it would be of no use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the defect {defect} shows in generation {} only, and this is {generation}", of(defect.shows()))]
pub struct NotShown {
    defect: Defect,
    generation: Generation,
}

fn of(generations: &[Generation]) -> String {
    let all: Vec<String> = generations.iter().map(ToString::to_string).collect();
    all.join(" and ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_contracts_defects_have_a_row_each_in_its_order() {
        let expected: Vec<String> = (1..=33).map(|n| format!("B{n}")).collect();
        assert_eq!(TABLE.iter().map(|row| row.id).collect::<Vec<_>>(), expected);
        for row in TABLE {
            assert!(TABLE.iter().filter(|other| other.name == row.name).count() == 1, "{}", row.name);
            assert!(
                row.name.bytes().all(|byte| byte == b'-' || byte.is_ascii_alphanumeric()),
                "{}",
                row.name
            );
            assert!(!row.line.ends_with('.') && row.line.len() < 120, "{}", row.line);
        }
    }

    #[test]
    fn names_and_numbers_read_back() {
        for defect in Defect::all() {
            assert_eq!(defect.name().parse(), Ok(defect));
            assert_eq!(defect.id().parse(), Ok(defect));
        }
        assert!(matches!("B25".parse::<Defect>(), Err(UnknownDefect::NoSwitch(..))));
        assert!(matches!("nope".parse::<Defect>(), Err(UnknownDefect::NoSuch(_))));
    }

    #[test]
    fn each_changes_what_a_guest_is_where_it_shows() {
        for defect in Defect::all() {
            assert!(!defect.shows().is_empty(), "{defect}");
            for generation in Generation::ALL {
                let changed = traits(generation, &[defect]);
                assert_eq!(changed.is_ok(), defect.shows().contains(&generation), "{defect} {generation}");
                if let Ok(changed) = changed {
                    assert_ne!(changed, generation.traits(), "{defect} {generation}");
                }
            }
        }
    }

    #[test]
    fn a_build_has_only_what_shows_in_its_generation() {
        let counts = Generation::ALL.map(|generation| Defect::as_built(generation).count());
        assert_eq!(counts, [23, 13, 21]);
        for generation in Generation::ALL {
            let built: Vec<Defect> = Defect::as_built(generation).collect();
            assert!(traits(generation, &built).is_ok());
        }
    }

    #[test]
    fn the_page_for_users_names_each() {
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/generations.md");
        let page = std::fs::read_to_string(page).unwrap();
        for Row { id, name, line, .. } in TABLE {
            let row = format!("| {id} | `{name}` |");
            let found = page.lines().find(|text| text.starts_with(&row));
            assert!(found.is_some_and(|text| text.contains(line)), "no line {row} {line}");
        }
    }

    #[test]
    fn the_listing_has_a_line_for_each() {
        let text = listing();
        assert!(text.contains("B1  end-never-sent            1       "), "{text}");
        assert!(text.contains("(no switch: "), "{text}");
        assert_eq!(text.lines().filter(|line| line.starts_with('B')).count(), 33);
    }
}
