//! Pinned sessions: live instances that keep their memory between the tasks that name them. The engine lets one
//! task in at a time; this only keeps the instance in between. An instance that trapped, ran out of time or was
//! cancelled is dropped, and the next task opens a new one.

use crate::local::lock;
use sandgate_model::{Grants, RunId, SessionName};
use sandgate_sandbox::{AgentAnswer, Call, LiveSession, Outcome, Sandbox, TaskRequest};
use serde_json::Value;
use std::{collections::BTreeMap, sync::Mutex};

/// Which session: names mean nothing outside their run.
///
/// The grants belong to it: an instance keeps the directories and interfaces it was opened with, so a task with other
/// grants gets another instance and never the wider authority of an earlier one.
pub(crate) type SessionKey = (RunId, SessionName, Grants);

/// The live sessions of this process.
#[derive(Default)]
pub(crate) struct Sessions(Mutex<BTreeMap<SessionKey, LiveSession>>);

impl Sessions {
    /// Runs a task in the session, which is opened when it is not live.
    pub(crate) async fn run(
        &self,
        sandbox: &Sandbox,
        key: SessionKey,
        call: &Call,
        config: &Value,
        request: TaskRequest,
    ) -> Outcome<AgentAnswer> {
        let live = lock(&self.0).remove(&key);
        let mut session = match live {
            Some(session) => session,
            None => {
                let mut opened = None;
                let outcome = sandbox
                    .open(call, config)
                    .await
                    .outcome
                    .map(|session| opened = Some(session));
                match opened {
                    Some(session) => session,
                    None => return outcome.map(|()| nothing()),
                }
            }
        };
        let report = session.run(&call.turn, request).await;
        if session.is_alive() {
            lock(&self.0).insert(key, session);
        }
        report.outcome
    }

    /// Drops the sessions of a run.
    pub(crate) fn close(&self, run: RunId) {
        lock(&self.0).retain(|(of, ..), _| *of != run);
    }
}

/// For an outcome that holds no output, whatever its type says.
fn nothing() -> AgentAnswer {
    AgentAnswer {
        output: Value::Null,
        artifacts: Vec::new(),
        charges: Vec::new(),
    }
}
