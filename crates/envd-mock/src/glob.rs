//! Patterns with `*` (anything but a slash), `**` (anything), `?` (one character but a slash) and `\` (the next one as it
//! is), over the text as it is. A `**` between two slashes also stands for nothing: `a/**/b` matches `a/b`.
//!
//! Matching takes time linear in the text, whatever the pattern: literals are compared, and everything else runs as a
//! nondeterministic automaton with one bit for each token.

mod automaton;
#[cfg(test)]
mod reference;

use std::fmt;
use std::hash::{Hash, Hasher};

/// The longest pattern that a script may contain, in characters.
pub(crate) const LONGEST: usize = 4096;

/// A pattern that matches whole texts.
#[derive(Debug, Clone)]
pub struct Glob {
    pattern: Box<str>,
    form: Form,
}

/// What a pattern comes to.
#[derive(Debug, Clone)]
enum Form {
    /// The pattern itself.
    Plain,
    /// This text: the pattern without its backslashes.
    Literal(Box<str>),
    /// This text, and anything after it.
    Prefix(Box<str>),
    Mixed(Box<Mixed>),
}

/// A pattern that starts and ends with literals, either of which may be empty, and something else in between.
#[derive(Debug, Clone)]
struct Mixed {
    prefix: Box<str>,
    suffix: Box<str>,
    tokens: Box<[Token]>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    Char(char),
    One,
    Within,
    All,
    /// What comes next, and the slash behind it, may as well be missing.
    Perhaps,
}

/// What every text that matches has in common, for an index of patterns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape<'g> {
    /// It is this.
    Exactly(&'g str),
    /// It starts with the first and ends with the second; either may be empty.
    Around(&'g str, &'g str),
}

/// The pattern cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadGlob(String);

impl Glob {
    /// Whether all of `text` matches.
    pub fn matches(&self, text: &str) -> bool {
        match &self.form {
            Form::Plain => *self.pattern == *text,
            Form::Literal(literal) => **literal == *text,
            Form::Prefix(prefix) => text.starts_with(&**prefix),
            Form::Mixed(mixed) => mixed.matches(text),
        }
    }

    /// The pattern.
    pub fn as_str(&self) -> &str {
        &self.pattern
    }

    pub(crate) fn shape(&self) -> Shape<'_> {
        match &self.form {
            Form::Plain => Shape::Exactly(&self.pattern),
            Form::Literal(literal) => Shape::Exactly(literal),
            Form::Prefix(prefix) => Shape::Around(prefix, ""),
            Form::Mixed(mixed) => Shape::Around(&mixed.prefix, &mixed.suffix),
        }
    }

    /// As read from a text, but a lone `\` at its end stands for itself, so that every text is a pattern.
    pub(crate) fn lenient(pattern: impl Into<String>) -> Self {
        let pattern = pattern.into().into_boxed_str();
        Self { form: Form::new(&pattern), pattern }
    }
}

impl Form {
    fn new(pattern: &str) -> Self {
        if !pattern.contains(['*', '?', '\\']) {
            return Self::Plain;
        }
        let tokens = tokens(pattern);
        let prefix: String = literals(tokens.iter()).collect();
        match &tokens[prefix.chars().count()..] {
            [] => Self::Literal(prefix.into()),
            [Token::All] => Self::Prefix(prefix.into()),
            rest => {
                let last: String = literals(rest.iter().rev()).collect();
                let suffix: String = last.chars().rev().collect();
                // The slash of `**/` belongs to what may be missing.
                let group =
                    rest[..rest.len() - last.chars().count()].ends_with(&[Token::Perhaps, Token::All]);
                let suffix = if group { suffix[1..].to_owned() } else { suffix };
                let tokens = rest[..rest.len() - suffix.chars().count()].into();
                Self::Mixed(Box::new(Mixed { prefix: prefix.into(), suffix: suffix.into(), tokens }))
            }
        }
    }
}

impl Mixed {
    fn matches(&self, text: &str) -> bool {
        let inner = text.strip_prefix(&*self.prefix).and_then(|rest| rest.strip_suffix(&*self.suffix));
        inner.is_some_and(|inner| match &*self.tokens {
            [Token::All] => true,
            [Token::Within] => !inner.contains('/'),
            tokens => automaton::matches(tokens, inner),
        })
    }
}

