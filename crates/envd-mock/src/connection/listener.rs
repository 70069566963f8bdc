//! A bound port and its accept loop: bounded, not impressed by a failed accept, and closed while its gate is.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd as _, RawFd};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::gate::Gate;
use super::serve::{self, Service};
use super::socket;

/// More connections than these wait in the kernel's queue.
const MOST: usize = 8192;
const BACKLOG: u32 = 4096;
/// How long to wait after a failed accept, such as one without a free descriptor.
const BACK_OFF: Duration = Duration::from_millis(20);

/// A bound port.
#[derive(Debug)]
pub(crate) struct Listener {
    /// Missing while connections are refused.
    socket: Option<TcpListener>,
    /// Bound and never listening, so that the port stays ours meanwhile.
    reserved: TcpSocket,
    address: SocketAddr,
    gate: Gate,
}

fn bound(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

impl Listener {
    pub(crate) fn bind(address: SocketAddr, gate: Gate) -> io::Result<Self> {
        let socket = bound(address)?;
        let address = socket.local_addr()?;
        let reserved = bound(address)?;
        let socket = if gate.is_closed() { None } else { Some(socket.listen(BACKLOG)?) };
        gate.listens(socket.is_some());
        Ok(Self { socket, reserved, address, gate })
    }

    /// The address with the port that was really bound.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves every connection with `service` until `stop`, then closes the socket at once and waits until each
    /// connection has ended, which none takes longer for than its grace.
    pub(crate) async fn serve<S: Service>(mut self, service: S, stop: CancellationToken) {
        let (slots, tasks) = (Arc::new(Semaphore::new(MOST)), TaskTracker::new());
        while let Some((stream, peer, slot)) = self.next(&slots, &stop).await {
            let (accepted, lost) = (service.accept(peer), self.gate.lost());
            let served = serve::connection(stream, accepted, service.clone(), lost, stop.clone());
            tasks.spawn(async move {
                served.await;
                drop(slot);
            });
        }
        self.deafen();
        drop(self.reserved);
        tasks.close();
        tasks.wait().await;
    }

    fn deafen(&mut self) {
        if let Some(listening) = self.socket.take() {
            socket::stop_listening(listening.as_raw_fd());
        }
    }

    async fn next(
        &mut self,
        slots: &Arc<Semaphore>,
        stop: &CancellationToken,
    ) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
        let accepted = async {
            let slot = Arc::clone(slots).acquire_owned().await.ok()?;
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
                None => match bound(self.address).and_then(|socket| socket.listen(BACKLOG)) {
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
