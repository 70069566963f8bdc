//! The table of RPCs: which handler answers which path, and the runtime's dispatcher over it. Knows messages by
//! their generated markers only.

use std::any::Any;
use std::collections::HashMap;
use std::future::ready;

use bytes::Bytes;
use connectrpc::dispatcher::{RequestStream, StreamingResult, UnaryResult};
use connectrpc::{
    CodecFormat, ConnectError, Dispatcher, MethodDescriptor, Payload, RequestContext, Response,
};
use envd_proto::rpc::{Kind, Method};
use futures::{Stream, StreamExt, TryStreamExt};
use http::HeaderMap;

use super::codec::{decode, encode};
use super::list::{Field, ListEncoder};
use crate::generation::TimestampForm;
use crate::guest::mishap::Mishap;
use crate::routes::afflicted::Afflicted;
use crate::routes::status::Status;
use crate::routes::told::Told;

/// What a client stream's handler reads.
pub(crate) type Requests<M> = futures::stream::BoxStream<'static, Result<M, Status>>;

/// What a handler knows of a call beside its message.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    context: RequestContext,
    /// What goes wrong with it inside the guest.
    pub(crate) mishap: Option<Mishap>,
    told: Option<Told>,
}

impl Caller {
    fn of(context: RequestContext) -> Self {
        let extensions = context.extensions();
        Self { mishap: Afflicted::mishap(extensions), told: Told::of(extensions), context }
    }

    pub(crate) fn headers(&self) -> &HeaderMap {
        self.context.headers()
    }

    fn tell(&self, message: &dyn Any) {
        if let Some(told) = &self.told {
            told.tell(message);
        }
    }
}

/// RPCs by path, each with its handler; a handler gets the caller and the message.
pub(crate) struct Rpcs {
    /// How answers in JSON tell points in time.
    timestamps: TimestampForm,
    rows: HashMap<&'static str, Row>,
}

enum Row {
    Unary(Box<dyn Fn(Caller, Bytes, CodecFormat) -> UnaryResult + Send + Sync>),
    ServerStream(Box<dyn Fn(Caller, Bytes, CodecFormat) -> StreamingResult + Send + Sync>),
    ClientStream(Box<dyn Fn(Caller, RequestStream, CodecFormat) -> UnaryResult + Send + Sync>),
}

impl Rpcs {
    pub(crate) fn new(timestamps: TimestampForm) -> Self {
        Self { timestamps, rows: HashMap::new() }
    }

    /// Adds an RPC of one message each way.
    pub(crate) fn unary<M, F, R>(mut self, handler: F) -> Self
    where
        M: Method,
        F: Fn(Caller, M::Request) -> R + Send + Sync + 'static,
        R: Future<Output = Result<M::Response, Status>> + Send + 'static,
    {
        let timestamps = self.timestamps;
        let row = move |caller: Caller, bytes, format| -> UnaryResult {
            match decode::<M::Request>(bytes, format) {
                Ok(request) => {
                    caller.tell(&request);
                    answer_once::<M>(handler(caller, request), (format, timestamps))
                }
                Err(error) => Box::pin(ready(Err(error))),
            }
        };
        self.insert::<M>(Kind::Unary, Row::Unary(Box::new(row)));
        self
    }

    /// Adds an RPC whose answer is one list, which its handler encodes as it goes.
    pub(crate) fn list<M, F, R>(mut self, field: Field, handler: F) -> Self
    where
        M: Method,
        F: Fn(Caller, M::Request, ListEncoder) -> R + Send + Sync + 'static,
        R: Future<Output = Result<ListEncoder, Status>> + Send + 'static,
    {
        let timestamps = self.timestamps;
        let row = move |caller: Caller, bytes, format| -> UnaryResult {
            match decode::<M::Request>(bytes, format) {
                Ok(request) => {
                    caller.tell(&request);
                    let answer = handler(caller, request, ListEncoder::new((format, timestamps), field));
                    Box::pin(async move { Ok(Response::new(answer.await?.finish().into())) })
                }
                Err(error) => Box::pin(ready(Err(error))),
            }
        };
        self.insert::<M>(Kind::Unary, Row::Unary(Box::new(row)));
        self
    }

    /// Adds an RPC that answers one message with a stream.
    pub(crate) fn server_stream<M, F, R, S>(mut self, handler: F) -> Self
    where
        M: Method,
        F: Fn(Caller, M::Request) -> R + Send + Sync + 'static,
        R: Future<Output = Result<S, Status>> + Send + 'static,
        S: Stream<Item = Result<M::Response, Status>> + Send + 'static,
    {
        let timestamps = self.timestamps;
        let row = move |caller: Caller, bytes, format| -> StreamingResult {
            match decode::<M::Request>(bytes, format) {
                Ok(request) => {
                    caller.tell(&request);
                    let told = caller.told.clone();
                    answer_many::<M, S>(handler(caller, request), told, (format, timestamps))
                }
                Err(error) => Box::pin(ready(Err(error))),
            }
        };
        self.insert::<M>(Kind::ServerStream, Row::ServerStream(Box::new(row)));
        self
    }

