//! Contents of files: `/files`, whole or in streams (contract 3.8: by form or by PUT, as the guest's
//! generation has it; plain or gzip back).

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use futures::stream::{self, BoxStream, Stream, StreamExt};
use http::Method;
use http::header::{CONTENT_TYPE, HeaderValue, RANGE};
use serde::Deserialize;
use tokio::io::AsyncRead;
use tokio_util::io::ReaderStream;

use crate::client::Client;
use crate::error::{Error, ErrorKind, Result};
use crate::generation::{Generation, UploadWay};
use crate::transport::{Call, Download, Lane, OutBody, OutStream, Rest};

/// The content of a file, in pieces. A cut one ends in an error.
pub struct FileStream {
    length: Option<u64>,
    pieces: BoxStream<'static, Result<Bytes>>,
}

/// A part of a file, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Range {
    /// From the first to the last, both included.
    Between(u64, u64),
    /// From this one to the end.
    From(u64),
    /// The last so many.
    Last(u64),
}

/// What the guest says that it wrote.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Written {
    /// The path, as the guest resolved it.
    pub path: String,
    /// Its last name.
    pub name: String,
}

impl Client {
    /// The content of a file, at most the client's file limit.
    ///
    /// # Errors
    /// Status 404 when it is missing, 400 when it is a directory; [`ErrorKind::TooLarge`] over the cap.
    pub async fn read_file(&self, path: &str) -> Result<Bytes> {
        let call = self.repeatable("GET /files");
        let limit = self.transport.settings.file_limit;
        let longest = Some(self.transport.settings.unary_timeout);
        call.within(longest, async {
            let request = self.file_request(Method::GET, path);
            collect(&call, self.transport.download(&call, request, &[200]).await?, limit).await
        })
        .await
    }

    /// A part of the content of a file, at most the client's file limit.
    ///
    /// # Errors
    /// As [`Client::read_file`], and status 416 when nothing of the range is there. A guest that ignores ranges
    /// (generations 1 and 3) answers 200, which is an error too.
    pub async fn read_file_range(&self, path: &str, range: Range) -> Result<Bytes> {
        let call = self.repeatable("GET /files");
        let limit = self.transport.settings.file_limit;
        let longest = Some(self.transport.settings.unary_timeout);
        call.within(longest, async {
            let request = self.file_request(Method::GET, path).header(RANGE, range.header());
            collect(&call, self.transport.download(&call, request, &[206]).await?, limit).await
        })
        .await
    }

    /// The content of a file of any length, in pieces.
    ///
    /// # Errors
    /// Status 404 when it is missing, 400 when it is a directory.
    pub async fn read_file_stream(&self, path: &str) -> Result<FileStream> {
        let call = Call { lane: Lane::Streaming, ..self.repeatable("GET /files") };
        let request = self.file_request(Method::GET, path);
        let Download { length, stream } = self.transport.download(&call, request, &[200]).await?;
        Ok(FileStream { length, pieces: stream })
    }

    /// Writes a file and what is missing above it.
    ///
    /// # Errors
    /// Status 400 when the path is a directory, 401 for an unknown user, 507 when the disk is full.
    pub async fn write_file(&self, path: &str, content: impl Into<Bytes>) -> Result<Written> {
        let call = self.repeatable(self.upload_name());
        let content = content.into();
        let length = content.len() as u64;
        let pieces = stream::iter([Ok(content)]).boxed();
        let longest = Some(self.transport.settings.unary_timeout);
        call.within(longest, self.write(call, path, pieces, Some(length))).await
    }

    /// Writes a file from a stream of any length, in constant memory.
    ///
    /// # Errors
    /// As [`Client::write_file`]; an error of `pieces` aborts the upload, and the guest keeps what was there before.
    pub async fn write_file_stream(
        &self,
        path: &str,
        pieces: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
    ) -> Result<Written> {
        let call = Call { lane: Lane::Streaming, ..self.repeatable(self.upload_name()) };
        self.write(call, path, pieces.boxed(), None).await
    }

    /// Writes a file from a reader of any length, in constant memory.
    ///
    /// # Errors
    /// As [`Client::write_file_stream`].
    pub async fn write_file_from(
        &self,
        path: &str,
        reader: impl AsyncRead + Send + 'static,
    ) -> Result<Written> {
        self.write_file_stream(path, ReaderStream::with_capacity(reader, 64 << 10)).await
    }

