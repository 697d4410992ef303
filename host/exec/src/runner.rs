//! Puts one command together: permit, directories, secrets, limits, and what the machine offers. Everything that can
//! be found wrong before something starts is found here. Must not decide what may run.

use crate::{
    Containment, ExecError, Finished, LineSink, OutputCaps, Program,
    program::PATH,
    redact::{Redactor, SECRET_MIN},
    run::{Prepared, supervise},
    scratch::Scratch,
    wire::{Access, Identity, Launch, Place, Rlimits, VERSION},
};
use sandgate_authority::ExecPermit;
use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
    time::Duration,
};
use zeroize::Zeroizing;

/// What a single command may take of the machine, besides its time. Each is the kernel's limit of that name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Longest any command runs, whatever its rule says.
    pub timeout: Duration,
    /// Bytes of address space, per process. Not memory in use: some runtimes reserve tens of GiB and use little.
    pub address_space: u64,
    /// Processes and threads at once. Holds where there are user namespaces.
    pub processes: u64,
    /// Bytes of the largest file that can be written.
    pub file_size: u64,
    /// Open files, per process.
    pub open_files: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            // A build and test run of a large project; longer ones want a rule of their own.
            timeout: Duration::from_secs(3600),
            // What node reserves for a handful of wasm modules fits; a runaway allocation does not.
            address_space: 128 << 30,
            // A parallel build on a large machine.
            processes: 2048,
            // The largest debug binaries fit.
            file_size: 4 << 30,
            // Bundlers watch and open thousands.
            open_files: 8192,
        }
    }
}

/// How commands are run on this machine.
#[derive(Clone, Debug, Default)]
pub struct RunnerConfig {
    /// The binary whose `main` begins with [`crate::launcher::run_if_launched`]; usually this very one.
    pub launcher: PathBuf,
    /// Private directory for scratch directories, absolute; made when it is not there. Never in a directory that a
    /// plugin or a command can write.
    pub scratch: PathBuf,
    /// Further directories of programs, after `/usr/local/bin`, `/usr/bin` and `/bin`; such as `~/.cargo/bin`.
    pub path: Vec<PathBuf>,
    /// Directories that every command may read and run from: toolchains, such as `~/.rustup`. One that is not there
    /// is left out. Not `~/.cargo` and its like, which hold keys for registries beside the programs.
    pub read: Vec<PathBuf>,
    /// Directories that plugins or commands can write: a program that lies in one is refused.
    pub writable: Vec<PathBuf>,
    /// Limits.
    pub limits: Limits,
}

/// A directory that a command may use.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DirGrant {
    /// Absolute path on the host. Must not itself be a link.
    pub path: PathBuf,
    /// Whether it may be written.
    pub write: bool,
    /// Device and inode, when the caller holds the directory open and knows them: another directory under the same
    /// name is then refused. Otherwise what is there at the call is meant.
    pub identity: Option<(u64, u64)>,
}

/// A secret that a command gets as an environment variable.
#[derive(Clone)]
pub struct SecretEnv {
    /// Name of secret and variable.
    pub name: String,
    /// Value; at least 4 bytes, so that it can be taken out of what the command prints.
    pub value: Zeroizing<String>,
}

impl std::fmt::Debug for SecretEnv {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SecretEnv")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// What one command gets besides its permit.
#[derive(Clone, Default)]
pub struct RunSpec {
    /// The program, when it was resolved when the rule was granted; otherwise it is looked for now.
    pub program: Option<Program>,
    /// Directories that it may use. No write without one.
    pub dirs: Vec<DirGrant>,
    /// Where it starts: the host's path for [`ExecPermit::cwd`], in one of `dirs`. Absent exactly when the permit has
    /// none: then it starts in an empty directory.
    pub cwd: Option<PathBuf>,
    /// Exactly the secrets that the permit names.
    pub secrets: Vec<SecretEnv>,
    /// What is left of the attempt. The shortest of this, the rule's and the machine's limit holds.
    pub timeout: Option<Duration>,
    /// How much of the output is kept.
    pub caps: OutputCaps,
    /// Gets the output line by line, as it comes.
    pub on_line: Option<LineSink>,
}

struct Inner {
    config: RunnerConfig,
    containment: OnceLock<Containment>,
}

/// Runs permitted commands, contained.
#[derive(Clone)]
pub struct Runner {
    inner: Arc<Inner>,
}

impl Runner {
    /// A runner. Looks at nothing yet: the machine is probed at the first use.
    #[must_use]
    pub fn new(config: RunnerConfig) -> Self {
        Self {
            inner: Arc::new(Inner {
                config,
                containment: OnceLock::new(),
            }),
        }
    }