    /// Adds an RPC that answers a stream with one message.
    pub(crate) fn client_stream<M, F, R>(mut self, handler: F) -> Self
    where
        M: Method,
        F: Fn(Caller, Requests<M::Request>) -> R + Send + Sync + 'static,
        R: Future<Output = Result<M::Response, Status>> + Send + 'static,
    {
        let timestamps = self.timestamps;
        let row = move |caller: Caller, requests, format| -> UnaryResult {
            let requests = decoded(requests, caller.told.clone(), format);
            answer_once::<M>(handler(caller, requests), (format, timestamps))
        };
        self.insert::<M>(Kind::ClientStream, Row::ClientStream(Box::new(row)));
        self
    }

    /// Who streams in the RPC at `path` (without its leading slash).
    pub(super) fn kind(&self, path: &str) -> Option<Kind> {
        self.rows.get(path).map(|row| match row {
            Row::Unary(_) => Kind::Unary,
            Row::ServerStream(_) => Kind::ServerStream,
            Row::ClientStream(_) => Kind::ClientStream,
        })
    }

    fn insert<M: Method>(&mut self, kind: Kind, row: Row) {
        assert_eq!(M::KIND, kind, "{} was added as another kind than its proto file says", M::PATH);
        self.rows.insert(M::PATH, row);
    }
}

fn answer_once<M: Method>(
    answer: impl Future<Output = Result<M::Response, Status>> + Send + 'static,
    form: (CodecFormat, TimestampForm),
) -> UnaryResult {
    Box::pin(async move { Ok(Response::new(encode(&answer.await?, form)?)) })
}

fn answer_many<M: Method, S>(
    answer: impl Future<Output = Result<S, Status>> + Send + 'static,
    mut told: Option<Told>,
    form: (CodecFormat, TimestampForm),
) -> StreamingResult
where
    S: Stream<Item = Result<M::Response, Status>> + Send + 'static,
{
    Box::pin(async move {
        let messages = answer.await?;
        let encoded = messages.map(move |message| {
            let message = message?;
            tell_once(&mut told, &message);
            encode(&message, form)
        });
        Ok(Response::new(encoded.boxed()))
    })
}

fn tell_once(told: &mut Option<Told>, message: &dyn Any) {
    if let Some(told) = told.take() {
        told.tell(message);
    }
}

/// The messages of a client stream. The runtime's own errors (a cut envelope, a message over the limit) pass
/// through with their codes.
fn decoded<M: prost::Message + prost::Name + Default + 'static>(
    requests: RequestStream,
    mut told: Option<Told>,
    format: CodecFormat,
) -> Requests<M> {
    let mut message = move |bytes| {
        let message: M = decode(bytes, format)?;
        tell_once(&mut told, &message);
        Ok(message)
    };
    requests.and_then(move |bytes| ready(message(bytes))).map_err(Status::from).boxed()
}

impl Dispatcher for Rpcs {
    fn lookup(&self, path: &str) -> Option<MethodDescriptor> {
        self.kind(path).map(|kind| match kind {
            Kind::Unary => MethodDescriptor::unary(false),
            Kind::ServerStream => MethodDescriptor::server_streaming(),
            Kind::ClientStream => MethodDescriptor::client_streaming(),
            Kind::Bidi => MethodDescriptor::bidi_streaming(),
        })
    }

    fn call_unary(
        &self,
        path: &str,
        ctx: RequestContext,
        request: Payload,
        format: CodecFormat,
    ) -> UnaryResult {
        match self.rows.get(path) {
            Some(Row::Unary(row)) => row(Caller::of(ctx), request.bytes().clone(), format),
            _ => Box::pin(ready(Err(not_found(path)))),
        }
    }

    fn call_server_streaming(
        &self,
        path: &str,
        ctx: RequestContext,
        request: Bytes,
        format: CodecFormat,
    ) -> StreamingResult {
        match self.rows.get(path) {
            Some(Row::ServerStream(row)) => row(Caller::of(ctx), request, format),
            _ => Box::pin(ready(Err(not_found(path)))),
        }
    }

    fn call_client_streaming(
        &self,
        path: &str,
        ctx: RequestContext,
        requests: RequestStream,
        format: CodecFormat,
    ) -> UnaryResult {
        match self.rows.get(path) {
            Some(Row::ClientStream(row)) => row(Caller::of(ctx), requests, format),
            _ => Box::pin(ready(Err(not_found(path)))),
        }
    }

    fn call_bidi_streaming(
        &self,
        path: &str,
        _: RequestContext,
        _: RequestStream,
        _: CodecFormat,
    ) -> StreamingResult {
        Box::pin(ready(Err(not_found(path))))
    }
}

fn not_found(path: &str) -> ConnectError {
    ConnectError::unimplemented(format!("method not found: {path}"))
}
