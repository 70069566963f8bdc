//! A bound port and its accept loop: bounded, not impressed by a failed accept, and closed while its gate is.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd as _, RawFd};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::crowd::Crowd;
use super::gate::Gate;
use super::port::Port;
use super::serve::{self, Service};

/// So many connections at once, unless told otherwise.
pub(crate) const DEFAULT_CONNECTIONS: usize = 8192;
/// How long to wait after a failed accept, such as one without a free descriptor.
const BACK_OFF: Duration = Duration::from_millis(20);

/// A bound port.
#[derive(Debug)]
pub(crate) struct Listener {
    /// Missing while connections are refused.
    socket: Option<TcpListener>,
    port: Port,
    gate: Gate,
    crowd: Crowd,
}

impl Listener {
    /// `most` is how many connections there may be at once; for another one, the one that was idle for longest is ended.
    pub(crate) fn bind(address: SocketAddr, gate: Gate, most: usize) -> io::Result<Self> {
        let mut port = Port::bind(address)?;
        let socket = if gate.is_closed() { None } else { Some(port.listen()?) };
        gate.listens(socket.is_some());
        Ok(Self { socket, port, gate, crowd: Crowd::new(most) })
    }

    /// The address with the port that was really bound.
    pub(crate) fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// Serves every connection with `service` until `stop`, then closes the socket at once and waits until each
    /// connection has ended, which none takes longer for than its grace.
    pub(crate) async fn serve<S: Service>(mut self, service: S, stop: CancellationToken) {
        let tasks = TaskTracker::new();
        while let Some((stream, peer, slot)) = self.next(&stop).await {
            let (accepted, lost) = (service.accept(peer), self.gate.lost());
            let member = self.crowd.enter(&accepted.conn, slot);
            let served = serve::connection(stream, accepted, service.clone(), lost, stop.clone());
            tasks.spawn(async move {
                served.await;
                drop(member);
            });
        }
        self.deafen();
        drop(self.port);
        tasks.close();
        tasks.wait().await;
    }

    fn deafen(&mut self) {
        if let Some(listening) = self.socket.take() {
            self.port.refuse(listening);
        }
    }

    async fn next(
        &mut self,
        stop: &CancellationToken,
    ) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
        let accepted = async {
            let slot = self.crowd.room().await?;
            let (stream, peer) = self.accept().await;
            Some((stream, peer, slot))
        };
        stop.run_until_cancelled(accepted).await.flatten()
    }

    async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        loop {
            if self.gate.is_closed() {
                self.deafen();
                self.gate.listens(false);
                self.gate.until(false).await;
            }
            let socket = match &mut self.socket {
                Some(socket) => socket,
                None => match self.port.listen() {
                    Ok(socket) => {
                        self.gate.listens(true);
                        self.socket.insert(socket)
                    }
                    Err(error) => {
                        tracing::warn!(%error, "the port cannot be listened on again yet");
                        tokio::time::sleep(BACK_OFF).await;
                        continue;
                    }
                },
            };
            let accepted = tokio::select! {
                accepted = socket.accept() => accepted,
                () = self.gate.until(true) => continue,
            };
            match accepted {
                Ok(accepted) => return accepted,
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    if matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE)) {
                        self.crowd.evict();
                    }
                    tokio::time::sleep(BACK_OFF).await;
                }
            }
        }
    }
}

impl serve::Transport for TcpStream {
    fn prepare(&self) {
        // Without this a small event may wait for the acknowledgement of the one before it.
        if let Err(error) = self.set_nodelay(true) {
            tracing::debug!(%error, "the socket keeps its send delay");
        }
    }

    fn socket(&self) -> Option<RawFd> {
        Some(self.as_raw_fd())
    }
}
