//! What goes wrong with a call before and while the guest is asked.

use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use http::Request;
use http_body_util::BodyExt as _;

use crate::body::delay_left;
use crate::connection::Gone;
use crate::effect::{self, Outcome};
use crate::fault::{CallFault, ChosenCall, Position};
use crate::guest::mishap::{Acted, Mishap};
use crate::routes::afflicted::Afflicted;

use super::Course;

impl Course {
    /// What goes wrong before the guest is asked; an answer, where there is one already.
    pub(crate) async fn before(&self, request: &mut Request<Body>) -> Result<Option<Response>, Gone> {
        if let Some((status, refusal)) = &self.refusal {
            return Ok(Some(crate::routes::reply::error(*status, refusal)));
        }
        if self.plan.is_empty() {
            return Ok(None);
        }
        if self.plan.iter().any(|chosen| matches!(chosen.rule().at, Some(Position::Output(..)))) {
            // Output can be counted in plain messages alone.
            for header in ["connect-accept-encoding", "grpc-accept-encoding"] {
                request.headers_mut().remove(header);
            }
        }
        for chosen in self.at_head() {
            match &chosen.rule().fault {
                CallFault::Delay { time } => {
                    self.delay(chosen, chosen.key.wait(time)).await;
                }
                CallFault::NoContinue {} => self.conn.mute_continue(),
                _ => {}
            }
        }
        for chosen in self.at_head() {
            match &chosen.rule().fault {
                CallFault::Hang {} => {
                    self.done(chosen, "no answer");
                    std::future::pending::<()>().await;
                }
                CallFault::Status { status, body, header } => {
                    self.done(chosen, format!("status {}", status.0));
                    return Ok(Some(effect::status(*status, body.as_ref(), header)));
                }
                CallFault::Error { code, message, details } => {
                    self.done(chosen, format!("error {}", code.as_str()));
                    let error = effect::error(&self.asked, *code, message.as_deref(), details.as_ref());
                    return Ok(Some(error));
                }
                CallFault::Abort {} => return self.abort(chosen, request).await,
                CallFault::Reset {} => {
                    self.done(chosen, "RST before an answer");
                    self.note.end("reset", |_| {});
                    self.conn.reset();
                    std::future::pending::<()>().await;
                }
                CallFault::Crash { .. } => {
                    self.done(chosen, "crash before an answer");
                    self.note.end("reset", |_| {});
                    (self.crash)(chosen);
                    std::future::pending::<()>().await;
                }
                _ => self.afflict(chosen, request),
            }
        }
        Ok(None)
    }

    /// Whoever gives up before a delay is over has met it all the same.
    async fn delay(&self, chosen: &ChosenCall, time: Duration) {
        let tell = |whole| {
            self.done(chosen, if whole { format!("delayed by {time:?}") } else { delay_left(time) });
        };
        let clock = &self.live.time;
        clock.sleep_until_telling(clock.now().saturating_add(time), tell).await;
    }

    /// What goes wrong inside the guest travels with the request.
    fn afflict(&self, chosen: &ChosenCall, request: &mut Request<Body>) {
        let Some(kind) = crate::mishaps::of(&chosen.rule().fault, |wait| chosen.key.wait(wait)) else {
            return;
        };
        let (line, chosen) = (self.note.line(), chosen.clone());
        let acted = Acted::new(move |what| {
            chosen.fired();
            line.done(chosen.name(), what, None);
        });
        request.extensions_mut().insert(Afflicted(Mishap { kind, acted }));
    }

    /// FIN without an answer, or RST_STREAM. What the client sends is taken first, so that FIN is not turned into RST.
    async fn abort(
        &self,
        chosen: &ChosenCall,
        request: &mut Request<Body>,
    ) -> Result<Option<Response>, Gone> {
        const LONGEST: Duration = Duration::from_secs(2);
        let body = request.body_mut();
        let take = async { while body.frame().await.is_some_and(|frame| frame.is_ok()) {} };
        // Whatever is left then is the client's to worry about.
        let _ = tokio::time::timeout(LONGEST, take).await;
        self.done(chosen, if self.http2 { "RST_STREAM before an answer" } else { "FIN before an answer" });
        self.note.end("aborted", |_| {});
        Err(Gone)
    }

    /// The guest's answer, unless what happens to the request comes first.
    pub(crate) async fn answered<R>(
        &self,
        request: Request<Body>,
        answer: impl FnOnce(Request<Body>) -> R,
    ) -> Result<Response, Gone>
    where
        R: Future<Output = Response>,
    {
        let response = tokio::select! {
            biased;
            outcome = self.watch.outcome() => return self.early(outcome).await,
            response = answer(request) => response,
        };
        if crate::routes::reply::is_breakdown(&response) {
            self.note.end("aborted", |_| {});
            return Err(Gone);
        }
        if self.conn.has_muted_continue() {
            for chosen in self.at_head().filter(|chosen| chosen.rule().fault == CallFault::NoContinue {}) {
                self.done(chosen, "no 100 Continue");
            }
        }
        Ok(response)
    }

    async fn early(&self, outcome: Outcome) -> Result<Response, Gone> {
        match outcome {
            Outcome::Early(status) => {
                let mut response = effect::status(status, None, &Default::default());
                self.close_after(&mut response);
                Ok(response)
            }
            Outcome::Gone => {
                self.note.end("aborted", |_| {});
                if !self.http2 {
                    self.conn.close();
                }
                Err(Gone)
            }
            Outcome::Silent | Outcome::Open => std::future::pending().await,
        }
    }
}
