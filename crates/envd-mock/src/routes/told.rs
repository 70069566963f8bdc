//! What passes through a handler, told to whoever follows the call: what the pipeline leaves with a request so that
//! nothing is decoded twice.

use std::any::Any;
use std::sync::Arc;

use http::Extensions;

type Listen = dyn Fn(&dyn Any) + Send + Sync;

/// An extension of a request; without it nobody listens.
#[derive(Clone)]
pub(crate) struct Told(Arc<Listen>);

impl Told {
    /// `listen` gets the first message of a request and of its answer, decoded.
    pub(crate) fn new(listen: impl Fn(&dyn Any) + Send + Sync + 'static) -> Self {
        Self(Arc::new(listen))
    }

    /// Whoever listens to the request that these belong to.
    pub(crate) fn of(extensions: &Extensions) -> Option<Self> {
        extensions.get().cloned()
    }

    pub(crate) fn tell(&self, message: &dyn Any) {
        (self.0)(message);
    }
}

impl std::fmt::Debug for Told {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Told")
    }
}
