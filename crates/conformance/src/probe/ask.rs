//! A request as data. Sends nothing.

use serde_json::Value;

use crate::stream::envelope;

/// What is to be sent: method, target, headers, body, all as they go out.
#[derive(Debug, Clone)]
pub struct Ask {
    pub(super) method: String,
    pub(super) target: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
    pub(super) manner: Manner,
}

/// How the body goes out, where that is not in one go.
#[derive(Debug, Clone, Default)]
pub(super) struct Manner {
    /// Where the body is cut into writes of their own, in bytes from its start.
    pub(super) cuts: Vec<usize>,
    /// Whether the sender says at the end that it has said all.
    pub(super) shut: bool,
    /// Whether the last chunk is left to the case.
    pub(super) unfinished: bool,
    /// What follows the body, made while it is sent.
    pub(super) flood: Option<Flood>,
}

/// More of a body than is worth keeping: blocks that each name their own number, and then a tail.
#[derive(Debug, Clone)]
pub(super) struct Flood {
    pub(super) blocks: u64,
    pub(super) tail: Vec<u8>,
}

/// The bytes of one block of a flood.
pub const BLOCK: usize = 64 << 10;

/// One block of a flood: its number, over and over.
pub fn block(number: u64) -> Vec<u8> {
    number.to_le_bytes().repeat(BLOCK / 8)
}

impl Ask {
    /// A request without a body.
    pub fn new(method: &str, target: impl Into<String>) -> Self {
        Self {
            method: method.to_owned(),
            target: target.into(),
            headers: Vec::new(),
            body: Vec::new(),
            manner: Manner::default(),
        }
    }

    /// A unary RPC in JSON; `rpc` is its wire name without the leading slash.
    pub fn unary(rpc: &str, message: &Value) -> Self {
        Self::new("POST", format!("/{rpc}"))
            .header("content-type", "application/json")
            .body(message.to_string())
    }

    /// A streaming RPC in JSON, with one envelope for each message.
    pub fn stream(rpc: &str, messages: &[Value]) -> Self {
        let body: Vec<u8> =
            messages.iter().flat_map(|message| envelope::write(0, message.to_string().as_bytes())).collect();
        Self::new("POST", format!("/{rpc}")).header("content-type", "application/connect+json").body(body)
    }

    /// An upload of one part named `part` to `path`, as the host sends it.
    pub fn upload(path: &str, part: &str, content: &[u8]) -> Self {
        Self::form(&[Part { name: part, filename: Some("upload"), content }])
            .query("path", path)
            .query("username", "root")
    }

    /// A form for `/files`, with no query.
    pub fn form(parts: &[Part<'_>]) -> Self {
        let mut body: Vec<u8> = parts.iter().flat_map(Part::bytes).collect();
        body.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
        Self::new("POST", "/files")
            .header("content-type", &format!("multipart/form-data; boundary={BOUNDARY}"))
            .body(body)
    }

    /// So many blocks in the place of the content that an upload has none of yet, made while they are sent.
    #[must_use]
    pub fn then_blocks(mut self, blocks: u64) -> Self {
        let end = format!("\r\n--{BOUNDARY}--\r\n").into_bytes();
        let head = self.body.strip_suffix(end.as_slice()).map(<[u8]>::len);
        let tail = self.body.split_off(head.unwrap_or(self.body.len()));
        self.manner.flood = Some(Flood { blocks, tail });
        self
    }

    /// A download of `path`.
    pub fn download(path: &str) -> Self {
        Self::new("GET", format!("/files?path={}&username=root", escape(path)))
    }

    /// `/init` with this body.
    pub fn init(body: &Value) -> Self {
        Self::new("POST", "/init").header("content-type", "application/json").body(body.to_string())
    }

    /// One more header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// More of the query.
    #[must_use]
    pub fn query(mut self, name: &str, value: &str) -> Self {
        let mark = if self.target.contains('?') { '&' } else { '?' };
        self.target.push_str(&format!("{mark}{name}={}", escape(value)));
        self
    }

    /// The body; Content-Length goes with it.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// The body as it stands.
    pub fn sent(&self) -> &[u8] {
        &self.body
    }

    /// The body goes out in writes of its own, cut at these offsets.
    #[must_use]
    pub fn cut_at(mut self, offsets: impl IntoIterator<Item = usize>) -> Self {
        self.manner.cuts = offsets.into_iter().collect();
        self
    }

    /// The sender closes its side behind the body.
    #[must_use]
    pub fn then_shut(mut self) -> Self {
        self.manner.shut = true;
        self
    }

    /// With Transfer-Encoding, the chunk that ends the body is not sent.
    #[must_use]
    pub fn unfinished(mut self) -> Self {
        self.manner.unfinished = true;
        self
    }

    fn says(&self, name: &str) -> bool {
        self.headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name))
    }

    /// The head as it goes out; what the request says of Host, Connection and framing itself is not said again.
    pub(super) fn head(&self, host: &str) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.target);
        let length = self.length().to_string();
        for (name, value) in [("host", host), ("connection", "close"), ("content-length", &length)] {
            let framed = name != "content-length"
                || !(self.says("transfer-encoding") || (length == "0" && self.method != "POST"));
            if framed && !self.says(name) {
                head.push_str(&format!("{name}: {value}\r\n"));
            }
        }
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        head.into_bytes()
    }

    fn length(&self) -> u64 {
        let flood = self.manner.flood.as_ref();
        self.body.len() as u64
            + flood.map_or(0, |flood| flood.blocks * BLOCK as u64 + flood.tail.len() as u64)
    }

    /// The writes that the body goes out in; with Transfer-Encoding, each is a chunk.
    pub(super) fn pieces(&self) -> Vec<Vec<u8>> {
        let ends = self.manner.cuts.iter().copied().chain([self.body.len()]);
        let mut pieces: Vec<Vec<u8>> = Vec::new();
        let mut at = 0;
        for end in ends {
            let piece = &self.body[at..end.min(self.body.len())];
            at += piece.len();
            pieces.push(if self.says("transfer-encoding") { chunk(piece) } else { piece.to_vec() });
        }
        if self.says("transfer-encoding") && !self.manner.unfinished {
            pieces.push(b"0\r\n\r\n".to_vec());
        }
        pieces
    }
}

const BOUNDARY: &str = "envd-conformance-boundary";

/// One part of a form.
#[derive(Debug, Clone, Copy)]
pub struct Part<'a> {
    /// The field's name.
    pub name: &'a str,
    /// The file's name, if it is given one.
    pub filename: Option<&'a str>,
    /// What is in it.
    pub content: &'a [u8],
}

impl Part<'_> {
    fn bytes(&self) -> Vec<u8> {
        let filename = self.filename.map(|name| format!("; filename=\"{name}\"")).unwrap_or_default();
        let head = format!(
            "--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"{}\"{filename}\r\n\
             content-type: application/octet-stream\r\n\r\n",
            self.name
        );
        [head.as_bytes(), self.content, b"\r\n"].concat()
    }
}

pub(super) fn chunk(piece: &[u8]) -> Vec<u8> {
    if piece.is_empty() {
        return Vec::new();
    }
    [format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat()
}

/// Percent-encodes all but what is always safe in a query, `/` included for reading's sake.
pub fn escape(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'/' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_escaped() {
        assert_eq!(Ask::new("GET", "/files").query("path", "a b\n+").target, "/files?path=a%20b%0A%2B");
    }
}
