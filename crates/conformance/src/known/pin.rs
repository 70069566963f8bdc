//! What a known failure is pinned to: words of its text. Pure.

use std::fmt;

use regex::Regex;

/// A part of a failure's text.
#[derive(Debug)]
pub(super) struct Pin {
    told: String,
    regex: Regex,
}

impl Pin {
    /// Of a text with `*` for anything, or of a regular expression; exactly one of them.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn of(message: Option<&str>, regex: Option<&str>) -> Result<Self, String> {
        let (told, pattern) = match (message, regex) {
            (Some(text), None) if !text.trim_matches('*').trim().is_empty() => (text, wild(text)),
            (None, Some(pattern)) if !pattern.is_empty() => (pattern, pattern.to_owned()),
            _ => return Err("expected one of message and regex, not empty".to_owned()),
        };
        let regex = Regex::new(&pattern).map_err(|error| error.to_string())?;
        Ok(Self { told: told.to_owned(), regex })
    }

    /// Whether `text` is what was pinned.
    pub(super) fn holds(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.told)
    }
}

fn wild(text: &str) -> String {
    let parts: Vec<_> = text.split('*').map(regex::escape).collect();
    format!("(?s){}", parts.join(".*"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_anything_and_the_rest_for_itself() {
        let pin = Pin::of(Some("status 4*: (a"), None).unwrap();
        assert!(pin.holds("expected x, observed status 404\n: (a) b"));
        assert!(!pin.holds("observed status 500: (a)"));
    }
}