    /// A runner that takes the machine to be like this, and does not probe.
    #[must_use]
    pub fn with_containment(config: RunnerConfig, containment: Containment) -> Self {
        let runner = Self::new(config);
        // It is new: nothing can be there yet.
        let _ = runner.inner.containment.set(containment);
        runner
    }

    /// What the machine offers. The first call probes and blocks for some 20 ms.
    #[must_use]
    pub fn containment(&self) -> &Containment {
        self.inner
            .containment
            .get_or_init(|| Containment::probe(&self.inner.config.launcher))
    }

    /// Where commands have their own directories while they run, one below it for each.
    #[must_use]
    pub fn scratch(&self) -> &Path {
        &self.inner.config.scratch
    }

    /// Finds a program by its name in the fixed path, or by its absolute path. To be called when a rule is granted,
    /// and what is found to be handed to [`Self::run`], which checks that it is still the same file. Reads the disk.
    ///
    /// # Errors
    /// That there is none, that it is no program, or that plugins or commands could have replaced it.
    pub fn resolve(&self, program: &str) -> Result<Program, ExecError> {
        let config = &self.inner.config;
        Program::find(program, &self.path(), &config.writable)
    }

    fn path(&self) -> Vec<PathBuf> {
        let fixed = PATH.iter().map(PathBuf::from);
        fixed
            .chain(self.inner.config.path.iter().cloned())
            .collect()
    }

    /// Runs one command to its end, contained. Dropping the future kills it and everything it started.
    ///
    /// Needs a tokio runtime with I/O and time.
    ///
    /// # Errors
    /// That it cannot be contained or started, that permit and spec do not belong together, or that the host could not
    /// do its part. A command that ran and failed is no error.
    pub fn run(
        &self,
        permit: ExecPermit,
        spec: RunSpec,
    ) -> impl Future<Output = Result<Finished, ExecError>> + Send + use<> {
        let this = self.clone();
        async move {
            let prepared = tokio::task::spawn_blocking(move || this.prepare(&permit, spec))
                .await
                .map_err(|e| ExecError::host("the command could not be prepared", e.into()))??;
            Box::pin(supervise(prepared)).await
        }
    }

