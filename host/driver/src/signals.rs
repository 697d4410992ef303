//! Signals in the loop: the project's inbox, and the waits of its runs. The inbox has its own records, under the nil run
//! id; a signal and what it resolves are recorded together.

use crate::{
    control::{Done, WishError},
    decided::Decided,
    drive::Loop,
    errors::DriveError,
};
use sandgate_engine::{Event, Inbox, InboxEvent, OpenWait, PastWait, Receipt, SignalRefusal};
use sandgate_journal::{NewRecord, Record};
use sandgate_model::{Moment, RunId, Signal, SignalType};
use std::collections::BTreeSet;

/// Waits that are open, and waits that are over.
type Waits = (Vec<OpenWait>, Vec<PastWait>);

/// Runs that ended and are still looked at for waits that a late signal was for.
const PAST_RUNS: usize = 100;

/// The id under which the project's own records stand, those of no run.
#[must_use]
pub(crate) fn project_stream() -> RunId {
    RunId::new(uuid::Uuid::nil())
}

/// Decodes a record of the project's own.
///
/// # Errors
/// When it is something else.
pub(crate) fn decode(record: &Record) -> Result<InboxEvent, crate::ReplayError> {
    serde_json::from_slice(&record.body).map_err(|source| crate::ReplayError::Unknown {
        seq: record.seq,
        kind: record.kind.clone(),
        run: record.run,
        source,
    })
}

/// The inbox that the records give.
///
/// # Errors
/// When one is something else.
pub(crate) fn inbox(records: &[Record]) -> Result<Inbox, crate::ReplayError> {
    let mut inbox = Inbox::default();
    for record in records {
        inbox.apply(record.at, &decode(record)?);
    }
    Ok(inbox)
}

fn kind(event: &InboxEvent) -> &'static str {
    match event {
        InboxEvent::SignalReceived { .. } => "signal-received",
        InboxEvent::SignalMatched { .. } => "signal-matched",
        InboxEvent::SignalsExpired { .. } => "signals-expired",
    }
}

impl Loop {
    /// A signal arrives.
    pub(crate) fn on_signal(
        &mut self,
        signal: Signal,
        now: Moment,
        touched: &mut BTreeSet<RunId>,
        decided: &mut Decided,
    ) -> Result<Result<Done, WishError>, DriveError> {
        let (open, past) = match self.waits_of_all(now, decided)? {
            Ok(waits) => waits,
            Err(error) => return Ok(Err(error)),
        };
        let expired = self.signals.expired(now);
        if !expired.is_empty() {
            self.keep(InboxEvent::SignalsExpired { ids: expired }, now, decided)?;
        }
        let file = self.project.file();
        let known = |kind: &SignalType| match file.knows_signal(kind.as_str()) {
            true => Ok(()),
            false => Err(sandgate_workflow::Project::KNOWN_SIGNALS
                .iter()
                .map(|s| (*s).to_owned())
                .chain(file.signals.iter().map(ToString::to_string))
                .collect()),
        };
        let receipt = self.signals.receive(now, &signal, &open, &past, &known);
        Ok(match receipt {
            Err(refusal) => Err(refused(refusal)),
            Ok(Receipt::Repeat { kept }) => Ok(Done::Signalled {
                to: kept.to,
                near: Vec::new(),
                repeat: true,
            }),
            Ok(Receipt::Keep { near }) => {
                self.keep(
                    InboxEvent::SignalReceived {
                        signal,
                        to: Vec::new(),
                    },
                    now,
                    decided,
                )?;
                Ok(Done::Signalled {
                    to: Vec::new(),
                    near,
                    repeat: false,
                })
            }
            Ok(Receipt::Deliver(waits)) => {
                let to: Vec<_> = waits.iter().map(|w| (w.run, w.id.clone())).collect();
                let event = InboxEvent::SignalReceived {
                    signal: signal.clone(),
                    to: to.clone(),
                };
                self.keep(event, now, decided)?;
                for wait in waits {
                    self.deliver(&wait, &signal, now, decided)?;
                    self.goes_on(wait.run, now, decided)?;
                    touched.insert(wait.run);
                }
                Ok(Done::Signalled {
                    to,
                    near: Vec::new(),
                    repeat: false,
                })
            }
        })
    }

    /// Gives waits that began in this pass what came before them.
    pub(crate) fn pick_up(
        &mut self,
        begun: Vec<RunId>,
        now: Moment,
        decided: &mut Decided,
    ) -> Result<(), DriveError> {
        for id in begun {
            let waits = match self.runs.get(&id) {
                Some(active) => active.run.open_waits(),
                None => continue,
            };
            for wait in waits {
                let picked = self
                    .signals
                    .pick(now, &wait)
                    .map(|kept| kept.signal.clone());
                if let Some(signal) = picked {
                    let event = InboxEvent::SignalMatched {
                        id: signal.id.clone(),
                        to: (wait.run, wait.id.clone()),
                    };
                    self.keep(event, now, decided)?;
                    self.deliver(&wait, &signal, now, decided)?;
                }
            }
        }
        Ok(())
    }

    fn deliver(
        &mut self,
        wait: &OpenWait,
        signal: &Signal,
        now: Moment,
        decided: &mut Decided,
    ) -> Result<(), DriveError> {
        let event = Event::SignalDelivered {
            task: wait.task,
            signal: signal.clone(),
        };
        // It was open a moment ago, in this very pass.
        let _fits = self.step(wait.run, now, event, decided)?;
        Ok(())
    }

    /// Records something of the inbox.
    fn keep(
        &mut self,
        event: InboxEvent,
        now: Moment,
        decided: &mut Decided,
    ) -> Result<(), DriveError> {
        let body = serde_json::to_vec(&event).map_err(DriveError::Encode)?;
        self.signals.apply(now, &event);
        decided.own(NewRecord {
            run: project_stream(),
            at: now,
            kind: kind(&event).to_owned(),
            body,
        });
        Ok(())
    }

    /// The waits of every run that has not ended, and those of the latest runs that are over.
    fn waits_of_all(
        &mut self,
        now: Moment,
        decided: &mut Decided,
    ) -> Result<Result<Waits, WishError>, DriveError> {
        let rows = match self.reader.runs() {
            Ok(rows) => rows,
            Err(error) => return Ok(Err(WishError::host(crate::chain(&error)))),
        };
        let mut open = Vec::new();
        let mut past = Vec::new();
        let mut ended = 0;
        // The latest first: what is over long ago is not looked for.
        for row in rows.iter().rev() {
            if row.state.ended() {
                ended += 1;
                if ended > PAST_RUNS && !self.runs.contains_key(&row.run) {
                    continue;
                }
                match self.at_hand(row.run) {
                    Ok(active) => past.extend(active.run.past_waits()),
                    Err(error) => return Ok(Err(error)),
                }
                continue;
            }
            // A wait whose time is over is over, whoever drove when it ended.
            self.ring(row.run, now, decided)?;
            match self.at_hand(row.run) {
                Ok(active) => {
                    open.extend(active.run.open_waits());
                    past.extend(active.run.past_waits());
                }
                Err(error) => return Ok(Err(error)),
            }
        }
        // In the order of the runs, so that answers are the same every time.
        open.sort_by_key(|wait| (wait.run, wait.task));
        Ok(Ok((open, past)))
    }
}

fn refused(refusal: SignalRefusal) -> WishError {
    WishError::Signal { refusal }
}
