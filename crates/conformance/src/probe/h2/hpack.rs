//! Header blocks (RFC 7541): written as literals that nobody remembers, and read with the static table alone, since
//! the probe's SETTINGS allow no other.

use super::huffman;

/// The static table, from index 1 on.
const STATIC: [(&str, &str); 61] = [
    (":authority", ""),
    (":method", "GET"),
    (":method", "POST"),
    (":path", "/"),
    (":path", "/index.html"),
    (":scheme", "http"),
    (":scheme", "https"),
    (":status", "200"),
    (":status", "204"),
    (":status", "206"),
    (":status", "304"),
    (":status", "400"),
    (":status", "404"),
    (":status", "500"),
    ("accept-charset", ""),
    ("accept-encoding", "gzip, deflate"),
    ("accept-language", ""),
    ("accept-ranges", ""),
    ("accept", ""),
    ("access-control-allow-origin", ""),
    ("age", ""),
    ("allow", ""),
    ("authorization", ""),
    ("cache-control", ""),
    ("content-disposition", ""),
    ("content-encoding", ""),
    ("content-language", ""),
    ("content-length", ""),
    ("content-location", ""),
    ("content-range", ""),
    ("content-type", ""),
    ("cookie", ""),
    ("date", ""),
    ("etag", ""),
    ("expect", ""),
    ("expires", ""),
    ("from", ""),
    ("host", ""),
    ("if-match", ""),
    ("if-modified-since", ""),
    ("if-none-match", ""),
    ("if-range", ""),
    ("if-unmodified-since", ""),
    ("last-modified", ""),
    ("link", ""),
    ("location", ""),
    ("max-forwards", ""),
    ("proxy-authenticate", ""),
    ("proxy-authorization", ""),
    ("range", ""),
    ("referer", ""),
    ("refresh", ""),
    ("retry-after", ""),
    ("server", ""),
    ("set-cookie", ""),
    ("strict-transport-security", ""),
    ("transfer-encoding", ""),
    ("user-agent", ""),
    ("vary", ""),
    ("via", ""),
    ("www-authenticate", ""),
];

/// A header that goes out as a literal without indexing.
pub(super) fn write(name: &str, value: &str, out: &mut Vec<u8>) {
    out.push(0);
    for text in [name, value] {
        integer(text.len(), out);
        out.extend_from_slice(text.as_bytes());
    }
}

fn integer(value: usize, out: &mut Vec<u8>) {
    if value < 127 {
        return out.push(value as u8);
    }
    out.push(127);
    let mut rest = value - 127;
    while rest >= 128 {
        out.push(rest as u8 | 128);
        rest >>= 7;
    }
    out.push(rest as u8);
}

/// The headers of a block, or what is wrong with it.
pub(super) fn read(block: &[u8]) -> Result<Vec<(String, String)>, String> {
    let (mut block, mut headers) = (Block(block), Vec::new());
    while let Some(first) = block.0.first().copied() {
        if first & 0x80 != 0 {
            let (name, value) = entry(block.integer(7)?)?;
            headers.push((name.to_owned(), value.to_owned()));
        } else if first & 0xe0 == 0x20 {
            block.integer(5)?;
        } else {
            let index = block.integer(if first & 0x40 != 0 { 6 } else { 4 })?;
            let name = if index == 0 { block.text()? } else { entry(index)?.0.to_owned() };
            headers.push((name, block.text()?));
        }
    }
    Ok(headers)
}

fn entry(index: usize) -> Result<(&'static str, &'static str), String> {
    let found = index.checked_sub(1).and_then(|at| STATIC.get(at));
    found.copied().ok_or_else(|| format!("header index {index}: the dynamic table has size 0"))
}

struct Block<'a>(&'a [u8]);

impl Block<'_> {
    fn byte(&mut self) -> Result<u8, String> {
        let (first, rest) = self.0.split_first().ok_or("a header block that is cut")?;
        self.0 = rest;
        Ok(*first)
    }

    fn integer(&mut self, bits: u32) -> Result<usize, String> {
        let most = (1usize << bits) - 1;
        let mut value = usize::from(self.byte()?) & most;
        if value < most {
            return Ok(value);
        }
        for shift in [0, 7, 14] {
            let byte = self.byte()?;
            value += usize::from(byte & 127) << shift;
            if byte & 128 == 0 {
                return Ok(value);
            }
        }
        Err("a number over 2097151 in a header block".to_owned())
    }

    fn text(&mut self) -> Result<String, String> {
        let huffman = self.0.first().is_some_and(|byte| byte & 128 != 0);
        let length = self.integer(7)?;
        let text = self.0.get(..length).ok_or("a header text that is cut")?;
        self.0 = &self.0[length..];
        let bytes = if huffman { huffman::decode(text) } else { text.to_vec() };
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut block = Vec::new();
        let long = "v".repeat(300);
        write(":path", "/files", &mut block);
        write("x", &long, &mut block);
        assert_eq!(read(&block).unwrap(), [(":path".into(), "/files".into()), ("x".into(), long)]);
    }

    #[test]
    fn indexed_and_coded_headers_are_read() {
        let block = [0x88, 0x0f, 0x09, 0x82, 0x64, 0x02];
        assert_eq!(read(&block).unwrap()[0], (":status".into(), "200".into()));
        assert_eq!(read(&block).unwrap()[1], ("cache-control".into(), "302".into()));
    }

    #[test]
    fn a_cut_block_and_an_unknown_index_are_errors() {
        assert!(read(&[0x40, 0x05, b'a']).unwrap_err().contains("cut"));
        assert!(read(&[0xbe]).unwrap_err().contains("index 62"));
    }
}
