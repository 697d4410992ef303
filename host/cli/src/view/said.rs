//! What people and the outside did to a run, as lines of an event list: requests, decisions, questions, signals, pauses.

use super::{
    ask,
    event::{self, Line, main, side},
    words,
};
use crate::ui::{Esc, Look, lines, short, span};
use sandgate_engine::{AskState, Event, Judged, Run};
use sandgate_model::{About, Actor, Ask, AskNo, Caller, Channel, Decision, Digest, TaskIx};
use std::collections::BTreeMap;

/// Longest foreign text in a line.
const TEXT_MAX: usize = 120;

/// Lines of a question that are shown; `approvals` has all.
const QUESTION_MAX: usize = 20;

/// The line of such an event.
pub(super) fn line(event: &Event, run: &Run, look: &Look) -> Line {
    match event {
        Event::Asked { ask } => asked(ask, run, look),
        Event::Suspended { by, ask, took, .. } => suspended(*by, ask, run, look).with(&format!(
            " {}",
            look.dim(format!("(after {})", span(*took)))
        )),
        Event::Decided {
            ask,
            decision,
            by,
            reason,
            ..
        } => decided(*ask, *decision, by, reason, run, look),
        Event::Revoked { ask, by, reason } => main(format!(
            "{} {} the approval for the run{}",
            request(*ask, run, look),
            look.warn(format!("{} took back", actor(by))),
            because(reason)
        )),
        Event::Answered { ask, answer, by } => main(format!(
            "{} {} by {}: {}",
            request(*ask, run, look),
            look.good("answered"),
            actor(by),
            short(answer, TEXT_MAX)
        )),
        Event::PlanModified {
            was,
            digest,
            plan,
            by,
            reason,
        } => {
            let mut found = main(format!(
                "{} edited the plan: revision {} {}{}",
                actor(by),
                plan.revision,
                look.dim(change(was, digest)),
                because(reason)
            ));
            found.below.extend(review(run, look));
            found
        }
        Event::AttemptResumed { task, attempt } => side(format!(
            "{} goes on where it stopped{}",
            event::name(*task, run, look),
            words::attempt(attempt.0)
        )),
        Event::GateResumed { gate, attempt } => side(format!(
            "gate {} goes on where it stopped{}",
            event::gate_name(*gate, run, look),
            words::attempt(attempt.0)
        )),
        Event::WaitStarted { task, matches } => main(format!(
            "{} waits for a signal{}",
            event::name(*task, run, look),
            fields(matches)
        )),
        Event::SignalDelivered { task, signal } => main(format!(
            "{} {}: signal {} of type {} from {}",
            event::name(*task, run, look),
            look.good("succeeded"),
            short(&signal.id, TEXT_MAX),
            signal.kind,
            actor(&signal.by)
        )),
        Event::TaskPaused { task, by } => steered(*task, "paused", by, "", run, look),
        Event::TaskResumed { task, by } => steered(*task, "resumed", by, "", run, look),
        Event::TaskCancelRequested { task, by, reason } => {
            steered(*task, "is to be cancelled", by, reason, run, look)
        }
        // Another one; `event` has a line for it.
        _ => side(event.kind().to_owned()),
    }
}

impl Line {
    fn with(mut self, text: &str) -> Self {
        self.text.push_str(text);
        self
    }
}

/// Something is put to people.
fn asked(ask: &Ask, run: &Run, look: &Look) -> Line {
    main(format!(
        "{}{} for {}: {}",
        look.warn(words::awaiting(&ask.about)),
        named(ask, run),
        ask::about(run, &ask.about),
        short(&ask.what, TEXT_MAX)
    ))
}

/// ` deadbeef/3`: the last request that says exactly this.
fn named(ask: &Ask, run: &Run) -> String {
    let same = run.asks().filter(|a| a.ask == ask).last();
    same.map_or_else(String::new, |a| format!(" {}", ask::id(run, &a)))
}

