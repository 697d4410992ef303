//! What the host answered to one call, in order, so that the call can be made again and comes to the same point without
//! anything being done twice. A call with a tape asks it first at every host function whose answer the guest could not have
//! computed itself: while there are entries the answer is read, and where there are none left it is made and recorded.
//!
//! Each entry names the function ([`Tag`]) and a digest of its arguments; a guest that asks for something else has diverged
//! and is ended, and nothing of it is done. Entries also hold the guest's monotonic clock, which stands still while a call is
//! suspended. Must not perform anything: what is recorded is decided where it is done.

mod format;
mod power;
mod start;
mod wasi;
mod word;

use crate::power::PortFuture;
use crate::state::Stop;
use bytes::Bytes;
use format::Entry;
pub use format::TapeError;
pub(crate) use format::{Tag, nanos};
pub(crate) use start::begin;
use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
pub(crate) use word::{Args, Blob, Put, Reader, Word};

/// Most bytes of one tape, all segments together. A call that answers a person reads some megabytes of files and of the
/// network; one that fills this would take seconds to be made again.
pub const TAPE_MAX: usize = 64 << 20;

/// A tape. A clone is the same tape. For one call at a time.
#[derive(Clone)]
pub struct Tape(Arc<Mutex<Inner>>);

/// Told before the first change that a call makes to a directory by itself; the change waits for it. An error ends the call.
pub type OnChange = Box<dyn FnOnce() -> PortFuture<Result<(), String>> + Send>;

struct Inner {
    /// What is to be replayed.
    left: VecDeque<Entry>,
    /// How many entries came before the next one.
    position: u64,
    /// What was recorded and not taken.
    fresh: Vec<u8>,
    /// Bytes of it all.
    size: usize,
    /// Why nothing goes on; said again to whoever asks again.
    broken: Option<Stop>,
    /// Whether a call has it already.
    claimed: bool,
    clock: Clock,
    /// Whom to tell before the first change to a directory.
    on_change: Option<OnChange>,
}

/// The guest's monotonic clock: goes on from where it stood in the last entry.
struct Clock {
    base: Duration,
    since: Instant,
}

impl Clock {
    fn from(base: Duration) -> Self {
        Self {
            base,
            since: Instant::now(),
        }
    }

    fn now(&self) -> Duration {
        self.base.saturating_add(self.since.elapsed())
    }
}

impl Tape {
    /// An empty tape: everything is recorded from the start.
    #[must_use]
    pub fn recording() -> Self {
        Self::with(VecDeque::new(), 0)
    }

    /// A tape that replays these segments, in the order in which [`Tape::take`] gave them, and then records on. Empty
    /// segments are skipped.
    ///
    /// # Errors
    /// When a segment is damaged, is of another version, is missing, or there are more than [`TAPE_MAX`] bytes.
    pub fn resume(segments: &[Vec<u8>]) -> Result<Self, TapeError> {
        let size = segments.iter().map(Vec::len).sum();
        if size > TAPE_MAX {
            return Err(TapeError::TooLarge { bytes: size });
        }
        Ok(Self::with(format::read(segments)?, size))
    }

