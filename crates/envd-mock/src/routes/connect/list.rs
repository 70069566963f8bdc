//! An answer that is one list, encoded message by message: the list is never held in any other form.

use bytes::Bytes;
use connectrpc::CodecFormat;
use prost::encoding::{WireType, encode_key, encode_varint};
use prost::{Message, Name};

use super::codec::encode;
use crate::generation::TimestampForm;
use crate::routes::status::Status;

/// The field that the list is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Field {
    pub(crate) number: u32,
    /// In JSON.
    pub(crate) name: &'static str,
}

/// A list that is being encoded.
#[derive(Debug)]
pub(crate) struct ListEncoder {
    form: (CodecFormat, TimestampForm),
    field: Field,
    out: Vec<u8>,
}

impl ListEncoder {
    pub(super) fn new(form: (CodecFormat, TimestampForm), field: Field) -> Self {
        Self { form, field, out: Vec::new() }
    }

    /// Adds a message.
    ///
    /// # Errors
    /// It has no JSON form.
    pub(crate) fn push<M: Message + Name>(&mut self, message: &M) -> Result<(), Status> {
        if self.is_json() {
            let json = encode(message, self.form).map_err(Status::from)?.into_contiguous();
            if self.out.is_empty() {
                self.out.extend_from_slice(format!("{{\"{}\":[", self.field.name).as_bytes());
            } else {
                self.out.push(b',');
            }
            self.out.extend_from_slice(&json);
        } else {
            encode_key(self.field.number, WireType::LengthDelimited, &mut self.out);
            encode_varint(message.encoded_len() as u64, &mut self.out);
            // The buffer grows as it has to.
            message.encode_raw(&mut self.out);
        }
        Ok(())
    }

    pub(super) fn finish(mut self) -> Bytes {
        if self.is_json() {
            let end: &[u8] = if self.out.is_empty() { b"{}" } else { b"]}" };
            self.out.extend_from_slice(end);
        }
        // A list that waits for its reader has no spare room.
        self.out.shrink_to_fit();
        self.out.into()
    }

    fn is_json(&self) -> bool {
        matches!(self.form.0, CodecFormat::Json)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use envd_proto::filesystem::{EntryInfo, FileType, ListDirResponse};

    const ENTRIES: Field = Field { number: 1, name: "entries" };

    fn entry(name: &str) -> EntryInfo {
        let modified_time = Some(prost_types::Timestamp { seconds: 1_700_000_000, nanos: 5_000_000 });
        EntryInfo {
            name: name.into(),
            r#type: FileType::File.into(),
            size: 7,
            modified_time,
            ..Default::default()
        }
    }

    // Each form of the list must be, byte for byte, that of the whole message.
    #[test]
    fn a_list_is_encoded_as_the_message_that_holds_it() {
        let jsons = [TimestampForm::Canonical, TimestampForm::Object].map(|form| (CodecFormat::Json, form));
        for form in jsons.into_iter().chain([(CodecFormat::Proto, TimestampForm::Canonical)]) {
            for count in 0..3 {
                let entries: Vec<_> = ["a", "b \"quoted\""].into_iter().take(count).map(entry).collect();
                let mut list = ListEncoder::new(form, ENTRIES);
                entries.iter().for_each(|entry| list.push(entry).unwrap());
                let whole = encode(&ListDirResponse { entries }, form).unwrap().into_contiguous();
                assert_eq!(list.finish(), whole, "{form:?} {count}");
            }
        }
    }
}
