//! The frames of HTTP/2 as bytes (RFC 9113, 4 and 6). Knows no socket.

pub(super) const DATA: u8 = 0;
pub(super) const HEADERS: u8 = 1;
pub(super) const RST_STREAM: u8 = 3;
pub(super) const SETTINGS: u8 = 4;
pub(super) const PING: u8 = 6;
pub(super) const GOAWAY: u8 = 7;
pub(super) const WINDOW_UPDATE: u8 = 8;
pub(super) const CONTINUATION: u8 = 9;

/// On DATA and HEADERS; on SETTINGS and PING the same bit acknowledges.
pub(super) const END_STREAM: u8 = 1;
pub(super) const ACK: u8 = 1;
pub(super) const END_HEADERS: u8 = 4;
const PADDED: u8 = 8;
const PRIORITY: u8 = 0x20;

const HEAD: usize = 9;

/// One frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) kind: u8,
    pub(super) flags: u8,
    pub(super) stream: u32,
    pub(super) payload: Vec<u8>,
}

impl Frame {
    pub(super) fn new(kind: u8, flags: u8, stream: u32, payload: impl Into<Vec<u8>>) -> Self {
        Self { kind, flags, stream, payload: payload.into() }
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let length = u32::try_from(self.payload.len()).expect("a frame of the probe is small").to_be_bytes();
        let head = [&length[1..], &[self.kind, self.flags], &self.stream.to_be_bytes()].concat();
        [head, self.payload.clone()].concat()
    }

    /// Takes the first whole frame out of `raw`.
    pub(super) fn take(raw: &mut Vec<u8>) -> Option<Self> {
        let head = raw.get(..HEAD)?;
        let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
        let (kind, flags) = (head[3], head[4]);
        let stream = u32::from_be_bytes([head[5] & 127, head[6], head[7], head[8]]);
        let payload = raw.get(HEAD..HEAD + length)?.to_vec();
        raw.drain(..HEAD + length);
        Some(Self { kind, flags, stream, payload })
    }

    pub(super) fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// What DATA and HEADERS carry, without padding and priority.
    pub(super) fn content(&self) -> &[u8] {
        let mut content = self.payload.as_slice();
        if self.has(PADDED) {
            let padding = usize::from(content.first().copied().unwrap_or_default());
            content = content.get(1..content.len().saturating_sub(padding)).unwrap_or_default();
        }
        if self.kind == HEADERS && self.has(PRIORITY) {
            content = content.get(5..).unwrap_or_default();
        }
        content
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_read_once_it_is_whole() {
        let frame = Frame::new(DATA, END_STREAM, 3, b"abc");
        let bytes = frame.bytes();
        for cut in 0..bytes.len() {
            assert_eq!(Frame::take(&mut bytes[..cut].to_vec()), None);
        }
        assert_eq!(Frame::take(&mut bytes.to_vec()), Some(frame));
    }

    #[test]
    fn padding_is_no_content() {
        assert_eq!(Frame::new(DATA, PADDED, 1, [2, b'a', 0, 0]).content(), b"a");
    }
}
