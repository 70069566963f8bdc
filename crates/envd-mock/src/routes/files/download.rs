//! `GET /files`: a regular file as the whole, as gzip, or in the ranges that were asked for.

use std::fs::File;
use std::io::{self, Cursor, Read as _};
use std::ops::Range;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use flate2::Compression;
use flate2::read::GzEncoder;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};

use super::answer::Refusal;
use super::asked::{Allowed, Asked, blocking};
use super::auth::Operation;
use super::body::{self, Chunks as _, Segment, Segments, ToEnd, WHOLE};
use super::conditions::{self, Validators, Verdict};
use super::disposition;
use super::encoding::{self, Encoding};
use super::range::{self, Wanted};
use super::worn;
use crate::generation::{Download as Kind, Names, Traits, Wire};
use crate::guest::Guest;
use crate::guest::disk::Access;
use crate::guest::tree::{Content, ReadError};
use crate::routes::afflicted::Afflicted;
use crate::routes::reply;

const TOKEN: &str = "x-access-token";

pub(crate) async fn get(
    State(guest): State<Arc<Guest>>,
    State(traits): State<Arc<Traits>>,
    request: Request,
) -> Response {
    let asked = match Asked::read(request.uri()) {
        Ok(asked) => asked,
        Err(response) => return response,
    };
    let (parts, _) = request.into_parts();
    let disk = Afflicted::mishap(&parts.extensions).and_then(|mishap| mishap.disk());
    let (opened, time) = (disk.clone(), guest.config.time.clone());
    // No content is read for a head.
    let read = disk.filter(|_| parts.method != Method::HEAD);
    let answer = blocking(move || {
        let download = Download::open(guest, traits.wire, &asked, &parts)?;
        if let Some(disk) = opened {
            let denied = |error| refusal(&download.path, ReadError::Open(error));
            disk.open(Access::Read).map_err(denied)?;
        }
        download.answer()
    });
    let answer = answer.await.and_then(|response| match read {
        Some(disk) => worn::from(response, disk, &time).map_err(unreadable),
        None => Ok(response),
    });
    answer.unwrap_or_else(Refusal::into_response)
}

/// A file and the request for it.
struct Download<'r> {
    path: String,
    content: Content,
    headers: &'r HeaderMap,
    encoding: Encoding,
    /// Only the headers are wanted.
    head: bool,
    wire: Wire,
}

impl<'r> Download<'r> {
    fn open(
        guest: Arc<Guest>,
        wire: Wire,
        asked: &Asked,
        Parts { method, headers, .. }: &'r Parts,
    ) -> Result<Self, Refusal> {
        let token = headers.get(TOKEN).map(HeaderValue::as_bytes);
        let allowed = Allowed::check(guest, asked, token, Operation::Read)?;
        let path = allowed.resolve(asked.path.as_deref().unwrap_or_default())?;
        let mut content =
            allowed.guest.stand().tree.open_read(&path).map_err(|error| refusal(&path, error))?;
        if !wire.reads_sizeless {
            content.len.get_or_insert(0);
        }
        let encoding = match wire.download {
            Kind::Negotiated => encoding::choose(headers, conditions::present(headers))
                .map_err(|text| Refusal::new(StatusCode::NOT_ACCEPTABLE, text))?,
            Kind::Plain => Encoding::Identity,
        };
        Ok(Self { path, content, headers, encoding, head: method == Method::HEAD, wire })
    }

    fn answer(self) -> Result<Response, Refusal> {
        let validators = Validators { tag: &self.content.tag, modified: self.content.modified };
        if self.has_validators() {
            match conditions::judge(self.headers, validators) {
                Verdict::Proceed => {}
                Verdict::NotModified => return Ok(self.bodiless(StatusCode::NOT_MODIFIED)),
                Verdict::Failed => return Ok(self.bodiless(StatusCode::PRECONDITION_FAILED)),
            }
        }
        match (self.encoding, self.content.len) {
            (Encoding::Gzip, _) => Ok(self.compressed()),
            (Encoding::Identity, Some(len)) => self.parts(len),
            (Encoding::Identity, None) => self.read_out(),
        }
    }

