//! What people may want of a run while it is under way: pause, resume, cancel. Cancel wins every race: from its
//! event on nothing starts, and whatever a running attempt reports, its result is not used.

use crate::{Command, Run, RunState, Stop, illegal::Handled};
use sandgate_model::{Caller, Moment};

impl Run {
    pub(crate) fn on_paused(&mut self, at: Moment) -> Handled {
        if self.state.ended() {
            return Err("the run has ended".into());
        }
        if self.stop.is_some() {
            return Err("the run is stopping".into());
        }
        if self.paused.is_some() {
            return Err("the run is paused already".into());
        }
        self.paused = Some(at);
        Ok(())
    }

    pub(crate) fn on_resumed(&mut self) -> Handled {
        if self.paused.is_none() {
            return Err("the run is not paused".into());
        }
        self.paused = None;
        Ok(())
    }

    pub(crate) fn on_cancel_requested(
        &mut self,
        at: Moment,
        reason: &str,
        out: &mut Vec<Command>,
    ) -> Handled {
        if self.state.ended() {
            return Err("the run has ended".into());
        }
        if matches!(self.stop, Some(Stop::Cancel { .. })) {
            return Err("the run is being cancelled already".into());
        }
        if self.state == RunState::Planning {
            let _over = self.close_account(Caller::Planner, &[]);
            self.drop_record(Caller::Planner);
            out.push(Command::AbandonPlan);
        }
        let stop = Stop::Cancel {
            reason: reason.to_owned(),
        };
        self.begin_stop(at, stop, out);
        self.settle(at, out);
        Ok(())
    }
}
