//! How a host is set up. Data only: who reads the environment and the command line fills it in.

use std::{ffi::OsString, fmt, path::PathBuf};

/// Where answers of models come from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ModelSource {
    /// The providers.
    #[default]
    Live,
    /// The providers; [`crate::Host::recording`] has the whole answers afterwards.
    Record,
    /// This recording. Nothing is sent, and no key is read.
    Replay(String),
}

/// How a host is set up.
#[derive(Clone, Default)]
pub struct HostOptions {
    /// Where compiled components are kept; absent: compile each time.
    pub cache_dir: Option<PathBuf>,
    /// The command that runs, for whoever finds the project in use.
    pub command: String,
    /// The binary whose hidden modes start commands and compile components: this one. Absent: commands cannot run,
    /// and components are compiled in this process.
    pub launcher: Option<PathBuf>,
    /// Arguments that make it compile a component.
    pub compile_args: Vec<OsString>,
    /// Directories in which programs of commands are looked for, besides the usual ones.
    pub program_dirs: Vec<PathBuf>,
    /// Where answers of models come from.
    pub models: ModelSource,
    /// The environment that secrets may come from. Nothing else is taken from it.
    pub env: Vec<(OsString, OsString)>,
}

impl fmt::Debug for HostOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the environment: it holds secrets.
        f.debug_struct("HostOptions")
            .field("cache_dir", &self.cache_dir)
            .field("command", &self.command)
            .field("launcher", &self.launcher)
            .field("program_dirs", &self.program_dirs)
            .finish_non_exhaustive()
    }
}
