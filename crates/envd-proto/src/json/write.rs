//! The fast way to canonical JSON: the binary form of a message, rewritten as text by a table of its fields. It covers
//! what envd's messages consist of; whatever else it meets it leaves to the reflective writer, which decides what is
//! right: both must write the same text.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use prost::encoding::{WireType, decode_key, decode_varint};
use prost::{Message, Name};
use prost_reflect::{Cardinality, FieldDescriptor, Kind, MessageDescriptor};

use super::POOL;

static TABLES: LazyLock<Tables> = LazyLock::new(|| Tables::new(POOL.all_messages()));

const PROTOBUF: &str = "google.protobuf.";
const TIMESTAMP: &str = "google.protobuf.Timestamp";
/// The seconds of 0001-01-01T00:00:00Z and of 9999-12-31T23:59:59Z: no others have a JSON form.
const SECONDS: std::ops::RangeInclusive<i64> = -62_135_596_800..=253_402_300_799;

/// The canonical JSON form of `message`; `None` where the reflective writer has to decide.
pub(super) fn write<M: Message + Name>(message: &M) -> Option<Vec<u8>> {
    let bytes = message.encode_to_vec();
    let table = TABLES.by_name.get(M::full_name().as_str())?;
    let mut out = Vec::with_capacity(bytes.len() * 2 + 32);
    TABLES.message(*table, &bytes, &mut out)?;
    Some(out)
}

/// The fields of all messages.
struct Tables {
    by_name: HashMap<String, usize>,
    all: Vec<Vec<Field>>,
}

struct Field {
    number: u32,
    /// `"name":`, as it is written.
    key: Vec<u8>,
    many: Many,
    form: Form,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Many {
    One,
    List,
    Map,
}

/// How a value is written.
enum Form {
    Bool,
    Int32,
    Uint32,
    Int64,
    Uint64,
    Text,
    Bytes,
    /// Numbers and names, each name in quotes.
    Enum(HashMap<i32, Vec<u8>>),
    /// By its place among all.
    Message(usize),
    Timestamp,
    /// Left to the reflective writer.
    Other,
}

impl Tables {
    fn new(messages: impl Iterator<Item = MessageDescriptor>) -> Self {
        let messages: Vec<_> = messages.collect();
        let place = |(place, message): (usize, &MessageDescriptor)| (message.full_name().to_owned(), place);
        // Those of protobuf's own have forms of their own.
        let ours = |(_, message): &(usize, &MessageDescriptor)| !message.full_name().starts_with(PROTOBUF);
        let by_name: HashMap<String, usize> = messages.iter().enumerate().filter(ours).map(place).collect();
        let all = messages.iter().map(|message| message.fields().map(|it| field(&it, &by_name)).collect());
        Self { all: all.collect(), by_name }
    }

    fn message(&self, table: usize, mut bytes: &[u8], out: &mut Vec<u8>) -> Option<()> {
        out.push(b'{');
        let mut last: Option<&Field> = None;
        while !bytes.is_empty() {
            let (number, wire) = decode_key(&mut bytes).ok()?;
            let again = last.filter(|last| last.number == number);
            match (again, last) {
                (Some(field), _) if field.many != Many::One => out.push(b','),
                (Some(_), _) => return None,
                // Fields are written in the order of their numbers, in either form.
                (None, Some(last)) if last.number > number => return None,
                (None, before) => {
                    if let Some(before) = before {
                        out.extend_from_slice(before.many.close());
                        out.push(b',');
                    }
                    let field = self.all[table].iter().find(|field| field.number == number)?;
                    out.extend_from_slice(&field.key);
                    out.extend_from_slice(field.many.open());
                    last = Some(field);
                }
            }
            self.value(last?, wire, &mut bytes, out)?;
        }
        out.extend_from_slice(last.map_or(&b""[..], |last| last.many.close()));
        out.push(b'}');
        Some(())
    }

    fn value(&self, field: &Field, wire: WireType, bytes: &mut &[u8], out: &mut Vec<u8>) -> Option<()> {
        if wire == WireType::Varint {
            return self.number(&field.form, decode_varint(bytes).ok()?, out);
        }
        let content = delimited(wire, bytes)?;
        match (&field.form, field.many) {
            (Form::Message(entry), Many::Map) => self.entry(*entry, content, out),
            (Form::Message(table), _) => self.message(*table, content, out),
            (Form::Text, _) => text(content, out),
            (Form::Bytes, _) => {
                base64(content, out);
                Some(())
            }
            (Form::Timestamp, _) => timestamp(content, out),
            // Packed numbers, among others.
            _ => None,
        }
    }

