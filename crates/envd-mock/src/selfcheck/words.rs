//! Declarations in words, for the table in the docs. Pure.

use super::row::{Body, Early, End, Expect, First, Head, Late, Pieces, Protocol, Rest, Trailers, Writes};

/// What a peer sees, in a few words.
pub(crate) fn sight(expect: &Expect, protocol: Protocol) -> String {
    match expect.first {
        First::Nothing => {}
        First::Fin => return "FIN before anything is sent".to_owned(),
        First::Rst => return "RST before anything is sent".to_owned(),
        First::Refused => return "the handshake is refused".to_owned(),
    }
    let mut words: Vec<String> = Vec::new();
    words.extend(early(expect.early).map(str::to_owned));
    if expect.writes == Writes::Wait {
        words.push("writes wait".to_owned());
    }
    words.extend(head(&expect.head));
    words.extend(body(&expect.body, &expect.head));
    words.extend(details(expect));
    words.extend(ending(expect.end_on(protocol), protocol).map(str::to_owned));
    words.extend(rest(expect.rest_on(protocol), expect.end_on(protocol), protocol));
    if words.is_empty() { "the usual answer".to_owned() } else { words.join("; ") }
}

fn early(early: Early) -> Option<&'static str> {
    Some(match early {
        Early::Usual => return None,
        Early::Nothing => "nothing while the request is incomplete",
        Early::Continue => "`100 Continue`",
        Early::Answer => "the answer before the request is whole",
        Early::End => "the end before the request is whole",
        Early::Goaway => "GOAWAY while the call is under way",
    })
}

fn head(head: &Head) -> Option<String> {
    match head {
        Head::Usual | Head::None => None,
        Head::Is(status, _) => Some(format!("status {status}")),
        Head::But(_) => Some("a changed head".to_owned()),
    }
}

fn body(body: &Body, head: &Head) -> Option<String> {
    Some(match body {
        Body::Nothing if *head == Head::None => "no answer".to_owned(),
        Body::Usual => return None,
        Body::Nothing => "no body".to_owned(),
        Body::First(size) => format!("{size} bytes of the body"),
        Body::Some => "what got through of the body".to_owned(),
        Body::Flipped(..) => "one bit is different".to_owned(),
        Body::Of(_) => "exactly those envelopes".to_owned(),
        Body::Events(events) => events.join(", ").replace('|', "\\|"),
        Body::Has(text) => format!("the text {text:?}"),
        Body::Is(text) => format!("the body `{text}`"),
        Body::Json(members) => {
            members.iter().map(|(name, value)| format!("`{name}` is {value}")).collect::<Vec<_>>().join(", ")
        }
    })
}

fn details(expect: &Expect) -> Vec<String> {
    let mut words = Vec::new();
    match expect.pieces {
        Pieces::Any => {}
        Pieces::AtMost(size) => words.push(format!("chunks or DATA frames of {size} bytes at most")),
        Pieces::One => words.push("one chunk or DATA frame".to_owned()),
    }
    match expect.trailers {
        Trailers::Usual => {}
        Trailers::None => words.push("no trailers".to_owned()),
        Trailers::Are(fields) => {
            words.extend(fields.iter().map(|(name, value)| format!("`{name}: {value}`")));
        }
    }
    match expect.late {
        Late::No => {}
        Late::Head(least) => words.push(format!("{least} ms or more to the head")),
        Late::End(least) => words.push(format!("{least} ms or more to the end")),
        Late::Close(least) => words.push(format!("{least} ms or more to the FIN")),
    }
    words.extend(expect.max_streams.map(|streams| format!("SETTINGS_MAX_CONCURRENT_STREAMS {streams}")));
    words.extend(expect.received.map(|bytes| format!("{bytes} bytes of the connection")));
    if expect.segments > 0 {
        words.push("many small segments".to_owned());
    }
    words
}

fn ending(end: End, protocol: Protocol) -> Option<&'static str> {
    Some(match end {
        End::Whole => return None,
        End::Fin if protocol == Protocol::Http1 => "FIN before the end of the answer",
        End::Fin => "FIN",
        End::Rst => "RST",
        End::RstStream(7) => "RST_STREAM (REFUSED_STREAM)",
        End::RstStream(_) => "RST_STREAM (INTERNAL_ERROR)",
        End::Open => "the answer stays open",
    })
}

fn rest(rest: Rest, end: End, protocol: Protocol) -> Option<String> {
    let http2 = protocol == Protocol::Http2;
    match rest {
        Rest::Answers if http2 && end != End::Whole => Some("other streams go on".to_owned()),
        Rest::GoesAway => Some("other streams are answered; GOAWAY, then FIN".to_owned()),
        Rest::Fin if end == End::Whole => Some("FIN behind it".to_owned()),
        Rest::Rst if end != End::Rst => Some("RST on the next byte".to_owned()),
        Rest::Silent if http2 && end == End::Open => Some("other streams are silent, too".to_owned()),
        Rest::Back(text) => Some(format!("nobody listens for a while; {text:?} is there again")),
        Rest::BackWithout(text) => Some(format!("nobody listens for a while; {text:?} is gone")),
        _ => None,
    }
}
