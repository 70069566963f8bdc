//! What goes wrong with the answer of a call, and what becomes of its connection.

use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use http::header;

use crate::body::{Framing, Ledger, Setting, Shaped};
use crate::connection::{Manner, ending};
use crate::effect;
use crate::fault::{CallFault, ChosenCall, Place};

use super::Course;

impl Course {
    /// The connection takes no further call.
    pub(super) fn close_after(&self, response: &mut Response) {
        if self.http2 {
            self.conn.go_away();
        } else {
            response.headers_mut().insert(header::CONNECTION, header::HeaderValue::from_static("close"));
        }
    }

    /// What goes wrong with the head of the answer.
    pub(crate) async fn after(&self, mut response: Response) -> Response {
        for chosen in self.at_head() {
            let fault = &chosen.rule().fault;
            if matches!(fault, CallFault::Series { .. }) {
                let what;
                (response, what) = effect::lay_over(response, chosen).await;
                if let Some(what) = what {
                    self.done(chosen, what);
                }
                continue;
            }
            if *fault == (CallFault::Goaway {}) {
                self.close_after(&mut response);
                self.done(chosen, "no further call");
            }
            if let Some(what) = effect::change_head(&mut response, fault) {
                self.done(chosen, what);
            }
        }
        response
    }

    /// Hands the answer over to the connection.
    pub(crate) fn leave(self, response: Response) -> Response {
        let (status, elapsed) = (response.status(), self.note.elapsed());
        let watch = self.watch.clone();
        self.note.amend(|call| {
            (call.status, call.head_ms, call.received) = (Some(status.as_u16()), Some(elapsed), watch.size());
            if let Some(bodies) = &mut call.bodies {
                bodies[0] = watch.kept();
            }
        });
        let framing = Framing::of(response.headers());
        let in_body = |chosen: &&ChosenCall| {
            matches!(chosen.rule().place(), Place::Byte | Place::Envelope | Place::Output)
        };
        let plan: Vec<ChosenCall> = self.plan.iter().filter(in_body).cloned().collect();
        let bodyless = matches!(status.as_u16(), 204 | 304);
        let lies = |chosen: &ChosenCall| matches!(chosen.rule().fault, CallFault::ContentLength { .. });
        let setting = Setting {
            conn: Arc::clone(&self.conn),
            http2: self.http2,
            head_only: self.head || bodyless,
            note: Arc::clone(&self.note),
            hide_length: self.plan.iter().any(lies),
            crash: Arc::clone(&self.crash),
            then: self.then(),
            lend: !self.plan.is_empty(),
            keep: self.live.keep_bodies,
        };
        response.map(|body| Body::new(Shaped::new(body, &plan, framing, setting)))
    }

    /// What becomes of the connection once the answer is through.
    fn then(&self) -> Option<Box<dyn FnOnce(Ledger) + Send + Sync>> {
        let chosen = self.at_head().find(|chosen| chosen.rule().fault == CallFault::Zombie {})?.clone();
        let (conn, note) = (Arc::clone(&self.conn), Arc::clone(&self.note));
        Some(Box::new(move |body: Ledger| {
            // The peer must not get a word in once it has the whole answer; before that, its windows count.
            body.when_settled(move || {
                conn.behave(Manner::Deaf);
                // Without a runtime the connection is gone.
                let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
                runtime.spawn(async move {
                    let rest = conn.settle().await.err();
                    conn.behave(Manner::Zombie);
                    chosen.fired();
                    note.done(chosen.name(), ending("zombie", conn.sent(), rest), None);
                });
            });
        }))
    }
}
