//! What was seen, as data: exchanges with the subject under the labels that a case gave them. Judges nothing, and can
//! be saved and read again.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Everything that one run of a case saw, in order.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Observation {
    /// The directory in the guest that belonged to the case.
    pub dir: String,
    /// The exchanges, each under its label.
    pub steps: Vec<Step>,
    /// How long things took, each under its label.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub times: BTreeMap<String, Duration>,
}

/// One exchange and its name within the case.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Step {
    /// What the case calls it.
    pub label: String,
    /// What was sent and what came.
    pub exchange: Exchange,
}

/// One request and as much of its answer as was seen.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Exchange {
    /// Who was asked, as the Host header says it.
    pub host: String,
    /// The request's method.
    pub method: String,
    /// The request's target: path and query.
    pub target: String,
    /// The request's own headers, without Host, Connection and Content-Length.
    pub sent_headers: Vec<(String, String)>,
    /// The request's body.
    #[serde(with = "base64_text")]
    pub sent: Vec<u8>,
    /// The status, when a status line came.
    pub status: Option<u16>,
    /// The headers as they came.
    pub headers: Vec<(String, String)>,
    /// The body without its transfer coding.
    #[serde(with = "base64_text")]
    pub body: Vec<u8>,
    /// When how much of the body was there.
    pub arrivals: Vec<Arrival>,
    /// How it ended.
    pub ended: Ended,
    /// Whether it went over HTTP/2.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub http2: bool,
    /// What came behind the answer on the same connection, where the probe looked.
    #[serde(default, with = "base64_text", skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<u8>,
    /// What was added up, where what came was too much to keep.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sum: Option<Sum>,
}

/// Bytes that were looked at and not kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sum {
    /// How many.
    pub bytes: u64,
    /// Their SHA-256, in hexadecimal digits.
    pub sha256: String,
}

/// A point in the life of an answer's body.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Arrival {
    /// Since the request was sent.
    pub after: Duration,
    /// Bytes of the body so far.
    pub total: usize,
}

/// How an exchange ended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ended {
    /// The probe looked away while the answer was still coming.
    #[default]
    Left,
    /// The answer was whole.
    Whole,
    /// The connection ended, or broke HTTP, inside the answer.
    Cut(String),
    /// The answer was not whole in time.
    Late(Duration),
}

mod base64_text {
    use base64::prelude::{BASE64_STANDARD, Engine as _};
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&BASE64_STANDARD.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        BASE64_STANDARD.decode(String::deserialize(from)?).map_err(D::Error::custom)
    }
}
