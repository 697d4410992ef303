//! What one pass of the loop decided: records to be made durable, and what follows when they are. Must not perform
//! anything.

use crate::{control::Done, record::encode, wishes::Reply, work::Parking};
use sandgate_engine::{Command, Event, GateEnd};
use sandgate_journal::NewRecord;
use sandgate_model::{AttemptEnd, Moment, RunId};
use std::sync::Arc;
use tokio::sync::oneshot;

/// What one pass decided.
#[derive(Default)]
pub(crate) struct Decided {
    pub(crate) records: Vec<NewRecord>,
    /// The event of each record; absent for records of no run.
    pub(crate) events: Vec<Option<(RunId, Moment, Arc<Event>)>>,
    pub(crate) commands: Vec<(RunId, Command)>,
    pub(crate) faults: Vec<(RunId, String)>,
    /// Whoever waits for a record of this pass to be durable.
    pub(crate) told: Vec<Told>,
    /// Runs in which a wait for a signal began.
    pub(crate) begun: Vec<RunId>,
    /// Directories of work that waits from now on.
    pub(crate) parking: Vec<Parking>,
}

/// Somebody who waits for a record to be durable.
pub(crate) enum Told {
    /// A call that may begin, with its number.
    Call(oneshot::Sender<Result<u32, String>>, u32),
    /// Whoever wished something, with what came of it.
    Wish(Reply, Done),
    /// Anybody else.
    Record(oneshot::Sender<()>),
}

impl Decided {
    pub(crate) fn push(
        &mut self,
        id: RunId,
        at: Moment,
        event: Event,
        commands: Vec<Command>,
    ) -> Result<(), serde_json::Error> {
        if matches!(event, Event::WaitStarted { .. }) {
            self.begun.push(id);
        }
        self.records.push(encode(id, at, &event)?);
        self.events.push(Some((id, at, Arc::new(event))));
        self.commands
            .extend(commands.into_iter().map(|command| (id, command)));
        Ok(())
    }

    /// A record of no run.
    pub(crate) fn own(&mut self, record: NewRecord) {
        self.records.push(record);
        self.events.push(None);
    }
}

/// The event of a job that ended while the host was stopping. What was cut short is recorded as interrupted and
/// goes on after a resume; what had really ended keeps its end. A plan that was not finished is simply asked for
/// again, so it leaves no event.
pub(crate) fn interrupted(event: Event) -> Option<Event> {
    match event {
        Event::AttemptEnded {
            task,
            attempt,
            end: AttemptEnd::Cancelled,
            took,
        } => Some(Event::AttemptEnded {
            task,
            attempt,
            end: AttemptEnd::Interrupted,
            took,
        }),
        Event::GateEnded {
            gate,
            attempt,
            end: GateEnd::Cancelled,
            took,
        } => {
            let end = GateEnd::Interrupted;
            Some(Event::GateEnded {
                gate,
                attempt,
                end,
                took,
            })
        }
        Event::PlannerFailed { .. } => None,
        other => Some(other),
    }
}
