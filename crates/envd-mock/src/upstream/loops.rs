//! Whether a proxy stands before itself: its upstream is an address of its own, or leads back to it over others. The
//! latter is told by the Via header (RFC 9110, section 7.6.3), in which each proxy has a name that nobody else has.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use http::Version;
use http::header::{HeaderMap, HeaderValue, VIA};

use super::target::Target;

/// For the name of an upstream to be resolved; one that takes longer is not at home here.
const LONGEST_LOOKUP: Duration = Duration::from_secs(2);

/// The upstream is the proxy itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the upstream {upstream} is the proxy's own address {address}: it would call itself for ever")]
pub struct OwnUpstream {
    upstream: String,
    address: SocketAddr,
}

/// Refuses an upstream that is one of these addresses, which are bound. An upstream that is not known by now may be
/// later, and passes.
pub(crate) async fn refuse_own(target: &Target, bound: [SocketAddr; 2]) -> Result<(), OwnUpstream> {
    let lookup = tokio::time::timeout(LONGEST_LOOKUP, tokio::net::lookup_host(target.address())).await;
    let Ok(Ok(known)) = lookup else { return Ok(()) };
    let known: Vec<SocketAddr> = known.collect();
    let own = bound.into_iter().find(|bound| known.iter().any(|known| is_same(*known, *bound, is_here)));
    own.map_or(Ok(()), |address| Err(OwnUpstream { upstream: target.to_string(), address }))
}

/// Whether who connects to `known` reaches who listens on `bound`; `is_here` tells addresses of this machine.
fn is_same(known: SocketAddr, bound: SocketAddr, is_here: impl Fn(IpAddr) -> bool) -> bool {
    let (known_ip, bound_ip) = (reached(known.ip()), bound.ip().to_canonical());
    let both = bound.is_ipv6() || known_ip.is_ipv4();
    known.port() == bound.port()
        && (known_ip == bound_ip || (bound_ip.is_unspecified() && both && is_here(known_ip)))
}

/// Connecting to no address in particular reaches the loopback one.
fn reached(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    }
}

/// Only an address of this machine can be bound.
fn is_here(ip: IpAddr) -> bool {
    UdpSocket::bind((ip, 0)).is_ok()
}

/// The name that one proxy has in Via headers.
#[derive(Debug, Clone)]
pub(super) struct Pseudonym {
    name: String,
    /// What is written behind others, by the protocol that a request came by: HTTP/1.0, HTTP/1.1, HTTP/2.
    hops: [HeaderValue; 3],
}

impl Pseudonym {
    pub(super) fn new() -> io::Result<Self> {
        let name = format!("envd-mock-{:016x}", crate::random::word()?);
        let hop =
            |protocol: &str| HeaderValue::try_from(format!("{protocol} {name}")).map_err(io::Error::other);
        Ok(Self { hops: [hop("1.0")?, hop("1.1")?, hop("2")?], name })
    }

    /// Whether a request has passed here before.
    pub(super) fn is_in(&self, headers: &HeaderMap) -> bool {
        let values = headers.get_all(VIA).iter().filter_map(|value| value.to_str().ok());
        let mut hops = values.flat_map(|value| value.split(','));
        hops.any(|hop| hop.split_whitespace().nth(1) == Some(&self.name))
    }

    /// Writes that a request passes here, behind those that it passed before.
    pub(super) fn sign(&self, headers: &mut HeaderMap, received: Version) {
        let hop = match received {
            Version::HTTP_10 => &self.hops[0],
            Version::HTTP_2 => &self.hops[2],
            _ => &self.hops[1],
        };
        headers.append(VIA, hop.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(known: &str, bound: &str) -> bool {
        let here = |ip: IpAddr| ip.is_loopback() || ip == IpAddr::from([10, 0, 0, 1]);
        is_same(known.parse().unwrap(), bound.parse().unwrap(), here)
    }

    #[test]
    fn an_address_is_ones_own_however_it_is_written() {
        assert!(same("127.0.0.1:80", "127.0.0.1:80"));
        assert!(same("0.0.0.0:80", "127.0.0.1:80"));
        assert!(same("[::]:80", "[::1]:80"));
        assert!(same("[::ffff:127.0.0.1]:80", "127.0.0.1:80"));
        assert!(same("10.0.0.1:80", "0.0.0.0:80"));
        assert!(same("10.0.0.1:80", "[::]:80"));
    }

    #[test]
    fn other_ports_and_machines_are_others() {
        assert!(!same("127.0.0.1:81", "127.0.0.1:80"));
        assert!(!same("127.0.0.2:80", "127.0.0.1:80"));
        assert!(!same("10.0.0.2:80", "0.0.0.0:80"));
        assert!(!same("[::1]:80", "0.0.0.0:80"));
    }

    #[test]
    fn a_proxy_knows_its_name_among_those_of_others() {
        let (own, other) = (Pseudonym::new().unwrap(), Pseudonym::new().unwrap());
        let mut headers = HeaderMap::new();
        headers.append(VIA, HeaderValue::from_static("1.0 fred, 1.1 p.example.net (a comment)"));
        other.sign(&mut headers, Version::HTTP_11);
        assert!(other.is_in(&headers) && !own.is_in(&headers));
        own.sign(&mut headers, Version::HTTP_2);
        assert!(other.is_in(&headers) && own.is_in(&headers));
        let last = headers.get_all(VIA).iter().next_back().unwrap();
        assert_eq!(last, &format!("2 {}", own.name));
    }
}
