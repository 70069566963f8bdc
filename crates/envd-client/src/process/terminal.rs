//! A process with a terminal, and the stream that is attached to it.

use bytes::Bytes;

use super::{Event, EventStream, Exit, Process, Size};
use crate::error::Result;

/// An attached terminal. Dropping it leaves the process alone.
#[derive(Debug)]
pub struct Terminal {
    process: Process,
    pid: u32,
    events: EventStream,
    exit: Option<Exit>,
}

impl Terminal {
    pub(super) fn new(process: Process, pid: u32, events: EventStream) -> Self {
        Self { process, pid, events, exit: None }
    }

    /// The process id in the guest.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// The process, for typing and resizing from elsewhere.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// What comes next on the screen; none when the process is over.
    ///
    /// # Errors
    /// When the stream breaks or ends without an end event.
    pub async fn read(&mut self) -> Result<Option<Bytes>> {
        while let Some(event) = self.events.next().await.transpose()? {
            match event {
                Event::Pty(bytes) | Event::Stdout(bytes) | Event::Stderr(bytes) => return Ok(Some(bytes)),
                Event::End(exit) => self.exit = Some(exit),
                Event::Start { .. } => {}
            }
        }
        Ok(None)
    }

    /// How the process ended, once [`Terminal::read`] gave none.
    pub fn exit(&self) -> Option<&Exit> {
        self.exit.as_ref()
    }

    /// Types.
    ///
    /// # Errors
    /// When the process does not run any more.
    pub async fn send(&self, bytes: impl Into<Bytes>) -> Result<()> {
        self.process.send_pty(bytes).await
    }

    /// Changes the size.
    ///
    /// # Errors
    /// When the process does not run any more.
    pub async fn resize(&self, cols: u16, rows: u16) -> Result<()> {
        self.process.resize(Size::new(cols, rows)).await
    }

    /// Kills the process.
    ///
    /// # Errors
    /// When it does not run any more.
    pub async fn kill(&self) -> Result<()> {
        self.process.kill().await
    }
}
