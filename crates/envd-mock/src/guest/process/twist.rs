//! What becomes of a process's output and end when something goes wrong with it: chunks in, chunks out. Pure; killing
//! and telling are `course`'s.

use std::ops::Range;
use std::time::Duration;

use bytes::{Bytes, BytesMut};

use super::output::{Chunk, End, Source};
use super::start::end;
use crate::guest::ns::Exit;

/// The most that is held back of one stream, in bytes.
const HELD: usize = 1 << 20;

/// What goes wrong with a process, for all of its readers. Streams (standard output, standard error, terminal) count
/// their bytes each for itself, but for `Kill`, which counts all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Twist {
    /// Its group gets a signal, after a time or once so many bytes of output were told, whichever comes first, and
    /// without either at once. No more bytes than these are told, and the end is the signal's, whatever the program
    /// makes of it.
    Kill { signal: i32, after: Option<Duration>, bytes: Option<u64> },
    /// Its end is not told, and the streams stay open.
    EndLost,
    /// Its end is told as an exit with this code.
    ExitCode(i32),
    /// `size` bytes of each stream, behind the first `from`, are not told.
    Lost { from: u64, size: u64 },
    /// Each chunk is told twice.
    Doubled,
    /// Each stream is told in one chunk at the end; a longer one in chunks of 1 MiB as they come together.
    Merged,
    /// Chunks have at most so many bytes.
    Split(usize),
    /// The start, and so all that follows it, is told this late.
    StartLate(Duration),
}

impl Twist {
    /// How many bytes of output are told.
    fn limit(&self) -> Option<u64> {
        match self {
            Self::Kill { after: None, bytes, .. } => Some(bytes.unwrap_or(0)),
            Self::Kill { bytes, .. } => *bytes,
            _ => None,
        }
    }
}

/// A [`Twist`] on its way through a process's output.
#[derive(Debug)]
pub(super) struct Twister {
    twist: Twist,
    tracks: [Track; 3],
    told: u64,
    killed: bool,
}

#[derive(Debug, Default)]
struct Track {
    seen: u64,
    held: BytesMut,
}

/// What comes of one chunk.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Passed {
    pub(super) chunks: Vec<Chunk>,
    /// What went wrong with it.
    pub(super) deed: Option<&'static str>,
    /// The process is to be killed once the chunks were told.
    pub(super) kill: bool,
}

/// What is told of the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ending {
    Told(End),
    Silent,
}

impl Twister {
    pub(super) fn new(twist: Twist) -> Self {
        let killed = twist.limit() == Some(0);
        Self { twist, tracks: Default::default(), told: 0, killed }
    }

    /// Whether the process is taken for killed.
    pub(super) fn is_killed(&self) -> bool {
        self.killed
    }

    /// From now on the process is taken for killed.
    pub(super) fn kill(&mut self) {
        self.killed = true;
    }

    /// Decides on the next chunk.
    pub(super) fn pass(&mut self, chunk: Chunk) -> Passed {
        let (source, data) = chunk.into_parts();
        let track = &mut self.tracks[source as usize];
        let seen = track.seen;
        track.seen += data.len() as u64;
        match self.twist {
            Twist::Kill { .. } => self.count(source, data),
            Twist::Lost { from, size } => lose(source, &data, seen, from..from.saturating_add(size)),
            Twist::Doubled => {
                Passed::of(source, [data.clone(), data]).because("each chunk of output came twice")
            }
            Twist::Merged => Passed::of(source, track.hold(&data)).because("output was held back"),
            Twist::Split(size) => split(source, data, size.max(1)),
            Twist::EndLost | Twist::ExitCode(_) | Twist::StartLate(_) => Passed::of(source, [data]),
        }
    }

    fn count(&mut self, source: Source, mut data: Bytes) -> Passed {
        let Some(limit) = self.twist.limit() else { return Passed::of(source, [data]) };
        let left = usize::try_from(limit - self.told).unwrap_or(usize::MAX);
        data.truncate(left);
        self.told += data.len() as u64;
        let kill = !self.killed && self.told == limit;
        self.killed |= kill;
        Passed { kill, ..Passed::of(source, [data]) }
    }

