//! The way of one call, in one function: head, guard, route, and the last touches on the answer. Knows no sockets;
//! what a stage decides is in its own module.

use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use http::{HeaderValue, Method, Request, StatusCode, header};

use crate::guest::Guest;
use crate::routes::origin::Origins;
use crate::routes::{Routes, auth, cors, reply};

/// What all calls to one guest go through.
pub(crate) struct Pipeline {
    guest: Arc<Guest>,
    origins: Origins,
    routes: Routes,
}

impl Pipeline {
    pub(crate) fn new(guest: Arc<Guest>, origins: Origins, version: String) -> Self {
        let routes = Routes::new(&guest, version);
        Self { guest, origins, routes }
    }

    /// Answers one call.
    pub(crate) async fn call(&self, request: Request<Body>) -> Response {
        let mut response = match self.origins.check(request.uri(), request.headers()) {
            Ok(()) => self.admitted(request).await,
            Err(refused) => reply::error(StatusCode::FORBIDDEN, refused.to_string()),
        };
        self.date(&mut response);
        response
    }

    async fn admitted(&self, request: Request<Body>) -> Response {
        let methods = self.routes.methods(request.uri().path());
        let mut response = match self.answer_early(&request, methods) {
            Some(response) => response,
            None => self.answer(request).await,
        };
        if methods.is_some() {
            cors::expose(response.headers_mut());
        }
        response
    }

    /// Health is answered at once; everything else waits, for a millisecond, until the guest stands.
    async fn answer(&self, request: Request<Body>) -> Response {
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
