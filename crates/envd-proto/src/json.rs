//! The protobuf JSON form of the messages: canonical when written, lenient when read (unknown fields are
//! ignored; an enum is a name or a number). Knows no transport.

mod write;

use std::sync::LazyLock;

use prost::{Message, Name};
use prost_reflect::{
    DescriptorPool, DeserializeOptions, DynamicMessage, Kind, MessageDescriptor, SerializeOptions,
};
use serde_json::Value;

/// Why a text is not the JSON form of a message.
pub type Error = serde_json::Error;

static POOL: LazyLock<DescriptorPool> =
    LazyLock::new(|| DescriptorPool::decode(crate::DESCRIPTORS).expect("the checked-in descriptors decode"));

/// The canonical JSON form of `message` (field names in lowerCamelCase, defaults left out).
///
/// # Errors
/// When a value has no JSON form, such as a timestamp out of range.
pub fn encode<M: Message + Name>(message: &M) -> Result<Vec<u8>, Error> {
    write::write(message).map_or_else(|| reflected(message), Ok)
}

/// As [`encode`], by the descriptors alone.
fn reflected<M: Message + Name>(message: &M) -> Result<Vec<u8>, Error> {
    let mut dynamic = DynamicMessage::new(descriptor::<M>());
    dynamic.transcode_from(message).expect("a message matches its own descriptor");
    let mut out = serde_json::Serializer::new(Vec::new());
    dynamic.serialize_with_options(&mut out, &SerializeOptions::new())?;
    Ok(out.into_inner())
}

/// Reads the JSON form of a message.
///
/// # Errors
/// When `text` is not JSON, or not of this message; the error tells line and column.
pub fn decode<M: Message + Name + Default>(text: &[u8]) -> Result<M, Error> {
    read(text, false)
}

/// Reads the JSON form of a request as a guest does: as [`decode`], but the name of no enum value is an error.
///
/// # Errors
/// As [`decode`].
pub fn decode_request<M: Message + Name + Default>(text: &[u8]) -> Result<M, Error> {
    match read(text, true) {
        Err(error) if !error.to_string().starts_with(UNKNOWN_VALUE) => {
            let message = read(text, false)?;
            check_enums(&serde_json::from_slice(text)?, &descriptor::<M>())?;
            Ok(message)
        }
        done => done,
    }
}

/// How the reader begins to tell of an unknown enum value.
const UNKNOWN_VALUE: &str = "unrecognized enum value";

fn check_enums(value: &Value, message: &MessageDescriptor) -> Result<(), Error> {
    for (key, value) in value.as_object().into_iter().flatten() {
        let field = message.get_field_by_json_name(key).or_else(|| message.get_field_by_name(key));
        let values = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
        match field.map(|field| field.kind()) {
            Some(Kind::Enum(kind)) => {
                if let Some(name) = values
                    .iter()
                    .filter_map(Value::as_str)
                    .find(|name| kind.get_value_by_name(name).is_none())
                {
                    return Err(Error::io(std::io::Error::other(format!("{UNKNOWN_VALUE} '{name}'"))));
                }
            }
            Some(Kind::Message(inner)) => values.iter().try_for_each(|value| check_enums(value, &inner))?,
            _ => {}
        }
    }
    Ok(())
}

fn read<M: Message + Name + Default>(text: &[u8], strict: bool) -> Result<M, Error> {
    // What most calls without arguments send.
    if text == b"{}" {
        return Ok(M::default());
    }
    let mut input = serde_json::Deserializer::from_slice(text);
    let options = DeserializeOptions::new().deny_unknown_fields(strict);
    let dynamic = DynamicMessage::deserialize_with_options(descriptor::<M>(), &mut input, &options)?;
    input.end()?;
    Ok(dynamic.transcode_to().expect("a message matches its own descriptor"))
}

/// The request of the RPC at `path` (`process.Process/Start`) in its canonical JSON form, read from JSON or else from the
/// binary form; `None` when there is no such RPC, or no such request.
pub fn request(path: &str, bytes: &[u8], from_json: bool) -> Option<Value> {
    let (service, method) = path.split_once('/')?;
    let service = POOL.get_service_by_name(service)?;
    let input = service.methods().find(|known| known.name() == method)?.input();
    let message = if from_json {
        let mut text = serde_json::Deserializer::from_slice(bytes);
        let options = DeserializeOptions::new().deny_unknown_fields(false);
        let message = DynamicMessage::deserialize_with_options(input, &mut text, &options).ok()?;
        text.end().ok()?;
        message
    } else {
        DynamicMessage::decode(input, bytes).ok()?
    };
    serde_json::to_value(message).ok()
}

