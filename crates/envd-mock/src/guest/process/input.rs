//! What is written to a process: a pipe that may be closed, or a terminal. Writers take turns, and a process that
//! does not read makes them give up, never wait for ever.

use std::io;
use std::sync::PoisonError;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::net::unix::pipe;
use tokio::sync::Mutex;

use super::ProcessError;
use super::start::Size;
use super::terminal::Terminal;
use crate::time::Time;

/// How long a write waits for the process to read anything (contract, section 10).
const PATIENCE: Duration = Duration::from_secs(5);

/// Bytes for a process, by where they go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Input<'a> {
    Stdin(&'a [u8]),
    Pty(&'a [u8]),
}

/// The way in.
#[derive(Debug)]
pub(super) enum Inlet {
    Pipe(Mutex<Option<pipe::Sender>>),
    Terminal(Terminal, Mutex<()>),
    /// A terminal that no kernel knows: what is typed comes to a program as it is.
    Keyboard(Mutex<pipe::Sender>, std::sync::Mutex<Size>),
}

impl Inlet {
    pub(super) fn pipe(sender: Option<pipe::Sender>) -> Self {
        Self::Pipe(Mutex::new(sender))
    }

    pub(super) fn terminal(terminal: Terminal) -> Self {
        Self::Terminal(terminal, Mutex::new(()))
    }

    pub(super) fn keyboard(sender: pipe::Sender, size: Size) -> Self {
        Self::Keyboard(Mutex::new(sender), std::sync::Mutex::new(size))
    }

    pub(super) async fn write(&self, input: Input<'_>, time: &Time) -> Result<(), ProcessError> {
        match (self, input) {
            (Self::Pipe(_), Input::Pty(_)) => Err(ProcessError::NotPty),
            (Self::Terminal(..) | Self::Keyboard(..), Input::Stdin(_)) => Err(ProcessError::NoStdin),
            (Self::Pipe(pipe), Input::Stdin(data)) => {
                let full = ProcessError::Full { what: "stdin", written: 0, len: data.len() };
                let mut turn = time.timeout(PATIENCE, pipe.lock()).await.ok_or(full)?;
                let pipe = turn.as_mut().ok_or(ProcessError::NoStdin)?;
                Way::Pipe(pipe).write_all(data, time).await
            }
            (Self::Terminal(terminal, turn), Input::Pty(data)) => {
                let full = ProcessError::Full { what: "pty", written: 0, len: data.len() };
                let _turn = time.timeout(PATIENCE, turn.lock()).await.ok_or(full)?;
                Way::Terminal(terminal).write_all(data, time).await
            }
            (Self::Keyboard(pipe, _), Input::Pty(data)) => {
                let full = ProcessError::Full { what: "pty", written: 0, len: data.len() };
                let mut turn = time.timeout(PATIENCE, pipe.lock()).await.ok_or(full)?;
                Way::Keyboard(&mut turn).write_all(data, time).await
            }
        }
    }

    pub(super) async fn close(&self) -> Result<(), ProcessError> {
        match self {
            Self::Terminal(..) | Self::Keyboard(..) => Err(ProcessError::PtyStdin),
            Self::Pipe(pipe) => {
                pipe.lock().await.take();
                Ok(())
            }
        }
    }

    pub(super) fn resize(&self, size: Size) -> Result<(), ProcessError> {
        match self {
            Self::Terminal(terminal, _) => terminal.resize(size).map_err(ProcessError::Resize),
            Self::Keyboard(_, kept) => {
                *kept.lock().unwrap_or_else(PoisonError::into_inner) = size;
                Ok(())
            }
            Self::Pipe(_) => Err(ProcessError::NoTerminal),
        }
    }
}

/// One writer's turn.
enum Way<'a> {
    Pipe(&'a mut pipe::Sender),
    Terminal(&'a Terminal),
    Keyboard(&'a mut pipe::Sender),
}

impl Way<'_> {
    fn name(&self) -> &'static str {
        match self {
            Self::Pipe(_) => "stdin",
            Self::Terminal(_) | Self::Keyboard(_) => "pty",
        }
    }

    async fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        match self {
            Self::Pipe(pipe) | Self::Keyboard(pipe) => pipe.write(data).await,
            Self::Terminal(terminal) => terminal.write(data).await,
        }
    }

    async fn write_all(mut self, data: &[u8], time: &Time) -> Result<(), ProcessError> {
        let (what, mut written, len) = (self.name(), 0, data.len());
        while written < len {
            match time.timeout(PATIENCE, self.write(&data[written..])).await {
                Some(Ok(count)) => written += count,
                Some(Err(source)) => return Err(ProcessError::Write { what, source }),
                None => return Err(ProcessError::Full { what, written, len }),
            }
        }
        Ok(())
    }
}
