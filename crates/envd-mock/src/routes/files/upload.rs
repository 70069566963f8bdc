//! `POST /files`: each part named `file` of a multipart form becomes a file, one after the other.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use multer::{Field, Multipart};
use serde::Serialize;

use super::answer::Refusal;
use super::asked::{Allowed, Asked, blocking};
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
    let (allowed, asked) = blocking(move || {
        let allowed = Allowed::check(guest, &asked, token.as_deref(), Operation::Write)?;
        Ok((allowed, asked))
    })
    .await?;
    let gzip = is_gzip(&parts.headers)?;
    let progress = Progress::default();
    let pieces = Pieces::new(body, rules.limit, progress.clone());
    let form = Multipart::new(pieces, boundary(&parts.headers)?);
    let target = asked.path.filter(|path| !path.is_empty());
    let allowance = Allowance::new(limit);
    let throttle = disk.as_ref().and_then(|disk| disk.throttle(&time));
    let allowed = Arc::new(allowed);
    let (caller, placed) = (Caller::new(&parts.extensions, &time), Vec::new());
    let receipt = Receipt { allowed, target, gzip, progress, allowance, disk, throttle, caller, placed };
    let placed = receipt.take(form).await?;
    if placed.is_empty() && rules.needs_file {
        return Err(Refusal::bad_request("no 'file' part in the upload"));
    }
    Ok(placed)
}

/// A part that has come to its end and is not in place yet.
struct Fetched {
    path: String,
    receiving: Receiving,
}

/// A form that is being received.
struct Receipt {
    allowed: Arc<Allowed>,
    /// Where every part goes, if the query says so.
    target: Option<String>,
    gzip: bool,
    progress: Progress,
    allowance: Allowance,
    disk: Option<BadDisk>,
    throttle: Option<Throttle>,
    caller: Caller,
    placed: Vec<Placed>,
}

impl Receipt {
    async fn take(mut self, mut form: Multipart<'static>) -> Result<Vec<Placed>, Refusal> {
        let (mut taken, mut last) = (HashSet::new(), None);
        while let Some(mut field) = self.next_field(&mut form).await? {
            self.place(last.take()).await?;
            self.progress.made();
            if field.name() != Some("file") {
                self.skip(&mut field).await?;
                continue;
            }
            let path = self.path_for(&field).await?;
            if !taken.insert(path.clone()) {
                return Err(Refusal::bad_request(format!(
                    "cannot upload multiple files to same path '{path}'"
                )));
            }
            last = Some(self.fetch(&mut field, path).await?);
        }
        self.place(last).await?;
        Ok(self.placed)
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

    async fn path_for(&self, field: &Field<'static>) -> Result<String, Refusal> {
        let named = field.file_name().filter(|name| !name.is_empty()).unwrap_or(NAMELESS);
        let path = self.target.clone().unwrap_or_else(|| named.to_owned());
        let allowed = Arc::clone(&self.allowed);
        blocking(move || allowed.resolve(&path)).await
    }

    /// Receives one part. The upload goes to a thread for each piece and back: whenever this is dropped, so is it.
    async fn fetch(&mut self, field: &mut Field<'static>, path: String) -> Result<Fetched, Refusal> {
        let (allowed, gzip, allowance) = (Arc::clone(&self.allowed), self.gzip, self.allowance);
        let (target, disk) = (path.clone(), self.disk.clone());
        let mut receiving = blocking(move || {
            let (tree, owner) = (&allowed.guest.stand().tree, Owner::from(&allowed.user));
            Receiving::begin(tree, &target, owner, (gzip, Landing::Through), allowance, disk)
        })
        .await?;
        while let Some(piece) = self.next_piece(field).await? {
            if let Some(throttle) = &mut self.throttle {
                throttle.pass(piece.len()).await;
            }
            receiving = self.caller.write(receiving, piece).await?;
        }
        Ok(Fetched { path, receiving })
    }

    /// Puts a part in place, once what follows it has shown that the form was not cut in the part's last line.
    async fn place(&mut self, part: Option<Fetched>) -> Result<(), Refusal> {
        let Some(Fetched { path, receiving }) = part else { return Ok(()) };
        self.allowance = self.caller.finish(receiving).await?;
        self.placed.push(Placed::at(path));
        Ok(())
    }
}

impl Placed {
    pub(super) fn at(path: String) -> Self {
        let name =
            Path::new(&path).file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        Self { path, name, r#type: "file" }
    }
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
