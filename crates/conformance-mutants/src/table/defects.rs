//! The defects that real builds were seen to have and that a build of generation 2 can have, by the mock's switches.

use envd_mock::Defect;

use crate::{Change, Mutant};

const DEFECTS: &[(&str, Defect)] = &[
    ("defect/end-never-sent", Defect::EndNeverSent),
    ("defect/dead-listed", Defect::DeadListed),
    ("defect/fast-output-lost", Defect::FastOutputLost),
    ("defect/upload-limit", Defect::UploadLimit),
    ("defect/defaults-ignored", Defect::DefaultsIgnored),
    ("defect/rfc3339-ignored", Defect::Rfc3339Ignored),
    ("defect/niceness-wrong", Defect::NicenessWrong),
    ("defect/signal-leader-only", Defect::SignalLeaderOnly),
    ("defect/input-blocks", Defect::InputBlocks),
    ("defect/empty-upload-ok", Defect::EmptyUploadOk),
    ("defect/token-unchecked", Defect::TokenUnchecked),
    ("defect/rpc-without-cors", Defect::RpcWithoutCors),
    ("defect/watch-dir-missing", Defect::WatchDirMissing),
    ("defect/timestamp-object", Defect::TimestampObject),
    ("defect/odd-name-crash", Defect::OddNameCrash),
    ("defect/range-ignored", Defect::RangeIgnored),
    ("defect/remove-missing-internal", Defect::RemoveMissingInternal),
    ("defect/watch-missing-internal", Defect::WatchMissingInternal),
    ("defect/terminal-leaked", Defect::TerminalLeaked),
    ("defect/deadline-ignored", Defect::DeadlineIgnored),
    ("defect/slow-reader-loses", Defect::SlowReaderLoses),
    ("defect/nul-env-poisons", Defect::NulEnvPoisons),
    ("defect/workdir-ignored", Defect::WorkdirIgnored),
    ("defect/nul-name-crash", Defect::NulNameCrash),
    ("defect/special-files-empty", Defect::SpecialFilesEmpty),
    ("defect/first-lifecycle-ignored", Defect::FirstLifecycleIgnored),
    ("defect/cancel-sticky", Defect::CancelSticky),
];

/// Defects that no call shows, each with the reason.
#[cfg(test)]
const UNSEEN: &[(Defect, &str)] = &[(
    Defect::PartitionsCounted,
    "disk_bps is of the machine's disks, and a guest's files need not lie on one: there is nothing to compare it with",
)];

/// The mutants, with the words that the mock has for them.
pub(super) fn mutants() -> impl Iterator<Item = Mutant> {
    DEFECTS.iter().map(|&(id, defect)| Mutant { id, bug: defect.line(), change: Change::Defect(defect) })
}

#[cfg(test)]
mod tests {
    use envd_mock::Generation;

    use super::*;

    #[test]
    fn every_defect_that_shows_in_generation_2_is_a_mutant_by_its_name() {
        let unseen = |defect: &Defect| UNSEEN.iter().any(|(one, why)| one == defect && !why.is_empty());
        let shown =
            Defect::all().filter(|defect| defect.shows().contains(&Generation::Two) && !unseen(defect));
        let named: Vec<_> = shown.map(|defect| (format!("defect/{}", defect.name()), defect)).collect();
        let listed: Vec<_> = DEFECTS.iter().map(|&(id, defect)| (id.to_owned(), defect)).collect();
        assert_eq!(listed, named);
    }
}
