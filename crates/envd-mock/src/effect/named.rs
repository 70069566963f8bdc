//! What a message names: the file, the tag, the command, the process. The one place that knows which field of which
//! message that is; reads no body.

use std::any::Any;

use bytes::Bytes;
use envd_proto::process::process_event::Event as ProcessEvent;
use envd_proto::process::{
    self as proc, ProcessSelector, StartRequest, StartResponse, StreamInputRequest, process_selector,
    stream_input_request,
};
use envd_proto::{filesystem as fs, filesystem::rpc as fs_rpc, process::rpc as proc_rpc, rpc::Method};

use crate::body::Codec;
use crate::fault::Message;
use crate::guest::Guest;
use crate::guest::process::Selector;

/// What a message names, as it stands in the message.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Named {
    pub(crate) message: Message,
    /// The process, where it is named by its number.
    pub(crate) pid: Option<u32>,
}

impl Named {
    /// Fills in what is known of a process that runs.
    pub(crate) fn resolved(mut self, guest: Option<&Guest>) -> Self {
        let selector = match (self.pid, &self.message) {
            (Some(pid), _) => Selector::Pid(pid),
            (None, Message { tag: Some(tag), command: None, .. }) => Selector::Tag(tag.clone()),
            _ => return self,
        };
        let stand = guest.and_then(Guest::stands);
        let found = stand.and_then(|stand| stand.processes.find(&selector).ok());
        if let Some(process) = found {
            let spec = &process.spec;
            self.message.tag = self.message.tag.or_else(|| spec.tag.clone());
            self.message.command = Some(line(spec.cmd.clone(), &spec.args));
            self.pid = Some(process.pid);
        }
        self
    }
}

/// Tries the messages of these kinds, each with the field that names something.
macro_rules! fields {
    ($message:expr; $($type:ty => $named:expr;)*) => {
        $(if let Some(message) = $message.downcast_ref::<$type>() {
            let named: fn(&$type) -> Named = $named;
            return Some(named(message));
        })*
    };
}

/// What a decoded message names; `None` for one that names nothing.
pub(crate) fn of(message: &dyn Any) -> Option<Named> {
    fields! { message;
        StartRequest => started;
        proc::ConnectRequest => |message| selected(message.process.as_ref());
        proc::UpdateRequest => |message| selected(message.process.as_ref());
        proc::SendInputRequest => |message| selected(message.process.as_ref());
        proc::SendSignalRequest => |message| selected(message.process.as_ref());
        proc::CloseStdinRequest => |message| selected(message.process.as_ref());
        StreamInputRequest => |message| match &message.event {
            Some(stream_input_request::Event::Start(start)) => selected(start.process.as_ref()),
            _ => Named::default(),
        };
        fs::StatRequest => |message| at(&message.path);
        fs::MakeDirRequest => |message| at(&message.path);
        fs::MoveRequest => |message| at(&message.source);
        fs::ListDirRequest => |message| at(&message.path);
        fs::RemoveRequest => |message| at(&message.path);
        fs::WatchDirRequest => |message| at(&message.path);
        fs::CreateWatcherRequest => |message| at(&message.path);
    }
    None
}

/// The process that an answer is about.
pub(crate) fn started_pid(answer: &dyn Any) -> Option<u32> {
    match answer.downcast_ref::<StartResponse>()?.event.as_ref()?.event.as_ref()? {
        ProcessEvent::Start(start) => Some(start.pid),
        _ => None,
    }
}

/// What the bytes of the first message of the RPC at `path` name.
pub(super) fn by_path(path: &str, codec: Codec, bytes: Bytes) -> Option<Named> {
    macro_rules! decoders {
        ($($rpc:path),* $(,)?) => {
            match path {
                $(<$rpc as Method>::PATH => of(&decode::<<$rpc as Method>::Request>(codec, bytes)?),)*
                _ => None,
            }
        };
    }
    decoders!(
        proc_rpc::Start,
        proc_rpc::Connect,
        proc_rpc::Update,
        proc_rpc::SendInput,
        proc_rpc::SendSignal,
        proc_rpc::CloseStdin,
        proc_rpc::StreamInput,
        fs_rpc::Stat,
        fs_rpc::MakeDir,
        fs_rpc::Move,
        fs_rpc::ListDir,
        fs_rpc::Remove,
        fs_rpc::WatchDir,
        fs_rpc::CreateWatcher,
    )
}

/// Whether the first message of an RPC names anything at all.
#[cfg(test)]
pub(crate) fn names_something(rpc: &str) -> bool {
    by_path(rpc, Codec::Json, Bytes::from_static(b"{}")).is_some()
}

fn decode<M: prost::Message + prost::Name + Default>(codec: Codec, bytes: Bytes) -> Option<M> {
    match codec {
        Codec::Proto => M::decode(bytes).ok(),
        Codec::Json => envd_proto::json::decode_request(&bytes).ok(),
    }
}

fn started(request: &StartRequest) -> Named {
    let command = request.process.as_ref().map(|config| line(config.cmd.clone(), &config.args));
    Named { message: Message { command, tag: request.tag.clone(), path: None }, pid: None }
}

fn line(command: String, args: &[String]) -> String {
    args.iter().fold(command, |line, arg| line + " " + arg)
}

fn selected(selector: Option<&ProcessSelector>) -> Named {
    match selector.and_then(|selector| selector.selector.as_ref()) {
        Some(process_selector::Selector::Tag(tag)) => {
            Named { message: Message { tag: Some(tag.clone()), ..Message::default() }, pid: None }
        }
        Some(process_selector::Selector::Pid(pid)) => Named { pid: Some(*pid), ..Named::default() },
        None => Named::default(),
    }
}

fn at(path: &str) -> Named {
    Named { message: Message { path: Some(path.to_owned()), ..Message::default() }, pid: None }
}
