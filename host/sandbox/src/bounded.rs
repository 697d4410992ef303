//! Runs a future until it ends, the deadline passes or somebody cancels, and catches panics. The only place that
//! waits for guests.

use crate::CancelToken;
use std::any::Any;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;
use std::time::Instant;

/// Why a future was dropped before its end.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// The deadline passed.
    Timeout,
    /// The token was cancelled.
    Cancelled,
    /// Host code panicked.
    Panicked(String),
}

/// Runs `future`; it is dropped when this returns. A guest that is dropped is unwound where it stands, in a loop as
/// well as in a host call.
pub(crate) async fn bounded<T>(
    deadline: Instant,
    cancel: &CancelToken,
    future: impl Future<Output = T>,
) -> Result<T, Cut> {
    if cancel.is_cancelled() {
        return Err(Cut::Cancelled);
    }
    let mut future = pin!(future);
    let guarded = poll_fn(
        |cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(value)) => Poll::Ready(Ok(value)),
            Err(panic) => Poll::Ready(Err(Cut::Panicked(text(&*panic)))),
        },
    );
    // The guest first: a call that ends at once then never touches the timer.
    tokio::select! {
        biased;
        ended = guarded => ended,
        () = cancel.cancelled() => Err(Cut::Cancelled),
        () = tokio::time::sleep_until(deadline.into()) => Err(Cut::Timeout),
    }
}

fn text(panic: &(dyn Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    async fn run(wait: Duration, cancel: &CancelToken) -> Result<u8, Cut> {
        let deadline = Instant::now() + Duration::from_millis(50);
        bounded(deadline, cancel, async {
            tokio::time::sleep(wait).await;
            7
        })
        .await
    }

    #[tokio::test]
    async fn ends_deadlines_cancels() {
        let token = CancelToken::new();
        assert_eq!(run(Duration::from_millis(1), &token).await, Ok(7));
        assert_eq!(run(Duration::from_secs(1), &token).await, Err(Cut::Timeout));
        token.cancel();
        assert_eq!(run(Duration::ZERO, &token).await, Err(Cut::Cancelled));
    }

    #[tokio::test]
    async fn a_panic_is_an_answer() {
        let deadline = Instant::now() + Duration::from_secs(1);
        let cut = bounded(deadline, &CancelToken::new(), async {
            let nothing: Option<u8> = std::hint::black_box(None);
            nothing.expect("on purpose")
        })
        .await;
        assert_eq!(cut, Err(Cut::Panicked("on purpose".to_owned())));
    }
}
