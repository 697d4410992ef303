//! Between wasmtime-wasi-http and the port: what guests may not set, how many requests at once, and errors in the words
//! of `wasi:http`.

use super::queue::Waiting;
use crate::effect::told;
use crate::halt::Halt;
use crate::outcome::{MESSAGE_MAX, cut};
use crate::power::{HttpBody, HttpFailure, HttpPort, HttpTimes};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, Request, Response, header};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use std::future::pending;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wasmtime_wasi_http::{
    DEFAULT_FORBIDDEN_HEADERS, Error, ForbiddenHeaderFilter, RequestOptions, WasiBody,
    WasiHttpHooks,
};

/// Bytes that a guest may put into a request's body at once. Two such pieces wait for the port, for each body.
const CHUNK: usize = 16 << 10;

/// How long a request waits for a place. One that the guest just dropped gives its place back a moment later.
const GRACE: Duration = Duration::from_millis(100);

/// Bytes of a response's headers; the port has a cap of its own, this one is for ports that forget.
pub(super) const HEADERS_MAX: usize = 64 << 10;

/// Headers that are the connection's business, beside those that WASI forbids: how a message is framed and whether it is
/// sent at all is decided in one place, and that is not the guest.
const FRAMING: [HeaderName; 3] = [header::TE, header::TRAILER, header::EXPECT];

fn is_forbidden(name: &HeaderName) -> bool {
    DEFAULT_FORBIDDEN_HEADERS.contains(name)
        || FRAMING.contains(name)
        || name.as_str().starts_with("proxy-")
}

/// A response's body that can be taken away.
type Held = Mutex<Option<HttpBody>>;

/// What one turn sends.
pub(super) struct Hooks {
    port: Option<Arc<dyn HttpPort>>,
    places: Arc<Semaphore>,
    sent: Arc<AtomicU64>,
    bodies: Arc<Mutex<Vec<Weak<Held>>>>,
    halt: Halt,
    /// Requests that were handed over in a call with a tape; `None` in one without.
    queue: Option<Vec<Waiting>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Hooks {
    pub(super) fn new(
        port: Option<Arc<dyn HttpPort>>,
        at_once: usize,
        halt: Halt,
        taped: bool,
    ) -> Self {
        Self {
            port,
            places: Arc::new(Semaphore::new(at_once.min(Semaphore::MAX_PERMITS))),
            sent: Arc::default(),
            bodies: Arc::default(),
            halt,
            queue: taped.then(Vec::new),
        }
    }

    /// Whether requests wait until the guest does.
    pub(super) fn is_taped(&self) -> bool {
        self.queue.is_some()
    }

    /// Says where the future of the request is that was just handed over.
    pub(super) fn name_last(&mut self, future: u32) {
        if let Some(last) = self.queue.iter_mut().flatten().last()
            && last.future.is_none()
        {
            last.future = Some(future);
        }
    }

    /// Forgets the request of a future that the guest dropped.
    pub(super) fn forget(&mut self, future: u32) {
        if let Some(queue) = &mut self.queue {
            queue.retain(|waiting| waiting.future != Some(future));
        }
    }

    /// The first request whose body is whole, or was given up.
    pub(super) fn next_whole(&mut self) -> Option<(Waiting, Result<(), Error>)> {
        let queue = self.queue.as_mut()?;
        let whole = queue
            .iter_mut()
            .enumerate()
            .find_map(|(at, waiting)| Some((at, waiting.is_whole()?)));
        whole.map(|(at, whole)| (queue.remove(at), whole))
    }

    /// The port, and a place among the requests at once.
    pub(super) fn port_and_place(
        &self,
    ) -> Result<(Arc<dyn HttpPort>, OwnedSemaphorePermit), Error> {
        let port = self.port.clone().ok_or(Error::HttpRequestDenied)?;
        let place = Arc::clone(&self.places)
            .try_acquire_owned()
            .map_err(|_| Error::ConnectionLimitReached)?;
        self.sent.fetch_add(1, Ordering::Relaxed);
        Ok((port, place))
    }

    /// Takes the port and every body away.
    pub(super) fn end(&mut self) {
        self.port = None;
        for body in lock(&self.bodies).drain(..) {
            if let Some(body) = body.upgrade() {
                *lock(&body) = None;
            }
        }
    }

    pub(super) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }
}

type Sent = Result<
    (
        Response<WasiBody>,
        Box<dyn Future<Output = Result<(), Error>> + Send>,
    ),
    Error,
>;