/// The characters that come first.
fn literals<'t>(tokens: impl Iterator<Item = &'t Token>) -> impl Iterator<Item = char> {
    tokens.map_while(|token| match token {
        Token::Char(c) => Some(*c),
        _ => None,
    })
}

/// The pattern in pieces; no star follows another one, and no `**/` another one.
fn tokens(pattern: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = pattern;
    while let Some(c) = rest.chars().next() {
        let begins = rest.len() == pattern.len() || tokens.last() == Some(&Token::Char('/'));
        if begins && rest.starts_with("**/") {
            if !tokens.ends_with(&[Token::Perhaps, Token::All, Token::Char('/')]) {
                tokens.extend([Token::Perhaps, Token::All, Token::Char('/')]);
            }
            rest = &rest[3..];
        } else if rest.starts_with("**") {
            star(&mut tokens, Token::All);
            rest = &rest[2..];
        } else {
            let escaped = rest.strip_prefix('\\').and_then(|behind| behind.chars().next());
            match (c, escaped) {
                (_, Some(escaped)) => tokens.push(Token::Char(escaped)),
                ('*', _) => star(&mut tokens, Token::Within),
                ('?', _) => tokens.push(Token::One),
                _ => tokens.push(Token::Char(c)),
            }
            rest = &rest[c.len_utf8() + escaped.map_or(0, char::len_utf8)..];
        }
    }
    tokens
}

/// Adds a star, or widens the one that is there.
fn star(tokens: &mut Vec<Token>, star: Token) {
    match tokens.last_mut() {
        Some(last @ Token::Within) => *last = star,
        Some(Token::All) => {}
        _ => tokens.push(star),
    }
}

impl PartialEq for Glob {
    fn eq(&self, other: &Self) -> bool {
        self.pattern == other.pattern
    }
}

impl Eq for Glob {}

impl Hash for Glob {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.pattern.hash(state);
    }
}

impl std::str::FromStr for Glob {
    type Err = BadGlob;