    /// What was held back, once the process has ended.
    pub(super) fn rest(&mut self) -> Vec<Chunk> {
        let held = |source: Source| source.chunk(self.tracks[source as usize].held.split().freeze());
        Source::ALL.map(held).into_iter().filter(|chunk| chunk.len() > 0).collect()
    }

    /// Decides on the end.
    pub(super) fn end(&self, real: End) -> Ending {
        match self.twist {
            Twist::EndLost => Ending::Silent,
            Twist::ExitCode(code) => Ending::Told(end(Exit::Code(code))),
            Twist::Kill { signal, .. } if self.killed => Ending::Told(end(Exit::Signal(signal, false))),
            _ => Ending::Told(real),
        }
    }

    /// In a few words, for the end.
    pub(super) fn end_deed(&self, real: &End) -> Option<String> {
        match self.twist {
            Twist::EndLost => Some(format!("the end ({}) was not told", real.status)),
            Twist::ExitCode(code) => Some(format!("exit code {code} was told instead of {}", real.status)),
            _ => None,
        }
    }
}

impl Track {
    fn hold(&mut self, data: &[u8]) -> Vec<Bytes> {
        self.held.extend_from_slice(data);
        let mut full = Vec::new();
        while self.held.len() >= HELD {
            full.push(self.held.split_to(HELD).freeze());
        }
        full
    }
}

impl Passed {
    fn of(source: Source, data: impl IntoIterator<Item = Bytes>) -> Self {
        let chunks = data.into_iter().filter(|data| !data.is_empty()).map(|data| source.chunk(data));
        Self { chunks: chunks.collect(), ..Self::default() }
    }

    fn because(self, deed: &'static str) -> Self {
        Self { deed: Some(deed), ..self }
    }
}

/// Takes out what lies in `lost`; `data` begins at `seen` of its stream.
fn lose(source: Source, data: &Bytes, seen: u64, lost: Range<u64>) -> Passed {
    let within = |at: u64| usize::try_from(at.saturating_sub(seen)).unwrap_or(usize::MAX).min(data.len());
    let (from, to) = (within(lost.start), within(lost.end));
    let passed = Passed::of(source, [data.slice(..from), data.slice(to..)]);
    if from == to { passed } else { passed.because("a part of the output was lost") }
}

