//! The guest's port in front of its routes: what is settled by the head alone, what browsers are told, and the date.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::SystemTime;

use axum::body::Body;
use axum::response::Response;
use http::{HeaderValue, Method, Request, StatusCode, header};

use super::{Routes, auth, cors, reply};
use crate::generation::Traits;
use crate::guest::Guest;

/// A guest as callers meet it.
pub(crate) struct Front {
    guest: Arc<Guest>,
    traits: Arc<Traits>,
    routes: Routes,
}

impl Front {
    pub(crate) fn new(guest: Arc<Guest>, version: String, traits: Arc<Traits>) -> Self {
        let routes = Routes::new(&guest, version, Arc::clone(&traits));
        Self { guest, traits, routes }
    }

    /// Whether the guest has anything at `path`.
    pub(crate) fn knows(&self, path: &str) -> bool {
        self.routes.methods(path).is_some()
    }

    pub(crate) fn guest(&self) -> &Arc<Guest> {
        &self.guest
    }

    pub(crate) async fn answer(&self, request: Request<Body>) -> Response {
        let methods = self.routes.shown(request.uri().path());
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
            _ if !self.traits.wire.asks_token => None,
            _ => auth::refuse(&self.guest.life, method, path, request.headers()),
        }
    }

    /// Dates an answer by the guest's clock.
    pub(crate) fn date(&self, response: &mut Response) {
        response.headers_mut().insert(header::DATE, date_value(self.guest.clock.now()));
    }
}

/// A date as a header, formatted once a second on each thread.
fn date_value(time: SystemTime) -> HeaderValue {
    thread_local! {
        static LAST: RefCell<(u64, HeaderValue)> = const { RefCell::new((u64::MAX, HeaderValue::from_static(""))) };
    }
    // The guest's clock never tells a time before 1970.
    let seconds = time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    LAST.with_borrow_mut(|(formatted, value)| {
        if *formatted != seconds {
            let date = httpdate::fmt_http_date(time);
            *value = HeaderValue::try_from(date).expect("an HTTP date is a header value");
            *formatted = seconds;
        }
        value.clone()
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Against a cached date that outlives its second, or the clock that it was told by.
    #[test]
    fn a_date_follows_a_clock_that_is_moved_either_way() {
        for seconds in [0, 1, 1, 1_700_000_000, 1_700_000_001, 1_700_000_000, 0, 253_402_300_799] {
            let time = SystemTime::UNIX_EPOCH + Duration::new(seconds, 999_999_999);
            assert_eq!(date_value(time), httpdate::fmt_http_date(time));
        }
    }
}
