//! Finds the paths of a file that begin with `crate`, `super` or `self`, or with a module in a `use` of the crate root, as
//! paths from the crate root.

use super::lexer::{Token, tokens};

/// One path; a `use` with braces has several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Leaf {
    /// From the crate root on.
    pub(crate) path: Vec<String>,
    /// Where it begins.
    pub(crate) line: usize,
}

/// The paths in `text`, which is the module `own`.
pub(crate) fn leaves(text: &str, own: &[String]) -> Vec<Leaf> {
    let mut reader =
        Reader { tokens: tokens(text), at: 0, own: own.to_vec(), open: Vec::new(), out: Vec::new() };
    while reader.at < reader.tokens.len() {
        reader.step();
    }
    reader.out
}

struct Reader {
    tokens: Vec<Token>,
    at: usize,
    /// The module, including inline modules that are open.
    own: Vec<String>,
    /// For each open brace, whether it belongs to an inline module.
    open: Vec<bool>,
    out: Vec<Leaf>,
}

impl Reader {
    fn text(&self, ahead: usize) -> &str {
        self.tokens.get(self.at + ahead).map_or("", |token| token.text.as_str())
    }

    fn is(&self, texts: &[&str]) -> bool {
        texts.iter().enumerate().all(|(ahead, text)| self.text(ahead) == *text)
    }

    fn follows_path(&self) -> bool {
        self.at > 0 && self.tokens[self.at - 1].text == ":"
    }

    fn step(&mut self) {
        match self.text(0) {
            "#" if self.is(&["#", "[", "cfg", "(", "test", ")", "]"]) => self.skip_test_item(),
            "mod" if self.text(2) == "{" => {
                self.own.push(self.text(1).to_owned());
                self.open.push(true);
                self.at += 3;
            }
            "{" => {
                self.open.push(false);
                self.at += 1;
            }
            "}" => {
                if self.open.pop() == Some(true) {
                    self.own.pop();
                }
                self.at += 1;
            }
            "crate" | "super" | "self" if self.text(1) == ":" && !self.follows_path() => self.path(),
            "use" if self.own.is_empty() => {
                self.at += 1;
                self.path();
            }
            _ => self.at += 1,
        }
    }

    /// Skips an item under `#[cfg(test)]`: up to a semicolon, or to the end of its braces.
    fn skip_test_item(&mut self) {
        let mut depth = 0usize;
        self.at += 7;
        while self.at < self.tokens.len() {
            match self.text(0) {
                "{" => depth += 1,
                "}" if depth <= 1 => {
                    self.at += 1;
                    return;
                }
                "}" => depth -= 1,
                ";" if depth == 0 => {
                    self.at += 1;
                    return;
                }
                _ => {}
            }
            self.at += 1;
        }
    }

    /// Reads a path, with its braces if it has some.
    fn path(&mut self) {
        let line = self.tokens.get(self.at).map_or(0, |token| token.line);
        self.tree(Vec::new(), line);
    }

    fn tree(&mut self, mut before: Vec<String>, line: usize) {
        loop {
            match self.text(0) {
                "{" => {
                    self.at += 1;
                    while !matches!(self.text(0), "}" | "") {
                        self.tree(before.clone(), line);
                        if self.text(0) == "," {
                            self.at += 1;
                        }
                    }
                    self.at += 1;
                    return;
                }
                // The name behind `as` is new: skip it.
                "*" | "as" => {
                    self.skip_to_end_of_leaf();
                    return self.leaf(before, line);
                }
                word => before.push(word.to_owned()),
            }
            self.at += 1;
            if !self.is(&[":", ":"]) || self.text(2) == "<" {
                if self.text(0) == "as" {
                    self.at += 2;
                }
                return self.leaf(before, line);
            }
            self.at += 2;
        }
    }

    fn skip_to_end_of_leaf(&mut self) {
        self.at += if self.text(0) == "as" { 2 } else { 1 };
    }

    fn leaf(&mut self, path: Vec<String>, line: usize) {
        let mut from: Vec<String> = match path.first().map(String::as_str) {
            Some("super" | "self") => self.own.clone(),
            _ => Vec::new(),
        };
        for part in path {
            match part.as_str() {
                "crate" | "self" => {}
                "super" => drop(from.pop()),
                _ => from.push(part),
            }
        }
        self.out.push(Leaf { path: from, line });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(text: &str, own: &[&str]) -> Vec<String> {
        let own: Vec<String> = own.iter().map(|&part| part.to_owned()).collect();
        leaves(text, &own).into_iter().map(|leaf| leaf.path.join("::")).collect()
    }

    #[test]
    fn braces_and_inline_paths_are_read() {
        assert_eq!(paths("use crate::a::b;", &["x"]), ["a::b"]);
        assert_eq!(paths("use crate::{a, b::{c, d as e}, f::*};", &["x"]), ["a", "b::c", "b::d", "f"]);
        assert_eq!(
            paths("fn f() { m!(crate::a::g(1)); crate::b::H::<u8>::new() }", &["x"]),
            ["a::g", "b::H"]
        );
        assert_eq!(
            paths("pub(crate) fn f() {} // crate::a::b\nconst S: &str = \"crate::a\";", &["x"]),
            [""; 0]
        );
    }

    #[test]
    fn relative_paths_are_resolved() {
        assert_eq!(paths("use super::b;", &["x"]), ["b"]);
        assert_eq!(paths("use super::b; mod m { use super::super::super::c; }", &["x", "y"]), ["x::b", "c"]);
        assert_eq!(paths("use self::a::b;", &["x"]), ["x::a::b"]);
    }

    #[test]
    fn test_code_does_not_count() {
        let text = "#[cfg(test)] use crate::a; use crate::b; #[cfg(test)] mod tests { use crate::c; fn f() {} } fn g() { crate::d::e() }";
        assert_eq!(paths(text, &["x"]), ["b", "d::e"]);
    }
}
