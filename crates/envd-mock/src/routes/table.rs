//! Which path goes where: the REST routes, then the RPCs. Answers nothing itself.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::FromRef;
use axum::response::Response;
use axum::routing::{get, post};
use envd_proto::{filesystem, process};
use http::Request;
use tower::ServiceExt;

use super::health::Version;
use super::{activity, envs, files, health, init, metrics, preload, rpc, snapshot};
use crate::guest::Guest;

/// Every path that REST knows and the methods that it has there.
const REST: [(&str, &str); 9] = [
    ("/health", "GET,HEAD"),
    ("/metrics", "GET,HEAD"),
    ("/envs", "GET,HEAD"),
    ("/init", "POST"),
    ("/snapshot/prepare", "POST"),
    ("/activity", "GET,HEAD"),
    ("/memory/preload", "GET,HEAD,POST"),
    ("/memory/preload/cancel", "POST"),
    ("/files", "GET,HEAD,POST"),
];

/// Every operation of the contract, as rules name them; HEAD goes with GET.
pub(crate) fn operations() -> Vec<String> {
    let methods = |methods: &'static str| methods.split(',').filter(|method| *method != "HEAD");
    let rest = REST.iter().flat_map(|(path, all)| methods(all).map(move |method| format!("{method} {path}")));
    let rpcs = process::rpc::METHODS.iter().chain(filesystem::rpc::METHODS);
    rest.chain(rpcs.map(|method| method.path.to_owned())).collect()
}

/// The methods at `path`, as an Allow header names them; `None` where the contract has nothing.
pub(crate) fn methods(path: &str) -> Option<&'static str> {
    let rest = REST.iter().find(|(known, _)| *known == path).map(|(_, methods)| *methods);
    rest.or_else(|| is_rpc(path).then_some("POST"))
}

/// Whether an RPC has this path.
pub(crate) fn is_rpc(path: &str) -> bool {
    let name = path.strip_prefix('/');
    let mut all = process::rpc::METHODS.iter().chain(filesystem::rpc::METHODS);
    name.is_some_and(|name| all.any(|method| method.path == name))
}

/// The routes of one guest.
pub(crate) struct Routes {
    rest: Router,
}

#[derive(Clone)]
struct Context {
    guest: Arc<Guest>,
    version: Version,
}

impl Routes {
    pub(crate) fn new(guest: &Arc<Guest>, version: String) -> Self {
        let context = Context { guest: Arc::clone(guest), version: Version(version) };
        let fallback = rpc::table(guest);
        let rest = Router::new()
            .route("/health", get(health::get))
            .route("/metrics", get(metrics::get))
            .route("/envs", get(envs::get))
            .route("/init", post(init::post))
            .route("/snapshot/prepare", post(snapshot::prepare))
            .route("/activity", get(activity::get))
            .route("/memory/preload", get(preload::get).post(preload::start))
            .route("/memory/preload/cancel", post(preload::cancel))
            .route("/files", get(files::get).post(files::post))
            .fallback(move |request: Request<Body>| async move { fallback.answer(request).await })
            .with_state(context);
        Self { rest }
    }

    pub(crate) async fn answer(&self, request: Request<Body>) -> Response {
        let Ok(response) = self.rest.clone().oneshot(request).await;
        response
    }
}

impl FromRef<Context> for Arc<Guest> {
    fn from_ref(context: &Context) -> Self {
        Self::clone(&context.guest)
    }
}

impl FromRef<Context> for Version {
    fn from_ref(context: &Context) -> Self {
        context.version.clone()
    }
}
