//! The check of `/files`, which is its own: the token itself, or a signature that stands in for it (contract
//! section 2).

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use sha2::{Digest as _, Sha256};

use super::asked::Asked;

/// What a signature allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    Read,
    Write,
}

/// What a request shows for itself.
pub(super) struct Claim<'a> {
    pub(super) asked: &'a Asked,
    pub(super) username: &'a str,
    pub(super) operation: Operation,
    pub(super) token_header: Option<&'a [u8]>,
}

/// Judges a claim against the guest's token.
///
/// # Errors
/// With the contract's text.
pub(super) fn check(claim: &Claim<'_>, token: &str, now: SystemTime) -> Result<(), &'static str> {
    if let Some(shown) = claim.token_header.filter(|shown| !shown.is_empty()) {
        return same(shown, token.as_bytes())
            .then_some(())
            .ok_or("access token present in header but does not match");
    }
    let signature = claim.asked.signature.as_deref().ok_or("missing signature query parameter")?;
    if !same(signature.as_bytes(), sign(claim, token).as_bytes()) {
        return Err("invalid signature");
    }
    match claim.asked.signature_expiration {
        Some(expiration) if expiration < unix_seconds(now) => Err("signature is already expired"),
        _ => Ok(()),
    }
}

fn sign(claim: &Claim<'_>, token: &str) -> String {
    let path = claim.asked.path.as_deref().unwrap_or_default();
    let operation = match claim.operation {
        Operation::Read => "read",
        Operation::Write => "write",
    };
    let mut text = format!("{path}:{operation}:{}:{token}", claim.username);
    if let Some(expiration) = claim.asked.signature_expiration {
        text.push_str(&format!(":{expiration}"));
    }
    format!("v1_{}", STANDARD_NO_PAD.encode(Sha256::digest(text)))
}

/// Compares in a time that tells nothing about where the two differ.
fn same(left: &[u8], right: &[u8]) -> bool {
    let difference = left.iter().zip(right).fold(0, |seen, (left, right)| seen | (left ^ right));
    left.len() == right.len() && std::hint::black_box(difference) == 0
}

fn unix_seconds(time: SystemTime) -> i64 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
        Err(before) => -i64::try_from(before.duration().as_secs()).unwrap_or(i64::MAX),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const VECTOR: &str = "v1_W0H70l5eP6cXb6svHqsDGEavs8WBopekZlY/hy8DMKY";

    fn judge(
        signature: Option<&str>,
        expiration: Option<i64>,
        header: Option<&str>,
    ) -> Result<(), &'static str> {
        let asked = Asked {
            path: Some("/home/user/a.txt".into()),
            signature: signature.map(Into::into),
            signature_expiration: expiration,
            ..Asked::default()
        };
        let header = header.map(str::as_bytes);
        let claim =
            Claim { asked: &asked, username: "root", operation: Operation::Read, token_header: header };
        check(&claim, "s3cret", UNIX_EPOCH + Duration::from_millis(1_000_900))
    }

    #[test]
    fn the_contracts_vector_passes_and_its_padded_form_does_not() {
        assert_eq!(judge(Some(VECTOR), None, None), Ok(()));
        assert_eq!(judge(Some(&format!("{VECTOR}=")), None, None), Err("invalid signature"));
        assert_eq!(judge(Some(""), None, None), Err("invalid signature"));
    }

    #[test]
    fn a_header_decides_before_a_signature() {
        assert_eq!(judge(None, None, Some("s3cret")), Ok(()));
        let wrong = "access token present in header but does not match";
        assert_eq!(judge(Some(VECTOR), None, Some("other")), Err(wrong));
        assert_eq!(judge(Some(VECTOR), None, Some("")), Ok(()));
        assert_eq!(judge(None, None, Some("")), Err("missing signature query parameter"));
    }

    #[test]
    fn an_expiration_is_signed_and_counts_in_whole_seconds() {
        let signed = |expiration| {
            let asked = Asked {
                path: Some("/home/user/a.txt".into()),
                signature_expiration: Some(expiration),
                ..Asked::default()
            };
            let claim =
                Claim { asked: &asked, username: "root", operation: Operation::Read, token_header: None };
            sign(&claim, "s3cret")
        };
        assert_eq!(judge(Some(&signed(1000)), Some(1000), None), Ok(()));
        assert_eq!(judge(Some(&signed(999)), Some(999), None), Err("signature is already expired"));
        assert_eq!(judge(Some(VECTOR), Some(2000), None), Err("invalid signature"));
    }
}
