//! Takes secrets out of what was seen, before anything else gets to see it: tokens and signatures become masks of the
//! same length, one for each secret, so that lengths and repetitions stay true. Pure.

use std::collections::BTreeSet;

use memchr::memmem;

use crate::observation::{Exchange, Observation};
use crate::verdict::Verdict;

/// Shorter secrets are no secrets, and masking them would garble everything.
const SHORTEST: usize = 4;

/// Masks every token and signature in both.
pub(super) fn redact(observation: &mut Observation, verdict: &mut Verdict) {
    let found: BTreeSet<Vec<u8>> =
        observation.steps.iter().flat_map(|step| secrets(&step.exchange)).collect();
    // The longest first, so that one that holds another is masked whole.
    let mut secrets: Vec<_> = found.into_iter().filter(|secret| secret.len() >= SHORTEST).collect();
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    let masks: Vec<_> = secrets.iter().enumerate().map(|(at, secret)| mask(at, secret.len())).collect();
    let swaps: Vec<_> = secrets.iter().map(Vec::as_slice).zip(masks.iter().map(Vec::as_slice)).collect();
    for step in &mut observation.steps {
        exchange(&mut step.exchange, &swaps);
    }
    match verdict {
        Verdict::Fail(finding) => {
            text(&mut finding.expected, &swaps);
            text(&mut finding.observed, &swaps);
        }
        Verdict::Inconclusive(why) => text(why, &swaps),
        Verdict::Pass | Verdict::Blocked(_) | Verdict::Unsupported(_) | Verdict::Skip(_) => {}
    }
}

/// `a***`, `b***` and so on.
fn mask(at: usize, length: usize) -> Vec<u8> {
    let letter = b'a' + u8::try_from(at % 26).unwrap_or(0);
    [letter].into_iter().chain(std::iter::repeat(b'*')).take(length).collect()
}

fn secrets(exchange: &Exchange) -> Vec<Vec<u8>> {
    let headers = exchange.sent_headers.iter();
    let tokens = headers.filter(|(name, _)| name.eq_ignore_ascii_case("x-access-token"));
    let mut out: Vec<_> = tokens.map(|(_, value)| value.clone().into_bytes()).collect();
    out.extend(between(&exchange.sent, b"\"access_token\":\"", b'"'));
    out.extend(between(&exchange.sent, b"\"accessToken\":\"", b'"'));
    out.extend(between(exchange.target.as_bytes(), b"signature=", b'&'));
    out
}

/// What stands behind each `mark`, up to `end` or the end of all.
fn between(all: &[u8], mark: &[u8], end: u8) -> Vec<Vec<u8>> {
    memmem::find_iter(all, mark)
        .map(|at| all[at + mark.len()..].iter().copied().take_while(|&byte| byte != end).collect())
        .collect()
}

type Swaps<'a> = [(&'a [u8], &'a [u8])];

fn exchange(exchange: &mut Exchange, swaps: &Swaps<'_>) {
    text(&mut exchange.target, swaps);
    for (_, value) in exchange.sent_headers.iter_mut().chain(&mut exchange.headers) {
        text(value, swaps);
    }
    bytes(&mut exchange.sent, swaps);
    bytes(&mut exchange.body, swaps);
}

fn text(text: &mut String, swaps: &Swaps<'_>) {
    let mut raw = std::mem::take(text).into_bytes();
    bytes(&mut raw, swaps);
    *text = String::from_utf8_lossy(&raw).into_owned();
}

fn bytes(all: &mut [u8], swaps: &Swaps<'_>) {
    for (secret, mask) in swaps {
        let mut at = 0;
        while let Some(next) = memmem::find(&all[at..], secret) {
            let end = at + next + secret.len();
            all[at + next..end].copy_from_slice(mask);
            at = end;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observation::Step;
    use crate::verdict::Finding;

    #[test]
    fn no_token_and_no_signature_is_left_and_lengths_stay() {
        let exchange = Exchange {
            target: "/files?path=/a&signature=v1_abc%2F&username=root".into(),
            sent_headers: vec![("X-Access-Token".into(), "other".into())],
            sent: br#"{"access_token":"s3cret","x":1}"#.to_vec(),
            body: b"you said s3cret".to_vec(),
            ..Exchange::default()
        };
        let steps = vec![Step { label: "a".into(), exchange }];
        let mut observation = Observation { steps, ..Observation::default() };
        let finding =
            Finding { step: "a".into(), expected: "no s3cret".into(), observed: "v1_abc%2F".into() };
        let mut verdict = Verdict::Fail(finding);
        redact(&mut observation, &mut verdict);
        let exchange = &observation.steps[0].exchange;
        assert_eq!(exchange.target, "/files?path=/a&signature=a********&username=root");
        assert_eq!(exchange.sent_headers[0].1, "c****");
        assert_eq!(exchange.sent, br#"{"access_token":"b*****","x":1}"#);
        assert_eq!(exchange.body, b"you said b*****");
        let Verdict::Fail(finding) = verdict else { panic!() };
        assert_eq!((finding.expected.as_str(), finding.observed.as_str()), ("no b*****", "a********"));
    }
}