    /// What an upload is called, as far as the guest is known.
    fn upload_name(&self) -> &'static str {
        name_of(self.known_generation().unwrap_or(Generation::Two).upload())
    }

    async fn write(&self, call: Call, path: &str, pieces: OutStream, length: Option<u64>) -> Result<Written> {
        let way = call.within(None, self.generation()).await?.upload();
        let call = Call { name: name_of(way), ..call };
        let request = match way {
            UploadWay::Form => self.form_request(&call, path, pieces, length)?,
            UploadWay::Raw => self
                .file_request(Method::PUT, path)
                .header(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"))
                .body(OutBody::Stream(pieces, length)),
        };
        let reply = self.transport.upload(&call, request).await?;
        match way {
            UploadWay::Form => only(&call, reply.json(&call)?),
            UploadWay::Raw => reply.json(&call),
        }
    }

    fn form_request(&self, call: &Call, path: &str, pieces: OutStream, length: Option<u64>) -> Result<Rest> {
        let form = Form::new();
        let request = self.file_request(Method::POST, path);
        Ok(request.header(CONTENT_TYPE, form.content_type(call)?).body(form.body(pieces, length)))
    }

    fn file_request(&self, method: Method, path: &str) -> Rest {
        let request = Rest::new(method, "/files").query("path", path);
        match &self.transport.settings.username {
            Some(name) => request.query("username", name),
            None => request,
        }
    }
}

impl FileStream {
    /// The length in bytes, when the guest tells it; one that compresses does not.
    pub fn length(&self) -> Option<u64> {
        self.length
    }

    /// The next piece; none after the last.
    pub async fn next(&mut self) -> Option<Result<Bytes>> {
        self.pieces.next().await
    }
}

impl Stream for FileStream {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.pieces.poll_next_unpin(cx)
    }
}

impl fmt::Debug for FileStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileStream").field("length", &self.length).finish_non_exhaustive()
    }
}

impl Range {
    fn header(self) -> HeaderValue {
        let text = match self {
            Self::Between(first, last) => format!("bytes={first}-{last}"),
            Self::From(first) => format!("bytes={first}-"),
            Self::Last(count) => format!("bytes=-{count}"),
        };
        HeaderValue::try_from(text).expect("digits make a header")
    }
}

fn only(call: &Call, mut written: Vec<Written>) -> Result<Written> {
    match (written.pop(), written.len()) {
        (Some(one), 0) => Ok(one),
        (None, _) => Err(call.protocol("one written file", "none")),
        (Some(_), more) => Err(call.protocol("one written file", (more + 1).to_string())),
    }
}

fn name_of(way: UploadWay) -> &'static str {
    match way {
        UploadWay::Form => "POST /files",
        UploadWay::Raw => "PUT /files",
    }
}

async fn collect(call: &Call, mut download: Download, limit: usize) -> Result<Bytes> {
    let too_large = || call.error(ErrorKind::TooLarge { what: "the file; stream it instead, it", limit });
    if download.length.is_some_and(|length| length > limit as u64) {
        return Err(too_large());
    }
    let mut content = BytesMut::new();
    while let Some(piece) = download.stream.next().await.transpose()? {
        if content.len() + piece.len() > limit {
            return Err(too_large());
        }
        content.extend_from_slice(&piece);
    }
    Ok(content.freeze())
}

/// A form of one part, as the host's own client writes it: field `file`, file name `upload`.
struct Form {
    boundary: String,
}

impl Form {
    fn new() -> Self {
        Self { boundary: uuid::Uuid::new_v4().simple().to_string() }
    }

    fn content_type(&self, call: &Call) -> Result<HeaderValue, Error> {
        HeaderValue::try_from(format!("multipart/form-data; boundary={}", self.boundary))
            .map_err(|error| call.error(ErrorKind::Usage { what: "boundary", reason: error.to_string() }))
    }

    fn body(&self, pieces: OutStream, length: Option<u64>) -> OutBody {
        let head = format!(
            "--{}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"upload\"\r\n\
             Content-Type: application/octet-stream\r\n\r\n",
            self.boundary
        );
        let tail = format!("\r\n--{}--\r\n", self.boundary);
        let length = length.map(|length| length + (head.len() + tail.len()) as u64);
        let around = |text: String| stream::iter([Ok(Bytes::from(text))]);
        OutBody::Stream(around(head).chain(pieces).chain(around(tail)).boxed(), length)
    }
}
