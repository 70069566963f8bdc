//! A program as data: which command it stands in for, what it does, and how it ends.

use std::collections::BTreeMap;
use std::time::Duration;

use super::builder::RealRun;
use super::content::{Content, Template};
use crate::glob::Glob;

/// A stand-in for a command: the first of a guest's programs that matches what a `Start` asks for takes its place.
#[derive(Debug, Clone, PartialEq)]
#[must_use = "a program does nothing until a guest has it"]
pub struct Program {
    /// What reports and the journal call it.
    pub(crate) name: String,
    pub(crate) when: ProgramWhen,
    /// It goes on when SIGTERM comes.
    pub(crate) ignores_sigterm: bool,
    pub(crate) act: Act,
}

/// What a command must be for a program to take its place; what is not named is not looked at.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ProgramWhen {
    /// The command as asked for, or the last segment of its path.
    pub(crate) command: Option<Glob>,
    pub(crate) args: Args,
    /// Variables of the environment; each must be there and match.
    pub(crate) env: BTreeMap<String, Glob>,
    /// The working directory, as it was resolved.
    pub(crate) cwd: Option<Glob>,
    /// The name of the user that it runs as.
    pub(crate) user: Option<Glob>,
}

/// What the arguments must be.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) enum Args {
    #[default]
    Any,
    /// So many, and each must match its own.
    Each(Vec<Glob>),
    /// The command and its arguments with blanks between them.
    Line(Glob),
}

/// What a program does.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Act {
    /// All by itself.
    Script { steps: Vec<Step>, finish: Finish },
    /// The real command runs, but not quite as asked for.
    Real(RealRun),
}

/// One thing that a program does.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Step {
    /// Puts out a chunk, so many times.
    Say {
        stream: Stream,
        content: Content,
        repeat: u64,
    },
    /// Lets time pass on the mock's clock.
    Wait(Duration),
    Read(Read),
    /// Writes a whole file; the path may be relative to the working directory.
    Write {
        path: Template,
        content: Content,
        mode: Option<u32>,
    },
}

/// Where output goes; on a terminal both are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    Out,
    Err,
}

/// How much is read from standard input; all of them are content with less when it ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Read {
    /// Up to a line feed, which is taken but not kept.
    Line,
    Bytes(u64),
    ToEnd,
    /// As many bytes as these; anything else ends the program with code 1 and a line on stderr.
    Expect(Vec<u8>),
}

/// What comes after the last step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Finish {
    /// Leaves with this code.
    Exit(i32),
    /// Looks as if this signal had ended it.
    Signal(i32),
    /// Never ends by itself.
    Hang,
}
