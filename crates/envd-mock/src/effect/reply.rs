//! Changes to the guest's answer: its headers, and values laid over its JSON.

use axum::body::Body;
use axum::response::Response;
use http::{HeaderName, HeaderValue, header};
use http_body::Body as _;
use http_body_util::{BodyExt as _, Limited};

use crate::fault::{CallFault, ChosenCall};

/// The largest body that values are laid over, in bytes.
const LARGEST: usize = 1 << 20;

/// Does to the head what a fault of the reply says; what was done, in words.
pub(crate) fn change_head(response: &mut Response, fault: &CallFault) -> Option<String> {
    match fault {
        CallFault::ContentType { value } => {
            let old = response.headers_mut().remove(header::CONTENT_TYPE)?;
            if let Some(value) = value.as_ref().and_then(|value| HeaderValue::try_from(value).ok()) {
                response.headers_mut().insert(header::CONTENT_TYPE, value);
            }
            Some(format!("content-type {:?} became {value:?}", String::from_utf8_lossy(old.as_bytes())))
        }
        CallFault::HeaderSet { name, value } => {
            let header = HeaderName::try_from(name).ok()?;
            response.headers_mut().insert(header, HeaderValue::try_from(value).ok()?);
            Some(format!("{name} set to {value:?}"))
        }
        CallFault::HeaderRemove { name } => {
            let removed = response.headers_mut().remove(name.as_str())?;
            Some(format!("{name} removed, it was {:?}", String::from_utf8_lossy(removed.as_bytes())))
        }
        CallFault::ContentLength { length } => {
            let told = response.headers().get(header::CONTENT_LENGTH).and_then(|told| told.to_str().ok());
            let told =
                told.and_then(|told| told.parse().ok()).or_else(|| response.body().size_hint().exact());
            let exact = matches!(length, crate::fault::Length::Exactly(_));
            let said = length.of(told.or(exact.then_some(0))?);
            response.headers_mut().insert(header::CONTENT_LENGTH, said.into());
            Some(format!("content-length {said} for {told:?} bytes"))
        }
        _ => None,
    }
}

/// Lays the values for this time over the answer's JSON object; what was done, in words.
pub(crate) async fn lay_over(response: Response, chosen: &ChosenCall) -> (Response, Option<String>) {
    let CallFault::Series { values } = &chosen.rule().fault else { return (response, None) };
    let Some(list) = values.0.as_array() else { return (response, None) };
    let index = usize::try_from(chosen.n - 1).unwrap_or(usize::MAX).min(list.len().saturating_sub(1));
    let (mut head, body) = response.into_parts();
    let Ok(body) = Limited::new(body, LARGEST).collect().await else {
        return (Response::from_parts(head, Body::empty()), None);
    };
    let body = body.to_bytes();
    let (Ok(serde_json::Value::Object(mut answer)), Some(serde_json::Value::Object(over))) =
        (serde_json::from_slice(&body), list.get(index))
    else {
        return (Response::from_parts(head, Body::from(body)), None);
    };
    answer.extend(over.clone());
    head.headers.remove(header::CONTENT_LENGTH);
    let body = serde_json::Value::Object(answer).to_string();
    let what = format!("values {} of {}", index + 1, list.len());
    (Response::from_parts(head, Body::from(body)), Some(what))
}
