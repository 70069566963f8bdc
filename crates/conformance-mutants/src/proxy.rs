//! A proxy of a few lines that carries a mutant's change out in front of a true mock. It changes one request on a
//! connection; HTTP/2 passes, its calls at most marked.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError};

use futures::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, copy};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::frames::Frames;
use super::http::{Answer, Call, Kept, Request, chunk, find, header};
use super::mutant::Change;
use super::recorded::{Record, Recorded};
use super::upward::{Chunks, MARKED, Marks};
use conformance::case::Case;
use conformance::probe::SetupError;
use conformance::stream::envelope;
use conformance::subject::{Embedded, Subject, Subjects, embedded};
use envd_mock::MockEnvd;

/// Longer requests pass as they are.
const LONGEST: usize = 16 << 20;

/// A source of mocks with a mutant's change.
#[derive(Debug, Clone)]
pub struct Mutated {
    change: Change,
    record: Option<Record>,
}

impl Mutated {
    /// Mocks that are changed so.
    pub fn by(change: Change) -> Self {
        Self { change, record: None }
    }

    /// True mocks, and what they are asked and answer.
    pub(super) fn recording() -> (Self, Record) {
        let record = Record::default();
        (Self { change: Change::Nothing, record: Some(Arc::clone(&record)) }, record)
    }
}

impl Subjects for Mutated {
    fn start(&self) -> BoxFuture<'_, Result<Subject, SetupError>> {
        Box::pin(async {
            let behind = match self.change {
                Change::Fault(rule) => with_rule(rule).await?,
                Change::Defect(defect) => embedded(MockEnvd::builder().defect(defect)).await?,
                _ => Embedded.start().await?,
            };
            let failed = |error: io::Error| SetupError::Start(format!("the proxy of a mutant: {error}"));
            let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(failed)?;
            let address = listener.local_addr().map_err(failed)?;
            let way = Way {
                mock: behind.address,
                change: self.change,
                record: self.record.clone(),
                kept: Kept::default(),
            };
            let mut serving = JoinSet::new();
            serving.spawn(way.serve(listener));
            Ok(Subject { address, host: address.to_string(), guard: Some(Box::new((serving, behind))) })
        })
    }

    fn unfit(&self, case: &Case) -> Option<String> {
        Embedded.unfit(case)
    }

    fn name(&self) -> String {
        "mutant".to_owned()
    }
}

async fn with_rule(rule: &str) -> Result<Subject, SetupError> {
    let rule = rule.parse().map_err(|error| SetupError::Start(format!("{error}")))?;
    embedded(MockEnvd::builder().fault(rule)).await
}

/// The way through the proxy of one subject.
#[derive(Clone)]
struct Way {
    mock: SocketAddr,
    change: Change,
    record: Option<Record>,
    kept: Kept,
}

impl Way {
    async fn serve(self, listener: TcpListener) {
        let mut passing = JoinSet::new();
        while let Ok((client, _)) = listener.accept().await {
            let way = self.clone();
            passing.spawn(async move { way.pass(client).await });
            while passing.try_join_next().is_some() {}
        }
    }

    async fn pass(self, mut client: TcpStream) -> io::Result<()> {
        let mut mock = TcpStream::connect(self.mock).await?;
        client.set_nodelay(true)?;
        mock.set_nodelay(true)?;
        let Some((head, rest)) = head(&mut client).await? else {
            return Ok(());
        };
        let text = String::from_utf8_lossy(&head).into_owned();
        let call = Call::of(&text, &self.kept);
        if head.starts_with(b"PRI ") {
            return self.http2(&call, &[head, rest].concat(), (client, mock)).await;
        }
        let mut chunks = self.chunks(&call);
        let rest = chunks.as_mut().map_or_else(|| rest.clone(), |chunks| chunks.feed(&rest));
        let place = self.note(&call, &head);
        let (mut from_client, to_client) = client.split();
        let (from_mock, mut to_mock) = mock.split();
        let (begun, paths) = self.request((&call, place), head, rest, &mut from_client).await?;
        to_mock.write_all(&begun).await?;
        let up = async {
            let edit = |bytes: &[u8]| chunks.as_mut().map(|chunks| chunks.feed(bytes));
            pump(&mut from_client, &mut to_mock, edit).await?;
            std::future::pending::<io::Result<()>>().await
        };
        let down = self.down((&call, place), &paths, from_mock, to_client);
        tokio::pin!(down);
        tokio::select! {
            done = &mut down => done,
            // What the mock says to a request that could not be passed on whole still counts.
            Err(_) = up => down.await,
        }
    }

    async fn http2(
        &self,
        call: &Call,
        begun: &[u8],
        (mut client, mut mock): (TcpStream, TcpStream),
    ) -> io::Result<()> {
        if matches!(self.change, Change::Http2(serves) if !serves(call, begun)) {
            return Ok(());
        }
        let mut marks =
            matches!(self.change, Change::Fault(rule) if rule.contains(MARKED)).then(Marks::default);
        let mut edit = |bytes: &[u8]| marks.as_mut().map(|marks| marks.feed(bytes));
        let begun = edit(begun).unwrap_or_else(|| begun.to_vec());
        mock.write_all(&begun).await?;
        let (mut from_client, mut to_client) = client.split();
        let (mut from_mock, mut to_mock) = mock.split();
        let up = pump(&mut from_client, &mut to_mock, edit);
        let down = pump(&mut from_mock, &mut to_client, |_| None);
        tokio::try_join!(up, down).map(drop)
    }

