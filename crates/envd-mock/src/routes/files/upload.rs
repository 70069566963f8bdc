//! `POST /files`: each part named `file` of a multipart form becomes a file, one after the other.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use multer::{Field, Multipart};
use serde::Serialize;

use super::answer::Refusal;
use super::asked::{Admitted, Allowed, Asked, blocking};
use super::auth::Operation;
use super::pieces::{Pieces, Progress};
use super::receive::{Allowance, Receiving};
use super::settle::Caller;
use crate::generation::{Form, Traits};
use crate::guest::Guest;
use crate::guest::disk::{BadDisk, Throttle};
use crate::guest::tree::{Landing, Owner};
use crate::routes::afflicted::Afflicted;

const TOKEN: &str = "x-access-token";
/// How long a client may send nothing.
const SILENCE: Duration = Duration::from_secs(60);
/// Bytes of a part that are collected before its file is begun, as long as they come at once.
const SMALL: usize = 64 * 1024;
/// Where a part goes that names no file.
const NAMELESS: &str = "upload";

/// One file that was placed.
#[derive(Debug, Serialize)]
pub(super) struct Placed {
    path: String,
    name: String,
    r#type: &'static str,
}

pub(crate) async fn post(
    State(guest): State<Arc<Guest>>,
    State(traits): State<Arc<Traits>>,
    request: Request,
) -> Response {
    let asked = match Asked::read(request.uri()) {
        Ok(asked) => asked,
        Err(response) => return response,
    };
    match receive(guest, traits.wire.form, asked, request).await {
        Ok(placed) => Json(placed).into_response(),
        Err(refusal) => refusal.into_response(),
    }
}

async fn receive(
    guest: Arc<Guest>,
    rules: Form,
    asked: Asked,
    request: Request,
) -> Result<Vec<Placed>, Refusal> {
    let (parts, body) = request.into_parts();
    let token = parts.headers.get(TOKEN).map(|token| token.as_bytes().to_vec());
    let (limit, time) = (guest.config.max_upload, guest.config.time.clone());
    let disk = Afflicted::mishap(&parts.extensions).and_then(|mishap| mishap.disk());
    let mut who = Who::Admitted(Admitted::check(guest, &asked, token.as_deref(), Operation::Write)?);
    if parts.headers.contains_key(header::EXPECT) {
        // Such a client waits for a refusal before it sends anything.
        who.find().await?;
    }
    let gzip = is_gzip(&parts.headers);
    let boundary = boundary(&parts.headers);
    let (gzip, boundary) = match (gzip, boundary) {
        (Ok(gzip), Ok(boundary)) => (gzip, boundary),
        // Whoever is nobody hears that first.
        (Err(refusal), _) | (_, Err(refusal)) => return Err(who.find().await.err().unwrap_or(refusal)),
    };
    let progress = Progress::default();
    let pieces = Pieces::new(body, rules.limit, progress.clone());
    let form = Multipart::new(pieces, boundary);
    let target = asked.path.filter(|path| !path.is_empty());
    let allowance = Allowance::new(limit);
    let throttle = disk.as_ref().and_then(|disk| disk.throttle(&time));
    let (caller, taken, placed) = (Caller::new(&parts.extensions, &time), HashSet::new(), Vec::new());
    let mut receipt =
        Receipt { who, target, gzip, progress, allowance, disk, throttle, caller, taken, placed };
    let received = receipt.take(form).await;
    receipt.who.find().await?;
    received?;
    if receipt.placed.is_empty() && rules.needs_file {
        return Err(Refusal::bad_request("no 'file' part in the upload"));
    }
    Ok(receipt.placed)
}

/// The user of a request, looked up when first needed: a small upload then takes one trip to a thread that may block.
#[derive(Clone)]
enum Who {
    Admitted(Admitted),
    Found(Arc<Allowed>),
}

impl Who {
    /// Looks the user up, unless that was done. Blocking.
    fn found(self) -> Result<Arc<Allowed>, Refusal> {
        match self {
            Self::Admitted(admitted) => admitted.find().map(Arc::new),
            Self::Found(allowed) => Ok(allowed),
        }
    }

    async fn find(&mut self) -> Result<(), Refusal> {
        if let Self::Admitted(admitted) = self {
            let admitted = admitted.clone();
            *self = Self::Found(Arc::new(blocking(move || admitted.find()).await?));
        }
        Ok(())
    }
}

/// A part that has come to its end and is not in place yet.
enum Fetched {
    /// All of a small one, and the path that it names.
    Small(String, Vec<u8>),
    Long(String, Receiving),
}

