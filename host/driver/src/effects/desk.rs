//! Where capability calls are accounted for: the intent is durable before anything happens, the outcome before the
//! plugin hears of it, and a person's consent before the intent. Must not do any of the things that are called for, and
//! decides nothing: what is allowed was decided by a permit, what is affordable and what was approved by the engine.

use super::consent::Facts;
use crate::{
    local::Shared,
    work::{Inbox, Message},
};
use sandgate_engine::{Consented, Event};
use sandgate_model::{Amount, Ask, CallEnd, CallRequest, Caller, Digest, Millis, NeedKind, RunId};
use sandgate_sandbox::{Completion, PortFuture};
use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::Instant,
};
use tokio::sync::oneshot;

/// Refusals of one caller that are recorded. A plugin that probes would otherwise fill the journal; what comes after is
/// refused just the same.
const REFUSALS_MAX: u32 = 32;

/// Marks a segment that begins with what the work was called with: this, the length (64 bits, big endian), the bytes.
const PREFACE: &[u8; 16] = b"sandgate preface";

/// What a stored segment begins with, and the segment itself.
fn split(segment: &[u8]) -> Option<(&[u8], &[u8])> {
    let rest = segment.strip_prefix(PREFACE)?;
    let (length, rest) = rest.split_first_chunk::<8>()?;
    let length = usize::try_from(u64::from_be_bytes(*length)).ok()?;
    rest.split_at_checked(length)
}

/// What the work was called with, from the first segment of its tape.
pub(crate) fn preface_of(segment: &[u8]) -> Option<&[u8]> {
    Some(split(segment)?.0)
}

/// The segment as the sandbox made it.
pub(crate) fn without_preface(segment: &[u8]) -> &[u8] {
    split(segment).map_or(segment, |(_, tape)| tape)
}

/// The desk of one caller: an attempt, a gate, a planner.
pub(crate) struct CallDesk {
    pub(super) run: RunId,
    pub(super) by: Caller,
    pub(super) inbox: Inbox,
    pub(super) shared: Arc<Shared>,
    /// What every record of it says.
    pub(super) facts: Facts,
    refused: AtomicU32,
    /// Calls it may still make.
    left: AtomicU64,
    /// The note that the guest changes directories by itself.
    changes: Mutex<Option<OpenCall>>,
    /// What stands before the first segment of its tape.
    pub(super) preface: Mutex<Option<Vec<u8>>>,
    /// Questions that were answered since the work was started or taken up: the same question again is another one.
    pub(super) told: Mutex<BTreeSet<Digest>>,
    /// Why its work ends, when a call of it could not go on.
    pub(super) parting: Mutex<Option<Parting>>,
}

