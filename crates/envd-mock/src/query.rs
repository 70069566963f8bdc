//! Query strings: the decoded values of a parameter.

use std::borrow::Cow;

/// The values of `name`, each decoded, in order.
pub(crate) fn values<'q>(query: &'q str, name: &str) -> Vec<Cow<'q, str>> {
    let value = |pair: &str| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decoded(key) == name).then(|| Cow::Owned(decoded(value)))
    };
    query.split('&').filter_map(value).collect()
}

/// The decoded names of all parameters, each once.
pub(crate) fn names(query: &str) -> Vec<Cow<'_, str>> {
    let name = |pair: &str| Cow::Owned(decoded(pair.split_once('=').map_or(pair, |(name, _)| name)));
    let mut names: Vec<_> = query.split('&').filter(|pair| !pair.is_empty()).map(name).collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn decoded(text: &str) -> String {
    let spaced = text.replace('+', " ");
    percent_encoding::percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_of_a_parameter_is_decoded() {
        assert_eq!(values("path=%2Fa+b&x=1&path=/c", "path"), ["/a b", "/c"]);
        assert_eq!(values("flag", "flag"), [""]);
        assert!(values("", "path").is_empty());
    }
}
