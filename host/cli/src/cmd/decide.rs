//! `approve`, `reject`, `answer`: what a person says to a request.

use crate::{
    args::{Act, Answer, Approve, Reject},
    context::Context,
    control::Control,
    error::CliError,
    exit::Exit,
    pick, present, prompter,
    ui::{Look, Reply, Terminal, Word, stderr},
    view::{
        ask::{self, DIGITS},
        said,
    },
};
use sandgate_driver::{Done, Project, Reader, Wish};
use sandgate_engine::{AskState, Judged, Run};
use sandgate_model::{About, AskNo, Decision, Digest, RunId};
use serde::Serialize;
use serde_json::json;
use std::{collections::BTreeMap, sync::Arc};

/// One request that is decided about.
struct Target {
    run: Run,
    ask: AskNo,
    digest: Digest,
    id: String,
}

/// What is said to all of them.
#[derive(Clone, Copy)]
struct Say<'a> {
    decision: Decision,
    /// `approve`, `reject`.
    verb: &'a str,
    reason: &'a str,
    act: &'a Act,
}

/// `approve`.
pub(super) async fn approve(ctx: &Context, args: &Approve) -> Result<Exit, CliError> {
    let say = Say {
        decision: Decision::Approve {
            for_run: args.for_run,
        },
        verb: "approve",
        reason: &args.act.reason,
        act: &args.act,
    };
    decide(ctx, &args.ids, args.all, &say).await
}

/// `reject`.
pub(super) async fn reject(ctx: &Context, args: &Reject) -> Result<Exit, CliError> {
    let say = Say {
        decision: Decision::Reject {
            replan: args.feedback.is_some(),
        },
        verb: "reject",
        reason: args.feedback.as_deref().unwrap_or(&args.act.reason),
        act: &args.act,
    };
    decide(ctx, &args.ids, args.all, &say).await
}

async fn decide(ctx: &Context, ids: &[String], all: bool, say: &Say<'_>) -> Result<Exit, CliError> {
    let project = ctx.project()?;
    let reader = ctx.reader(&project)?;
    let targets = targets(&reader, ids, all)?;
    if targets.is_empty() {
        ctx.ui.note("nothing waits for an approval");
        return Ok(Exit::Success);
    }
    if say.act.digest.is_some() && targets.len() > 1 {
        return Err(CliError::usage("`--digest` goes with one request").hint(
            "name one request, or leave `--digest` out: the digest of what is shown is used",
        ));
    }
    for target in &targets {
        fits(target, say)?;
        pick::ask::seen(&target.id, &target.digest, say.act.digest.as_deref())?;
    }
    if !confirmed(ctx, &project, &reader, &targets, say)? {
        ctx.ui.note("nothing was decided");
        return Ok(Exit::Waiting);
    }
    drop(reader);
    let mut control = Control::open(ctx, Arc::clone(&project)).await?;
    let mut decided = Vec::new();
    for (run, asks) in by_run(&targets) {
        let done = control
            .wish(Wish::Decide {
                run,
                asks,
                decision: say.decision,
                reason: say.reason.to_owned(),
            })
            .await
            .map_err(|e| after(e, &decided))?;
        let Done::Decided { each } = done else {
            return Err(CliError::host(
                "the host answered something else than it was asked",
            ));
        };
        decided.extend(each.into_iter().map(|(ask, judged)| One {
            id: format!("{}/{ask}", run.short()),
            run,
            ask,
            judged,
        }));
    }
    let there = control.is_there();
    drop(control);
    report(ctx, &decided)?;
    let runs: Vec<RunId> = by_run(&targets).into_keys().collect();
    go_on(ctx, project, &runs, say.act.drive, there).await
}

/// What was recorded before a later run refused: nothing of that is undone.
fn after(error: CliError, decided: &[One]) -> CliError {
    if decided.is_empty() {
        return error;
    }
    let ids: Vec<&str> = decided.iter().map(|one| one.id.as_str()).collect();
    error.hint(format!(
        "decided before that, and recorded: {}",
        ids.join(", ")
    ))
}

