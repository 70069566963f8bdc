//! The path of one call, in one function: the origin is checked, faults are chosen, the call is routed, and the chosen
//! faults are applied. A call from a foreign origin is refused before any rule counts it. Knows no sockets; what a stage
//! decides or does is in its own module.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use http::Request;

use crate::answerer::Answerer;
use crate::connection::{Accepted, Conn, Gone, Service};
use crate::course::{Course, Crash, crash};
use crate::live::Live;
use crate::routes;
use crate::routes::origin::Origins;
use crate::traffic::Recorder;

/// What all calls on one port go through; cheap to clone.
#[derive(Clone)]
pub(crate) struct Pipeline(Arc<Stages>);

struct Stages {
    answerer: Answerer,
    recorder: Option<Recorder>,
    origins: Origins,
    crash: Crash,
    live: Arc<Live>,
}

impl Pipeline {
    pub(crate) fn new(
        answerer: Answerer,
        recorder: Option<Recorder>,
        origins: Origins,
        live: Arc<Live>,
    ) -> Self {
        let crash = crash(&live, answerer.guest());
        Self(Arc::new(Stages { answerer, recorder, origins, crash, live }))
    }
}

impl Service for Pipeline {
    fn accept(&self, peer: SocketAddr) -> Accepted {
        let Stages { live, .. } = &*self.0;
        let plan = live.rules().decide_connection(live.time.now());
        let decisions = plan.iter().map(crate::course::decision).collect();
        let note = live.journal.connection(peer.to_string(), decisions);
        Accepted { conn: Arc::new(Conn::new(Some(note), live.time.clone())), plan }
    }

    /// Answers one call, or does not.
    async fn call(&self, request: Request<Body>) -> Result<Response, Gone> {
        self.0.call(request).await
    }
}

impl Stages {
    async fn call(&self, request: Request<Body>) -> Result<Response, Gone> {
        let (known, rpc) = (self.answerer.knows(request.uri().path()), routes::is_rpc(request.uri().path()));
        let origin = self.origins.check(request.uri(), request.headers());
        let (course, mut request) =
            Course::enter(&self.live, self.answerer.guest(), &self.crash, request, known, rpc, origin).await;
        let response = match course.before(&mut request).await? {
            Some(response) => response,
            None => course.answered(request, |request| self.recorded(request)).await?,
        };
        let mut response = course.after(response).await;
        self.answerer.date(&mut response);
        Ok(course.leave(response))
    }

    /// What is recorded is what the answerer saw and said, before anything goes wrong with it.
    async fn recorded(&self, request: Request<Body>) -> Response {
        let Some(recorder) = &self.recorder else { return self.answerer.answer(request).await };
        let (call, request) = recorder.call(request);
        call.answered(self.answerer.answer(request).await)
    }
}
