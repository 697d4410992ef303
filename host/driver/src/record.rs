//! Events as journal records, and back.

use sandgate_engine::{Event, Illegal, Run};
use sandgate_journal::{NewRecord, Record};
use sandgate_model::{Moment, RunId};

/// A record that this version cannot turn into a run.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The body is not an event that this version knows.
    #[error("record {seq} (`{kind}`) of run {run} is not an event this version of sandgate knows")]
    Unknown {
        /// Sequence number.
        seq: u64,
        /// Its kind.
        kind: String,
        /// Its run.
        run: RunId,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// The event does not fit the state that the records before it gave.
    #[error("record {seq} (`{kind}`) of run {run} does not follow from the records before it")]
    Illegal {
        /// Sequence number.
        seq: u64,
        /// Its kind.
        kind: String,
        /// Its run.
        run: RunId,
        /// Why.
        #[source]
        source: Box<Illegal>,
    },
    /// There are no records of this run.
    #[error("the journal has no run {0}")]
    Missing(RunId),
}

/// Encodes an event.
///
/// # Errors
/// When the event cannot be written as JSON, which no event is known to cause.
pub(crate) fn encode(
    run: RunId,
    at: Moment,
    event: &Event,
) -> Result<NewRecord, serde_json::Error> {
    Ok(NewRecord {
        run,
        at,
        kind: event.kind().to_owned(),
        body: serde_json::to_vec(event)?,
    })
}

/// Decodes a record.
///
/// # Errors
/// When the record holds something else.
pub fn decode(record: &Record) -> Result<Event, ReplayError> {
    serde_json::from_slice(&record.body).map_err(|source| ReplayError::Unknown {
        seq: record.seq,
        kind: record.kind.clone(),
        run: record.run,
        source,
    })
}

/// The state of a run: its events through the same function that runs them live. Commands are dropped; a host
/// that takes the run over gets them again from `HostStarted`.
///
/// # Errors
/// When there are no records, or one of them does not fit.
pub fn replay<'a>(
    id: RunId,
    records: impl IntoIterator<Item = &'a Record>,
) -> Result<Run, ReplayError> {
    let mut run: Option<Run> = None;
    for record in records {
        let event = decode(record)?;
        let illegal = |source| ReplayError::Illegal {
            seq: record.seq,
            kind: record.kind.clone(),
            run: id,
            source: Box::new(source),
        };
        match &mut run {
            None => run = Some(Run::create(id, record.at, &event).map_err(illegal)?.0),
            Some(run) => {
                run.step(record.at, &event).map_err(illegal)?;
            }
        }
    }
    run.ok_or(ReplayError::Missing(id))
}