fn targets(reader: &Reader, ids: &[String], all: bool) -> Result<Vec<Target>, CliError> {
    let runs = pick::ask::runs(reader, false)?;
    let mut found: Vec<Target> = Vec::new();
    let mut add = |run: &Run, ask: AskNo| {
        let Some(view) = run.ask(ask) else { return };
        let id = ask::id(run, &view);
        if found.iter().all(|t| t.id != id) {
            found.push(Target {
                ask,
                digest: view.ask.digest,
                id,
                run: run.clone(),
            });
        }
    };
    if all {
        let mut named = Vec::new();
        for typed in ids {
            named.push(pick::run(reader, Some(typed))?);
        }
        for (run, view) in pick::ask::open(&runs, false) {
            if named.is_empty() || named.contains(&run.id()) {
                add(run, view.no);
            }
        }
    } else {
        for typed in ids {
            let (run, ask) = pick::ask::ask(reader, &runs, typed, false)?;
            add(&run, ask);
        }
    }
    Ok(found)
}

/// What can be told before anybody is shown anything. Whether the decision counts is not decided here.
fn fits(target: &Target, say: &Say<'_>) -> Result<(), CliError> {
    let Some(view) = target.run.ask(target.ask) else {
        return Ok(());
    };
    let about = &view.ask.about;
    let id = &target.id;
    if let About::Question { .. } = about {
        return Err(
            CliError::usage(format!("{id} is a question: it is answered, not decided"))
                .hint(format!("`sandgate answer {id} TEXT`")),
        );
    }
    if say.decision == (Decision::Reject { replan: true }) && !matches!(about, About::Plan { .. }) {
        return Err(CliError::usage(format!(
            "{id} is about {}: only for a plan another one can be made",
            ask::about(&target.run, about)
        ))
        .hint("leave `--feedback` out; `--reason` says why"));
    }
    if say.decision == (Decision::Approve { for_run: true }) && !matches!(about, About::Call { .. })
    {
        return Err(CliError::usage(format!(
            "{id} is about {}: only one use of a capability can be approved for the run",
            ask::about(&target.run, about)
        ))
        .hint("leave `--for-run` out"));
    }
    Ok(())
}

/// Shows everything, and in a terminal asks. Without a terminal the command itself is the decision.
fn confirmed(
    ctx: &Context,
    project: &Project,
    reader: &Reader,
    targets: &[Target],
    say: &Say<'_>,
) -> Result<bool, CliError> {
    let ui = &ctx.ui;
    let mut terminal = match say.act.yes || ui.json() {
        true => None,
        false => Terminal::open(),
    };
    let mut typed = true;
    for target in targets {
        // What was decided already needs no reading; the answer to it comes from the record.
        let open = target
            .run
            .ask(target.ask)
            .filter(|a| a.state == AskState::Open);
        let Some(view) = open else { continue };
        let shown = present::shown(reader, project, &target.run, &view, &ui.err)?;
        match &mut terminal {
            None if ui.quiet || ui.json() => {}
            None => stderr(&shown.text),
            Some(terminal) => {
                terminal.say(&shown.text);
                if !shown.plain && say.decision.approves() && say.act.digest.is_none() {
                    typed = typed && digest_typed(terminal, target);
                }
            }
        }
        if let Some(warning) = consequence(target, say) {
            ui.note(&warning);
        }
    }
    if !typed {
        return Ok(false);
    }
    let Some(mut terminal) = terminal else {
        return Ok(true);
    };
    let what = match targets {
        [one] => one.id.clone(),
        many => format!("all {} requests above", many.len()),
    };
    let for_run = match say.decision {
        Decision::Approve { for_run: true } => {
            ", and every later use in the run that is exactly the same"
        }
        _ => "",
    };
    let question = ui.err.bold(format!("{} {what}{for_run}? [y/N] ", say.verb));
    let reply = terminal.ask("", &question, &mut || true);
    Ok(matches!(reply, Reply::Line(line) if Word::of(&line) == Word::Yes))
}

