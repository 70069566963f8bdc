//! gzip of whole, bounded pieces. Streams of unbounded length are `rest`'s own matter.

use std::io::{Read, Write};

use bytes::Bytes;
use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;

/// Why a piece could not be unpacked.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum GzipError {
    /// It unpacks to more than the cap.
    TooLarge,
    /// It is not gzip, or not all of it.
    Broken(String),
}

/// `data` in gzip.
pub(crate) fn pack(data: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(data).expect("a vector takes all that is written");
    encoder.finish().expect("a vector takes all that is written").into()
}

/// What `data` unpacks to, if that is at most `limit` bytes. Nothing unpacks to nothing.
pub(crate) fn unpack(data: &[u8], limit: usize) -> Result<Bytes, GzipError> {
    if data.is_empty() {
        return Ok(Bytes::new());
    }
    let mut out = Vec::new();
    let cap = limit as u64 + 1;
    MultiGzDecoder::new(data)
        .take(cap)
        .read_to_end(&mut out)
        .map_err(|error| GzipError::Broken(error.to_string()))?;
    if out.len() > limit { Err(GzipError::TooLarge) } else { Ok(out.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_unpacks_up_to_the_cap() {
        let packed = pack(&[7; 1000]);
        assert_eq!(unpack(&packed, 1000).unwrap(), vec![7; 1000]);
        assert_eq!(unpack(&packed, 999), Err(GzipError::TooLarge));
    }

    #[test]
    fn a_cut_piece_is_an_error() {
        let packed = pack(b"some text");
        for cut in 1..packed.len() {
            assert!(matches!(unpack(&packed[..cut], 1000), Err(GzipError::Broken(_))), "cut at {cut}");
        }
    }
}
