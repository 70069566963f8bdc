//! What a program puts out or writes: bytes, or a text with places for what it was asked and what it has read. Pure.

use std::fmt;
use std::str::FromStr;

use bytes::Bytes;

/// Bytes of the longest text after it was filled in; the rest is cut off.
const LARGEST: usize = 1 << 20;

/// Bytes as they are, or a text to fill in.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Content {
    Bytes(Bytes),
    Text(Template),
}

/// A text in which `{stdin}`, `{args}`, `{arg1}`, `{env.NAME}` and `{cwd}` are filled in; `{{` is a brace.
/// Any other brace stands for itself, unless what it encloses looks like a place.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Template {
    source: String,
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq)]
enum Part {
    Text(String),
    Stdin,
    Args,
    /// Counted from 1.
    Arg(usize),
    Env(String),
    Cwd,
}

/// What places are filled in from.
pub(crate) trait Filling {
    /// What the last reading step took.
    fn stdin(&self) -> &[u8];
    fn args(&self) -> &[String];
    fn env(&self, name: &str) -> Option<&str>;
    fn cwd(&self) -> &str;
}

/// A text names a place that there is not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {{stdin}}, {{args}}, {{arg1}}, {{env.NAME}}, {{cwd}} or {{{{ for a brace, got {{{0}}}")]
pub(crate) struct BadTemplate(pub(crate) String);

impl Content {
    pub(crate) fn fill(&self, filling: &impl Filling) -> Bytes {
        match self {
            Self::Bytes(bytes) => bytes.clone(),
            Self::Text(template) => template.fill(filling).into(),
        }
    }
}

impl Template {
    /// As it was written.
    pub(crate) fn as_str(&self) -> &str {
        &self.source
    }

    /// As read from a text, but a place that there is not stands for itself.
    pub(crate) fn lenient(source: impl Into<String>) -> Self {
        let source = source.into();
        let (parts, _) = parts(&source);
        Self { source, parts }
    }

    /// What has no value is nothing.
    pub(crate) fn fill(&self, filling: &impl Filling) -> Vec<u8> {
        let mut filled = Vec::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => filled.extend_from_slice(text.as_bytes()),
                Part::Stdin => filled.extend_from_slice(filling.stdin()),
                Part::Args => join(&mut filled, filling.args()),
                Part::Arg(n) => {
                    let arg = n.checked_sub(1).and_then(|index| filling.args().get(index));
                    filled.extend_from_slice(arg.map_or(b"", |arg| arg.as_bytes()));
                }
                Part::Env(name) => filled.extend_from_slice(filling.env(name).unwrap_or("").as_bytes()),
                Part::Cwd => filled.extend_from_slice(filling.cwd().as_bytes()),
            }
            if filled.len() >= LARGEST {
                break;
            }
        }
        filled.truncate(LARGEST);
        filled
    }
}

fn join(filled: &mut Vec<u8>, args: &[String]) {
    for (index, arg) in args.iter().enumerate() {
        if index > 0 {
            filled.push(b' ');
        }
        filled.extend_from_slice(arg.as_bytes());
    }
}

impl FromStr for Template {
    type Err = BadTemplate;

    fn from_str(source: &str) -> Result<Self, BadTemplate> {
        match parts(source) {
            (parts, None) => Ok(Self { source: source.to_owned(), parts }),
            (_, Some(unknown)) => Err(BadTemplate(unknown)),
        }
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)
    }
}

/// The parts of a text, and the first name of a place that there is not.
fn parts(source: &str) -> (Vec<Part>, Option<String>) {
    let (mut parts, mut unknown) = (Vec::new(), None);
    let (mut text, mut rest) = (String::new(), source);
    while let Some(brace) = rest.find('{') {
        text.push_str(&rest[..brace]);
        let behind = &rest[brace + 1..];
        if let Some(escaped) = behind.strip_prefix('{') {
            text.push('{');
            rest = escaped;
            continue;
        }
        let name = behind.split_once('}').map(|(name, _)| name).filter(|name| is_name(name));
        match name.map(|name| (name, place(name))) {
            Some((name, Some(part))) => {
                parts.extend([Part::Text(std::mem::take(&mut text)), part]);
                rest = &behind[name.len() + 1..];
            }
            other => {
                unknown = unknown.or(other.map(|(name, _)| name.to_owned()));
                text.push('{');
                rest = behind;
            }
        }
    }
    text.push_str(rest);
    parts.push(Part::Text(text));
    parts.retain(|part| *part != Part::Text(String::new()));
    (parts, unknown)
}

/// A word that only a place has: small letters, then letters, digits, dots and underscores.
fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '.' || c == '_')
}

fn place(name: &str) -> Option<Part> {
    match name {
        "stdin" => Some(Part::Stdin),
        "args" => Some(Part::Args),
        "cwd" => Some(Part::Cwd),
        _ => match (name.strip_prefix("env."), name.strip_prefix("arg")) {
            (Some(variable), _) => (!variable.is_empty()).then(|| Part::Env(variable.to_owned())),
            (None, Some(number)) => number.parse().ok().filter(|number| *number > 0).map(Part::Arg),
            (None, None) => None,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    struct Facts(Vec<String>);

    impl Filling for Facts {
        fn stdin(&self) -> &[u8] {
            b"read"
        }

        fn args(&self) -> &[String] {
            &self.0
        }

        fn env(&self, name: &str) -> Option<&str> {
            (name == "HOME").then_some("/root")
        }

        fn cwd(&self) -> &str {
            "/tmp"
        }
    }

    fn filled(text: &str) -> String {
        let facts = Facts(vec!["a".into(), "b c".into()]);
        String::from_utf8(text.parse::<Template>().unwrap().fill(&facts)).unwrap()
    }

    #[test]
    fn places_are_filled_in() {
        for (text, expected) in [
            ("got {stdin}\n", "got read\n"),
            ("{args}|{arg1}|{arg2}|{arg3}", "a b c|a|b c|"),
            ("{env.HOME}{env.GONE}:{cwd}", "/root:/tmp"),
            ("{{stdin}", "{stdin}"),
            ("{{{stdin}}", "{read}"),
            (r#"{"a":{"b":[1]}}"#, r#"{"a":{"b":[1]}}"#),
            ("${HOME} {} { stdin } {", "${HOME} {} { stdin } {"),
        ] {
            assert_eq!(filled(text), expected, "{text}");
        }
    }

    #[test]
    fn what_looks_like_a_place_and_is_none_is_refused_in_a_script_and_itself_in_code() {
        for text in ["{stdout}", "{arg0}", "{argx}", "{env.}", "a {{ {user} b"] {
            let error = text.parse::<Template>().unwrap_err();
            assert!(error.to_string().starts_with("expected {stdin}, {args}"), "{error}");
        }
        let lenient = Template::lenient("{stdout} {cwd}").fill(&Facts(Vec::new()));
        assert_eq!(lenient, b"{stdout} /tmp");
    }

    #[test]
    fn what_is_filled_in_is_bounded() {
        let long = Template::lenient("{arg1}".repeat(9));
        assert_eq!(long.fill(&Facts(vec!["x".repeat(LARGEST - 1)])).len(), LARGEST);
    }

    proptest! {
        #[test]
        fn a_text_with_its_braces_doubled_is_itself(text in ".*") {
            prop_assert_eq!(filled(&text.replace('{', "{{")), text);
        }

        #[test]
        fn no_text_panics(text in "[{}a-z0-9.]*") {
            let _ = (text.parse::<Template>(), Template::lenient(text));
        }
    }
}
