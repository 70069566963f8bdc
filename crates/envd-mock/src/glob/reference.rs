//! The plainest implementation of the patterns, as a reference: each character visits each token. Slow on purpose.

/// Whether all of `text` matches `pattern`.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    let tokens = tokens(pattern);
    let mut states = States::new(&tokens);
    text.chars().for_each(|c| states.step(c));
    states.accepts()
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
