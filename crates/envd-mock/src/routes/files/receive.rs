//! One part of an upload: through gunzip where it is gzip, under the limit, into the tree. No waiting for the client in
//! here; `settle` waits for the guest.

use std::io::{self, Write};
use std::sync::Arc;

use flate2::write::MultiGzDecoder;
use http::StatusCode;

use super::answer::Refusal;
use crate::guest::disk::{Access, BadDisk};
use crate::guest::tree::{Landing, Owner, Tree, Upload, UploadError};

/// Bytes that one request may still bring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Allowance {
    limit: Option<u64>,
    used: u64,
}

impl Allowance {
    pub(super) fn new(limit: Option<u64>) -> Self {
        Self { limit, used: 0 }
    }

    /// # Errors
    /// 413 when `bytes` more are too many.
    pub(super) fn take(&mut self, bytes: usize) -> Result<(), Refusal> {
        self.used += bytes as u64;
        match self.limit {
            Some(limit) if self.used > limit => {
                let message = format!("upload exceeds the limit of {limit} bytes");
                Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, message))
            }
            _ => Ok(()),
        }
    }
}

/// A part that is being received; dropped before `finish`, it was never there.
pub(super) enum Receiving {
    Plain(Box<Sink>),
    Gzip(Box<MultiGzDecoder<Sink>>),
}

/// Where decoded bytes go.
pub(super) struct Sink {
    upload: Upload,
    disk: Option<BadDisk>,
    allowance: Allowance,
    /// What went wrong behind an error of the decoder.
    refusal: Option<Refusal>,
}

impl Receiving {
    pub(super) fn begin(
        tree: &Arc<Tree>,
        path: &str,
        owner: Owner,
        (gzip, landing): (bool, Landing),
        allowance: Allowance,
        disk: Option<BadDisk>,
    ) -> Result<Self, Refusal> {
        if let Some(disk) = &disk {
            disk.open(Access::Make).map_err(UploadError::Open)?;
            disk.pass(0, Access::Make).1.map_err(UploadError::Write)?;
        }
        let upload = Upload::begin(tree, path, owner, landing)?;
        let sink = Sink { upload, disk, allowance, refusal: None };
        Ok(if gzip { Self::Gzip(Box::new(MultiGzDecoder::new(sink))) } else { Self::Plain(Box::new(sink)) })
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        match self {
            Self::Plain(sink) => sink.take(bytes),
            Self::Gzip(decoder) => {
                decoder.write_all(bytes).map_err(|error| decoding(decoder.get_mut().refusal.take(), &error))
            }
        }
    }

    /// What content goes to.
    pub(super) fn upload(&mut self) -> &mut Upload {
        match self {
            Self::Plain(sink) => &mut sink.upload,
            Self::Gzip(decoder) => &mut decoder.get_mut().upload,
        }
    }

    /// How many bytes may be written at once: what a pipe does not take is kept in memory meanwhile.
    pub(super) fn most(&mut self) -> usize {
        let through = self.upload().is_through();
        match self {
            Self::Plain(_) if through => 64 * 1024,
            // They may be a thousand times as many once they are unpacked.
            Self::Gzip(_) if through => 1024,
            _ => usize::MAX,
        }
    }

    /// Says that nothing follows.
    pub(super) fn end(self) -> Result<Self, Refusal> {
        Ok(Self::Plain(Box::new(self.ended()?)))
    }

    /// Puts the part in place and gives back what is left of the allowance.
    pub(super) fn finish(self) -> Result<Allowance, Refusal> {
        let sink = self.ended()?;
        sink.upload.finish()?;
        Ok(sink.allowance)
    }

    fn ended(self) -> Result<Sink, Refusal> {
        match self {
            Self::Plain(sink) => Ok(*sink),
            Self::Gzip(mut decoder) => {
                decoder.try_finish().map_err(|error| decoding(decoder.get_mut().refusal.take(), &error))?;
                (*decoder).finish().map_err(|error| decoding(None, &error))
            }
        }
    }
}

impl Sink {
    fn take(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        self.allowance.take(bytes.len())?;
        let (fits, rest) =
            self.disk.as_ref().map_or((bytes.len(), Ok(())), |disk| disk.pass(bytes.len(), Access::Make));
        self.upload.write(&bytes[..fits])?;
        Ok(rest.map_err(UploadError::Write)?)
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.take(bytes) {
            Ok(()) => Ok(bytes.len()),
            Err(refusal) => {
                let message = refusal.message.clone();
                self.refusal = Some(refusal);
                Err(io::Error::other(message))
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn decoding(refusal: Option<Refusal>, error: &io::Error) -> Refusal {
    refusal.unwrap_or_else(|| Refusal::bad_request(format!("gzip decompression failed: {error}")))
}

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;
    use crate::guest::ids::Ids;

    fn tree() -> (tempfile::TempDir, Arc<Tree>) {
        let dir = tempfile::tempdir().unwrap();
        let root = std::fs::File::open(dir.path()).unwrap();
        (dir, Arc::new(Tree::new(root.into(), Ids::Identity, None).unwrap()))
    }

    fn packed(content: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    fn receive(tree: &Arc<Tree>, bytes: &[u8], limit: Option<u64>) -> Result<Allowance, Refusal> {
        let mut receiving =
            Receiving::begin(tree, "/a", Owner::ROOT, (true, Landing::Through), Allowance::new(limit), None)?;
        for piece in bytes.chunks(7) {
            receiving.write(piece)?;
        }
        receiving.finish()
    }

    #[test]
    fn gzip_of_several_members_is_unpacked_on_the_way() {
        let (dir, tree) = tree();
        receive(&tree, &[packed(b"one "), packed(b"two")].concat(), None).unwrap();
        assert_eq!(std::fs::read(dir.path().join("a")).unwrap(), b"one two");
    }

    #[test]
    fn gzip_cut_anywhere_is_an_error_and_leaves_what_was_there() {
        let (dir, tree) = tree();
        std::fs::write(dir.path().join("a"), "old").unwrap();
        let bytes = packed(b"some content that is long enough to matter");
        for end in 0..bytes.len() {
            let refusal = receive(&tree, &bytes[..end], None).unwrap_err();
            assert_eq!(refusal.status, StatusCode::BAD_REQUEST, "cut at {end}");
            assert!(refusal.message.starts_with("gzip decompression failed: "), "{}", refusal.message);
        }
        assert_eq!(std::fs::read(dir.path().join("a")).unwrap(), b"old");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_is_no_gzip_is_an_error() {
        let (_dir, tree) = tree();
        let refusal = receive(&tree, b"plain text, really", None).unwrap_err();
        assert!(refusal.message.starts_with("gzip decompression failed: "), "{}", refusal.message);
        let trailing = [packed(b"one"), b"garbage".to_vec()].concat();
        assert_eq!(receive(&tree, &trailing, None).unwrap_err().status, StatusCode::BAD_REQUEST);
    }

    #[test]
    fn the_limit_counts_unpacked_bytes() {
        let (dir, tree) = tree();
        let bomb = packed(&vec![0; 1 << 20]);
        let refusal = receive(&tree, &bomb, Some(1 << 16)).unwrap_err();
        assert_eq!(refusal.status, StatusCode::PAYLOAD_TOO_LARGE);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
        assert!(receive(&tree, &packed(b"four"), Some(4)).is_ok());
    }
}
