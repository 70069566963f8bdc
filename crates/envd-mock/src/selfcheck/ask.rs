//! What a probe asks for: requests as data, and as they go on a wire.

/// A request.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Ask {
    /// `GET /files?path=/a`
    pub(crate) line: &'static str,
    pub(crate) headers: &'static [(&'static str, &'static str)],
    pub(crate) content: Content,
}

/// The body of a request.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Content {
    None,
    /// This, as JSON; `{n}` is another number each time.
    Json(&'static str),
    /// This in one envelope of Connect, as JSON.
    Stream(&'static str),
    /// Nothing in one envelope, of this content type.
    Empty(&'static str),
    /// A multipart upload of so many bytes.
    Upload(usize),
}

impl Ask {
    pub(crate) const fn get(line: &'static str) -> Self {
        Self { line, headers: &[], content: Content::None }
    }

    pub(crate) const fn new(line: &'static str, content: Content) -> Self {
        Self { line, headers: &[], content }
    }

    pub(crate) const fn with(self, headers: &'static [(&'static str, &'static str)]) -> Self {
        Self { headers, ..self }
    }

    /// The `n`th request of this kind.
    pub(crate) fn call(&self, n: u64) -> Call {
        let (method, target) = self.line.split_once(' ').unwrap_or(("GET", self.line));
        let (kind, body) = self.content.bytes(n);
        let mut headers: Vec<(String, String)> = Vec::new();
        let mut put = |name: &str, value: &str| headers.push((name.to_owned(), value.to_owned()));
        if let Some(kind) = kind {
            put("content-type", kind);
        }
        if !body.is_empty() || method == "POST" {
            put("content-length", &body.len().to_string());
        }
        self.headers.iter().for_each(|(name, value)| put(name, value));
        Call { method: method.to_owned(), target: target.to_owned(), headers, body }
    }
}

impl Content {
    fn bytes(&self, n: u64) -> (Option<&'static str>, Vec<u8>) {
        match self {
            Self::None => (None, Vec::new()),
            Self::Json(json) => (Some("application/json"), json.replace("{n}", &n.to_string()).into_bytes()),
            Self::Stream(json) => (Some("application/connect+json"), envelope(0, json.as_bytes())),
            Self::Empty(kind) => (Some(kind), envelope(0, b"")),
            Self::Upload(size) => (Some("multipart/form-data; boundary=B"), upload(*size)),
        }
    }
}

fn upload(size: usize) -> Vec<u8> {
    let head = "--B\r\ncontent-disposition: form-data; name=\"file\"; filename=\"up\"\r\n\r\n";
    [head.as_bytes(), &vec![b'u'; size], b"\r\n--B--\r\n"].concat()
}

/// Flag, length and message.
pub(crate) fn envelope(flag: u8, message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX).to_be_bytes();
    [&[flag], length.as_slice(), message].concat()
}

/// A request as it goes on a wire.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) method: String,
    /// Path and query.
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}