    fn chunks(&self, call: &Call) -> Option<Chunks> {
        let Change::Chunks(_, edit) = self.change else { return None };
        let wanted = self.change.reaches(&call.method, &call.target);
        (wanted && call.heads("transfer-encoding: chunked")).then(|| Chunks::new(edit))
    }

    /// Writes the call down; gives its place in the record.
    fn note(&self, call: &Call, head: &[u8]) -> usize {
        let Some(record) = &self.record else { return 0 };
        let mut all = record.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(Recorded { head: head.to_vec(), ..Recorded::bare(&call.method, &call.target) });
        all.len() - 1
    }

    /// Adds to what is written down of a call.
    fn add(&self, place: usize, edit: impl FnOnce(&mut Recorded)) {
        let Some(record) = &self.record else { return };
        if let Some(recorded) = record.lock().unwrap_or_else(PoisonError::into_inner).get_mut(place) {
            edit(recorded);
        }
    }

    async fn request(
        &self,
        (call, place): (&Call, usize),
        head: Vec<u8>,
        mut body: Vec<u8>,
        client: &mut ReadHalf<'_>,
    ) -> io::Result<(Vec<u8>, [String; 2])> {
        let text = String::from_utf8_lossy(&head).into_owned();
        let length = header(&text, "content-length").and_then(|value| value.parse().ok()).unwrap_or(0);
        let wanted = matches!(self.change, Change::Request(..) | Change::Aside(..));
        let wanted = wanted && self.change.reaches(&call.method, &call.target) || self.record.is_some();
        let chunked = header(&text, "transfer-encoding").is_some();
        if !wanted || length > LONGEST {
            return Ok(([head, body].concat(), Default::default()));
        }
        fill(client, &mut body, length).await?;
        let rest = body.split_off(length.min(body.len()));
        if !chunked {
            self.add(place, |recorded| recorded.body = Some(body.clone()));
        }
        let (unchanged, mut request) = (body.len(), Request::new(head, body));
        let paths = request.paths();
        match self.change {
            Change::Request(_, edit) => edit(call, &mut request),
            Change::Aside(_, before, _) => self.aside(before, &paths).await?,
            _ => {}
        }
        Ok(([request.into_bytes(unchanged), rest].concat(), paths))
    }

    /// Runs a shell script in the guest.
    async fn aside(&self, script: &str, paths: &[String; 2]) -> io::Result<()> {
        if script.is_empty() {
            return Ok(());
        }
        let arguments = ["-c", script, "sh", &paths[0], &paths[1]];
        let process =
            serde_json::json!({ "process": { "cmd": "/bin/sh", "args": arguments }, "stdin": false });
        let body = envelope::write(0, process.to_string().as_bytes());
        let head = format!(
            "POST /process.Process/Start HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-type: \
             application/connect+json\r\ncontent-length: {}\r\n\r\n",
            self.mock,
            body.len()
        );
        let mut mock = TcpStream::connect(self.mock).await?;
        mock.write_all(&[head.as_bytes(), &body].concat()).await?;
        mock.read_to_end(&mut Vec::new()).await.map(drop)
    }

    async fn down(
        &self,
        (call, place): (&Call, usize),
        paths: &[String; 2],
        mut mock: ReadHalf<'_>,
        mut client: WriteHalf<'_>,
    ) -> io::Result<()> {
        if self.record.is_some() {
            return self.recorded(place, mock, client).await;
        }
        let passes = matches!(
            self.change,
            Change::Nothing
                | Change::Request(..)
                | Change::Chunks(..)
                | Change::Http2(_)
                | Change::Fault(_)
                | Change::Defect(_)
        );
        if passes || !self.change.reaches(&call.method, &call.target) {
            copy(&mut mock, &mut client).await?;
            return client.shutdown().await;
        }
        let Some((head, body)) = head(&mut mock).await? else { return Ok(()) };
        let text = String::from_utf8_lossy(&head).into_owned();
        let kind = header(&text, "content-type").unwrap_or_default().to_owned();
        let chunked = header(&text, "transfer-encoding") == Some("chunked");
        match self.change {
            Change::Frames(_, edit) if chunked && kind.starts_with("application/connect") => {
                client.write_all(&head).await?;
                return frames(Frames::new(call.clone(), edit), &body, mock, client).await;
            }
            // A stream that is only an error may come whole.
            Change::Frames(_, edit) if kind.starts_with("application/connect") => {
                let (mut answer, unchanged) = whole(head, body, &call.method, &mut mock).await?;
                let edited = Frames::new(call.clone(), edit).whole(answer.bytes_mut());
                *answer.bytes_mut() = edited;
                client.write_all(&answer.into_bytes(unchanged)).await?;
            }
            Change::Answer(_, edit) if kind.starts_with("application/connect") => {
                let mut answer = Answer::new(&head, Vec::new(), false);
                edit(call, &mut answer);
                client.write_all(&[answer.into_bytes(0), body].concat()).await?;
            }
            Change::Answer(_, edit) => {
                let (mut answer, unchanged) = whole(head, body, &call.method, &mut mock).await?;
                edit(call, &mut answer);
                client.write_all(&answer.into_bytes(unchanged)).await?;
            }
            Change::Held(_) => {
                let (answer, unchanged) = whole(head, body, &call.method, &mut mock).await?;
                client.write_all(&answer.into_bytes(unchanged)).await?;
            }
            Change::Aside(_, _, after) => {
                self.aside(after, paths).await?;
                client.write_all(&[head, body].concat()).await?;
            }
            _ => client.write_all(&[head, body].concat()).await?,
        }
        copy(&mut mock, &mut client).await?;
        client.shutdown().await
    }

