//! Programs as Rust writes them. Patterns have `*`, `**` and `?`; texts have `{stdin}`, `{args}`, `{arg1}`, `{env.NAME}` and
//! `{cwd}`, and `{{` for a brace.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;

use super::content::{Content, Template};
use super::model::{Act, Args, Finish, Program, ProgramWhen, Read, Step, Stream};
use crate::glob::Glob;

impl Program {
    /// A program in place of the commands that match `command`, as asked for or by the last segment of their path. It
    /// says nothing and leaves with 0.
    pub fn named(command: impl Into<String>) -> Self {
        let command = command.into();
        Self {
            name: command.clone(),
            when: ProgramWhen { command: Some(Glob::lenient(command)), ..ProgramWhen::default() },
            ignores_sigterm: false,
            act: Act::Script { steps: Vec::new(), finish: Finish::Exit(0) },
        }
    }

    /// Gives it another name in reports than the command's.
    pub fn called(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Asks for one more argument, which matches `pattern`; there may be no others than those named so.
    pub fn arg(mut self, pattern: impl Into<String>) -> Self {
        let mut globs = match self.when.args {
            Args::Each(globs) => globs,
            Args::Any | Args::Line(_) => Vec::new(),
        };
        globs.push(Glob::lenient(pattern));
        self.when.args = Args::Each(globs);
        self
    }

    /// Asks for exactly these arguments, a pattern for each.
    pub fn args<P: Into<String>>(mut self, patterns: impl IntoIterator<Item = P>) -> Self {
        self.when.args = Args::Each(patterns.into_iter().map(Glob::lenient).collect());
        self
    }

    /// Asks that the command and its arguments, with blanks between them, match `pattern`.
    pub fn command_line(mut self, pattern: impl Into<String>) -> Self {
        self.when.args = Args::Line(Glob::lenient(pattern));
        self
    }

    /// Asks for a variable in the environment.
    pub fn env(mut self, name: impl Into<String>, pattern: impl Into<String>) -> Self {
        self.when.env.insert(name.into(), Glob::lenient(pattern));
        self
    }

    /// Asks for a working directory.
    pub fn cwd(mut self, pattern: impl Into<String>) -> Self {
        self.when.cwd = Some(Glob::lenient(pattern));
        self
    }

    /// Asks for a user, by name.
    pub fn user(mut self, pattern: impl Into<String>) -> Self {
        self.when.user = Some(Glob::lenient(pattern));
        self
    }

    /// Puts out a text as one chunk, at most 1 MiB after it was filled in.
    pub fn stdout(self, text: impl Into<String>) -> Self {
        self.step(say(Stream::Out, text))
    }

    /// As [`Program::stdout`], to standard error.
    pub fn stderr(self, text: impl Into<String>) -> Self {
        self.step(say(Stream::Err, text))
    }

    /// Puts out bytes as they are, as one chunk.
    pub fn stdout_bytes(self, bytes: impl Into<Bytes>) -> Self {
        self.step(Step::Say { stream: Stream::Out, content: Content::Bytes(bytes.into()), repeat: 1 })
    }

    /// As [`Program::stdout_bytes`], to standard error.
    pub fn stderr_bytes(self, bytes: impl Into<Bytes>) -> Self {
        self.step(Step::Say { stream: Stream::Err, content: Content::Bytes(bytes.into()), repeat: 1 })
    }

    /// Does the output just asked for so many times instead of once.
    pub fn repeated(mut self, times: u64) -> Self {
        if let Act::Script { steps, .. } = &mut self.act
            && let Some(Step::Say { repeat, .. }) = steps.last_mut()
        {
            *repeat = times;
        }
        self
    }

    /// Lets time pass on the mock's clock.
    pub fn wait(self, time: Duration) -> Self {
        self.step(Step::Wait(time))
    }

    /// Reads up to a line feed; `{stdin}` is then the line without it, at most its first 64 KiB.
    pub fn read_line(self) -> Self {
        self.step(Step::Read(Read::Line))
    }

    /// Reads so many bytes, of which `{stdin}` holds the first 64 KiB.
    pub fn read_bytes(self, count: u64) -> Self {
        self.step(Step::Read(Read::Bytes(count)))
    }

    /// Reads to the end of the input, of which `{stdin}` holds the first 64 KiB.
    pub fn read_to_end(self) -> Self {
        self.step(Step::Read(Read::ToEnd))
    }

    /// Reads as many bytes as these; if they are others, it says so on stderr and leaves with 1.
    pub fn expect_stdin(self, bytes: impl Into<Vec<u8>>) -> Self {
        self.step(Step::Read(Read::Expect(bytes.into())))
    }

    /// Writes a file, which then belongs to the user that it runs as; what is missing of the directories above it is made.
    /// A path that does not begin with a slash begins at the working directory. If it cannot be written, the program
    /// says so on stderr and leaves with 1. Permissions are not asked.
    pub fn write_file(self, path: impl Into<String>, content: impl Into<Bytes>) -> Self {
        let (path, content) = (Template::lenient(path), Content::Bytes(content.into()));
        self.step(Step::Write { path, content, mode: None })
    }

    /// Gives the file just asked for this mode, such as 0o755, instead of 0644.
    pub fn mode(mut self, bits: u32) -> Self {
        if let Act::Script { steps, .. } = &mut self.act
            && let Some(Step::Write { mode, .. }) = steps.last_mut()
        {
            *mode = Some(bits & 0o7777);
        }
        self
    }

    /// Leaves with this code after the last step.
    pub fn exit(self, code: u8) -> Self {
        self.finish(Finish::Exit(code.into()))
    }

    /// Looks as if this signal had ended it after the last step.
    pub fn killed_by(self, signal: i32) -> Self {
        self.finish(Finish::Signal(signal))
    }

    /// Never ends by itself.
    pub fn hang(self) -> Self {
        self.finish(Finish::Hang)
    }

    /// Goes on when SIGTERM comes; SIGKILL ends it always.
    pub fn ignoring_sigterm(mut self) -> Self {
        self.ignores_sigterm = true;
        self
    }

    /// Runs the real command after all, but as `run` says; steps and ends named elsewhere are void. Where nothing real
    /// runs, such a program is not found.
    pub fn run(mut self, run: RealRun) -> Self {
        self.act = Act::Real(run);
        self
    }

    /// How the real command runs in it, if it does.
    pub(crate) fn real_run(&self) -> Option<&RealRun> {
        match &self.act {
            Act::Real(run) => Some(run),
            Act::Script { .. } => None,
        }
    }

    fn step(mut self, step: Step) -> Self {
        if let Act::Script { steps, .. } = &mut self.act {
            steps.push(step);
        }
        self
    }

    fn finish(mut self, end: Finish) -> Self {
        match &mut self.act {
            Act::Script { finish, .. } => *finish = end,
            Act::Real(run) => run.finish = Some(end),
        }
        self
    }
}

fn say(stream: Stream, text: impl Into<String>) -> Step {
    Step::Say { stream, content: Content::Text(Template::lenient(text)), repeat: 1 }
}

/// How the real command runs in a program: as asked for, but for what is told here.
#[derive(Debug, Clone, PartialEq, Default)]
#[must_use = "it does nothing until a program has it"]
pub struct RealRun {
    /// In place of those asked for.
    pub(crate) args: Option<Vec<String>>,
    /// Added to the environment, or in place of what has the name.
    pub(crate) env: BTreeMap<String, String>,
    /// Before it is started, and so before the start event.
    pub(crate) delay: Duration,
    /// Before any of its output is taken.
    pub(crate) before: Vec<Step>,
    /// Behind all of its output.
    pub(crate) after: Vec<Step>,
    /// In place of its own end.
    pub(crate) finish: Option<Finish>,
}

impl RealRun {
    /// As asked for.
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives it other arguments.
    pub fn args<A: Into<String>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args = Some(args.into_iter().map(Into::into).collect());
        self
    }

