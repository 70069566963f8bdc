//! The wire for people: an exchange in a few lines, and a command that repeats it.

use crate::observation::{Ended, Exchange, Step};
use crate::stream::envelope;
use crate::verdict::excerpt;

/// More envelopes than these are only counted.
const FRAMES: usize = 4;
/// A request with a larger body is no command that anyone would paste.
const PASTABLE: usize = 4096;

/// An exchange in a few lines, `>` sent and `<` received.
pub(super) fn lines(exchange: &Exchange) -> Vec<String> {
    let mut out = vec![format!("> {} {}", exchange.method, exchange.target)];
    out.extend(exchange.sent_headers.iter().map(|(name, value)| format!("> {name}: {value}")));
    if !exchange.sent.is_empty() {
        out.push(format!("> {}", excerpt(&exchange.sent)));
    }
    out.push(exchange.status.map_or_else(|| "< no status line".to_owned(), |status| format!("< {status}")));
    out.extend(exchange.headers.iter().map(|(name, value)| format!("< {name}: {value}")));
    out.extend(body(exchange));
    match &exchange.ended {
        Ended::Whole => {}
        Ended::Left => out.push("< (looked away here)".to_owned()),
        Ended::Cut(why) => out.push(format!("< ({why})")),
        Ended::Late(after) => out.push(format!("< (nothing more within {after:?})")),
    }
    out
}

fn body(exchange: &Exchange) -> Vec<String> {
    let (frames, rest) = envelope::read(&exchange.body);
    let stream = exchange.headers.iter().any(|(_, value)| value.contains("connect+"));
    if !stream || frames.is_empty() {
        let text = excerpt(&exchange.body);
        return if exchange.body.is_empty() { Vec::new() } else { vec![format!("< {text}")] };
    }
    let mut out: Vec<_> = frames
        .iter()
        .take(FRAMES)
        .map(|frame| format!("< [flag {} length {}] {}", frame.flag, frame.data.len(), excerpt(&frame.data)))
        .collect();
    if frames.len() > FRAMES {
        let last = &frames[frames.len() - 1];
        out.push(format!("< ({} more)", frames.len() - FRAMES - 1));
        out.push(format!("< [flag {} length {}] {}", last.flag, last.data.len(), excerpt(&last.data)));
    }
    if rest > 0 {
        out.push(format!("< ({rest} bytes of an envelope that is not whole)"));
    }
    out
}

/// A shell command that sends the same request, unless its body is too long for one or no command can send it.
pub(super) fn curl(exchange: &Exchange) -> Option<String> {
    if exchange.sent.len() > PASTABLE || exchange.target.is_empty() {
        return None;
    }
    let mut command = match exchange.method.as_str() {
        "HEAD" => "curl -sSI -m 10".to_owned(),
        method => format!("curl -sSi -m 10 -X {}", word(method)),
    };
    let close = ("connection".to_owned(), "close".to_owned());
    for (name, value) in [&close].into_iter().chain(&exchange.sent_headers) {
        command.push_str(&format!(" -H {}", quote(&format!("{name}: {value}"))));
    }
    let url = quote(&format!("http://{}{}", exchange.host, exchange.target));
    if exchange.sent.is_empty() {
        return Some(format!("{command} {url}"));
    }
    Some(format!("printf {} | {command} --data-binary @- {url}", printf(&exchange.sent)))
}

/// A script that does the steps up to this one again; one that was left open runs beside those after it.
pub(super) fn script(steps: &[Step]) -> Option<String> {
    let mut lines = vec!["set -x".to_owned()];
    for step in steps {
        let beside = if step.exchange.ended == Ended::Left { " &" } else { "" };
        lines.push(format!("{}{beside}", curl(&step.exchange)?));
    }
    let script = lines.join("\n");
    (script.len() <= PASTABLE).then_some(script)
}

/// As it is, if no shell minds it.
fn word(text: &str) -> String {
    if text.bytes().all(|byte| byte.is_ascii_alphanumeric()) { text.to_owned() } else { quote(text) }
}

fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// What printf turns into these bytes.
fn printf(bytes: &[u8]) -> String {
    let text: String = bytes
        .iter()
        .enumerate()
        .map(|(at, &byte)| match byte {
            // It would be read as an option.
            b'-' if at == 0 => "\\055".to_owned(),
            b'%' => "%%".to_owned(),
            b'\\' | b'\'' => format!("\\{byte:03o}"),
            b' '..=b'~' => char::from(byte).to_string(),
            _ => format!("\\{byte:03o}"),
        })
        .collect();
    format!("'{text}'")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_prints_the_very_bytes() {
        let sent: Vec<u8> = (0..=255).collect();
        let exchange = Exchange {
            host: "h:1".into(),
            method: "POST".into(),
            target: "/x".into(),
            sent: sent.clone(),
            ..Exchange::default()
        };
        let command = curl(&exchange).unwrap();
        let (print, send) = command.split_once(" | ").unwrap();
        assert_eq!(send, "curl -sSi -m 10 -X POST -H 'connection: close' --data-binary @- 'http://h:1/x'");
        let printed = std::process::Command::new("/bin/sh").args(["-c", print]).output().unwrap();
        assert_eq!(printed.stdout, sent);
    }
}
