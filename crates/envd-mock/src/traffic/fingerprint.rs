//! What makes two requests the same: method, path and query, and the body, or of a stream its first message. Messages
//! are compared by what they say, whatever their encoding; parts of a form whatever their boundary. Pure, and in constant
//! memory for files.

use bytes::BytesMut;
use http::{HeaderMap, header};
use sha2::{Digest as _, Sha256};

use super::pieces::envelope;
use super::secret;
use crate::body::{Codec, Framing};

/// The longest message that is read as one, in bytes; a longer one is compared byte by byte.
const LONGEST: usize = 4 << 20;
const PREFIX: usize = 5;
/// Parameters that differ from one request to the next.
const VOLATILE: [&str; 2] = ["signature", "signature_expiration"];

/// A body in 32 bytes.
pub(super) type Print = [u8; 32];

/// Method, path and the parameters that count, in order.
pub(super) fn head(method: &str, target: &str) -> String {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let name = |pair: &&str| pair.split_once('=').map_or(*pair, |(name, _)| name).to_owned();
    let mut pairs: Vec<&str> = query.split('&').filter(|pair| !pair.is_empty()).collect();
    pairs.retain(|pair| !VOLATILE.contains(&name(pair).as_str()));
    pairs.sort_unstable();
    format!("{method} {path}?{}", pairs.join("&"))
}

/// A body that is read.
#[derive(Debug)]
pub(super) struct Fingerprint {
    path: String,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    /// Held until it is whole: a message, or JSON.
    Held {
        framed: bool,
        codec: Codec,
        held: BytesMut,
    },
    /// A form; the first bytes are held until it is known that they are no boundary.
    Form {
        boundary: Vec<u8>,
        held: BytesMut,
        hash: Sha256,
    },
    Bytes(Sha256),
}

impl Fingerprint {
    pub(super) fn new(path: &str, headers: &HeaderMap) -> Self {
        let text = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let held = BytesMut::new();
        let kind = match (Framing::of(headers), text) {
            (Framing::Envelopes(_, codec), _) => Kind::Held { framed: true, codec, held },
            _ if secret::is_in(path) || text.starts_with("application/json") => {
                Kind::Held { framed: false, codec: Codec::Json, held }
            }
            _ if text.starts_with("application/proto") => {
                Kind::Held { framed: false, codec: Codec::Proto, held }
            }
            _ if text.starts_with("multipart/") => match multer::parse_boundary(text) {
                Ok(boundary) => Kind::Form { boundary: boundary.into_bytes(), held, hash: Sha256::new() },
                Err(_) => Kind::Bytes(Sha256::new()),
            },
            _ => Kind::Bytes(Sha256::new()),
        };
        Self { path: path.to_owned(), kind }
    }

    pub(super) fn push(&mut self, data: &[u8]) {
        match &mut self.kind {
            Kind::Held { held, .. } => {
                held.extend_from_slice(data);
                if held.len() > LONGEST && !self.is_settled() {
                    self.give_up();
                }
            }
            Kind::Form { boundary, held, hash } => {
                held.extend_from_slice(data);
                hash_form(boundary, held, hash);
            }
            Kind::Bytes(hash) => hash.update(data),
        }
    }

    /// It is too long to be read as a message.
    fn give_up(&mut self) {
        if let Kind::Held { held, .. } = &self.kind {
            self.kind = Kind::Bytes(Sha256::new_with_prefix(held));
        }
    }

    /// Whether nothing that is still to come counts.
    pub(super) fn is_settled(&self) -> bool {
        let Kind::Held { framed: true, held, .. } = &self.kind else { return false };
        envelope(held).is_some_and(|length| held.len() >= length)
    }

    /// What the message says, for people; empty for what is none.
    pub(super) fn text(&self) -> String {
        self.message().unwrap_or_default()
    }

    pub(super) fn print(self) -> Print {
        if let Some(message) = self.message() {
            return Sha256::digest(message).into();
        }
        match self.kind {
            Kind::Held { held, .. } => Sha256::digest(held).into(),
            Kind::Form { held, mut hash, .. } => {
                hash.update(held);
                hash.finalize().into()
            }
            Kind::Bytes(hash) => hash.finalize().into(),
        }
    }

    fn message(&self) -> Option<String> {
        let Kind::Held { framed, codec, held } = &self.kind else { return None };
        let bytes = if *framed {
            // Compressed ones are compared as they are.
            held.first().filter(|flag| **flag & 1 == 0)?;
            held.get(PREFIX..envelope(held)?)?
        } else {
            held
        };
        if secret::is_in(&self.path) {
            return Some(secret::compared(bytes));
        }
        let json = *codec == Codec::Json;
        let value = envd_proto::json::request(self.path.trim_start_matches('/'), bytes, json);
        let value = value.or_else(|| serde_json::from_slice(bytes).ok().filter(|_| json))?;
        Some(value.to_string())
    }
}

/// Hashes what cannot be the beginning of a boundary, with a mark in place of each boundary.
fn hash_form(boundary: &[u8], held: &mut BytesMut, hash: &mut Sha256) {
    while let Some(at) = held.windows(boundary.len()).position(|window| window == boundary) {
        hash.update(held.split_to(at));
        hash.update(b"\0boundary\0");
        let _ = held.split_to(boundary.len());
    }
    let sure = held.len().saturating_sub(boundary.len() - 1);
    hash.update(held.split_to(sure));
}
