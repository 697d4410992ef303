//! The fixed words of states, verdicts and reasons, painted, and sentences made of them.

use crate::ui::{Esc, Look, count, span};
use sandgate_engine::{
    Blocked, GateState, Outcome, Reason, RunState, TaskState, TaskSummary, Wait,
};
use sandgate_model::{About, AskNo, FailureClass, GateId, Moment, RunId, TaskId, Verdict};

/// A task's state.
pub(crate) fn task_state(look: &Look, state: TaskState) -> String {
    let word = state.as_str();
    match state {
        TaskState::Succeeded => look.good(word),
        TaskState::Failed | TaskState::Lost => look.bad(word),
        TaskState::Running => look.busy(word),
        TaskState::Cancelled | TaskState::Skipped => look.warn(word),
        TaskState::Pending | TaskState::Ready => look.dim(word),
    }
}

/// A gate's state.
pub(crate) fn gate_state(look: &Look, state: GateState) -> String {
    let word = state.as_str();
    match state {
        GateState::Passed => look.good(word),
        GateState::Blocked => look.bad(word),
        GateState::Running => look.busy(word),
        GateState::Cancelled => look.warn(word),
        GateState::Pending | GateState::Ready | GateState::NotRun => look.dim(word),
    }
}

/// What came of a run, or else where it is.
pub(crate) fn run_state(
    look: &Look,
    state: RunState,
    outcome: Option<Outcome>,
    paused: bool,
) -> String {
    match outcome {
        Some(outcome @ Outcome::Verified) => look.good(outcome.as_str()),
        Some(outcome @ (Outcome::Partial | Outcome::Cancelled)) => look.warn(outcome.as_str()),
        Some(outcome @ Outcome::Failed) => look.bad(outcome.as_str()),
        None if paused => look.warn(format!("{}, paused", state.as_str())),
        None => look.busy(state.as_str()),
    }
}

/// A verdict.
pub(crate) fn verdict(look: &Look, verdict: Verdict) -> String {
    match verdict {
        Verdict::Pass => look.good("pass"),
        Verdict::Fail => look.bad("fail"),
        Verdict::Inconclusive => look.bad("inconclusive"),
        Verdict::NeedsHuman => look.warn("needs-human"),
    }
}

/// A failure with its kind.
pub(crate) fn failed(look: &Look, class: FailureClass) -> String {
    look.bad(format!("failed ({})", class.as_str()))
}

/// Why `task` is where it is in a few words, without the reason's code.
fn reason(reason: &Reason, task: &TaskId, look: &Look) -> String {
    match reason {
        Reason::Dependency {
            waiting_for,
            count: all,
        } => {
            format!("needs {}", names(waiting_for, *all as usize))
        }
        Reason::DependencyFailed { because } => format!("because of {because}"),
        Reason::ArtifactMissing { artifact } => format!("{} was not made", Esc(artifact)),
        Reason::Approval => "awaiting approval".to_owned(),
        Reason::Signal { signal } => format!("a signal of type {} has to come", Esc(signal)),
        Reason::Response => "awaiting response".to_owned(),
        Reason::SessionBusy { session } => format!("session {session} is busy"),
        Reason::DispatchLimit { limit } => format!("at most {limit} at once"),
        Reason::RetryBackoff { until } => format!("next attempt at {}", look.zone.clock(*until)),
        Reason::Budget => "the budget does not cover it".to_owned(),
        Reason::RunPaused => "the run is paused".to_owned(),
        Reason::RunCancelled => "the run was cancelled or stopped".to_owned(),
        Reason::PlanReview => "the plan waits for review or dispatch".to_owned(),
        Reason::ConditionFalse { because } if because == task => "its `when` is false".to_owned(),
        Reason::ConditionFalse { because } => format!("`when` of {because} is false"),
    }
}

/// Task ids in a sentence, with how many there are in all.
pub(crate) fn names(tasks: &[TaskId], all: usize) -> String {
    let mut text = tasks
        .iter()
        .map(TaskId::as_str)
        .collect::<Vec<_>>()
        .join(", ");
    if all > tasks.len() {
        text.push_str(&format!(" and {} more", all - tasks.len()));
    }
    text
}

/// Who can change it, in words.
pub(crate) fn who(blocked: &Blocked) -> String {
    match blocked.who.as_str() {
        "nobody" => "nobody has to do anything".to_owned(),
        who => format!("who can: {}", Esc(who)),
    }
}

/// "12:01:03 (2m 05s ago)".
pub(crate) fn since(at: Moment, now: Moment, look: &Look) -> String {
    format!("{} ({} ago)", look.zone.clock(at), span(now.since(at)))
}

