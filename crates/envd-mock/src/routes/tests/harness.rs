//! A guest behind its routes, to which calls are made with a mishap in them; every wait has a deadline.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use futures::{FutureExt as _, StreamExt as _};
use http::Request;
use serde_json::{Value, json};

use crate::generation::Generation;
use crate::guest::mishap::MishapKind;
use crate::guest::mishap::tests::Told;
use crate::guest::{Guest, GuestConfig};
use crate::routes::Routes;
use crate::routes::afflicted::Afflicted;
use crate::time::{Pace, Time};

const DEADLINE: Duration = Duration::from_secs(120);

pub(super) async fn within<T>(wait: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, wait).await.expect("nothing came in time")
}

/// The guest, and what its mishaps have told.
pub(super) struct TestGuest {
    pub(super) guest: Arc<Guest>,
    pub(super) time: Time,
    pub(super) told: Told,
    routes: Routes,
}

impl TestGuest {
    /// With a clock that goes by itself.
    pub(super) async fn new() -> Self {
        Self::at(Pace::Real).await
    }

    pub(super) async fn at(pace: Pace) -> Self {
        Self::of(GuestConfig { time: Time::new(pace), ..GuestConfig::default() }).await
    }

    pub(super) async fn of(config: GuestConfig) -> Self {
        let time = config.time.clone();
        let guest = Guest::boot(config).await.unwrap();
        guest.ready().await.unwrap();
        let routes = Routes::new(&guest, "1".into(), Generation::default().traits().into());
        Self { guest, time, told: Told::default(), routes }
    }

    pub(super) async fn call(&self, mut request: Request<Body>, kind: Option<MishapKind>) -> Response {
        if let Some(kind) = kind {
            request.extensions_mut().insert(Afflicted(self.told.mishap(kind)));
        }
        within(self.routes.answer(request)).await
    }

    /// A call with a JSON body or none: its status and JSON, null where there is no body.
    pub(super) async fn json(
        &self,
        method: &str,
        path: &str,
        body: Option<Value>,
        kind: Option<MishapKind>,
    ) -> (u16, Value) {
        let request = Request::builder().method(method).uri(path).header("content-type", "application/json");
        let body = body.map_or_else(Body::empty, |body| body.to_string().into());
        let response = self.call(request.body(body).unwrap(), kind).await;
        let status = response.status().as_u16();
        let bytes = within(axum::body::to_bytes(response.into_body(), usize::MAX)).await.unwrap();
        (status, serde_json::from_slice(&bytes).unwrap_or_default())
    }

    /// A unary RPC.
    pub(super) async fn unary(&self, rpc: &str, message: Value, kind: Option<MishapKind>) -> (u16, Value) {
        self.json("POST", &format!("/{rpc}"), Some(message), kind).await
    }

    /// An RPC that answers with a stream.
    pub(super) async fn stream(&self, rpc: &str, message: Value, kind: Option<MishapKind>) -> Events {
        let message = message.to_string();
        let mut body = BytesMut::new();
        body.put_u8(0);
        body.put_u32(message.len().try_into().unwrap());
        body.put_slice(message.as_bytes());
        let request = Request::post(format!("/{rpc}")).header("content-type", "application/connect+json");
        let response = self.call(request.body(body.freeze().into()).unwrap(), kind).await;
        Events { body: response.into_body().into_data_stream(), buffer: BytesMut::new() }
    }

    /// Starts `sh -c script`.
    pub(super) async fn sh(&self, script: &str, kind: MishapKind) -> Events {
        let process = json!({ "cmd": "sh", "args": ["-c", script] });
        self.stream("process.Process/Start", json!({ "process": process, "stdin": false }), Some(kind)).await
    }

    /// How many processes are on the list.
    pub(super) async fn processes(&self) -> usize {
        let (_, list) = self.unary("process.Process/List", json!({}), None).await;
        list["processes"].as_array().map_or(0, Vec::len)
    }
}

/// The messages of a stream.
pub(super) struct Events {
    body: BodyDataStream,
    buffer: BytesMut,
}

/// What a process told.
#[derive(Debug, Default)]
pub(super) struct Output {
    pub(super) stdout: Vec<Bytes>,
    pub(super) stderr: Vec<Bytes>,
    /// Null when none came.
    pub(super) end: Value,
}

impl Events {
    /// The next message; END_STREAM is one, under the name `endStream`.
    pub(super) async fn next(&mut self) -> Option<Value> {
        within(self.read()).await
    }

    /// Whether nothing is there right now.
    pub(super) fn is_silent(&mut self) -> bool {
        self.read().now_or_never().is_none()
    }

    async fn read(&mut self) -> Option<Value> {
        loop {
            if let Some(message) = self.take() {
                return Some(message);
            }
            self.buffer.extend_from_slice(&self.body.next().await?.unwrap());
        }
    }

    /// A message that is there whole.
    fn take(&mut self) -> Option<Value> {
        let [flag, length @ ..] = *self.buffer.first_chunk::<5>()?;
        let length = usize::try_from(u32::from_be_bytes(length)).unwrap();
        if self.buffer.len() < 5 + length {
            return None;
        }
        self.buffer.advance(5);
        let message: Value = serde_json::from_slice(&self.buffer.split_to(length)).unwrap();
        Some(match (flag, message.get("event")) {
            (2, _) => json!({ "endStream": message }),
            (_, Some(event)) => event.clone(),
            _ => message,
        })
    }

    /// All of a process's output, up to its end; the start comes first.
    pub(super) async fn output(&mut self) -> Output {
        let mut output = Output::default();
        assert!(self.next().await.unwrap()["start"]["pid"].is_u64());
        while let Some(event) = self.next().await {
            let data = |name: &str| event["data"][name].as_str().map(|text| STANDARD.decode(text).unwrap());
            output.stdout.extend(data("stdout").map(Bytes::from));
            output.stderr.extend(data("stderr").map(Bytes::from));
            if event["end"].is_object() {
                output.end = event["end"].clone();
                return output;
            }
        }
        output
    }
}
