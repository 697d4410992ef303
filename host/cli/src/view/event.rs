//! One event in one line, for `events` and for the progress of a run in a pipe. The names of tasks and what became
//! of them come from the run as it is after the event.

use super::{effect, said, words};
use crate::ui::{Look, count, money, short, span};
use sandgate_engine::{Evaluated, Event, GateEnd, Outcome, Reason, Run, TaskState, Timer};
use sandgate_model::{Actor, AttemptEnd, GateIx, TaskIx, TaskOutput, Verdict};

/// Columns of a foreign message inside of a line; `why` and `summary` have the whole of it.
const MESSAGE_MAX: usize = 160;

/// A line without its time: whom it is about, and what happened. More lines belong below it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Line {
    /// The sentence.
    pub(crate) text: String,
    /// What belongs below it.
    pub(crate) below: Vec<String>,
    /// Whether somebody who only wants the main things would miss it.
    pub(crate) main: bool,
}

pub(super) fn main(text: String) -> Line {
    Line {
        text,
        below: Vec::new(),
        main: true,
    }
}

pub(super) fn side(text: String) -> Line {
    Line {
        text,
        below: Vec::new(),
        main: false,
    }
}

/// The line of an event.
pub(crate) fn line(event: &Event, run: &Run, look: &Look) -> Line {
    match event {
        Event::RunCreated { workflow, goal, .. } => main(format!(
            "{} of {workflow}: {}",
            look.bold(format!("run {}", run.id().short())),
            short(goal, MESSAGE_MAX)
        )),
        Event::CallStarted { by, call, request } => effect::started(*by, *call, request, run, look),
        Event::CallEnded {
            by,
            call,
            end,
            took,
            ..
        } => effect::ended(*by, *call, end, *took, run, look),
        Event::CallRefused {
            by,
            request,
            reason,
        } => effect::refused(*by, request, reason, run, look),
        Event::PlanningStarted => side("planning started".to_owned()),
        Event::PlannerFailed { planner, message } => {
            let who = planner
                .as_ref()
                .map_or("planning".to_owned(), |p| format!("planner {p}"));
            let mut line = main(format!("{who} {}", look.bad("failed")));
            line.below = crate::ui::lines(message)
                .into_iter()
                .take(20)
                .map(|l| format!("| {l}"))
                .collect();
            line
        }
        Event::PlanFrozen { digest, plan } => {
            let by = plan
                .planner
                .as_ref()
                .map_or(String::new(), |p| format!(" by {p}"));
            let gates = match plan.gates.len() {
                0 => String::new(),
                n => format!(", {}", count(n, "gate")),
            };
            let mut line = main(format!(
                "plan{by}: {}{gates} {}",
                count(plan.tasks.len(), "task"),
                look.dim(format!("sha256:{}", digest.short()))
            ));
            line.below.extend(said::review(run, look));
            line
        }
        Event::DispatchRequested => side("dispatch was asked for".to_owned()),
        Event::VerifyRequested => side("verification was asked for".to_owned()),
        Event::TaskEvaluated { task, evaluated } => evaluated_line(*task, evaluated, run, look),
        Event::AttemptStarted { task, attempt } => main(format!(
            "{} started{}",
            name(*task, run, look),
            words::attempt(attempt.0)
        )),
        Event::AttemptEnded {
            task, end, took, ..
        } => {
            let (mut text, message) = ended(*task, end, run, look);
            text.push_str(&format!(" in {}", span(*took)));
            if let Some(again) = again(*task, run, look) {
                text.push_str(&format!(", {again}"));
            }
            // Last, since it may be long.
            if let Some(message) = message {
                text.push_str(&format!(": {}", short(message, MESSAGE_MAX)));
            }
            main(text)
        }
        Event::GateStarted { gate, attempt } => side(format!(
            "gate {} started{}",
            gate_name(*gate, run, look),
            words::attempt(attempt.0)
        )),
        Event::GateEnded {
            gate, end, took, ..
        } => {
            let mut line = gate_ended(*gate, end, run, look);
            if let GateEnd::Checks { .. } = end {
                line.text.push_str(&format!(" in {}", span(*took)));
            }
            line
        }
        Event::TimerFired { timer } => match timer {
            Timer::Retry(task) => side(format!("{} may be tried again", name(*task, run, look))),
            Timer::Wait(task) => main(format!(
                "{} {}: no signal came in time",
                name(*task, run, look),
                look.bad("failed")
            )),
            Timer::Run => main(look.bad("the run took longer than it may")),
            Timer::Ask(ask) => main(format!(
                "{}: nobody decided in time",
                look.bold(format!("request {ask}"))
            )),
        },
        Event::Paused { by } => main(format!("paused{}", by_whom(by.as_ref()))),
        Event::Resumed { by } => main(format!("resumed{}", by_whom(by.as_ref()))),
        Event::CancelRequested { reason, by } => main(format!(
            "cancel was asked for{}{}",
            by_whom(by.as_ref()),
            said::because(reason)
        )),
        Event::RetryRequested { tasks, .. } => {
            let named: Vec<String> = tasks.iter().map(|t| name(*t, run, look)).collect();
            main(match named.len() {
                0 => "retry of every failed and lost task was asked for".to_owned(),
                _ => format!("retry of {} was asked for", named.join(", ")),
            })
        }
        Event::HostStarted => main("a host took the run over".to_owned()),
        Event::Asked { .. }
        | Event::Suspended { .. }
        | Event::Decided { .. }
        | Event::Revoked { .. }
        | Event::Answered { .. }
        | Event::PlanModified { .. }
        | Event::AttemptResumed { .. }
        | Event::GateResumed { .. }
        | Event::WaitStarted { .. }
        | Event::SignalDelivered { .. }
        | Event::TaskPaused { .. }
        | Event::TaskResumed { .. }
        | Event::TaskCancelRequested { .. } => said::line(event, run, look),
    }
}

