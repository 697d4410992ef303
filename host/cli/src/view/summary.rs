//! The execution summary as text: outcome first, then what each task came to, artifacts, checks, the error of every
//! branch, and what to do next.

use super::words;
use crate::{
    exit::Ended,
    ui::{Esc, Look, Table, count, lines, money, short, size, span},
};
use sandgate_engine::{ExecutionSummary, Outcome, Reason, RunState, TaskState, TaskSummary, Wait};
use sandgate_model::Verdict;

/// With more tasks than this only those are listed that did not succeed: the others would push the rest off the
/// screen.
const TASKS_ALL: usize = 60;

/// Rows of a table at most; JSON has all of them.
const ROWS_MAX: usize = 200;

/// Columns of an error in the table; the whole of it stands below.
const REASON_MAX: usize = 48;

/// Waits for which the command is listed; `approvals` has them all.
const NEXT_MAX: usize = 10;

/// Lines of one error at most; JSON has all of them.
const ERROR_LINES_MAX: usize = 30;

/// What decides the exit code.
pub(crate) fn ended(s: &ExecutionSummary) -> Ended {
    let good = |t: &TaskSummary| match t.state {
        TaskState::Succeeded => true,
        TaskState::Skipped => matches!(
            t.blocked.as_ref().map(|b| &b.reason),
            Some(Reason::ConditionFalse { .. })
        ),
        _ => false,
    };
    Ended {
        outcome: s.outcome,
        work_good: s.plan.is_some() && s.tasks.iter().all(good),
        refused: s.refused_by_policy,
        over_budget: s.refused_by_budget,
    }
}

/// The whole summary.
pub(crate) fn text(s: &ExecutionSummary, look: &Look) -> String {
    let mut out = head(s, look);
    tasks(&mut out, s, look);
    artifacts(&mut out, s, look);
    checks(&mut out, s, look);
    errors(&mut out, s, look);
    waits(&mut out, s, look);
    next(&mut out, s, look);
    out
}

/// Outcome, goal, plan, time, cost.
fn head(s: &ExecutionSummary, look: &Look) -> String {
    format!("{}{}", first_line(s, look), facts(s, look).render(look, 2))
}

/// Which run, and its outcome.
pub(crate) fn first_line(s: &ExecutionSummary, look: &Look) -> String {
    let state = words::run_state(look, s.state, s.outcome, s.paused);
    let mut out = format!(
        "{} of {}: {state}",
        look.bold(format!("run {}", s.run.short())),
        s.workflow
    );
    if s.stopping {
        out.push_str(", stopping");
    }
    if s.partial && s.outcome != Some(Outcome::Partial) {
        out.push_str(", partial");
    }
    out.push('\n');
    out
}

/// Goal, plan, time, cost.
pub(crate) fn facts(s: &ExecutionSummary, look: &Look) -> Table {
    let mut table = Table::default();
    let mut row = |name: &str, text: String| table.row([look.dim(name), text]);
    row("goal", Esc(&s.goal).to_string());
    if let Some(plan) = &s.plan {
        let digest = plan
            .digest
            .map_or(String::new(), |d| format!("sha256:{}, ", d.short()));
        let by = plan
            .planner
            .as_ref()
            .map_or("written".to_owned(), |p| format!("by {p}"));
        row("plan", format!("{digest}revision {}, {by}", plan.revision));
    }
    let took = s.ended.map_or(String::new(), |end| {
        format!(", took {}", span(end.since(s.created)))
    });
    row("created", format!("{}{took}", look.zone.day(s.created)));
    if s.cost_micros > 0 {
        let parts: Vec<String> = s
            .charges
            .iter()
            .map(|(what, m)| format!("{} {}", Esc(what), money(*m)))
            .collect();
        row(
            "cost",
            format!("{} ({})", money(s.cost_micros), parts.join(", ")),
        );
    }
    table
}

fn heading(out: &mut String, look: &Look, name: &str, rest: &str) {
    out.push('\n');
    out.push_str(&look.bold(name));
    if !rest.is_empty() {
        out.push_str(&look.dim(format!("  {rest}")));
    }
    out.push('\n');
}

fn left_out(out: &mut String, look: &Look, n: usize, what: &str) {
    if n > 0 {
        let line = format!(
            "  … and {} more; `--format json` has them all",
            count(n, what)
        );
        out.push_str(&look.dim(line));
        out.push('\n');
    }
}

