//! What cases do, in few words; each call is written down under a label.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};

use super::ask::Ask;
use super::dialect::Dialect;
use super::h2::Http2;
use super::socket::{Open, SetupError};
use crate::observation::{Exchange, Observation, Step};
use crate::stream::Run;

/// What is to be removed at the end of a run: the tags of processes.
pub type CleanupList = Arc<Mutex<Vec<String>>>;

/// Acts on one subject for one case.
#[derive(Debug)]
pub struct Probe {
    address: SocketAddr,
    host: String,
    patience: Duration,
    tag: String,
    cleanup: CleanupList,
    dialect: Dialect,
    observation: Observation,
}

impl Probe {
    /// A probe for a case called `name`, under the run's unique `mark`.
    pub fn new(
        (address, host): (SocketAddr, String),
        mark: &str,
        name: &str,
        patience: Duration,
        cleanup: CleanupList,
    ) -> Self {
        let slug = name.replace('/', ".");
        let observation = Observation { dir: format!("/tmp/{mark}/{slug}"), ..Observation::default() };
        let (tag, dialect) = (format!("{mark}/{slug}"), Dialect::default());
        Self { address, host, patience, tag, cleanup, dialect, observation }
    }

    /// The same for a subject that is spoken to in this way.
    #[must_use]
    pub fn speaking(self, dialect: Dialect) -> Self {
        Self { dialect, ..self }
    }

    /// How the subject is spoken to.
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// What was seen.
    pub fn into_observation(self) -> Observation {
        self.observation
    }

    /// A path below the case's own directory in the guest.
    pub fn path(&self, name: &str) -> String {
        format!("{}/{name}", self.observation.dir)
    }

    /// The body of the last step, as text.
    pub fn last_body(&self) -> String {
        let body = self.observation.steps.last().map(|step| step.exchange.body.as_slice());
        String::from_utf8_lossy(body.unwrap_or_default()).into_owned()
    }

    /// What the process of the last step has printed, in a JSON stream.
    pub fn last_output(&self) -> String {
        self.observation.steps.last().map(|step| Run::of(&step.exchange.body).text()).unwrap_or_default()
    }

    /// A process tag of the case's own, which is cleanup at the end of the run.
    pub fn own_tag(&self, name: &str) -> String {
        let tag = self.tag(name);
        self.cleanup.lock().unwrap_or_else(PoisonError::into_inner).push(tag.clone());
        tag
    }

    /// A process tag of the case's own.
    pub fn tag(&self, name: &str) -> String {
        format!("{}/{name}", self.tag)
    }

    /// Sends and reads to the end.
    ///
    /// # Errors
    /// [`SetupError::Connect`]; whatever else happens is written down.
    pub async fn send(&mut self, label: &str, ask: Ask) -> Result<&Exchange, SetupError> {
        let mut open = self.open(ask).await?;
        open.read_all().await;
        Ok(self.keep(label, open))
    }

    /// Sends, and leaves the reading to the caller.
    ///
    /// # Errors
    /// [`SetupError::Connect`].
    pub async fn open(&self, ask: Ask) -> Result<Open, SetupError> {
        Open::send(self.address, &self.host, ask, self.patience).await
    }

    /// A connection of HTTP/2.
    ///
    /// # Errors
    /// [`SetupError::Connect`].
    pub async fn http2(&self) -> Result<Http2, SetupError> {
        Http2::connect(self.address, &self.host, self.patience).await
    }

    /// Sends over HTTP/2 on a connection of its own, and reads to the end.
    ///
    /// # Errors
    /// As [`Probe::http2`].
    pub async fn send_h2(&mut self, label: &str, ask: &Ask) -> Result<(), SetupError> {
        let mut http2 = self.http2().await?;
        let id = http2.send(ask).await;
        http2.until(id, |_| false).await;
        self.note(label, http2.into_seen(id));
        Ok(())
    }

    /// Writes down how long something took.
    pub fn measure(&mut self, label: &str, took: Duration) {
        self.observation.times.insert(label.to_owned(), took);
    }

