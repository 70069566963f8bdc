//! JSON messages in which points in time are objects, as real builds write them (contract, section 9, B14). Knows one
//! field, the only one of its kind.

use jiff::Timestamp;
use serde_json::{Value, json};

const FIELD: &str = "modifiedTime";

/// The message with each point in time as `{"seconds":"...","nanos":n}`; what cannot be read stays as it is.
pub(super) fn as_objects(message: &[u8]) -> Vec<u8> {
    let Ok(mut value) = serde_json::from_slice::<Value>(message) else { return message.to_vec() };
    rewrite(&mut value);
    value.to_string().into_bytes()
}

fn rewrite(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(rewrite),
        Value::Object(fields) => fields.iter_mut().for_each(|(key, value)| match object(value) {
            Some(object) if key == FIELD => *value = object,
            _ => rewrite(value),
        }),
        _ => {}
    }
}

fn object(value: &Value) -> Option<Value> {
    let time: Timestamp = value.as_str()?.parse().ok()?;
    let (mut seconds, mut nanos) = (time.as_second(), time.subsec_nanosecond());
    if nanos < 0 {
        // Nanoseconds count forward in protobuf, also before 1970.
        (seconds, nanos) = (seconds - 1, nanos + 1_000_000_000);
    }
    Some(json!({ "seconds": seconds.to_string(), "nanos": nanos }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_point_in_time_becomes_an_object() {
        let told = |text: &str| String::from_utf8(as_objects(text.as_bytes())).unwrap();
        assert_eq!(
            told(
                r#"{"entries":[{"modifiedTime":"1970-01-01T00:00:01.005Z","name":"1970-01-01T00:00:01Z"}]}"#
            ),
            r#"{"entries":[{"modifiedTime":{"nanos":5000000,"seconds":"1"},"name":"1970-01-01T00:00:01Z"}]}"#
        );
        let before = told(r#"{"modifiedTime":"1969-12-31T23:59:59.5Z"}"#);
        assert_eq!(before, r#"{"modifiedTime":{"nanos":500000000,"seconds":"-1"}}"#);
        assert_eq!(told("{}"), "{}");
    }
}
