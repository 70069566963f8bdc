//! What the journal does not keep: secrets of heads.

use http::{HeaderMap, Uri};

const SECRET_HEADERS: [&str; 4] = ["authorization", "cookie", "proxy-authorization", "x-access-token"];
const SECRET_PARAMETERS: [&str; 1] = ["signature"];
const GONE: &str = "[redacted]";

/// Names and values, secrets taken out.
pub(crate) fn headers(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |name: &http::HeaderName, value: &http::HeaderValue| {
        let secret = SECRET_HEADERS.contains(&name.as_str());
        if secret { GONE.to_owned() } else { String::from_utf8_lossy(value.as_bytes()).into_owned() }
    };
    headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(name, value))).collect()
}

/// Path and query, secrets taken out.
pub(crate) fn target(uri: &Uri) -> String {
    let Some(query) = uri.query() else { return uri.path().to_owned() };
    let parameter = |pair: &str| match pair.split_once('=') {
        Some((name, _)) if SECRET_PARAMETERS.contains(&name) => format!("{name}={GONE}"),
        _ => pair.to_owned(),
    };
    let query: Vec<String> = query.split('&').map(parameter).collect();
    format!("{}?{}", uri.path(), query.join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_taken_out_and_the_rest_stays() {
        let uri = Uri::from_static("/files?path=/a&signature=v1_abc&signature_expiration=5");
        assert_eq!(target(&uri), "/files?path=/a&signature=[redacted]&signature_expiration=5");
        let map = HeaderMap::from_iter([
            (http::HeaderName::from_static("x-access-token"), "s3cret".parse().unwrap()),
            (http::HeaderName::from_static("accept"), "*/*".parse().unwrap()),
        ]);
        let seen = headers(&map);
        assert!(seen.contains(&("x-access-token".into(), GONE.into())));
        assert!(seen.contains(&("accept".into(), "*/*".into())));
    }
}
