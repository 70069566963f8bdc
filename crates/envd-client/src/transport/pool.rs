//! One pool of connections that can be emptied: the pool is replaced, so that idle connections close with it,
//! while a call in flight keeps its own until it is done.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock};

use super::Settings;

#[derive(Debug)]
pub(crate) struct Pool {
    current: RwLock<reqwest::Client>,
    /// Whether a call has been answered, so that the next one may go out on a connection that was kept.
    kept: AtomicBool,
}

impl Pool {
    pub(crate) fn new(settings: &Settings) -> Result<Self, reqwest::Error> {
        Ok(Self { current: RwLock::new(connect(settings)?), kept: AtomicBool::new(false) })
    }

    /// The client to send the next request with.
    pub(crate) fn get(&self) -> reqwest::Client {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A call has been answered.
    pub(crate) fn answered(&self) {
        self.kept.store(true, Ordering::Relaxed);
    }

    /// Whether there may be connections that were kept.
    pub(crate) fn may_be_stale(&self) -> bool {
        self.kept.load(Ordering::Relaxed)
    }

    /// Closes what is idle.
    pub(crate) fn close_idle(&self, settings: &Settings) {
        self.kept.store(false, Ordering::Relaxed);
        match connect(settings) {
            Ok(fresh) => *self.current.write().unwrap_or_else(PoisonError::into_inner) = fresh,
            Err(error) => tracing::warn!(%error, "idle connections stay open"),
        }
    }
}

/// A guest is never behind a proxy, and never entitled to send the host elsewhere.
fn connect(settings: &Settings) -> Result<reqwest::Client, reqwest::Error> {
    let builder = reqwest::Client::builder()
        .user_agent(concat!("envd-client/", env!("CARGO_PKG_VERSION")))
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .tcp_nodelay(true)
        .connect_timeout(settings.connect_timeout)
        .tcp_keepalive(settings.tcp_keepalive)
        .pool_idle_timeout(settings.idle_timeout)
        .pool_max_idle_per_host(settings.max_idle);
    let builder = if settings.http2 { builder.http2_prior_knowledge() } else { builder.http1_only() };
    builder.build()
}
