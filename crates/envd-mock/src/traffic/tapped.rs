//! A body that tells a recorder of each piece as it passes; itself it passes at once and unchanged.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::request::Parts;
use http::{HeaderMap, header};
use http_body::{Frame, SizeHint};

use super::line::{self, Event, How};
use super::pieces::Pieces;
use super::recorder::Tape;
use super::secret;
use crate::body::Framing;
use crate::journal::headers;

/// A request's or an answer's body.
pub(super) struct Tapped {
    inner: Body,
    tape: Arc<Tape>,
    pieces: Pieces,
    side: Side,
    /// What its head says is still to come.
    left: Option<u64>,
    ended: bool,
}

enum Side {
    Up,
    /// Held until its secret can be taken out.
    UpSecret(BytesMut),
    Down {
        head_only: bool,
    },
}

impl Tapped {
    pub(super) fn request(inner: Body, head: &Parts, tape: Arc<Tape>) -> Self {
        let secret = secret::is_in(head.uri.path());
        let side = if secret { Side::UpSecret(BytesMut::new()) } else { Side::Up };
        Self::new(inner, &head.headers, side, tape)
    }

    pub(super) fn response(inner: Body, headers: &HeaderMap, head_only: bool, tape: Arc<Tape>) -> Self {
        Self::new(inner, headers, Side::Down { head_only }, tape)
    }

    fn new(inner: Body, headers: &HeaderMap, side: Side, tape: Arc<Tape>) -> Self {
        let told = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        let left = told.or_else(|| http_body::Body::size_hint(&inner).exact());
        Self { inner, tape, pieces: Pieces::new(Framing::of(headers)), side, left, ended: false }
    }

    fn tell(&mut self, piece: Bytes) {
        let body = line::Bytes(piece);
        match &mut self.side {
            Side::Up => self.tape.write(Event::Up { body }),
            Side::Down { .. } => self.tape.write(Event::Down { body }),
            Side::UpSecret(held) if held.len() + body.0.len() <= secret::MOST => {
                held.extend_from_slice(&body.0);
            }
            Side::UpSecret(_) => {}
        }
    }

    fn data(&mut self, data: &Bytes) {
        self.left = self.left.map(|left| left.saturating_sub(data.len() as u64));
        for piece in self.pieces.push(data) {
            self.tell(piece);
        }
    }

    fn flush(&mut self) {
        if let Some(rest) = self.pieces.rest() {
            self.tell(rest);
        }
        if let Side::UpSecret(held) = &mut self.side {
            let body = secret::taken_out(&held.split());
            if !body.is_empty() {
                self.tape.write(Event::Up { body: line::Bytes(body.into()) });
            }
        }
    }

    fn trailers(&mut self, trailers: &HeaderMap) {
        self.flush();
        let headers = headers(trailers);
        self.tape.write(match self.side {
            Side::Down { .. } => Event::DownTrailers { headers },
            Side::Up | Side::UpSecret(_) => Event::UpTrailers { headers },
        });
    }

    /// Tells how it ended, once.
    fn end(&mut self, how: How) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        self.flush();
        match self.side {
            Side::Down { .. } => self.tape.end(how),
            _ if how == How::Complete => self.tape.write(Event::UpEnd {}),
            _ => {}
        }
    }

    fn is_whole(&self) -> bool {
        let head_only = matches!(self.side, Side::Down { head_only: true });
        head_only || self.left == Some(0) || http_body::Body::is_end_stream(&self.inner)
    }
}

impl http_body::Body for Tapped {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = &mut *self;
        let frame = ready!(http_body::Body::poll_frame(Pin::new(&mut this.inner), cx));
        match &frame {
            Some(Ok(frame)) => {
                if let Some(data) = frame.data_ref() {
                    this.data(data);
                } else if let Some(trailers) = frame.trailers_ref() {
                    this.trailers(trailers);
                    this.end(How::Complete);
                }
                if matches!(this.side, Side::Up | Side::UpSecret(_)) && this.is_whole() {
                    this.end(How::Complete);
                }
            }
            Some(Err(_)) => this.end(How::Failed),
            None => this.end(How::Complete),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        http_body::Body::is_end_stream(&self.inner)
    }

    fn size_hint(&self) -> SizeHint {
        http_body::Body::size_hint(&self.inner)
    }
}

impl Drop for Tapped {
    fn drop(&mut self) {
        let how = if self.is_whole() { How::Complete } else { How::Abandoned };
        self.end(how);
    }
}
