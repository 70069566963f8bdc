//! One request on one connection, and its answer as it comes. Every wait has a deadline.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::answer::Answer;
use super::ask::{self, Ask};
use super::bulk::{Adding, What};
use crate::observation::{Ended, Exchange};
use crate::stream::{Run, envelope};

/// More than this of one body is not taken, so that a flood ends.
const MOST_BODY: usize = 64 << 20;

/// Why the harness could not act: nothing that a case could hold against the subject.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SetupError {
    /// Nobody listens, or nobody accepts.
    #[error("subject: cannot connect to {address}: {why}")]
    Connect {
        /// Whom.
        address: SocketAddr,
        /// The system's words.
        why: String,
    },
    /// A subject could not be started.
    #[error("subject: {0}")]
    Start(String),
    /// The case cannot go on because an earlier answer lacks what it needs.
    #[error("harness: the answer to {step:?} has no {what}")]
    Missing {
        /// The label of that answer.
        step: String,
        /// What is not there.
        what: String,
    },
}

/// A request that was sent, whose answer is being read.
#[derive(Debug)]
pub struct Open {
    socket: TcpStream,
    answer: Answer,
    seen: Exchange,
    since: Instant,
    patience: Duration,
    adding: Option<Adding>,
}

/// Between two writes that are to arrive apart.
const APART: Duration = Duration::from_millis(1);

impl Open {
    pub(super) async fn send(
        address: SocketAddr,
        host: &str,
        ask: Ask,
        patience: Duration,
    ) -> Result<Self, SetupError> {
        let seen = Exchange {
            host: host.to_owned(),
            method: ask.method.clone(),
            target: ask.target.clone(),
            sent_headers: ask.headers.clone(),
            sent: ask.body.clone(),
            ..Exchange::default()
        };
        let mut open = Self::connect(address, seen, patience).await?;
        // A subject may answer before it has read all: what it says then is in the answer, not in this error.
        let _ = timeout(patience, open.write(&ask, host)).await;
        Ok(open)
    }

    pub(super) async fn raw(
        address: SocketAddr,
        host: &str,
        bytes: &[u8],
        shut: bool,
        patience: Duration,
    ) -> Result<Self, SetupError> {
        let (method, host) = ("RAW".to_owned(), host.to_owned());
        let seen = Exchange { method, host, sent: bytes.to_vec(), ..Exchange::default() };
        let mut open = Self::connect(address, seen, patience).await?;
        open.more(bytes).await;
        if shut {
            // As above: the answer tells.
            let _ = open.socket.shutdown().await;
        }
        Ok(open)
    }

    async fn connect(address: SocketAddr, seen: Exchange, patience: Duration) -> Result<Self, SetupError> {
        let failed = |why: String| SetupError::Connect { address, why };
        let socket = timeout(patience, TcpStream::connect(address))
            .await
            .map_err(|_| failed(format!("no answer within {patience:?}")))?
            .map_err(|error| failed(error.to_string()))?;
        socket.set_nodelay(true).map_err(|error| failed(error.to_string()))?;
        let (answer, since) = (Answer::new(), Instant::now());
        Ok(Self { socket, answer, seen, since, patience, adding: None })
    }

    async fn write(&mut self, ask: &Ask, host: &str) -> std::io::Result<()> {
        let mut pieces = ask.pieces().into_iter();
        let first = [ask.head(host), pieces.next().unwrap_or_default()].concat();
        self.socket.write_all(&first).await?;
        for piece in pieces {
            tokio::time::sleep(APART).await;
            self.socket.write_all(&piece).await?;
        }
        if let Some(flood) = &ask.manner.flood {
            for number in 0..flood.blocks {
                self.socket.write_all(&ask::block(number)).await?;
            }
            self.socket.write_all(&flood.tail).await?;
        }
        if ask.manner.shut { self.socket.shutdown().await } else { Ok(()) }
    }

    /// From here on, adds up what comes instead of keeping it.
    pub fn add_up(&mut self, what: What) {
        self.adding = Some(Adding::new(what));
    }

    /// Writes one more chunk of a request that is [`Ask::unfinished`].
    pub async fn more_chunk(&mut self, bytes: &[u8]) {
        self.more(&ask::chunk(bytes)).await;
    }

    /// Writes more of the request.
    pub async fn more(&mut self, bytes: &[u8]) {
        // As with the rest of a request: what the subject says to it is in the answer.
        let _ = timeout(self.patience, self.socket.write_all(bytes)).await;
    }

    /// Reads until `enough` says so, the answer is over, or the time of the whole exchange has passed.
    pub async fn until(&mut self, enough: impl Fn(&Exchange) -> bool) {
        self.until_with(self.patience, enough).await;
    }

    /// As [`Open::until`], with another time for the whole exchange.
    pub async fn until_with(&mut self, patience: Duration, enough: impl Fn(&Exchange) -> bool) {
        let deadline = self.since + patience;
        let mut buffer = vec![0; 64 << 10];
        while !self.answer.over() && !enough(&self.seen) {
            let left = deadline.saturating_duration_since(Instant::now());
            match timeout(left, self.socket.read(&mut buffer)).await {
                Err(_) => return self.seen.ended = Ended::Late(patience),
                Ok(Err(error)) => self.answer.close(&error.to_string(), &mut self.seen),
                Ok(Ok(0)) => self.answer.close("", &mut self.seen),
                Ok(Ok(n)) => self.answer.feed(&buffer[..n], self.since.elapsed(), &mut self.seen),
            }
            if let Some(adding) = &mut self.adding {
                adding.take(&mut self.seen);
            }
            if self.seen.body.len() > MOST_BODY {
                return self.seen.ended = Ended::Cut(format!("looked away after {MOST_BODY} bytes"));
            }
        }
    }

    /// Reads the answer and everything behind it, until the subject closes the connection.
    pub async fn until_closed(&mut self) {
        self.until(|_| false).await;
        self.seen.after = self.answer.rest();
        let deadline = self.since + self.patience;
        let mut buffer = vec![0; 64 << 10];
        while self.seen.after.len() < MOST_BODY {
            let left = deadline.saturating_duration_since(Instant::now());
            match timeout(left, self.socket.read(&mut buffer)).await {
                Ok(Ok(n)) if n > 0 => self.seen.after.extend_from_slice(&buffer[..n]),
                Ok(_) => return,
                Err(_) => return self.seen.ended = Ended::Late(self.patience),
            }
        }
    }

    /// Reads until so many envelopes are there.
    pub async fn until_frames(&mut self, count: usize) {
        self.until(|seen| envelope::read(&seen.body).0.len() >= count).await;
    }

    /// Reads until `text` is in an output event or the answer is over; only for JSON streams.
    pub async fn until_output(&mut self, text: &str) {
        self.until(|seen| Run::of(&seen.body).shows(text)).await;
    }

    /// What was seen so far.
    pub fn seen(&self) -> &Exchange {
        &self.seen
    }

    pub(super) async fn read_all(&mut self) {
        self.until(|_| false).await;
    }

    pub(super) fn into_seen(self) -> Exchange {
        self.seen
    }
}