    async fn recorded(
        &self,
        place: usize,
        mut mock: ReadHalf<'_>,
        mut client: WriteHalf<'_>,
    ) -> io::Result<()> {
        let mut buffer = vec![0; 64 << 10];
        loop {
            let n = mock.read(&mut buffer).await?;
            self.add(place, |recorded| recorded.take(&buffer[..n]));
            match n {
                0 => return client.shutdown().await,
                n => client.write_all(&buffer[..n]).await?,
            }
        }
    }
}

/// Passes bytes on until no more come, and says that none do; those for which `edit` gives others, as these.
async fn pump(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    mut edit: impl FnMut(&[u8]) -> Option<Vec<u8>>,
) -> io::Result<()> {
    let mut buffer = vec![0; 64 << 10];
    loop {
        match from.read(&mut buffer).await? {
            0 => return to.shutdown().await,
            n => match edit(&buffer[..n]) {
                None => to.write_all(&buffer[..n]).await?,
                Some(others) => to.write_all(&others).await?,
            },
        }
    }
}

/// Everything up to the blank line, and what came with it; none if the sender closed before.
async fn head(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<(Vec<u8>, Vec<u8>)>> {
    let (mut seen, mut buffer) = (Vec::new(), vec![0; 64 << 10]);
    loop {
        if let Some(end) = find(&seen, b"\r\n\r\n") {
            let rest = seen.split_off(end + 4);
            return Ok(Some((seen, rest)));
        }
        match from.read(&mut buffer).await? {
            0 => return Ok((!seen.is_empty()).then_some((seen, Vec::new()))),
            n => seen.extend_from_slice(&buffer[..n]),
        }
    }
}

/// Reads until there are so many bytes, or no more come.
async fn fill(from: &mut ReadHalf<'_>, body: &mut Vec<u8>, length: usize) -> io::Result<()> {
    let mut buffer = vec![0; 64 << 10];
    while body.len() < length {
        match from.read(&mut buffer).await? {
            0 => break,
            n => body.extend_from_slice(&buffer[..n]),
        }
    }
    Ok(())
}

/// The answer with all of its body, and how long that is.
async fn whole(
    head: Vec<u8>,
    mut rest: Vec<u8>,
    method: &str,
    mock: &mut ReadHalf<'_>,
) -> io::Result<(Answer, usize)> {
    let text = String::from_utf8_lossy(&head).into_owned();
    let empty = method == "HEAD" || [" 204", " 304"].iter().any(|code| text[8..].starts_with(code));
    if !empty && header(&text, "transfer-encoding") == Some("chunked") {
        let body = chunks(rest, mock).await?;
        let length = body.len();
        return Ok((Answer::new(&head, body, true), length));
    }
    let length = header(&text, "content-length").and_then(|value| value.parse().ok()).unwrap_or(usize::MAX);
    if !empty {
        fill(mock, &mut rest, length).await?;
    }
    let length = rest.len();
    Ok((Answer::new(&head, rest, false), length))
}

async fn chunks(mut raw: Vec<u8>, mock: &mut ReadHalf<'_>) -> io::Result<Vec<u8>> {
    let (mut body, mut buffer) = (Vec::new(), vec![0; 64 << 10]);
    loop {
        while let Some(data) = chunk(&mut raw) {
            if data.is_empty() {
                return Ok(body);
            }
            body.extend(data);
        }
        match mock.read(&mut buffer).await? {
            0 => return Ok(body),
            n => raw.extend_from_slice(&buffer[..n]),
        }
    }
}

async fn frames(
    mut frames: Frames,
    begun: &[u8],
    mut mock: ReadHalf<'_>,
    mut client: WriteHalf<'_>,
) -> io::Result<()> {
    let mut buffer = vec![0; 64 << 10];
    client.write_all(&frames.feed(begun)).await?;
    while !frames.over {
        match mock.read(&mut buffer).await? {
            0 => break,
            n => client.write_all(&frames.feed(&buffer[..n])).await?,
        }
    }
    client.shutdown().await
}