fn tasks(out: &mut String, s: &ExecutionSummary, look: &Look) {
    if s.tasks.is_empty() {
        return;
    }
    heading(out, look, "tasks", &words::counts(&s.counts));
    let all = s.tasks.len() <= TASKS_ALL;
    let listed = || {
        s.tasks
            .iter()
            .filter(|t| all || t.state != TaskState::Succeeded)
    };
    let mut table = Table::new(&["task", "agent", "state", "attempts", "took", "reason"]);
    for t in listed().take(ROWS_MAX) {
        table.row([
            t.id.to_string(),
            t.agent
                .as_ref()
                .map_or_else(|| look.dim("(wait)"), ToString::to_string),
            words::task_state(look, t.state),
            t.attempts.to_string(),
            t.took_ms.map_or_else(String::new, span),
            why(t, look),
        ]);
    }
    if !table.is_empty() {
        out.push_str(&table.render(look, 2));
    }
    left_out(out, look, listed().count().saturating_sub(ROWS_MAX), "task");
    if !all {
        let n = s.counts.get(&TaskState::Succeeded).copied().unwrap_or(0);
        let line = format!("  {n} that succeeded are not listed; `--format json` has them all");
        out.push_str(&look.dim(line));
        out.push('\n');
    }
}

/// Why a task is not where one wants it, in one cell.
fn why(t: &TaskSummary, look: &Look) -> String {
    match (&t.blocked, &t.error) {
        (Some(blocked), _) => {
            format!(
                "{}: {}",
                blocked.reason.code(),
                words::task_reason(t, blocked, look)
            )
        }
        (None, Some(error)) if t.state == TaskState::Failed => {
            format!(
                "{}: {}",
                error.class.as_str(),
                short(&error.message, REASON_MAX)
            )
        }
        _ => String::new(),
    }
}

fn artifacts(out: &mut String, s: &ExecutionSummary, look: &Look) {
    let Some(first) = s.artifacts.first() else {
        return;
    };
    heading(out, look, "artifacts", "");
    let mut table = Table::new(&["artifact", "size", "digest", "type"]);
    for a in s.artifacts.iter().take(ROWS_MAX) {
        table.row([
            format!("{}.{}", a.task, a.artifact.name),
            size(a.artifact.size),
            format!("sha256:{}", a.artifact.digest.short()),
            Esc(&a.artifact.media_type).to_string(),
        ]);
    }
    out.push_str(&table.render(look, 2));
    left_out(
        out,
        look,
        s.artifacts.len().saturating_sub(ROWS_MAX),
        "artifact",
    );
    let read = format!(
        "sandgate summary {} --artifact {}.{}",
        s.run.short(),
        first.task,
        first.artifact.name
    );
    out.push_str(&look.dim(format!("  read one with `{read}`")));
    out.push('\n');
}

fn checks(out: &mut String, s: &ExecutionSummary, look: &Look) {
    let open = s.gates.iter().filter(|g| g.verdict.is_none()).count();
    if s.checks.is_empty() && open == 0 {
        return;
    }
    let passed = s
        .checks
        .iter()
        .filter(|c| c.verdict == Verdict::Pass)
        .count();
    let rest = match s.checks.len() {
        0 => "none yet".to_owned(),
        all => format!("{passed} of {all} pass"),
    };
    heading(out, look, "checks", &rest);
    let mut table = Table::new(&["gate", "check", "verdict", "took", "message"]);
    for c in s.checks.iter().take(ROWS_MAX) {
        let rows = lines(&c.message);
        for (n, line) in rows.iter().take(ERROR_LINES_MAX).enumerate() {
            let cells = match n {
                0 => [
                    c.gate
                        .as_ref()
                        .map_or_else(|| look.dim("(host)"), ToString::to_string),
                    Esc(&c.name).to_string(),
                    words::verdict(look, c.verdict),
                    c.duration_ms.map_or_else(String::new, span),
                    line.clone(),
                ],
                _ => [
                    String::new(),
                    String::new(),
                    String::new(),
                    String::new(),
                    format!("| {line}"),
                ],
            };
            table.row(cells);
        }
    }
    for gate in s.gates.iter().filter(|g| g.verdict.is_none()) {
        let empty = String::new;
        table.row([
            gate.id.to_string(),
            empty(),
            words::gate_state(look, gate.state),
            empty(),
            empty(),
        ]);
    }
    out.push_str(&table.render(look, 2));
    left_out(out, look, s.checks.len().saturating_sub(ROWS_MAX), "check");
}

