//! The only clock. Order comes from sequence numbers; this says when, for people and for deadlines.

use sandgate_model::{Millis, Moment};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Reads the wall clock once and counts on a monotonic one from there, so that a step of the wall clock while
/// the host runs neither fires a timer early nor loses one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    wall: Moment,
    start: Instant,
}

impl Clock {
    /// Starts now. A clock before 1970 counts as 1970.
    pub(crate) fn start() -> Self {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Self {
            wall: Moment(millis(since).0),
            start: Instant::now(),
        }
    }

    /// The present moment.
    pub(crate) fn now(&self) -> Moment {
        self.wall.after(millis(self.start.elapsed()))
    }

    /// How long until `at`; zero when it has passed.
    pub(crate) fn until(&self, at: Moment) -> Duration {
        Duration::from_millis(at.since(self.now()).0)
    }
}

/// A duration in whole milliseconds.
pub(crate) fn millis(span: Duration) -> Millis {
    Millis(u64::try_from(span.as_millis()).unwrap_or(u64::MAX))
}
