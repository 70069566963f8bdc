//! One call under way: what was decided about it, what was done, and what the journal is told. Knows what to do at each
//! stage of the pipeline; how it is done is `effect`'s and `body`'s.

mod answer;
mod decisions;
mod request;

use std::sync::Arc;

use axum::body::Body;
use http::{HeaderMap, Method, Request, StatusCode, Version};

use crate::body::Framing;
use crate::connection::Conn;
use crate::effect::{self, Asked, Named, Upward, Watch};
use crate::fault::{Call, CallFault, CallRule, ChosenCall, Head as _, Place, Rules, Script, dead_for_call};
use crate::guest::Guest;
use crate::journal::{CallEntry, CallNote, headers, target};
use crate::live::{DeadRules, Live};
use crate::routes::origin::Refused;
use crate::routes::told::Told;

pub(crate) use decisions::decision;
use decisions::decision_of_call;

const FAULT: &str = "x-envd-fault";
const NAME: &str = "x-envd-call";

/// A call from its head to its last byte.
pub(crate) struct Course {
    live: Arc<Live>,
    guest: Option<Arc<Guest>>,
    crash: Crash,
    conn: Arc<Conn>,
    note: Arc<CallNote>,
    plan: Vec<ChosenCall>,
    http2: bool,
    /// HEAD: the answer has no body.
    head: bool,
    asked: HeaderMap,
    watch: Watch,
    /// Answered in place of the guest: the origin is foreign, or the header that asks for a fault is not valid.
    refusal: Option<(StatusCode, String)>,
}

impl Course {
    /// Decides what goes wrong with a call and enters it in the journal; the request that is given back is whole. No
    /// rule sees a call from a foreign origin.
    pub(crate) async fn enter(
        live: &Arc<Live>,
        guest: Option<&Arc<Guest>>,
        crash: &Crash,
        request: Request<Body>,
        known: bool,
        rpc: bool,
        origin: Result<(), Refused>,
    ) -> (Self, Request<Body>) {
        let (parts, mut body) = request.into_parts();
        let conn = parts
            .extensions
            .get::<Arc<Conn>>()
            .cloned()
            .unwrap_or_else(|| Arc::new(Conn::new(None, live.time.clone())));
        let now = live.time.now();
        let head = Asked { parts: &parts, rpc };
        let mut named = Named::default();
        let mut refusal = origin.err().map(|foreign| (StatusCode::FORBIDDEN, foreign.to_string()));
        let rules = refusal.is_none().then(|| live.rules());
        let own = match rules.as_ref().map(|_| asked_for(live, &head)).transpose() {
            Ok(own) => own.flatten(),
            Err(invalid) => {
                refusal = Some((StatusCode::BAD_REQUEST, invalid));
                None
            }
        };
        let all = || rules.as_deref().into_iter().chain(own.as_ref());
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
        let (upward, watch) = Upward::new(
            body,
            &plan,
            framing,
            live.keep_bodies,
            Arc::clone(&conn),
            Arc::clone(&note),
            Arc::clone(crash),
        );
        let course = Self {
            live: Arc::clone(live),
            guest: guest.cloned(),
            crash: Arc::clone(crash),
            conn,
            note,
            http2: parts.version == Version::HTTP_2,
            head: parts.method == Method::HEAD,
            // Only a fault looks at them again.
            asked: if plan.is_empty() { HeaderMap::new() } else { parts.headers.clone() },
            plan,
            watch,
            refusal,
        };
        let mut request = Request::from_parts(parts, Body::new(upward));
        if rpc {
            request.extensions_mut().insert(course.told());
        }
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
}

/// What a crash of the daemon does; the same for all calls.
pub(crate) type Crash = Arc<dyn Fn(&ChosenCall) + Send + Sync>;

/// What a crash of the daemon does.
pub(crate) fn crash(live: &Arc<Live>, guest: Option<&Arc<Guest>>) -> Crash {
    let (live, guest) = (Arc::clone(live), guest.cloned());
    Arc::new(move |chosen: &ChosenCall| {
        if let CallFault::Crash { down, processes } = chosen.rule().fault {
            live.crash(guest.as_ref(), down, processes);
        }
    })
}

/// The rules that the request itself asks for.
fn asked_for(live: &Live, head: &Asked<'_>) -> Result<Option<Rules>, String> {
    let Some(text) = head.parts.headers.get(FAULT) else { return Ok(None) };
    if !live.from_header {
        live.header_ignored(head);
        return Ok(None);
    }
    let text = text.to_str().map_err(|_| format!("{FAULT}: expected printable ASCII"))?;
    let rule = CallRule::parse_bare(FAULT, text).map_err(|error| error.to_string())?;
    if let Some(dead) = live.alive_in().and_then(|generation| dead_for_call(&rule, generation, head)) {
        return Err(format!("{FAULT}: {dead}"));
    }
    let mut script = Script::default();
    (script.seed, script.calls) = (live.seed(), vec![rule]);
    live.admit(&script, DeadRules::Refuse).map_err(|refused| format!("{FAULT}: {refused}"))?;
    Ok(Some(Rules::arm(script, live.time.now())))
}

fn protocol(version: Version) -> &'static str {
    match version {
        Version::HTTP_2 => "HTTP/2",
        Version::HTTP_10 => "HTTP/1.0",
        _ => "HTTP/1.1",
    }
}
