//! A process that runs: input, signals, size, and attaching to it. Says nothing about how it was started.

use std::collections::BTreeMap;
use std::io;

use bytes::Bytes;
use envd_proto::process as wire;
use envd_proto::process::process_input::Input;
use envd_proto::process::rpc;
use envd_proto::process::stream_input_request::{self as stream_input, Event as InputEvent};
use futures::stream::{Stream, StreamExt};
use http::HeaderMap;

use super::{EventStream, Selector, Signal, Size, Terminal};
use crate::client::Client;
use crate::error::Result;
use crate::transport::{Call, Lane, starting_with};

/// A handle on a process of the guest. Holds no connection; whether the process is there shows when it is used.
#[derive(Debug, Clone)]
pub struct Process {
    client: Client,
    selector: Selector,
}

/// What the guest tells of a running process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessInfo {
    /// Its process id in the guest.
    pub pid: u32,
    /// The tag that it was started with.
    pub tag: Option<String>,
    /// Its program.
    pub cmd: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// The environment variables of its own request.
    pub envs: BTreeMap<String, String>,
    /// The directory that it was started in.
    pub cwd: Option<String>,
}

impl Client {
    /// A handle on a process, by pid or tag. No call is made.
    pub fn process(&self, selector: impl Into<Selector>) -> Process {
        Process { client: self.clone(), selector: selector.into() }
    }

    /// The processes that run, in no order.
    ///
    /// # Errors
    /// When the guest does not answer with a list.
    pub async fn list(&self) -> Result<Vec<ProcessInfo>> {
        let call = Call { lane: Lane::Streaming, ..self.repeatable("process.Process/List") };
        let list = self.transport.unary::<rpc::List>(&call, &wire::ListRequest {}).await?;
        Ok(list.processes.into_iter().map(ProcessInfo::from).collect())
    }
}

impl Process {
    /// How it is named.
    pub fn selector(&self) -> &Selector {
        &self.selector
    }

    /// Its process id, if it is named by it.
    pub fn pid(&self) -> Option<u32> {
        match self.selector {
            Selector::Pid(pid) => Some(pid),
            Selector::Tag(_) => None,
        }
    }

    /// Attaches to it: its start event, then what it writes from now on, then its end.
    ///
    /// # Errors
    /// When the guest does not answer with a stream. That it does not run comes as the stream's first item.
    pub async fn connect(&self) -> Result<EventStream> {
        let call = self.repeatable("process.Process/Connect");
        let request = wire::ConnectRequest { process: self.selector.wire() };
        let messages =
            self.client.transport.server_stream::<rpc::Connect>(&call, &request, HeaderMap::new()).await?;
        Ok(EventStream::of_connect(messages))
    }

    /// Attaches to its terminal.
    ///
    /// # Errors
    /// When it does not run (`not_found`).
    pub async fn terminal(&self) -> Result<Terminal> {
        let mut events = self.connect().await?;
        let pid = events.started(self.client.start_limit()).await?;
        Ok(Terminal::new(self.clone(), pid, events))
    }

    /// Sends SIGKILL to its group.
    ///
    /// # Errors
    /// When it does not run (`not_found`).
    pub async fn kill(&self) -> Result<()> {
        self.signal(Signal::Kill).await
    }

    /// Sends SIGTERM to its group.
    ///
    /// # Errors
    /// When it does not run (`not_found`).
    pub async fn terminate(&self) -> Result<()> {
        self.signal(Signal::Terminate).await
    }

    /// Sends a signal to its group; returns before the process is gone.
    ///
    /// # Errors
    /// When it does not run (`not_found`).
    pub async fn signal(&self, signal: Signal) -> Result<()> {
        let request = wire::SendSignalRequest { process: self.selector.wire(), signal: signal.wire() };
        let call = self.once("process.Process/SendSignal");
        self.client.transport.unary::<rpc::SendSignal>(&call, &request).await.map(drop)
    }

