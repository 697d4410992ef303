//! Why tasks are not where one wants them: the reason's code, since when, what would unblock it and who can.

use super::{ask, summary::message, words};
use crate::ui::{Look, count};
use sandgate_engine::{
    AskSummary, ExecutionSummary, OpenWait, Reason, RunState, TaskState, TaskSummary, Wait,
};
use sandgate_model::{Moment, TaskId, Verdict};
use serde::Serialize;
use std::collections::BTreeMap;

/// Longest line about a request; `approve` shows the whole of it.
const WHAT_MAX: usize = 100;

/// Tasks explained at most when none was named; the groups before them count all.
const EXPLAINED_MAX: usize = 40;

/// The document of `why`.
#[derive(Serialize)]
pub(crate) struct Why<'a> {
    run: sandgate_model::RunId,
    state: RunState,
    waits: &'a [Wait],
    tasks: Vec<&'a TaskSummary>,
    checks: Vec<&'a sandgate_engine::CheckSummary>,
    /// Requests that wait for people.
    asks: Vec<&'a AskSummary>,
    /// What the waiting tasks match signals by.
    signals: Vec<OpenWait>,
    /// What would unblock a task, as it is typed.
    commands: BTreeMap<TaskId, Vec<String>>,
}

/// The tasks to explain: the named ones, or all that do not run and did not succeed.
pub(crate) fn collect<'a>(
    s: &'a ExecutionSummary,
    signals: Vec<OpenWait>,
    named: Option<&TaskId>,
) -> Why<'a> {
    let wanted = |t: &&TaskSummary| match named {
        Some(id) => t.id == *id || t.parent.as_ref() == Some(id),
        None => !matches!(t.state, TaskState::Running | TaskState::Succeeded),
    };
    let mut commands = BTreeMap::<TaskId, Vec<String>>::new();
    let mut command = |task: &TaskId, text: String| {
        commands.entry(task.clone()).or_default().push(text);
    };
    for ask in &s.asks {
        if let Some(task) = &ask.task {
            command(task, words::decide(s.run, ask.no, &ask.ask.about));
        }
    }
    for wait in &signals {
        command(&wait.id, words::signal(wait.kind.as_str(), &wait.matches));
    }
    let run = s.run.short();
    for wait in &s.waits {
        let all = match wait {
            Wait::PlanApproval { ask: Some(ask) } => format!("sandgate approve {run}/{ask}"),
            Wait::Dispatch => format!("sandgate dispatch {run}"),
            Wait::ResumeTask { task } => {
                command(task, format!("sandgate resume {run} {task}"));
                continue;
            }
            _ => continue,
        };
        // What the whole plan waits for.
        let waiting =
            |t: &&TaskSummary| matches!(&t.blocked, Some(b) if b.reason == Reason::PlanReview);
        for task in s.tasks.iter().filter(waiting) {
            command(&task.id, all.clone());
        }
    }
    let mine = |task: Option<&TaskId>| named.is_none() || task == named;
    Why {
        commands,
        asks: s.asks.iter().filter(|a| mine(a.task.as_ref())).collect(),
        signals: signals.into_iter().filter(|w| mine(Some(&w.id))).collect(),
        run: s.run,
        state: s.state,
        waits: &s.waits,
        tasks: s.tasks.iter().filter(wanted).collect(),
        checks: match named {
            Some(_) => Vec::new(),
            None => s
                .checks
                .iter()
                .filter(|c| c.verdict != Verdict::Pass)
                .collect(),
        },
    }
}

