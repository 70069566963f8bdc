//! Messages to bytes and back in the two codecs, with the error texts of the contract (section 1), and the
//! handlers' failures as the runtime's errors.

use bytes::Bytes;
use connectrpc::{CodecFormat, ConnectError, EncodedBody, ErrorCode};
use prost::{Message, Name};

use super::timestamps::as_objects;
use crate::generation::TimestampForm;
use crate::routes::status::{Code, Status};

pub(super) fn decode<M: Message + Name + Default>(
    bytes: Bytes,
    format: CodecFormat,
) -> Result<M, ConnectError> {
    let (name, decoded) = match format {
        CodecFormat::Json => {
            ("JSON", envd_proto::json::decode_request(&bytes).map_err(|error| error.to_string()))
        }
        _ => ("proto", M::decode(bytes).map_err(|error| proto_text(&error))),
    };
    decoded.map_err(|text| ConnectError::invalid_argument(format!("failed to decode {name} request: {text}")))
}

pub(super) fn encode<M: Message + Name>(
    message: &M,
    (format, timestamps): (CodecFormat, TimestampForm),
) -> Result<EncodedBody, ConnectError> {
    let bytes = match format {
        CodecFormat::Json => {
            let failed = |error| ConnectError::internal(format!("failed to encode JSON response: {error}"));
            let canonical = envd_proto::json::encode(message).map_err(failed)?;
            match timestamps {
                TimestampForm::Canonical => canonical,
                TimestampForm::Object => as_objects(&canonical),
            }
        }
        _ => message.encode_to_vec(),
    };
    Ok(Bytes::from(bytes).into())
}

/// The words of the real guest's codec where they differ from those of this one, which also names the fields.
fn proto_text(error: &prost::DecodeError) -> String {
    let text = error.to_string();
    let mut rest = text.strip_prefix("failed to decode Protobuf message: ").unwrap_or(&text);
    while let Some((_, after)) =
        rest.split_once(": ").filter(|(field, _)| field.contains('.') && !field.contains(' '))
    {
        rest = after;
    }
    rest.replace("buffer underflow", "unexpected end of buffer")
}

impl From<Status> for ConnectError {
    fn from(status: Status) -> Self {
        Self::new(error_code(status.code), status.message)
    }
}

impl From<ConnectError> for Status {
    fn from(error: ConnectError) -> Self {
        let code =
            CODES.iter().find(|(_, theirs)| *theirs == error.code).map_or(Code::Internal, |(ours, _)| *ours);
        Self::new(code, error.message.unwrap_or_default())
    }
}

fn error_code(code: Code) -> ErrorCode {
    CODES.iter().find(|(ours, _)| *ours == code).map_or(ErrorCode::Internal, |(_, theirs)| *theirs)
}

const CODES: [(Code, ErrorCode); 10] = [
    (Code::InvalidArgument, ErrorCode::InvalidArgument),
    (Code::NotFound, ErrorCode::NotFound),
    (Code::AlreadyExists, ErrorCode::AlreadyExists),
    (Code::FailedPrecondition, ErrorCode::FailedPrecondition),
    (Code::ResourceExhausted, ErrorCode::ResourceExhausted),
    (Code::Unauthenticated, ErrorCode::Unauthenticated),
    (Code::Unimplemented, ErrorCode::Unimplemented),
    (Code::DeadlineExceeded, ErrorCode::DeadlineExceeded),
    (Code::Unavailable, ErrorCode::Unavailable),
    (Code::Internal, ErrorCode::Internal),
];

#[cfg(test)]
mod tests {
    use super::*;
    use envd_proto::process::StartRequest;
    use proptest::prelude::*;

    fn refused(bytes: &'static [u8], format: CodecFormat) -> String {
        let error = decode::<StartRequest>(Bytes::from_static(bytes), format).unwrap_err();
        assert_eq!(error.code, ErrorCode::InvalidArgument);
        error.message.unwrap_or_default()
    }

    #[test]
    fn bad_json_is_placed_and_bad_proto_is_named() {
        let text = refused(b"", CodecFormat::Json);
        assert_eq!(text, "failed to decode JSON request: EOF while parsing a value at line 1 column 0");
        let text = refused(b"\x0a\x05a", CodecFormat::Proto);
        assert_eq!(text, "failed to decode proto request: unexpected end of buffer");
    }

    #[test]
    fn an_empty_proto_body_is_an_empty_message() {
        assert_eq!(
            decode::<StartRequest>(Bytes::new(), CodecFormat::Proto).unwrap(),
            StartRequest::default()
        );
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode::<StartRequest>(bytes.clone().into(), CodecFormat::Proto);
            let _ = decode::<StartRequest>(bytes.into(), CodecFormat::Json);
        }
    }
}
