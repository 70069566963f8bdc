//! One bare connection: bytes in the order in which they came, and how the peer ended it.

use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd as _;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, timeout_at};

use super::answer::WireEnd;
use super::segments;

const READ: usize = 256 * 1024;

/// How much the kernel keeps for us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Buffers {
    /// As it likes.
    Usual,
    /// Little, so that a peer that does not read, or that is not read, is soon noticed.
    Small,
}

/// A connection.
pub(super) struct Socket {
    stream: TcpStream,
    pub(super) arrived: Vec<u8>,
    pub(super) end: Option<WireEnd>,
    /// A write that has not got on for so long waits for the peer.
    pub(super) stuck: Duration,
}

impl Socket {
    pub(super) async fn open(address: SocketAddr, buffers: Buffers, stuck: Duration) -> io::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        if buffers == Buffers::Small {
            socket.set_send_buffer_size(32 * 1024)?;
            socket.set_recv_buffer_size(16 * 1024)?;
        }
        let stream = socket.connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, arrived: Vec::new(), end: None, stuck })
    }

    /// Takes what comes next; false when nothing did by then, or ever will.
    pub(super) async fn more(&mut self, until: Instant) -> bool {
        if self.end.is_some() {
            return false;
        }
        self.arrived.reserve(READ);
        match timeout_at(until, self.stream.read_buf(&mut self.arrived)).await {
            Err(_) => return false,
            Ok(Ok(0)) => self.end = Some(WireEnd::Fin),
            Ok(Ok(_)) => {}
            Ok(Err(_)) => self.end = Some(WireEnd::Rst),
        }
        true
    }

    /// Writes; false when the peer does not take it all. What it ended with shows at the next read.
    pub(super) async fn write(&mut self, mut bytes: &[u8]) -> bool {
        while !bytes.is_empty() {
            match timeout_at(Instant::now() + self.stuck, self.stream.write(bytes)).await {
                Err(_) => return false,
                Ok(Ok(written)) => bytes = &bytes[written..],
                Ok(Err(error)) => {
                    // The kernel tells of a reset once.
                    if error.kind() == io::ErrorKind::ConnectionReset {
                        self.end.get_or_insert(WireEnd::Rst);
                    }
                    return true;
                }
            }
        }
        true
    }

    /// Sends FIN.
    pub(super) async fn leave(&mut self) {
        // Fails when the peer has gone already.
        let _ = self.stream.shutdown().await;
    }

    pub(super) fn segments(&self) -> Option<u32> {
        segments::received(self.stream.as_fd())
    }
}
