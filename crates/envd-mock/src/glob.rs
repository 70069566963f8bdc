//! Patterns with `*` (anything but a slash), `**` (anything), `?` (one character but a slash) and `\` (the next one as it
//! is), over the text as it is. A `**` between two slashes also stands for nothing: `a/**/b` matches `a/b`.

use std::fmt;

/// Characters of the longest pattern that is read from a script.
const LONGEST: usize = 4096;

/// A pattern that matches whole texts.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Glob {
    pattern: String,
    tokens: Vec<Token>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Token {
    Char(char),
    One,
    Within,
    All,
    /// What comes next, and the slash behind it, may as well be missing.
    Perhaps,
}

/// The pattern cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadGlob(String);

impl Glob {
    /// Whether all of `text` matches.
    pub fn matches(&self, text: &str) -> bool {
        let mut states = States::new(&self.tokens);
        text.chars().for_each(|c| states.step(c));
        states.accepts()
    }

    /// The pattern.
    pub fn as_str(&self) -> &str {
        &self.pattern
    }

    /// As read from a text, but a lone `\` at its end stands for itself, so that every text is a pattern.
    pub(crate) fn lenient(pattern: impl Into<String>) -> Self {
        let pattern = pattern.into();
        Self { tokens: tokens(&pattern), pattern }
    }
}

fn tokens(pattern: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = pattern;
    while let Some(c) = rest.chars().next() {
        let begins = rest.len() == pattern.len() || tokens.last() == Some(&Token::Char('/'));
        if begins && rest.starts_with("**/") {
            tokens.extend([Token::Perhaps, Token::All, Token::Char('/')]);
            rest = &rest[3..];
        } else if rest.starts_with("**") {
            tokens.push(Token::All);
            rest = &rest[2..];
        } else {
            let escaped = rest.strip_prefix('\\').and_then(|behind| behind.chars().next());
            tokens.push(match (c, escaped) {
                (_, Some(escaped)) => Token::Char(escaped),
                ('*', _) => Token::Within,
                ('?', _) => Token::One,
                _ => Token::Char(c),
            });
            rest = &rest[c.len_utf8() + escaped.map_or(0, char::len_utf8)..];
        }
    }
    tokens
}

/// How far into the pattern the text so far can have come: all ways at once.
struct States<'g> {
    tokens: &'g [Token],
    now: Vec<bool>,
    next: Vec<bool>,
}

impl<'g> States<'g> {
    fn new(tokens: &'g [Token]) -> Self {
        let mut states =
            Self { tokens, now: vec![false; tokens.len() + 1], next: vec![false; tokens.len() + 1] };
        enter(tokens, &mut states.now, 0);
        states
    }

    fn step(&mut self, c: char) {
        self.next.fill(false);
        for (at, token) in self.tokens.iter().enumerate().filter(|&(at, _)| self.now[at]) {
            match token {
                Token::Char(expected) if *expected == c => enter(self.tokens, &mut self.next, at + 1),
                Token::One if c != '/' => enter(self.tokens, &mut self.next, at + 1),
                Token::Within if c != '/' => enter(self.tokens, &mut self.next, at),
                Token::All => enter(self.tokens, &mut self.next, at),
                _ => {}
            }
        }
        std::mem::swap(&mut self.now, &mut self.next);
    }

    fn accepts(&self) -> bool {
        self.now[self.tokens.len()]
    }
}

/// Comes to `at`, and to whatever can be reached from there without a character.
fn enter(tokens: &[Token], states: &mut [bool], mut at: usize) {
    loop {
        states[at] = true;
        match tokens.get(at) {
            Some(Token::Perhaps) => enter(tokens, states, at + 1),
            Some(Token::Within | Token::All) => {}
            _ => return,
        }
        at += if tokens[at] == Token::Perhaps { 3 } else { 1 };
    }
}

impl std::str::FromStr for Glob {
    type Err = BadGlob;

    fn from_str(text: &str) -> Result<Self, BadGlob> {
        if text.chars().count() > LONGEST {
            return Err(BadGlob(format!(
                "expected a pattern of at most {LONGEST} characters, got a longer one"
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
