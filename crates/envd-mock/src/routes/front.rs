//! The guest's port in front of its routes: what is settled by the head alone, what browsers are told, and the date.

use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use http::{HeaderValue, Method, Request, StatusCode, header};

use super::{Routes, auth, cors, reply, table};
use crate::guest::Guest;

/// A guest as callers meet it.
pub(crate) struct Front {
    guest: Arc<Guest>,
    routes: Routes,
}

impl Front {
    pub(crate) fn new(guest: Arc<Guest>, version: String) -> Self {
        let routes = Routes::new(&guest, version);
        Self { guest, routes }
    }

    pub(crate) fn guest(&self) -> &Arc<Guest> {
        &self.guest
    }

    pub(crate) async fn answer(&self, request: Request<Body>) -> Response {
        let methods = table::methods(request.uri().path());
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

    /// Dates an answer by the guest's clock.
    pub(crate) fn date(&self, response: &mut Response) {
        let date = httpdate::fmt_http_date(self.guest.clock.now());
        let value = HeaderValue::try_from(date).expect("an HTTP date is a header value");
        response.headers_mut().insert(header::DATE, value);
    }
}
