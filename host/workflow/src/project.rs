//! A project as `sandgate.toml` describes it, and what an operator's file adds. Checked: names obey the grammar,
//! paths can be granted, the rules of the policy do not contradict each other.

use crate::{Located, Source};
use sandgate_authority::{OperatorCeiling, Policy};
use sandgate_model::{Millis, PluginName, ProjectName, SignalType};
use std::{collections::BTreeMap, sync::Arc};

/// Where a plugin comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PluginSource {
    /// Ships inside the binary: `builtin:NAME`.
    Builtin(String),
    /// A component on the disk, relative to the project's directory unless absolute.
    Path(String),
    /// An image in a registry. Read, but not available in this version.
    Oci(String),
}

/// Limits, with the defaults filled in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Memory of one instance, in bytes.
    pub memory: u64,
    /// Longest an attempt may take unless its task says otherwise.
    pub attempt: Millis,
    /// Output document of an attempt, in bytes.
    pub output: u64,
    /// Log of an attempt, in bytes.
    pub log: u64,
    /// One artifact, in bytes.
    pub artifact: u64,
    /// Most attempts at once, over what a workflow asks for.
    pub concurrency: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            // Enough for a std guest with a few documents; 40 of them fit into the memory of a small machine.
            memory: 64 << 20,
            // Two minutes: a person still waits for it, and a loop does not hold a slot for long.
            attempt: Millis(120_000),
            // What the contract says a JSON document may have.
            output: 4 << 20,
            // What the contract says of the log.
            log: 1 << 20,
            // A large report or picture; videos are not handed from task to task.
            artifact: 64 << 20,
            concurrency: MAX_CONCURRENCY,
        }
    }
}

/// Most attempts at once. A live instance takes about 64 MiB at worst and six memory maps, so more than this needs
/// a tuned machine.
pub const MAX_CONCURRENCY: u32 = 1024;

/// A rule of the policy that is read and kept, but that nothing grants in this version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FutureRule {
    /// Outgoing HTTP.
    Http {
        /// URL with `*` only at the end of the path.
        allow: String,
        /// Methods, upper case; at least one.
        methods: Vec<String>,
    },
    /// A command.
    Exec {
        /// Program name or path.
        program: String,
        /// Arguments, exactly.
        args: Vec<String>,
        /// Whether each use has to be approved.
        approval: bool,
    },
    /// Text generation.
    Model {
        /// Provider.
        provider: String,
        /// Names, or `*`.
        models: Vec<String>,
    },
    /// A secret.
    Secret {
        /// Name.
        name: String,
        /// Where its value comes from.
        from: String,
        /// Origin it may be sent to.
        to: String,
    },
}

/// A checked project file.
#[derive(Debug, Clone)]
pub struct Project {
    pub(crate) source: Arc<Source>,
    /// Its name.
    pub name: ProjectName,
    /// Plugins: name in the project, where it comes from, where that is written.
    pub plugins: BTreeMap<PluginName, Located<PluginSource>>,
    /// The ceiling for files.
    pub policy: Policy,
    /// Rules of other kinds, kept for later versions.
    pub future: Vec<FutureRule>,
    /// Limits.
    pub limits: Limits,
    /// The budget, in millionths of the currency unit; absent: none set.
    pub budget_micros: Option<u64>,
    /// Signal types it declares, besides [`Project::KNOWN_SIGNALS`].
    pub signals: Vec<SignalType>,
    /// The operator's ceiling, once it was applied.
    pub operator: Option<OperatorCeiling>,
    /// The operator's longest attempt, once it was applied; caps what tasks and gates ask for.
    pub cap_attempt: Option<Millis>,
}

impl Project {
    /// Signal types that every project has.
    pub const KNOWN_SIGNALS: [&'static str; 3] = ["ci", "review", "human_approval"];

    /// The file it was read from.
    #[must_use]
    pub fn source(&self) -> &Arc<Source> {
        &self.source
    }

    /// Whether a workflow may wait for signals of this type.
    #[must_use]
    pub fn knows_signal(&self, signal: &str) -> bool {
        Self::KNOWN_SIGNALS.contains(&signal) || self.signals.iter().any(|s| s.as_str() == signal)
    }

    /// The project under an operator's file: the ceiling is kept, limits are lowered. Never raises anything.
    #[must_use]
    pub fn under(mut self, operator: &Operator) -> Self {
        self.operator.clone_from(&operator.ceiling);
        self.cap_attempt = operator.limits.attempt;
        let (a, b) = (&mut self.limits, &operator.limits);
        let cap = |mine: &mut u64, most: Option<u64>| *mine = most.map_or(*mine, |m| m.min(*mine));
        cap(&mut a.memory, b.memory);
        cap(&mut a.output, b.output);
        cap(&mut a.log, b.log);
        cap(&mut a.artifact, b.artifact);
        cap(&mut a.attempt.0, b.attempt.map(|m| m.0));
        a.concurrency = b
            .concurrency
            .map_or(a.concurrency, |m| m.min(a.concurrency));
        self
    }
}

/// An operator's file: the most that any project on the machine may have.
#[derive(Debug, Clone, Default)]
pub struct Operator {
    /// Ceiling for authority; absent: the projects decide.
    pub ceiling: Option<OperatorCeiling>,
    /// Highest limits; absent ones are not lowered.
    pub limits: OperatorLimits,
}

/// The highest limits a project may set.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OperatorLimits {
    /// See [`Limits::memory`].
    pub memory: Option<u64>,
    /// See [`Limits::attempt`]; also caps `timeout` of tasks and gates.
    pub attempt: Option<Millis>,
    /// See [`Limits::output`].
    pub output: Option<u64>,
    /// See [`Limits::log`].
    pub log: Option<u64>,
    /// See [`Limits::artifact`].
    pub artifact: Option<u64>,
    /// See [`Limits::concurrency`].
    pub concurrency: Option<u32>,
}
