//! What waits for people and for signals, over all runs: the list of `approvals`.

use super::{ask, words};
use crate::ui::{Look, Table, lines, short, span};
use sandgate_engine::{AskState, AskView, Need, OpenWait, Run, Standing, Vote, Wait};
use sandgate_model::{About, AskNo, Digest, Moment, NeedKind, Question, RunId, SignalType, TaskId};
use serde::Serialize;
use std::collections::BTreeMap;

/// Longest line about a request; `approve` shows the whole of it.
const WHAT_MAX: usize = 100;

/// A request.
#[derive(Serialize)]
pub(crate) struct Row<'a> {
    /// `RUN/N`.
    id: String,
    run: RunId,
    workflow: String,
    ask: AskNo,
    about: &'static str,
    /// The task it concerns, if one.
    task: Option<TaskId>,
    /// Of a use of a capability: which kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<NeedKind>,
    /// Of a plan.
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    question: Option<&'a Question>,
    what: &'a str,
    digest: Digest,
    state: AskState,
    asked: Moment,
    ended: Option<Moment>,
    /// Who has to agree, and how far that is.
    needs: Vec<Need>,
    votes: &'a [Vote],
    #[serde(skip_serializing_if = "str::is_empty")]
    why: &'a str,
    standing: bool,
    consumed: bool,
    /// What decides it.
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<String>,
    #[serde(skip)]
    in_words: String,
    #[serde(skip)]
    state_in_words: String,
}

/// A task that waits for a signal.
#[derive(Serialize)]
pub(crate) struct WaitRow {
    run: RunId,
    workflow: String,
    task: TaskId,
    signal: SignalType,
    #[serde(rename = "match")]
    matches: BTreeMap<String, String>,
    since: Moment,
    until: Option<Moment>,
    /// What ends it.
    command: String,
}

/// The document of `approvals`.
#[derive(Serialize, Default)]
pub(crate) struct List<'a> {
    plans: Vec<Row<'a>>,
    approvals: Vec<Row<'a>>,
    questions: Vec<Row<'a>>,
    signals: Vec<WaitRow>,
}

/// Collects what waits in these runs; with `all` also what does not wait any more.
pub(crate) fn collect<'a>(runs: &'a [Run], all: bool, look: &Look) -> List<'a> {
    let mut list = List::default();
    for run in runs {
        for ask in run.asks().filter(|a| all || a.state == AskState::Open) {
            let rows = match &ask.ask.about {
                About::Plan { .. } => &mut list.plans,
                About::Question { .. } => &mut list.questions,
                _ => &mut list.approvals,
            };
            rows.push(row(run, ask, look));
        }
        list.signals.extend(waits(run));
    }
    list
}

fn row<'a>(run: &Run, ask: AskView<'a>, look: &Look) -> Row<'a> {
    let (mut kind, mut revision, mut question) = (None, None, None);
    match &ask.ask.about {
        About::Plan { revision: of } => revision = Some(*of),
        About::Call { kind: of, .. } => kind = Some(*of),
        About::Question { question: of, .. } => question = Some(of),
        About::Task { .. }
        | About::Result { .. }
        | About::TaskBudget { .. }
        | About::GateBudget { .. } => {}
    }
    let open = ask.state == AskState::Open;
    Row {
        id: ask::id(run, &ask),
        run: run.id(),
        workflow: run.workflow().to_string(),
        ask: ask.no,
        about: ask.ask.about.word(),
        task: ask.task.and_then(|ix| Some(run.task(ix)?.id)),
        kind,
        revision,
        question,
        what: &ask.ask.what,
        digest: ask.ask.digest,
        state: ask.state,
        asked: ask.asked,
        ended: ask.ended,
        votes: ask.votes,
        why: ask.why,
        standing: ask.standing,
        consumed: ask.consumed,
        command: open.then(|| words::decide(run.id(), ask.no, &ask.ask.about)),
        in_words: ask::about(run, &ask.ask.about),
        state_in_words: ask::state(&ask, look),
        needs: ask.needs,
    }
}

fn waits(run: &Run) -> impl Iterator<Item = WaitRow> {
    let until: BTreeMap<TaskId, Moment> = run
        .waits()
        .into_iter()
        .filter_map(|wait| match wait {
            Wait::Signal { task, until, .. } => Some((task, until?)),
            _ => None,
        })
        .collect();
    let workflow = run.workflow().to_string();
    run.open_waits()
        .into_iter()
        .map(move |wait: OpenWait| WaitRow {
            command: words::signal(wait.kind.as_str(), &wait.matches),
            run: wait.run,
            workflow: workflow.clone(),
            until: until.get(&wait.id).copied(),
            task: wait.id,
            signal: wait.kind,
            matches: wait.matches,
            since: wait.since,
        })
}

