//! A request's head as rules see it.

use std::borrow::Cow;

use http::request::Parts;

use crate::fault::Head;

/// The head of a request.
pub(crate) struct Asked<'r> {
    pub(crate) parts: &'r Parts,
    pub(crate) rpc: bool,
}

impl Head for Asked<'_> {
    fn method(&self) -> &str {
        self.parts.method.as_str()
    }

    fn path(&self) -> &str {
        self.parts.uri.path()
    }

    fn is_rpc(&self) -> bool {
        self.rpc
    }

    fn headers(&self, name: &str) -> Vec<Cow<'_, str>> {
        let values = self.parts.headers.get_all(name).iter();
        values.map(|value| String::from_utf8_lossy(value.as_bytes())).collect()
    }

    fn query(&self, name: &str) -> Vec<Cow<'_, str>> {
        crate::query::values(self.parts.uri.query().unwrap_or_default(), name)
    }

    fn header_names(&self) -> Vec<Cow<'_, str>> {
        self.parts.headers.keys().map(|name| Cow::Borrowed(name.as_str())).collect()
    }

    fn query_names(&self) -> Vec<Cow<'_, str>> {
        crate::query::names(self.parts.uri.query().unwrap_or_default())
    }
}