fn split(source: Source, mut data: Bytes, size: usize) -> Passed {
    let whole = data.len() <= size;
    let pieces = std::iter::from_fn(|| (!data.is_empty()).then(|| data.split_to(size.min(data.len()))));
    let passed = Passed::of(source, pieces);
    if whole { passed } else { passed.because("chunks of output were split") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    /// What the twister tells of `chunks`, by stream, and each chunk's length.
    fn told(twister: &mut Twister, chunks: &[Chunk]) -> ([Vec<u8>; 3], Vec<usize>) {
        let mut passed: Vec<Chunk> = Vec::new();
        for chunk in chunks {
            passed.extend(twister.pass(chunk.clone()).chunks);
        }
        passed.extend(twister.rest());
        let (mut streams, mut lengths) = (<[Vec<u8>; 3]>::default(), Vec::new());
        for chunk in passed {
            let (source, data) = chunk.into_parts();
            streams[source as usize].extend_from_slice(&data);
            lengths.push(data.len());
        }
        (streams, lengths)
    }

    fn plain(chunks: &[Chunk]) -> [Vec<u8>; 3] {
        let mut streams = <[Vec<u8>; 3]>::default();
        for chunk in chunks {
            let (source, data) = chunk.clone().into_parts();
            streams[source as usize].extend_from_slice(&data);
        }
        streams
    }

    fn chunks() -> impl Strategy<Value = Vec<Chunk>> {
        let chunk = (prop_oneof![Just(Source::Stdout), Just(Source::Stderr)], vec(any::<u8>(), 1..40));
        vec(chunk.prop_map(|(source, data)| source.chunk(data.into())), 0..20)
    }

    fn real() -> End {
        end(Exit::Code(0))
    }

    proptest! {
        #[test]
        fn what_is_lost_is_exactly_that_part_of_each_stream(
            chunks in chunks(), from in 0..200u64, size in 0..200u64,
        ) {
            let (streams, _) = told(&mut Twister::new(Twist::Lost { from, size }), &chunks);
            for (whole, seen) in plain(&chunks).iter().zip(&streams) {
                let from = usize::try_from(from).unwrap().min(whole.len());
                let to = (from + usize::try_from(size).unwrap()).min(whole.len());
                prop_assert_eq!(seen, &[&whole[..from], &whole[to..]].concat());
            }
        }

        #[test]
        fn split_chunks_hold_the_same_bytes_and_none_is_larger(chunks in chunks(), size in 0..50usize) {
            let (streams, lengths) = told(&mut Twister::new(Twist::Split(size)), &chunks);
            prop_assert_eq!(streams, plain(&chunks));
            prop_assert!(lengths.iter().all(|length| (1..=size.max(1)).contains(length)), "{:?}", lengths);
        }

        #[test]
        fn merged_output_is_one_chunk_of_each_stream(chunks in chunks()) {
            let (streams, lengths) = told(&mut Twister::new(Twist::Merged), &chunks);
            prop_assert_eq!(&streams, &plain(&chunks));
            prop_assert_eq!(lengths.len(), streams.iter().filter(|stream| !stream.is_empty()).count());
        }

        #[test]
        fn doubled_chunks_follow_each_other(chunks in chunks()) {
            let mut twister = Twister::new(Twist::Doubled);
            for chunk in chunks {
                prop_assert_eq!(twister.pass(chunk.clone()).chunks, [chunk.clone(), chunk]);
            }
        }

        #[test]
        fn a_killed_process_tells_exactly_so_many_bytes(chunks in chunks(), bytes in 0..300u64) {
            let mut twister = Twister::new(Twist::Kill { signal: 9, after: None, bytes: Some(bytes) });
            let (mut told, mut kills) = (0, u64::from(twister.is_killed()));
            for chunk in &chunks {
                let passed = twister.pass(chunk.clone());
                told += passed.chunks.iter().map(Chunk::len).sum::<usize>() as u64;
                kills += u64::from(passed.kill);
                prop_assert_eq!(kills > 0, told == bytes);
            }
            let all = plain(&chunks).iter().map(Vec::len).sum::<usize>() as u64;
            prop_assert_eq!(told, bytes.min(all));
            prop_assert_eq!((kills, twister.is_killed()), (u64::from(all >= bytes), all >= bytes));
        }
    }

    #[test]
    fn no_more_than_a_mebibyte_is_held_back() {
        let mut twister = Twister::new(Twist::Merged);
        let chunk = Chunk::Stdout(vec![7; 64 * 1024].into());
        let passed: Vec<usize> =
            (0..40).flat_map(|_| twister.pass(chunk.clone()).chunks).map(|chunk| chunk.len()).collect();
        assert_eq!(passed, [HELD, HELD]);
        assert_eq!(twister.rest().iter().map(Chunk::len).collect::<Vec<_>>(), [HELD / 2]);
    }

    #[test]
    fn ends_are_told_as_the_twist_has_them() {
        let of = |twist| Twister::new(twist).end(real());
        assert_eq!(of(Twist::EndLost), Ending::Silent);
        assert_eq!(of(Twist::Doubled), Ending::Told(real()));
        let Ending::Told(exit) = of(Twist::ExitCode(137)) else { panic!("nothing was told") };
        assert_eq!((exit.exit_code, exit.exited, exit.status.as_str()), (137, true, "exit status: 137"));
        let at_once = of(Twist::Kill { signal: 9, after: None, bytes: None });
        let Ending::Told(killed) = at_once else { panic!("nothing was told") };
        assert_eq!(
            (killed.exit_code, killed.exited, killed.status.as_str()),
            (-1, false, "signal: 9 (SIGKILL)")
        );
        let not_yet = Twist::Kill { signal: 9, after: Some(Duration::from_secs(1)), bytes: None };
        assert_eq!(of(not_yet), Ending::Told(real()));
    }
}
