//! What generations say each in its own way: how a file is uploaded, and how the fields of `/init` are spelt. Sends nothing.

use serde_json::Value;

use super::ask::{Ask, Part};

/// How the subject wants to be spoken to; by default as generation 2 does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Dialect {
    /// An upload is a PUT of the bare bytes, and not a POST of a form.
    pub put: bool,
    /// `/init` spells all its fields in camel case.
    pub camel: bool,
}

/// The fields of `/init` that generation 1 spells otherwise (contract 3.4).
const CAMEL: [(&str, &str); 3] =
    [("access_token", "accessToken"), ("hyperloop_ip", "hyperloopIp"), ("volume_mounts", "volumeMounts")];

impl Dialect {
    /// An upload of `content` to `path` for `user`.
    pub fn upload(self, path: &str, user: &str, content: &[u8]) -> Ask {
        let form = || Ask::form(&[Part { name: "file", filename: Some("upload"), content }]);
        let ask = if self.put { Ask::new("PUT", "/files").body(content) } else { form() };
        ask.query("path", path).query("username", user)
    }

    /// An upload of so many blocks to `path`, made while they are sent.
    pub fn upload_blocks(self, path: &str, blocks: u64) -> Ask {
        self.upload(path, "root", b"").then_blocks(blocks)
    }

    /// `/init` with this body, which spells its fields as generation 2 does.
    pub fn init(self, body: &Value) -> Ask {
        let Some(fields) = body.as_object().filter(|_| self.camel) else { return Ask::init(body) };
        let spelt = |name: &String| {
            let other = CAMEL.iter().find(|(snake, _)| snake == name);
            other.map_or_else(|| name.clone(), |(_, camel)| (*camel).to_owned())
        };
        Ask::init(&fields.iter().map(|(name, value)| (spelt(name), value.clone())).collect())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_upload_is_a_form_or_the_bare_bytes() {
        let form = Dialect::default().upload("/a", "root", b"x");
        assert_eq!((form.method.as_str(), form.target.as_str()), ("POST", "/files?path=/a&username=root"));
        let put = Dialect { put: true, ..Dialect::default() }.upload("/a", "root", b"x");
        assert_eq!((put.method.as_str(), put.target.as_str()), ("PUT", "/files?path=/a&username=root"));
        assert_eq!(put.sent(), b"x");
    }

    #[test]
    fn generation_1_spells_init_in_camel_case() {
        let body = json!({ "access_token": "t", "envVars": { "access_token": "x" } });
        let sent =
            |dialect: Dialect| -> Value { serde_json::from_slice(dialect.init(&body).sent()).unwrap() };
        assert_eq!(sent(Dialect::default()), body);
        let camel = sent(Dialect { camel: true, ..Dialect::default() });
        assert_eq!(camel, json!({ "accessToken": "t", "envVars": { "access_token": "x" } }));
    }
}
