//! One call under way: what was decided about it, what was done, and what the journal is told. Knows what to do at each
//! stage of the pipeline; how it is done is `effect`'s and `body`'s.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use http::{HeaderMap, Method, Request, StatusCode, Version, header};
use http_body_util::BodyExt as _;

use crate::body::{Framing, Ledger, Setting, Shaped, delay_left};
use crate::connection::{Conn, Gone, Manner, ending};
use crate::effect::{self, Asked, Named, Outcome, Upward, Watch};
use crate::fault::{
    Call, CallFault, CallRule, Chosen, ChosenCall, ConnectionFault, Head as _, Place, Position, Rule, Rules,
    Script,
};
use crate::guest::Guest;
use crate::guest::mishap::{Acted, Mishap};
use crate::journal::{CallEntry, CallNote, Decision, headers, millis, target};
use crate::live::Live;
use crate::routes::afflicted::Afflicted;
use crate::routes::told::Told;

const FAULT: &str = "x-envd-fault";
const NAME: &str = "x-envd-call";

/// A call from its head to its last byte.
pub(crate) struct Course {
    live: Arc<Live>,
    guest: Option<Arc<Guest>>,
    conn: Arc<Conn>,
    note: Arc<CallNote>,
    plan: Vec<ChosenCall>,
    http2: bool,
    /// HEAD: the answer has no body.
    head: bool,
    asked: HeaderMap,
    watch: Watch,
    /// The header that asks for a fault cannot be read.
    refusal: Option<String>,
}

impl Course {
    /// Decides what goes wrong with a call and enters it in the journal; the request that is given back is whole.
    pub(crate) async fn enter(
        live: &Arc<Live>,
        guest: Option<&Arc<Guest>>,
        request: Request<Body>,
        known: bool,
        rpc: bool,
    ) -> (Self, Request<Body>) {
        let (parts, mut body) = request.into_parts();
        let conn = parts
            .extensions
            .get::<Arc<Conn>>()
            .cloned()
            .unwrap_or_else(|| Arc::new(Conn::new(None, live.time.clone())));
        let now = live.time.now();
        let (rules, asked_for) = (live.rules(), asked_for(live, &parts.headers));
        let head = Asked { parts: &parts, rpc };
        let mut named = Named::default();
        let (own, refusal) = match asked_for {
            Ok(own) => (own, None),
            Err(refusal) => (None, Some(refusal)),
        };
        let all = || std::iter::once(&*rules).chain(own.as_ref());
        if rpc && all().any(|rules| rules.need_message(&head, now)) {
            (named, body) = effect::look(parts.uri.path(), &parts.headers, body).await;
            named = named.resolved(guest.map(Arc::as_ref));
        }
        let Named { message, pid } = named;
        let name = parts.headers.get(NAME).and_then(|name| name.to_str().ok());
        let call = Call {
            head: &head,
            message: &message,
            generation: live.generation.number(),
            connection: conn.ordinal,
            name,
        };
        let plan: Vec<ChosenCall> = all().flat_map(|rules| rules.decide(&call, now)).collect();
        let entry = CallEntry {
            connection: conn.ordinal,
            operation: head.operation(),
            protocol: protocol(parts.version).to_owned(),
            name: name.map(str::to_owned),
            target: target(&parts.uri),
            headers: headers(&parts.headers),
            path: message.path.or_else(|| head.path_parameter()),
            tag: message.tag,
            command: message.command,
            pid,
            decisions: plan.iter().map(decision_of_call).collect(),
            known,
            bodies: (live.keep_bodies > 0).then(Default::default),
            ..CallEntry::default()
        };
        let note = live.journal.call(entry);
        let framing = Framing::of(&parts.headers);
        let crash = crash(live, guest);
        let (upward, watch) =
            Upward::new(body, &plan, framing, live.keep_bodies, Arc::clone(&conn), Arc::clone(&note), crash);
        let course = Self {
            live: Arc::clone(live),
            guest: guest.cloned(),
            conn,
            note,
            plan,
            http2: parts.version == Version::HTTP_2,
            head: parts.method == Method::HEAD,
            asked: parts.headers.clone(),
            watch,
            refusal,
        };
        let mut request = Request::from_parts(parts, Body::new(upward));
        request.extensions_mut().insert(course.told());
        (course, request)
    }

