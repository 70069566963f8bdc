//! The journal as a file: one JSON object a line, a header first. Reading checks form and version; what the entries mean
//! is others' business.

use serde::{Deserialize, Serialize};

use super::entry::Entry;

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

/// One object a line.
pub(crate) fn write(header: &Header, entries: &[Entry]) -> String {
    let entries = entries.iter().map(line);
    std::iter::once(line(header)).chain(entries).collect()
}

/// An object as a line.
pub(crate) fn line(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("an entry has texts for keys and no other map") + "\n"
}

/// Reads what [`write`] wrote; empty lines are passed over.
///
/// # Errors
/// The first line that cannot be used.
pub(crate) fn read(file: &str, text: &str) -> Result<(Header, Vec<(usize, Entry)>), BadJournal> {
    let bad = |line: usize, problem: String| BadJournal { file: file.to_owned(), line, problem };
    let mut lines = text.lines().enumerate().map(|(index, line)| (index + 1, line));
    let first = lines.next().map(|(_, line)| line).unwrap_or_default();
    let header = header(first).map_err(|problem| bad(1, problem))?;
    let full = lines.filter(|(_, line)| !line.trim().is_empty());
    let entries = full.map(|(number, line)| match serde_json::from_str(line) {
        Ok(entry) => Ok((number, entry)),
        Err(error) => Err(bad(number, format!("expected an entry of a journal, got {error}"))),
    });
    Ok((header, entries.collect::<Result<_, _>>()?))
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
