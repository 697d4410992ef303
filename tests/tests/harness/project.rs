//! A project in a temporary directory.

use super::{
    binary::{binary, root},
    run::{Done, Running},
};
use std::{
    cell::Cell,
    fs,
    path::{Path, PathBuf},
    process::Command,
};
use tempfile::TempDir;

/// A project, its home, and nothing else.
pub(crate) struct Project {
    temp: TempDir,
    dir: PathBuf,
    starts: Cell<u32>,
}

impl Project {
    /// A project of these files (path, text).
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        let temp = TempDir::with_prefix("sandgate-test-").unwrap();
        let dir = temp.path().join("project");
        fs::create_dir(&dir).unwrap();
        let project = Self {
            temp,
            dir,
            starts: Cell::new(0),
        };
        for (path, text) in files {
            project.write(path, text);
        }
        project
    }

    /// A project whose agents are the fake one, with one workflow `w.toml`.
    pub(crate) fn fake(workflow: &str) -> Self {
        Self::new(&[("sandgate.toml", FAKE), ("w.toml", workflow)])
    }

    /// A copy of `examples/NAME`.
    pub(crate) fn example(name: &str) -> Self {
        let project = Self::new(&[]);
        copy(&root().join("examples").join(name), &project.dir);
        project
    }

    /// The project's directory.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// The temporary directory around it.
    pub(crate) fn temp(&self) -> &Path {
        self.temp.path()
    }

    /// Writes a file of the project.
    pub(crate) fn write(&self, path: &str, bytes: impl AsRef<[u8]>) {
        let path = self.dir.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    /// The command, ready to start.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command.args(args);
        self.prepare(&mut command);
        command
    }

    /// Gives a command the project's directory and an environment without anything of this machine's user.
    pub(crate) fn prepare(&self, command: &mut Command) {
        let home = self.temp.path().join("home");
        fs::create_dir_all(&home).unwrap();
        command
            .current_dir(&self.dir)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", &home)
            .env("XDG_CONFIG_HOME", home.join("config"))
            .env("XDG_STATE_HOME", home.join("state"))
            .env("XDG_DATA_HOME", home.join("data"))
            .env("XDG_RUNTIME_DIR", home.join("run"))
            .env(
                "XDG_CACHE_HOME",
                Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache"),
            )
            .stdin(std::process::Stdio::null());
    }

    /// Starts the binary and does not wait.
    pub(crate) fn start(&self, args: &[&str]) -> Running {
        self.start_command(self.command(args), &format!("sandgate {}", args.join(" ")))
    }

    /// Starts a prepared command.
    pub(crate) fn start_command(&self, command: Command, what: &str) -> Running {
        let n = self.starts.get();
        self.starts.set(n + 1);
        Running::start(
            command,
            what.to_owned(),
            self.temp.path().join(format!("{n}.out")),
            self.temp.path().join(format!("{n}.err")),
        )
    }

    /// Runs the binary to its end.
    pub(crate) fn run(&self, args: &[&str]) -> Done {
        self.start(args).finish()
    }
}

/// A project file with the fake agent.
const FAKE: &str = r#"[project]
name = "test"

[plugins]
fake = "builtin:agent-fake"
"#;

/// Copies a tree, without what builds and runs leave behind.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten() {
        let name = entry.file_name();
        if name == "target" || name == ".sandgate" {
            continue;
        }
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to.join(name));
        } else {
            fs::copy(entry.path(), to.join(name)).unwrap();
        }
    }
}
