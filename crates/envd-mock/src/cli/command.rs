//! The whole command: its subcommands, and what becomes of a command line that is none. Without a subcommand it serves.

use std::ffi::OsString;

use clap::error::ErrorKind;
use clap::{Parser, Subcommand};

use super::common::Common;
use super::epilogue::Epilogue;
use super::proxy::ProxyArgs;
use super::replay::ReplayArgs;
use super::serve::ServeArgs;
use super::up::Up;
use crate::commands::{Faults, Incidents, Validate, Validated, Wait};
use crate::defect;
use crate::script::script_schema;
use crate::server::StartError;

/// A fake guest agent: envd's wire contract over a real file tree and real commands.
#[derive(Debug, Parser)]
#[command(name = "envd-mock", version, args_conflicts_with_subcommands = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: ServeArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve a fake guest; what is done without a subcommand
    Serve(Box<ServeArgs>),
    /// Stand before an envd that is there already: the same faults and journal, and what is not touched passes through
    Proxy(Box<ProxyArgs>),
    /// Serve a fake guest, and let go wrong again what went wrong in a run that is over, without the rules that did it
    Replay(Box<ReplayArgs>),
    /// Prove on the wire of this machine that each fault is what it is declared to be
    SelfCheck {
        /// As one JSON object, which docs/faults.md describes
        #[arg(long)]
        json: bool,
    },
    /// Check scripts without starting anything: exits with 0 when all are valid, with 2 and every problem when not
    Validate(Validate),
    /// Wait until a mock is ready: exit with 0 once it is, with 1 after the timeout
    Wait(Wait),
    #[command(flatten)]
    Tell(Tell),
}

/// What only prints something.
#[derive(Debug, Subcommand)]
enum Tell {
    /// List the known defects of real builds
    Defects,
    /// Print the JSON Schema of scripts, for editors and other tools
    Schema,
    /// List the incidents of the field, each a script: --script incident:NAME
    Incidents(Incidents),
    /// List the kinds of faults, each with an example
    Faults(Faults),
}

impl Tell {
    fn text(&self) -> String {
        match self {
            Self::Defects => defect::listing(),
            Self::Incidents(incidents) => incidents.text(),
            Self::Faults(faults) => faults.text(),
            Self::Schema => format!("{:#}\n", script_schema()),
        }
    }
}

/// Why there is nothing to start.
#[derive(Debug, PartialEq, Eq)]
pub enum Stop {
    /// What was asked for (help, version) is this text.
    Told(String),
    /// The flags are wrong; one line says how.
    Refused(String),
    /// Scripts were checked; nothing is served.
    Validated(Validated),
    /// A self-check was asked for; nothing is served.
    SelfCheck {
        /// As JSON.
        json: bool,
    },
    /// Somebody else's start is waited for; nothing is served.
    Wait(Wait),
}

/// Why nothing was started: one line, and what the command exits with.
#[derive(Debug, PartialEq, Eq)]
pub struct Failed {
    /// What to print.
    pub line: String,
    /// 3 when an address cannot be bound, else 2.
    pub code: u8,
}

impl From<Stop> for Failed {
    fn from(stop: Stop) -> Self {
        let line = match stop {
            Stop::Told(line) | Stop::Refused(line) => line,
            Stop::Validated(_) | Stop::SelfCheck { .. } | Stop::Wait(_) => String::new(),
        };
        Self { line, code: 2 }
    }
}

impl From<StartError> for Failed {
    fn from(error: StartError) -> Self {
        Self { line: first_line(&error.to_string()), code: error.exit_code() }
    }
}

impl Cli {
    /// Reads the flags.
    ///
    /// # Errors
    /// [`Stop`], with the text to print.
    pub fn read(args: impl IntoIterator<Item = OsString>) -> Result<Self, Stop> {
        let read = Self::try_parse_from(args).map_err(|error| match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Stop::Told(error.to_string()),
            _ => Stop::Refused(one_line(&error.to_string())),
        })?;
        match &read.command {
            Some(Command::Tell(tell)) => Err(Stop::Told(tell.text())),
            Some(Command::Validate(validate)) => Err(Stop::Validated(validate.run())),
            Some(Command::SelfCheck { json }) => Err(Stop::SelfCheck { json: *json }),
            Some(Command::Wait(wait)) => Err(Stop::Wait(wait.clone())),
            _ => Ok(read),
        }
    }

    /// The flags that every server has.
    pub fn common(&self) -> &Common {
        match &self.command {
            // What serves nothing has been taken out by `read`.
            None
            | Some(Command::Tell(_) | Command::Validate(_) | Command::SelfCheck { .. } | Command::Wait(_)) => {
                &self.serve.common
            }
            Some(Command::Serve(serve)) => &serve.common,
            Some(Command::Proxy(proxy)) => &proxy.common,
            Some(Command::Replay(replay)) => &replay.serve.common,
        }
    }

    /// What is to be done at the end; `args` are what was read.
    pub fn epilogue(&self, args: impl IntoIterator<Item = OsString>) -> Epilogue {
        Epilogue::new(self.common(), args)
    }

    /// Starts what the flags describe.
    ///
    /// # Errors
    /// [`Failed`]: a script cannot be used, or the server cannot start. Nothing is left behind.
    pub async fn start(self) -> Result<Up, Failed> {
        match self.command {
            None
            | Some(Command::Tell(_) | Command::Validate(_) | Command::SelfCheck { .. } | Command::Wait(_)) => {
                self.serve.start().await
            }
            Some(Command::Serve(serve)) => serve.start().await,
            Some(Command::Proxy(proxy)) => proxy.start().await,
            Some(Command::Replay(replay)) => replay.start().await,
        }
    }
}

/// The first paragraph of clap's message, as one line and without its label.
fn one_line(message: &str) -> String {
    let paragraph = message.split("\n\n").next().unwrap_or(message);
    let words: Vec<&str> = paragraph.split_whitespace().collect();
    words.join(" ").trim_start_matches("error: ").to_owned()
}

/// A problem of a script without the excerpt below it.
pub(super) fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}
