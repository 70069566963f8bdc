//! The service `process.Process`: wire messages to the guest's processes and back, and the codes of what fails
//! (contract, section 4).

use std::sync::Arc;

use envd_proto::process as wire;
use envd_proto::process::process_event::data_event::Output;
use envd_proto::process::process_event::{DataEvent, EndEvent, Event as WireEvent, StartEvent};
use envd_proto::process::{process_input, process_selector, stream_input_request};
use futures::{Stream, StreamExt as _};

use super::status::{Code, Status};
use crate::guest::Guest;
use crate::guest::mishap::Mishap;
use crate::guest::process::{
    Chunk, End, Event, Input, Process, ProcessError, Request, Selector, Size, Spec, Subscription,
};
use crate::guest::users::{self, User};

impl From<ProcessError> for Status {
    fn from(error: ProcessError) -> Self {
        use ProcessError as E;
        let code = match &error {
            E::NoPid(_) | E::NoTag(_) => Code::NotFound,
            E::BadPath(_) | E::NoCwd(_) | E::BadEnv(_) => Code::InvalidArgument,
            E::NotPty | E::NoTerminal | E::NoStdin | E::PtyStdin => Code::FailedPrecondition,
            E::Full { .. } => Code::ResourceExhausted,
            E::Gone => Code::Unavailable,
            E::NoUser(_)
            | E::LookUp { .. }
            | E::Start(_)
            | E::OpenPty(_)
            | E::StartPty(_)
            | E::Write { .. }
            | E::Signal(_)
            | E::Resize(_) => Code::Internal,
        };
        Self::new(code, error.to_string())
    }
}

pub(crate) async fn start(
    guest: Arc<Guest>,
    mishap: Option<Mishap>,
    request: wire::StartRequest,
) -> Result<impl Stream<Item = Result<wire::StartResponse, Status>> + Send + 'static, Status> {
    let config = request.process.ok_or_else(|| invalid("process config required"))?;
    let defaults = guest.life.defaults();
    let chosen = Some(config.user).filter(|user| !user.is_empty() && guest.config.habits.chooses_user);
    let place = Place {
        user: chosen.unwrap_or_else(|| defaults.user.clone()),
        workdir: defaults.workdir.clone(),
        cwd: config.cwd.unwrap_or_default(),
    };
    let (user, cwd) = place.find(&guest).await?;
    let spec = Spec {
        cmd: config.cmd,
        args: config.args,
        envs: config.envs,
        cwd,
        tag: request.tag,
        stdin: request.stdin.unwrap_or(true),
        pty: request.pty.and_then(|pty| pty.size).map(size),
    };
    let host_uid = guest.ids.to_host_uid(user.uid);
    let (defaults, root) = (&defaults.env, &guest.stand().root);
    let asked = Request { spec, user: &user, defaults, root, host_uid, mishap };
    let (process, events) = guest.stand().processes.start(asked).await?;
    Ok(events_of(guest, process.pid, events).map(|event| Ok(wire::StartResponse { event: Some(event?) })))
}

pub(crate) async fn connect(
    guest: Arc<Guest>,
    request: wire::ConnectRequest,
) -> Result<impl Stream<Item = Result<wire::ConnectResponse, Status>> + Send + 'static, Status> {
    let (process, events) = guest.stand().processes.connect(&selector(request.process)?)?;
    Ok(events_of(guest, process.pid, events).map(|event| Ok(wire::ConnectResponse { event: Some(event?) })))
}

pub(crate) async fn list(guest: Arc<Guest>, _: wire::ListRequest) -> Result<wire::ListResponse, Status> {
    Ok(wire::ListResponse {
        processes: guest.stand().processes.listed().iter().map(|process| info(process)).collect(),
    })
}

pub(crate) async fn update(
    guest: Arc<Guest>,
    request: wire::UpdateRequest,
) -> Result<wire::UpdateResponse, Status> {
    let process = guest.stand().processes.find(&selector(request.process)?)?;
    if let Some(cells) = request.pty.and_then(|pty| pty.size) {
        process.resize(size(cells))?;
    }
    Ok(wire::UpdateResponse {})
}

pub(crate) async fn send_input(
    guest: Arc<Guest>,
    request: wire::SendInputRequest,
) -> Result<wire::SendInputResponse, Status> {
    let process = guest.stand().processes.find(&selector(request.process)?)?;
    write(&process, request.input).await?;
    Ok(wire::SendInputResponse {})
}

pub(crate) async fn stream_input(
    guest: Arc<Guest>,
    mut requests: impl Stream<Item = Result<wire::StreamInputRequest, Status>> + Send + Unpin,
) -> Result<wire::StreamInputResponse, Status> {
    let mut chosen: Option<Arc<Process>> = None;
    while let Some(request) = requests.next().await {
        match request?.event {
            Some(stream_input_request::Event::Start(start)) => {
                if start.process.is_some() {
                    chosen = Some(guest.stand().processes.find(&selector(start.process)?)?);
                }
            }
            Some(stream_input_request::Event::Data(data)) => {
                let none = || Status::new(Code::FailedPrecondition, "no start event received");
                write(chosen.as_ref().ok_or_else(none)?, data.input).await?;
            }
            Some(stream_input_request::Event::Keepalive(_)) | None => {}
        }
    }
    Ok(wire::StreamInputResponse {})
}