    fn from_str(text: &str) -> Result<Self, BadGlob> {
        let length = text.chars().count();
        if length > LONGEST {
            return Err(BadGlob(format!(
                "expected a pattern of at most {LONGEST} characters, got one of {length}"
            )));
        }
        if text.chars().rev().take_while(|c| *c == '\\').count() % 2 == 1 {
            return Err(BadGlob(format!("expected a character behind the last backslash, got {text:?}")));
        }
        Ok(Self::lenient(text))
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn patterns_match_whole_texts() {
        for (pattern, text, matches) in [
            ("git", "git", true),
            ("git", "gitk", false),
            ("g*t", "git", true),
            ("*", "", true),
            ("*", "a/b", false),
            ("**", "a/b\nc", true),
            ("git clone **", "git clone https://example.org/x.git", true),
            ("git clone *", "git clone https://example.org/x.git", false),
            ("/home/user/**", "/home/user/a/b", true),
            ("/home/user/**", "/home/user", false),
            ("a/**/b", "a/b", true),
            ("a/**/b", "a/x/y/b", true),
            ("a/**/b", "a/xb", false),
            ("**/b", "b", true),
            ("a**b", "a/x/b", true),
            ("?", "é", true),
            ("?", "/", false),
            ("\\*", "*", true),
            ("\\*", "x", false),
            ("{\"a\":[1]}", "{\"a\":[1]}", true),
            ("process.Process/*", "process.Process/Start", true),
        ] {
            assert_eq!(pattern.parse::<Glob>().unwrap().matches(text), matches, "{pattern} {text}");
        }
    }

    #[test]
    fn a_backslash_before_nothing_is_refused_in_a_script_and_itself_in_code() {
        assert!("a\\".parse::<Glob>().is_err() && "a\\\\".parse::<Glob>().is_ok());
        assert!(Glob::lenient("a\\").matches("a\\"));
    }

    /// Kind: matching whose time grows with the product of pattern and text, or faster. Each of these took minutes with
    /// a matcher that visits all tokens at each character.
    #[test]
    fn hostile_patterns_are_matched_in_linear_time() {
        let text = "a".repeat(200_000);
        let slashes = "a/".repeat(100_000);
        for (unit, end) in
            [("**a", "b"), ("*a", "b"), ("**/a/", "b"), ("**?a", "b"), ("a", "b"), ("**aaaaaaaa", "b")]
        {
            let pattern = unit.repeat((LONGEST - 1) / unit.len()) + end;
            let glob: Glob = pattern.parse().unwrap();
            assert!(!glob.matches(&text) && !glob.matches(&slashes), "{unit}");
            // The end of the text is the end of the pattern, so that the pieces in between are really looked for.
            assert!(!glob.matches(&format!("{text}c{end}")), "{unit}");
        }
        let pattern = format!("**{}**", "a".repeat(LONGEST - 5) + "b");
        assert!(!pattern.parse::<Glob>().unwrap().matches(&text));
    }

    #[test]
    fn a_pattern_that_is_too_long_is_refused_with_the_limit() {
        assert!("a".repeat(LONGEST).parse::<Glob>().is_ok());
        let refused = "a".repeat(LONGEST + 1).parse::<Glob>().unwrap_err().to_string();
        assert_eq!(refused, "expected a pattern of at most 4096 characters, got one of 4097");
    }

    #[test]
    fn a_shape_is_what_all_texts_that_match_have_in_common() {
        for (pattern, shape) in [
            ("git", Shape::Exactly("git")),
            ("\\*", Shape::Exactly("*")),
            ("/tmp/**", Shape::Around("/tmp/", "")),
            ("/tmp/*.py", Shape::Around("/tmp/", ".py")),
            ("a/**/b", Shape::Around("a/", "b")),
            ("**/b", Shape::Around("", "b")),
            ("**", Shape::Around("", "")),
        ] {
            assert_eq!(pattern.parse::<Glob>().unwrap().shape(), shape, "{pattern}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]
        #[test]
        fn the_automaton_agrees_with_the_reference(
            pattern in "([ab/é]|\\*|\\*\\*|\\*\\*/|\\?|/\\*\\*/|\\\\[*a]){0,12}",
            text in "[abé/*]{0,12}",
        ) {
            let glob = Glob::lenient(pattern.clone());
            prop_assert_eq!(glob.matches(&text), reference::matches(&pattern, &text), "{} {}", pattern, text);
        }

        #[test]
        fn long_patterns_agree_with_the_reference(
            pattern in "([ab]{1,12}|\\*|\\*\\*|\\?|/\\*\\*/){8,24}",
            pieces in prop::collection::vec("[ab/]{0,12}", 24),
        ) {
            // A text that the pattern was made into matches more often than one of its own.
            let mut pieces = pieces.into_iter();
            let mut text = String::new();
            let mut rest = pattern.as_str();
            while let Some(c) = rest.chars().next() {
                match c {
                    '*' => text.push_str(&pieces.next().unwrap_or_default()),
                    '?' => text.push('a'),
                    _ => text.push(c),
                }
                rest = &rest[c.len_utf8()..];
            }
            let glob = Glob::lenient(pattern.clone());
            prop_assert_eq!(glob.matches(&text), reference::matches(&pattern, &text), "{} {}", pattern, text);
        }
    }

    proptest! {
        #[test]
        fn a_text_with_its_signs_escaped_matches_itself_alone(text in ".*", other in ".*") {
            let escaped: String = text.chars().flat_map(|c| ['\\', c]).collect();
            let glob = Glob::lenient(escaped);
            prop_assert!(glob.matches(&text));
            prop_assert_eq!(glob.matches(&other), text == other);
        }

        #[test]
        fn two_stars_match_whatever_stands_there(before in "[a-z]{0,4}", between in "(?s).*", after in "[a-z]{0,4}") {
            let (pattern, text) = (format!("{before}**{after}"), format!("{before}{between}{after}"));
            prop_assert!(Glob::lenient(pattern).matches(&text));
        }
    }
}
