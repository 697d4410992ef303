//! A project on disk: where it is, and what its file says.

use cap_std::{ambient_authority, fs::Dir};
use sandgate_model::{PluginName, Role};
use sandgate_workflow::{
    Diagnostics, Located, PluginSource, Project as ProjectFile, Source, Span, read_operator,
    read_project,
};
use std::{
    io::{self, Read},
    path::{Path, PathBuf},
    sync::Arc,
};

/// The file that makes a directory a project.
pub const PROJECT_FILE: &str = "sandgate.toml";
/// The state directory, beside it.
pub const STATE_DIR: &str = ".sandgate";
/// Largest user file that is read, in bytes: a workflow of 100,000 written tasks has about 20 MiB.
const FILE_MAX: u64 = 64 << 20;

/// A project whose file was read and found good.
#[derive(Clone, Debug)]
pub struct Project {
    dir: PathBuf,
    file: ProjectFile,
    warnings: Diagnostics,
    operator: Option<Arc<Source>>,
}

/// Why a directory cannot be used as a project.
#[derive(Debug, thiserror::Error)]
pub enum ProjectError {
    /// Neither the directory nor one above it has a `sandgate.toml`.
    #[error("no {PROJECT_FILE} in {} or in a directory above it", .0.display())]
    NotFound(PathBuf),
    /// A file cannot be read.
    #[error("{} cannot be read", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file has mistakes.
    #[error("{PROJECT_FILE} has mistakes")]
    Invalid(Diagnostics),
}

impl Project {
    /// The directory of the project that `start` is in: the nearest one, going up, with a `sandgate.toml`.
    ///
    /// # Errors
    /// When there is none.
    pub fn find(start: &Path) -> Result<PathBuf, ProjectError> {
        let start = start.canonicalize().map_err(|source| ProjectError::Read {
            path: start.to_owned(),
            source,
        })?;
        start
            .ancestors()
            .find(|dir| dir.join(PROJECT_FILE).is_file())
            .map(Path::to_owned)
            .ok_or(ProjectError::NotFound(start))
    }

    /// Reads the project in `dir`. `operator` is the operator's file, where there is one.
    ///
    /// # Errors
    /// When a file cannot be read or has mistakes; all of them at once.
    pub fn open(dir: &Path, operator: Option<Arc<Source>>) -> Result<Self, ProjectError> {
        let dir = dir.canonicalize().map_err(|source| ProjectError::Read {
            path: dir.to_owned(),
            source,
        })?;
        let source = read_source(&dir, PROJECT_FILE)?;
        let (file, mut diagnostics) = read_project(&source);
        let ceiling = operator.as_ref().map(|source| {
            let (operator, more) = read_operator(source);
            diagnostics.extend(more);
            operator
        });
        let Some(mut file) = file.filter(|_| !diagnostics.has_errors()) else {
            return Err(ProjectError::Invalid(diagnostics));
        };
        // A gate's `use` may name a gate that ships with sandgate; the project's own plugin of that name wins.
        for gate in sandgate_builtins::all()
            .iter()
            .filter(|b| b.role == Role::Gate.as_str())
        {
            if let Ok(name) = PluginName::new(gate.name) {
                let source = PluginSource::Builtin(gate.name.to_owned());
                file.plugins
                    .entry(name)
                    .or_insert_with(|| Located::new(source, Span::new(0, 0)));
            }
        }
        if let Some(ceiling) = ceiling {
            let Some(ceiling) = ceiling else {
                return Err(ProjectError::Invalid(diagnostics));
            };
            file = file.under(&ceiling);
        }
        Ok(Self {
            dir,
            file,
            warnings: diagnostics,
            operator,
        })
    }

    /// The project as its file is now: what was taken away since a host began counts at once.
    ///
    /// # Errors
    /// When the file cannot be read or has mistakes; then nothing may be decided by it.
    pub(crate) fn as_it_is(&self) -> Result<Self, String> {
        Self::open(&self.dir, self.operator.clone()).map_err(|error| match error {
            ProjectError::Invalid(found) => format!(
                "{PROJECT_FILE} has mistakes now: {}",
                found.render(sandgate_workflow::Style::Plain)
            ),
            error => crate::chain(&error),
        })
    }

    /// The project's directory, absolute.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The state directory; it may not exist yet.
    #[must_use]
    pub fn state_dir(&self) -> PathBuf {
        self.dir.join(STATE_DIR)
    }

    /// What the file says.
    #[must_use]
    pub fn file(&self) -> &ProjectFile {
        &self.file
    }

    /// Whether the project's own file names this plugin, rather than a gate that ships with sandgate.
    #[must_use]
    pub(crate) fn names_plugin(&self, name: &PluginName) -> bool {
        self.file
            .plugins
            .get(name)
            .is_some_and(|located| located.span != Span::new(0, 0))
    }

    /// Warnings about the file.
    #[must_use]
    pub fn warnings(&self) -> &Diagnostics {
        &self.warnings
    }

    /// Reads a workflow. `file` is as the user gave it, relative to the project's directory unless absolute.
    ///
    /// # Errors
    /// When it cannot be read or is not UTF-8.
    pub fn workflow(&self, file: &str) -> Result<Arc<Source>, ProjectError> {
        read_source(&self.dir, file)
    }

    /// A handle on the project's directory, through which the host opens everything below it.
    pub(crate) fn root(&self) -> io::Result<Dir> {
        Dir::open_ambient_dir(&self.dir, ambient_authority())
    }
}

/// Reads a text file that the user named. The user may name any file; only plugins are confined.
fn read_source(dir: &Path, file: &str) -> Result<Arc<Source>, ProjectError> {
    let path = dir.join(file);
    let read = || -> io::Result<String> {
        let mut text = String::new();
        let opened = std::fs::File::open(&path)?;
        if !opened.metadata()?.is_file() {
            return Err(io::Error::other("it is not a regular file"));
        }
        let size = opened.take(FILE_MAX + 1).read_to_string(&mut text)?;
        if size as u64 > FILE_MAX {
            return Err(io::Error::other(format!(
                "it is larger than {} MiB",
                FILE_MAX >> 20
            )));
        }
        Ok(text)
    };
    let text = read().map_err(|source| ProjectError::Read {
        path: path.clone(),
        source,
    })?;
    Ok(Source::new(file, text))
}
