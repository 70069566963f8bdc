//! Writes a recording: one line for each event, handed to the system at once, so that nothing is lost when the mock is
//! ended or killed.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Body;
use axum::response::Response;
use http::{Method, Request, Version};
use serde::Serialize;

use super::line::{Event, How, Line, Title};
use super::tapped::Tapped;
use crate::journal::{headers, target};
use crate::time::Time;

/// A file that traffic is written to; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Recorder(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    file: Mutex<File>,
    time: Time,
    calls: AtomicU64,
    failed: AtomicBool,
}

impl Recorder {
    /// Makes the file anew and writes its first line.
    pub(crate) fn create(path: &Path, time: Time) -> io::Result<Self> {
        let file = Mutex::new(File::create(path)?);
        let this =
            Self(Arc::new(Inner { file, time, calls: AtomicU64::new(0), failed: AtomicBool::new(false) }));
        this.0.append(&Title::of_this_build())?;
        Ok(this)
    }

    /// A call begins; the request that is given back tells the recorder what is read of it.
    pub(crate) fn call(&self, request: Request<Body>) -> (RecordedCall, Request<Body>) {
        let call = self.0.calls.fetch_add(1, Ordering::Relaxed) + 1;
        let tape = Arc::new(Tape { inner: Arc::clone(&self.0), call, ended: AtomicBool::new(false) });
        let (head, body) = request.into_parts();
        tape.write(Event::Request {
            method: head.method.to_string(),
            target: target(&head.uri),
            protocol: protocol(head.version),
            headers: headers(&head.headers),
        });
        let body = Tapped::request(body, &head, Arc::clone(&tape));
        let recorded = RecordedCall { tape, head_only: head.method == Method::HEAD };
        (recorded, Request::from_parts(head, Body::new(body)))
    }
}

/// A call that has no answer yet.
pub(crate) struct RecordedCall {
    tape: Arc<Tape>,
    head_only: bool,
}

impl RecordedCall {
    /// The answer; what is given back tells the recorder what is taken of it.
    pub(crate) fn answered(self, response: Response) -> Response {
        let Self { tape, head_only } = self;
        let (head, body) = response.into_parts();
        tape.write(Event::Response { status: head.status.as_u16(), headers: headers(&head.headers) });
        let head_only = head_only || matches!(head.status.as_u16(), 204 | 304);
        let body = Tapped::response(body, &head.headers, head_only, tape);
        Response::from_parts(head, Body::new(body))
    }
}

/// One call's lines; when all have dropped it and no end was told, the client has left.
#[derive(Debug)]
pub(super) struct Tape {
    inner: Arc<Inner>,
    call: u64,
    ended: AtomicBool,
}

impl Tape {
    pub(super) fn write(&self, event: Event) {
        if !self.ended.load(Ordering::Relaxed) {
            self.inner.line(self.call, event);
        }
    }

    /// The last line; only the first of them counts.
    pub(super) fn end(&self, how: How) {
        if !self.ended.swap(true, Ordering::Relaxed) {
            self.inner.line(self.call, Event::End { how });
        }
    }
}

impl Drop for Tape {
    fn drop(&mut self) {
        self.end(How::Abandoned);
    }
}

impl Inner {
    fn line(&self, call: u64, event: Event) {
        let at_us = u64::try_from(self.time.now().as_micros()).unwrap_or(u64::MAX);
        if let Err(error) = self.append(&Line { call, at_us, event })
            && !self.failed.swap(true, Ordering::Relaxed)
        {
            tracing::error!(%error, "traffic is no longer recorded");
        }
    }

    fn append(&self, line: &impl Serialize) -> io::Result<()> {
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        self.file.lock().unwrap_or_else(PoisonError::into_inner).write_all(&text)
    }
}

fn protocol(version: Version) -> String {
    if version == Version::HTTP_2 { "HTTP/2" } else { "HTTP/1.1" }.to_owned()
}
