//! Answers calls from a recording: the nth request that is the same gets the nth answer, the last of them from then on.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use http::request::Parts;
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;

use super::fingerprint::{self, Fingerprint, Print};
use super::pace::ReplayPace;
use super::played::Played;
use super::recording::{Call, Recording, describe};
use crate::effect;
use crate::fault::Code;
use crate::journal;
use crate::routes::{is_rpc, reply};
use crate::time::Time;

/// Plays one recording.
#[derive(Debug)]
pub(crate) struct Player {
    recording: Arc<Recording>,
    pace: ReplayPace,
    time: Time,
    /// The calls to a method, path and query, by index.
    by_head: HashMap<String, Vec<usize>>,
    /// How often each request was met.
    met: Mutex<HashMap<(String, Option<Print>), usize>>,
}

impl Player {
    pub(crate) fn new(recording: Recording, pace: ReplayPace, time: Time) -> Self {
        let mut by_head = HashMap::<String, Vec<usize>>::new();
        for (index, call) in recording.calls.iter().enumerate() {
            by_head.entry(call.head.clone()).or_default().push(index);
        }
        Self { recording: Arc::new(recording), pace, time, by_head, met: Mutex::default() }
    }

    pub(crate) async fn answer(&self, request: Request<Body>) -> Response {
        let (head, mut body) = request.into_parts();
        let target = journal::target(&head.uri);
        let key = fingerprint::head(head.method.as_str(), &target);
        let candidates = self.by_head.get(&key).map(Vec::as_slice).unwrap_or_default();
        let mut print = Fingerprint::new(head.uri.path(), &head.headers);
        if candidates.is_empty() || candidates.iter().any(|index| self.call(*index).print.is_some()) {
            read(&mut body, &mut print).await;
        }
        let text = print.text();
        let Some(index) = self.choose(&key, candidates, print.print()) else {
            return self.unknown(&head, &target, &text);
        };
        self.play(index, body).await
    }

    fn call(&self, index: usize) -> &Call {
        &self.recording.calls[index]
    }

    /// The call whose turn it is.
    fn choose(&self, key: &str, candidates: &[usize], print: Print) -> Option<usize> {
        let same = |index: &&usize| self.call(**index).print.is_none_or(|known| known == print);
        let same: Vec<usize> = candidates.iter().filter(same).copied().collect();
        let last = same.len().checked_sub(1)?;
        let known = self.call(same[0]).print.is_some().then_some(print);
        let mut met = self.met.lock().unwrap_or_else(PoisonError::into_inner);
        let turn = met.entry((key.to_owned(), known)).or_default();
        let index = same[(*turn).min(last)];
        *turn += 1;
        Some(index)
    }

    async fn play(&self, index: usize, mut body: Body) -> Response {
        let call = self.call(index);
        if call.whole_request {
            while body.frame().await.is_some_and(|frame| frame.is_ok()) {}
        }
        let begun = self.time.now();
        let Some(answer) = &call.answer else {
            // The recorded client left without one, and so will this one.
            return std::future::pending().await;
        };
        let after = Duration::from_micros(answer.at_us.saturating_sub(call.from_us));
        if let Some(due) = self.pace.due(begun, after) {
            self.time.sleep_until(due).await;
        }
        let played =
            Played::new(Arc::clone(&self.recording), index, self.pace, self.time.clone(), begun, body);
        let mut response = Response::new(Body::new(played));
        *response.status_mut() =
            StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        *response.headers_mut() = answer.headers.clone();
        response
    }

    /// 404 or `not_found`, in the protocol of the call, with the recorded call that is most like it.
    fn unknown(&self, head: &Parts, target: &str, text: &str) -> Response {
        let asked = describe(head.method.as_str(), target, text);
        let nearest = self.recording.calls.iter().max_by_key(|call| likeness(&call.description(), &asked));
        let message = match nearest {
            Some(call) => {
                format!("not recorded: {asked}; the nearest is call {}: {}", call.number, call.description())
            }
            None => format!("not recorded: {asked}; the recording has no calls"),
        };
        if is_rpc(head.uri.path()) {
            effect::error(&head.headers, Code::NotFound, Some(&message), None)
        } else {
            reply::error(StatusCode::NOT_FOUND, message)
        }
    }
}

/// Reads as much of a request as counts.
async fn read(body: &mut Body, print: &mut Fingerprint) {
    while !print.is_settled()
        && let Some(Ok(frame)) = body.frame().await
    {
        if let Some(data) = frame.data_ref() {
            print.push(data);
        }
    }
}

/// How far two descriptions agree, from the front and from the back.
fn likeness(one: &str, other: &str) -> usize {
    let same = |pairs: &mut dyn Iterator<Item = (char, char)>| pairs.take_while(|(a, b)| a == b).count();
    2 * same(&mut one.chars().zip(other.chars())) + same(&mut one.chars().rev().zip(other.chars().rev()))
}