/// A plan that waits for review; nothing for one that does not.
pub(super) fn review(run: &Run, look: &Look) -> Option<String> {
    let ask = run
        .open_asks()
        .find(|a| matches!(a.ask.about, About::Plan { .. }))?;
    Some(format!(
        "{} {}: `sandgate approve {}`",
        look.warn(words::awaiting(&ask.ask.about)),
        ask::id(run, &ask),
        ask::id(run, &ask)
    ))
}

fn suspended(by: Caller, ask: &Ask, run: &Run, look: &Look) -> Line {
    let who = match by {
        Caller::Planner => "the planner".to_owned(),
        Caller::Task { task, .. } => event::name(task, run, look),
        Caller::Gate { gate, .. } => format!("gate {}", event::gate_name(gate, run, look)),
    };
    let awaiting = look.warn(words::awaiting(&ask.about));
    let head = format!("{who} {awaiting}{}", named(ask, run));
    let About::Question { question, .. } = &ask.about else {
        return main(format!("{head}: {}", short(&ask.what, TEXT_MAX)));
    };
    let mut found = main(head);
    found.below = lines(&question.text)
        .into_iter()
        .take(QUESTION_MAX)
        .map(|l| format!("| {l}"))
        .collect();
    found
}

fn decided(
    ask: AskNo,
    decision: Decision,
    by: &Actor,
    reason: &str,
    run: &Run,
    look: &Look,
) -> Line {
    let said = match decision {
        Decision::Approve { for_run: false } => look.good("approved"),
        Decision::Approve { for_run: true } => look.good("approved for the run"),
        Decision::Reject { replan: false } => look.bad("rejected"),
        Decision::Reject { replan: true } => look.bad("rejected, another plan is to be made"),
    };
    main(format!(
        "{} {said} by {}{}",
        request(ask, run, look),
        actor(by),
        because(reason)
    ))
}

fn steered(task: TaskIx, what: &str, by: &Actor, reason: &str, run: &Run, look: &Look) -> Line {
    main(format!(
        "{} {} by {}{}",
        event::name(task, run, look),
        look.warn(what),
        actor(by),
        because(reason)
    ))
}

/// `request 3 (command git tag v1)`.
fn request(ask: AskNo, run: &Run, look: &Look) -> String {
    let what = run.ask(ask).map_or_else(String::new, |a| {
        format!(" ({})", short(&a.ask.what, TEXT_MAX))
    });
    format!("{}{}", look.bold(format!("request {ask}")), look.dim(what))
}

/// Who, and by which way unless it is the usual one.
pub(crate) fn actor(by: &Actor) -> String {
    let way = match by.channel {
        Channel::Cli | Channel::Socket => "",
        Channel::Prompt => " at the prompt",
        Channel::Api => " by the API",
        Channel::Host => return "the host, by a rule".to_owned(),
    };
    format!("{}{way}", Esc(&by.name))
}

/// What a decision came to.
pub(crate) fn judged(judged: &Judged, look: &Look) -> String {
    match judged {
        Judged::New { ends: Some(state) } => match state {
            AskState::Approved | AskState::Answered => look.good(state.as_str()),
            _ => look.bad(state.as_str()),
        },
        Judged::New { ends: None } => {
            format!("{}; others have to approve as well", look.good("recorded"))
        }
        Judged::Repeat { winner } => format!(
            "{} said so before, at {}; nothing changed",
            actor(&winner.by),
            look.zone.day(winner.at)
        ),
    }
}

/// `: why`, or nothing.
pub(crate) fn because(reason: &str) -> String {
    match reason {
        "" => String::new(),
        reason => format!(": {}", short(reason, TEXT_MAX)),
    }
}

/// ` with repo = acme/site, sha = 1234`.
pub(crate) fn fields(matches: &BTreeMap<String, String>) -> String {
    let each: Vec<String> = matches
        .iter()
        .map(|(name, value)| format!("{} = {}", Esc(name), short(value, TEXT_MAX)))
        .collect();
    match each.is_empty() {
        true => String::new(),
        false => format!(" with {}", each.join(", ")),
    }
}

fn change(was: &Digest, is: &Digest) -> String {
    format!("sha256:{} instead of sha256:{}", is.short(), was.short())
}
