//! Bodies of requests in a call with a tape: everything a guest writes is taken at once, so that what its streams say does not
//! depend on how fast somebody reads. Must not send.

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame};
use std::collections::VecDeque;
use std::future::{Future as _, poll_fn};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use tokio::task::unconstrained;
use wasmtime_wasi::p2::{DynOutputStream, OutputStream, Pollable, StreamError};
use wasmtime_wasi_http::Error;
use wasmtime_wasi_http::p2::body::HyperOutgoingBody;

/// Most bytes of all bodies that one call has written and not sent. They are held in memory; larger uploads are for commands.
const BODIES_MAX: usize = 16 << 20;

/// What a guest has written of a body.
pub(super) struct Gathering {
    from: HyperOutgoingBody,
    frames: VecDeque<Frame<Bytes>>,
    bytes: usize,
    /// Bytes of all bodies of the call.
    all: Arc<AtomicUsize>,
    /// There were too many; nothing more is taken.
    over: bool,
    end: Option<Result<(), Error>>,
}

impl Drop for Gathering {
    fn drop(&mut self) {
        self.all.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// Shared by the request and the stream that the guest writes to.
pub(super) type Gathered = Arc<Mutex<Gathering>>;

fn lock(gathered: &Gathered) -> MutexGuard<'_, Gathering> {
    gathered.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The next part of a body.
type Next = Option<Result<Frame<Bytes>, Error>>;

/// Looks at a body without waiting for it.
pub(super) fn look<B: Body<Data = Bytes, Error = Error> + Unpin>(body: &mut B) -> Poll<Next> {
    // Whether something is there must not depend on how much the runtime lets this task do before others have a turn.
    let frame = unconstrained(poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)));
    pin!(frame).poll(&mut Context::from_waker(Waker::noop()))
}

impl Gathering {
    pub(super) fn new(from: HyperOutgoingBody, all: &Arc<AtomicUsize>) -> Gathered {
        Arc::new(Mutex::new(Self {
            from,
            frames: VecDeque::new(),
            bytes: 0,
            all: Arc::clone(all),
            over: false,
            end: None,
        }))
    }

    /// Takes what was written since the last time.
    fn drain(&mut self) {
        while self.end.is_none() {
            match look(&mut self.from) {
                Poll::Pending => return,
                Poll::Ready(None) => self.end = Some(Ok(())),
                Poll::Ready(Some(Err(error))) => self.end = Some(Err(error)),
                Poll::Ready(Some(Ok(frame))) => {
                    let more = frame.data_ref().map_or(0, Bytes::len);
                    let all = self.all.fetch_add(more, Ordering::Relaxed) + more;
                    self.bytes += more;
                    self.frames.push_back(frame);
                    if all > BODIES_MAX {
                        self.frames.clear();
                        self.over = true;
                        let size = Some(self.bytes as u64);
                        self.end = Some(Err(Error::HttpRequestBodySize(size)));
                    }
                }
            }
        }
    }
}

/// The body of the request.
pub(super) struct Shared(pub(super) Gathered);

impl Body for Shared {
    type Data = Bytes;
    type Error = Error;

    // Nobody is woken: it is looked at when the guest waits for something.
    fn poll_frame(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let mut gathering = lock(&self.0);
        gathering.drain();
        if let Some(frame) = gathering.frames.pop_front() {
            return Poll::Ready(Some(Ok(frame)));
        }
        match gathering.end.take() {
            None => Poll::Pending,
            Some(Ok(())) => {
                gathering.end = Some(Ok(()));
                Poll::Ready(None)
            }
            Some(Err(error)) => {
                gathering.end = Some(Ok(()));
                Poll::Ready(Some(Err(error)))
            }
        }
    }
}

/// The stream that the guest writes to.
pub(super) struct Emptied {
    pub(super) inner: DynOutputStream,
    pub(super) gathered: Gathered,
}

impl Emptied {
    fn drain(&self) {
        lock(&self.gathered).drain();
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Emptied {
    async fn ready(&mut self) {
        self.drain();
        self.inner.ready().await;
    }
}

#[wasmtime_wasi::async_trait]
impl OutputStream for Emptied {
    fn write(&mut self, bytes: Bytes) -> Result<(), StreamError> {
        self.drain();
        let written = self.inner.write(bytes);
        self.drain();
        written
    }

    fn flush(&mut self) -> Result<(), StreamError> {
        self.drain();
        self.inner.flush()
    }

    fn check_write(&mut self) -> Result<usize, StreamError> {
        self.drain();
        if lock(&self.gathered).over {
            return Err(StreamError::Closed);
        }
        self.inner.check_write()
    }

    async fn cancel(&mut self) {
        self.inner.cancel().await;
    }
}

/// A body that is whole, frame by frame.
pub(super) struct Whole<E, P> {
    pub(super) frames: VecDeque<Result<Frame<Bytes>, E>>,
    /// Held as long as the body is.
    pub(super) _place: P,
}

impl<E, P> Whole<E, P> {
    /// A body of these bytes, with what came after them.
    pub(super) fn new(
        bytes: Bytes,
        trailers: Option<HeaderMap>,
        broke: Option<E>,
        place: P,
    ) -> Self {
        let data = (!bytes.is_empty()).then(|| Ok(Frame::data(bytes)));
        let trailers = trailers.map(|trailers| Ok(Frame::trailers(trailers)));
        Self {
            frames: data
                .into_iter()
                .chain(trailers)
                .chain(broke.map(Err))
                .collect(),
            _place: place,
        }
    }
}

impl<E: Unpin, P: Unpin> Body for Whole<E, P> {
    type Data = Bytes;
    type Error = E;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, E>>> {
        Poll::Ready(self.frames.pop_front())
    }

    fn is_end_stream(&self) -> bool {
        self.frames.is_empty()
    }
}
