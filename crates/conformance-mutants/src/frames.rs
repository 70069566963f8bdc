//! The messages of a stream on their way back, one by one as they come. Knows no socket.

use serde_json::Value;

use super::http::{Call, chunk, without_nulls};
use super::mutant::OnFrame;
use conformance::stream::envelope;

/// What a change may know of the stream.
#[derive(Debug, Default)]
pub struct Passing {
    /// The call whose stream it is.
    pub call: Call,
    /// Messages that were held back.
    pub held: Vec<(u8, Value)>,
    /// How many messages came before this one.
    pub count: usize,
    /// How many messages with output came before this one.
    pub data: usize,
}

/// Takes the chunks of a body apart and makes new ones.
pub(super) struct Frames {
    passing: Passing,
    edit: OnFrame,
    raw: Vec<u8>,
    body: Vec<u8>,
    /// Whether the last chunk was there.
    pub(super) over: bool,
}

impl Frames {
    pub(super) fn new(call: Call, edit: OnFrame) -> Self {
        let passing = Passing { call, ..Passing::default() };
        Self { passing, edit, raw: Vec::new(), body: Vec::new(), over: false }
    }

    /// Takes bytes from the mock; gives what goes on to the client.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.raw.extend_from_slice(bytes);
        while let Some(data) = chunk(&mut self.raw) {
            self.over |= data.is_empty();
            self.body.extend(data);
        }
        let (whole, rest) = envelope::read(&self.body);
        self.body.drain(..self.body.len() - rest);
        let mut out: Vec<u8> =
            whole.iter().flat_map(|frame| self.frame(frame)).flat_map(|one| chunked(&one)).collect();
        if self.over {
            out.extend_from_slice(b"0\r\n\r\n");
        }
        out
    }

    /// What becomes of a body that is there at once.
    pub(super) fn whole(&mut self, body: &[u8]) -> Vec<u8> {
        envelope::read(body).0.iter().flat_map(|frame| self.frame(frame)).flatten().collect()
    }

    /// Whether any message of a body is not passed on at once and as it is.
    pub(super) fn changes(&mut self, body: &[u8]) -> bool {
        let whole = envelope::read(body).0;
        whole.iter().any(|frame| self.frame(frame) != [envelope::write(frame.flag, &frame.data)])
    }

    fn frame(&mut self, frame: &envelope::Frame) -> Vec<Vec<u8>> {
        let Ok(message) = serde_json::from_slice::<Value>(&frame.data) else {
            return vec![envelope::write(frame.flag, &frame.data)];
        };
        let (before, is_data) = (message.clone(), message.pointer("/event/data").is_some());
        let mut edited = (self.edit)(&mut self.passing, frame.flag, message);
        edited.iter_mut().for_each(|(_, message)| without_nulls(message, &Value::Null));
        self.passing.count += 1;
        self.passing.data += usize::from(is_data);
        let write = |(flag, message): &(u8, Value)| {
            let same = *flag == frame.flag && *message == before;
            let text = if same { frame.data.clone() } else { message.to_string().into_bytes() };
            envelope::write(*flag, &text)
        };
        edited.iter().map(write).collect()
    }
}

/// A chunk of these bytes.
pub(super) fn chunked(bytes: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}