impl WasiHttpHooks for Hooks {
    fn forbidden_header_filter(&mut self) -> ForbiddenHeaderFilter {
        Arc::new(is_forbidden)
    }

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        CHUNK
    }

    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _response_read: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = Sent> + Send> {
        let times = options.map_or_else(HttpTimes::default, |options| HttpTimes {
            connect: options.connect_timeout,
            first_byte: options.first_byte_timeout,
            between_bytes: options.between_bytes_timeout,
        });
        if let Some(queue) = &mut self.queue {
            let (parts, body) = request.into_parts();
            queue.push(Waiting {
                future: None,
                parts,
                body,
                times,
                got: Vec::new(),
                trailers: None,
            });
            // Its answer is put in the place of this.
            return Box::new(pending());
        }
        let Some(port) = self.port.clone() else {
            return Box::new(async { Err(Error::HttpRequestDenied) });
        };
        let (places, sent) = (Arc::clone(&self.places), Arc::clone(&self.sent));
        let (bodies, halt) = (Arc::clone(&self.bodies), self.halt.clone());
        let request = request.map(|body| body.map_err(request_broke).boxed_unsync());
        Box::new(async move {
            let Ok(Ok(place)) = tokio::time::timeout(GRACE, places.acquire_owned()).await else {
                return Err(Error::ConnectionLimitReached);
            };
            sent.fetch_add(1, Ordering::Relaxed);
            let answered = port.send(request, times).await;
            let response = match told(None, answered).await {
                Ok(response) => response.map_err(|failure| error(failure, Stage::Response))?,
                Err(stop) => {
                    // No guest hears of it: whoever waits for this request ends the call.
                    halt.now(stop);
                    return pending().await;
                }
            };
            let (parts, body) = response.into_parts();
            if size(&parts.headers) > HEADERS_MAX {
                return Err(Error::HttpResponseHeaderSectionSize(Some(
                    HEADERS_MAX as u32,
                )));
            }
            let held = Arc::new(Mutex::new(Some(body)));
            let mut bodies = lock(&bodies);
            bodies.retain(|body| body.strong_count() > 0);
            bodies.push(Arc::downgrade(&held));
            drop(bodies);
            let body = Leashed {
                held,
                _place: place,
            }
            .boxed_unsync();
            let nothing: Box<dyn Future<Output = Result<(), Error>> + Send> =
                Box::new(async { Ok(()) });
            Ok((Response::from_parts(parts, body), nothing))
        })
    }
}

pub(super) fn size(headers: &HeaderMap) -> usize {
    headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len())
        .sum()
}

/// The guest gave up on its own body.
fn request_broke(error: Error) -> HttpFailure {
    HttpFailure::Protocol(cut(
        format!("the request's body broke off: {error}"),
        MESSAGE_MAX,
    ))
}

/// Where something went wrong.
#[derive(Clone, Copy)]
pub(super) enum Stage {
    /// Until the headers of the response.
    Response,
    /// In its body.
    Body,
}

/// A failure in the words of `wasi:http`. Reasons go along where a case has room for them; all of them reach the
/// operator through the port.
pub(super) fn error(failure: HttpFailure, stage: Stage) -> Error {
    match (failure, stage) {
        (HttpFailure::Denied(_), _) => Error::HttpRequestDenied,
        (HttpFailure::Resolve(why), _) => Error::DnsError {
            rcode: Some(cut(why, MESSAGE_MAX)),
            info_code: None,
        },
        (HttpFailure::Connect(_), _) => Error::ConnectionRefused,
        (HttpFailure::Timeout(_), Stage::Response) => Error::HttpResponseTimeout,
        (HttpFailure::Timeout(_), Stage::Body) => Error::ConnectionReadTimeout,
        (HttpFailure::TooLarge(_), Stage::Response) => Error::HttpResponseHeaderSectionSize(None),
        (HttpFailure::TooLarge(_), Stage::Body) => Error::HttpResponseBodySize(None),
        (HttpFailure::Protocol(_), Stage::Response) => Error::HttpProtocolError,
        (HttpFailure::Protocol(_), Stage::Body) => Error::HttpResponseIncomplete,
        (HttpFailure::Host(why), _) => Error::InternalError(Some(cut(why, MESSAGE_MAX))),
        // Only a body can say so here, and a body is too late for it.
        (HttpFailure::Suspended, _) => Error::HttpProtocolError,
    }
}

/// A response's body that ends when its turn does.
struct Leashed {
    held: Arc<Held>,
    /// Of the requests at once, until the body is gone.
    _place: OwnedSemaphorePermit,
}

impl Body for Leashed {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        match &mut *lock(&self.held) {
            Some(body) => Pin::new(body)
                .poll_frame(cx)
                .map_err(|failure| error(failure, Stage::Body)),
            None => Poll::Ready(Some(Err(Error::ConnectionTerminated))),
        }
    }

    fn is_end_stream(&self) -> bool {
        lock(&self.held).as_ref().is_some_and(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        lock(&self.held)
            .as_ref()
            .map(Body::size_hint)
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guests_do_not_frame_messages() {
        for name in [
            "host",
            "connection",
            "transfer-encoding",
            "upgrade",
            "te",
            "trailer",
            "expect",
            "proxy-authorization",
            "proxy-anything",
            "keep-alive",
        ] {
            assert!(is_forbidden(&HeaderName::from_static(name)), "{name}");
        }
        for name in [
            "accept",
            "content-type",
            "authorization",
            "x-proxy",
            "cookie",
        ] {
            assert!(!is_forbidden(&HeaderName::from_static(name)), "{name}");
        }
    }
}
