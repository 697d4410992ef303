//! Bytes on the wire, counted for all requests of an attempt together, both ways, heads and TLS included. Must not
//! know what the bytes are.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Counts bytes against a limit. Clones count together.
#[derive(Clone, Debug)]
pub struct NetworkMeter {
    used: Arc<AtomicU64>,
    limit: u64,
}

impl NetworkMeter {
    /// A meter with a limit in bytes; `None`: it only counts. What is exceeded is at most one read of a socket.
    #[must_use]
    pub fn new(limit: Option<u64>) -> Self {
        Self {
            used: Arc::default(),
            limit: limit.unwrap_or(u64::MAX),
        }
    }

    /// Bytes so far.
    #[must_use]
    pub fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// Whether nothing is left.
    #[must_use]
    pub fn is_spent(&self) -> bool {
        self.used() >= self.limit
    }

    /// The limit, in messages.
    pub(crate) fn limit(&self) -> u64 {
        self.limit
    }

    fn add(&self, bytes: usize) {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        // Never wraps: a count at the top stays there.
        let _ = self
            .used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| {
                Some(n.saturating_add(bytes))
            });
    }
}

/// A socket that is counted.
pub(crate) struct Metered<S> {
    inner: S,
    meter: NetworkMeter,
}

impl<S> Metered<S> {
    pub(crate) fn new(inner: S, meter: NetworkMeter) -> Self {
        Self { inner, meter }
    }

    fn spent(&self) -> Option<io::Error> {
        self.meter
            .is_spent()
            .then(|| io::Error::new(io::ErrorKind::QuotaExceeded, "network bytes"))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Metered<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(error) = self.spent() {
            return Poll::Ready(Err(error));
        }
        let before = buf.filled().len();
        let result = ready!(Pin::new(&mut self.inner).poll_read(cx, buf));
        self.meter.add(buf.filled().len().saturating_sub(before));
        Poll::Ready(result)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Metered<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if let Some(error) = self.spent() {
            return Poll::Ready(Err(error));
        }
        let result = ready!(Pin::new(&mut self.inner).poll_write(cx, bytes));
        if let Ok(written) = &result {
            self.meter.add(*written);
        }
        Poll::Ready(result)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
