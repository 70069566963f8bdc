//! From a fault to what goes wrong inside the guest: the one place that knows the words of both.

use std::time::Duration;

use crate::fault::{CallFault, Errno, Signal, Size, Wait};
use crate::guest::disk::Disk;
use crate::guest::mishap::MishapKind;
use crate::guest::preload::Plight;
use crate::guest::process::Twist;

/// What a preload says that could read neither source (contract, section 3.7).
const UNREADABLE: &str =
    "/dev/mem: Input/output error (os error 5); /proc/kcore: Input/output error (os error 5)";

/// What the guest is to suffer; `None` for faults that act elsewhere. `draw` settles how long a wait is.
pub(crate) fn of(fault: &CallFault, draw: impl Fn(&Wait) -> Duration) -> Option<MishapKind> {
    spawn(fault).or_else(|| process(fault, draw)).or_else(|| disk(fault)).or_else(|| preload(fault))
}

/// Whether a fault goes wrong inside the guest.
pub(crate) fn is_inside(fault: &CallFault) -> bool {
    of(fault, |_| Duration::ZERO).is_some()
}

fn spawn(fault: &CallFault) -> Option<MishapKind> {
    let CallFault::SpawnFails { errno: given } = fault else { return None };
    Some(MishapKind::Spawn(given.map_or(libc::EAGAIN, errno)))
}

fn process(fault: &CallFault, draw: impl Fn(&Wait) -> Duration) -> Option<MishapKind> {
    let bytes = |size: &Option<Size>| size.map(|size| size.0);
    Some(MishapKind::Process(match fault {
        CallFault::Kill { signal, after, bytes: size } => {
            Twist::Kill { signal: signal.map_or(libc::SIGKILL, number), after: *after, bytes: bytes(size) }
        }
        CallFault::EndLost {} => Twist::EndLost,
        CallFault::ExitCode { code } => Twist::ExitCode(*code),
        CallFault::OutputLost { size, from } => Twist::Lost { from: bytes(from).unwrap_or(0), size: size.0 },
        CallFault::OutputDoubled {} => Twist::Doubled,
        CallFault::OutputMerged {} => Twist::Merged,
        CallFault::OutputSplit { size } => Twist::Split(usize::try_from(size.0).unwrap_or(usize::MAX)),
        CallFault::StartLate { time } => Twist::StartLate(draw(time)),
        _ => return None,
    }))
}

fn disk(fault: &CallFault) -> Option<MishapKind> {
    let broken = |errno, size: &Option<Size>| Disk::Broken { errno, after: size.map_or(0, |size| size.0) };
    Some(MishapKind::Disk(match fault {
        CallFault::DiskFull { size } => broken(libc::ENOSPC, size),
        CallFault::IoError { size } => broken(libc::EIO, size),
        CallFault::AccessDenied {} => Disk::Closed(libc::EACCES),
        CallFault::ReadOnly {} => Disk::Closed(libc::EROFS),
        CallFault::SlowDisk { rate } => Disk::Slow { rate: rate.0 },
        _ => return None,
    }))
}

fn preload(fault: &CallFault) -> Option<MishapKind> {
    Some(MishapKind::Preload(match fault {
        CallFault::PreloadStuck {} => Plight::Stuck,
        CallFault::PreloadSlow { time } => Plight::Slow(*time),
        CallFault::PreloadFails { text } => {
            Plight::Fails(text.clone().unwrap_or_else(|| UNREADABLE.to_owned()))
        }
        CallFault::PreloadLies {} => Plight::Lies,
        _ => return None,
    }))
}

fn number(signal: Signal) -> i32 {
    match signal {
        Signal::Kill => libc::SIGKILL,
        Signal::Term => libc::SIGTERM,
        Signal::Int => libc::SIGINT,
        Signal::Segv => libc::SIGSEGV,
        Signal::Abrt => libc::SIGABRT,
        Signal::Hup => libc::SIGHUP,
    }
}

