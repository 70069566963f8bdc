//! Which path goes where: the REST routes that the guest's traits name, then the RPCs. Answers nothing itself.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{FromRef, State};
use axum::response::Response;
use axum::routing::{MethodRouter, get, post, put};
use envd_proto::{filesystem, process};
use http::{Method, Request};
use tower::ServiceExt;

use super::connect::Connect;
use super::health::Version;
use super::{activity, envs, files, health, init, metrics, preload, rpc, snapshot, volumes};
use crate::generation::{Generation, InitForm, Traits};
use crate::guest::Guest;

/// Every operation of the contract in any generation, as rules name them; HEAD goes with GET.
pub(crate) fn operations() -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for route in Generation::ALL.into_iter().flat_map(|generation| generation.traits().routes) {
        for method in route.methods.split(',').filter(|method| *method != "HEAD") {
            let operation = format!("{method} {}", route.path);
            if !all.contains(&operation) {
                all.push(operation);
            }
        }
    }
    let rpcs = process::rpc::METHODS.iter().chain(filesystem::rpc::METHODS);
    all.extend(rpcs.map(|method| method.path.to_owned()));
    all
}

/// The methods at `path`, as an Allow header names them; `None` where no generation of the contract has anything.
pub(crate) fn methods(path: &str) -> Option<&'static str> {
    let rest = || Generation::ALL.into_iter().rev().find_map(|generation| generation.traits().methods(path));
    if is_rpc(path) { Some("POST") } else { rest() }
}

/// Whether an RPC has this path.
pub(crate) fn is_rpc(path: &str) -> bool {
    let name = path.strip_prefix('/');
    let mut all = process::rpc::METHODS.iter().chain(filesystem::rpc::METHODS);
    name.is_some_and(|name| all.any(|method| method.path == name))
}

/// The routes of one guest.
pub(crate) struct Routes {
    traits: Arc<Traits>,
    version: Version,
    rpcs: Connect,
    rest: Router,
}

#[derive(Clone)]
struct Context {
    guest: Arc<Guest>,
    version: Version,
    traits: Arc<Traits>,
}

impl Routes {
    pub(crate) fn new(guest: &Arc<Guest>, version: String, traits: Arc<Traits>) -> Self {
        let rpcs = rpc::table(guest, &traits);
        let (fallback, version) = (rpcs.clone(), Version::new(&version));
        let context =
            Context { guest: Arc::clone(guest), version: version.clone(), traits: Arc::clone(&traits) };
        let rest = traits.routes.iter().fold(Router::new(), |router, route| {
            let methods = route.methods.split(',').filter_map(|method| handler(route.path, method, &traits));
            router.route(route.path, methods.fold(MethodRouter::new(), MethodRouter::merge))
        });
        let rest = rest
            .fallback(move |request: Request<Body>| async move { fallback.answer(request).await })
            .with_state(context);
        Self { traits, version, rpcs, rest }
    }

    /// The methods at `path`, as an Allow header names them; `None` where nothing is.
    pub(crate) fn methods(&self, path: &str) -> Option<&'static str> {
        self.traits.methods(path).or_else(|| is_rpc(path).then_some("POST"))
    }

    /// Whether browsers are told anything of `path`: the methods that they are told.
    pub(crate) fn shown(&self, path: &str) -> Option<&'static str> {
        self.methods(path).filter(|_| self.traits.wire.rpc_cors || !is_rpc(path))
    }

    /// The router costs more than what is asked for most often, so it is only asked about the rest.
    pub(crate) async fn answer(&self, request: Request<Body>) -> Response {
        let path = request.uri().path();
        if path == "/health" && request.method() == Method::GET {
            return health::get(State(self.version.clone())).await;
        }
        if is_rpc(path) {
            return self.rpcs.answer(request).await;
        }
        let Ok(response) = self.rest.clone().oneshot(request).await;
        response
    }
}

/// Who answers a method of a path; HEAD is answered with GET.
fn handler(path: &str, method: &str, traits: &Traits) -> Option<MethodRouter<Context>> {
    let handler = match (path, method) {
        ("/health", "GET") => get(health::get),
        ("/metrics", "GET") => get(metrics::get),
        ("/envs", "GET") => get(envs::get),
        ("/init", "POST") => match traits.wire.init {
            InitForm::Camel => post(init::post::<init::Camel>),
            InitForm::Snake => post(init::post::<init::Snake>),
        },
        ("/snapshot/prepare", "POST") => post(snapshot::prepare),
        ("/activity", "GET") => get(activity::get),
        ("/memory/preload", "GET") => get(preload::get),
        ("/memory/preload", "POST") => post(preload::start),
        ("/memory/preload/cancel", "POST") => post(preload::cancel),
        ("/files", "GET") => get(files::get),
        ("/files", "POST") => post(files::post),
        ("/files", "PUT") => put(files::put),
        ("/volumes/mount", "POST") => post(volumes::mount),
        ("/volumes/unmount", "POST") => post(volumes::unmount),
        _ => return None,
    };
    Some(handler)
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

impl FromRef<Context> for Arc<Traits> {
    fn from_ref(context: &Context) -> Self {
        Self::clone(&context.traits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generation::Generation;

    #[test]
    fn every_method_of_every_generation_has_its_handler() {
        for generation in Generation::ALL {
            let traits = generation.traits();
            for route in traits.routes {
                for method in route.methods.split(',').filter(|method| *method != "HEAD") {
                    assert!(handler(route.path, method, &traits).is_some(), "{method} {}", route.path);
                }
            }
        }
    }
}
