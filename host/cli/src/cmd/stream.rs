//! `events`, `logs`: streams, optionally until the run has ended. Works beside a host that drives the run.

use crate::{
    args::{Events, Logs},
    context::{Context, look_error},
    error::CliError,
    exit::Exit,
    pick,
    progress::Tracker,
    suggest,
    ui::{Esc, json_line},
    view::event,
};
use sandgate_driver::LogLine;
use sandgate_engine::Run;
use sandgate_model::RunId;
use serde_json::json;
use std::{thread::sleep, time::Duration};

/// How often a followed journal is looked at: quick for an eye, and a query of a page that is in memory.
const POLL: Duration = Duration::from_millis(200);

/// Events in one piece of output: a large run is shown while it is read.
const PIECE: usize = 1 << 16;

/// `events`.
pub(super) fn events(ctx: &Context, args: &Events) -> Result<Exit, CliError> {
    let project = ctx.project()?;
    let reader = ctx.reader(&project)?;
    let id = pick::run(&reader, args.run.as_deref())?;
    let mut tracker = Tracker::default();
    let mut last = 0;
    loop {
        let new = reader.events(id, last).map_err(|e| look_error(&e))?;
        let mut out = String::new();
        for (seq, at, happened) in &new {
            last = *seq;
            let run = tracker.step(id, *at, happened);
            if *seq <= args.after {
                continue;
            }
            if ctx.ui.json() {
                let body = json!({ "run": id, "seq": seq, "at": at, "event": happened });
                out.push_str(&json_line("sandgate.event/1", body)?);
            } else if let Some(run) = run {
                let look = &ctx.ui.out;
                let line = event::line(happened, run, look);
                let time = look.dim(look.zone.clock(*at));
                out.push_str(&format!(
                    "{seq:>6} {time} {:<18} {}\n",
                    happened.kind(),
                    line.text
                ));
                for below in &line.below {
                    out.push_str(&format!("{:35}  {below}\n", ""));
                }
            }
            if out.len() > PIECE {
                ctx.ui.print(&std::mem::take(&mut out))?;
            }
        }
        if !out.is_empty() {
            ctx.ui.print(&out)?;
        }
        if !args.follow || tracker.get(id).is_none_or(|run| run.state().ended()) {
            return Ok(Exit::Success);
        }
        sleep(POLL);
    }
}

/// `logs`.
pub(super) fn logs(ctx: &Context, args: &Logs) -> Result<Exit, CliError> {
    let project = ctx.project()?;
    let reader = ctx.reader(&project)?;
    let id = pick::run(&reader, args.run.as_deref())?;
    let mut shown = 0;
    let mut any = false;
    loop {
        // Asked first: what is logged before the end is in the file by then.
        let run = reader.run(id).map_err(|e| look_error(&e))?;
        if let Some(task) = &args.task {
            known(&run, task)?;
        }
        let lines = reader.logs(id).map_err(|e| look_error(&e))?;
        let mut out = String::new();
        for line in lines
            .iter()
            .skip(shown)
            .filter(|l| wanted(l, args.task.as_deref()))
        {
            any = true;
            out.push_str(&text(ctx, id, line)?);
        }
        shown = lines.len();
        if !out.is_empty() {
            ctx.ui.print(&out)?;
        }
        if !args.follow || run.state().ended() {
            if !any {
                ctx.ui.note("nothing was logged");
            }
            return Ok(Exit::Success);
        }
        sleep(POLL);
    }
}

fn wanted(line: &LogLine, task: Option<&str>) -> bool {
    // A task with `for_each` logs as its instances, `TASK.N`.
    task.is_none_or(|task| {
        line.who
            .strip_prefix(task)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    })
}

/// A name that can stand in a log.
fn known(run: &Run, who: &str) -> Result<(), CliError> {
    let (kind, name) = who.split_once(':').unwrap_or(("task", who));
    let names: Vec<String> = match kind {
        "task" => return pick::task(run, name).map(|_| ()),
        "gate" => run.gates().map(|g| g.plan.id.to_string()).collect(),
        "planner" => run.planners().iter().map(ToString::to_string).collect(),
        _ => {
            return Err(
                CliError::usage(format!("`{}` names nobody who logs", Esc(who)))
                    .hint("write TASK, `gate:ID` or `planner:NAME`"),
            );
        }
    };
    if names.iter().any(|n| n == name) {
        return Ok(());
    }
    Err(CliError::usage(format!(
        "run {} has no {kind} `{}`",
        run.id().short(),
        Esc(name)
    ))
    .hint_maybe(suggest::hint(
        name,
        "there are",
        names.iter().map(String::as_str),
    )))
}

fn text(ctx: &Context, id: RunId, line: &LogLine) -> Result<String, CliError> {
    if ctx.ui.json() {
        return json_line("sandgate.log/1", json!({ "run": id, "line": line }));
    }
    let look = &ctx.ui.out;
    let time = look.dim(look.zone.clock(line.at));
    Ok(format!("{time} {}\n", crate::progress::log(line, look)))
}
