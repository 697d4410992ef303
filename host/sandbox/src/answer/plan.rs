//! A planner's answer: form and size only. Whether the plan makes sense (cycles, unknown ids, authority) is decided
//! where plans are frozen.

use super::Reasons;
use super::json::Reader;
use crate::Limits;
use crate::bindings::exports::sandgate::plugin::planning::DraftPlan as Draft;
use sandgate_model::{DraftPlan, DraftTask};

/// Most tasks: what the rest of the host is tested with.
const TASKS_MAX: usize = 100_000;

/// Most references (needs, consumes, produces) in a draft: ten for each of the most tasks.
const REFERENCES_MAX: usize = 1_000_000;

/// Longest id, agent name or reference taken in at all. Valid ones are shorter; the validator says so with a better
/// message than this one.
const NAME_MAX: usize = 256;

/// Longest title: one line.
const TITLE_MAX: usize = 1 << 10;

/// Longest rationale: some twenty pages.
const RATIONALE_MAX: usize = 64 << 10;

/// Most JSON values in all inputs together: ten for each of the most tasks.
const VALUES_MAX: usize = 1_000_000;

pub(crate) fn plan(draft: Draft, limits: &Limits) -> Result<DraftPlan, Vec<String>> {
    let mut reasons = Reasons::default();
    let count = draft.tasks.len();
    if count > TASKS_MAX {
        reasons.add(format!("{count} tasks, and {TASKS_MAX} is the most"));
        return reasons.give(DraftPlan::default());
    }
    let references: usize = draft
        .tasks
        .iter()
        .map(|task| task.needs.len() + task.consumes.len() + task.produces.len())
        .sum();
    if references > REFERENCES_MAX {
        reasons.add(format!(
            "{references} references between tasks, and {REFERENCES_MAX} is the most"
        ));
        return reasons.give(DraftPlan::default());
    }
    reasons.length(
        || "the rationale".to_owned(),
        &draft.rationale,
        RATIONALE_MAX,
    );
    let reader = Reader::new(limits.output_bytes, VALUES_MAX);
    let mut tasks = Vec::with_capacity(count);
    for (i, task) in draft.tasks.into_iter().enumerate() {
        if reasons.is_full() {
            break;
        }
        reasons.length(|| format!("the id of task {i}"), &task.id, NAME_MAX);
        reasons.length(|| format!("the title of task {i}"), &task.title, TITLE_MAX);
        reasons.length(|| format!("the agent of task {i}"), &task.agent, NAME_MAX);
        for name in task
            .needs
            .iter()
            .chain(&task.consumes)
            .chain(&task.produces)
        {
            reasons.length(|| format!("a reference of task {i}"), name, NAME_MAX);
        }
        let input = reader
            .read(&task.input)
            .map_err(|error| reasons.add(format!("the input of task {i} is not accepted: {error}")))
            .unwrap_or_default();
        tasks.push(DraftTask {
            id: task.id,
            title: task.title,
            agent: task.agent,
            input,
            needs: task.needs,
            consumes: task.consumes,
            produces: task.produces,
        });
    }
    reasons.give(DraftPlan {
        tasks,
        rationale: draft.rationale,
    })
}