/// ` by anna`, where it is known.
fn by_whom(by: Option<&Actor>) -> String {
    by.map_or_else(String::new, |by| format!(" by {}", said::actor(by)))
}

/// The line about the run's end, when the event ended it.
pub(crate) fn run_ended(run: &Run, look: &Look) -> Option<String> {
    let outcome = run.outcome()?;
    let took = run.ended().map_or(String::new(), |end| {
        format!(" in {}", span(end.since(run.created())))
    });
    let word = words::run_state(look, run.state(), Some(outcome), false);
    let id = look.bold(format!("run {}", run.id().short()));
    Some(match outcome {
        Outcome::Partial => format!("{id} {word}: some branches succeeded{took}"),
        _ => format!("{id} {word}{took}"),
    })
}

pub(super) fn name(ix: TaskIx, run: &Run, look: &Look) -> String {
    run.task(ix)
        .map_or_else(|| format!("#{}", ix.0), |t| look.bold(&t.id))
}

pub(super) fn gate_name(ix: GateIx, run: &Run, look: &Look) -> String {
    run.gates()
        .find(|g| g.ix == ix)
        .map_or_else(|| format!("#{}", ix.0), |g| look.bold(&g.plan.id))
}

fn evaluated_line(task: TaskIx, evaluated: &Evaluated, run: &Run, look: &Look) -> Line {
    let task = name(task, run, look);
    match evaluated {
        Evaluated::Skip => main(format!(
            "{task} {}: its `when` is false",
            look.warn("skipped")
        )),
        Evaluated::Once => side(format!("{task}: its `when` holds")),
        Evaluated::Each { items } => main(format!(
            "{task}: for each of {}",
            count(items.len(), "item")
        )),
        Evaluated::Failed { message } => main(format!(
            "{task} {}: {}",
            look.bad("failed"),
            short(message, MESSAGE_MAX)
        )),
    }
}

/// How an attempt ended, and what it said about it.
fn ended<'a>(
    task: TaskIx,
    end: &'a AttemptEnd,
    run: &Run,
    look: &Look,
) -> (String, Option<&'a str>) {
    let task = name(task, run, look);
    match end {
        AttemptEnd::Output(output) => (
            format!("{task} {}{}", look.good("succeeded"), produced(output)),
            None,
        ),
        AttemptEnd::Failed { class, message, .. } => (
            format!("{task} {}", words::failed(look, *class)),
            Some(message),
        ),
        AttemptEnd::Cancelled => (format!("{task} {}", look.warn("cancelled")), None),
        AttemptEnd::Interrupted => (format!("{task} {}", look.warn("interrupted")), None),
    }
}

/// What an attempt gave back besides its output.
fn produced(output: &TaskOutput) -> String {
    let mut parts: Vec<String> = output
        .artifacts
        .iter()
        .map(|a| a.name.to_string())
        .collect();
    let micros = output
        .charges
        .iter()
        .fold(0u64, |sum, c| sum.saturating_add(c.micros));
    if micros > 0 {
        parts.push(format!("cost {}", money(micros)));
    }
    if parts.is_empty() {
        String::new()
    } else {
        format!(" ({})", parts.join(", "))
    }
}

/// Whether a task whose attempt just ended goes on.
fn again(task: TaskIx, run: &Run, look: &Look) -> Option<String> {
    let view = run.task(task)?;
    if view.state == TaskState::Lost {
        return Some(look.bad("lost: what it did is unknown, a person decides"));
    }
    match run.blocked(task)?.reason {
        Reason::RetryBackoff { until } => Some(format!(
            "attempt {} of {} in {}",
            view.attempt.0 + 1,
            view.plan.retry.attempts,
            span(until.since(view.since))
        )),
        _ => None,
    }
}

fn gate_ended(gate: GateIx, end: &GateEnd, run: &Run, look: &Look) -> Line {
    let gate = gate_name(gate, run, look);
    match end {
        GateEnd::Checks { checks } => {
            let worst = checks
                .iter()
                .map(|c| c.verdict)
                .max()
                .unwrap_or(Verdict::Inconclusive);
            let mut line = main(format!(
                "gate {gate}: {}, {}",
                words::verdict(look, worst),
                count(checks.len(), "check")
            ));
            line.below = checks
                .iter()
                .map(|c| {
                    let verdict = words::verdict(look, c.verdict);
                    format!(
                        "{verdict}  {}: {}",
                        short(&c.name, 60),
                        short(&c.message, MESSAGE_MAX)
                    )
                })
                .collect();
            line
        }
        GateEnd::Inconclusive { message } => main(format!(
            "gate {gate}: {}: {}",
            words::verdict(look, Verdict::Inconclusive),
            short(message, MESSAGE_MAX)
        )),
        GateEnd::Cancelled => main(format!("gate {gate} {}", look.warn("cancelled"))),
        GateEnd::Interrupted => main(format!("gate {gate} {}", look.warn("interrupted"))),
    }
}
