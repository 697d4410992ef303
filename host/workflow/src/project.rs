//! A project as `sandgate.toml` describes it, and what an operator's file adds. Checked: names obey the grammar,
//! paths can be granted, the rules of the policy do not contradict each other.

use crate::{Located, Provider, SecretSource, Source};
use sandgate_authority::{OperatorCeiling, Policy};
use sandgate_model::{Digest, Millis, PluginName, ProjectName, SignalType};
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
    /// Bytes an attempt writes to directories.
    pub disk: u64,
    /// Files and directories an attempt makes.
    pub files: u64,
    /// Calls of an attempt into the host.
    pub calls: u64,
    /// Bytes of an attempt over the network, both ways.
    pub network: u64,
    /// Tokens of text generation of an attempt, in and out.
    pub tokens: u64,
    /// Requests, commands, generations and charges of an attempt together.
    pub effects: u64,
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
            // A build of a middling program; a loop that writes fills no disk.
            disk: 256 << 20,
            // A checkout of a middling repository.
            files: 10_000,
            // A million calls take about a second: more is a loop.
            calls: 1_000_000,
            // As much as the largest artifact.
            network: 64 << 20,
            // Some ten documents read by a large model, and their answers.
            tokens: 1_000_000,
            // Each leaves two records in the journal.
            effects: 10_000,
            concurrency: MAX_CONCURRENCY,
        }
    }
}

/// Most attempts at once. A live instance takes about 64 MiB at worst and six memory maps, so more than this needs
/// a tuned machine.
pub const MAX_CONCURRENCY: u32 = 1024;

/// Somebody that may act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// Its name.
    pub name: String,
    /// Its roles; sorted, each once.
    pub roles: Vec<String>,
    /// The user of the operating system that it is.
    pub user: Option<String>,
    /// SHA-256 of the token that it shows.
    pub token: Option<Digest>,
}

impl Principal {
    /// Whether it has this role.
    #[must_use]
    pub fn has(&self, role: &str) -> bool {
        self.roles.iter().any(|r| r == role)
    }
}

/// A checked project file.
#[derive(Debug, Clone)]
pub struct Project {
    pub(crate) source: Arc<Source>,
    /// Its name.
    pub name: ProjectName,
    /// Plugins: name in the project, where it comes from, where that is written.
    pub plugins: BTreeMap<PluginName, Located<PluginSource>>,
    /// The ceiling of authority.
    pub policy: Policy,
    /// Providers of text generation, and where each is named.
    pub providers: BTreeMap<String, Located<Provider>>,
    /// Where the value of each secret comes from. Where it may go is in the policy.
    pub secrets: BTreeMap<String, SecretSource>,
    /// Limits.
    pub limits: Limits,
    /// Limits as the file says, before an operator's were applied: what tasks may not exceed.
    pub(crate) own_limits: Limits,
    /// The budget, in millionths of the currency unit; absent: none set.
    pub budget_micros: Option<u64>,
    /// Signal types it declares, besides [`Project::KNOWN_SIGNALS`].
    pub signals: Vec<SignalType>,
    /// People that may act, in file order, no two with one name, user or token. None: the owner of the project's state
    /// has every role.
    pub principals: Vec<Principal>,
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

    /// The principal with this name.
    #[must_use]
    pub fn principal(&self, name: &str) -> Option<&Principal> {
        self.principals.iter().find(|p| p.name == name)
    }

    /// The principal that this user of the operating system is.
    #[must_use]
    pub fn principal_of_user(&self, user: &str) -> Option<&Principal> {
        self.principals
            .iter()
            .find(|p| p.user.as_deref() == Some(user))
    }

    /// The principal whose token has this digest. Comparing digests tells nothing about tokens, whatever time it takes.
    #[must_use]
    pub fn principal_of_token(&self, token: Digest) -> Option<&Principal> {
        self.principals.iter().find(|p| p.token == Some(token))
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
        cap(&mut a.disk, b.disk);
        cap(&mut a.files, b.files);
        cap(&mut a.calls, b.calls);
        cap(&mut a.network, b.network);
        cap(&mut a.tokens, b.tokens);
        cap(&mut a.effects, b.effects);
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
    /// See [`Limits::disk`].
    pub disk: Option<u64>,
    /// See [`Limits::files`].
    pub files: Option<u64>,
    /// See [`Limits::calls`].
    pub calls: Option<u64>,
    /// See [`Limits::network`].
    pub network: Option<u64>,
    /// See [`Limits::tokens`].
    pub tokens: Option<u64>,
    /// See [`Limits::effects`].
    pub effects: Option<u64>,
    /// See [`Limits::concurrency`].
    pub concurrency: Option<u32>,
}
