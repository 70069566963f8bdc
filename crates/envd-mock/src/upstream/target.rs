//! Where an upstream is and how it is spoken to. Pure.

use std::fmt;
use std::str::FromStr;

use http::uri::{Authority, Scheme};
use http::{HeaderValue, Uri};

/// The base URL of an upstream: `http://HOST[:PORT]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    authority: Authority,
    host: HeaderValue,
}

/// What calls are handed on by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum UpstreamProtocol {
    /// By what they came by.
    #[default]
    Auto,
    /// HTTP/1.1.
    H1,
    /// HTTP/2 with prior knowledge.
    H2,
}

/// No URL that a proxy can stand before.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected the upstream as http://HOST[:PORT], got {0:?}")]
pub struct BadTarget(String);

impl Target {
    /// What is connected to: host and port.
    pub(super) fn address(&self) -> (&str, u16) {
        let host = self.authority.host().trim_start_matches('[').trim_end_matches(']');
        (host, self.authority.port_u16().unwrap_or(80))
    }

    pub(super) fn authority(&self) -> &Authority {
        &self.authority
    }

    /// The value of the Host header.
    pub(super) fn host(&self) -> &HeaderValue {
        &self.host
    }
}

impl FromStr for Target {
    type Err = BadTarget;

    fn from_str(text: &str) -> Result<Self, BadTarget> {
        let refused = || BadTarget(text.to_owned());
        let uri: Uri = text.parse().map_err(|_| refused())?;
        let authority =
            uri.authority().filter(|_| uri.scheme() == Some(&Scheme::HTTP)).ok_or_else(refused)?;
        let bare = uri.path() == "/" && uri.query().is_none() && !authority.as_str().contains('@');
        let sound = !authority.host().is_empty() && authority.port().is_some() == has_port(authority);
        if !bare || !sound {
            return Err(refused());
        }
        let host = HeaderValue::from_str(authority.as_str()).map_err(|_| refused())?;
        Ok(Self { authority: authority.clone(), host })
    }
}

/// Whether something stands where a port does.
fn has_port(authority: &Authority) -> bool {
    authority.as_str().len() > authority.host().len()
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}", self.authority)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_url_is_a_host_and_perhaps_a_port() {
        let address = |text: &str| {
            let target: Target = text.parse().unwrap();
            let (host, port) = target.address();
            format!("{host} {port}")
        };
        assert_eq!(address("http://127.0.0.1:49983"), "127.0.0.1 49983");
        assert_eq!(address("http://envd.internal/"), "envd.internal 80");
        assert_eq!(address("http://[::1]:8080"), "::1 8080");
    }

    #[test]
    fn anything_else_is_refused_with_what_was_seen() {
        for text in [
            "",
            "127.0.0.1:49983",
            "https://a",
            "http://",
            "http://a:",
            "http://a:70000",
            "http://u@a",
            "http://a/x",
            "http://a?b",
        ] {
            let error = text.parse::<Target>().unwrap_err().to_string();
            assert_eq!(error, format!("expected the upstream as http://HOST[:PORT], got {text:?}"));
        }
    }
}