/// As text.
pub(crate) fn text(s: &ExecutionSummary, why: &Why<'_>, now: Moment, look: &Look) -> String {
    let state = words::run_state(look, s.state, s.outcome, s.paused);
    let mut out = format!(
        "{} of {}: {state}\n",
        look.bold(format!("run {}", s.run.short())),
        s.workflow
    );
    for wait in why.waits {
        out.push_str(&format!(
            "  it waits for {}\n",
            words::wait(wait, s.run, look)
        ));
    }
    for check in &why.checks {
        let gate = check
            .gate
            .as_ref()
            .map_or_else(|| "the host".to_owned(), |g| format!("gate {g}"));
        out.push_str(&format!(
            "\n{} says {} on {}\n",
            look.bold(gate),
            words::verdict(look, check.verdict),
            crate::ui::Esc(&check.name),
        ));
        message(&mut out, &check.message, "  ");
    }
    if why.tasks.is_empty() && why.checks.is_empty() {
        out.push_str(match s.state.ended() {
            true => "  every task succeeded and every check passed\n",
            false if s.plan.is_none() => "  there is no plan yet, so there are no tasks\n",
            false => "  every task runs or has succeeded\n",
        });
    }
    for task in why.tasks.iter().take(EXPLAINED_MAX) {
        out.push('\n');
        one(&mut out, s, why, task, now, look);
    }
    if why.tasks.len() > EXPLAINED_MAX {
        let more = count(why.tasks.len() - EXPLAINED_MAX, "task");
        out.push_str(&format!("\n… and {more} more:\n"));
        for group in &s.blocked {
            let named = words::names(&group.tasks, group.count as usize);
            out.push_str(&format!("  {} {}: {named}\n", group.count, group.code));
        }
    }
    out
}

fn one(
    out: &mut String,
    s: &ExecutionSummary,
    why: &Why<'_>,
    t: &TaskSummary,
    now: Moment,
    look: &Look,
) {
    let state = words::task_state(look, t.state);
    let code = t
        .blocked
        .as_ref()
        .map_or(String::new(), |b| format!(" ({})", b.reason.code()));
    let since = t.blocked.as_ref().map_or(t.since, |b| b.since);
    let since = words::since(since, now, look);
    out.push_str(&format!(
        "{}: {state}{code} since {since}\n",
        look.bold(&t.id)
    ));
    if let Some(blocked) = &t.blocked {
        out.push_str(&format!(
            "  why       {}\n",
            words::task_reason(t, blocked, look)
        ));
        out.push_str(&format!(
            "  unblocks  {}\n",
            crate::ui::Esc(&blocked.unblocks)
        ));
        out.push_str(&format!("            {}\n", words::who(blocked)));
        for ask in why.asks.iter().filter(|a| a.task.as_ref() == Some(&t.id)) {
            out.push_str(&format!(
                "  request   {}/{}: {}, asked {}\n            {}\n",
                s.run.short(),
                ask.no,
                crate::ui::short(&ask.ask.what, WHAT_MAX),
                words::since(ask.asked, now, look),
                ask::who(&ask.needs, look)
            ));
        }
        for wait in why.signals.iter().filter(|w| w.id == t.id) {
            out.push_str(&format!(
                "  signal    of type {}{}\n",
                wait.kind,
                super::said::fields(&wait.matches)
            ));
        }
        for command in why.commands.get(&t.id).into_iter().flatten() {
            out.push_str(&format!("  with      `{command}`\n"));
        }
        if let Reason::DependencyFailed { because } = &blocked.reason {
            out.push_str(&format!(
                "            see `sandgate why {} {because}`\n",
                s.run.short()
            ));
        }
    }
    if let Some(error) = &t.error {
        let attempts = count(t.attempts as usize, "attempt");
        let what = if t.state == TaskState::Failed {
            ""
        } else {
            "its last attempt "
        };
        let failed = words::failed(look, error.class);
        out.push_str(&format!("  {what}{failed}, after {attempts}\n"));
        message(out, &error.message, "  ");
    }
    if t.state == TaskState::Failed && s.state.ended() {
        let run = s.run.short();
        out.push_str(&format!(
            "  try again with `sandgate retry {run} {}`\n",
            t.id
        ));
        out.push_str(&format!(
            "  its log: `sandgate logs {run} --task {}`\n",
            t.id
        ));
    }
    if matches!(t.state, TaskState::Running | TaskState::Succeeded) {
        out.push_str("  nothing is in its way\n");
    }
}