/// As text; empty when nothing waits.
pub(crate) fn text(list: &List<'_>, now: Moment, look: &Look) -> String {
    let mut out = String::new();
    section(&mut out, "plans to review", &list.plans, now, look);
    section(&mut out, "approvals", &list.approvals, now, look);
    section(
        &mut out,
        "questions (awaiting response)",
        &list.questions,
        now,
        look,
    );
    let waits = waiting_text(&list.signals, now, look);
    if !waits.is_empty() && !out.is_empty() {
        out.push('\n');
    }
    out.push_str(&waits);
    out
}

/// What waits for a signal in these runs.
pub(crate) fn waiting(runs: &[Run]) -> Vec<WaitRow> {
    runs.iter().flat_map(waits).collect()
}

/// As text; empty when nothing does.
pub(crate) fn waiting_text(rows: &[WaitRow], now: Moment, look: &Look) -> String {
    let mut out = String::new();
    if !rows.is_empty() {
        heading(&mut out, look, "signals awaited");
    }
    for wait in rows {
        let until = wait.until.map_or(String::new(), |at| {
            format!(", until {}", look.zone.clock(at))
        });
        out.push_str(&format!(
            "  {} of {} ({}): a signal of type {}{}\n",
            look.bold(&wait.task),
            wait.run.short(),
            wait.workflow,
            wait.signal,
            super::said::fields(&wait.matches)
        ));
        out.push_str(&format!(
            "    waits     {}{until}\n    send      `{}`\n",
            span(now.since(wait.since)),
            wait.command
        ));
    }
    out
}

fn heading(out: &mut String, look: &Look, text: &str) {
    if !out.is_empty() {
        out.push('\n');
    }
    out.push_str(&format!("{}\n", look.bold(text)));
}

fn section(out: &mut String, head: &str, rows: &[Row<'_>], now: Moment, look: &Look) {
    if rows.is_empty() {
        return;
    }
    heading(out, look, head);
    for row in rows {
        let what = match row.question {
            Some(_) => String::new(),
            None => format!(": {}", short(row.what, WHAT_MAX)),
        };
        out.push_str(&format!(
            "  {} {} ({}){what}\n",
            look.bold(&row.id),
            row.in_words,
            row.workflow
        ));
        if let Some(question) = row.question {
            for text in lines(&question.text) {
                out.push_str(&format!("    | {text}\n"));
            }
            let choices: Vec<String> = question
                .choices
                .iter()
                .map(|c| crate::ui::line(c))
                .collect();
            if !choices.is_empty() {
                out.push_str(&format!("    choices   {}\n", choices.join(" | ")));
            }
            if let Some(default) = &question.default {
                out.push_str(&format!("    default   {}\n", crate::ui::line(default)));
            }
        }
        match &row.command {
            Some(command) => {
                out.push_str(&format!(
                    "    waits     {}\n    who       {}\n    decide    `{command}`\n",
                    span(now.since(row.asked)),
                    ask::who(&row.needs, look),
                ));
            }
            None => {
                let ended = row
                    .ended
                    .map_or(String::new(), |at| format!(" at {}", look.zone.day(at)));
                out.push_str(&format!("    {}{ended}\n", row.state_in_words));
            }
        }
    }
}

/// An approval that holds for a run.
#[derive(Serialize)]
pub(crate) struct StandingRow {
    id: String,
    run: RunId,
    workflow: String,
    task: Option<TaskId>,
    what: String,
    digest: Digest,
    uses: u32,
    revoked: bool,
    by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<String>,
}

/// Collects them.
pub(crate) fn standing(runs: &[Run]) -> Vec<StandingRow> {
    let mut rows = Vec::new();
    for run in runs {
        let all: &[Standing] = run.standing();
        for held in all {
            let id = format!("{}/{}", run.id().short(), held.ask);
            let ask = run.ask(held.ask);
            rows.push(StandingRow {
                command: (!held.revoked).then(|| format!("sandgate approvals --revoke {id}")),
                id,
                run: run.id(),
                workflow: run.workflow().to_string(),
                task: run.task(held.task).map(|t| t.id),
                what: ask
                    .as_ref()
                    .map_or_else(String::new, |a| a.ask.what.clone()),
                digest: held.digest,
                uses: held.uses,
                revoked: held.revoked,
                by: ask.and_then(|a| Some(a.decided?.by.name.clone())),
            });
        }
    }
    rows
}

/// As text.
pub(crate) fn standing_text(rows: &[StandingRow], look: &Look) -> String {
    let mut table = Table::new(&["approval", "task", "uses", "by", "state", "what"]);
    for row in rows {
        table.row([
            look.bold(&row.id),
            row.task
                .as_ref()
                .map_or_else(String::new, ToString::to_string),
            row.uses.to_string(),
            row.by.as_deref().map(crate::ui::line).unwrap_or_default(),
            match row.revoked {
                true => look.dim("taken back"),
                false => look.good("holds"),
            },
            short(&row.what, WHAT_MAX),
        ]);
    }
    table.render(look, 0)
}
