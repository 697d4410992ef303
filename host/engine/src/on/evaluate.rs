//! Conditions and lists: what `when` and `for_each` came to.

use crate::{
    Command, Evaluated, Run,
    illegal::Handled,
    on::attempt::no_task,
    task::{Cause, Expansion, INSTANCES_MAX, Instance, Phase, Skip, TASKS_MAX, Task},
};
use sandgate_model::{FailureClass, Moment, Payload, TaskIx, TaskOutput};
use serde_json::Value;

impl Run {
    pub(crate) fn on_task_evaluated(
        &mut self,
        at: Moment,
        ix: TaskIx,
        evaluated: &Evaluated,
        out: &mut Vec<Command>,
    ) -> Handled {
        let task = self.tasks.row(ix).ok_or_else(|| no_task(ix))?;
        if let (Evaluated::Failed { message }, Phase::Signal { .. }) = (evaluated, task.phase) {
            return self.on_wait_failed(at, ix, message, out);
        }
        if let (Evaluated::Failed { message }, Phase::Approval | Phase::Held | Phase::Funds(_)) =
            (evaluated, task.phase)
        {
            return self.on_ask_failed(at, ix, message, out);
        }
        if task.phase != Phase::Evaluating {
            let state = task.phase.state().as_str();
            return Err(format!(
                "task `{}` is {state}, nothing of it is being evaluated",
                self.name(ix)
            )
            .into());
        }
        let (when, for_each) = self
            .planned(ix)
            .map_or((false, false), |t| (t.when.is_some(), t.for_each.is_some()));
        match evaluated {
            Evaluated::Skip if !when => {
                return Err(format!("task `{}` has no `when`", self.name(ix)).into());
            }
            Evaluated::Each { .. } if !for_each => {
                return Err(format!("task `{}` has no `for_each`", self.name(ix)).into());
            }
            Evaluated::Once if for_each => {
                return Err(format!(
                    "task `{}` has `for_each`: it runs once for each item",
                    self.name(ix)
                )
                .into());
            }
            _ => {}
        }

        match evaluated {
            Evaluated::Skip => {
                self.enter(ix, at, Phase::Skipped(Skip::Condition(ix)));
                self.skip_dependents(ix, at, Skip::Condition(ix));
            }
            Evaluated::Once => self.admit(ix, at, out),
            Evaluated::Each { items } => self.expand(ix, at, items, out),
            Evaluated::Failed { message } => {
                self.fail_for_good(ix, at, Cause::new(FailureClass::Input, message), out);
            }
        }
        self.settle(at, out);
        Ok(())
    }

    fn expand(&mut self, ix: TaskIx, at: Moment, items: &[Payload], out: &mut Vec<Command>) {
        self.tasks[ix].started = Some(at);
        if items.is_empty() {
            self.tasks[ix].output = Some(Box::new(TaskOutput {
                output: Payload::Inline(Value::Array(Vec::new())),
                artifacts: Vec::new(),
                charges: Vec::new(),
            }));
            self.succeed(ix, at, out);
            return;
        }
        let tasks = self.tasks.len().saturating_add(items.len());
        if items.len() > INSTANCES_MAX || tasks > TASKS_MAX {
            let message = format!(
                "`for_each` gave {} items; a task has at most {INSTANCES_MAX} instances, a run {TASKS_MAX} tasks",
                items.len()
            );
            self.fail_for_good(ix, at, Cause::new(FailureClass::Limit, &message), out);
            return;
        }
        let plan = self.tasks[ix].plan;
        // Both fit: at most `TASKS_MAX` tasks.
        let first = u32::try_from(self.tasks.len()).unwrap_or(u32::MAX);
        let count = u32::try_from(items.len()).unwrap_or(u32::MAX);
        let expansion = Expansion {
            first,
            count,
            open: count,
            failed: 0,
            first_failed: None,
            cancelled: 0,
            first_cancelled: None,
        };
        let members = expansion.members();
        // Before its instances: what each of them may cost depends on how many they are.
        self.tasks[ix].expansion = Some(Box::new(expansion));
        self.tasks.reserve(items.len());
        for (n, item) in (0u32..).zip(items) {
            let mut task = Task::new(plan, at);
            task.instance = Some(Box::new(Instance {
                parent: ix,
                n,
                item: item.clone(),
            }));
            let member = self.tasks.push(task);
            self.enlist(member);
        }
        self.enter(ix, at, Phase::Expanded);
        for member in members {
            self.admit(member, at, out);
        }
    }
}
