//! A port that stays the mock's while nobody listens on it, by a socket that is bound and never listens. On Linux that
//! one lies beside the listening one. Elsewhere two sockets cannot be bound alike, so that it takes turns with it.

use std::io;
use std::net::SocketAddr;
use std::os::fd::AsRawFd as _;

use tokio::net::{TcpListener, TcpSocket};

use super::socket;

const BACKLOG: u32 = 4096;

/// A bound port.
#[derive(Debug)]
pub(super) struct Port {
    address: SocketAddr,
    /// What listens next.
    next: Option<TcpSocket>,
    /// What never does.
    beside: Option<TcpSocket>,
}

fn bound(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

impl Port {
    /// Binds it.
    pub(super) fn bind(address: SocketAddr) -> io::Result<Self> {
        Self::reserved(address, cfg!(target_os = "linux"))
    }

    fn reserved(address: SocketAddr, beside: bool) -> io::Result<Self> {
        let socket = bound(address)?;
        let address = socket.local_addr()?;
        let beside = if beside { Some(bound(address)?) } else { None };
        Ok(Self { address, next: Some(socket), beside })
    }

    /// The address with the port that was really bound.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Listens, for the first time or again.
    pub(super) fn listen(&mut self) -> io::Result<TcpListener> {
        self.next.take().map_or_else(|| bound(self.address), Ok)?.listen(BACKLOG)
    }

    /// Listens no longer, and keeps the port.
    pub(super) fn refuse(&mut self, listening: TcpListener) {
        socket::stop_listening(listening.as_raw_fd());
        drop(listening);
        if self.beside.is_none() {
            self.next = bound(self.address)
                .inspect_err(|error| tracing::warn!(%error, "the port is free while nobody listens on it"))
                .ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpStream;

    #[tokio::test]
    async fn a_port_refuses_and_listens_again_however_it_is_kept() {
        for beside in [true, false] {
            let mut port = Port::reserved(SocketAddr::from(([127, 0, 0, 1], 0)), beside).unwrap();
            let address = port.address();
            for _ in 0..3 {
                let refused = TcpStream::connect(address).await.unwrap_err();
                assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
                let listening = port.listen().unwrap();
                let _client = TcpStream::connect(address).await.unwrap();
                let _server = listening.accept().await.unwrap();
                port.refuse(listening);
            }
        }
    }
}
