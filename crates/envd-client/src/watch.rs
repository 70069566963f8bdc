//! Watching directories: a stream of events, or a watcher that is asked for them (contract 5).

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use envd_proto::filesystem as wire;
use envd_proto::filesystem::rpc;
use envd_proto::filesystem::watch_dir_response::Event;
use futures::stream::{Stream, StreamExt};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::client::Client;
use crate::error::{ErrorKind, Result, Wait};
use crate::transport::{Call, Lane, Messages, Patience};

const PING: HeaderName = HeaderName::from_static("keepalive-ping-interval");
/// Seconds between two keepalives: as often as an idle path may be forgotten by what lies between.
const PING_SECONDS: HeaderValue = HeaderValue::from_static("30");

/// One change below a watched path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FsEvent {
    /// The full path of what changed.
    pub path: String,
    /// What happened to it.
    pub kind: FsEventKind,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FsEventKind {
    /// It appeared.
    Create,
    /// Its content changed.
    Write,
    /// It is gone.
    Remove,
    /// It was moved, away or here.
    Rename,
    /// Its attributes changed.
    Chmod,
    /// Something that this client does not know.
    Other,
}

/// A stream of changes. Dropping it ends the watch.
pub struct Watch {
    messages: Messages<wire::WatchDirResponse>,
    patience: Patience,
}

/// A watch that collects in the guest until it is asked or removed; dropping it does not remove it.
#[derive(Debug, Clone)]
pub struct Watcher {
    client: Client,
    id: String,
}

impl Client {
    /// Watches a directory, and with `recursive` everything below it; returns when the watch stands.
    ///
    /// # Errors
    /// `not_found` when it is missing, `invalid_argument` when it is not a directory.
    pub async fn watch_dir(&self, path: &str, recursive: bool) -> Result<Watch> {
        let call = Call { lane: Lane::Streaming, ..self.repeatable("filesystem.Filesystem/WatchDir") };
        let request = wire::WatchDirRequest { path: path.into(), recursive };
        let extra = HeaderMap::from_iter([(PING, PING_SECONDS)]);
        let mut messages = self.transport.server_stream::<rpc::WatchDir>(&call, &request, extra).await?;
        let first = call.wait(Wait::Start, self.start_limit(), async { messages.next().await.transpose() });
        match first.await?.and_then(|message| message.event) {
            Some(Event::Start(_)) => Ok(Watch { messages, patience: Patience::default() }),
            other => Err(call.protocol("a start event", format!("{other:?}"))),
        }
    }

    /// Sets up a watch that collects events until it is asked for them.
    ///
    /// # Errors
    /// `not_found` when the path is missing.
    pub async fn create_watcher(&self, path: &str, recursive: bool) -> Result<Watcher> {
        let call = self.once("filesystem.Filesystem/CreateWatcher");
        let request = wire::CreateWatcherRequest { path: path.into(), recursive };
        let answer = self.transport.unary::<rpc::CreateWatcher>(&call, &request).await?;
        Ok(self.watcher(answer.watcher_id))
    }

    /// A handle on a watcher that was set up before. No call is made.
    pub fn watcher(&self, id: impl Into<String>) -> Watcher {
        Watcher { client: self.clone(), id: id.into() }
    }
}

impl Watch {
    /// The next change; an error when the guest ends the watch.
    pub async fn next(&mut self) -> Option<Result<FsEvent>> {
        StreamExt::next(self).await
    }

    fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<wire::WatchDirResponse>>> {
        if let Poll::Ready(message) = self.messages.poll_next_unpin(cx) {
            self.patience.renew();
            return Poll::Ready(message);
        }
        let limit = ready!(self.patience.poll(cx, self.messages.limits().idle));
        let late = ErrorKind::Timeout { what: Wait::Piece, limit };
        Poll::Ready(Some(Err(self.messages.call().error(late))))
    }
}

impl Stream for Watch {
    type Item = Result<FsEvent>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            let message = match ready!(self.poll_message(cx)) {
                None => return Poll::Ready(None),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                Some(Ok(message)) => message,
            };
            if let Some(Event::Filesystem(event)) = message.event {
                return Poll::Ready(Some(Ok(event.into())));
            }
        }
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").finish_non_exhaustive()
    }
}

impl Watcher {
    /// Its id in the guest.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What happened since the last call. What was given is gone, so that a retry may lose events.
    ///
    /// # Errors
    /// `not_found` when there is no such watcher.
    pub async fn events(&self) -> Result<Vec<FsEvent>> {
        let call = self.client.once("filesystem.Filesystem/GetWatcherEvents");
        let request = wire::GetWatcherEventsRequest { watcher_id: self.id.clone() };
        let answer = self.client.transport.unary::<rpc::GetWatcherEvents>(&call, &request).await?;
        Ok(answer.events.into_iter().map(FsEvent::from).collect())
    }

    /// Ends the watch; may be repeated.
    ///
    /// # Errors
    /// When the guest does not answer.
    pub async fn remove(self) -> Result<()> {
        let call = self.client.repeatable("filesystem.Filesystem/RemoveWatcher");
        let request = wire::RemoveWatcherRequest { watcher_id: self.id };
        self.client.transport.unary::<rpc::RemoveWatcher>(&call, &request).await.map(drop)
    }
}

impl From<wire::FilesystemEvent> for FsEvent {
    fn from(event: wire::FilesystemEvent) -> Self {
        let kind = match event.r#type() {
            wire::EventType::Create => FsEventKind::Create,
            wire::EventType::Write => FsEventKind::Write,
            wire::EventType::Remove => FsEventKind::Remove,
            wire::EventType::Rename => FsEventKind::Rename,
            wire::EventType::Chmod => FsEventKind::Chmod,
            wire::EventType::Unspecified => FsEventKind::Other,
        };
        Self { path: event.name, kind }
    }
}
