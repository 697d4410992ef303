//! A request to people: what it is about, who may decide, and the whole text of what they agree to. In that text every
//! character is printable ASCII, and nothing is left out.

use super::words;
use crate::ui::{Look, canonical, line, lines, money, strict};
use sandgate_engine::{AskState, AskView, Need, Run};
use sandgate_model::{About, Amount, Caller, Decision, Moment, NeedKind, TaskIx};

/// Rows of a terminal that a person reads in one go. What is longer is shown as well, but a word does not approve it.
const ROWS_MAX: usize = 200;

/// Columns where the terminal does not say.
const COLUMNS: usize = 80;

/// How much of the digest shows that the whole text was looked at.
pub(crate) const DIGITS: usize = 8;

/// The text of a request.
pub(crate) struct Shown {
    /// All of it.
    pub(crate) text: String,
    /// A person can take it in at once, and it is text. Otherwise the digest has to be typed.
    pub(crate) plain: bool,
}

/// `RUN/N`.
pub(crate) fn id(run: &Run, ask: &AskView<'_>) -> String {
    format!("{}/{}", run.id().short(), ask.no)
}

/// What it is about, in a few words.
pub(crate) fn about(run: &Run, about: &About) -> String {
    match about {
        About::Plan { revision: 0 | 1 } => "the plan".to_owned(),
        About::Plan { revision } => format!("the plan, revision {revision}"),
        About::Task { task } => format!("task {}, before it starts", task_name(run, *task)),
        About::Result { task } => format!("the result of task {}", task_name(run, *task)),
        About::Call { by, kind } => format!("{} of {}", use_of(*kind), caller(run, *by)),
        About::Question { by, .. } => format!("a question of {}", caller(run, *by)),
        About::TaskBudget { task, lacks } => format!(
            "more budget for task {}: {}",
            task_name(run, *task),
            amount(*lacks)
        ),
        About::GateBudget { gate, lacks } => {
            let gate = run
                .gates()
                .find(|g| g.ix == *gate)
                .map_or_else(String::new, |g| g.plan.id.to_string());
            format!("more budget for gate {gate}: {}", amount(*lacks))
        }
    }
}

fn use_of(kind: NeedKind) -> &'static str {
    match kind {
        NeedKind::Exec => "a command",
        NeedKind::Http => "a request",
        NeedKind::Model => "a use of a model",
        NeedKind::Budget => "a charge",
        NeedKind::FilesRead | NeedKind::FilesWrite => "a use of files",
        NeedKind::Secrets => "a use of secrets",
        NeedKind::Question => "a question",
    }
}

pub(super) fn amount(amount: Amount) -> String {
    match (amount.micros, amount.tokens) {
        (micros, 0) => money(micros),
        (0, tokens) => format!("{tokens} tokens"),
        (micros, tokens) => format!("{} and {tokens} tokens", money(micros)),
    }
}

fn task_name(run: &Run, task: TaskIx) -> String {
    run.task(task)
        .map_or_else(|| format!("#{}", task.0), |t| t.id.to_string())
}

fn caller(run: &Run, by: Caller) -> String {
    match by {
        Caller::Planner => "the planner".to_owned(),
        Caller::Task { task, attempt } => {
            format!("task {}{}", task_name(run, task), words::attempt(attempt.0))
        }
        Caller::Gate { gate, .. } => run
            .gates()
            .find(|g| g.ix == gate)
            .map_or_else(|| "a gate".to_owned(), |g| format!("gate {}", g.plan.id)),
    }
}

/// Who may decide, how many of them have, and until when.
pub(crate) fn who(needs: &[Need], look: &Look) -> String {
    let each: Vec<String> = needs.iter().map(|need| one(need, look)).collect();
    each.join("; and ")
}

