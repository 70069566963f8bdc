//! Which Host and Origin values may talk to a server that is bound to loopback: loopback ones and those named, so
//! that no web page can run commands. Pure; shared by the guest's port and the control port.

use std::net::IpAddr;
use std::str::FromStr;

use http::uri::Authority;
use http::{HeaderMap, HeaderValue, Uri, header};

/// The guard of one listener.
#[derive(Debug, Clone)]
pub(crate) enum Origins {
    /// Bound to an address that others reach on purpose.
    Any,
    /// Bound to loopback.
    Loopback { named: Vec<Origin> },
}

/// An origin that is admitted by name: `https://host[:port]`, or a host alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    scheme: Option<String>,
    authority: Authority,
}

/// Who was refused, in words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name} {value:?} is neither loopback nor given with --allow-origin")]
pub(crate) struct Refused {
    name: &'static str,
    value: String,
}

impl Origins {
    /// Checks the target's authority, every Host and every Origin.
    pub(crate) fn check(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Refused> {
        let Self::Loopback { named } = self else { return Ok(()) };
        if let Some(authority) = uri.authority() {
            admit(is_host_admitted(authority.as_str(), named), "Host", authority.as_str().as_bytes())?;
        }
        for host in headers.get_all(header::HOST) {
            admit(as_text(host).is_some_and(|text| is_host_admitted(text, named)), "Host", host.as_bytes())?;
        }
        for origin in headers.get_all(header::ORIGIN) {
            let admitted = as_text(origin).is_some_and(|text| is_origin_admitted(text, named));
            admit(admitted, "Origin", origin.as_bytes())?;
        }
        Ok(())
    }
}

fn admit(admitted: bool, name: &'static str, value: &[u8]) -> Result<(), Refused> {
    let refused = || Refused { name, value: String::from_utf8_lossy(value).into_owned() };
    if admitted { Ok(()) } else { Err(refused()) }
}

fn as_text(value: &HeaderValue) -> Option<&str> {
    value.to_str().ok()
}

fn is_host_admitted(text: &str, named: &[Origin]) -> bool {
    text.parse::<Authority>().is_ok_and(|authority| {
        !authority.as_str().contains('@')
            && (is_loopback(authority.host()) || named.iter().any(|origin| origin.has_host(authority.host())))
    })
}

fn is_origin_admitted(text: &str, named: &[Origin]) -> bool {
    text.parse::<Origin>().is_ok_and(|origin| {
        origin.scheme.is_some()
            && (is_loopback(origin.authority.host()) || named.iter().any(|name| name.covers(&origin)))
    })
}

fn is_loopback(host: &str) -> bool {
    let name = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    let address = name.trim_start_matches('[').trim_end_matches(']');
    name == "localhost"
        || name.ends_with(".localhost")
        || address.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

impl Origin {
    fn has_host(&self, host: &str) -> bool {
        self.authority.host().eq_ignore_ascii_case(host)
    }

    /// A host alone covers every scheme and port; a whole origin covers itself.
    fn covers(&self, other: &Self) -> bool {
        match &self.scheme {
            None => self.has_host(other.authority.host()),
            Some(_) => self == other,
        }
    }
}

impl FromStr for Origin {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refused =
            || format!("expected an origin such as https://app.example:8443 or a host, got {text:?}");
        let (scheme, rest) = match text.split_once("://") {
            Some((scheme, rest)) => (Some(scheme.to_ascii_lowercase()), rest),
            None => (None, text),
        };
        let authority: Authority = rest.to_ascii_lowercase().parse().map_err(|_| refused())?;
        let plain = !authority.host().is_empty() && !authority.as_str().contains('@');
        if plain && scheme.as_deref() != Some("") { Ok(Self { scheme, authority }) } else { Err(refused()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(named: &[&str], name: header::HeaderName, value: &str) -> bool {
        let named = named.iter().map(|text| text.parse().unwrap()).collect();
        let headers = HeaderMap::from_iter([(name, value.parse().unwrap())]);
        Origins::Loopback { named }.check(&Uri::from_static("/"), &headers).is_ok()
    }

    #[test]
    fn loopback_hosts_pass_with_any_port() {
        for host in [
            "localhost",
            "LOCALHOST:1",
            "a.localhost",
            "127.0.0.1:49983",
            "127.9.9.9",
            "[::1]:80",
            "localhost.",
        ] {
            assert!(check(&[], header::HOST, host), "{host}");
        }
    }

    #[test]
    fn other_hosts_are_refused() {
        for host in [
            "example.com",
            "localhost.example.com",
            "10.0.0.1",
            "127.0.0.1.nip.io",
            "[::2]",
            "x@localhost",
            "",
            "notlocalhost",
        ] {
            assert!(!check(&[], header::HOST, host), "{host}");
        }
    }

    #[test]
    fn origins_need_a_scheme_and_a_loopback_host() {
        assert!(check(&[], header::ORIGIN, "http://localhost:3000"));
        for origin in
            ["null", "localhost", "https://evil.example", "http://localhost.evil.example", "://localhost", ""]
        {
            assert!(!check(&[], header::ORIGIN, origin), "{origin}");
        }
    }

    #[test]
    fn named_ones_pass() {
        assert!(check(&["https://app.example"], header::ORIGIN, "https://App.Example"));
        assert!(!check(&["https://app.example"], header::ORIGIN, "http://app.example"));
        assert!(check(&["https://app.example"], header::HOST, "app.example:8080"));
        assert!(check(&["app.example"], header::ORIGIN, "http://app.example:81"));
        assert!("https://".parse::<Origin>().is_err() && "a b".parse::<Origin>().is_err());
    }

    #[test]
    fn the_refusal_names_what_it_saw() {
        let headers =
            HeaderMap::from_iter([(header::ORIGIN, HeaderValue::from_static("https://evil.example"))]);
        let refused =
            Origins::Loopback { named: vec![] }.check(&Uri::from_static("/"), &headers).unwrap_err();
        let text = r#"Origin "https://evil.example" is neither loopback nor given with --allow-origin"#;
        assert_eq!(refused.to_string(), text);
        assert!(Origins::Any.check(&Uri::from_static("/"), &headers).is_ok());
    }

    proptest! {
        #[test]
        fn no_foreign_name_passes_whatever_it_looks_like(host in "[a-z0-9.:@\\[\\]-]{0,30}", tld in "com|io|dev") {
            let foreign = format!("{host}.{tld}");
            prop_assert!(!is_host_admitted(&foreign, &[]), "{}", foreign);
        }
    }
}
