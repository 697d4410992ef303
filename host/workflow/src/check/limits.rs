//! Limits and budgets: a task lowers them, it never raises them.

use crate::{Code, Diagnostic, Diagnostics, Project, Workflow, WrittenTask, scalar::show_size};

pub(super) fn check(workflow: &Workflow, project: &Project, out: &mut Diagnostics) {
    for task in &workflow.tasks {
        limits(workflow, task, project, out);
        budget(workflow, task, out);
    }
}

/// How a limit is written.
type Show = fn(u64) -> String;

fn limits(workflow: &Workflow, task: &WrittenTask, project: &Project, out: &mut Diagnostics) {
    let (mine, most) = (&task.limits, &project.own_limits);
    let plain = |n: u64| n.to_string();
    let all: [(&str, Option<u64>, u64, Show); 10] = [
        ("memory", mine.memory, most.memory, show_size),
        ("log", mine.log, most.log, show_size),
        ("output", mine.output, most.output, show_size),
        ("artifact", mine.artifact, most.artifact, show_size),
        ("disk", mine.disk, most.disk, show_size),
        ("files", mine.files, most.files, plain),
        ("calls", mine.calls, most.calls, plain),
        ("network", mine.network, most.network, show_size),
        ("tokens", mine.tokens, most.tokens, plain),
        ("effects", mine.effects, most.effects, plain),
    ];
    for (key, mine, most, show) in all {
        let Some(mine) = mine.filter(|m| *m > most) else {
            continue;
        };
        let quote = if show(1) == "1" { "" } else { "\"" };
        out.push(
            Diagnostic::new(
                Code::LIMIT_RAISED,
                format!(
                    "`{key}` is {} for this task, over the project's {}",
                    show(mine),
                    show(most)
                ),
                &workflow.source,
                task.spans.limits.unwrap_or(task.id.span),
            )
            .help(format!(
                "write less, or in sandgate.toml, under [limits]: {key} = {quote}{}{quote}",
                show(mine)
            )),
        );
    }
}

fn budget(workflow: &Workflow, task: &WrittenTask, out: &mut Diagnostics) {
    if let (Some(mine), Some(run)) = (task.budget, workflow.budget)
        && mine > run.limit
    {
        out.push(
            Diagnostic::new(
                Code::TASK_BUDGET,
                "this task may cost more than the whole run",
                &workflow.source,
                task.spans.budget.unwrap_or(task.id.span),
            )
            .help("write less, or a higher limit in [budget]"),
        );
    }
}
