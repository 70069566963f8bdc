//! Patterns as automata that are in many states at once: one bit for each token. A character costs one pass over the words
//! of the pattern, and once a `**` has been reached, what is in front of it no longer counts, so that a pattern with many of
//! them costs no more than its longest piece.

use std::collections::HashMap;

use super::Token;

const BITS: usize = u64::BITS as usize;

/// Whether all of `text` matches.
pub(super) fn matches(tokens: &[Token], text: &str) -> bool {
    let mut states = States::new(tokens);
    text.chars().all(|c| states.step(c)) && states.accepts()
}

/// How far into the pattern the text so far can have come: all ways at once. State `n` is in front of token `n`.
struct States<'t> {
    tokens: &'t [Token],
    chars: HashMap<char, Places>,
    /// Tokens that take one character which is no slash: `?`.
    one: Vec<u64>,
    /// Tokens that take any number of characters which are no slashes.
    within: Vec<u64>,
    /// Tokens that take anything.
    all: Vec<u64>,
    perhaps: Vec<u64>,
    now: Vec<u64>,
    next: Vec<u64>,
    /// The word that the first possible state is in.
    first: usize,
}

/// The tokens that are one character: a mask where there are many of them.
enum Places {
    Few(Vec<usize>),
    Many(Vec<u64>),
}

impl<'t> States<'t> {
    fn new(tokens: &'t [Token]) -> Self {
        let words = tokens.len() / BITS + 1;
        let mask = |wanted: Token| {
            let mut mask = vec![0; words];
            let places = tokens.iter().enumerate().filter(|(_, token)| **token == wanted);
            places.for_each(|(at, _)| set(&mut mask, at));
            mask
        };
        let mut states = Self {
            tokens,
            chars: places(tokens, words),
            one: mask(Token::One),
            within: mask(Token::Within),
            all: mask(Token::All),
            perhaps: mask(Token::Perhaps),
            now: vec![0; words],
            next: vec![0; words],
            first: 0,
        };
        set(&mut states.now, 0);
        states.close();
        states
    }

    /// Goes on by one character; whether anything can still match.
    fn step(&mut self, c: char) -> bool {
        self.next[self.first..].fill(0);
        if let Some(Places::Few(places)) = self.chars.get(&c) {
            for &at in places.iter().filter(|at| **at / BITS >= self.first && is_set(&self.now, **at)) {
                set(&mut self.next, at + 1);
            }
        }
        let many = match self.chars.get(&c) {
            Some(Places::Many(mask)) => Some(mask),
            _ => None,
        };
        let inside = if c == '/' { 0 } else { u64::MAX };
        let mut carry = 0;
        for word in self.first..self.now.len() {
            let now = self.now[word];
            let taken = now & (many.map_or(0, |mask| mask[word]) | self.one[word] & inside);
            let stays = now & (self.all[word] | self.within[word] & inside);
            self.next[word] |= taken << 1 | carry | stays;
            carry = taken >> (BITS - 1);
        }
        std::mem::swap(&mut self.now, &mut self.next);
        self.close();
        self.now[self.first..].iter().any(|word| *word != 0)
    }

    /// Adds what can be reached without a character. A `**/` may be left out as a whole, and a star may stand for nothing;
    /// no star follows another one, and a `**/` only a literal, so that one pass for each is enough.
    fn close(&mut self) {
        for word in self.first..self.now.len() {
            let mut rest = self.now[word] & self.perhaps[word];
            while rest != 0 {
                let at = word * BITS + rest.trailing_zeros() as usize;
                rest &= rest - 1;
                set(&mut self.now, at + 1);
                set(&mut self.now, at + 3);
            }
        }
        let mut carry = 0;
        for word in self.first..self.now.len() {
            let stars = self.now[word] & (self.all[word] | self.within[word]);
            self.now[word] |= stars << 1 | carry;
            carry = stars >> (BITS - 1);
        }
        self.forget();
    }

    /// Whatever would match from in front of a `**` that is reached also matches from there.
    fn forget(&mut self) {
        for word in (self.first..self.now.len()).rev() {
            let mut reached = self.now[word] & self.all[word];
            while reached != 0 {
                let bit = BITS - 1 - reached.leading_zeros() as usize;
                reached &= !(1 << bit);
                let at = word * BITS + bit;
                // The one of `**/` may be left out, so that not every way leads through it.
                if at > 0 && self.tokens[at - 1] == Token::Perhaps {
                    continue;
                }
                self.now[self.first..word].fill(0);
                self.now[word] &= u64::MAX << bit;
                self.first = word;
                return;
            }
        }
    }

    fn accepts(&self) -> bool {
        is_set(&self.now, self.tokens.len())
    }
}

/// Where each character is; a mask for those that are too many to be visited one by one.
fn places(tokens: &[Token], words: usize) -> HashMap<char, Places> {
    let mut all: HashMap<char, Places> = HashMap::new();
    for (at, token) in tokens.iter().enumerate() {
        let Token::Char(c) = token else { continue };
        let places = all.entry(*c).or_insert_with(|| Places::Few(Vec::new()));
        match places {
            Places::Few(few) if few.len() < words.max(4) => few.push(at),
            Places::Few(few) => {
                let mut mask = vec![0; words];
                few.iter().chain([&at]).for_each(|at| set(&mut mask, *at));
                *places = Places::Many(mask);
            }
            Places::Many(mask) => set(mask, at),
        }
    }
    all
}

fn set(words: &mut [u64], at: usize) {
    words[at / BITS] |= 1 << (at % BITS);
}

fn is_set(words: &[u64], at: usize) -> bool {
    words[at / BITS] & 1 << (at % BITS) != 0
}