/// What a run waits for, and the command that ends the wait where there is one.
pub(crate) fn wait(wait: &Wait, run: RunId, look: &Look) -> String {
    let run = run.short();
    let approve = |ask: &Option<AskNo>| match ask {
        Some(ask) => format!("`sandgate approve {run}/{ask}`"),
        None => "it is asked when others are decided".to_owned(),
    };
    match wait {
        Wait::PlanApproval { ask } => format!("an approval of the plan: {}", approve(ask)),
        Wait::Dispatch => format!("dispatch: `sandgate dispatch {run}`"),
        Wait::Verify => format!("verification: `sandgate verify {run}`"),
        Wait::Resume => format!("the end of its pause: `sandgate resume {run}`"),
        Wait::ResumeTask { task } => {
            format!("the end of the pause of {task}: `sandgate resume {run} {task}`")
        }
        Wait::Approval { task, ask } => format!("an approval of {task}: {}", approve(ask)),
        Wait::Call { task, gate, ask } => format!(
            "an approval of what {} wants to do: `sandgate approve {run}/{ask}`",
            whose(task.as_ref(), gate.as_ref())
        ),
        Wait::Question { task, gate, ask } => format!(
            "a response to {}: `sandgate answer {run}/{ask} TEXT`",
            whose(task.as_ref(), gate.as_ref())
        ),
        Wait::Decision { task } => format!(
            "a decision about {task}, whose end is unknown: `sandgate retry {run} {task}` or `sandgate cancel {run}`"
        ),
        Wait::Signal {
            task,
            signal,
            until,
        } => {
            let end = until.map_or(String::new(), |at| {
                format!(", until {}", look.zone.clock(at))
            });
            format!(
                "a signal of type {} for {task}{end}: `sandgate why {run} {task}` has the command",
                Esc(signal)
            )
        }
        Wait::Budget { task, ask } => {
            format!("more budget for {task}: {}", approve(ask))
        }
        Wait::GateBudget { gate, ask } => {
            format!("more budget for gate {gate}: {}", approve(ask))
        }
        Wait::Retry { task, until } => {
            format!("the next attempt at {task}, at {}", look.zone.clock(*until))
        }
    }
}

/// What a wait is called: for a response, for a decision, or for something else.
pub(crate) fn waits(wait: &Wait) -> &'static str {
    match wait {
        Wait::Question { .. } => "awaiting response",
        Wait::PlanApproval { .. }
        | Wait::Approval { .. }
        | Wait::Call { .. }
        | Wait::Budget { .. }
        | Wait::GateBudget { .. } => "awaiting approval",
        Wait::Dispatch
        | Wait::Verify
        | Wait::Resume
        | Wait::ResumeTask { .. }
        | Wait::Decision { .. }
        | Wait::Signal { .. }
        | Wait::Retry { .. } => "waits for",
    }
}

/// Who asks: a task, a gate, or else the planner.
fn whose(task: Option<&TaskId>, gate: Option<&GateId>) -> String {
    match (task, gate) {
        (Some(task), _) => task.to_string(),
        (None, Some(gate)) => format!("gate {gate}"),
        (None, None) => "the planner".to_owned(),
    }
}

/// Why a task is where it is, in a few words.
pub(crate) fn task_reason(task: &TaskSummary, blocked: &Blocked, look: &Look) -> String {
    match blocked.reason {
        Reason::Response if task.state == TaskState::Lost => "a person has to decide".to_owned(),
        ref of => reason(of, &task.id, look),
    }
}

/// What a request waits for: a decision, or a response.
pub(crate) fn awaiting(about: &About) -> &'static str {
    match about {
        About::Question { .. } => "awaiting response",
        _ => "awaiting approval",
    }
}

/// The command that decides about a request.
pub(crate) fn decide(run: RunId, ask: AskNo, about: &About) -> String {
    let run = run.short();
    match about {
        // No answer is suggested: the choices are a plugin's.
        About::Question { .. } => format!("sandgate answer {run}/{ask} TEXT"),
        _ => format!("sandgate approve {run}/{ask}"),
    }
}

/// The command that sends a signal of this type with these fields.
pub(crate) fn signal<'a>(
    kind: &str,
    matches: impl IntoIterator<Item = (&'a String, &'a String)>,
) -> String {
    let mut text = format!("sandgate signal {}", quoted(kind));
    for (name, value) in matches {
        text.push_str(&format!(" --match {}", quoted(&format!("{name}={value}"))));
    }
    text
}

/// A word of a command line, quoted where a shell would not take it as it is.
pub(crate) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    let inside = word.replace('\'', "'\\''");
    format!("'{}'", Esc(&inside))
}

/// "3 succeeded, 1 failed" out of counts per state.
pub(crate) fn counts<'a>(counts: impl IntoIterator<Item = (&'a TaskState, &'a u32)>) -> String {
    counts
        .into_iter()
        .filter(|(_, n)| **n > 0)
        .map(|(state, n)| format!("{n} {}", state.as_str()))
        .collect::<Vec<_>>()
        .join(", ")
}

/// "attempt 2", or nothing for the first.
pub(crate) fn attempt(n: u32) -> String {
    if n > 1 {
        format!(" (attempt {n})")
    } else {
        String::new()
    }
}

/// "1 task" or "2 tasks: 1 succeeded, 1 failed".
pub(crate) fn tasks<'a>(
    all: usize,
    by: impl IntoIterator<Item = (&'a TaskState, &'a u32)>,
) -> String {
    let by = counts(by);
    if by.is_empty() {
        count(all, "task")
    } else {
        format!("{}: {by}", count(all, "task"))
    }
}