    /// Writes to its standard input.
    ///
    /// # Errors
    /// `failed_precondition` when it has none or it is closed, `resource_exhausted` when the process does not read.
    pub async fn send_stdin(&self, bytes: impl Into<Bytes>) -> Result<()> {
        self.send(Input::Stdin(bytes.into())).await
    }

    /// Types into its terminal.
    ///
    /// # Errors
    /// `failed_precondition` when it has none.
    pub async fn send_pty(&self, bytes: impl Into<Bytes>) -> Result<()> {
        self.send(Input::Pty(bytes.into())).await
    }

    /// Writes a stream of pieces to its standard input and waits until all are written.
    ///
    /// # Errors
    /// As [`Process::send_stdin`]; what was written before stays written. An error of `pieces` ends the call.
    pub async fn stream_stdin(
        &self,
        pieces: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
    ) -> Result<()> {
        self.stream_input(pieces.map(|piece| piece.map(Input::Stdin))).await
    }

    /// Types a stream of pieces into its terminal and waits until all are written.
    ///
    /// # Errors
    /// As [`Process::send_pty`]; what was written before stays written. An error of `pieces` ends the call.
    pub async fn stream_pty(
        &self,
        pieces: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
    ) -> Result<()> {
        self.stream_input(pieces.map(|piece| piece.map(Input::Pty))).await
    }

    /// Closes its standard input; may be repeated.
    ///
    /// # Errors
    /// `failed_precondition` when it has a terminal: send Ctrl+D (0x04) there.
    pub async fn close_stdin(&self) -> Result<()> {
        let request = wire::CloseStdinRequest { process: self.selector.wire() };
        let call = self.repeatable("process.Process/CloseStdin");
        self.client.transport.unary::<rpc::CloseStdin>(&call, &request).await.map(drop)
    }

    /// Changes the size of its terminal.
    ///
    /// # Errors
    /// `failed_precondition` when it has none.
    pub async fn resize(&self, size: Size) -> Result<()> {
        let request = wire::UpdateRequest { process: self.selector.wire(), pty: Some(size.wire()) };
        let call = self.repeatable("process.Process/Update");
        self.client.transport.unary::<rpc::Update>(&call, &request).await.map(drop)
    }

    async fn send(&self, input: Input) -> Result<()> {
        let input = Some(wire::ProcessInput { input: Some(input) });
        let request = wire::SendInputRequest { process: self.selector.wire(), input };
        let call = self.once("process.Process/SendInput");
        self.client.transport.unary::<rpc::SendInput>(&call, &request).await.map(drop)
    }

    async fn stream_input(
        &self,
        inputs: impl Stream<Item = io::Result<Input>> + Send + 'static,
    ) -> Result<()> {
        let start = stream_input::StartEvent { process: self.selector.wire() };
        let data = inputs.map(|input| input.map(data_event));
        let requests = starting_with(event(InputEvent::Start(start)), data);
        let call = self.once("process.Process/StreamInput");
        self.client.transport.client_stream::<rpc::StreamInput>(&call, requests).await.map(drop)
    }

    fn once(&self, name: &'static str) -> Call {
        Call { lane: Lane::Streaming, ..self.client.once(name) }
    }

    fn repeatable(&self, name: &'static str) -> Call {
        Call { lane: Lane::Streaming, ..self.client.repeatable(name) }
    }
}

fn data_event(input: Input) -> wire::StreamInputRequest {
    let input = Some(wire::ProcessInput { input: Some(input) });
    event(InputEvent::Data(stream_input::DataEvent { input }))
}

fn event(event: InputEvent) -> wire::StreamInputRequest {
    wire::StreamInputRequest { event: Some(event) }
}

impl From<wire::ProcessInfo> for ProcessInfo {
    fn from(info: wire::ProcessInfo) -> Self {
        let config = info.config.unwrap_or_default();
        Self {
            pid: info.pid,
            tag: info.tag,
            cmd: config.cmd,
            args: config.args,
            envs: config.envs,
            cwd: config.cwd,
        }
    }
}