    fn bodiless(&self, status: StatusCode) -> Response {
        self.with_headers(status, None)
    }

    fn compressed(self) -> Response {
        let mut response = self.with_headers(StatusCode::OK, None);
        put(response.headers_mut(), header::CONTENT_ENCODING, "gzip");
        if !self.head {
            let len = self.content.len.unwrap_or(u64::MAX);
            *response.body_mut() =
                body::stream(ToEnd(GzEncoder::new(self.content.file.take(len), Compression::fast())));
        }
        response
    }

    fn parts(self, len: u64) -> Result<Response, Refusal> {
        let validators = Validators { tag: &self.content.tag, modified: self.content.modified };
        let asked = self.headers.get(header::RANGE).and_then(|value| value.to_str().ok());
        // Ranges are defined for GET alone (RFC 9110, section 14.2).
        let holds = self.wire.ranges && !self.head && conditions::range_holds(self.headers, validators);
        let asked = asked.filter(|_| holds);
        let whole = std::iter::once(0..len);
        match asked.map_or(Wanted::Whole, |header| range::wanted(header, len)) {
            Wanted::Unsatisfiable => Ok(self.unsatisfiable(len)),
            Wanted::Whole => self.segments(StatusCode::OK, None, whole.map(Segment::Part).collect()),
            Wanted::Parts(parts) => match parts.as_slice() {
                [part] => {
                    let segments = vec![Segment::Part(part.clone())];
                    let mut response = self.segments(StatusCode::PARTIAL_CONTENT, None, segments)?;
                    put(response.headers_mut(), header::CONTENT_RANGE, &content_range(part, len));
                    Ok(response)
                }
                parts => self.byteranges(parts, len),
            },
        }
    }

    fn unsatisfiable(&self, len: u64) -> Response {
        let mut response = self.bodiless(StatusCode::RANGE_NOT_SATISFIABLE);
        put(response.headers_mut(), header::CONTENT_RANGE, &format!("bytes */{len}"));
        response
    }

    /// Several ranges, each with headers of its own.
    fn byteranges(self, parts: &[Range<u64>], len: u64) -> Result<Response, Refusal> {
        let boundary = format!("envd-{}", self.content.tag);
        let mut segments = Vec::with_capacity(2 * parts.len() + 1);
        for part in parts {
            let head = format!(
                "\r\n--{boundary}\r\ncontent-type: {}\r\ncontent-range: {}\r\n\r\n",
                self.kind(),
                content_range(part, len)
            );
            segments.extend([Segment::Text(head.into()), Segment::Part(part.clone())]);
        }
        segments.push(Segment::Text(format!("\r\n--{boundary}--\r\n").into()));
        let kind = format!("multipart/byteranges; boundary={boundary}");
        self.segments(StatusCode::PARTIAL_CONTENT, Some(&kind), segments)
    }

    fn segments(
        self,
        status: StatusCode,
        kind: Option<&str>,
        segments: Vec<Segment>,
    ) -> Result<Response, Refusal> {
        let len: u64 = segments.iter().map(Segment::len).sum();
        let mut response = self.with_headers(status, kind);
        put(response.headers_mut(), header::CONTENT_LENGTH, &len.to_string());
        if !self.head {
            *response.body_mut() = segments_body(self.content.file, segments, len).map_err(unreadable)?;
        }
        Ok(response)
    }

    /// A file whose length shows at its end: a short one is answered whole, a long one as it comes.
    fn read_out(mut self) -> Result<Response, Refusal> {
        let mut first = Vec::new();
        (&mut self.content.file).take(WHOLE as u64).read_to_end(&mut first).map_err(unreadable)?;
        let whole = first.len() < WHOLE;
        if first.is_empty() && self.wire.ranges && self.headers.contains_key(header::RANGE) {
            return Ok(self.unsatisfiable(0));
        }
        let mut response = self.with_headers(StatusCode::OK, None);
        if whole {
            put(response.headers_mut(), header::CONTENT_LENGTH, &first.len().to_string());
        }
        if !self.head {
            *response.body_mut() = if whole {
                first.into()
            } else {
                body::stream(ToEnd(Cursor::new(first).chain(self.content.file)))
            };
        }
        Ok(response)
    }

