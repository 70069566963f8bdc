//! A bound socket and its accept loop: bounded, and not impressed by a failed accept.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use http::Request;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::serve;

/// More connections than these wait in the kernel's queue.
const MOST: usize = 8192;
const BACKLOG: u32 = 4096;
/// How long to wait after a failed accept, such as one without a free descriptor.
const BACK_OFF: Duration = Duration::from_millis(20);

/// A bound listening socket.
#[derive(Debug)]
pub(crate) struct Listener {
    socket: TcpListener,
    address: SocketAddr,
}

impl Listener {
    pub(crate) fn bind(address: SocketAddr) -> io::Result<Self> {
        let socket = if address.is_ipv4() {
            tokio::net::TcpSocket::new_v4()
        } else {
            tokio::net::TcpSocket::new_v6()
        }?;
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        let socket = socket.listen(BACKLOG)?;
        let address = socket.local_addr()?;
        Ok(Self { socket, address })
    }

    /// The address with the port that was really bound.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves every connection with `answer` until `stop`, then closes the socket at once and waits until each
    /// connection has ended, which none takes longer for than its grace.
    pub(crate) async fn serve<A, R>(self, answer: A, stop: CancellationToken)
    where
        A: Fn(Request<Body>) -> R + Clone + Send + Sync + 'static,
        R: Future<Output = Response> + Send + 'static,
    {
        let (slots, tasks) = (Arc::new(Semaphore::new(MOST)), TaskTracker::new());
        while let Some((stream, slot)) = self.next(&slots, &stop).await {
            let served = serve::connection(stream, answer.clone(), stop.clone());
            tasks.spawn(async move {
                served.await;
                drop(slot);
            });
        }
        drop(self.socket);
        tasks.close();
        tasks.wait().await;
    }

    async fn next(
        &self,
        slots: &Arc<Semaphore>,
        stop: &CancellationToken,
    ) -> Option<(TcpStream, tokio::sync::OwnedSemaphorePermit)> {
        let accepted = async {
            let slot = Arc::clone(slots).acquire_owned().await.ok()?;
            Some((self.accept().await, slot))
        };
        stop.run_until_cancelled(accepted).await.flatten()
    }

    async fn accept(&self) -> TcpStream {
        loop {
            match self.socket.accept().await {
                Ok((stream, _)) => return stream,
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
}
