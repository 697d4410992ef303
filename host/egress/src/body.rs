//! Bodies.

use crate::error::EgressError;
use bytes::Bytes;
use http_body::{Body, Frame};
use http_body_util::combinators::UnsyncBoxBody;
use std::{
    error::Error,
    pin::Pin,
    task::{Context, Poll},
};

/// The body of a request.
pub enum OutBody {
    /// None.
    Empty,
    /// All of it; sent again when a redirect keeps the method.
    Whole(Bytes),
    /// Piece by piece. A redirect that keeps the method is not followed: the pieces are gone.
    Stream(UnsyncBoxBody<Bytes, Box<dyn Error + Send + Sync>>),
}

/// The body of a response.
pub struct EgressBody {}

impl EgressBody {
    /// The next piece; `None` at the end.
    ///
    /// # Errors
    /// It broke off, took too long or is too large.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, EgressError> {
        Ok(None)
    }

    /// All that is left, up to `max` bytes.
    ///
    /// # Errors
    /// As for [`Self::chunk`]; `TooLarge` beyond `max`.
    pub async fn collect(self, max: usize) -> Result<Bytes, EgressError> {
        let _ = max;
        Ok(Bytes::new())
    }
}

impl Body for EgressBody {
    type Data = Bytes;
    type Error = EgressError;
    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, EgressError>>> {
        Poll::Ready(None)
    }
}
