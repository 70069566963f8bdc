//! The second port: what a test in another language may ask of the mock and do to the guest without going through
//! envd. Guarded against web pages like the first; documented in docs/control.md.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, FromRequestParts, Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use axum::{Json, Router};
use http::request::Parts;
use http::{Request, StatusCode, header};
use serde::Deserialize;
use tower::ServiceExt;

use crate::connection::{Accepted, Conn, Gone, Service};
use crate::generation::Generation;
use crate::guest::Guest;
use crate::handle::{GuestHandle, ProcessSummary};
use crate::live::Live;
use crate::routes::origin::Origins;
use crate::routes::reply;

/// The largest file that is written in one request, in bytes.
const LARGEST_FILE: usize = 64 << 20;

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
    routes: Router,
}

#[derive(Clone)]
struct Context {
    guest: GuestHandle,
    facts: Facts,
}

#[derive(Deserialize)]
struct At {
    path: String,
}

impl<S: Send + Sync> FromRequestParts<S> for At {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let query = Query::from_request_parts(parts, state).await;
        query.map(|Query(at)| at).map_err(|refused| reply::error(refused.status(), refused.body_text()))
    }
}

impl Control {
    /// Without a guest, all that is asked of it is answered 404.
    pub(crate) fn new(guest: Option<Arc<Guest>>, origins: Origins, facts: Facts, live: Arc<Live>) -> Self {
        let routes = guest.map_or_else(guestless, |guest| of_guest(guest, facts));
        let routes = routes.fallback(unknown).method_not_allowed_fallback(wrong_method);
        Self { live, origins, routes }
    }

    async fn answer(&self, request: Request<Body>) -> Response {
        if let Err(refused) = self.origins.check(request.uri(), request.headers()) {
            return reply::error(StatusCode::FORBIDDEN, refused.to_string());
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

fn of_guest(guest: Arc<Guest>, facts: Facts) -> Router {
    let files = get(read_file).put(write_file).delete(remove_file).layer(DefaultBodyLimit::max(LARGEST_FILE));
    Router::new()
        .route("/guest", get(describe))
        .route("/guest/processes", get(processes))
        .route("/guest/files", files)
        .with_state(Context { guest: GuestHandle::new(guest), facts })
}

fn guestless() -> Router {
    Router::new().route("/guest", any(no_guest)).route("/guest/{*rest}", any(no_guest))
}

async fn no_guest() -> Response {
    reply::error(StatusCode::NOT_FOUND, "there is no guest of the mock's own here: somebody else answers")
}

async fn describe(State(Context { guest, facts }): State<Context>) -> Response {
    let description = serde_json::json!({
        "url": facts.url,
        "generation": facts.generation.number(),
        "version": facts.version,
        "root": guest.root().display().to_string(),
        "users": users(&guest),
    });
    Json(description).into_response()
}

async fn processes(State(Context { guest, .. }): State<Context>) -> Json<Vec<ProcessSummary>> {
    Json(guest.processes())
}

async fn read_file(State(Context { guest, .. }): State<Context>, At { path }: At) -> Response {
    let seen = path.clone();
    match blocking(move || guest.read_file(&path)).await {
        Ok(content) => ([(header::CONTENT_TYPE, "application/octet-stream")], content).into_response(),
        Err(error) => failure(&seen, &error),
    }
}

async fn write_file(
    State(Context { guest, .. }): State<Context>,
    At { path }: At,
    content: Result<Bytes, BytesRejection>,
) -> Response {
    let seen = path.clone();
    match content {
        Ok(content) => done(&seen, blocking(move || guest.write_file(&path, content)).await),
        Err(refused) => reply::error(refused.status(), refused.body_text()),
    }
}

async fn remove_file(State(Context { guest, .. }): State<Context>, At { path }: At) -> Response {
    let seen = path.clone();
    done(&seen, blocking(move || guest.remove(&path)).await)
}

async fn unknown(request: Request<Body>) -> Response {
    reply::error(StatusCode::NOT_FOUND, format!("nothing is at {}", request.uri().path()))
}

async fn wrong_method(request: Request<Body>) -> Response {
    let (method, path) = (request.method(), request.uri().path());
    reply::error(StatusCode::METHOD_NOT_ALLOWED, format!("{path} has no {method}"))
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

fn done(path: &str, result: io::Result<()>) -> Response {
    match result {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => failure(path, &error),
    }
}

fn failure(path: &str, error: &io::Error) -> Response {
    let status = match error.kind() {
        io::ErrorKind::NotFound => StatusCode::NOT_FOUND,
        io::ErrorKind::StorageFull => StatusCode::INSUFFICIENT_STORAGE,
        _ => StatusCode::BAD_REQUEST,
    };
    reply::error(status, format!("{path}: {error}"))
}

/// The names in the guest's passwd.
fn users(guest: &GuestHandle) -> Vec<String> {
    let passwd = guest.read_file("/etc/passwd").unwrap_or_default();
    let text = String::from_utf8_lossy(&passwd);
    text.lines().filter_map(|line| line.split_once(':')).map(|(name, _)| name.to_owned()).collect()
}
