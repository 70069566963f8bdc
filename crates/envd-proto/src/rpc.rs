//! What an RPC is, in types: the generated markers implement [`Method`]. Knows no transport.

/// Who streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// One request, one response.
    Unary,
    /// One request, many responses.
    ServerStream,
    /// Many requests, one response.
    ClientStream,
    /// Many of both, at the same time.
    Bidi,
}

/// One RPC: its messages, its path and its kind.
pub trait Method: Send + Sync + 'static {
    /// The message that a call sends.
    type Request: prost::Message + prost::Name + Default;
    /// The message that a call is answered with.
    type Response: prost::Message + prost::Name + Default;
    /// The wire name without the leading slash, such as `process.Process/Start`.
    const PATH: &'static str;
    /// Who streams.
    const KIND: Kind;
}

/// What a [`Method`] says of itself, as data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MethodInfo {
    /// The wire name without the leading slash, such as `process.Process/Start`.
    pub path: &'static str,
    /// Who streams.
    pub kind: Kind,
}

/// The facts of `M`.
pub const fn info<M: Method>() -> MethodInfo {
    MethodInfo { path: M::PATH, kind: M::KIND }
}
