//! The journal as a file: one JSON object a line, a header first, read line by line. Reading checks form and version; what
//! the entries mean is others' business.

use std::io::{self, BufRead};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::entry::Entry;
use super::read::Cursor;
use super::store::Journal;

/// What the first line says it is.
const FORMAT: &str = "envd-mock journal";
/// Changes when a reader of the last one would misunderstand.
const VERSION: u32 = 1;

/// The first line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Header {
    /// "envd-mock journal".
    pub format: String,
    /// Of this form: 1.
    pub format_version: u32,
    /// Of the mock that wrote it.
    pub mock: String,
    /// The wire generation that it played.
    pub generation: u8,
    /// What draws were made from.
    pub seed: u64,
    /// The script that was in force at the end, as JSON.
    pub script: serde_json::Value,
    /// How many of the oldest entries are missing.
    pub dropped: u64,
}

/// A line that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {problem}")]
pub struct BadJournal {
    /// What was read.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// What was expected, and what is there.
    pub problem: String,
}

impl Header {
    pub(crate) fn new(generation: u8, seed: u64, script: serde_json::Value, dropped: u64) -> Self {
        let mock = env!("CARGO_PKG_VERSION").to_owned();
        let (format, format_version) = (FORMAT.to_owned(), VERSION);
        Self { format, format_version, mock, generation, seed, script, dropped }
    }
}

/// An object as a line.
pub(crate) fn line(value: &impl Serialize) -> String {
    json(value) + "\n"
}

/// An entry, or an object with one, as JSON.
pub(crate) fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("an entry has texts for keys and no other map")
}

/// The journal as it was when this was made, as texts of whole lines, the header first.
#[derive(Debug)]
pub(crate) struct Export {
    journal: Arc<Journal>,
    header: Option<Header>,
    cursor: Cursor,
}

impl Export {
    pub(crate) fn new(journal: Arc<Journal>, header: Header, cursor: Cursor) -> Self {
        Self { journal, header: Some(header), cursor }
    }

    /// All of it; the header counts what was dropped before it was read.
    pub(crate) fn into_text(mut self) -> String {
        let mut text = String::new();
        loop {
            let part = self.journal.read(&mut self.cursor);
            if part.is_empty() {
                break;
            }
            part.iter().for_each(|(_, entry)| text.push_str(&line(entry)));
        }
        if let Some(mut header) = self.header {
            header.dropped += self.cursor.missed();
            text.insert_str(0, &line(&header));
        }
        text
    }
}

impl Iterator for Export {
    type Item = io::Result<String>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(header) = self.header.take() {
            return Some(Ok(line(&header)));
        }
        let part = self.journal.read(&mut self.cursor);
        // A file without some of its entries would be replayed wrongly.
        if self.cursor.missed() > 0 {
            let missed = self.cursor.missed();
            return Some(Err(io::Error::other(format!(
                "{missed} entries were dropped before they were written"
            ))));
        }
        (!part.is_empty()).then(|| Ok(part.iter().map(|(_, entry)| line(entry)).collect()))
    }
}

/// The entries of an exported journal, one after the other, each with the number of its line; empty lines are passed over.
#[derive(Debug)]
pub(crate) struct Lines<R> {
    file: String,
    input: R,
    number: usize,
    line: String,
}

impl<R: BufRead> Lines<R> {
    /// Reads the header; `file` is what errors call the journal.
    ///
    /// # Errors
    /// The first line cannot be used.
    pub(crate) fn read(file: &str, input: R) -> Result<(Header, Self), BadJournal> {
        let mut this = Self { file: file.to_owned(), input, number: 0, line: String::new() };
        this.advance()?;
        let header = header(this.line.trim_end_matches(['\r', '\n']));
        Ok((header.map_err(|problem| this.bad(problem))?, this))
    }

    /// Reads the next line; false behind the last.
    fn advance(&mut self) -> Result<bool, BadJournal> {
        self.line.clear();
        self.number += 1;
        match self.input.read_line(&mut self.line) {
            Ok(read) => Ok(read > 0),
            Err(error) => Err(self.bad(format!("cannot be read: {error}"))),
        }
    }

    fn bad(&self, problem: String) -> BadJournal {
        BadJournal { file: self.file.clone(), line: self.number, problem }
    }
}

impl<R: BufRead> Iterator for Lines<R> {
    type Item = Result<(usize, Entry), BadJournal>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.advance() {
                Ok(true) if self.line.trim().is_empty() => {}
                Ok(true) => break,
                Ok(false) => return None,
                Err(error) => return Some(Err(error)),
            }
        }
        let entry = serde_json::from_str(&self.line)
            .map_err(|error| self.bad(format!("expected an entry of a journal, got {error}")));
        Some(entry.map(|entry| (self.number, entry)))
    }
}

fn header(line: &str) -> Result<Header, String> {
    let expected = format!("expected the header of a journal, {{\"format\":{FORMAT:?},...}}");
    let header: Header = serde_json::from_str(line).map_err(|error| format!("{expected}, got {error}"))?;
    if header.format != FORMAT {
        return Err(format!("{expected}, got the format {:?}", header.format));
    }
    if header.format_version != VERSION {
        return Err(format!("expected format version {VERSION}, got {}", header.format_version));
    }
    Ok(header)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::CallEntry;

    fn write(header: &Header, entries: &[Entry]) -> String {
        std::iter::once(line(header)).chain(entries.iter().map(line)).collect()
    }

    fn read(file: &str, text: &str) -> Result<(Header, Vec<(usize, Entry)>), BadJournal> {
        let (header, lines) = Lines::read(file, text.as_bytes())?;
        Ok((header, lines.collect::<Result<_, _>>()?))
    }

    fn written() -> String {
        let header = Header::new(2, 7, serde_json::json!({ "seed": 7 }), 0);
        let call = CallEntry { call: 1, operation: "GET /health".into(), ..CallEntry::default() };
        write(&header, &[Entry::Call(Box::new(call))])
    }

    #[test]
    fn a_journal_is_read_as_it_was_written() {
        let (header, entries) = read("j", &written()).unwrap();
        assert_eq!((header.seed, entries.len(), entries[0].0), (7, 1, 2));
        let entries: Vec<_> = entries.into_iter().map(|(_, entry)| entry).collect();
        assert_eq!(write(&header, &entries), written());
    }

    #[test]
    fn a_broken_journal_is_refused_with_file_and_line() {
        let refusals: Vec<_> = [
            String::new(),
            "{}".to_owned(),
            written().replace("envd-mock journal", "diary"),
            written().replace("\"format_version\":1", "\"format_version\":2"),
            written() + "\n{\"entry\":\"call\",\"call\":",
            written().replace("\"entry\":\"call\"", "\"entry\":\"dream\""),
        ]
        .iter()
        .map(|text| read("run.jsonl", text).unwrap_err().to_string())
        .collect();
        insta::assert_snapshot!(refusals.join("\n"));
    }
}