    fn with_headers(&self, status: StatusCode, kind: Option<&str>) -> Response {
        let mut response = Response::new(if self.head { of_unknown_length() } else { Body::empty() });
        *response.status_mut() = status;
        let headers = response.headers_mut();
        if self.wire.download == Kind::Negotiated {
            headers.append(header::VARY, HeaderValue::from_static("Accept-Encoding"));
        }
        if self.has_validators() {
            let weak = if self.encoding == Encoding::Gzip { "W/" } else { "" };
            put(headers, header::ETAG, &format!("{weak}\"{}\"", self.content.tag));
            put(headers, header::LAST_MODIFIED, &httpdate::fmt_http_date(self.content.modified.max(EPOCH)));
        }
        if status.is_success() {
            put(headers, header::CONTENT_TYPE, kind.unwrap_or(&self.kind()));
            match self.disposition() {
                Some(value) => drop(headers.insert(header::CONTENT_DISPOSITION, value)),
                None => return reply::breakdown(),
            }
            if self.wire.ranges && self.content.len.is_some() {
                put(headers, header::ACCEPT_RANGES, "bytes");
            }
        }
        response
    }
}

impl Download<'_> {
    /// Something tells whether the content has changed.
    fn has_validators(&self) -> bool {
        self.wire.ranges && !self.content.made_up
    }

    fn kind(&self) -> String {
        match self.wire.download {
            Kind::Negotiated => mime(&self.path),
            Kind::Plain => "application/octet-stream".to_owned(),
        }
    }

    /// `None` for a name over which the daemon breaks down.
    fn disposition(&self) -> Option<HeaderValue> {
        let name = Path::new(&self.path).file_name().unwrap_or_default();
        match self.wire.names {
            Names::Escaped => HeaderValue::try_from(disposition::inline(&name.to_string_lossy())).ok(),
            Names::Raw => disposition::raw(name.as_bytes()),
        }
    }
}

const EPOCH: std::time::SystemTime = std::time::SystemTime::UNIX_EPOCH;

impl Segment {
    fn len(&self) -> u64 {
        match self {
            Self::Text(text) => text.len() as u64,
            Self::Part(part) => part.end - part.start,
        }
    }
}

/// What fits into one chunk is read at once, so that it needs no second thread.
fn segments_body(file: File, segments: Vec<Segment>, len: u64) -> io::Result<Body> {
    let mut segments = Segments::new(file, segments);
    if len > WHOLE as u64 {
        return Ok(body::stream(segments));
    }
    let mut bytes = Vec::new();
    while let Some(chunk) = segments.next()? {
        bytes.extend_from_slice(&chunk);
    }
    Ok(Bytes::from(bytes).into())
}

/// Nothing, of which no server concludes that GET would give nothing.
fn of_unknown_length() -> Body {
    Body::from_stream(futures::stream::empty::<io::Result<Bytes>>())
}

fn content_range(part: &Range<u64>, len: u64) -> String {
    format!("bytes {}-{}/{len}", part.start, part.end - 1)
}

fn mime(path: &str) -> String {
    mime_guess::from_path(path).first_or_octet_stream().essence_str().to_owned()
}

fn put(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

fn unreadable(error: io::Error) -> Refusal {
    Refusal::internal(format!("error reading file: {error}"))
}

fn refusal(path: &str, error: ReadError) -> Refusal {
    match error {
        ReadError::Missing => Refusal::new(StatusCode::NOT_FOUND, format!("path '{path}' does not exist")),
        ReadError::Directory => Refusal::bad_request(format!("path '{path}' is a directory")),
        ReadError::NotRegular => Refusal::bad_request(format!("path '{path}' is not a regular file")),
        ReadError::Look(error) => Refusal::internal(format!("error checking path: {error}")),
        ReadError::Open(error) => Refusal::internal(format!("error opening file: {error}")),
    }
}