fn one(need: &Need, look: &Look) -> String {
    let roles: Vec<String> = need.roles.iter().map(|r| line(r)).collect();
    let mut text = match roles.as_slice() {
        [] => "anybody who may decide".to_owned(),
        [role] => format!("role {role}"),
        _ => format!("role {}", roles.join(" or ")),
    };
    if need.escalated {
        text.push_str(" (escalated)");
    }
    if need.count > 1 {
        text.push_str(&format!(", {} of {} have", need.have, need.count));
    } else if need.have > 0 {
        text.push_str(", done");
    }
    if !need.self_approval {
        text.push_str(", not whoever started the run");
    }
    if let Some(until) = need.until {
        text.push_str(&format!(", until {}", look.zone.clock(until)));
    }
    if !need.rule.is_empty() {
        text.push_str(&format!(" (rule {})", line(&need.rule)));
    }
    text
}

/// Where it is, with who decided.
pub(crate) fn state(ask: &AskView<'_>, look: &Look) -> String {
    let word = ask.state.as_str();
    let word = match ask.state {
        AskState::Open => look.warn(word),
        AskState::Approved | AskState::Answered => look.good(word),
        AskState::Rejected | AskState::Expired => look.bad(word),
        AskState::Withdrawn => look.dim(word),
    };
    match ask.decided {
        Some(vote) => {
            let run = match (vote.decision, ask.standing) {
                (Decision::Approve { for_run: true }, true) => " for the run",
                (Decision::Approve { for_run: true }, false) => " for the run, taken back since,",
                _ => "",
            };
            format!("{word}{run} by {}", line(&vote.by.name))
        }
        None if ask.why.is_empty() => word,
        None => format!("{word}: {}", line(ask.why)),
    }
}

/// The whole text: a head of the host's own, then exactly what will happen, each line behind a bar.
pub(crate) fn text(
    run: &Run,
    ask: &AskView<'_>,
    what: &What<'_>,
    now: Moment,
    look: &Look,
) -> Shown {
    let head = format!(
        "request {}: {}",
        id(run, ask),
        strict(&about(run, &ask.ask.about))
    );
    let mut out = vec![look.bold(head)];
    let mut row = |name: &str, text: String| out.push(format!("  {:<9} {text}", name));
    row("run", format!("{} of {}", run.id(), run.workflow()));
    row("what", strict(&ask.ask.what));
    row("asked", words::since(ask.asked, now, look));
    row("who", strict(&who(&ask.needs, look)));
    let said: Vec<String> = ask.votes.iter().map(|v| strict(&v.by.name)).collect();
    if !said.is_empty() {
        row("approved", format!("by {}", said.join(", ")));
    }
    row("digest", ask.ask.digest.to_string());
    let (body, text, title) = match what {
        What::Bytes(bytes) => {
            let shown = canonical(bytes);
            (shown.lines, shown.text, "exactly what will happen")
        }
        What::Lines(lines) => (lines.clone(), true, "the whole plan"),
    };
    out.push(format!("  {title}:"));
    out.extend(body.into_iter().map(|l| format!("  | {l}")));
    let columns = look.wrap_at().unwrap_or(COLUMNS);
    let rows: usize = out.iter().map(|l| l.len().div_ceil(columns).max(1)).sum();
    let mut whole = out.join("\n");
    whole.push('\n');
    Shown {
        text: whole,
        plain: text && rows <= ROWS_MAX,
    }
}

/// What people agree to.
pub(crate) enum What<'a> {
    /// The canonical bytes themselves.
    Bytes(&'a [u8]),
    /// A plan, laid out.
    Lines(Vec<String>),
}

/// A question of a plugin, with its choices.
pub(crate) fn question(run: &Run, ask: &AskView<'_>, look: &Look) -> String {
    let About::Question { question, .. } = &ask.ask.about else {
        return String::new();
    };
    let head = format!("question {}: {}", id(run, ask), about(run, &ask.ask.about));
    let mut out = format!("{}\n", look.bold(head));
    for text in lines(&question.text) {
        out.push_str(&format!("  | {text}\n"));
    }
    for choice in &question.choices {
        out.push_str(&format!("  - {}\n", line(choice)));
    }
    if let Some(default) = &question.default {
        out.push_str(&format!("  without an answer in time: {}\n", line(default)));
    }
    out
}
