//! What a recording does not keep of a body: the access token that /init sets. Pure.

use serde_json::Value;

const GONE: &str = "[redacted]";
/// Longer bodies of /init are not kept at all, in bytes.
pub(super) const MOST: usize = 1 << 20;

/// Whether the body of a request to this path has a secret in it.
pub(super) fn is_in(path: &str) -> bool {
    path == "/init"
}

/// The body without its secret; nothing of a body that cannot be read.
pub(super) fn taken_out(body: &[u8]) -> Vec<u8> {
    let Ok(Value::Object(mut init)) = serde_json::from_slice(body) else { return Vec::new() };
    for (name, value) in &mut init {
        if name.eq_ignore_ascii_case("accessToken") && !value.is_null() {
            *value = GONE.into();
        }
    }
    Value::Object(init).to_string().into_bytes()
}
