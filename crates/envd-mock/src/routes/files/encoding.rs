//! Which encoding an answer has: gzip or none, by Accept-Encoding with its weights.

use http::{HeaderMap, header};

/// How the content of an answer is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Identity,
    Gzip,
}

/// Why no encoding will do.
pub(super) const NOTHING_ACCEPTABLE: &str = "no acceptable encoding found, supported: [\"gzip\"]";
pub(super) const IDENTITY_NEEDED: &str = "identity encoding not acceptable for Range or conditional request";

/// What the client accepts, with weights in thousandths.
#[derive(Debug, Default, PartialEq, Eq)]
struct Accepted {
    gzip: Option<u16>,
    identity: Option<u16>,
    any: Option<u16>,
}

/// Chooses for a request; `plain` when it is one that only identity can answer.
///
/// # Errors
/// With the contract's text, when the client accepts nothing that there is.
pub(super) fn choose(headers: &HeaderMap, plain: bool) -> Result<Encoding, &'static str> {
    let accepted = Accepted::read(headers);
    let identity = accepted.identity.or(accepted.any.filter(|weight| *weight == 0)) != Some(0);
    if plain {
        return if identity { Ok(Encoding::Identity) } else { Err(IDENTITY_NEEDED) };
    }
    let gzip = accepted.gzip.unwrap_or(0);
    let rather_identity = accepted.identity.is_some_and(|weight| weight > gzip);
    match (gzip > 0, identity) {
        (true, true) if rather_identity => Ok(Encoding::Identity),
        (true, _) => Ok(Encoding::Gzip),
        (false, true) => Ok(Encoding::Identity),
        (false, false) if accepted.gzip.is_none() && accepted.any.unwrap_or(0) > 0 => Ok(Encoding::Gzip),
        (false, false) => Err(NOTHING_ACCEPTABLE),
    }
}

impl Accepted {
    fn read(headers: &HeaderMap) -> Self {
        let mut accepted = Self::default();
        let values = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
        for item in values.flat_map(|value| value.split(',')) {
            let mut parts = item.split(';').map(str::trim);
            let name = parts.next().unwrap_or_default().to_ascii_lowercase();
            let weight = parts.find_map(weight).unwrap_or(1000);
            let slot = match name.as_str() {
                "gzip" | "x-gzip" => &mut accepted.gzip,
                "identity" => &mut accepted.identity,
                "*" => &mut accepted.any,
                _ => continue,
            };
            *slot = Some(weight);
        }
        accepted
    }
}

fn weight(parameter: &str) -> Option<u16> {
    let value = parameter.strip_prefix("q=").or_else(|| parameter.strip_prefix("Q="))?.trim();
    let weight: f32 = value.parse().ok()?;
    // Cut to the three digits that the grammar allows.
    Some((weight.clamp(0.0, 1.0) * 1000.0).round() as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(value: &str, plain: bool) -> Result<Encoding, &'static str> {
        let mut headers = HeaderMap::new();
        if !value.is_empty() {
            headers.insert(header::ACCEPT_ENCODING, value.parse().unwrap());
        }
        choose(&headers, plain)
    }

    #[test]
    fn the_clients_weights_decide() {
        for (value, expected) in [
            ("", Ok(Encoding::Identity)),
            ("gzip", Ok(Encoding::Gzip)),
            ("GZip;q=0.5, br", Ok(Encoding::Gzip)),
            ("gzip;q=0", Ok(Encoding::Identity)),
            ("br", Ok(Encoding::Identity)),
            ("*", Ok(Encoding::Identity)),
            ("identity, gzip;q=0.5", Ok(Encoding::Identity)),
            ("identity;q=0, *", Ok(Encoding::Gzip)),
            ("identity;q=0, gzip", Ok(Encoding::Gzip)),
            ("*;q=0, gzip", Ok(Encoding::Gzip)),
            ("identity;q=0", Err(NOTHING_ACCEPTABLE)),
            ("*;q=0", Err(NOTHING_ACCEPTABLE)),
            ("identity;q=0, gzip;q=0, *", Err(NOTHING_ACCEPTABLE)),
        ] {
            assert_eq!(of(value, false), expected, "{value}");
        }
    }

    #[test]
    fn a_part_of_a_file_is_never_encoded() {
        assert_eq!(of("gzip", true), Ok(Encoding::Identity));
        assert_eq!(of("gzip, identity;q=0", true), Err(IDENTITY_NEEDED));
        assert_eq!(of("*;q=0", true), Err(IDENTITY_NEEDED));
    }
}