    fn prepare(&self, permit: &ExecPermit, spec: RunSpec) -> Result<Prepared, ExecError> {
        self.containment()
            .sufficient()
            .map_err(ExecError::NotContained)?;
        let features = self.containment().features();
        let config = &self.inner.config;
        let program = match spec.program {
            Some(program) => program,
            None => self.resolve(permit.program())?,
        };
        if !program.matches(permit.program()) {
            return Err(ExecError::Invalid(format!(
                "the program {} was resolved for another rule than `{}`",
                program.path().display(),
                permit.name()
            )));
        }
        program.check()?;
        not_in(&program, &spec.dirs)?;
        let timeout = [
            spec.timeout,
            permit.timeout().map(|ms| Duration::from_millis(ms.0)),
        ]
        .into_iter()
        .flatten()
        .fold(config.limits.timeout, Duration::min);

        let scratch = Scratch::make(&config.scratch)?;
        let at = |name: &str| scratch.path().join(name);
        let mut places = vec![place(scratch.path(), Access::Scratch, None)?];
        for dir in &spec.dirs {
            places.push(granted(dir, scratch.path())?);
        }
        let (cwd, cwd_rest) = match (&spec.cwd, permit.cwd()) {
            (Some(cwd), Some(_)) => start_in(cwd, &spec.dirs)?,
            (None, None) => (0, "work".to_owned()),
            (given, _) => {
                return Err(ExecError::Invalid(format!(
                    "the permit {} a directory to start in, and the call {} one",
                    if permit.cwd().is_some() {
                        "names"
                    } else {
                        "does not name"
                    },
                    if given.is_some() {
                        "has"
                    } else {
                        "does not have"
                    },
                )));
            }
        };
        for dir in permit.read() {
            let path = Path::new(dir);
            if !path.is_absolute() {
                return Err(ExecError::Invalid(format!(
                    "the directory `{dir}` in `read` of the rule `{}` is not absolute",
                    permit.name()
                )));
            }
            let real = fs::canonicalize(path).map_err(|e| {
                ExecError::NotStarted(format!(
                    "the directory `{dir}` in `read` of the rule `{}` cannot be used: {e}",
                    permit.name()
                ))
            })?;
            places.push(place(&real, Access::Read, None)?);
        }
        for dir in config.read.iter().chain(&config.path) {
            places.push(optional(dir)?);
        }
        places.push(optional(program.path())?);
        places.push(optional(program.real())?);

        let env = self.environment(permit, &spec.secrets, &at("home"), &at("tmp"))?;
        let secrets = || {
            spec.secrets
                .iter()
                .map(|s| (s.name.as_str(), s.value.as_str()))
        };
        let redactors = (Redactor::new(secrets()), Redactor::new(secrets()));
        let launch = Launch {
            version: VERSION,
            features,
            program: text(program.path())?,
            program_identity: program.identity().clone(),
            args: permit.args().to_vec(),
            env,
            places,
            cwd,
            cwd_rest,
            network: permit.network(),
            limits: rlimits(&config.limits, timeout),
        };
        let mut order = Zeroizing::new(
            serde_json::to_vec(&launch)
                .map_err(|e| ExecError::host("the order cannot be written", e.into()))?,
        );
        order.push(b'\n');
        Ok(Prepared {
            launcher: config.launcher.clone(),
            namespaces: features.namespaces(permit.network()),
            order,
            scratch,
            timeout,
            caps: spec.caps,
            on_line: spec.on_line,
            redactors,
        })
    }

