//! A call that something goes wrong with inside the guest: what the pipeline leaves with a request for the handlers.

use http::Extensions;

use crate::guest::mishap::Mishap;

/// An extension of a request; without it nothing goes wrong.
#[derive(Debug, Clone)]
pub(crate) struct Afflicted(pub(crate) Mishap);

impl Afflicted {
    /// The mishap of the request that these belong to.
    pub(crate) fn mishap(extensions: &Extensions) -> Option<Mishap> {
        extensions.get::<Self>().map(|Self(mishap)| mishap.clone())
    }
}
