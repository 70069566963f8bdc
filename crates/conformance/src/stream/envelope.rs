//! The five bytes before each message of a stream. Knows nothing of what is inside.

/// The flag of a stream's last envelope.
pub const END_STREAM: u8 = 2;

/// One envelope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// The flag byte.
    pub flag: u8,
    /// The message.
    pub data: Vec<u8>,
    /// Where it ends in the body, in bytes from its start.
    pub end: usize,
}

/// One message behind its five bytes.
pub fn write(flag: u8, message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).expect("a request of the kit is below 4 GiB");
    with_length(flag, length, message)
}

/// Five bytes that may lie about the message behind them.
pub fn with_length(flag: u8, length: u32, message: &[u8]) -> Vec<u8> {
    let mut out = vec![flag];
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(message);
    out
}

/// The whole envelopes of a body, and how many bytes behind them are no whole one.
pub fn read(body: &[u8]) -> (Vec<Frame>, usize) {
    let (mut frames, mut at) = (Vec::new(), 0);
    while let Some([flag, a, b, c, d]) = body.get(at..at + 5) {
        let length = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
        let Some(data) = body.get(at + 5..at + 5 + length) else { break };
        at += 5 + length;
        frames.push(Frame { flag: *flag, data: data.to_vec(), end: at });
    }
    (frames, body.len() - at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let body = [write(0, b"abc"), write(END_STREAM, b"{}")].concat();
        let (frames, rest) = read(&body);
        assert_eq!((frames.len(), rest), (2, 0));
        assert_eq!((frames[0].data.as_slice(), frames[0].end, frames[1].flag), (&b"abc"[..], 8, END_STREAM));
    }

    #[test]
    fn a_cut_envelope_is_left_over() {
        let body = write(0, b"abc");
        for cut in 0..body.len() {
            assert_eq!(read(&body[..cut]), (Vec::new(), cut));
        }
    }
}