pub(crate) async fn send_signal(
    guest: Arc<Guest>,
    request: wire::SendSignalRequest,
) -> Result<wire::SendSignalResponse, Status> {
    let selector = selector(request.process)?;
    let process = guest.stand().processes.find(&selector)?;
    let signal = match wire::Signal::try_from(request.signal) {
        Ok(wire::Signal::Sigkill) => libc::SIGKILL,
        Ok(wire::Signal::Sigterm) => libc::SIGTERM,
        Ok(wire::Signal::Unspecified) | Err(_) => return Err(invalid("invalid or unspecified signal")),
    };
    guest.stand().processes.deliver(&process, &selector, signal).await?;
    Ok(wire::SendSignalResponse {})
}

pub(crate) async fn close_stdin(
    guest: Arc<Guest>,
    request: wire::CloseStdinRequest,
) -> Result<wire::CloseStdinResponse, Status> {
    guest.stand().processes.find(&selector(request.process)?)?.close_stdin().await?;
    Ok(wire::CloseStdinResponse {})
}

/// Who runs a command, and where.
struct Place {
    user: String,
    workdir: Option<String>,
    cwd: String,
}

impl Place {
    async fn find(self, guest: &Arc<Guest>) -> Result<(User, String), Status> {
        let guest = Arc::clone(guest);
        let found = tokio::task::spawn_blocking(move || self.look_up(&guest)).await;
        Ok(found.map_err(|panic| Status::new(Code::Internal, panic.to_string()))??)
    }

    fn look_up(self, guest: &Guest) -> Result<(User, String), ProcessError> {
        let look_up = |what: String| move |source| ProcessError::LookUp { what, source };
        let user = users::lookup(&guest.stand().tree, &self.user)
            .map_err(look_up(format!("user '{}'", self.user)))?
            .ok_or(ProcessError::NoUser(self.user))?;
        let mut cwd = guest.resolve(&self.cwd, &user, self.workdir.as_deref())?;
        if cwd.is_empty() {
            cwd.push('/');
        }
        if !guest.stand().tree.leads_somewhere(&cwd).map_err(look_up(format!("cwd '{cwd}'")))? {
            return Err(ProcessError::NoCwd(cwd));
        }
        Ok((user, cwd))
    }
}

async fn write(process: &Process, input: Option<wire::ProcessInput>) -> Result<(), ProcessError> {
    match input.and_then(|input| input.input) {
        Some(process_input::Input::Stdin(data)) => process.write(Input::Stdin(&data)).await,
        Some(process_input::Input::Pty(data)) => process.write(Input::Pty(&data)).await,
        None => Ok(()),
    }
}

/// The start, and then all that the subscription gives. The guest is kept until the stream is dropped.
fn events_of(
    guest: Arc<Guest>,
    pid: u32,
    events: Subscription,
) -> impl Stream<Item = Result<wire::ProcessEvent, Status>> + Send + 'static {
    let start = WireEvent::Start(StartEvent { pid });
    futures::stream::unfold(Some((guest, events, Some(start))), |state| async {
        let (guest, mut events, start) = state?;
        if let Some(start) = start {
            events.begun().await;
            return Some((Ok(wire_event(start)), Some((guest, events, None))));
        }
        Some(match events.next().await {
            Some(Event::Data(chunk)) => (Ok(wire_event(data(chunk))), Some((guest, events, None))),
            Some(Event::End(end)) => (Ok(wire_event(end_event(end))), None),
            None => (Err(lost(&guest, &events)), None),
        })
    })
}

fn lost(guest: &Guest, events: &Subscription) -> Status {
    if events.stalled() {
        let limit = guest.config.stall_limit;
        return Status::new(
            Code::ResourceExhausted,
            format!("nothing was taken from this stream for {limit:?}"),
        );
    }
    ProcessError::Gone.into()
}

fn wire_event(event: WireEvent) -> wire::ProcessEvent {
    wire::ProcessEvent { event: Some(event) }
}

fn data(chunk: Chunk) -> WireEvent {
    let output = match chunk {
        Chunk::Stdout(data) => Output::Stdout(data),
        Chunk::Stderr(data) => Output::Stderr(data),
        Chunk::Pty(data) => Output::Pty(data),
    };
    WireEvent::Data(DataEvent { output: Some(output) })
}

fn end_event(end: End) -> WireEvent {
    WireEvent::End(EndEvent { exit_code: end.exit_code, exited: end.exited, status: end.status, error: None })
}

fn info(process: &Process) -> wire::ProcessInfo {
    let Spec { cmd, args, envs, cwd, tag, .. } = process.spec.clone();
    let config = wire::ProcessConfig { cmd, args, envs, cwd: Some(cwd), ..Default::default() };
    wire::ProcessInfo { config: Some(config), pid: process.pid, tag }
}

fn selector(selector: Option<wire::ProcessSelector>) -> Result<Selector, Status> {
    match selector.and_then(|selector| selector.selector) {
        Some(process_selector::Selector::Pid(pid)) => Ok(Selector::Pid(pid)),
        Some(process_selector::Selector::Tag(tag)) => Ok(Selector::Tag(tag)),
        None => Err(invalid("process selector required")),
    }
}

/// Cells in sixteen bits, as the terminal has them: the rest is cut off (contract, section 4.1).
#[expect(clippy::cast_possible_truncation, reason = "the contract's own truncation: 70000 is 4464")]
fn size(size: wire::pty::Size) -> Size {
    Size { cols: size.cols as u16, rows: size.rows as u16 }
}

fn invalid(message: &str) -> Status {
    Status::new(Code::InvalidArgument, message)
}
