//! Header blocks of HTTP/2 (RFC 7541), without a dynamic table: requests as literals, answers as the static table and
//! Huffman's code have them. Knows no frames.

use std::sync::LazyLock;

/// Names and values of the static table (RFC 7541, appendix A), from index 1.
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

/// The bits of each byte in Huffman's code (RFC 7541, appendix B); the code is canonical, so that these are all of it.
const BITS: [u8; 256] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28,
    28, 28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6,
    6, 6, 7, 8, 15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7,
    8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7,
    15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24,
    23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23,
    23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25, 26,
    26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20,
    21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27,
    27, 27, 26,
];

/// Fields, each as a literal that is neither indexed nor packed (section 6.2.2).
pub(super) fn encode<'f>(fields: impl IntoIterator<Item = (&'f str, &'f str)>) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        text(name, &mut block);
        text(value, &mut block);
    }
    block
}

fn text(text: &str, block: &mut Vec<u8>) {
    let mut rest = text.len();
    if rest < 127 {
        block.push(rest as u8);
    } else {
        block.push(127);
        rest -= 127;
        while rest >= 128 {
            block.push((rest % 128) as u8 | 128);
            rest /= 128;
        }
        block.push(rest as u8);
    }
    block.extend_from_slice(text.as_bytes());
}

/// The fields of a block; `None` when it cannot be read or uses the dynamic table, which was declined.
pub(super) fn decode(mut block: &[u8]) -> Option<Vec<(String, String)>> {
    let mut fields = Vec::new();
    while let Some(first) = block.first() {
        match first {
            0x80.. => {
                let (name, value) = STATIC.get(number(&mut block, 7)?.checked_sub(1)?)?;
                fields.push(((*name).to_owned(), (*value).to_owned()));
            }
            // A new size of the dynamic table.
            0x20..0x40 => {
                number(&mut block, 5)?;
            }
            _ => {
                let index = number(&mut block, if *first >= 0x40 { 6 } else { 4 })?;
                let name = match index.checked_sub(1) {
                    Some(index) => STATIC.get(index)?.0.to_owned(),
                    None => string(&mut block)?,
                };
                fields.push((name, string(&mut block)?));
            }
        }
    }
    Some(fields)
}

/// A number behind a prefix of so many bits (section 5.1).
fn number(block: &mut &[u8], bits: u32) -> Option<usize> {
    let most = (1_usize << bits) - 1;
    let mut value = usize::from(take(block)?) & most;
    let mut shift = 0;
    while value >= most {
        let byte = take(block)?;
        value += usize::from(byte & 127).checked_shl(shift)?;
        shift += 7;
        if byte < 128 {
            break;
        }
    }
    Some(value)
}

fn take(block: &mut &[u8]) -> Option<u8> {
    let (first, rest) = block.split_first()?;
    *block = rest;
    Some(*first)
}

/// A text, packed or not (section 5.2).
fn string(block: &mut &[u8]) -> Option<String> {
    let packed = *block.first()? >= 128;
    let length = number(block, 7)?;
    let (bytes, rest) = block.split_at_checked(length)?;
    *block = rest;
    let bytes = if packed { unpack(bytes)? } else { bytes.to_vec() };
    String::from_utf8(bytes).ok()
}

/// Takes Huffman's code apart; the padding of ones at the end is shorter than a byte.
fn unpack(bytes: &[u8]) -> Option<Vec<u8>> {
    let (mut text, mut code, mut length) = (Vec::new(), 0_u32, 0_u8);
    for bit in bytes.iter().flat_map(|byte| (0..8).rev().map(move |at| byte >> at & 1)) {
        (code, length) = (code << 1 | u32::from(bit), length + 1);
        if let Some(byte) = byte_of(code, length) {
            text.push(byte);
            (code, length) = (0, 0);
        }
    }
    (length < 8 && code == (1 << length) - 1).then_some(text)
}

/// The codes of one length follow each other in the order of their bytes.
struct Group {
    first: u32,
    bytes: Vec<u8>,
}

/// By length in bits, from 0.
static GROUPS: LazyLock<Vec<Group>> = LazyLock::new(|| {
    let mut next = 0;
    let group = |length: u8| {
        let bytes: Vec<u8> = (0..=255).filter(|byte| BITS[usize::from(*byte)] == length).collect();
        let first = next;
        next = (next + bytes.len() as u32) << 1;
        Group { first, bytes }
    };
    (0..=30).map(group).collect()
});

/// The byte that has this code.
fn byte_of(code: u32, length: u8) -> Option<u8> {
    let group = GROUPS.get(usize::from(length))?;
    group.bytes.get(usize::try_from(code.checked_sub(group.first)?).ok()?).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_the_specification_are_unpacked() {
        // RFC 7541, section C.6.1.
        assert_eq!(unpack(&[0x64, 0x02]).unwrap(), b"302");
        assert_eq!(unpack(&[0xae, 0xc3, 0x77, 0x1a, 0x4b]).unwrap(), b"private");
        let url = [
            0x9d, 0x29, 0xad, 0x17, 0x18, 0x63, 0xc7, 0x8f, 0x0b, 0x97, 0xc8, 0xe9, 0xae, 0x82, 0xae, 0x43,
            0xd3,
        ];
        assert_eq!(unpack(&url).unwrap(), b"https://www.example.com");
    }

    #[test]
    fn what_is_encoded_is_decoded() {
        let long = "x".repeat(300);
        let fields = [(":status", "200"), ("content-type", "application/json"), ("x", long.as_str())];
        let read = decode(&encode(fields)).unwrap();
        let read: Vec<_> = read.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(read, fields);
        assert_eq!(decode(&[0x88]).unwrap(), [(":status".to_owned(), "200".to_owned())]);
    }
}
