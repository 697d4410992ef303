//! `modify`: editing the plan of a run that waits for review. What comes back is handed to the host as text and validated
//! there as hostile input; nothing is lost when it has mistakes.

use crate::{
    args::Modify,
    context::{Context, look_error},
    control::Control,
    error::{CliError, io_error},
    exit::Exit,
    pick,
    ui::{Esc, strict},
    view::diff,
};
use sandgate_driver::{Done, Project, Reader, Wish};
use sandgate_engine::{Run, RunState};
use sandgate_model::{Digest, Plan};
use sandgate_workflow::{Source, editable, plan_diff};
use serde_json::json;
use std::{
    ffi::OsString,
    fs::{File, OpenOptions},
    io::{IsTerminal as _, Read, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

/// Largest document that is read back: far more than a plan can have.
const EDITED_MAX: u64 = 16 << 20;

/// Digits of a digest in a command that goes on.
const DIGITS: usize = 16;

/// `modify`.
pub(super) async fn modify(ctx: &Context, args: &Modify) -> Result<Exit, CliError> {
    let project = ctx.project()?;
    let reader = ctx.reader(&project)?;
    let id = pick::run(&reader, args.run.as_deref())?;
    let run = reader.run(id).map_err(|e| look_error(&e))?;
    let short = id.short();
    let (plan, was) = under_review(&run)?;
    pick::ask::seen(&format!("run {short}"), &was, args.digest.as_deref())?;
    let text = document(&reader, &project, &run, &plan)?;
    if args.show {
        ctx.ui.write(text.as_bytes())?;
        return Ok(Exit::Success);
    }
    let edited = match &args.from {
        Some(path) => from(ctx, path)?,
        None => in_editor(ctx, &project, &short, &text)?,
    };
    if edited.text == text {
        edited.remove();
        ctx.ui.note("the plan was not changed");
        return Ok(Exit::Success);
    }
    drop(reader);
    let wish = Wish::Modify {
        run: id,
        was,
        text: edited.text.clone(),
        name: edited.name.clone(),
        reason: args.reason.clone(),
    };
    let mut control = Control::open(ctx, Arc::clone(&project))
        .await
        .map_err(|e| edited.keep(e, &short, &was))?;
    let done = control
        .wish(wish)
        .await
        .map_err(|e| edited.keep(e, &short, &was))?;
    drop(control);
    edited.remove();
    let Done::Modified { digest, revision } = done else {
        return Err(CliError::host(
            "the host answered something else than it was asked",
        ));
    };
    let reader = ctx.reader(&project)?;
    report(ctx, &reader, &run, &plan, digest, revision)?;
    Ok(Exit::Success)
}

/// The plan that waits for review, and its digest.
fn under_review(run: &Run) -> Result<(Arc<Plan>, Digest), CliError> {
    let short = run.id().short();
    match (run.plan(), run.digest()) {
        (Some(plan), Some(digest)) if run.state() == RunState::PlanReview => {
            Ok((Arc::clone(plan), digest))
        }
        _ => Err(CliError::usage(format!(
            "the plan of run {short} cannot be edited: the run is {}",
            run.state().as_str()
        ))
        .hint("a plan can be edited while it waits for review; `sandgate approvals` lists those")),
    }
}

/// The plan in the form in which it is edited.
fn document(
    reader: &Reader,
    project: &Project,
    run: &Run,
    plan: &Plan,
) -> Result<String, CliError> {
    let bytes = reader.bytes(&run.source()).map_err(|e| look_error(&e))?;
    let text = String::from_utf8(bytes)
        .map_err(|e| CliError::host("the workflow of the run is no text").caused_by(&e))?;
    let source = Source::new(run.file().to_owned(), text);
    let (workflow, _) = sandgate_workflow::check(&source, project.file(), None);
    let Some(workflow) = workflow else {
        return Err(CliError::invalid(format!(
            "the workflow of run {} does not fit the project any more",
            run.id().short()
        ))
        .hint("`sandgate check` shows what is wrong with the project as it is now"));
    };
    Ok(editable(plan, &workflow))
}

/// What came back.
struct Edited {
    text: String,
    /// What it is called in messages.
    name: String,
    path: PathBuf,
    /// It is a file of this command.
    own: bool,
}

impl Edited {
    /// What somebody wrote is not lost: says where it is, and how to go on.
    fn keep(&self, error: CliError, run: &str, was: &Digest) -> CliError {
        let digits: String = was.hex().chars().take(DIGITS).collect();
        let path = self.path.display().to_string();
        let error = match self.own {
            true => error.hint(format!("what you wrote is kept in {}", Esc(&path))),
            false => error,
        };
        if self.path.as_os_str() == "-" {
            return error;
        }
        error.hint(format!(
            "mend it and go on with `sandgate modify {run} --from {} --digest {digits}`",
            crate::view::words::quoted(&path)
        ))
    }

    /// It was taken, or says nothing new.
    fn remove(&self) {
        if self.own {
            // What stays lies in a directory of temporary files, for its owner alone.
            drop(std::fs::remove_file(&self.path));
        }
    }
}

/// `--from`.
fn from(ctx: &Context, path: &Path) -> Result<Edited, CliError> {
    let stdin = path.as_os_str() == "-";
    let full = match stdin {
        true => path.to_owned(),
        false => ctx.path(path),
    };
    let text = match stdin {
        true => read(std::io::stdin(), path)?,
        false => read(
            File::open(&full).map_err(|e| io_error("read", &full, &e))?,
            &full,
        )?,
    };
    Ok(Edited {
        text,
        name: match stdin {
            true => "standard input".to_owned(),
            false => path.display().to_string(),
        },
        path: full,
        own: false,
    })
}

fn read(from: impl Read, path: &Path) -> Result<String, CliError> {
    let mut bytes = Vec::new();
    from.take(EDITED_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(|e| io_error("read", path, &e))?;
    if bytes.len() as u64 > EDITED_MAX {
        return Err(CliError::usage("an edited plan has at most 16 MiB"));
    }
    String::from_utf8(bytes).map_err(|_| {
        let path = path.display().to_string();
        CliError::invalid(format!("{} is not UTF-8", Esc(&path)))
    })
}

/// Opens the document in the person's editor, in a file for them alone.
fn in_editor(ctx: &Context, project: &Project, run: &str, text: &str) -> Result<Edited, CliError> {
    let elsewhere =
        format!("`sandgate modify {run} --show` writes the plan, `--from FILE` takes it back");
    if !std::io::stdin().is_terminal() {
        return Err(CliError::usage("there is no terminal for an editor").hint(elsewhere));
    }
    let Some(editor) = ctx.editor() else {
        return Err(CliError::usage("neither VISUAL nor EDITOR names an editor").hint(elsewhere));
    };
    let dir = directory(ctx, project).ok_or_else(|| {
        CliError::host("there is no directory for a temporary file outside the project")
            .hint(elsewhere)
    })?;
    let name = format!("sandgate-plan-{run}-{}.toml", uuid::Uuid::now_v7());
    let path = dir.join(name);
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)
        .map_err(|e| io_error("write", &path, &e))?;
    file.write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .map_err(|e| io_error("write", &path, &e))?;
    drop(file);
    open_editor(&editor, &path)?;
    let back = File::open(&path).map_err(|e| io_error("read", &path, &e))?;
    Ok(Edited {
        text: read(back, &path)?,
        name: path.display().to_string(),
        path,
        own: true,
    })
}

/// A directory that no plugin can write: temporary files, unless they lie in the project.
fn directory(ctx: &Context, project: &Project) -> Option<PathBuf> {
    ctx.temporary_dirs()
        .into_iter()
        .filter(|dir| dir.is_absolute() && dir.is_dir())
        .filter_map(|dir| dir.canonicalize().ok())
        .find(|dir| !dir.starts_with(project.dir()))
}

/// The words of the variable are the program and its arguments; no shell reads them.
fn open_editor(editor: &OsString, path: &Path) -> Result<(), CliError> {
    let shown = editor.to_string_lossy().into_owned();
    let mut words = shown.split_whitespace();
    let program = words.next().unwrap_or_default();
    let ended = Command::new(program).args(words).arg(path).status();
    let kept = format!("the plan is in {}", Esc(&path.display().to_string()));
    match ended {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(CliError::usage(format!(
            "the editor `{}` ended with {status}: nothing was changed",
            Esc(&shown)
        ))
        .hint(kept)),
        Err(error) => Err(CliError::usage(format!(
            "the editor `{}` cannot be started",
            Esc(&shown)
        ))
        .caused_by(&error)
        .hint("VISUAL and EDITOR say which one is used")
        .hint(kept)),
    }
}

/// What the edit came to.
fn report(
    ctx: &Context,
    reader: &Reader,
    run: &Run,
    old: &Plan,
    digest: Digest,
    revision: u32,
) -> Result<(), CliError> {
    let bytes = reader.bytes(&digest).map_err(|e| look_error(&e))?;
    let new: Plan = serde_json::from_slice(&bytes)
        .map_err(|e| CliError::host("the new plan cannot be read").caused_by(&e))?;
    let diff = plan_diff(old, &new);
    let now = reader.run(run.id()).map_err(|e| look_error(&e))?;
    let ask = now.open_asks().find(|a| a.ask.digest == digest);
    let short = run.id().short();
    let ui = &ctx.ui;
    if ui.json() {
        return ui.document(
            "sandgate.modified/1",
            json!({
                "run": run.id(),
                "digest": digest,
                "revision": revision,
                "ask": ask.map(|a| format!("{short}/{}", a.no)),
                "diff": diff,
            }),
        );
    }
    let mut text = format!(
        "run {short} has plan revision {revision}, {}\n",
        strict(&digest.to_string())
    );
    for line in diff::lines(&diff) {
        text.push_str(&format!("  {line}\n"));
    }
    ui.print(&text)?;
    if let Some(ask) = ask {
        ui.note(&format!(
            "it waits for review: `sandgate approve {short}/{}`",
            ask.no
        ));
    }
    Ok(())
}
