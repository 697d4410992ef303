//! Waits for signals: they begin, say what they wait for, and end. Whether a signal belongs to a project at all, and
//! whether it came before, is decided by the inbox; here it is one task's turn. A signal ends waits and nothing else: no
//! handler here looks at approvals.

use crate::{
    Command, OpenWait, PastWait, Run, Timer, fits,
    illegal::{Handled, Why},
    on::attempt::no_task,
    task::{Cause, Phase, Waited},
};
use sandgate_model::{
    FailureClass, Moment, Payload, Signal, TaskIx, TaskOutput, TaskWork, WaitFor,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

impl Run {
    /// A task that waits for a signal begins to: what exactly for has to be said next. The time that it has runs from
    /// here.
    pub(crate) fn begin_wait(&mut self, ix: TaskIx, at: Moment, out: &mut Vec<Command>) {
        let until = self
            .wait_of(ix)
            .and_then(|wait| wait.timeout)
            .map(|timeout| at.after(timeout));
        if let Some(steer) = &mut self.tasks[ix].steer {
            steer.waited = None;
        }
        self.enter(ix, at, Phase::Signal { until });
        if let Some(until) = until {
            out.push(Command::ArmTimer {
                timer: Timer::Wait(ix),
                at: until,
            });
        }
        out.push(Command::StartWait { task: ix });
    }

    pub(crate) fn on_wait_started(
        &mut self,
        at: Moment,
        ix: TaskIx,
        matches: &BTreeMap<String, String>,
    ) -> Handled {
        let wait = self.may_wait_on(ix)?;
        if self.tasks[ix].waited().is_some() {
            return Err(format!("task `{}` has said what it waits for", self.name(ix)).into());
        }
        if !wait.matches.keys().eq(matches.keys()) {
            return Err(format!(
                "task `{}` does not match by these fields in the plan",
                self.name(ix)
            )
            .into());
        }
        self.tasks[ix].steer().waited = Some(Waited {
            matches: matches.clone(),
            since: at,
            signal: None,
        });
        Ok(())
    }

    /// What it waits for could not be made out.
    pub(crate) fn on_wait_failed(
        &mut self,
        at: Moment,
        ix: TaskIx,
        message: &str,
        out: &mut Vec<Command>,
    ) -> Handled {
        self.may_wait_on(ix)?;
        if self.tasks[ix].waited().is_some() {
            return Err(format!("task `{}` has said what it waits for", self.name(ix)).into());
        }
        self.fail_for_good(ix, at, Cause::new(FailureClass::Input, message), out);
        self.settle(at, out);
        Ok(())
    }

    pub(crate) fn on_signal_delivered(
        &mut self,
        at: Moment,
        ix: TaskIx,
        signal: &Signal,
        out: &mut Vec<Command>,
    ) -> Handled {
        let kind = &self.may_wait_on(ix)?.signal;
        let name = || self.name(ix);
        let Some(waited) = self.tasks[ix].waited() else {
            return Err(format!("task `{}` has not said yet what it waits for", name()).into());
        };
        if !fits(kind, &waited.matches, signal) {
            return Err(format!("the signal is not what task `{}` waits for", name()).into());
        }
        if let Some(waited) = &mut self.tasks[ix].steer().waited {
            waited.signal = Some(signal.clone());
        }
        self.tasks[ix].took = Some(at.since(self.tasks[ix].since));
        self.tasks[ix].output = Some(Box::new(output(signal)));
        if self.planned(ix).is_some_and(|task| task.approval_after) {
            self.enter(ix, at, Phase::Held);
        } else {
            self.succeed(ix, at, out);
        }
        self.settle(at, out);
        Ok(())
    }

    /// What has to be asked again after a host started: waits that have not said what for.
    pub(crate) fn waits_to_start(&self) -> impl Iterator<Item = Command> {
        let silent = self.schedule.parked.iter().filter(|ix| {
            let task = &self.tasks[**ix];
            matches!(task.phase, Phase::Signal { .. }) && task.waited().is_none()
        });
        silent.map(|&task| Command::StartWait { task })
    }

    /// Waits for signals that are open now and have said what for, in order of tasks. Costs as much as there is that
    /// waits for anything.
    #[must_use]
    pub fn open_waits(&self) -> Vec<OpenWait> {
        let open = self.schedule.parked.iter().filter(|ix| {
            let phase = self.tasks[**ix].phase;
            matches!(phase, Phase::Signal { .. })
        });
        open.filter_map(|ix| self.said(*ix)).collect()
    }

    /// Waits for signals that are over and had said what for. Walks over all tasks.
    #[must_use]
    pub fn past_waits(&self) -> Vec<PastWait> {
        let over = self.tasks.iter().filter_map(|(ix, task)| {
            let waited = task.waited()?;
            let how = match task.phase {
                Phase::Succeeded | Phase::Held => match &waited.signal {
                    Some(signal) => format!("resolved by signal `{}`", signal.id),
                    None => return None,
                },
                Phase::Failed if waited.signal.is_some() => "its result was rejected".to_owned(),
                Phase::Failed => "timed out".to_owned(),
                Phase::Cancelled if task.cancel().is_some() => "the task was cancelled".to_owned(),
                Phase::Cancelled => "the run was cancelled".to_owned(),
                _ => return None,
            };
            Some(PastWait {
                wait: self.said(ix)?,
                ended: task.since,
                how,
            })
        });
        over.collect()
    }

    /// The signal that resolved a wait: its data is what the task's output shows, and here it is known whether it is
    /// stored. Absent for any other task.
    #[must_use]
    pub fn wait_signal(&self, ix: TaskIx) -> Option<&Signal> {
        self.tasks.row(ix)?.waited()?.signal.as_ref()
    }

    fn said(&self, ix: TaskIx) -> Option<OpenWait> {
        let waited = self.tasks[ix].waited()?;
        Some(OpenWait {
            run: self.id,
            task: ix,
            id: self.task_id(ix)?,
            kind: self.wait_of(ix)?.signal.clone(),
            matches: waited.matches.clone(),
            since: waited.since,
        })
    }

    fn wait_of(&self, ix: TaskIx) -> Option<&WaitFor> {
        match &self.planned(ix)?.work {
            TaskWork::Wait(wait) => Some(wait),
            TaskWork::Agent { .. } => None,
        }
    }

    /// What the plan says of a task that waits for a signal now.
    fn may_wait_on(&self, ix: TaskIx) -> Result<&WaitFor, Why> {
        let task = self.tasks.row(ix).ok_or_else(|| no_task(ix))?;
        match (task.phase, self.wait_of(ix)) {
            (Phase::Signal { .. }, Some(wait)) => Ok(wait),
            (phase, _) => {
                let (name, state) = (self.name(ix), phase.state().as_str());
                Err(format!("task `{name}` is {state}, it waits for no signal").into())
            }
        }
    }
}

fn output(signal: &Signal) -> TaskOutput {
    let data = match &signal.data {
        Payload::Inline(data) => data.clone(),
        Payload::Stored { digest, size } => {
            json!({ "$payload": { "stored": { "digest": digest, "size": size } } })
        }
    };
    let output: Value = json!({
        "type": signal.kind,
        "id": signal.id,
        "fields": signal.fields,
        "data": data,
    });
    TaskOutput {
        output: Payload::Inline(output),
        artifacts: Vec::new(),
        charges: Vec::new(),
    }
}
