//! A mock whose streams never end: a proxy that keeps back the last chunk of every stream's answer.

use conformance::probe::SetupError;
use conformance::subject::{Embedded, Subject, Subjects};
use futures::future::BoxFuture;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// Where they come from.
pub(crate) struct Hanging;

impl Subjects for Hanging {
    fn start(&self) -> BoxFuture<'_, Result<Subject, SetupError>> {
        Box::pin(async {
            let behind = Embedded.start().await?;
            let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
            let (address, upstream) = (listener.local_addr().unwrap(), behind.address);
            let mut serving = JoinSet::new();
            serving.spawn(async move {
                let mut passing = JoinSet::new();
                while let Ok((client, _)) = listener.accept().await {
                    passing.spawn(async move { pass(client, upstream).await });
                }
            });
            Ok(Subject { address, host: address.to_string(), guard: Some(Box::new((serving, behind))) })
        })
    }

    fn name(&self) -> String {
        "streams without end".to_owned()
    }
}

async fn pass(mut client: TcpStream, upstream: std::net::SocketAddr) -> std::io::Result<()> {
    let mut upstream = TcpStream::connect(upstream).await?;
    let mut head = vec![0; 64 << 10];
    let length = client.read(&mut head).await?;
    let stream = String::from_utf8_lossy(&head[..length]).contains("application/connect+");
    upstream.write_all(&head[..length]).await?;
    if !stream {
        return tokio::io::copy_bidirectional(&mut client, &mut upstream).await.map(drop);
    }
    let (mut from_client, mut to_client) = client.split();
    let (mut from_mock, mut to_mock) = upstream.split();
    let up = tokio::io::copy(&mut from_client, &mut to_mock);
    let down = async {
        let mut buffer = vec![0; 64 << 10];
        loop {
            match from_mock.read(&mut buffer).await? {
                0 => return std::future::pending().await,
                n => to_client.write_all(kept(&buffer[..n])).await?,
            }
        }
    };
    tokio::select! {
        gone = up => gone.map(drop),
        failed = down => failed,
    }
}

fn kept(bytes: &[u8]) -> &[u8] {
    bytes.strip_suffix(LAST_CHUNK).unwrap_or(bytes)
}
