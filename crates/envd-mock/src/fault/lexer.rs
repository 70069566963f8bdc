//! Expressions as tokens: words, with or without `key=`, and the colon before the fault. Knows no key and no fault.

use std::ops::Range;

use super::node::Problem;

/// A piece of an expression.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Token {
    Word(Word),
    /// A colon behind which a blank or nothing stands.
    Colon(Range<usize>),
}

/// `value`, `key=value` or `key.name=value`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Word {
    /// All of it.
    pub(crate) at: Range<usize>,
    pub(crate) key: Option<Spot>,
    pub(crate) name: Option<Spot>,
    pub(crate) value: Spot,
    pub(crate) quoted: bool,
}

/// A text and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Spot {
    pub(crate) text: String,
    pub(crate) at: Range<usize>,
}

/// Which part of an expression is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// Before the colon, where a colon at the end of a word ends it.
    Head,
    /// Behind the colon, where a colon is a character.
    Fault,
}

/// Reads one expression after the other; they end with the line or at a ` ; `.
#[derive(Debug, Clone)]
pub(crate) struct Lexer<'a> {
    text: &'a str,
    at: usize,
}

/// The keys behind which a dot and a name may stand.
const WITH_NAMES: [&str; 2] = ["header", "query"];

impl<'a> Lexer<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// Where it is, as an empty place.
    pub(crate) fn here(&self) -> Range<usize> {
        self.at..self.at
    }

    /// Goes on to the next expression; false when there is none.
    pub(crate) fn next_expression(&mut self) -> bool {
        self.skip(|c| c.is_whitespace());
        while self.at_separator() {
            self.at += 1;
            self.skip(|c| c.is_whitespace());
        }
        !self.rest().is_empty()
    }

    /// The next token of this expression.
    pub(crate) fn next(&mut self, part: Part) -> Result<Option<Token>, Problem> {
        let before = self.at;
        self.skip(|c| c.is_whitespace() && c != '\n');
        if self.rest().is_empty() || self.rest().starts_with('\n') || self.at_separator() {
            // The end is where the last word ends.
            self.at = before;
            return Ok(None);
        }
        if part == Part::Head && self.at_colon() {
            self.at += 1;
            return Ok(Some(Token::Colon(self.at - 1..self.at)));
        }
        self.word(part).map(|word| Some(Token::Word(word)))
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn skip(&mut self, of: impl Fn(char) -> bool) {
        self.at += self.rest().find(|c| !of(c)).unwrap_or(self.rest().len());
    }

    /// Only asked at the start of a word.
    fn at_separator(&self) -> bool {
        self.rest()
            .strip_prefix(';')
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(char::is_whitespace))
    }

    fn at_colon(&self) -> bool {
        self.rest()
            .strip_prefix(':')
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(char::is_whitespace))
    }

    fn word(&mut self, part: Part) -> Result<Word, Problem> {
        let start = self.at;
        let (key, name) = self.key()?.map_or((None, None), |(key, name)| (Some(key), name));
        let quoted = self.rest().starts_with(['"', '\'']);
        let value = if quoted { self.quoted(part)? } else { self.bare(part) };
        if value.text.is_empty() && !quoted {
            let got = format!("nothing behind {:?}", &self.text[start..self.at]);
            return Err(Problem::new(self.here(), "a value", got, "tag=build, or tag=\"\" for an empty one"));
        }
        Ok(Word { at: start..self.at, key, name, value, quoted })
    }

    /// `key=` or `key.name=`, if that is what comes.
    fn key(&mut self) -> Result<Option<(Spot, Option<Spot>)>, Problem> {
        let start = self.at;
        if !self.rest().starts_with(|c: char| c.is_ascii_alphabetic()) {
            return Ok(None);
        }
        self.skip(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
        let key = self.spot(start);
        let mut name = None;
        if WITH_NAMES.contains(&&*key.text) && self.rest().starts_with('.') {
            self.at += 1;
            name = Some(self.name()?);
        }
        if self.rest().starts_with('=') {
            self.at += 1;
            return Ok(Some((key, name)));
        }
        self.at = start;
        Ok(None)
    }

    fn name(&mut self) -> Result<Spot, Problem> {
        let start = self.at;
        if self.rest().starts_with(['"', '\'']) {
            return self.string();
        }
        self.skip(|c| c != '=' && !c.is_whitespace());
        Ok(self.spot(start))
    }

    fn spot(&self, start: usize) -> Spot {
        Spot { text: self.text[start..self.at].to_owned(), at: start..self.at }
    }

    fn bare(&mut self, part: Part) -> Spot {
        let start = self.at;
        self.skip(|c| !c.is_whitespace());
        if part == Part::Head && self.text[start..self.at].ends_with(':') {
            self.at -= 1;
        }
        self.spot(start)
    }

    /// A text in quotes, behind which the word ends.
    fn quoted(&mut self, part: Part) -> Result<Spot, Problem> {
        let spot = self.string()?;
        let rest = self.rest();
        let ends =
            rest.is_empty() || rest.starts_with(char::is_whitespace) || part == Part::Head && self.at_colon();
        if ends {
            return Ok(spot);
        }
        let got = rest.chars().next().map_or_else(String::new, |c| format!("{c:?}"));
        Err(Problem::new(self.here(), "a blank behind the closing quote", got, "name=\"a b\" tag=c"))
    }

    fn string(&mut self) -> Result<Spot, Problem> {
        let start = self.at;
        let quote = if self.rest().starts_with('"') { '"' } else { '\'' };
        self.at += 1;
        let mut text = String::new();
        loop {
            let Some(c) = self.rest().chars().next().filter(|c| *c != '\n') else {
                let expected = format!("a closing {quote}");
                return Err(Problem::new(start..self.at, expected, "the end of the line", "name=\"a b\""));
            };
            self.at += c.len_utf8();
            match c {
                _ if c == quote => return Ok(Spot { text, at: start..self.at }),
                '\\' if quote == '"' => text.push(self.escape()?),
                _ => text.push(c),
            }
        }
    }

    /// What stands behind a backslash.
    fn escape(&mut self) -> Result<char, Problem> {
        let start = self.at - 1;
        let (c, length) = match self.rest().chars().next() {
            Some('n') => (Some('\n'), 1),
            Some('t') => (Some('\t'), 1),
            Some(c @ ('"' | '\\')) => (Some(c), 1),
            Some('u') => unicode(self.rest()),
            Some(c) => (None, if c == '\n' { 0 } else { c.len_utf8() }),
            None => (None, 0),
        };
        self.at += length;
        c.ok_or_else(|| {
            let got = format!("{:?}", &self.text[start..self.at]);
            Problem::new(
                start..self.at,
                "one of \\\", \\\\, \\n, \\t and \\u{...}",
                got,
                "\"a \\\"b\\\"\\u{21}\"",
            )
        })
    }
}

/// The character of `u{...}`, and how long that is.
fn unicode(text: &str) -> (Option<char>, usize) {
    let inner = text.strip_prefix("u{").and_then(|rest| rest.split_once('}')).map(|(inner, _)| inner);
    let digits =
        inner.filter(|inner| (1..=6).contains(&inner.len()) && inner.bytes().all(|b| b.is_ascii_hexdigit()));
    let Some(digits) = digits else { return (None, 1) };
    let c = u32::from_str_radix(digits, 16).ok().and_then(char::from_u32);
    (c, digits.len() + 3)
}
