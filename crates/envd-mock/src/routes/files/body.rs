//! Content on its way out: read in chunks on threads that may block, one chunk ahead of nobody.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::os::unix::fs::FileExt as _;

use axum::body::Body;
use bytes::Bytes;
use futures::stream;

/// What has no more bytes than this is read before it is answered.
pub(super) const WHOLE: usize = 256 * 1024;
/// Bytes of a longer one that are read at once, which a client who takes nothing keeps in memory.
const CHUNK: usize = 128 * 1024;

/// Something that gives content chunk by chunk, blocking; `None` at its end.
pub(super) trait Chunks: Send + 'static {
    fn next(&mut self) -> io::Result<Option<Bytes>>;
}

/// A body that asks for a chunk when the client has room for one.
pub(super) fn stream(chunks: impl Chunks) -> Body {
    Body::from_stream(stream::try_unfold(Box::new(chunks), |mut chunks| async move {
        let read = tokio::task::spawn_blocking(move || (chunks.next(), chunks)).await;
        let (chunk, chunks) = read.map_err(io::Error::other)?;
        Ok::<_, io::Error>(chunk?.map(|chunk| (chunk, chunks)))
    }))
}

/// Text and parts of a file in turn.
pub(super) struct Segments {
    file: File,
    left: VecDeque<Segment>,
}

/// A piece of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Segment {
    Text(Bytes),
    Part(Range<u64>),
}

impl Segments {
    pub(super) fn new(file: File, segments: impl IntoIterator<Item = Segment>) -> Self {
        Self { file, left: segments.into_iter().collect() }
    }
}

impl Chunks for Segments {
    fn next(&mut self) -> io::Result<Option<Bytes>> {
        match self.left.pop_front() {
            None => Ok(None),
            Some(Segment::Text(text)) => Ok(Some(text)),
            Some(Segment::Part(part)) => {
                let size = usize::try_from(part.end - part.start).map_or(CHUNK, |size| size.min(CHUNK));
                let mut buffer = vec![0; size];
                // A file that has become shorter must not pass for a whole one.
                self.file.read_exact_at(&mut buffer, part.start)?;
                let rest = part.start + size as u64..part.end;
                if !rest.is_empty() {
                    self.left.push_front(Segment::Part(rest));
                }
                Ok(Some(buffer.into()))
            }
        }
    }
}

/// A reader to its end.
pub(super) struct ToEnd<R>(pub(super) R);

impl<R: Read + Send + 'static> Chunks for ToEnd<R> {
    fn next(&mut self) -> io::Result<Option<Bytes>> {
        let mut buffer = Vec::with_capacity(CHUNK);
        let read = (&mut self.0).take(CHUNK as u64).read_to_end(&mut buffer)?;
        Ok((read > 0).then(|| buffer.into()))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn file(content: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(content).unwrap();
        file
    }

    fn all(mut chunks: impl Chunks) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        while let Some(chunk) = chunks.next()? {
            assert!(chunk.len() <= CHUNK);
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }

    #[test]
    fn segments_come_in_order_and_in_chunks() {
        let content: Vec<u8> = (0..CHUNK as u32 + 10).map(|n| n as u8).collect();
        let len = content.len() as u64;
        let text = Segment::Text("--".into());
        let segments = Segments::new(file(&content), [text, Segment::Part(0..len), Segment::Part(3..5)]);
        assert_eq!(all(segments).unwrap(), [b"--", &content[..], &content[3..5]].concat());
    }

    #[test]
    fn a_file_that_became_shorter_is_an_error() {
        let segments = Segments::new(file(b"short"), [Segment::Part(0..6)]);
        assert_eq!(all(segments).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }
}