    fn number(&self, form: &Form, number: u64, out: &mut Vec<u8>) -> Option<()> {
        let written: Cow<'_, [u8]> = match form {
            Form::Bool => Cow::Borrowed(if number == 0 { b"false" } else { b"true" }),
            // The kinds of 32 bits take the lower half of a number.
            Form::Int32 => digits((number as i32).to_string()),
            Form::Uint32 => digits((number as u32).to_string()),
            Form::Int64 => digits(format!("\"{}\"", number as i64)),
            Form::Uint64 => digits(format!("\"{number}\"")),
            Form::Enum(names) => match names.get(&(number as i32)) {
                Some(name) => Cow::Borrowed(name),
                None => digits((number as i32).to_string()),
            },
            _ => return None,
        };
        out.extend_from_slice(&written);
        Some(())
    }

    /// A key and a value, each of which may be missing when it is the default; only texts are that plain.
    fn entry(&self, table: usize, mut bytes: &[u8], out: &mut Vec<u8>) -> Option<()> {
        let plain = self.all[table].iter().all(|field| matches!(field.form, Form::Text));
        let mut pair: [&[u8]; 2] = [b"", b""];
        while plain && !bytes.is_empty() {
            let (number, wire) = decode_key(&mut bytes).ok()?;
            *pair.get_mut((number as usize).checked_sub(1)?)? = delimited(wire, &mut bytes)?;
        }
        text(pair[0], out)?;
        out.push(b':');
        text(pair[1], out)?;
        plain.then_some(())
    }
}

impl Many {
    fn open(self) -> &'static [u8] {
        match self {
            Self::One => b"",
            Self::List => b"[",
            Self::Map => b"{",
        }
    }

    fn close(self) -> &'static [u8] {
        match self {
            Self::One => b"",
            Self::List => b"]",
            Self::Map => b"}",
        }
    }
}

fn field(field: &FieldDescriptor, by_name: &HashMap<String, usize>) -> Field {
    let many = match field.cardinality() {
        Cardinality::Repeated if field.is_map() => Many::Map,
        Cardinality::Repeated => Many::List,
        _ => Many::One,
    };
    let form = match field.kind() {
        Kind::Bool => Form::Bool,
        Kind::Int32 => Form::Int32,
        Kind::Uint32 => Form::Uint32,
        Kind::Int64 => Form::Int64,
        Kind::Uint64 => Form::Uint64,
        Kind::String => Form::Text,
        Kind::Bytes => Form::Bytes,
        Kind::Enum(kind) if kind.full_name() != "google.protobuf.NullValue" => {
            Form::Enum(kind.values().map(|value| (value.number(), quoted(value.name()))).collect())
        }
        Kind::Message(message) if message.full_name() == TIMESTAMP => Form::Timestamp,
        Kind::Message(message) => {
            by_name.get(message.full_name()).map_or(Form::Other, |at| Form::Message(*at))
        }
        _ => Form::Other,
    };
    let key = [quoted(field.json_name()), b":".to_vec()].concat();
    Field { number: field.number(), key, many, form }
}

fn quoted(name: &str) -> Vec<u8> {
    format!("\"{name}\"").into()
}

fn delimited<'b>(wire: WireType, bytes: &mut &'b [u8]) -> Option<&'b [u8]> {
    if wire != WireType::LengthDelimited {
        return None;
    }
    let length = usize::try_from(decode_varint(bytes).ok()?).ok()?;
    let (content, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(content)
}

fn text(content: &[u8], out: &mut Vec<u8>) -> Option<()> {
    serde_json::to_writer(out, std::str::from_utf8(content).ok()?).ok()
}

fn digits(text: String) -> Cow<'static, [u8]> {
    Cow::Owned(text.into_bytes())
}

fn base64(content: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    let start = out.len();
    out.resize(start + content.len().div_ceil(3) * 4, 0);
    // There is room for exactly that.
    let written = STANDARD.encode_slice(content, &mut out[start..]).unwrap_or(0);
    out.truncate(start + written);
    out.push(b'"');
}

fn timestamp(content: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let time = prost_types::Timestamp::decode(content).ok()?;
    let valid = SECONDS.contains(&time.seconds) && (0..1_000_000_000).contains(&time.nanos);
    valid.then(|| out.extend_from_slice(format!("\"{time}\"").as_bytes()))
}

#[cfg(test)]
mod tests {
    use proptest::collection::{btree_map, vec};
    use proptest::option;
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;
    use crate::filesystem::{EntryInfo, FileType, ListDirResponse, StatResponse};
    use crate::json::reflected;
    use crate::process::process_event::{DataEvent, EndEvent, Event, data_event::Output};
    use crate::process::{ListResponse, ProcessConfig, ProcessEvent, ProcessInfo, Pty, pty};