    /// The fixed variables, the rule's, the secrets; a later one wins.
    fn environment(
        &self,
        permit: &ExecPermit,
        secrets: &[SecretEnv],
        home: &Path,
        tmp: &Path,
    ) -> Result<Vec<(String, String)>, ExecError> {
        let mut names: Vec<&str> = secrets.iter().map(|s| s.name.as_str()).collect();
        names.sort_unstable();
        let mut wanted: Vec<&str> = permit.secrets().iter().map(String::as_str).collect();
        wanted.sort_unstable();
        if names != wanted {
            return Err(ExecError::Invalid(format!(
                "the rule `{}` names the secrets {wanted:?}, and the call has {names:?}",
                permit.name()
            )));
        }
        let path: Vec<String> = self
            .path()
            .iter()
            .map(|p| text(p))
            .collect::<Result<_, _>>()?;
        let mut env = vec![
            ("PATH".to_owned(), path.join(":")),
            ("HOME".to_owned(), text(home)?),
            ("LANG".to_owned(), "C.UTF-8".to_owned()),
            ("TMPDIR".to_owned(), text(tmp)?),
        ];
        env.extend(permit.env().iter().map(|(k, v)| (k.clone(), v.clone())));
        for secret in secrets {
            if secret.value.len() < SECRET_MIN {
                return Err(ExecError::Invalid(format!(
                    "the secret `{}` has fewer than {SECRET_MIN} bytes and could not be taken out of what a command prints; give it a longer value",
                    secret.name
                )));
            }
            env.push((secret.name.clone(), secret.value.as_str().to_owned()));
        }
        for (name, value) in &env {
            if name.is_empty() || name.contains(['=', '\0']) || value.contains('\0') {
                return Err(ExecError::Invalid(format!(
                    "the environment variable {name:?} of the rule `{}` has a name or value that no program can get",
                    permit.name()
                )));
            }
        }
        if permit.args().iter().any(|a| a.contains('\0')) {
            return Err(ExecError::Invalid(
                "an argument has a zero byte in it".to_owned(),
            ));
        }
        Ok(env)
    }
}

fn rlimits(limits: &Limits, timeout: Duration) -> Rlimits {
    let cores =
        std::thread::available_parallelism().map_or(1, |n| u64::try_from(n.get()).unwrap_or(1));
    Rlimits {
        // As much as all cores give in the time, which is the real limit; this one holds when the host cannot.
        cpu_s: timeout.as_secs().saturating_add(1).saturating_mul(cores),
        address_space: limits.address_space,
        processes: limits.processes,
        file_size: limits.file_size,
        open_files: limits.open_files,
    }
}

/// The path as text: paths travel in JSON.
fn text(path: &Path) -> Result<String, ExecError> {
    path.to_str().map(str::to_owned).ok_or_else(|| {
        ExecError::Invalid(format!(
            "the path {} is not UTF-8; commands cannot use it",
            path.display()
        ))
    })
}

/// A directory that has to be there, and be this one.
fn place(path: &Path, access: Access, known: Option<(u64, u64)>) -> Result<Place, ExecError> {
    let shown = path.display();
    let meta = fs::symlink_metadata(path)
        .map_err(|e| ExecError::NotStarted(format!("the directory {shown} cannot be used: {e}")))?;
    if meta.is_symlink() {
        return Err(ExecError::NotStarted(format!(
            "{shown} is a link, and could lead elsewhere tomorrow; grant the directory itself"
        )));
    }
    let now = (meta.dev(), meta.ino());
    if known.is_some_and(|known| known != now) {
        return Err(ExecError::NotStarted(format!(
            "{shown} is not the directory that was granted: it was replaced in the meantime"
        )));
    }
    Ok(Place {
        path: text(path)?,
        identity: Some(Identity {
            dev: now.0,
            ino: now.1,
        }),
        access,
    })
}

/// Something that may be read when it is there.
fn optional(path: &Path) -> Result<Place, ExecError> {
    Ok(Place {
        path: text(path)?,
        identity: None,
        access: Access::Read,
    })
}

fn granted(dir: &DirGrant, scratch: &Path) -> Result<Place, ExecError> {
    let shown = dir.path.display();
    if !dir.path.is_absolute() {
        return Err(ExecError::Invalid(format!(
            "the granted directory {shown} is not absolute"
        )));
    }
    let real = fs::canonicalize(&dir.path)
        .map_err(|e| ExecError::NotStarted(format!("the directory {shown} cannot be used: {e}")))?;
    let holds_scratch = fs::canonicalize(scratch).is_ok_and(|s| s.starts_with(&real));
    if dir.write && holds_scratch {
        return Err(ExecError::Invalid(format!(
            "the directory {shown} is to be writable and holds the scratch directories of commands"
        )));
    }
    let access = if dir.write {
        Access::Write
    } else {
        Access::Read
    };
    place(&dir.path, access, dir.identity)
}

/// Which of the directories holds `cwd` (its index in the places, where the scratch directory is first), and the path
/// below it.
fn start_in(cwd: &Path, dirs: &[DirGrant]) -> Result<(usize, String), ExecError> {
    let deepest = dirs
        .iter()
        .enumerate()
        .filter_map(|(i, d)| Some((i, cwd.strip_prefix(&d.path).ok()?)))
        .min_by_key(|(_, rest)| rest.components().count());
    let Some((i, rest)) = deepest else {
        return Err(ExecError::Invalid(format!(
            "the directory to start in, {}, lies in none of the granted ones",
            cwd.display()
        )));
    };
    Ok((i.saturating_add(1), text(rest)?))
}

fn not_in(program: &Program, dirs: &[DirGrant]) -> Result<(), ExecError> {
    for dir in dirs.iter().filter(|d| d.write) {
        let real = fs::canonicalize(&dir.path).unwrap_or_else(|_| dir.path.clone());
        if program.real().starts_with(&real) || program.path().starts_with(&real) {
            return Err(ExecError::NotStarted(format!(
                "the program {} lies in {}, which it may write: what runs there could have replaced it; use one outside",
                program.path().display(),
                dir.path.display()
            )));
        }
    }
    Ok(())
}
