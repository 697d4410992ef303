//! Bodies of requests and responses, under their caps. Must not keep more than what waits for the next piece.

use crate::{
    error::EgressError,
    limits::EgressLimits,
    meter::NetworkMeter,
    redact::Redactor,
    wire::{Connection, explain, too_large},
};
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, combinators::UnsyncBoxBody};
use hyper::body::Incoming;
use std::{
    error::Error,
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio::{
    sync::OwnedSemaphorePermit,
    time::{Instant, Sleep, sleep_until},
};

/// The body of a request.
pub enum OutBody {
    /// None.
    Empty,
    /// All of it; sent again when a redirect keeps the method.
    Whole(Bytes),
    /// Piece by piece. A redirect that keeps the method is not followed: the pieces are gone. Trailers are not sent.
    Stream(UnsyncBoxBody<Bytes, Box<dyn Error + Send + Sync>>),
}

impl fmt::Debug for OutBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("Empty"),
            Self::Whole(bytes) => write!(f, "Whole({} bytes)", bytes.len()),
            Self::Stream(_) => f.write_str("Stream"),
        }
    }
}

/// A request's body on its way, under its cap.
pub(crate) struct Outgoing {
    body: OutBody,
    sent: u64,
    cap: u64,
    announced: Option<u64>,
}

impl Outgoing {
    /// Refuses at once what is known to be too large.
    pub(crate) fn new(
        body: OutBody,
        announced: Option<u64>,
        limits: &EgressLimits,
    ) -> Result<Self, EgressError> {
        let cap = limits.body_out;
        let known = match &body {
            OutBody::Empty => Some(0),
            OutBody::Whole(bytes) => Some(length(bytes)),
            OutBody::Stream(stream) => stream.size_hint().exact(),
        };
        if known.or(announced).is_some_and(|n| n > cap) {
            return Err(over(cap));
        }
        if let (Some(known), Some(said)) = (known, announced)
            && known != said
        {
            return Err(wrong_length(said));
        }
        Ok(Self {
            body,
            sent: 0,
            cap,
            announced: known.or(announced),
        })
    }
}

fn length(bytes: &Bytes) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

fn over(cap: u64) -> EgressError {
    EgressError::TooLarge(format!("the request's body has more than {cap} bytes"))
}

fn wrong_length(said: u64) -> EgressError {
    EgressError::Protocol(format!(
        "the request's body has not the {said} bytes that its `content-length` says"
    ))
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = EgressError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, EgressError>>> {
        loop {
            let piece = match &mut self.body {
                OutBody::Empty => None,
                OutBody::Whole(bytes) => {
                    let whole = std::mem::take(bytes);
                    self.body = OutBody::Empty;
                    (!whole.is_empty()).then_some(Ok(Frame::data(whole)))
                }
                OutBody::Stream(stream) => ready!(Pin::new(stream).poll_frame(cx)),
            };
            let bytes = match piece {
                None if self.announced.is_some_and(|n| n != self.sent) => {
                    let said = self.announced.unwrap_or_default();
                    return Poll::Ready(Some(Err(wrong_length(said))));
                }
                None => return Poll::Ready(None),
                // Its cause is the guest's own and says nothing about the network.
                Some(Err(_)) => {
                    return Poll::Ready(Some(Err(EgressError::Protocol(
                        "the request's body broke off".into(),
                    ))));
                }
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(bytes) => bytes,
                    Err(_trailers) => continue,
                },
            };
            self.sent = self.sent.saturating_add(length(&bytes));
            if self.sent > self.cap {
                return Poll::Ready(Some(Err(over(self.cap))));
            }
            if self.announced.is_some_and(|n| self.sent > n) {
                let said = self.announced.unwrap_or_default();
                return Poll::Ready(Some(Err(wrong_length(said))));
            }
            return Poll::Ready(Some(Ok(Frame::data(bytes))));
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.body {
            OutBody::Empty => true,
            OutBody::Whole(bytes) => bytes.is_empty(),
            OutBody::Stream(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self.announced {
            Some(whole) => SizeHint::with_exact(whole.saturating_sub(self.sent)),
            None => SizeHint::default(),
        }
    }
}

/// The body of a response: bytes as the server sent them, never decompressed, with every secret that went out replaced
/// by `*`. Trailers are dropped. Dropping it ends the connection.
pub struct EgressBody {
    body: Option<Incoming>,
    _connection: Connection,
    _slot: OwnedSemaphorePermit,
    redactor: Redactor,
    seen: u64,
    limits: EgressLimits,
    meter: NetworkMeter,
    origin: String,
    deadline: Pin<Box<Sleep>>,
    idle: Pin<Box<Sleep>>,
}

impl fmt::Debug for EgressBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EgressBody({}, {} bytes so far)", self.origin, self.seen)
    }
}