    /// The same text, but for the order of maps, which neither writer fixes; `None` is no difference either.
    fn same<M: Message + Name + 'static>(message: &M) {
        let reflected = reflected(message);
        match (write(message), reflected) {
            (Some(fast), Ok(reflected)) => {
                let value = |text: &[u8]| serde_json::from_slice::<Value>(text).expect("JSON");
                assert_eq!(value(&fast), value(&reflected));
                assert_eq!(fast.len(), reflected.len(), "{}", String::from_utf8_lossy(&fast));
            }
            (None, _) => {}
            (Some(fast), Err(error)) => panic!("{} instead of {error}", String::from_utf8_lossy(&fast)),
        }
    }

    fn entries() -> impl Strategy<Value = EntryInfo> {
        let numbers = (any::<i32>(), any::<i64>(), any::<u32>(), option::of((any::<i64>(), any::<i32>())));
        let near = (0..=3i32, 0..4096i64, 0..0o7777u32, option::of((0..4_000_000_000i64, 0..999_999_999i32)));
        let numbers = prop_oneof![numbers, near];
        (".*", numbers, ".*", option::of(".*")).prop_map(|(name, (kind, size, mode, time), path, target)| {
            EntryInfo {
                name,
                r#type: kind,
                path,
                size,
                mode,
                modified_time: time.map(|(seconds, nanos)| prost_types::Timestamp { seconds, nanos }),
                symlink_target: target,
                ..Default::default()
            }
        })
    }

    proptest! {
        #[test]
        fn entries_are_written_as_by_reflection(entries in vec(entries(), 0..4)) {
            same(&StatResponse { entry: entries.first().cloned() });
            same(&ListDirResponse { entries });
        }

        #[test]
        fn processes_are_written_as_by_reflection(
            cmd in ".*", args in vec(".*", 0..4), envs in btree_map(".*", ".*", 0..4),
            cwd in option::of(".*"), tag in option::of(".*"), pid in any::<u32>(),
        ) {
            let config = ProcessConfig { cmd, args, envs: envs.into_iter().collect(), cwd, ..Default::default() };
            let process = ProcessInfo { config: Some(config), pid, tag };
            same(&ListResponse { processes: vec![process.clone(), ProcessInfo::default(), process] });
        }

        #[test]
        fn events_are_written_as_by_reflection(
            bytes in vec(any::<u8>(), 0..50), code in any::<i32>(), status in ".*", which in 0..4usize,
        ) {
            let data = |output| Event::Data(DataEvent { output: Some(output) });
            let event = match which {
                0 => data(Output::Stdout(bytes.into())),
                1 => data(Output::Stderr(bytes.into())),
                2 => data(Output::Pty(bytes.into())),
                _ => Event::End(EndEvent { exit_code: code, exited: code > 0, status, ..Default::default() }),
            };
            same(&ProcessEvent { event: Some(event) });
        }
    }

    /// Against a fast way that nobody takes: then the tests above compare nothing.
    #[test]
    fn what_guests_answer_is_written_the_fast_way() {
        let entry = EntryInfo {
            name: "a\"\u{1}\u{7f}é".into(),
            r#type: FileType::File as i32,
            modified_time: Some(prost_types::Timestamp { seconds: 7, nanos: 5_000_000 }),
            size: -1,
            ..Default::default()
        };
        let text = write(&StatResponse { entry: Some(entry) }).expect("the fast way");
        let expected = "{\"entry\":{\"name\":\"a\\\"\\u0001\u{7f}é\",\"type\":\"FILE_TYPE_FILE\",\"size\":\"-1\",\
                        \"modifiedTime\":\"1970-01-01T00:00:07.005Z\"}}";
        assert_eq!(String::from_utf8(text).unwrap(), expected);
        let config = ProcessConfig { args: vec!["".into(), "b".into()], ..Default::default() };
        let list =
            ListResponse { processes: vec![ProcessInfo { config: Some(config), ..Default::default() }] };
        let expected = br#"{"processes":[{"config":{"args":["","b"]}}]}"#.to_vec();
        assert_eq!(write(&list), Some(expected));
        assert_eq!(write(&ListResponse::default()), Some(b"{}".to_vec()));
        same(&Pty { size: Some(pty::Size { cols: 80, rows: 0 }) });
    }

    #[test]
    fn a_time_without_a_json_form_is_left_to_reflection() {
        for (seconds, nanos) in [(i64::MAX, 0), (0, 1_000_000_000), (0, -1), (-62_135_596_801, 0)] {
            let time = prost_types::Timestamp { seconds, nanos };
            let entry = EntryInfo { modified_time: Some(time), ..Default::default() };
            assert_eq!(write(&entry), None);
        }
    }
}