    /// Sets a variable of its environment.
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.insert(name.into(), value.into());
        self
    }

    /// Starts it so much later, on the mock's clock.
    pub fn delay(mut self, time: Duration) -> Self {
        self.delay = time;
        self
    }

    /// Puts out a text before any of its output.
    pub fn stdout_before(mut self, text: impl Into<String>) -> Self {
        self.before.push(say(Stream::Out, text));
        self
    }

    /// As [`RealRun::stdout_before`], to standard error.
    pub fn stderr_before(mut self, text: impl Into<String>) -> Self {
        self.before.push(say(Stream::Err, text));
        self
    }

    /// Holds its output back for so long, on the mock's clock.
    pub fn wait_before(mut self, time: Duration) -> Self {
        self.before.push(Step::Wait(time));
        self
    }

    /// Puts out a text behind all of its output.
    pub fn stdout_after(mut self, text: impl Into<String>) -> Self {
        self.after.push(say(Stream::Out, text));
        self
    }

    /// As [`RealRun::stdout_after`], to standard error.
    pub fn stderr_after(mut self, text: impl Into<String>) -> Self {
        self.after.push(say(Stream::Err, text));
        self
    }

    /// Holds its end back for so long, on the mock's clock.
    pub fn wait_after(mut self, time: Duration) -> Self {
        self.after.push(Step::Wait(time));
        self
    }

    /// Lets it seem to have left with this code.
    pub fn exit(mut self, code: u8) -> Self {
        self.finish = Some(Finish::Exit(code.into()));
        self
    }
}
