//! The way of one call, in one function: head, guard, decision, route, and what was decided done to it. Knows no
//! sockets; what a stage decides or does is in its own module.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use http::{HeaderValue, Method, Request, StatusCode, header};

use crate::connection::{Accepted, Conn, Gone, Service};
use crate::course::Course;
use crate::guest::Guest;
use crate::live::Live;
use crate::routes::origin::Origins;
use crate::routes::{Routes, auth, cors, reply};

/// What all calls to one guest go through; cheap to clone.
#[derive(Clone)]
pub(crate) struct Pipeline(Arc<Stages>);

struct Stages {
    guest: Arc<Guest>,
    origins: Origins,
    routes: Routes,
    live: Arc<Live>,
}

impl Pipeline {
    pub(crate) fn new(guest: Arc<Guest>, origins: Origins, version: String, live: Arc<Live>) -> Self {
        let routes = Routes::new(&guest, version);
        Self(Arc::new(Stages { guest, origins, routes, live }))
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
        let known = self.routes.methods(request.uri().path());
        let rpc = self.routes.is_rpc(request.uri().path());
        let (course, mut request) =
            Course::enter(&self.live, &self.guest, request, known.is_some(), rpc).await;
        let response = match course.before(&mut request).await? {
            Some(response) => response,
            None => course.answered(request, |request| self.answer(request, known)).await?,
        };
        let mut response = course.after(response).await;
        self.date(&mut response);
        Ok(course.leave(response))
    }

    async fn answer(&self, request: Request<Body>, known: Option<&'static str>) -> Response {
        match self.origins.check(request.uri(), request.headers()) {
            Ok(()) => self.admitted(request, known).await,
            Err(refused) => reply::error(StatusCode::FORBIDDEN, refused.to_string()),
        }
    }

    async fn admitted(&self, request: Request<Body>, methods: Option<&'static str>) -> Response {
        let mut response = match self.answer_early(&request, methods) {
            Some(response) => response,
            None => self.route(request).await,
        };
        if methods.is_some() {
            cors::expose(response.headers_mut());
        }
        response
    }

    /// Health is answered at once; everything else waits, for a millisecond, until the guest stands.
    async fn route(&self, request: Request<Body>) -> Response {
        if request.uri().path() != "/health"
            && let Err(error) = self.guest.ready().await
        {
            return reply::error(StatusCode::SERVICE_UNAVAILABLE, error.to_string());
        }
        self.routes.answer(request).await
    }

    /// What is settled by the head alone: a preflight, a missing token.
    fn answer_early(&self, request: &Request<Body>, methods: Option<&'static str>) -> Option<Response> {
        let (method, path) = (request.method(), request.uri().path());
        match methods {
            Some(methods) if method == Method::OPTIONS => Some(cors::preflight(methods)),
            _ => auth::refuse(&self.guest.life, method, path, request.headers()),
        }
    }

    fn date(&self, response: &mut Response) {
        let date = httpdate::fmt_http_date(self.guest.clock.now());
        let value = HeaderValue::try_from(date).expect("an HTTP date is a header value");
        response.headers_mut().insert(header::DATE, value);
    }
}
