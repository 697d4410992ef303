//! What the arguments mean on this machine: which project, which operator's file, which cache. The only place that
//! reads the environment and the home directory.

use crate::{
    args::{self, Global},
    diagnostics,
    error::{CliError, io_error},
    ui::{Esc, Format, Ui},
};
use sandgate_driver::{
    HostOptions, LookError, ModelSource, PROJECT_FILE, Project, ProjectError, Reader, Speaker,
};
use sandgate_journal::OpenError;
use sandgate_workflow::Source;
use std::{
    ffi::OsString,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

/// The operator's file, in the configuration directory of the user.
const OPERATOR_FILE: &str = "sandgate/operator.toml";

/// Largest operator's file in bytes: far more than anybody writes by hand.
const OPERATOR_MAX: u64 = 1 << 20;

/// The variable that says who somebody is, in a project that names principals.
const TOKEN: &str = "SANDGATE_TOKEN";

/// The hidden argument that makes this program compile one component and end.
pub(crate) const COMPILE_WORKER: &str = "__compile";

/// Everything a command needs besides its own arguments.
#[derive(Debug)]
pub(crate) struct Context {
    /// The streams.
    pub(crate) ui: Ui,
    /// `-C`, or else the current directory: what paths on the command line are relative to.
    base: PathBuf,
    /// The command line, for whoever finds the project in use.
    command: String,
}

impl Context {
    /// Resolves the global options.
    ///
    /// # Errors
    /// When there is no current directory.
    pub(crate) fn new(global: Global, command: String) -> Result<Self, CliError> {
        let format = match global.format {
            args::Format::Text => Format::Text,
            args::Format::Json => Format::Json,
        };
        let ui = Ui::new(format, global.color, global.quiet);
        let base = match global.project {
            Some(dir) if dir.is_dir() => dir,
            Some(dir) => {
                let dir = dir.display().to_string();
                return Err(CliError::usage(format!("{} is not a directory", Esc(&dir))));
            }
            None => std::env::current_dir()
                .map_err(|e| CliError::host("there is no current directory").caused_by(&e))?,
        };
        // Whoever shows a token wants to be its principal and nobody else.
        match std::env::var(TOKEN) {
            Ok(token) if token.is_empty() => {
                return Err(CliError::usage(format!("{TOKEN} is set and empty"))
                    .hint("unset it to speak as the user that you are, or put a token in"));
            }
            Err(std::env::VarError::NotUnicode(_)) => {
                return Err(CliError::usage(format!("{TOKEN} is not text")));
            }
            Ok(_) | Err(std::env::VarError::NotPresent) => {}
        }
        Ok(Self { ui, base, command })
    }

    /// A path of the command line.
    pub(crate) fn path(&self, path: &Path) -> PathBuf {
        self.base.join(path)
    }

    /// Options of a host.
    pub(crate) fn host_options(&self) -> HostOptions {
        HostOptions {
            cache_dir: cache_dir(),
            command: self.command.clone(),
            launcher: std::env::current_exe().ok(),
            compile_args: vec![COMPILE_WORKER.into()],
            program_dirs: program_dirs(&self.base),
            models: ModelSource::Live,
            env: std::env::vars_os().collect(),
        }
    }

    /// Who speaks: the token that is shown, and the user that the operating system says.
    pub(crate) fn speaker(&self) -> Speaker {
        Speaker::here(std::env::var(TOKEN).ok())
    }

    /// The person's editor, with its arguments.
    pub(crate) fn editor(&self) -> Option<OsString> {
        let mut set = ["VISUAL", "EDITOR"]
            .into_iter()
            .filter_map(std::env::var_os);
        set.find(|editor| !editor.is_empty())
    }

    /// Where temporary files may be, the best place first.
    pub(crate) fn temporary_dirs(&self) -> Vec<PathBuf> {
        let own = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
        own.into_iter().chain([std::env::temp_dir()]).collect()
    }

    /// The project's directory.
    ///
    /// # Errors
    /// When there is none around.
    pub(crate) fn project_dir(&self) -> Result<PathBuf, CliError> {
        Project::find(&self.base).map_err(|e| self.project_error(e))
    }

    /// The project, its warnings told.
    ///
    /// # Errors
    /// When there is none around, or its file or the operator's has mistakes.
    pub(crate) fn project(&self) -> Result<Arc<Project>, CliError> {
        let dir = self.project_dir()?;
        let project = Project::open(&dir, operator()?).map_err(|e| self.project_error(e))?;
        diagnostics::tell(&self.ui, project.warnings());
        Ok(Arc::new(project))
    }

    /// A workflow named on the command line. It is called by its path from the project's directory, so that the same
    /// file has the same name from everywhere.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) fn workflow(&self, project: &Project, path: &Path) -> Result<Arc<Source>, CliError> {
        let full = self.path(path);
        let full = match full.canonicalize() {
            Ok(full) => full,
            // From a directory inside of the project, its files may also be named as the project does.
            Err(_) if project.dir().join(path).is_file() => project.dir().join(path),
            Err(error) => return Err(not_readable(&full, &error)),
        };
        let name = full.strip_prefix(project.dir()).unwrap_or(&full);
        let Some(name) = name.to_str() else {
            let shown = name.display().to_string();
            return Err(CliError::usage(format!(
                "the path {} is not UTF-8",
                Esc(&shown)
            )));
        };
        project.workflow(name).map_err(|e| self.project_error(e))
    }

    /// The reading half of the project's state.
    ///
    /// # Errors
    /// When nothing has run yet, or the state cannot be read.
    pub(crate) fn reader(&self, project: &Project) -> Result<Reader, CliError> {
        self.reader_if_any(project)?.ok_or_else(|| {
            CliError::usage("nothing has run in this project yet")
                .hint("start a run with `sandgate run WORKFLOW`")
        })
    }

    /// The same, without an error when nothing has run yet.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub(crate) fn reader_if_any(&self, project: &Project) -> Result<Option<Reader>, CliError> {
        match Reader::open(project) {
            Ok(reader) => Ok(Some(reader)),
            Err(LookError::Open(OpenError::Absent { .. })) => Ok(None),
            Err(error) => Err(look_error(&error)),
        }
    }

    /// A project that cannot be used, for a person.
    pub(crate) fn project_error(&self, error: ProjectError) -> CliError {
        match error {
            ProjectError::NotFound(dir) => {
                let dir = dir.display().to_string();
                CliError::usage(format!(
                    "there is no {PROJECT_FILE} in {} or above it",
                    Esc(&dir)
                ))
                .hint("make a project here with `sandgate init`, or name one with `-C DIR`")
            }
            ProjectError::Read { path, source } => not_readable(&path, &source),
            ProjectError::Invalid(found) => {
                diagnostics::invalid(&self.ui, "the project has mistakes", &found)
            }
        }
    }
}

