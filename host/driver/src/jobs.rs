//! What a job came to, on its way into the run. An event that does not fit any more is dropped, but work that is gone never
//! stays as if it ran.

use crate::{decided::Decided, drive::Loop, errors::DriveError, work::Parking};
use sandgate_engine::{Event, GateEnd, Run};
use sandgate_model::{AttemptEnd, Caller, FailureClass, Millis, Moment, PluginName, RunId};

impl Loop {
    /// What a job came to. An event that does not fit any more is dropped, but work that wanted to wait for a person when
    /// it was being taken down has to end.
    pub(crate) fn job_ended(
        &mut self,
        run: RunId,
        now: Moment,
        event: Event,
        room: Option<Parking>,
        decided: &mut Decided,
    ) -> Result<(), DriveError> {
        let waits = match &event {
            Event::Suspended { by, took, .. } => Some((*by, *took)),
            _ => None,
        };
        let Err(why) = self.step(run, now, event, decided)? else {
            decided.parking.extend(room);
            return Ok(());
        };
        let instead = match (waits, self.runs.get(&run)) {
            (Some((by, took)), Some(active)) => ended_instead(by, took, &active.run, &why),
            _ => Vec::new(),
        };
        for event in instead {
            if self.step(run, now, event, decided)?.is_ok() {
                break;
            }
        }
        Ok(())
    }
}

/// How work ends that wanted to wait for a person and may not, and why: it was being taken down, or has asked too often.
/// For a planner one event for each that may be the one asked; the run takes that of the right one.
fn ended_instead(by: Caller, took: Millis, run: &Run, why: &str) -> Vec<Event> {
    let stopping = run.stopping();
    match by {
        Caller::Task { task, attempt } => {
            let end = match stopping {
                true => AttemptEnd::Cancelled,
                false => AttemptEnd::Failed {
                    class: FailureClass::Refused,
                    message: why.to_owned(),
                    permanent: true,
                },
            };
            vec![Event::AttemptEnded {
                task,
                attempt,
                end,
                took,
            }]
        }
        Caller::Gate { gate, attempt } => {
            let end = match stopping {
                true => GateEnd::Cancelled,
                false => GateEnd::Inconclusive {
                    message: why.to_owned(),
                },
            };
            vec![Event::GateEnded {
                gate,
                attempt,
                end,
                took,
            }]
        }
        Caller::Planner => {
            let failed = |planner: &PluginName| Event::PlannerFailed {
                planner: Some(planner.clone()),
                message: why.to_owned(),
            };
            run.planners().iter().map(failed).collect()
        }
    }
}
