//! Conditional requests (RFC 9110, section 13): whether a download goes ahead, and whether its range still holds.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::{HeaderMap, HeaderName, header};

/// What the conditions come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Proceed,
    /// 304: the client has it already.
    NotModified,
    /// 412: it is not what the client thinks.
    Failed,
}

/// What there is, by its tag (without quotes) and the time of its last change.
#[derive(Debug, Clone, Copy)]
pub(super) struct Validators<'a> {
    pub(super) tag: &'a str,
    pub(super) modified: SystemTime,
}

/// Headers that ask for a part, or for anything only under a condition: these get the plain content.
pub(super) fn present(headers: &HeaderMap) -> bool {
    [
        header::RANGE,
        header::IF_MATCH,
        header::IF_NONE_MATCH,
        header::IF_MODIFIED_SINCE,
        header::IF_UNMODIFIED_SINCE,
        header::IF_RANGE,
    ]
    .iter()
    .any(|name| headers.contains_key(name))
}

/// Judges the conditions in the order of the RFC.
pub(super) fn judge(headers: &HeaderMap, there: Validators<'_>) -> Verdict {
    let modified = whole_seconds(there.modified);
    if headers.contains_key(header::IF_MATCH) {
        if !listed(headers, &header::IF_MATCH, there.tag, false) {
            return Verdict::Failed;
        }
    } else if date(headers, &header::IF_UNMODIFIED_SINCE).is_some_and(|since| modified > since) {
        return Verdict::Failed;
    }
    if headers.contains_key(header::IF_NONE_MATCH) {
        if listed(headers, &header::IF_NONE_MATCH, there.tag, true) {
            return Verdict::NotModified;
        }
    } else if date(headers, &header::IF_MODIFIED_SINCE).is_some_and(|since| modified <= since) {
        return Verdict::NotModified;
    }
    Verdict::Proceed
}

/// Whether a Range header counts: without If-Range always, else only when it names exactly what there is.
pub(super) fn range_holds(headers: &HeaderMap, there: Validators<'_>) -> bool {
    let Some(value) = headers.get(header::IF_RANGE) else { return true };
    let Ok(value) = value.to_str() else { return false };
    match httpdate::parse_http_date(value) {
        Ok(date) => date == whole_seconds(there.modified),
        Err(_) => matches(value.trim(), there.tag, false),
    }
}

/// Whether any of the header's entity tags is this one. A weak comparison takes `W/` tags too.
fn listed(headers: &HeaderMap, name: &HeaderName, tag: &str, weak: bool) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .any(|item| item == "*" || matches(item, tag, weak))
}

fn matches(item: &str, tag: &str, weak: bool) -> bool {
    let item = if weak { item.strip_prefix("W/").unwrap_or(item) } else { item };
    item.strip_prefix('"').and_then(|item| item.strip_suffix('"')) == Some(tag)
}

fn date(headers: &HeaderMap, name: &HeaderName) -> Option<SystemTime> {
    httpdate::parse_http_date(headers.get(name)?.to_str().ok()?).ok()
}

/// HTTP dates carry no fractions.
fn whole_seconds(time: SystemTime) -> SystemTime {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    UNIX_EPOCH + Duration::from_secs(since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: &str = "Sun, 06 Nov 1994 08:49:36 GMT";
    const EXACT: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

    fn there() -> Validators<'static> {
        Validators { tag: "abc", modified: UNIX_EPOCH + Duration::from_millis(784_111_777_500) }
    }

    fn verdict(headers: &[(HeaderName, &str)]) -> Verdict {
        judge(&headers.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect(), there())
    }

    #[test]
    fn a_tag_that_is_known_is_not_sent_again() {
        for value in ["\"abc\"", "W/\"abc\"", "\"x\", \"abc\"", "*"] {
            assert_eq!(verdict(&[(header::IF_NONE_MATCH, value)]), Verdict::NotModified, "{value}");
        }
        assert_eq!(
            verdict(&[(header::IF_NONE_MATCH, "\"x\""), (header::IF_MODIFIED_SINCE, EXACT)]),
            Verdict::Proceed
        );
    }

    #[test]
    fn dates_compare_in_whole_seconds() {
        assert_eq!(verdict(&[(header::IF_MODIFIED_SINCE, EXACT)]), Verdict::NotModified);
        assert_eq!(verdict(&[(header::IF_MODIFIED_SINCE, BEFORE)]), Verdict::Proceed);
        assert_eq!(verdict(&[(header::IF_MODIFIED_SINCE, "yesterday")]), Verdict::Proceed);
        assert_eq!(verdict(&[(header::IF_UNMODIFIED_SINCE, EXACT)]), Verdict::Proceed);
        assert_eq!(verdict(&[(header::IF_UNMODIFIED_SINCE, BEFORE)]), Verdict::Failed);
    }

    #[test]
    fn a_precondition_takes_strong_tags_only() {
        assert_eq!(
            verdict(&[(header::IF_MATCH, "\"abc\""), (header::IF_UNMODIFIED_SINCE, BEFORE)]),
            Verdict::Proceed
        );
        assert_eq!(verdict(&[(header::IF_MATCH, "*")]), Verdict::Proceed);
        for value in ["W/\"abc\"", "\"x\"", "abc"] {
            assert_eq!(verdict(&[(header::IF_MATCH, value)]), Verdict::Failed, "{value}");
        }
    }

    #[test]
    fn a_range_holds_only_for_what_the_client_has_seen() {
        for (value, holds) in
            [("\"abc\"", true), (EXACT, true), ("W/\"abc\"", false), (BEFORE, false), ("*", false)]
        {
            let headers = HeaderMap::from_iter([(header::IF_RANGE, value.parse().unwrap())]);
            assert_eq!(range_holds(&headers, there()), holds, "{value}");
        }
        assert!(range_holds(&HeaderMap::new(), there()));
    }
}
