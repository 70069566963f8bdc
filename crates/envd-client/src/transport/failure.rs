//! Finds out what a failure of the HTTP library means: who broke it, and how far the call was. The library's own
//! types and the address (its query may hold a signature) stay here.

use std::error::Error as StdError;
use std::io;

use crate::error::{ErrorKind, Phase};

/// The meaning of `error`, met in `phase`.
pub(crate) fn classify(error: reqwest::Error, phase: Phase) -> ErrorKind {
    let error = error.without_url();
    if error.is_connect() {
        return ErrorKind::Connect { cause: root(&error), source: error.into() };
    }
    if error.is_builder() {
        return ErrorKind::Usage { what: "request", reason: root(&error) };
    }
    if is_malformed(&error) {
        return ErrorKind::Protocol { expected: "HTTP".into(), seen: root(&error) };
    }
    ErrorKind::Interrupted { phase, cause: root(&error), source: error.into() }
}

fn is_malformed(error: &reqwest::Error) -> bool {
    chain(error).any(|cause| {
        cause.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_parse)
            || cause.downcast_ref::<io::Error>().is_some_and(|io| io.kind() == io::ErrorKind::InvalidInput)
    })
}

fn root(error: &reqwest::Error) -> String {
    chain(error).last().map_or_else(String::new, ToString::to_string)
}

fn chain<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |cause: &&'a (dyn StdError + 'static)| (*cause).source())
}
