//! A request as data. Sends nothing.

use serde_json::Value;

use super::envelope;

/// What is to be sent: method, target, headers, body, all as they go out.
#[derive(Debug, Clone)]
pub struct Ask {
    pub(super) method: String,
    pub(super) target: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Ask {
    /// A request without a body.
    pub fn new(method: &str, target: impl Into<String>) -> Self {
        Self { method: method.to_owned(), target: target.into(), headers: Vec::new(), body: Vec::new() }
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
        const BOUNDARY: &str = "envd-conformance-boundary";
        let mut body = format!(
            "--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"{part}\"; filename=\"upload\"\r\n\
             content-type: application/octet-stream\r\n\r\n"
        )
        .into_bytes();
        body.extend_from_slice(content);
        body.extend_from_slice(format!("\r\n--{BOUNDARY}--\r\n").as_bytes());
        Self::new("POST", format!("/files?path={}&username=root", escape(path)))
            .header("content-type", &format!("multipart/form-data; boundary={BOUNDARY}"))
            .body(body)
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

    pub(super) fn bytes(&self, host: &str) -> Vec<u8> {
        let mut head =
            format!("{} {} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n", self.method, self.target);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if !self.body.is_empty() || self.method == "POST" {
            head.push_str(&format!("content-length: {}\r\n", self.body.len()));
        }
        head.push_str("\r\n");
        [head.into_bytes(), self.body.clone()].concat()
    }
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