    /// Enters what the messages of the call name, once a handler has decoded them.
    fn told(&self) -> Told {
        let (line, guest) = (self.note.line(), self.guest.clone());
        Told::new(move |message| {
            if let Some(pid) = effect::started_pid(message) {
                line.amend(|call| call.pid = Some(pid));
            } else if let Some(named) = effect::named(message) {
                let Named { message, pid } = named.resolved(guest.as_deref());
                line.amend(|call| {
                    (call.path, call.tag, call.command) = (message.path, message.tag, message.command);
                    call.pid = pid;
                });
            }
        })
    }

    fn at_head(&self) -> impl Iterator<Item = &ChosenCall> {
        self.plan.iter().filter(|chosen| chosen.rule().place() == Place::Head)
    }

    fn done(&self, chosen: &ChosenCall, what: impl Into<String>) {
        chosen.fired();
        self.note.done(chosen.name(), what, None);
    }

    /// What goes wrong before the guest is asked; an answer, where there is one already.
    pub(crate) async fn before(&self, request: &mut Request<Body>) -> Result<Option<Response>, Gone> {
        if let Some(refusal) = &self.refusal {
            return Ok(Some(crate::routes::reply::error(StatusCode::BAD_REQUEST, refusal)));
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
                    crash(&self.live, self.guest.as_ref())(chosen);
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

    /// The connection takes no further call.
    fn close_after(&self, response: &mut Response) {
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
            crash: crash(&self.live, self.guest.as_ref()),
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

/// What a crash of the daemon does.
fn crash(live: &Arc<Live>, guest: Option<&Arc<Guest>>) -> Arc<dyn Fn(&ChosenCall) + Send + Sync> {
    let (live, guest) = (Arc::clone(live), guest.cloned());
    Arc::new(move |chosen: &ChosenCall| {
        if let CallFault::Crash { down, processes } = chosen.rule().fault {
            live.crash(guest.as_ref(), down, processes);
        }
    })
}

/// The rules that the request itself asks for.
fn asked_for(live: &Live, headers: &HeaderMap) -> Result<Option<Rules>, String> {
    let Some(text) = headers.get(FAULT).filter(|_| live.from_header) else { return Ok(None) };
    let text = text.to_str().map_err(|_| format!("{FAULT}: expected printable ASCII"))?;
    let rule = CallRule::parse_bare(FAULT, text).map_err(|error| error.to_string())?;
    let mut script = Script::default();
    (script.seed, script.calls) = (live.seed(), vec![rule]);
    live.admit(&script).map_err(|unfit| format!("{FAULT}: {unfit}"))?;
    Ok(Some(Rules::arm(script, live.time.now())))
}

fn protocol(version: Version) -> &'static str {
    match version {
        Version::HTTP_2 => "HTTP/2",
        Version::HTTP_10 => "HTTP/1.0",
        _ => "HTTP/1.1",
    }
}

/// A decision about a connection, as the journal has it.
pub(crate) fn decision(chosen: &crate::fault::ChosenConnection) -> Decision {
    let wait = match &chosen.rule().fault {
        ConnectionFault::Delay { time } | ConnectionFault::SlowClose { time } => {
            Some(millis(chosen.key.wait(time)))
        }
        _ => None,
    };
    entered(chosen, chosen.rule().fault.to_string(), wait)
}

fn decision_of_call(chosen: &ChosenCall) -> Decision {
    let wait = match &chosen.rule().fault {
        CallFault::Delay { time } | CallFault::StartLate { time } => Some(millis(chosen.key.wait(time))),
        _ => None,
    };
    entered(chosen, chosen.rule().fault.to_string(), wait)
}

fn entered<R: Rule>(chosen: &Chosen<R>, fault: String, wait_ms: Option<f64>) -> Decision {
    let at = chosen.rule().at().map(|at| at.to_string());
    Decision { rule: chosen.name().to_owned(), n: chosen.n, fault, at, wait_ms }
}
