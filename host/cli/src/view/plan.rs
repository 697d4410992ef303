//! A frozen plan as text.

use super::summary::message;
use crate::ui::{Esc, Look, Table, count, span};
use sandgate_model::{Digest, FileMode, Grants, OnFailure, Plan, PlanTask, Session, TaskWork};

/// Tasks listed at most; JSON has all of them.
const TASKS_MAX: usize = 200;

/// The plan.
pub(crate) fn text(plan: &Plan, digest: Option<Digest>, look: &Look) -> String {
    let by = plan
        .planner
        .as_ref()
        .map_or("written".to_owned(), |p| format!("by {p}"));
    let head = look.bold(format!("plan of {}", plan.workflow));
    let mut out = format!("{head}, revision {}, {by}\n", plan.revision);
    let mut table = Table::default();
    table.row([look.dim("goal"), Esc(&plan.goal).to_string()]);
    if let Some(digest) = digest {
        table.row([look.dim("digest"), digest.to_string()]);
    }
    for (name, value) in &plan.inputs {
        table.row([
            look.dim("input"),
            format!("{} = {}", Esc(name), Esc(&value.to_string())),
        ]);
    }
    let rest = match plan.on_failure {
        OnFailure::Continue => "when a task fails, independent ones go on",
        OnFailure::Stop => "when a task fails, the run stops",
    };
    let limit = plan
        .timeout
        .map_or(String::new(), |t| format!("; at most {} in all", span(t)));
    table.row([
        look.dim("rules"),
        format!("at most {} at once; {rest}{limit}", plan.concurrency),
    ]);
    out.push_str(&table.render(look, 2));
    if !plan.rationale.is_empty() {
        out.push_str(&look.dim("  the planner says\n"));
        message(&mut out, &plan.rationale, "    ");
    }
    out.push_str(&format!(
        "\n{}\n",
        look.bold(count(plan.tasks.len(), "task"))
    ));
    let mut table = Table::new(&["task", "does", "needs", "produces", "may", "limits"]);
    for task in plan.tasks.iter().take(TASKS_MAX) {
        table.row([
            task.id.to_string(),
            work(task),
            names(
                task.needs
                    .iter()
                    .filter_map(|ix| Some(plan.task(*ix)?.id.to_string())),
            ),
            names(task.produces.iter().map(ToString::to_string)),
            grants(&task.grants),
            limits(task),
        ]);
    }
    out.push_str(&table.render(look, 2));
    if plan.tasks.len() > TASKS_MAX {
        let more = count(plan.tasks.len() - TASKS_MAX, "task");
        out.push_str(&look.dim(format!(
            "  … and {more} more; `--format json` has them all\n"
        )));
    }
    if !plan.gates.is_empty() {
        out.push_str(&format!(
            "\n{}\n",
            look.bold(count(plan.gates.len(), "gate"))
        ));
        let mut table = Table::new(&["gate", "uses", "tier", "may"]);
        for gate in &plan.gates {
            table.row([
                gate.id.to_string(),
                gate.plugin.to_string(),
                gate.tier.to_string(),
                grants(&gate.grants),
            ]);
        }
        out.push_str(&table.render(look, 2));
    }
    out
}

fn names(names: impl Iterator<Item = String>) -> String {
    names.collect::<Vec<_>>().join(", ")
}

fn work(task: &PlanTask) -> String {
    match &task.work {
        TaskWork::Agent {
            agent,
            session: Session::Spawn,
            ..
        } => agent.to_string(),
        TaskWork::Agent {
            agent,
            session: Session::Pinned(name),
            ..
        } => {
            format!("{agent} in session {name}")
        }
        TaskWork::Wait(wait) => format!("wait for {}", wait.signal),
    }
}

/// What it may do besides computing.
fn grants(grants: &Grants) -> String {
    let files = grants.files.iter().map(|f| {
        let mode = match f.mode {
            FileMode::Read => "read",
            FileMode::Write => "write",
        };
        format!("{mode} {} as {}", Esc(&f.host), Esc(&f.guest))
    });
    names(files)
}

fn limits(task: &PlanTask) -> String {
    let mut parts = vec![span(task.timeout)];
    if task.retry.attempts > 1 {
        parts.push(count(task.retry.attempts as usize, "attempt"));
    }
    if task.for_each.is_some() {
        parts.push("for each item".to_owned());
    }
    if task.when.is_some() {
        parts.push("if its `when` holds".to_owned());
    }
    if task.approval_before {
        parts.push("after an approval".to_owned());
    }
    if task.approval_after {
        parts.push("its result needs an approval".to_owned());
    }
    parts.join(", ")
}