/// What a person may not expect of a decision.
fn consequence(target: &Target, say: &Say<'_>) -> Option<String> {
    let view = target.run.ask(target.ask)?;
    let id = &target.id;
    match (&view.ask.about, say.decision) {
        (About::Plan { .. }, Decision::Reject { replan: false }) => Some(format!(
            "rejecting the plan cancels the run; `sandgate reject {id} --feedback TEXT` asks for another plan instead"
        )),
        _ => None,
    }
}

/// A text that cannot be taken in at a glance is approved by its digest.
fn digest_typed(terminal: &mut Terminal, target: &Target) -> bool {
    let question = format!(
        "too long or too odd for a quick yes: type the first {DIGITS} digits of the digest of {}: ",
        target.id
    );
    match terminal.ask("", &question, &mut || true) {
        Reply::Line(line) => prompter::typed(&target.digest, &line),
        Reply::Gone | Reply::Withdrawn => false,
    }
}

fn by_run(targets: &[Target]) -> BTreeMap<RunId, Vec<(AskNo, Digest)>> {
    let mut by = BTreeMap::<RunId, Vec<(AskNo, Digest)>>::new();
    for target in targets {
        by.entry(target.run.id())
            .or_default()
            .push((target.ask, target.digest));
    }
    by
}

/// What came of one request.
#[derive(Serialize)]
struct One {
    id: String,
    run: RunId,
    ask: AskNo,
    #[serde(flatten)]
    judged: Judged,
}

fn report(ctx: &Context, decided: &[One]) -> Result<(), CliError> {
    if ctx.ui.json() {
        return ctx
            .ui
            .document("sandgate.decisions/1", json!({ "decisions": decided }));
    }
    let look: &Look = &ctx.ui.out;
    let text: String = decided
        .iter()
        .map(|one| format!("{}: {}\n", one.id, said::judged(&one.judged, look)))
        .collect();
    ctx.ui.print(&text)
}

/// `answer`.
pub(super) async fn answer(ctx: &Context, args: &Answer) -> Result<Exit, CliError> {
    let project = ctx.project()?;
    let reader = ctx.reader(&project)?;
    let runs = pick::ask::runs(&reader, false)?;
    let (run, ask) = pick::ask::ask(&reader, &runs, &args.id, true)?;
    drop(reader);
    let mut control = Control::open(ctx, Arc::clone(&project)).await?;
    let done = control
        .wish(Wish::Answer {
            run: run.id(),
            ask,
            answer: args.text.clone(),
        })
        .await?;
    let there = control.is_there();
    drop(control);
    let id = format!("{}/{ask}", run.id().short());
    match done {
        Done::Decided { each } => {
            let decided: Vec<One> = each
                .into_iter()
                .map(|(ask, judged)| One {
                    id: id.clone(),
                    run: run.id(),
                    ask,
                    judged,
                })
                .collect();
            report(ctx, &decided)?;
        }
        _ if ctx.ui.json() => ctx
            .ui
            .document("sandgate.answered/1", json!({ "id": id }))?,
        _ => ctx
            .ui
            .print(&format!("{id}: {}\n", ctx.ui.out.good("answered")))?,
    }
    go_on(ctx, project, &[run.id()], args.drive, there).await
}

/// After a decision: whoever drives goes on by itself; where nobody does, `--drive` does, and otherwise the person is told.
pub(super) async fn go_on(
    ctx: &Context,
    project: Arc<Project>,
    runs: &[RunId],
    drive: bool,
    there: bool,
) -> Result<Exit, CliError> {
    if there {
        if drive {
            ctx.ui
                .note("another process drives this project, so it goes on there");
        }
        return Ok(Exit::Success);
    }
    let reader = ctx.reader(&project)?;
    let mut open = Vec::new();
    for id in runs {
        let run = reader
            .run(*id)
            .map_err(|e| crate::context::look_error(&e))?;
        if !run.state().ended() {
            open.push(*id);
        }
    }
    drop(reader);
    match (drive, open.as_slice()) {
        (_, []) => Ok(Exit::Success),
        (true, open) => super::steer::drive(ctx, project, open).await,
        (false, open) => {
            for id in open {
                ctx.ui.note(&format!(
                    "nobody drives run {0}; go on with `sandgate resume {0}`",
                    id.short()
                ));
            }
            Ok(Exit::Success)
        }
    }
}
