//! A host took the run over. Recovery is this event and nothing else: replay gives the state, and this turns what
//! was under way into what has to be done again.

use crate::{Command, Run, RunState, Timer, illegal::Handled};
use sandgate_model::{AttemptNo, Caller, GateIx, Moment, TaskIx};

impl Run {
    pub(crate) fn on_host_started(&mut self, at: Moment, out: &mut Vec<Command>) -> Handled {
        if self.state.ended() {
            return Err("the run has ended: there is nothing to take over".into());
        }
        let tasks: Vec<TaskIx> = self.schedule.running.iter().copied().collect();
        for ix in tasks {
            let attempt = AttemptNo(self.tasks[ix].attempt);
            let by = Caller::Task { task: ix, attempt };
            let back = self.return_of(by);
            let _over = self.close_account(by, &[]);
            self.interrupted(ix, at, back, out);
        }
        let gates: Vec<GateIx> = self.schedule.gates_running.iter().copied().collect();
        for ix in gates {
            let attempt = AttemptNo(self.gates[ix].attempt);
            let by = Caller::Gate { gate: ix, attempt };
            let back = self.return_of(by);
            let _over = self.close_account(by, &[]);
            self.gate_interrupted(ix, at, back);
        }
        if self.state == RunState::Planning {
            self.planner_interrupted(at, out);
        }
        out.extend(
            self.schedule
                .evaluating
                .iter()
                .map(|&task| Command::Evaluate { task }),
        );
        out.extend(self.waits_to_start());
        self.ask_again(out);
        if let Some(at) = self.deadline {
            out.push(Command::ArmTimer {
                timer: Timer::Run,
                at,
            });
        }
        let timers = self.schedule.timers.iter();
        out.extend(timers.map(|(&timer, &at)| Command::ArmTimer { timer, at }));
        self.settle(at, out);
        Ok(())
    }
}