fn errors(out: &mut String, s: &ExecutionSummary, look: &Look) {
    // A `for_each` task fails because of an instance, which is listed itself.
    let own = || s.errors.iter().filter(|e| e.root == e.task);
    if own().next().is_none() {
        return;
    }
    heading(out, look, "errors", "");
    for e in own().take(ROWS_MAX) {
        out.push_str(&format!(
            "  {} {}
",
            look.bold(&e.task),
            words::failed(look, e.class)
        ));
        message(out, &e.message, "    ");
    }
    left_out(out, look, own().count().saturating_sub(ROWS_MAX), "error");
}

/// Foreign text of several lines, each marked as such.
pub(crate) fn message(out: &mut String, text: &str, indent: &str) {
    let all = lines(text);
    for line in all.iter().take(ERROR_LINES_MAX) {
        out.push_str(&format!("{indent}| {line}\n"));
    }
    if all.len() > ERROR_LINES_MAX {
        let more = count(all.len() - ERROR_LINES_MAX, "line");
        out.push_str(&format!(
            "{indent}… and {more} more; `--format json` has them all\n"
        ));
    }
}

fn waits(out: &mut String, s: &ExecutionSummary, look: &Look) {
    if s.waits.is_empty() {
        return;
    }
    heading(out, look, "waits for", "");
    for wait in s.waits.iter().take(ROWS_MAX) {
        out.push_str(&format!("  {}\n", words::wait(wait, s.run, look)));
    }
    left_out(out, look, s.waits.len().saturating_sub(ROWS_MAX), "wait");
}

/// What the person can do now.
fn next(out: &mut String, s: &ExecutionSummary, look: &Look) {
    let run = s.run.short();
    let mut table = Table::default();
    let mut row =
        |command: String, why: &str| table.row([format!("sandgate {command}"), look.dim(why)]);
    let again = s.tasks.iter().any(|t| {
        matches!(
            t.state,
            TaskState::Failed | TaskState::Lost | TaskState::Cancelled
        )
    });
    match s.outcome {
        Some(Outcome::Verified) => return,
        Some(_) => {
            if again {
                row(format!("why {run}"), "why each task ended as it did");
                row(
                    format!("retry {run}"),
                    "try what failed again; what succeeded stays",
                );
            }
            if s.tasks.iter().any(|t| t.attempts > 0) {
                row(format!("logs {run}"), "what the plugins logged");
            }
            row(
                format!("events {run}"),
                "everything that happened, in order",
            );
        }
        None => {
            for wait in s.waits.iter().filter(|w| !w.by_itself()).take(NEXT_MAX) {
                match wait {
                    Wait::Dispatch => row(format!("dispatch {run}"), "start the tasks"),
                    Wait::Verify => row(format!("verify {run}"), "run the gates"),
                    Wait::Resume => row(format!("resume {run}"), "end the pause"),
                    Wait::Decision { task } => {
                        row(
                            format!("retry {run} {task}"),
                            "run it again, if that does no harm",
                        );
                    }
                    Wait::ResumeTask { task } => {
                        row(format!("resume {run} {task}"), "end the pause of the task");
                    }
                    Wait::PlanApproval { ask: Some(ask) } => {
                        row(format!("approve {run}/{ask}"), "let the plan be dispatched");
                        row(format!("modify {run}"), "edit the plan");
                    }
                    Wait::Approval { ask: Some(ask), .. } | Wait::Call { ask, .. } => {
                        row(
                            format!("approve {run}/{ask}"),
                            "or `reject`: shows it whole first",
                        );
                    }
                    Wait::Question { ask, .. } => {
                        row(format!("answer {run}/{ask} TEXT"), "what the plugin asks");
                    }
                    Wait::Budget { ask: Some(ask), .. }
                    | Wait::GateBudget { ask: Some(ask), .. } => {
                        row(format!("approve {run}/{ask}"), "let it cost more");
                    }
                    Wait::PlanApproval { ask: None }
                    | Wait::Approval { ask: None, .. }
                    | Wait::Budget { ask: None, .. }
                    | Wait::GateBudget { ask: None, .. }
                    | Wait::Signal { .. }
                    | Wait::Retry { .. } => {}
                }
            }
            if !s.asks.is_empty() {
                row(
                    format!("approvals {run}"),
                    "what waits for people, and who may decide",
                );
            }
            if s.state != RunState::PlanReview {
                row(format!("why {run}"), "what waits, and for whom");
            }
            row(format!("cancel {run}"), "end it for good");
        }
    }
    heading(out, look, "next", "");
    out.push_str(&table.render(look, 2));
}