    /// Writes down an exchange.
    pub fn note(&mut self, label: &str, exchange: Exchange) {
        self.observation.steps.push(Step { label: label.to_owned(), exchange });
    }

    /// Sends bytes that need not be HTTP, and reads what comes; with `shut`, the sending side is closed behind them.
    ///
    /// # Errors
    /// [`SetupError::Connect`].
    pub async fn raw(&mut self, label: &str, bytes: &[u8], shut: bool) -> Result<(), SetupError> {
        let mut open = Open::raw(self.address, &self.host, bytes, shut, self.patience).await?;
        open.read_all().await;
        self.keep(label, open);
        Ok(())
    }

    /// As [`Probe::raw`] with the sending side open, and everything behind the first answer kept as well.
    ///
    /// # Errors
    /// [`SetupError::Connect`].
    pub async fn raw_to_close(&mut self, label: &str, bytes: &[u8]) -> Result<(), SetupError> {
        let mut open = self.open_raw(bytes).await?;
        open.until_closed().await;
        self.keep(label, open);
        Ok(())
    }

    /// Sends bytes that need not be HTTP, and leaves the reading to the caller.
    ///
    /// # Errors
    /// [`SetupError::Connect`].
    pub async fn open_raw(&self, bytes: &[u8]) -> Result<Open, SetupError> {
        Open::raw(self.address, &self.host, bytes, false, self.patience).await
    }

    /// The Host header of the subject, which is also where it is.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Writes down what `open` has seen, and leaves it.
    pub fn keep(&mut self, label: &str, open: Open) -> &Exchange {
        let exchange = open.into_seen();
        self.observation.steps.push(Step { label: label.to_owned(), exchange });
        &self.observation.steps.last().expect("one was pushed").exchange
    }

    /// Reads the rest of `open` and writes it down.
    pub async fn finish(&mut self, label: &str, mut open: Open) -> &Exchange {
        open.read_all().await;
        self.keep(label, open)
    }

