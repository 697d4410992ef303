//! `init`: a project that runs as it is, with nothing in it that one has to delete first.

use crate::{
    args::Init,
    context::Context,
    error::{CliError, io_error},
    exit::Exit,
    ui::Esc,
};
use sandgate_driver::PROJECT_FILE;
use sandgate_model::{NAME_MAX, ProjectName};
use serde_json::json;
use std::{fs::OpenOptions, io::Write as _, path::Path};

/// What is written, in this order: path below the project's directory, and text.
const FILES: [(&str, &str); 4] = [
    (PROJECT_FILE, include_str!("../../template/sandgate.toml")),
    ("brief.toml", include_str!("../../template/brief.toml")),
    (
        "notes/laptops.md",
        include_str!("../../template/notes/laptops.md"),
    ),
    (".gitignore", "/.sandgate/\n"),
];

/// Where the project's name goes.
const NAME: &str = "PROJECT_NAME";

/// `init`.
pub(super) fn init(ctx: &Context, args: &Init) -> Result<Exit, CliError> {
    let dir = ctx.path(&args.dir);
    std::fs::create_dir_all(&dir).map_err(|e| io_error("create", &dir, &e))?;
    let dir = dir.canonicalize().map_err(|e| io_error("open", &dir, &e))?;
    let name = match &args.name {
        Some(name) => ProjectName::new(name).map_err(|e| {
            CliError::usage(format!("`{}` is not a project name", Esc(name))).caused_by(&e)
        })?,
        None => from_dir(&dir),
    };
    // All of them first, so that nothing is written beside a project that is there already.
    for (path, _) in FILES {
        let full = dir.join(path);
        // A list of ignored files that is there is the user's; it is kept below.
        if path != ".gitignore" && full.symlink_metadata().is_ok() {
            let shown = full.display().to_string();
            return Err(
                CliError::usage(format!("{} exists; nothing was written", Esc(&shown)))
                    .hint("make the project in another directory: `sandgate init DIR`"),
            );
        }
    }
    let mut written = Vec::new();
    for (path, text) in FILES {
        let full = dir.join(path);
        if let Some(parent) = full.parent() {
            std::fs::create_dir_all(parent).map_err(|e| io_error("create", parent, &e))?;
        }
        let text = text.replace(NAME, name.as_str());
        let file = OpenOptions::new().write(true).create_new(true).open(&full);
        match file.and_then(|mut file| file.write_all(text.as_bytes())) {
            Ok(()) => written.push(path),
            Err(_) if path == ".gitignore" => {
                ctx.ui
                    .note("add `/.sandgate/` to your .gitignore: it is the state, not a source");
            }
            Err(error) => return Err(io_error("write", &full, &error)),
        }
    }
    let ui = &ctx.ui;
    if ui.json() {
        ui.document(
            "sandgate.init/1",
            json!({ "dir": dir, "name": name, "files": written }),
        )?;
    } else {
        let mut out = format!("project {name} in {}\n", Esc(&dir.display().to_string()));
        for path in written {
            out.push_str(&format!("  {path}\n"));
        }
        let cd = match dir == std::env::current_dir().unwrap_or_default() {
            true => String::new(),
            false => format!("-C {} ", Esc(&args.dir.display().to_string())),
        };
        out.push_str(&format!("try it: `sandgate {cd}run brief.toml`\n"));
        ui.print(&out)?;
    }
    Ok(Exit::Success)
}

/// The directory's name, made to fit the grammar of names.
fn from_dir(dir: &Path) -> ProjectName {
    let raw = dir
        .file_name()
        .map(|n| n.to_string_lossy().to_lowercase())
        .unwrap_or_default();
    let fit = |c: char| {
        if c.is_ascii_lowercase() || c.is_ascii_digit() {
            c
        } else {
            '-'
        }
    };
    let name: String = raw.chars().map(fit).take(NAME_MAX).collect();
    ProjectName::new(name.trim_matches('-')).unwrap_or_else(|_| fallback())
}

/// For a directory such as `/`.
#[expect(
    clippy::expect_used,
    reason = "a constant that obeys the grammar, tested below"
)]
fn fallback() -> ProjectName {
    ProjectName::new("project").expect("a name")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_directory_gives_a_name() {
        for (dir, name) in [
            ("/home/Ada/My Laptops", "my-laptops"),
            ("/", "project"),
            ("/tmp/日本", "project"),
            ("/x/.a", "a"),
        ] {
            assert_eq!(from_dir(Path::new(dir)).as_str(), name);
        }
        assert_eq!(
            from_dir(Path::new(&format!("/{}", "x".repeat(200))))
                .as_str()
                .len(),
            NAME_MAX
        );
    }
}