/// A form that is being received.
struct Receipt {
    who: Who,
    /// Where every part goes, if the query says so.
    target: Option<String>,
    gzip: bool,
    progress: Progress,
    allowance: Allowance,
    disk: Option<BadDisk>,
    throttle: Option<Throttle>,
    caller: Caller,
    /// Paths that parts were received for.
    taken: HashSet<String>,
    placed: Vec<Placed>,
}

impl Receipt {
    async fn take(&mut self, mut form: Multipart<'static>) -> Result<(), Refusal> {
        let mut last = None;
        while let Some(mut field) = self.next_part(&mut form).await? {
            self.place(last.take()).await?;
            self.progress.made();
            if field.name() != Some("file") {
                self.skip(&mut field).await?;
                continue;
            }
            last = Some(self.fetch(&mut field).await?);
        }
        self.place(last).await
    }

    /// The next part. A client that has not sent its head yet hears first whether it may upload at all.
    async fn next_part(&mut self, form: &mut Multipart<'static>) -> Result<Option<Field<'static>>, Refusal> {
        if let Some(next) = soon(self.next_field(form)).await {
            return next;
        }
        self.who.find().await?;
        self.next_field(form).await
    }

    async fn next_field(&self, form: &mut Multipart<'static>) -> Result<Option<Field<'static>>, Refusal> {
        match within(form.next_field()).await? {
            // Real builds take an empty body for a form without parts.
            Err(_) if !self.progress.any() => Ok(None),
            other => other.map_err(|error| broken(&error)),
        }
    }

    async fn next_piece(&self, field: &mut Field<'static>) -> Result<Option<Bytes>, Refusal> {
        let piece = within(field.chunk()).await?.map_err(|error| broken(&error))?;
        self.progress.made();
        Ok(piece)
    }

    async fn skip(&mut self, field: &mut Field<'static>) -> Result<(), Refusal> {
        while let Some(piece) = self.next_piece(field).await? {
            self.allowance.take(piece.len())?;
        }
        Ok(())
    }

    /// The path that a part names, as it is named.
    fn path_of(&self, field: &Field<'static>) -> String {
        let named = field.file_name().filter(|name| !name.is_empty()).unwrap_or(NAMELESS);
        self.target.clone().unwrap_or_else(|| named.to_owned())
    }

    /// Receives one part. What comes at once is collected; with more to come the part begins in the tree, so that a pipe
    /// gets what there is.
    async fn fetch(&mut self, field: &mut Field<'static>) -> Result<Fetched, Refusal> {
        let (named, mut seen) = (self.path_of(field), Vec::new());
        if self.disk.is_none() {
            while seen.len() <= SMALL {
                match soon(field.chunk()).await {
                    None => break,
                    Some(piece) => match piece.map_err(|error| broken(&error))? {
                        None => return Ok(Fetched::Small(named, seen)),
                        Some(piece) => seen.extend_from_slice(&piece),
                    },
                }
                self.progress.made();
            }
        }
        self.fetch_long(field, named, seen).await
    }

    /// As `fetch`, of a part that began with `seen`. The upload goes to a thread for each piece and back: whenever this
    /// is dropped, so is it.
    async fn fetch_long(
        &mut self,
        field: &mut Field<'static>,
        named: String,
        seen: Vec<u8>,
    ) -> Result<Fetched, Refusal> {
        let (path, mut receiving) = self.begin(named, seen).await?;
        while let Some(piece) = self.next_piece(field).await? {
            if let Some(throttle) = &mut self.throttle {
                throttle.pass(piece.len()).await;
            }
            receiving = self.caller.write(receiving, piece).await?;
        }
        Ok(Fetched::Long(path, receiving))
    }

    /// Begins a part with what has come of it.
    async fn begin(&mut self, named: String, seen: Vec<u8>) -> Result<(String, Receiving), Refusal> {
        let (who, mut taken) = (self.who.clone(), std::mem::take(&mut self.taken));
        let (gzip, allowance, disk) = (self.gzip, self.allowance, self.disk.clone());
        let (allowed, taken, path, receiving) = blocking(move || {
            let allowed = who.found()?;
            let path = take_path(&allowed, &mut taken, &named)?;
            let receiving = begin(&allowed, &path, gzip, allowance, disk)?;
            Ok((allowed, taken, path, receiving))
        })
        .await?;
        (self.who, self.taken) = (Who::Found(allowed), taken);
        Ok((path, self.caller.write(receiving, seen.into()).await?))
    }

    /// Puts a part in place, once what follows it has shown that the form was not cut in the part's last line.
    async fn place(&mut self, part: Option<Fetched>) -> Result<(), Refusal> {
        let path = match part {
            None => return Ok(()),
            Some(Fetched::Long(path, receiving)) => {
                self.allowance = self.caller.finish(receiving).await?;
                path
            }
            Some(Fetched::Small(named, content)) => self.place_small(named, content).await?,
        };
        self.placed.push(Placed::at(path));
        Ok(())
    }

    /// All of a small part in one trip to a thread, unless a pipe or a device has to take it; the path that it got.
    async fn place_small(&mut self, named: String, content: Vec<u8>) -> Result<String, Refusal> {
        let (who, mut taken) = (self.who.clone(), std::mem::take(&mut self.taken));
        let (gzip, allowance) = (self.gzip, self.allowance);
        let (allowed, taken, path, placed) = blocking(move || {
            let allowed = who.found()?;
            let path = take_path(&allowed, &mut taken, &named)?;
            let mut receiving = begin(&allowed, &path, gzip, allowance, None)?;
            if receiving.upload().is_through() {
                return Ok((allowed, taken, path, Err((receiving, content))));
            }
            receiving.write(&content)?;
            let allowance = receiving.finish()?;
            Ok((allowed, taken, path, Ok(allowance)))
        })
        .await?;
        (self.who, self.taken) = (Who::Found(allowed), taken);
        self.allowance = match placed {
            Ok(allowance) => allowance,
            Err((receiving, content)) => {
                self.caller.finish(self.caller.write(receiving, content.into()).await?).await?
            }
        };
        Ok(path)
    }
}

/// Begins a part in the tree. Blocking.
fn begin(
    allowed: &Allowed,
    path: &str,
    gzip: bool,
    allowance: Allowance,
    disk: Option<BadDisk>,
) -> Result<Receiving, Refusal> {
    let (tree, owner) = (&allowed.guest.stand().tree, Owner::from(&allowed.user));
    Receiving::begin(tree, path, owner, (gzip, Landing::Through), allowance, disk)
}

/// What a part's path stands for, which no other part of the form may have.
fn take_path(allowed: &Allowed, taken: &mut HashSet<String>, named: &str) -> Result<String, Refusal> {
    let path = allowed.resolve(named)?;
    if !taken.insert(path.clone()) {
        let message = format!("cannot upload multiple files to same path '{path}'");
        return Err(Refusal::bad_request(message));
    }
    Ok(path)
}

impl Placed {
    pub(super) fn at(path: String) -> Self {
        let name =
            Path::new(&path).file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        Self { path, name, r#type: "file" }
    }
}

/// What `wait` comes to, if what the client has sent by now is enough for that. The connection hands a body over only
/// while its call is not being polled.
pub(super) async fn soon<T>(wait: impl Future<Output = T>) -> Option<T> {
    const TURNS: usize = 3;
    let mut wait = std::pin::pin!(wait);
    for _ in 0..TURNS {
        if let Poll::Ready(outcome) = futures::poll!(&mut wait) {
            return Some(outcome);
        }
        tokio::task::yield_now().await;
    }
    None
}

pub(super) async fn within<T>(wait: impl Future<Output = T>) -> Result<T, Refusal> {
    let silent =
        |_| Refusal::new(StatusCode::REQUEST_TIMEOUT, format!("the client sent nothing for {SILENCE:?}"));
    tokio::time::timeout(SILENCE, wait).await.map_err(silent)
}

fn broken(error: &multer::Error) -> Refusal {
    tracing::debug!(%error, "a form was not received");
    Refusal::internal("error reading field: Error parsing `multipart/form-data` request")
}

fn is_gzip(headers: &HeaderMap) -> Result<bool, Refusal> {
    let Some(value) = headers.get(header::CONTENT_ENCODING) else { return Ok(false) };
    let value = value.to_str().unwrap_or_default().trim().to_ascii_lowercase();
    match value.as_str() {
        "" | "identity" => Ok(false),
        "gzip" | "x-gzip" => Ok(true),
        other => {
            Err(Refusal::bad_request(format!("unsupported Content-Encoding: {other}, supported: [\"gzip\"]")))
        }
    }
}

fn boundary(headers: &HeaderMap) -> Result<String, Refusal> {
    let kind = headers.get(header::CONTENT_TYPE).map(HeaderValue::to_str);
    let boundary = kind.and_then(Result::ok).and_then(|kind| multer::parse_boundary(kind).ok());
    boundary.ok_or_else(|| {
        Refusal::internal("error parsing multipart: Invalid `boundary` for `multipart/form-data` request")
    })
}