fn errno(errno: Errno) -> i32 {
    match errno {
        Errno::Again => libc::EAGAIN,
        Errno::NoMem => libc::ENOMEM,
        Errno::Acces => libc::EACCES,
        Errno::NFile => libc::ENFILE,
        Errno::MFile => libc::EMFILE,
        Errno::Io => libc::EIO,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::{Json, Rate, Stage};

    const SECOND: Duration = Duration::from_secs(1);

    fn all() -> Vec<(CallFault, MishapKind)> {
        let kill = |signal, after, bytes| MishapKind::Process(Twist::Kill { signal, after, bytes });
        let (size, time) = (Size(5), Wait::Uniform(SECOND, 2 * SECOND));
        vec![
            (CallFault::SpawnFails { errno: None }, MishapKind::Spawn(libc::EAGAIN)),
            (CallFault::SpawnFails { errno: Some(Errno::NoMem) }, MishapKind::Spawn(libc::ENOMEM)),
            (CallFault::Kill { signal: None, after: None, bytes: None }, kill(9, None, None)),
            (
                CallFault::Kill { signal: Some(Signal::Term), after: Some(SECOND), bytes: Some(size) },
                kill(15, Some(SECOND), Some(5)),
            ),
            (CallFault::EndLost {}, MishapKind::Process(Twist::EndLost)),
            (CallFault::ExitCode { code: 3 }, MishapKind::Process(Twist::ExitCode(3))),
            (
                CallFault::OutputLost { size, from: None },
                MishapKind::Process(Twist::Lost { from: 0, size: 5 }),
            ),
            (CallFault::OutputDoubled {}, MishapKind::Process(Twist::Doubled)),
            (CallFault::OutputMerged {}, MishapKind::Process(Twist::Merged)),
            (CallFault::OutputSplit { size }, MishapKind::Process(Twist::Split(5))),
            (CallFault::StartLate { time }, MishapKind::Process(Twist::StartLate(SECOND))),
            (
                CallFault::DiskFull { size: None },
                MishapKind::Disk(Disk::Broken { errno: libc::ENOSPC, after: 0 }),
            ),
            (
                CallFault::IoError { size: Some(size) },
                MishapKind::Disk(Disk::Broken { errno: libc::EIO, after: 5 }),
            ),
            (CallFault::AccessDenied {}, MishapKind::Disk(Disk::Closed(libc::EACCES))),
            (CallFault::ReadOnly {}, MishapKind::Disk(Disk::Closed(libc::EROFS))),
            (CallFault::SlowDisk { rate: Rate(7) }, MishapKind::Disk(Disk::Slow { rate: 7 })),
            (CallFault::PreloadStuck {}, MishapKind::Preload(Plight::Stuck)),
            (CallFault::PreloadSlow { time: SECOND }, MishapKind::Preload(Plight::Slow(SECOND))),
            (CallFault::PreloadFails { text: None }, MishapKind::Preload(Plight::Fails(UNREADABLE.into()))),
            (CallFault::PreloadLies {}, MishapKind::Preload(Plight::Lies)),
        ]
    }

    fn low(wait: &Wait) -> Duration {
        match wait {
            Wait::Fixed(time) | Wait::Uniform(time, _) | Wait::Lognormal(time, _) => *time,
        }
    }

    #[test]
    fn each_fault_of_the_guest_has_its_mishap() {
        for (fault, expected) in all() {
            assert_eq!(of(&fault, low), Some(expected), "{}", fault.word());
        }
        // These two are not the guest's own doing: what is laid over an answer, and the end of the daemon.
        let elsewhere = ["series", "crash"];
        let known: Vec<&str> = all().iter().map(|(fault, _)| fault.word()).chain(elsewhere).collect();
        for kind in CallFault::KINDS.iter().filter(|kind| kind.stage == Stage::Guest) {
            assert!(known.contains(&kind.word), "{} has no row in this test", kind.word);
        }
    }

    #[test]
    fn faults_that_act_elsewhere_are_none_of_the_guests_business() {
        let series = CallFault::Series { values: Json(serde_json::json!([{}])) };
        for fault in [CallFault::Hang {}, CallFault::Crash { down: None, processes: None }, series] {
            assert_eq!(of(&fault, low), None, "{}", fault.word());
        }
    }
}
