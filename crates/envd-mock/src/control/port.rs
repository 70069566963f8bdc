//! The port itself: the guard before it, its routes, and what is said of paths that it does not have.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::response::Response;
use http::request::Parts;
use http::{HeaderValue, Request, StatusCode, header};
use tower::ServiceExt;

use super::table;
use super::token::ControlToken;
use crate::connection::{Accepted, Conn, Gone, Service};
use crate::generation::Generation;
use crate::guest::Guest;
use crate::handle::GuestHandle;
use crate::live::Live;
use crate::routes::origin::Origins;
use crate::routes::reply;

/// What does not change while the mock is up.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    pub(crate) url: String,
    pub(crate) generation: Generation,
    pub(crate) version: String,
}

/// The control port's answers.
#[derive(Clone)]
pub(crate) struct Control {
    live: Arc<Live>,
    origins: Origins,
    token: Option<ControlToken>,
    routes: Router,
}

/// What the answers are made from.
#[derive(Clone)]
pub(super) struct Context {
    /// Missing where somebody else answers.
    pub(super) guest: Option<Arc<Guest>>,
    pub(super) facts: Facts,
    pub(super) live: Arc<Live>,
}

/// The guest of the mock's own; whatever is asked of it is answered 404 where there is none.
pub(super) struct Own {
    pub(super) handle: GuestHandle,
    pub(super) guest: Arc<Guest>,
}

impl FromRequestParts<Context> for Own {
    type Rejection = Response;

    async fn from_request_parts(_: &mut Parts, context: &Context) -> Result<Self, Response> {
        let missing = "there is no guest of the mock's own here: somebody else answers";
        let guest = context.guest.clone().ok_or_else(|| reply::error(StatusCode::NOT_FOUND, missing))?;
        Ok(Self { handle: GuestHandle::new(Arc::clone(&guest)), guest })
    }
}

impl Control {
    /// Without a guest, all that is asked of it is answered 404.
    pub(crate) fn new(
        guest: Option<Arc<Guest>>,
        (origins, token): (Origins, Option<ControlToken>),
        facts: Facts,
        live: Arc<Live>,
    ) -> Self {
        let context = Context { guest, facts, live: Arc::clone(&live) };
        let add = |router: Router<Context>, (path, methods)| router.route(path, methods);
        let routes = table::routes().into_iter().fold(Router::new(), add);
        let routes = routes.fallback(unknown).method_not_allowed_fallback(wrong_method).with_state(context);
        Self { live, origins, token, routes }
    }

    async fn answer(&self, request: Request<Body>) -> Response {
        if let Err(refused) = self.origins.check(request.uri(), request.headers()) {
            return reply::error(StatusCode::FORBIDDEN, refused.to_string());
        }
        if let Some(token) = &self.token
            && !token.is_sent_by(request.headers())
        {
            let why = "the control port needs its token: Authorization: Bearer TOKEN";
            let mut refused = reply::error(StatusCode::UNAUTHORIZED, why);
            refused.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            return refused;
        }
        let Ok(response) = self.routes.clone().oneshot(request).await;
        response
    }
}

impl Service for Control {
    /// Nothing ever goes wrong here on purpose.
    fn accept(&self, _: SocketAddr) -> Accepted {
        Accepted { conn: Arc::new(Conn::new(None, self.live.time.clone())), plan: Vec::new() }
    }

    async fn call(&self, request: Request<Body>) -> Result<Response, Gone> {
        Ok(self.answer(request).await)
    }
}

async fn unknown(request: Request<Body>) -> Response {
    reply::error(StatusCode::NOT_FOUND, format!("nothing is at {}", request.uri().path()))
}

async fn wrong_method(request: Request<Body>) -> Response {
    let (method, path) = (request.method(), request.uri().path());
    reply::error(StatusCode::METHOD_NOT_ALLOWED, format!("{path} has no {method}"))
}
