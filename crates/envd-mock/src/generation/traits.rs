//! What may differ from one guest to another, as one record: what is on the wire here, what the guest does in its own
//! words (`guest::habits`). Decides nothing.

use crate::guest::habits::Habits;

/// Everything that a generation fixes and a defect may change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Traits {
    pub(crate) number: u8,
    /// What `/health` reports unless told otherwise.
    pub(crate) version: &'static str,
    /// The REST routes.
    pub(crate) routes: &'static [Route],
    pub(crate) wire: Wire,
    pub(crate) guest: Habits,
}

/// A path of REST and the methods that it has there, as an Allow header names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) path: &'static str,
    pub(crate) methods: &'static str,
}

/// What is said and heard on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wire {
    /// How the body of `/init` is spelled.
    pub(crate) init: InitForm,
    /// How a file comes.
    pub(crate) download: Download,
    /// Range, conditions and validators count (RFC 9110).
    pub(crate) ranges: bool,
    /// A file that has no size is read to its end all the same.
    pub(crate) reads_sizeless: bool,
    /// How a download is named.
    pub(crate) names: Names,
    pub(crate) form: Form,
    /// A token that is set is asked for, not by `/files` alone.
    pub(crate) asks_token: bool,
    /// RPCs have the CORS headers and preflights of REST routes.
    pub(crate) rpc_cors: bool,
    pub(crate) watch_dir: bool,
    /// Points in time in JSON messages.
    pub(crate) timestamps: TimestampForm,
    /// `Connect-Timeout-Ms` ends a call.
    pub(crate) deadlines: bool,
}

/// The names of the fields of `/init`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InitForm {
    /// `accessToken`, `hyperloopIp`, `volumeMounts`; neither life cycle nor names.
    Camel,
    /// `access_token`, `hyperloop_ip`, `volume_mounts`, and all the rest.
    Snake,
}

/// How the content of a file comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Download {
    /// In gzip where the client takes it, with the type that the name has.
    Negotiated,
    /// As it is, as `application/octet-stream`.
    Plain,
}

/// How the name of a download stands in Content-Disposition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Names {
    /// By RFC 6266, whatever it is.
    Escaped,
    /// Byte for byte; one that no header can hold breaks the daemon.
    Raw,
}

/// What an upload by form may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Form {
    /// The most bytes of its body.
    pub(crate) limit: Option<u64>,
    /// One without any file is an error.
    pub(crate) needs_file: bool,
}

/// A `google.protobuf.Timestamp` in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TimestampForm {
    /// RFC 3339, as protobuf has it.
    Canonical,
    /// `{"seconds":"...","nanos":n}`.
    Object,
}

impl Traits {
    /// The methods at `path` of REST; `None` where it has nothing.
    pub(crate) fn methods(&self, path: &str) -> Option<&'static str> {
        self.routes.iter().find(|route| route.path == path).map(|route| route.methods)
    }
}
