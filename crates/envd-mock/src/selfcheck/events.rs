//! The events of a process in a stream of Connect, in a short form for declarations: `stdout hello`, `end exit status: 0`.
//! Pure.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::made::envelopes;

/// One text for each whole envelope, and one for what follows the last.
pub(crate) fn of(body: &[u8]) -> Vec<String> {
    let all = envelopes(body);
    let taken: usize = all.iter().map(|(_, message)| 5 + message.len()).sum();
    let mut events: Vec<String> = all.iter().map(|(flag, message)| event(*flag, message)).collect();
    if taken < body.len() {
        events.push(format!("and {} bytes", body.len() - taken));
    }
    events
}

fn event(flag: u8, message: &[u8]) -> String {
    let text = String::from_utf8_lossy(message);
    if flag != 0 {
        return format!("flag {flag} {text}");
    }
    let json: Value = serde_json::from_slice(message).unwrap_or_default();
    let event = &json["event"];
    let said = |name: &str| {
        let bytes = STANDARD.decode(event["data"][name].as_str()?).ok()?;
        Some(format!("{name} {}", String::from_utf8_lossy(&bytes)))
    };
    if event.get("start").is_some() {
        "start".to_owned()
    } else if let Some(end) = event.get("end") {
        format!("end {}", end["status"].as_str().unwrap_or_default())
    } else {
        said("stdout").or_else(|| said("stderr")).unwrap_or_else(|| text.into_owned())
    }
}
