//! `check`: all mistakes of the project and its workflows at once. Looks only; nothing is written.

use crate::{
    args::Check,
    context::Context,
    diagnostics,
    error::{CliError, io_error},
    exit::Exit,
    plugins,
    ui::{Esc, count},
};
use sandgate_driver::{PROJECT_FILE, Project, unusable};
use sandgate_workflow::Diagnostics;
use serde_json::json;
use std::path::{Path, PathBuf};

/// Where workflows of a project are looked for: beside `sandgate.toml`, and in this directory.
const WORKFLOWS_DIR: &str = "workflows";

/// Bytes of a file that are looked at to tell a workflow from other TOML.
const LOOK_MAX: usize = 64 << 10;

/// `check`.
pub(super) async fn check(ctx: &Context, args: &Check) -> Result<Exit, CliError> {
    let project = ctx.project()?;
    let files = match args.files.is_empty() {
        true => workflows(project.dir())?,
        false => args.files.clone(),
    };
    let plugins = plugins::of(ctx, &project)?;
    let (catalog, problems) = plugins.catalog(&plugins.names()).await;
    let mut found = Diagnostics::default();
    for problem in &problems {
        found.push(unusable(&project, problem));
    }
    let mut bad = Vec::new();
    if found.has_errors() {
        bad.push(PROJECT_FILE.to_owned());
    }
    let mut names = vec![PROJECT_FILE.to_owned()];
    for file in &files {
        let source = ctx.workflow(&project, file)?;
        let (_, more) = sandgate_workflow::check(&source, project.file(), Some(&catalog));
        if more.has_errors() {
            bad.push(source.name().to_owned());
        }
        names.push(source.name().to_owned());
        found.extend(more);
    }
    report(ctx, &project, &names, &bad, &found)
}

fn report(
    ctx: &Context,
    project: &Project,
    names: &[String],
    bad: &[String],
    found: &Diagnostics,
) -> Result<Exit, CliError> {
    let ui = &ctx.ui;
    if ui.json() {
        let body = json!({
            "ok": bad.is_empty(),
            "project": project.file().name,
            "files": names,
            "invalid": bad,
            "diagnostics": diagnostics::list(found),
        });
        ui.document("sandgate.check/1", body)?;
        return Ok(if bad.is_empty() {
            Exit::Success
        } else {
            Exit::Usage
        });
    }
    let mut out = String::new();
    for name in names.iter().filter(|name| !bad.contains(name)) {
        out.push_str(&format!("{}: {}\n", Esc(name), ui.out.good("ok")));
    }
    ui.print(&out)?;
    if bad.is_empty() {
        diagnostics::tell(ui, found);
        if names.len() == 1 {
            ui.note(&format!(
                "no workflow beside {PROJECT_FILE} or in {WORKFLOWS_DIR}/; name one to check it"
            ));
        }
        return Ok(Exit::Success);
    }
    let what = format!(
        "{} of {} cannot be used",
        bad.len(),
        count(names.len(), "file")
    );
    Err(diagnostics::invalid(ui, &what, found))
}

/// The workflows of a project, sorted. Other tools keep TOML files in the same places, so a file counts when it
/// has something that only a workflow has.
fn workflows(dir: &Path) -> Result<Vec<PathBuf>, CliError> {
    let mut found = Vec::new();
    for (place, must) in [(dir.to_owned(), true), (dir.join(WORKFLOWS_DIR), false)] {
        let entries = match std::fs::read_dir(&place) {
            Ok(entries) => entries,
            Err(_) if !must => continue,
            Err(error) => return Err(io_error("list", &place, &error)),
        };
        for entry in entries {
            let path = entry.map_err(|e| io_error("list", &place, &e))?.path();
            let toml = path.extension().is_some_and(|e| e == "toml");
            if toml && path.file_name().is_some_and(|n| n != PROJECT_FILE) && is_workflow(&path) {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

fn is_workflow(path: &Path) -> bool {
    // One that cannot be read is reported when it is checked, if its name says that it is meant.
    let Ok(bytes) = std::fs::read(path) else {
        return false;
    };
    let text = String::from_utf8_lossy(bytes.get(..LOOK_MAX).unwrap_or(&bytes));
    text.lines().map(str::trim_start).any(|line| {
        let goal = line
            .strip_prefix("goal")
            .is_some_and(|rest| rest.trim_start().starts_with('='));
        goal || ["[[task]]", "[[gate]]", "[planner]"]
            .iter()
            .any(|mark| line.starts_with(mark))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workflows_are_told_from_other_files() {
        let tmp = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = tmp.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("sandgate.toml", "[[task]]\n");
        write("Cargo.toml", "[package]\nname = \"x\"\n");
        write("b.toml", "goal=\"g\"\n");
        write("broken.toml", "nam = 1\n[[task]\n[[gate]]\n");
        write("workflows/a.toml", "name = \"a\"\n[planner]\n");
        write("workflows/notes.md", "goal = 1\n");
        let found = workflows(tmp.path()).unwrap();
        let names: Vec<_> = found
            .iter()
            .map(|p| p.strip_prefix(tmp.path()).unwrap().to_str().unwrap())
            .collect();
        assert_eq!(names, ["b.toml", "broken.toml", "workflows/a.toml"]);
    }
}
