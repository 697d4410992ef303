//! `signal`: a message from outside, for the tasks that wait for it. It ends waits and approves nothing.

use super::decide::go_on;
use crate::{
    args::Signal,
    context::{Context, look_error},
    control::Control,
    error::{CliError, io_error},
    exit::Exit,
    pick,
    ui::{Esc, line, now, span},
    view::{approvals, said, words},
};
use sandgate_driver::{Done, Wish};
use sandgate_engine::{OpenWait, Run};
use sandgate_model::{RunId, SignalType, TaskId};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io::Read,
    sync::Arc,
};

/// Largest document that is read from a file: far more than a message needs.
const DATA_MAX: u64 = 16 << 20;

/// `signal`.
pub(super) async fn signal(ctx: &Context, args: &Signal) -> Result<Exit, CliError> {
    let Some(typed) = args.kind.as_deref().filter(|_| !args.list) else {
        return list(ctx);
    };
    let project = ctx.project()?;
    let kind: SignalType = typed.parse().map_err(|_| {
        CliError::usage(format!("`{}` is not the name of a signal type", Esc(typed)))
            .hint("there are `ci`, `review`, `human_approval`, and those that the project declares")
    })?;
    let fields = fields(&args.matches)?;
    let data = match args.data.as_deref() {
        None => Value::Null,
        Some(text) => data(ctx, text)?,
    };
    let id = args
        .id
        .clone()
        .unwrap_or_else(|| uuid::Uuid::now_v7().to_string());
    let mut control = Control::open(ctx, Arc::clone(&project)).await?;
    let done = control
        .wish(Wish::Signal {
            id: id.clone(),
            kind: kind.clone(),
            fields,
            data,
        })
        .await?;
    let there = control.is_there();
    drop(control);
    let Done::Signalled { to, near, repeat } = done else {
        return Err(CliError::host(
            "the host answered something else than it was asked",
        ));
    };
    match ctx.ui.json() {
        true => ctx.ui.document(
            "sandgate.signalled/1",
            json!({ "id": id, "to": named(&to), "near": near, "repeat": repeat }),
        )?,
        false => ctx.ui.print(&text(&id, &kind, &to, &near, repeat))?,
    }
    let runs: BTreeSet<RunId> = to.iter().map(|(run, _)| *run).collect();
    let runs: Vec<RunId> = runs.into_iter().collect();
    go_on(ctx, project, &runs, args.drive, there).await
}

fn named(to: &[(RunId, TaskId)]) -> Vec<Value> {
    to.iter()
        .map(|(run, task)| json!({ "run": run, "task": task }))
        .collect()
}

fn text(
    id: &str,
    kind: &SignalType,
    to: &[(RunId, TaskId)],
    near: &[OpenWait],
    repeat: bool,
) -> String {
    let mut out = format!("signal {} of type {kind}", line(id));
    if repeat {
        out.push_str(" came before; nothing new happened");
    }
    let told: Vec<String> = to
        .iter()
        .map(|(run, task)| format!("{task} of run {}", run.short()))
        .collect();
    match told.is_empty() {
        false => out.push_str(&format!(": told {}\n", told.join(", "))),
        true if repeat => out.push('\n'),
        true => out.push_str(": kept, since nothing waits for it yet\n"),
    }
    if !near.is_empty() {
        out.push_str("waits that come nearest:\n");
    }
    for wait in near {
        out.push_str(&format!(
            "  {} of run {}{}\n    `{}`\n",
            wait.id,
            wait.run.short(),
            said::fields(&wait.matches),
            words::signal(wait.kind.as_str(), &wait.matches)
        ));
    }
    out
}

/// Fields by name; a repeated one is a slip, not an override.
fn fields(given: &[(String, String)]) -> Result<BTreeMap<String, String>, CliError> {
    let mut fields = BTreeMap::new();
    for (name, value) in given {
        if fields.insert(name.clone(), value.clone()).is_some() {
            return Err(CliError::usage(format!(
                "the field `{}` is given twice",
                Esc(name)
            )));
        }
    }
    Ok(fields)
}

fn data(ctx: &Context, text: &str) -> Result<Value, CliError> {
    let (what, bytes) = match text.strip_prefix('@') {
        None => ("`--data`".to_owned(), text.as_bytes().to_vec()),
        Some("-") => ("standard input".to_owned(), read(std::io::stdin(), "-")?),
        Some(path) => {
            let full = ctx.path(path.as_ref());
            let file = File::open(&full).map_err(|e| io_error("read", &full, &e))?;
            (format!("`{}`", Esc(path)), read(file, path)?)
        }
    };
    serde_json::from_slice(&bytes).map_err(|e| {
        CliError::usage(format!("{what} is not a JSON document"))
            .caused_by(&e)
            .hint("a text is written with quotes of its own: --data '\"done\"'")
    })
}

fn read(from: impl Read, path: &str) -> Result<Vec<u8>, CliError> {
    let mut bytes = Vec::new();
    from.take(DATA_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(|e| io_error("read", path.as_ref(), &e))?;
    match bytes.len() as u64 > DATA_MAX {
        true => Err(CliError::usage("a signal carries at most 16 MiB")),
        false => Ok(bytes),
    }
}

/// `signal --list`.
fn list(ctx: &Context) -> Result<Exit, CliError> {
    let project = ctx.project()?;
    let (runs, inbox): (Vec<Run>, _) = match ctx.reader_if_any(&project)? {
        Some(reader) => (
            pick::ask::runs(&reader, false)?,
            Some(reader.signals().map_err(|e| look_error(&e))?),
        ),
        None => (Vec::new(), None),
    };
    let now = now();
    let waits = approvals::waiting(&runs);
    let kept: Vec<_> = inbox
        .iter()
        .flat_map(|inbox| inbox.unmatched(now))
        .collect();
    let ui = &ctx.ui;
    if ui.json() {
        let kept: Vec<_> = kept.iter().map(|k| &k.signal).collect();
        ui.document(
            "sandgate.signals/1",
            json!({ "waits": waits, "unmatched": kept }),
        )?;
        return Ok(Exit::Success);
    }
    let mut out = approvals::waiting_text(&waits, now, &ui.out);
    if !kept.is_empty() {
        if !out.is_empty() {
            out.push('\n');
        }
        out.push_str(&format!(
            "{}\n",
            ui.out.bold("signals that nobody waited for")
        ));
    }
    for kept in kept {
        let signal = &kept.signal;
        out.push_str(&format!(
            "  {} of type {}{}\n    came {} ago, from {}\n",
            line(&signal.id),
            signal.kind,
            said::fields(&signal.fields),
            span(now.since(signal.at)),
            said::actor(&signal.by)
        ));
    }
    match out.is_empty() {
        true => ui.note("nothing waits for a signal, and none was left over"),
        false => ui.print(&out)?,
    }
    Ok(Exit::Success)
}
