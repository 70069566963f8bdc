//! The lines of a recording, one event each. Data only.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// What the first line says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Title {
    pub(super) format: String,
    pub(super) version: u32,
}

impl Title {
    pub(super) fn of_this_build() -> Self {
        Self { format: "envd-mock traffic".to_owned(), version: 1 }
    }
}

/// Every other line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Line {
    /// From 1, in the order in which calls came.
    pub(super) call: u64,
    /// Microseconds of the recorder's clock.
    pub(super) at_us: u64,
    #[serde(flatten)]
    pub(super) event: Event,
}

pub(super) type Headers = Vec<(String, String)>;

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub(super) enum Event {
    /// A request came; secrets are taken out of its target and headers.
    Request {
        method: String,
        target: String,
        protocol: String,
        headers: Headers,
    },
    /// A piece of its body: a whole envelope where the body has them.
    Up {
        body: Bytes,
    },
    UpTrailers {
        headers: Headers,
    },
    /// The request was read to its end.
    UpEnd {},
    /// The head of the answer.
    Response {
        status: u16,
        headers: Headers,
    },
    /// A piece of its body, as in `Up`.
    Down {
        body: Bytes,
    },
    DownTrailers {
        headers: Headers,
    },
    /// The last event of a call.
    End {
        how: How,
    },
}

/// How an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum How {
    Complete,
    /// It broke off.
    Failed,
    /// The client left first.
    Abandoned,
}

/// Bytes, in base64.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bytes(pub(super) bytes::Bytes);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = STANDARD.decode(text).map_err(|error| de::Error::custom(format!("base64: {error}")))?;
        Ok(Self(bytes.into()))
    }
}