fn not_readable(path: &Path, error: &io::Error) -> CliError {
    let path = path.display().to_string();
    CliError::usage(format!("cannot read {}", Esc(&path))).caused_by(error)
}

/// A state that cannot be read, for a person.
pub(crate) fn look_error(error: &LookError) -> CliError {
    let cli = CliError::host(error.to_string()).below(error);
    match error {
        LookError::Open(OpenError::Damaged { .. }) | LookError::Read(_) | LookError::Replay(_) => {
            cli.hint("`sandgate doctor` checks the whole journal")
        }
        _ => cli,
    }
}

/// A variable that holds an absolute path; the base directory specification says to ignore others.
fn directory(variable: &str, below_home: &str) -> Option<PathBuf> {
    let absolute = |value: OsString| Some(PathBuf::from(value)).filter(|p| p.is_absolute());
    std::env::var_os(variable).and_then(absolute).or_else(|| {
        std::env::home_dir()
            .filter(|p| p.is_absolute())
            .map(|home| home.join(below_home))
    })
}

/// The directories of `PATH` in which programs of commands are looked for. One inside the project, or a relative one, is
/// left out: whoever may write there would choose the program.
fn program_dirs(base: &Path) -> Vec<PathBuf> {
    let project = Project::find(base).ok();
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .filter(|dir| dir.is_absolute())
        .filter(|dir| {
            project
                .as_ref()
                .is_none_or(|project| !dir.starts_with(project))
        })
        .collect()
}

/// Where compiled components are kept; absent when the machine has no place for it.
pub(crate) fn cache_dir() -> Option<PathBuf> {
    directory("XDG_CACHE_HOME", ".cache").map(|dir| dir.join("sandgate"))
}

/// Where the operator's file would be.
pub(crate) fn operator_file() -> Option<PathBuf> {
    directory("XDG_CONFIG_HOME", ".config").map(|dir| dir.join(OPERATOR_FILE))
}

/// The operator's file. One that exists and cannot be read is an error: going on without it would lift the ceiling.
fn operator() -> Result<Option<Arc<Source>>, CliError> {
    let Some(path) = operator_file() else {
        return Ok(None);
    };
    let size = match path.metadata() {
        Ok(meta) => meta.len(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io_error("read the operator's file", &path, &error)),
    };
    if size > OPERATOR_MAX {
        return Err(CliError::invalid(
            "the operator's file is larger than 1 MiB",
        ));
    }
    let text = std::fs::read_to_string(&path)
        .map_err(|e| io_error("read the operator's file", &path, &e))?;
    Ok(Some(Source::new(path.display().to_string(), text)))
}
