//! The JSON in which Connect carries errors: the body of a failed unary call, and the last envelope of a stream.
//! Reads only.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::Deserialize;

use crate::error::{Code, Detail, ErrorKind};

const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

#[derive(Deserialize)]
struct WireError {
    #[serde(default)]
    code: Option<String>,
    #[serde(default)]
    message: String,
    #[serde(default)]
    details: Vec<WireDetail>,
}

#[derive(Deserialize)]
struct WireDetail {
    #[serde(rename = "type", default)]
    type_name: String,
    #[serde(default)]
    value: String,
}

#[derive(Deserialize)]
struct EndStream {
    #[serde(default)]
    error: Option<WireError>,
}

/// The error in the body of a failed unary call; none when the body is not Connect's.
pub(crate) fn from_body(body: &[u8]) -> Option<ErrorKind> {
    let error: WireError = serde_json::from_slice(body).ok()?;
    let code = Code::from_wire(error.code.as_deref()?)?;
    Some(error.into_kind(code))
}

/// The error in the last envelope, if there is one.
///
/// # Errors
/// When the envelope does not hold what the protocol asks for; the text says what it holds.
pub(crate) fn from_end_stream(data: &[u8]) -> Result<Option<ErrorKind>, String> {
    let end: EndStream = serde_json::from_slice(data).map_err(|error| error.to_string())?;
    Ok(end.error.map(|error| {
        let code = error.code.as_deref().and_then(Code::from_wire).unwrap_or(Code::Unknown);
        error.into_kind(code)
    }))
}

impl WireError {
    fn into_kind(self, code: Code) -> ErrorKind {
        let details = self.details.into_iter().filter_map(WireDetail::into_detail).collect();
        ErrorKind::Rpc { code, message: self.message, details }
    }
}

impl WireDetail {
    fn into_detail(self) -> Option<Detail> {
        let value = LENIENT.decode(&self.value).ok()?.into();
        Some(Detail { type_name: self.type_name, value })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_without_error_is_none() {
        assert!(from_end_stream(br#"{"metadata":{"a":["b"]}}"#).unwrap().is_none());
    }

    #[test]
    fn an_end_that_is_not_json_is_an_error() {
        assert!(from_end_stream(b"").is_err());
        assert!(from_end_stream(b"{\"error\":7}").is_err());
    }

    #[test]
    fn details_come_padded_or_not() {
        for value in ["CAE", "CAE="] {
            let body = format!(
                r#"{{"code":"aborted","message":"m","details":[{{"type":"t.T","value":"{value}"}}]}}"#
            );
            let Some(ErrorKind::Rpc { code, details, .. }) = from_body(body.as_bytes()) else {
                panic!("{body}")
            };
            assert_eq!(code, Code::Aborted);
            assert_eq!(details, [Detail { type_name: "t.T".into(), value: vec![8, 1].into() }]);
        }
    }

    #[test]
    fn a_body_of_someone_else_is_none() {
        assert!(from_body(br#"{"code":401,"message":"no"}"#).is_none());
        assert!(from_body(b"<html>").is_none());
    }
}