    fn with(left: VecDeque<Entry>, size: usize) -> Self {
        Self(Arc::new(Mutex::new(Inner {
            left,
            position: 0,
            fresh: Vec::new(),
            size,
            broken: None,
            claimed: false,
            clock: Clock::from(Duration::ZERO),
            on_change: None,
        })))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was recorded since the last time; empty when nothing was. Replayed entries are not recorded again.
    #[must_use]
    pub fn take(&self) -> Vec<u8> {
        let mut segment = std::mem::take(&mut self.lock().fresh);
        if !segment.is_empty() {
            format::seal(&mut segment);
        }
        segment
    }

    /// Says whom to tell before the first change that the call makes to a directory by itself, once. Changes are on the
    /// tape, but become durable only with what is taken from it: whoever is told can note that there is one.
    pub fn on_change(&self, told: OnChange) {
        self.lock().on_change = Some(told);
    }

    /// A change to a directory is about to be made, or can be made from now on without anything being asked again.
    pub(crate) async fn changing(&self) -> Result<(), Stop> {
        let told = self.lock().on_change.take();
        match told {
            Some(told) => told().await.map_err(Stop::Host),
            None => Ok(()),
        }
    }

    /// Whether there is something left to replay.
    #[must_use]
    pub fn replaying(&self) -> bool {
        !self.lock().left.is_empty()
    }

    /// Why a guest that is done has diverged: the first time it went on from here.
    pub(crate) fn left_over(&self) -> Option<Stop> {
        let mut inner = self.lock();
        let next = inner.left.front()?.tag;
        Some(inner.diverged(format!("it ended where it came to {}", next.what())))
    }

    /// Takes the tape for a call.
    pub(crate) fn claim(&self) -> Result<(), Stop> {
        let mut inner = self.lock();
        if std::mem::replace(&mut inner.claimed, true) {
            let message = "a tape is for one call; make another one of its segments".to_owned();
            return Err(Stop::Host(message));
        }
        Ok(())
    }

    /// The guest's monotonic clock.
    pub(crate) fn now(&self) -> Duration {
        self.lock().clock.now()
    }

    /// The answer on the tape; `None` when the tape is at its end and it has to be made.
    pub(crate) fn replay<T: Word>(&self, tag: Tag, args: &Args) -> Result<Option<T>, Stop> {
        let Some(payload) = self.lock().next(tag, args)? else {
            return Ok(None);
        };
        let mut reader = Reader::new(&payload);
        match T::get(&mut reader).filter(|_| reader.is_at_end()) {
            Some(answer) => Ok(Some(answer)),
            None => Err(self.lock().diverged(format!(
                "the answer to {} on the tape cannot be read",
                tag.what()
            ))),
        }
    }

    /// Records an answer that was just made.
    pub(crate) fn record(&self, tag: Tag, args: &Args, answer: &impl Put) -> Result<(), Stop> {
        self.lock().record(tag, args, answer)
    }

    /// The answer on the tape, or one that is made now and recorded.
    pub(crate) fn once<T: Word>(
        &self,
        tag: Tag,
        args: &Args,
        make: impl FnOnce() -> T,
    ) -> Result<T, Stop> {
        if let Some(answer) = self.replay(tag, args)? {
            return Ok(answer);
        }
        let answer = make();
        self.record(tag, args, &answer)?;
        Ok(answer)
    }

    /// Notes something that has no answer; whether it was done the first time already.
    pub(crate) fn done_before(&self, tag: Tag, args: &Args) -> Result<bool, Stop> {
        if self.replay::<()>(tag, args)?.is_some() {
            return Ok(true);
        }
        self.record(tag, args, &())?;
        Ok(false)
    }
}

impl Inner {
    fn may_go_on(&self) -> Result<(), Stop> {
        self.broken.clone().map_or(Ok(()), Err)
    }

    fn diverged(&mut self, what: String) -> Stop {
        let stop = Stop::Diverged(format!("at entry {} of its tape: {what}", self.position));
        self.broken = Some(stop.clone());
        stop
    }

    fn next(&mut self, tag: Tag, args: &Args) -> Result<Option<Bytes>, Stop> {
        self.may_go_on()?;
        let Some(entry) = self.left.pop_front() else {
            return Ok(None);
        };
        if entry.tag != tag {
            let what = format!(
                "the first time it came to {}, and now to {}",
                entry.tag.what(),
                tag.what()
            );
            return Err(self.diverged(what));
        }
        if entry.args != *args {
            let what = format!(
                "it came to {} with other arguments than the first time",
                tag.what()
            );
            return Err(self.diverged(what));
        }
        self.position += 1;
        self.clock = Clock::from(entry.at);
        Ok(Some(entry.payload))
    }

    fn record(&mut self, tag: Tag, args: &Args, answer: &impl Put) -> Result<(), Stop> {
        self.may_go_on()?;
        if !self.left.is_empty() {
            // Whoever records has asked before, and was told that nothing is left.
            return Err(self.diverged(format!("{} would be done too early", tag.what())));
        }
        let before = self.fresh.len();
        if self.fresh.is_empty() {
            format::begin(&mut self.fresh, self.position);
            self.size += format::SEAL;
        }
        format::write(&mut self.fresh, tag, self.clock.now(), args, answer);
        self.size += self.fresh.len() - before;
        if self.size > TAPE_MAX {
            self.fresh.truncate(before);
            self.broken = Some(Stop::TapeFull);
            return Err(Stop::TapeFull);
        }
        self.position += 1;
        Ok(())
    }
}

impl fmt::Debug for Tape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = self.lock();
        f.debug_struct("Tape")
            .field("left", &inner.left.len())
            .field("position", &inner.position)
            .field("bytes", &inner.size)
            .finish_non_exhaustive()
    }
}
