//! Timers that the engine asked for. One that is not armed (any more) is refused: the driver may drop that refusal.

use crate::{
    Command, Run, Stop, Timer,
    illegal::Handled,
    task::{Cause, Phase},
};
use sandgate_model::{FailureClass, Moment};

impl Run {
    pub(crate) fn on_timer_fired(
        &mut self,
        at: Moment,
        timer: Timer,
        out: &mut Vec<Command>,
    ) -> Handled {
        let armed = match timer {
            Timer::Run => self.deadline.is_some(),
            Timer::Ask(no) => {
                self.asks.is_open(no)
                    && self
                        .asks
                        .get(no)
                        .is_some_and(|ask| ask.deadline().is_some())
            }
            Timer::Retry(_) | Timer::Wait(_) => self.schedule.timers.contains_key(&timer),
        };
        if !armed {
            return Err("no such timer is armed: it was dropped, or went off before".into());
        }
        match timer {
            Timer::Run => self.begin_stop(at, Stop::Timeout, out),
            Timer::Retry(ix) => self.enter(ix, at, Phase::Ready),
            Timer::Ask(no) => self.on_ask_timer(at, no, out),
            Timer::Wait(ix) => {
                let message = "the signal did not come in time";
                self.fail_for_good(ix, at, Cause::new(FailureClass::Timeout, message), out);
            }
        }
        self.settle(at, out);
        Ok(())
    }
}
