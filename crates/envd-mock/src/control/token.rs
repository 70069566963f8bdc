//! The token that guards the control port, and who sends it. It appears in no Debug output.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

use http::{HeaderMap, header};

use crate::guest::life::same_secret;

/// A bearer token.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct ControlToken(String);

impl ControlToken {
    pub(crate) fn new(token: impl Into<String>) -> Self {
        Self(token.into())
    }

    /// Whether a client can send it.
    pub(crate) fn is_usable(&self) -> bool {
        !self.0.is_empty() && self.0.bytes().all(|byte| byte.is_ascii_graphic())
    }

    /// Whether a request carries it, in exactly one `Authorization` header.
    pub(super) fn is_sent_by(&self, headers: &HeaderMap) -> bool {
        let mut sent = headers.get_all(header::AUTHORIZATION).iter();
        let (Some(value), None) = (sent.next(), sent.next()) else { return false };
        let Some((scheme, token)) = split(value.as_bytes()) else { return false };
        scheme.eq_ignore_ascii_case(b"bearer") && same_secret(self.0.as_bytes(), token)
    }
}

/// The scheme and what follows it.
fn split(value: &[u8]) -> Option<(&[u8], &[u8])> {
    let space = value.iter().position(|&byte| byte == b' ')?;
    Some((&value[..space], value[space..].trim_ascii()))
}

impl fmt::Debug for ControlToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ControlToken(***)")
    }
}

impl FromStr for ControlToken {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self::new(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sends(values: &[&str]) -> bool {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::AUTHORIZATION, value.parse().unwrap());
        }
        ControlToken::new("s3cret").is_sent_by(&headers)
    }

    #[test]
    fn only_the_whole_token_behind_the_scheme_counts() {
        assert!(sends(&["Bearer s3cret"]) && sends(&["bearer  s3cret"]));
        let others = [
            "s3cret",
            "Bearer",
            "Bearer ",
            "Bearer s3cre",
            "Bearer s3cret2",
            "Basic s3cret",
            "Bearer S3cret",
        ];
        for other in others {
            assert!(!sends(&[other]), "{other}");
        }
        assert!(
            !sends(&[])
                && !sends(&["Bearer s3cret", "Bearer s3cret"])
                && !sends(&["Bearer s3cret", "Basic x"])
        );
    }

    #[test]
    fn a_token_that_no_header_carries_is_not_usable() {
        assert!(ControlToken::new("a-b_c.d~e+f/g=").is_usable());
        for token in ["", "a b", "a\n", "é"] {
            assert!(!ControlToken::new(token).is_usable(), "{token:?}");
        }
    }

    #[test]
    fn no_debug_output_shows_it() {
        assert!(!format!("{:?}", Some(ControlToken::new("s3cret"))).contains("s3cret"));
    }
}