/// What a response's body needs beside the bytes.
pub(crate) struct InParts {
    pub(crate) connection: Connection,
    pub(crate) slot: OwnedSemaphorePermit,
    pub(crate) redactor: Redactor,
    pub(crate) limits: EgressLimits,
    pub(crate) meter: NetworkMeter,
    pub(crate) origin: String,
    pub(crate) deadline: Instant,
}

impl EgressBody {
    pub(crate) fn new(body: Incoming, parts: InParts) -> Self {
        Self {
            body: Some(body),
            _connection: parts.connection,
            _slot: parts.slot,
            redactor: parts.redactor,
            seen: 0,
            idle: Box::pin(sleep_until(Instant::now() + parts.limits.between_bytes)),
            deadline: Box::pin(sleep_until(parts.deadline)),
            limits: parts.limits,
            meter: parts.meter,
            origin: parts.origin,
        }
    }

    /// The next piece; `None` at the end.
    ///
    /// # Errors
    /// It broke off, took too long or is too large; nothing comes after an error.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, EgressError> {
        loop {
            match self.frame().await {
                None => return Ok(None),
                Some(Err(e)) => return Err(e),
                Some(Ok(frame)) => {
                    if let Ok(bytes) = frame.into_data() {
                        return Ok(Some(bytes));
                    }
                }
            }
        }
    }

    /// All that is left, up to `max` bytes.
    ///
    /// # Errors
    /// As for [`Self::chunk`]; `TooLarge` beyond `max`.
    pub async fn collect(mut self, max: usize) -> Result<Bytes, EgressError> {
        let mut whole = Vec::new();
        while let Some(piece) = self.chunk().await? {
            if whole.len().saturating_add(piece.len()) > max {
                return Err(EgressError::TooLarge(format!(
                    "the response's body has more than {max} bytes"
                )));
            }
            whole.extend_from_slice(&piece);
        }
        Ok(whole.into())
    }

    fn late(&self) -> EgressError {
        EgressError::Timeout(format!(
            "the response of {} took longer than {:?} as a whole",
            self.origin, self.limits.total
        ))
    }

    /// One step: `None` means that there is nothing to give on yet.
    fn step(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Option<Bytes>, EgressError>>> {
        // The deadline comes first: a drip that is always ready would otherwise run for ever.
        if self.deadline.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Some(Err(self.late())));
        }
        let Some(body) = &mut self.body else {
            return Poll::Ready(None);
        };
        match Pin::new(body).poll_frame(cx) {
            Poll::Pending => {
                ready!(self.idle.as_mut().poll(cx));
                Poll::Ready(Some(Err(EgressError::Timeout(format!(
                    "{} sent nothing for {:?}",
                    self.origin, self.limits.between_bytes
                )))))
            }
            Poll::Ready(None) => {
                self.body = None;
                let rest = self.redactor.finish();
                Poll::Ready((!rest.is_empty()).then_some(Ok(Some(rest))))
            }
            Poll::Ready(Some(Err(e))) => Poll::Ready(Some(Err(
                if self.deadline.is_elapsed() || Instant::now() >= self.deadline.deadline() {
                    self.late()
                } else {
                    explain(&e, &self.origin, &self.meter, &self.limits)
                },
            ))),
            Poll::Ready(Some(Ok(frame))) => {
                let next = Instant::now() + self.limits.between_bytes;
                self.idle.as_mut().reset(next);
                let Ok(bytes) = frame.into_data() else {
                    return Poll::Ready(Some(Ok(None)));
                };
                self.seen = self.seen.saturating_add(length(&bytes));
                if self.seen > self.limits.body_in {
                    return Poll::Ready(Some(Err(too_large(&self.limits))));
                }
                let clean = self.redactor.push(bytes);
                Poll::Ready(Some(Ok((!clean.is_empty()).then_some(clean))))
            }
        }
    }
}

impl Body for EgressBody {
    type Data = Bytes;
    type Error = EgressError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, EgressError>>> {
        if self.body.is_none() {
            return Poll::Ready(None);
        }
        loop {
            match ready!(self.step(cx)) {
                None => return Poll::Ready(None),
                Some(Ok(None)) => {}
                Some(Ok(Some(bytes))) => return Poll::Ready(Some(Ok(Frame::data(bytes)))),
                Some(Err(e)) => {
                    self.body = None;
                    return Poll::Ready(Some(Err(e)));
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        // What waits in the redactor is only given at the end.
        self.redactor.waiting() == 0 && self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let waiting = u64::try_from(self.redactor.waiting()).unwrap_or(u64::MAX);
        let left = self.body.as_ref().and_then(|b| b.size_hint().exact());
        match left {
            Some(left) => SizeHint::with_exact(left.saturating_add(waiting)),
            None => SizeHint::default(),
        }
    }
}
