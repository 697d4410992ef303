//! Where capability calls are accounted for: the intent is durable before anything happens, the outcome before the
//! plugin hears of it. Must not do any of the things that are called for, and decides nothing: what is allowed was
//! decided by a permit, and what is affordable is decided by the engine.

use crate::work::{Inbox, Message};
use sandgate_engine::Event;
use sandgate_model::{CallEnd, CallRequest, Caller, Millis, RunId};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::Instant,
};
use tokio::sync::oneshot;

/// Refusals of one caller that are recorded. A plugin that probes would otherwise fill the journal; what comes after is
/// refused just the same.
const REFUSALS_MAX: u32 = 32;

/// The desk of one caller: an attempt, a gate, a planner.
pub(crate) struct CallDesk {
    run: RunId,
    by: Caller,
    inbox: Inbox,
    refused: AtomicU32,
    /// Calls it may still make.
    left: AtomicU64,
}

/// Why a call did not begin.
#[derive(Debug)]
pub(crate) enum NotBegun {
    /// The engine does not take it: over the budget, or the caller is being taken down.
    Refused(String),
    /// Over the number of calls of the attempt.
    Limit(String),
    /// It could not be recorded.
    Host(String),
}

impl CallDesk {
    /// A desk for a caller that may make `most` calls.
    pub(crate) fn new(run: RunId, by: Caller, inbox: Inbox, most: u64) -> Arc<Self> {
        Arc::new(Self {
            run,
            by,
            inbox,
            refused: AtomicU32::new(0),
            left: AtomicU64::new(most),
        })
    }

    /// Records the intent and returns when it is durable.
    ///
    /// # Errors
    /// When it may not begin.
    pub(crate) async fn begin(
        self: &Arc<Self>,
        request: CallRequest,
    ) -> Result<OpenCall, NotBegun> {
        let took = self
            .left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1));
        if took.is_err() {
            return Err(NotBegun::Limit(
                "over the number of requests, commands, generations and charges of an attempt (`effects` under \
                 [limits])"
                    .to_owned(),
            ));
        }
        let (reply, answer) = oneshot::channel();
        let message = Message::Call {
            run: self.run,
            by: self.by,
            request: Box::new(request),
            reply,
        };
        let gone = || NotBegun::Host("it could not be recorded: the host is stopping".to_owned());
        self.inbox.send(message).map_err(|_| gone())?;
        // From here on the intent may be in the journal, so whoever drops this future leaves a call behind that the
        // engine ends together with its caller.
        let call = answer.await.map_err(|_| gone())?;
        Ok(OpenCall {
            desk: Arc::clone(self),
            call: call.map_err(NotBegun::Refused)?,
            start: Instant::now(),
            open: true,
        })
    }

    /// Records that something was refused. Not awaited: nothing happened that would depend on it.
    pub(crate) fn refused(&self, request: CallRequest, reason: String) {
        if self.refused.fetch_add(1, Ordering::Relaxed) < REFUSALS_MAX {
            let event = Event::CallRefused {
                by: self.by,
                request,
                reason,
            };
            self.record(event, None);
        }
    }

    fn record(&self, event: Event, reply: Option<oneshot::Sender<()>>) {
        // The loop is gone only when the host is; then the call ends with its caller.
        drop(self.inbox.send(Message::Record {
            run: self.run,
            event,
            reply,
        }));
    }
}

/// A call whose intent is durable. Dropped without an end, it is recorded as interrupted.
pub(crate) struct OpenCall {
    desk: Arc<CallDesk>,
    call: u32,
    start: Instant,
    open: bool,
}

impl OpenCall {
    /// Records the outcome and returns when it is durable.
    pub(crate) async fn end(mut self, end: CallEnd) {
        let (reply, durable) = oneshot::channel();
        self.send(end, Some(reply));
        // Not recorded means that the caller has ended, or the host stops: nobody hears of the outcome then.
        drop(durable.await);
    }

    /// Records the outcome without waiting: whoever had asked is gone.
    pub(crate) fn abandon(mut self, end: CallEnd) {
        self.send(end, None);
    }

    fn send(&mut self, end: CallEnd, reply: Option<oneshot::Sender<()>>) {
        self.open = false;
        let took = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        let event = Event::CallEnded {
            by: self.desk.by,
            call: self.call,
            end,
            took: Millis(took),
        };
        self.desk.record(event, reply);
    }
}

impl Drop for OpenCall {
    fn drop(&mut self) {
        if self.open {
            self.send(CallEnd::Interrupted, None);
        }
    }
}
