//! Signals of a simulated world: those that are waited for, and others.

use super::World;
use crate::build::name;
use sandgate_engine::{Evaluated, Event, signal_digest};
use sandgate_model::{Payload, Signal, SignalType, TaskIx, TaskWork};
use serde_json::json;
use std::collections::BTreeMap;

impl World {
    /// A wait says what it waits for; or nobody can make that out.
    pub(super) fn wait_started(&mut self, task: TaskIx) -> Event {
        if self.rng.permille(30) {
            return Event::TaskEvaluated {
                task,
                evaluated: Evaluated::Failed {
                    message: "no such input".to_owned(),
                },
            };
        }
        let work = self.run.task(task).map(|view| view.plan.work.clone());
        let names = match work {
            Some(TaskWork::Wait(wait)) => wait.matches.into_keys().collect(),
            _ => Vec::new(),
        };
        let matches = names
            .into_iter()
            .map(|name| (name, format!("v{}", self.rng.below(2))))
            .collect();
        Event::WaitStarted { task, matches }
    }

    /// What follows of an event: who waits is heard of outside.
    pub(super) fn signal_on(&mut self, event: &Event) {
        let Event::WaitStarted { task, .. } = event else {
            return;
        };
        for _ in 0..self.rng.below(3) {
            let fits = self.rng.below(2) == 0;
            let event = self.delivery(*task, fits);
            self.later(event);
        }
    }

    /// A signal for this task; when it should fit, it does if the task waits for one.
    pub(super) fn delivery(&mut self, task: TaskIx, fits: bool) -> Event {
        let wait = self.run.open_waits().into_iter().find(|w| w.task == task);
        let mut fields = wait
            .map(|wait| wait.matches)
            .unwrap_or_else(|| BTreeMap::from([("sha".to_owned(), "v0".to_owned())]));
        let word = if fits || self.rng.below(2) == 0 {
            "ci"
        } else {
            "human_approval"
        };
        if !fits {
            for value in fields.values_mut() {
                "other".clone_into(value);
            }
        }
        let kind: SignalType = name(word);
        let data = json!({ "n": self.rng.below(3) });
        let signal = Signal {
            id: format!("s{}", self.rng.below(5)),
            digest: signal_digest(&kind, &fields, &data),
            kind,
            fields,
            data: Payload::Inline(data),
            by: self.anybody(),
            at: self.now,
        };
        Event::SignalDelivered { task, signal }
    }

    /// One that some wait needs.
    pub(super) fn fitting(&mut self) -> Option<Event> {
        let waits = self.run.open_waits();
        let task = self.rng.pick(&waits)?.task;
        Some(self.delivery(task, true))
    }
}
