//! The Content-Disposition of a download: any name becomes a header, by RFC 6266 and RFC 8187.

use http::HeaderValue;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What RFC 8187 calls attr-char stays as it is.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

/// `inline` with the name byte for byte; `None` for one that no header can hold.
pub(super) fn raw(name: &[u8]) -> Option<HeaderValue> {
    HeaderValue::from_bytes(&[b"inline; filename=\"", name, b"\""].concat()).ok()
}

/// `inline` with the name; one that is not plain gets an ASCII stand-in and its exact form beside it.
pub(super) fn inline(name: &str) -> String {
    let mut quoted = String::with_capacity(name.len());
    for character in name.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            ' '..='~' => quoted.push(character),
            _ => quoted.push('_'),
        }
    }
    if quoted == name {
        return format!("inline; filename=\"{quoted}\"");
    }
    format!("inline; filename=\"{quoted}\"; filename*=UTF-8''{}", utf8_percent_encode(name, ESCAPED))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_name_is_quoted_and_nothing_else() {
        assert_eq!(inline("a b.txt"), "inline; filename=\"a b.txt\"");
    }

    #[test]
    fn a_name_of_any_characters_is_a_valid_header() {
        assert_eq!(inline("a\nb"), "inline; filename=\"a_b\"; filename*=UTF-8''a%0Ab");
        assert_eq!(inline("é\""), "inline; filename=\"_\\\"\"; filename*=UTF-8''%C3%A9%22");
        for name in ["\0\r\n\u{7f}", "日本語.txt", "\"\\\"", ""] {
            assert!(http::HeaderValue::from_str(&inline(name)).is_ok(), "{name:?}");
        }
    }
}
