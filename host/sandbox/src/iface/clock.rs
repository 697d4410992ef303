//! The clocks that guests see. In a call with a tape what they said is recorded, and the monotonic one is the tape's: it goes
//! on from where it stood, so that no guest sees it run backwards after a suspension.

use crate::state::State;
use crate::tape::{Args, Tag, Tape, nanos};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use wasmtime::component::{HasSelf, Linker, Resource};
use wasmtime_wasi::HostWallClock;
use wasmtime_wasi::p2::bindings::clocks::monotonic_clock::{
    self, Duration as Nanos, Instant as Moment,
};
use wasmtime_wasi::p2::bindings::clocks::wall_clock::{self, Datetime};
use wasmtime_wasi::p2::{DynPollable, Pollable, subscribe};

pub(crate) fn link(l: &mut Linker<State>) -> wasmtime::Result<()> {
    wall_clock::add_to_linker::<State, HasSelf<State>>(l, State::count)?;
    monotonic_clock::add_to_linker::<State, HasSelf<State>>(l, State::count)
}

/// Wall time in whole milliseconds: all that a date needs, and less of a help to timing attacks.
pub(crate) struct Millisecond;

impl HostWallClock for Millisecond {
    fn resolution(&self) -> Duration {
        Duration::from_millis(1)
    }

    fn now(&self) -> Duration {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Duration::new(now.as_secs(), now.subsec_millis() * 1_000_000)
    }
}

impl wall_clock::Host for State {
    fn now(&mut self) -> wasmtime::Result<Datetime> {
        match &self.tape {
            Some(tape) => {
                let now = tape.once(Tag::WallClock, &Args::NONE, || Millisecond.now())?;
                Ok(datetime(now))
            }
            None => wall_clock::Host::now(&mut self.clocks_view()),
        }
    }

    // The same on every host, and so not recorded.
    fn resolution(&mut self) -> wasmtime::Result<Datetime> {
        Ok(datetime(Millisecond.resolution()))
    }
}

fn datetime(time: Duration) -> Datetime {
    Datetime {
        seconds: time.as_secs(),
        nanoseconds: time.subsec_nanos(),
    }
}

impl monotonic_clock::Host for State {
    fn now(&mut self) -> wasmtime::Result<Moment> {
        match &self.tape {
            Some(tape) => {
                let now = || nanos(tape.now());
                Ok(tape.once(Tag::MonotonicClock, &Args::NONE, now)?)
            }
            None => monotonic_clock::Host::now(&mut self.clocks_view()),
        }
    }

    fn resolution(&mut self) -> wasmtime::Result<Moment> {
        match &self.tape {
            // Said by the host's kernel otherwise, and a tape may go to another one.
            Some(_) => Ok(1),
            None => monotonic_clock::Host::resolution(&mut self.clocks_view()),
        }
    }

    fn subscribe_instant(&mut self, when: Moment) -> wasmtime::Result<Resource<DynPollable>> {
        match self.tape.clone() {
            Some(tape) => self.alarm(tape, Duration::from_nanos(when)),
            None => monotonic_clock::Host::subscribe_instant(&mut self.clocks_view(), when),
        }
    }

    fn subscribe_duration(&mut self, after: Nanos) -> wasmtime::Result<Resource<DynPollable>> {
        match self.tape.clone() {
            Some(tape) => {
                let at = tape.now().saturating_add(Duration::from_nanos(after));
                self.alarm(tape, at)
            }
            None => monotonic_clock::Host::subscribe_duration(&mut self.clocks_view(), after),
        }
    }
}

impl State {
    fn alarm(&mut self, tape: Tape, at: Duration) -> wasmtime::Result<Resource<DynPollable>> {
        let alarm = self.table().push(Alarm { tape, at })?;
        subscribe(self.table(), alarm)
    }
}

/// Rings when the tape's clock says so. Whether it rang the first time is on the tape; this is for after its end.
struct Alarm {
    tape: Tape,
    at: Duration,
}

#[wasmtime_wasi::async_trait]
impl Pollable for Alarm {
    async fn ready(&mut self) {
        // A guest that looks again and again with an alarm that has rung must not keep others from their turn.
        tokio::task::yield_now().await;
        loop {
            let left = self.at.saturating_sub(self.tape.now());
            if left.is_zero() {
                return;
            }
            tokio::time::sleep(left).await;
        }
    }
}
