//! The Huffman code of header texts (RFC 7541, 5.2 and appendix B). The code is canonical: its lengths say all.

/// How many bits the code of each byte has, from 0 to 255.
const LENGTHS: [u8; 256] = [
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

/// The bytes behind `coded`; what is left over at the end is padding.
pub(super) fn decode(coded: &[u8]) -> Vec<u8> {
    let codes = codes();
    let (mut out, mut code, mut length) = (Vec::new(), 0u32, 0u8);
    for bit in coded.iter().flat_map(|byte| (0..8).rev().map(move |at| byte >> at & 1)) {
        (code, length) = (code << 1 | u32::from(bit), length.saturating_add(1));
        if let Ok(at) = codes.binary_search_by_key(&(length, code), |(length, code, _)| (*length, *code)) {
            out.push(codes[at].2);
            (code, length) = (0, 0);
        }
        if length > 30 {
            break;
        }
    }
    out
}

/// Length, code and byte, sorted: each code is the one before it plus one, moved up when codes get longer.
fn codes() -> Vec<(u8, u32, u8)> {
    let mut codes: Vec<(u8, u32, u8)> = (0..=255).map(|byte| (LENGTHS[usize::from(byte)], 0, byte)).collect();
    codes.sort_unstable_by_key(|(length, _, byte)| (*length, *byte));
    let (mut next, mut before) = (0, 0);
    for (length, code, _) in &mut codes {
        next <<= *length - before;
        (*code, before) = (next, *length);
        next += 1;
    }
    codes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_rfc_7541_are_read() {
        let coded = [0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a, 0x6b, 0xa0, 0xab, 0x90, 0xf4, 0xff];
        assert_eq!(decode(&coded), b"www.example.com");
        assert_eq!(decode(&[0x64, 0x02]), b"302");
        let date = [
            0xd0, 0x7a, 0xbe, 0x94, 0x10, 0x54, 0xd4, 0x44, 0xa8, 0x20, 0x05, 0x95, 0x04, 0x0b, 0x81, 0x66,
            0xe0, 0x82, 0xa6, 0x2d, 0x1b, 0xff,
        ];
        assert_eq!(decode(&date), b"Mon, 21 Oct 2013 20:13:21 GMT");
    }
}