    /// A header of an answer that was written down.
    ///
    /// # Errors
    /// [`SetupError::Missing`] without it.
    pub fn header(&self, label: &str, name: &str) -> Result<String, SetupError> {
        let step = self.observation.steps.iter().find(|step| step.label == label);
        let mut headers = step.into_iter().flat_map(|step| &step.exchange.headers);
        let found =
            headers.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.clone());
        found.ok_or_else(|| SetupError::Missing { step: label.to_owned(), what: format!("header {name}") })
    }

    /// GET.
    ///
    /// # Errors
    /// As [`Probe::send`], like all that follow.
    pub async fn get(&mut self, label: &str, target: &str) -> Result<(), SetupError> {
        self.send(label, Ask::new("GET", target)).await.map(drop)
    }

    /// A unary RPC in JSON; the answer's JSON, or null.
    ///
    /// # Errors
    /// As [`Probe::send`].
    pub async fn unary(&mut self, label: &str, rpc: &str, message: Value) -> Result<Value, SetupError> {
        let seen = self.send(label, Ask::unary(rpc, &message)).await?;
        Ok(serde_json::from_slice(&seen.body).unwrap_or_default())
    }

    /// A streaming RPC in JSON with one message, read to the end.
    ///
    /// # Errors
    /// As [`Probe::send`].
    pub async fn stream(&mut self, label: &str, rpc: &str, message: Value) -> Result<(), SetupError> {
        self.send(label, Ask::stream(rpc, &[message])).await.map(drop)
    }

    /// `/init`, with its fields as generation 2 spells them.
    ///
    /// # Errors
    /// As [`Probe::send`].
    pub async fn init(&mut self, label: &str, body: Value) -> Result<(), SetupError> {
        self.send(label, self.dialect.init(&body)).await.map(drop)
    }

    /// An upload of `content` to `path` for root, in the way of the subject.
    ///
    /// # Errors
    /// As [`Probe::send`].
    pub async fn upload(&mut self, label: &str, path: &str, content: &[u8]) -> Result<(), SetupError> {
        self.send(label, self.dialect.upload(path, "root", content)).await.map(drop)
    }

    /// A shell script, run to its end without stdin.
    ///
    /// # Errors
    /// As [`Probe::send`].
    pub async fn sh(&mut self, label: &str, script: &str) -> Result<(), SetupError> {
        let ask = self.start_ask(label, json!({ "process": shell(script), "stdin": false }));
        self.send(label, ask).await.map(drop)
    }

    /// Runs a process of this request to its end, under a tag called as the step.
    ///
    /// # Errors
    /// As [`Probe::send`].
    pub async fn run(&mut self, label: &str, request: Value) -> Result<(), SetupError> {
        let ask = self.start_ask(label, request);
        self.send(label, ask).await.map(drop)
    }

    /// Starts a process under a tag of the case's own, and returns when its start event is there.
    ///
    /// # Errors
    /// As [`Probe::send`].
    pub async fn start(&mut self, name: &str, request: Value) -> Result<Open, SetupError> {
        let mut open = self.open(self.start_ask(name, request)).await?;
        open.until_frames(1).await;
        Ok(open)
    }

    /// As [`Probe::start`], for a script with stdin.
    ///
    /// # Errors
    /// As [`Probe::send`].
    pub async fn start_sh(&mut self, name: &str, script: &str) -> Result<Open, SetupError> {
        self.start(name, json!({ "process": shell(script), "stdin": true })).await
    }

    /// Connects to a process of the case, and reads its start event.
    ///
    /// # Errors
    /// As [`Probe::send`].
    pub async fn join(&mut self, name: &str) -> Result<Open, SetupError> {
        self.join_by(&json!({ "tag": self.tag(name) })).await
    }

    /// As [`Probe::join`], by a selector.
    ///
    /// # Errors
    /// As [`Probe::send`].
    pub async fn join_by(&mut self, selector: &Value) -> Result<Open, SetupError> {
        let message = json!({ "process": selector });
        let mut open = self.open(Ask::stream("process.Process/Connect", &[message])).await?;
        open.until_frames(1).await;
        Ok(open)
    }

    /// Sends stdin to a process of the case.
    ///
    /// # Errors
    /// As [`Probe::send`].
    pub async fn input(&mut self, label: &str, name: &str, input: &str) -> Result<(), SetupError> {
        let message = json!({ "process": { "tag": self.tag(name) }, "input": { "stdin": base64(input) } });
        self.unary(label, "process.Process/SendInput", message).await.map(drop)
    }

    /// Kills a process of the case, whatever comes of it.
    ///
    /// # Errors
    /// As [`Probe::send`].
    pub async fn kill(&mut self, name: &str) -> Result<(), SetupError> {
        let message = json!({ "process": { "tag": self.tag(name) }, "signal": "SIGNAL_SIGKILL" });
        self.unary("kill", "process.Process/SendSignal", message).await.map(drop)
    }

    /// A request for `Start` with a tag of the case's own, which is cleanup at the end of the run.
    pub fn start_ask(&self, name: &str, mut request: Value) -> Ask {
        request["tag"] = self.own_tag(name).into();
        Ask::stream("process.Process/Start", &[request])
    }
}

/// The pid in the start event of a JSON stream.
///
/// # Errors
/// [`SetupError::Missing`] without one.
pub fn pid(open: &Open) -> Result<u64, SetupError> {
    Run::of(&open.seen().body).pid.ok_or_else(|| SetupError::Missing {
        step: "start".to_owned(),
        what: "start event with a pid".to_owned(),
    })
}

/// A process that runs a shell script.
pub fn shell(script: &str) -> Value {
    json!({ "cmd": "/bin/sh", "args": ["-c", script] })
}

/// Standard base64, as JSON carries bytes.
pub fn base64(text: impl AsRef<[u8]>) -> String {
    use base64::prelude::{BASE64_STANDARD, Engine as _};
    BASE64_STANDARD.encode(text)
}
