//! The body of /init in a recording: the access token that it sets is not kept, and what a host makes anew for each call
//! does not make two of them different. Pure.

use serde_json::{Map, Value};

const GONE: &str = "[redacted]";
/// What differs from one /init to the next (contract, section 3.4).
const VOLATILE: [&str; 2] = ["timestamp", "lifecycle_id"];
/// Longer bodies of /init are not kept at all, in bytes.
pub(super) const MOST: usize = 1 << 20;

/// Whether the body of a request to this path has a secret in it.
pub(super) fn is_in(path: &str) -> bool {
    path == "/init"
}

/// The body without its secret; nothing of a body that cannot be read.
pub(super) fn taken_out(body: &[u8]) -> Vec<u8> {
    redacted(body).map_or_else(Vec::new, |init| Value::Object(init).to_string().into_bytes())
}

/// What two bodies must agree in.
pub(super) fn compared(body: &[u8]) -> String {
    let mut init = redacted(body).unwrap_or_default();
    init.retain(|name, _| !VOLATILE.contains(&name.as_str()));
    Value::Object(init).to_string()
}

fn redacted(body: &[u8]) -> Option<Map<String, Value>> {
    let Ok(Value::Object(mut init)) = serde_json::from_slice(body) else { return None };
    for (_, value) in init.iter_mut().filter(|(name, value)| is_token(name) && !value.is_null()) {
        *value = GONE.into();
    }
    Some(init)
}

/// `access_token`, or as other generations have it.
fn is_token(name: &str) -> bool {
    name.replace('_', "").eq_ignore_ascii_case("accesstoken")
}