fn descriptor<M: Name>() -> MessageDescriptor {
    POOL.get_message_by_name(&M::full_name())
        .expect("every generated message is in the checked-in descriptors")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filesystem::{EntryInfo, FileType};
    use crate::process::{ProcessConfig, ProcessEvent, SendSignalRequest, StartRequest, process_event};
    use proptest::prelude::*;

    #[test]
    fn timestamps_are_canonical() {
        let entry = EntryInfo {
            r#type: FileType::Directory as i32,
            size: 7,
            modified_time: Some(prost_types::Timestamp { seconds: 0, nanos: 5_000_000 }),
            ..Default::default()
        };
        let text = String::from_utf8(encode(&entry).unwrap()).unwrap();
        assert_eq!(
            text,
            r#"{"type":"FILE_TYPE_DIRECTORY","size":"7","modifiedTime":"1970-01-01T00:00:00.005Z"}"#
        );
    }

    #[test]
    fn defaults_are_left_out() {
        let end =
            process_event::EndEvent { exited: true, status: "exit status: 0".into(), ..Default::default() };
        let event = ProcessEvent { event: Some(process_event::Event::End(end)) };
        assert_eq!(encode(&event).unwrap(), br#"{"end":{"exited":true,"status":"exit status: 0"}}"#);
    }

    #[test]
    fn unknown_fields_are_ignored_and_bad_ones_are_placed() {
        let request: StartRequest = decode(br#"{"nope":1,"process":{"cmd":"ls"}}"#).unwrap();
        assert_eq!(request.process.unwrap().cmd, "ls");
        let error = decode::<StartRequest>(b"{\n\"process\":1}").unwrap_err();
        assert_eq!(error.line(), 2);
        assert!(decode::<StartRequest>(b"").unwrap_err().is_eof());
    }

    #[test]
    fn a_request_names_known_enum_values_only() {
        let signal = |text: &str| decode_request::<SendSignalRequest>(text.as_bytes());
        assert_eq!(signal(r#"{"signal":"SIGNAL_SIGTERM","later":1}"#).unwrap().signal, 15);
        assert_eq!(signal(r#"{"signal":77}"#).unwrap().signal, 77);
        for text in [r#"{"signal":"NOPE"}"#, r#"{"later":1,"signal":"NOPE"}"#] {
            assert!(
                signal(text).unwrap_err().to_string().starts_with("unrecognized enum value 'NOPE'"),
                "{text}"
            );
            assert_eq!(decode::<SendSignalRequest>(text.as_bytes()).unwrap().signal, 0);
        }
        assert!(signal("").unwrap_err().is_eof());
    }

    #[test]
    fn a_request_is_the_same_in_both_forms() {
        let start = StartRequest {
            process: Some(ProcessConfig { cmd: "ls".into(), ..Default::default() }),
            tag: Some("t".into()),
            ..Default::default()
        };
        let of = |bytes: &[u8], json| request("process.Process/Start", bytes, json);
        let value = of(&start.encode_to_vec(), false).unwrap();
        assert_eq!(value, serde_json::json!({ "process": { "cmd": "ls" }, "tag": "t" }));
        assert_eq!(of(br#"{"tag":"t","new":1,"process":{"args":[],"cmd":"ls"}}"#, true), Some(value));
        assert_eq!(of(b"{", true), None);
        assert_eq!(request("process.Process/Nope", b"", false), None);
    }

    proptest! {
        #[test]
        fn what_is_encoded_decodes_to_itself(
            cmd in ".*", args in proptest::collection::vec(".*", 0..4),
            envs in proptest::collection::btree_map(".*", ".*", 0..4),
            cwd in proptest::option::of(".*"), stdin in proptest::option::of(any::<bool>()),
        ) {
            let process = ProcessConfig { cmd, args, envs: envs.into_iter().collect(), cwd, ..Default::default() };
            let request = StartRequest { process: Some(process), stdin, ..Default::default() };
            prop_assert_eq!(&decode::<StartRequest>(&encode(&request).unwrap()).unwrap(), &request);
        }

        #[test]
        fn bytes_survive(data in proptest::collection::vec(any::<u8>(), 0..200)) {
            let output = process_event::data_event::Output::Pty(data.into());
            let event = ProcessEvent { event: Some(process_event::Event::Data(process_event::DataEvent { output: Some(output) })) };
            prop_assert_eq!(&decode::<ProcessEvent>(&encode(&event).unwrap()).unwrap(), &event);
        }
    }
}