/// Why the work of a caller ends in the middle of a call.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Parting {
    /// A person has to decide, and it goes on then.
    Ask(Box<Ask>),
    /// What would happen is not what was approved.
    Stale(String),
    /// What the approval is about cannot be recorded.
    Host(String),
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
    pub(crate) fn new(
        shared: Arc<Shared>,
        run: RunId,
        by: Caller,
        inbox: Inbox,
        facts: Facts,
        most: u64,
    ) -> Arc<Self> {
        Arc::new(Self {
            run,
            by,
            inbox,
            shared,
            facts,
            refused: AtomicU32::new(0),
            left: AtomicU64::new(most),
            changes: Mutex::default(),
            preface: Mutex::default(),
            told: Mutex::default(),
            parting: Mutex::default(),
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

    /// What the engine says of a call that needs an approval. `None`: the host is stopping.
    pub(super) async fn consented(&self, kind: NeedKind, digest: Digest) -> Option<Consented> {
        let (reply, answer) = oneshot::channel();
        let message = Message::Consent {
            run: self.run,
            by: self.by,
            kind,
            digest,
            reply,
        };
        self.inbox.send(message).ok()?;
        answer.await.ok()
    }

    /// The answer to a question that was put to people; the outer `None`: the host is stopping, the inner one: it was
    /// not asked yet.
    pub(super) async fn answered(&self, digest: Digest) -> Option<Option<Result<String, String>>> {
        let (reply, answer) = oneshot::channel();
        let message = Message::AnswerOf {
            run: self.run,
            by: self.by,
            digest,
            reply,
        };
        self.inbox.send(message).ok()?;
        answer.await.ok()
    }

    /// Puts something before the first segment of the tape: what the work was called with, where nothing else keeps it.
    pub(crate) fn begins_with(&self, bytes: &[u8]) {
        let mut preface = PREFACE.to_vec();
        preface.extend_from_slice(&(bytes.len() as u64).to_be_bytes());
        preface.extend_from_slice(bytes);
        *crate::local::lock(&self.preface) = Some(preface);
    }

    /// A segment of the tape as it is stored.
    pub(crate) fn segment(&self, tape: Vec<u8>) -> Vec<u8> {
        match crate::local::lock(&self.preface).take() {
            Some(mut preface) => {
                preface.extend_from_slice(&tape);
                preface
            }
            None => tape,
        }
    }

    /// Notes in the record that the guest begins to change directories by itself; returns when that is durable. Until
    /// [`CallDesk::unchanging`] nobody could say after a crash what it changed.
    pub(crate) async fn changing(self: Arc<Self>) -> Result<(), String> {
        let request = CallRequest {
            kind: NeedKind::FilesWrite,
            what: "change files".to_owned(),
            digest: Digest::of(b"change files"),
            rule: String::new(),
            secrets: Vec::new(),
            reserve: Amount::NOTHING,
            approval: false,
            consent: None,
        };
        match self.begin(request).await {
            Ok(call) => {
                *crate::local::lock(&self.changes) = Some(call);
                Ok(())
            }
            Err(NotBegun::Refused(why) | NotBegun::Limit(why) | NotBegun::Host(why)) => Err(why),
        }
    }

    /// The guest is gone. `known`: it ended by itself, or stopped where its tape ends, so what it changed is known.
    pub(crate) async fn unchanging(&self, known: bool) {
        let call = crate::local::lock(&self.changes).take();
        // Otherwise it is dropped, and recorded as interrupted.
        if let Some(call) = call.filter(|_| known) {
            call.end(CallEnd::Done {
                note: String::new(),
                cost: Amount::NOTHING,
            })
            .await;
        }
    }

    /// Why the work ended in the middle of a call, if it did.
    pub(crate) fn parting(&self) -> Option<Parting> {
        crate::local::lock(&self.parting).clone()
    }

    /// Notes why the work ends; the first reason counts.
    pub(super) fn part(&self, why: Parting) {
        crate::local::lock(&self.parting).get_or_insert(why);
    }

    /// The work ends, because what would happen is not what was approved.
    pub(super) fn stale(&self, why: String) {
        self.part(Parting::Stale(format!(
            "approval-stale: {why}; nothing was done"
        )));
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
    pub(crate) async fn end(self, end: CallEnd) {
        self.end_with(end, None).await;
    }

    async fn end_with(mut self, end: CallEnd, tape: Option<Digest>) {
        let (reply, durable) = oneshot::channel();
        self.send(end, tape, Some(reply));
        // Not recorded means that the caller has ended, or the host stops: nobody hears of the outcome then.
        drop(durable.await);
    }

    /// Records the outcome without waiting: whoever had asked is gone.
    pub(crate) fn abandon(mut self, end: CallEnd) {
        self.send(end, None, None);
    }

    /// The outcome, recorded when the sandbox has put the answer on the tape and before the guest hears of it.
    pub(super) fn settle(self, end: CallEnd) -> Option<Box<dyn Completion>> {
        Some(Box::new(Settle { call: self, end }))
    }

    fn send(&mut self, end: CallEnd, tape: Option<Digest>, reply: Option<oneshot::Sender<()>>) {
        self.open = false;
        let took = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        let event = Event::CallEnded {
            by: self.desk.by,
            call: self.call,
            end,
            took: Millis(took),
            tape,
        };
        self.desk.record(event, reply);
    }
}

impl Drop for OpenCall {
    fn drop(&mut self) {
        if self.open {
            self.send(CallEnd::Interrupted, None, None);
        }
    }
}

/// An outcome on its way into the record.
struct Settle {
    call: OpenCall,
    end: CallEnd,
}

impl Completion for Settle {
    fn done(self: Box<Self>, tape: Option<Vec<u8>>) -> PortFuture<Result<(), String>> {
        Box::pin(async move {
            let Self { call, end } = *self;
            let tape = match tape {
                Some(bytes) => {
                    let bytes = call.desk.segment(bytes);
                    Some(crate::attempt::put(&call.desk.shared, bytes).await?)
                }
                None => None,
            };
            call.end_with(end, tape).await;
            Ok(())
        })
    }
}

/// An outcome that is known only after the answer was read to its end.
pub(super) type Later = Arc<Mutex<Option<(OpenCall, CallEnd)>>>;

/// Records whatever is in it by then.
pub(super) struct SettleLater(pub(super) Later);

impl Completion for SettleLater {
    fn done(self: Box<Self>, tape: Option<Vec<u8>>) -> PortFuture<Result<(), String>> {
        let held = crate::local::lock(&self.0).take();
        match held {
            Some((call, end)) => Box::new(Settle { call, end }).done(tape),
            None => Box::pin(async { Ok(()) }),
        }
    }
}
