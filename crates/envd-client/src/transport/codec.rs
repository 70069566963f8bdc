//! The two encodings of a message and their content types. Knows no transport state.

use bytes::Bytes;
use envd_proto::json;
use prost::{Message, Name};

/// How messages are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Codec {
    /// Binary protobuf, what the host speaks.
    #[default]
    Proto,
    /// Protobuf JSON.
    Json,
}

impl Codec {
    pub(crate) fn unary_type(self) -> &'static str {
        match self {
            Self::Proto => "application/proto",
            Self::Json => "application/json",
        }
    }

    pub(crate) fn stream_type(self) -> &'static str {
        match self {
            Self::Proto => "application/connect+proto",
            Self::Json => "application/connect+json",
        }
    }

    pub(crate) fn encode<M: Message + Name>(self, message: &M) -> Result<Bytes, String> {
        match self {
            Self::Proto => Ok(message.encode_to_vec().into()),
            Self::Json => json::encode(message).map(Bytes::from).map_err(|error| error.to_string()),
        }
    }

    pub(crate) fn decode<M: Message + Name + Default>(self, bytes: Bytes) -> Result<M, String> {
        match self {
            Self::Proto => M::decode(bytes).map_err(|error| error.to_string()),
            Self::Json => json::decode(&bytes).map_err(|error| error.to_string()),
        }
    }
}
