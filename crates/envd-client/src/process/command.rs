//! A command before it runs, and the ways to run it.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use envd_proto::process::{ProcessConfig, StartRequest, rpc};
use http::HeaderMap;

use super::{Event, EventStream, Exit, Process, Size, Terminal};
use crate::client::Client;
use crate::error::{Error, ErrorKind, Result};
use crate::generation::Feature;
use crate::transport::{Call, Lane};

const OUTPUT_LIMIT: usize = 64 << 20;

/// A command to run in the guest: a program and its arguments, no shell in between (contract 4.1).
#[derive(Debug, Clone)]
pub struct Command {
    client: Client,
    config: ProcessConfig,
    size: Option<Size>,
    tag: Option<String>,
    stdin: bool,
    timeout: Option<Duration>,
    output_limit: usize,
}

/// What a command wrote, and how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Its process id in the guest.
    pub pid: u32,
    /// Its standard output; with a terminal, everything.
    pub stdout: Bytes,
    /// Its standard error.
    pub stderr: Bytes,
    /// How it ended.
    pub exit: Exit,
}

impl Client {
    /// A command that runs `program`.
    pub fn command(&self, program: impl Into<String>) -> Command {
        Command {
            client: self.clone(),
            config: ProcessConfig { cmd: program.into(), ..ProcessConfig::default() },
            size: None,
            tag: None,
            stdin: false,
            timeout: None,
            output_limit: OUTPUT_LIMIT,
        }
    }
}

impl Command {
    /// One more argument.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<String>) -> Self {
        self.config.args.push(arg.into());
        self
    }

    /// More arguments.
    #[must_use]
    pub fn args<A: Into<String>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.config.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// One more environment variable.
    #[must_use]
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.config.envs.insert(name.into(), value.into());
        self
    }

    /// More environment variables.
    #[must_use]
    pub fn envs<K: Into<String>, V: Into<String>>(self, all: impl IntoIterator<Item = (K, V)>) -> Self {
        all.into_iter().fold(self, |command, (name, value)| command.env(name, value))
    }

    /// The directory to start in; the user's default without it.
    #[must_use]
    pub fn cwd(mut self, path: impl Into<String>) -> Self {
        self.config.cwd = Some(path.into());
        self
    }

    /// The user to run as, by a guest of generation 3; an older one would ignore it, so that the command is not run.
    #[must_use]
    pub fn user(mut self, name: impl Into<String>) -> Self {
        self.config.user = name.into();
        self
    }

    /// A name to find the process by later. Not checked for being the only one.
    #[must_use]
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.tag = Some(tag.into());
        self
    }

    /// Whether it has a standard input that can be written to; false by default.
    #[must_use]
    pub fn stdin(mut self, open: bool) -> Self {
        self.stdin = open;
        self
    }

    /// Gives it a terminal of that size instead of pipes.
    #[must_use]
    pub fn pty(mut self, cols: u16, rows: u16) -> Self {
        self.size = Some(Size::new(cols, rows));
        self.stdin = true;
        self
    }

    /// The time limit for the whole call; the process goes on in the guest when it ends.
    #[must_use]
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = Some(limit);
        self
    }

    /// The cap of what [`Command::output`] collects, both streams together, in bytes; 64 MiB by default.
    #[must_use]
    pub fn output_limit(mut self, bytes: usize) -> Self {
        self.output_limit = bytes;
        self
    }

    /// Runs it to its end and collects what it writes.
    ///
    /// # Errors
    /// When it cannot be started, when the stream ends without an end event or otherwise than it must, or when more than
    /// the cap comes. An exit code other than 0 is no error; neither is a connection that breaks or stays silent behind
    /// the end event, since everything is known by then.
    pub async fn output(self) -> Result<Output> {
        let limit = self.output_limit;
        let mut events = self.stream().await?;
        let mut collected = Collected::default();
        while let Some(event) = events.next().await {
            match event {
                Ok(event) => collected.take(event, limit, events.call())?,
                Err(error) if collected.exit.is_some() && lost_tail(&error) => break,
                Err(error) => return Err(error),
            }
        }
        let Collected { pid, stdout, stderr, exit } = collected;
        let exit = exit.ok_or_else(|| events.call().protocol("an end event", "none"))?;
        Ok(Output { pid, stdout: stdout.freeze(), stderr: stderr.freeze(), exit })
    }

    /// Runs it and gives what happens, as it happens.
    ///
    /// # Errors
    /// When the guest does not answer with a stream, or cannot run it as another user. That it cannot be started comes as the stream's first item.
    pub async fn stream(self) -> Result<EventStream> {
        let call = self.call();
        if !self.config.user.is_empty() {
            call.within(None, self.client.generation()).await?.insist_on(&call, Feature::ProcessUser)?;
        }
        let request = StartRequest {
            process: Some(self.config),
            pty: self.size.map(Size::wire),
            tag: self.tag,
            stdin: Some(self.stdin),
        };
        let transport = &self.client.transport;
        Ok(EventStream::of_start(
            transport.server_stream::<rpc::Start>(&call, &request, HeaderMap::new()).await?,
        ))
    }

    /// Runs it, waits for its start, and leaves it alone.
    ///
    /// # Errors
    /// When it cannot be started, or no start event comes.
    pub async fn background(self) -> Result<Process> {
        let client = self.client.clone();
        let call = self.call();
        let limit = client.start_limit();
        let pid = call.within(None, async { self.stream().await?.started(limit).await }).await?;
        Ok(client.process(pid))
    }

    /// Runs it in a terminal (80x24 unless [`Command::pty`] says otherwise) and waits for its start.
    ///
    /// # Errors
    /// When it cannot be started, or no start event comes.
    pub async fn terminal(self) -> Result<Terminal> {
        let command = if self.size.is_some() { self } else { self.pty(80, 24) };
        let client = command.client.clone();
        let mut events = command.stream().await?;
        let pid = events.started(client.start_limit()).await?;
        Ok(Terminal::new(client.process(pid), pid, events))
    }

    fn call(&self) -> Call {
        let call = self.client.once("process.Process/Start");
        let timeout = self.timeout.into_iter().chain(call.timeout).min();
        Call { lane: Lane::Streaming, timeout, ..call }
    }
}

impl Output {
    /// The standard output as text; what is not UTF-8 is replaced.
    pub fn stdout_text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// The standard error as text; what is not UTF-8 is replaced.
    pub fn stderr_text(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }
}

/// Whether the stream did not get to its end, which is not the same as ending wrong.
fn lost_tail(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Interrupted { .. } | ErrorKind::Timeout { .. })
}

#[derive(Default)]
struct Collected {
    pid: u32,
    stdout: BytesMut,
    stderr: BytesMut,
    exit: Option<Exit>,
}

impl Collected {
    fn take(&mut self, event: Event, limit: usize, call: &Call) -> Result<()> {
        match event {
            Event::Start { pid } => self.pid = pid,
            Event::Stdout(bytes) | Event::Pty(bytes) => self.stdout.extend_from_slice(&bytes),
            Event::Stderr(bytes) => self.stderr.extend_from_slice(&bytes),
            Event::End(exit) => self.exit = Some(exit),
        }
        if self.stdout.len() + self.stderr.len() > limit {
            return Err(call.error(ErrorKind::TooLarge { what: "the output; stream it instead, it", limit }));
        }
        Ok(())
    }
}
