//! One envelope: taken off a body, changed, and written again, with a length that need not be true. Pure.

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::framing::{PREFIX, WEB_TRAILERS};
use crate::fault::{CallFault, Code};

/// Flag, length as it is said, and message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Envelope {
    pub(super) flag: u8,
    pub(super) length: u32,
    pub(super) message: Bytes,
}

impl Envelope {
    pub(super) fn new(flag: u8, message: impl Into<Bytes>) -> Self {
        let message = message.into();
        let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
        Self { flag, length, message }
    }

    /// Takes a whole one off the front.
    pub(super) fn take(buffer: &mut BytesMut) -> Option<Self> {
        let [flag, length @ ..] = *buffer.first_chunk::<PREFIX>()?;
        let length = u32::from_be_bytes(length);
        let whole = PREFIX + usize::try_from(length).ok()?;
        if buffer.len() < whole {
            return None;
        }
        let mut bytes = buffer.split_to(whole);
        bytes.advance(PREFIX);
        Some(Self { flag, length, message: bytes.freeze() })
    }

    pub(super) fn write(&self, into: &mut BytesMut) {
        into.put_u8(self.flag);
        into.put_u32(self.length);
        into.put_slice(&self.message);
    }

    /// The first so many bytes of its message, and the rest, as two envelopes.
    fn split(self, at: usize) -> [Self; 2] {
        let mut first = self.message;
        let rest = first.split_off(at.min(first.len()));
        [Self::new(self.flag, first), Self::new(self.flag, rest)]
    }
}

/// What a fault makes of one envelope, in words beside it; `None` when it is no fault of an envelope.
pub(super) fn change(
    envelope: Envelope,
    fault: &CallFault,
    flag_of_end: u8,
) -> Option<(Vec<Envelope>, String)> {
    let mut one = envelope;
    let what;
    match fault {
        CallFault::Drop {} => return Some((vec![], format!("dropped, {} bytes", one.message.len()))),
        CallFault::EndMissing {} => return Some((vec![], "END_STREAM left out".to_owned())),
        CallFault::Duplicate {} => return Some((vec![one.clone(), one], "sent twice".to_owned())),
        CallFault::EndTwice {} => return Some((vec![one.clone(), one], "END_STREAM sent twice".to_owned())),
        CallFault::Split { size } => {
            let half = one.message.len() / 2;
            let at = size.map_or(half, |size| usize::try_from(size.0).unwrap_or(usize::MAX));
            let parts = one.split(at).to_vec();
            let what = format!("split into {} and {} bytes", parts[0].length, parts[1].length);
            return Some((parts, what));
        }
        CallFault::Replace { payload } => {
            what = format!("message of {} bytes replaced", one.message.len());
            one = Envelope::new(one.flag & !1, payload.0.clone());
        }
        CallFault::Flag { flag } => {
            what = format!("flag {} instead of {}", flag, one.flag);
            one.flag = *flag;
        }
        CallFault::LengthLonger { by } => {
            one.length = one.length.saturating_add(by.unwrap_or(1));
            what = format!("length {} for {} bytes", one.length, one.message.len());
        }
        CallFault::LengthShorter { by } => {
            one.length = one.length.saturating_sub(by.unwrap_or(1));
            what = format!("length {} for {} bytes", one.length, one.message.len());
        }
        CallFault::LengthAbsurd {} => {
            one.length = u32::MAX;
            what = format!("length {} for {} bytes", one.length, one.message.len());
        }
        CallFault::FalseCompressed {} => {
            one.flag |= 1;
            what = "flag says compressed".to_owned();
        }
        CallFault::EndMalformed { payload } => {
            let bytes = payload.as_ref().map_or_else(|| b"{\"error\":".to_vec(), |payload| payload.0.clone());
            one = Envelope::new(flag_of_end, bytes);
            what = "END_STREAM malformed".to_owned();
        }
        CallFault::EndError { code, message } => {
            one = Envelope::new(flag_of_end, end_with_error(*code, message.as_deref(), flag_of_end));
            what = format!("END_STREAM with {}", code.as_str());
        }
        _ => return None,
    }
    Some((vec![one], what))
}

/// The message of the last envelope, as Connect or gRPC-Web has it.
fn end_with_error(code: Code, message: Option<&str>, flag: u8) -> Vec<u8> {
    if flag != WEB_TRAILERS {
        let error = error_payload(code, message, None);
        return serde_json::json!({ "error": error }).to_string().into_bytes();
    }
    let trailers = grpc_trailers(code, message);
    let line = |(name, value): (&HeaderName, &HeaderValue)| {
        [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat()
    };
    trailers.iter().flat_map(line).collect()
}

/// A Connect error as JSON (Connect specification, "Error").
pub(crate) fn error_payload(
    code: Code,
    message: Option<&str>,
    details: Option<&serde_json::Value>,
) -> serde_json::Value {
    let mut error = serde_json::json!({ "code": code.as_str() });
    if let Some(message) = message {
        error["message"] = message.into();
    }
    if let Some(details) = details {
        error["details"] = details.clone();
    }
    error
}

/// A Connect code as gRPC has it: status and message (gRPC over HTTP/2, "Responses").
pub(crate) fn grpc_trailers(code: Code, message: Option<&str>) -> HeaderMap {
    let number = Code::ALL.iter().position(|one| *one == code).map_or(2, |index| index + 1);
    let mut trailers = HeaderMap::new();
    trailers.insert(HeaderName::from_static("grpc-status"), HeaderValue::from(number));
    let text = percent_encoding::utf8_percent_encode(message.unwrap_or_default(), percent_encoding::CONTROLS);
    if let Ok(value) = HeaderValue::try_from(text.to_string()) {
        trailers.insert(HeaderName::from_static("grpc-message"), value);
    }
    trailers
}
