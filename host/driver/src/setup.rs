//! Sets up whoever does what leaves the process, from a project's file. Starts nothing and connects to nothing.

use crate::{
    effects::Brokers,
    options::{HostOptions, ModelSource},
    project::Project,
};
use sandgate_egress::{Egress, EgressConfig, EgressSetupError};
use sandgate_exec::{Runner, RunnerConfig, remove_leftovers};
use sandgate_llm::{
    Jitter, Mode, Models, ModelsConfig, Price, ProviderConfig, ProviderKind, Recorder,
    RecordingError, ReplaySource, Times,
};
use sandgate_model::FileMode;
use sandgate_vault::{SecretFrom, SecretSpec, SpecError, Vault};
use sandgate_workflow::SecretSource;
use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

/// Tries after the first at a provider that is overloaded or out of reach: about fifteen seconds of waiting.
const RETRIES: u8 = 4;

/// Where commands have their scratch directories, in the state directory.
const SCRATCH_DIR: &str = "commands";

/// Why the brokers cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// Two secrets of one name, and the like.
    #[error("the secrets of the project cannot be used")]
    Secrets(#[from] SpecError),
    /// What a killed host's commands left cannot be removed.
    #[error("{} cannot be cleaned up", .0.display())]
    Scratch(PathBuf, #[source] std::io::Error),
    /// TLS cannot be set up.
    #[error("outgoing HTTP cannot be set up")]
    Egress(#[from] EgressSetupError),
    /// The recording of models' answers cannot be used.
    #[error(transparent)]
    Recording(#[from] RecordingError),
    /// A provider's address cannot be used.
    #[error("the providers of the project cannot be used")]
    Models(#[from] sandgate_llm::ProviderError),
}

/// The brokers of a project.
pub(crate) fn brokers(
    project: &Project,
    state_dir: &Path,
    options: &HostOptions,
) -> Result<Brokers, BrokerError> {
    let vault = Arc::new(vault(project, options)?);
    let egress = Egress::new(EgressConfig::default())?;
    let scratch = state_dir.join(SCRATCH_DIR);
    remove_leftovers(&scratch).map_err(|error| BrokerError::Scratch(scratch.clone(), error))?;
    let writable: Vec<PathBuf> = project
        .file()
        .policy
        .files()
        .iter()
        .filter(|rule| rule.grant.mode == FileMode::Write)
        .map(|rule| project.dir().join(rule.grant.host.as_str()))
        .chain([state_dir.to_owned()])
        .collect();
    let runner = Runner::new(RunnerConfig {
        launcher: options.launcher.clone().unwrap_or_default(),
        scratch,
        path: options.program_dirs.clone(),
        read: Vec::new(),
        writable,
        limits: sandgate_exec::Limits::default(),
    });
    let (mode, recorder) = match &options.models {
        ModelSource::Live => (Mode::Live, None),
        ModelSource::Record => {
            let recorder = Recorder::default();
            (Mode::Record(recorder.clone()), Some(recorder))
        }
        ModelSource::Replay(document) => (Mode::Replay(ReplaySource::parse(document)?), None),
    };
    let models = Models::new(ModelsConfig {
        providers: providers(project),
        limits: sandgate_llm::Limits::default(),
        egress: egress.clone(),
        vault: Arc::clone(&vault),
        jitter: jitter(),
        mode,
    })?;
    Ok(Brokers {
        egress,
        runner,
        models: Arc::new(models),
        vault,
        recorder,
    })
}

fn providers(project: &Project) -> Vec<ProviderConfig> {
    let configs = project.file().providers.iter().map(|(name, located)| {
        let provider = &located.value;
        let prices = provider.prices.iter().map(|(model, price)| {
            let price = Price {
                input: price.input_micros,
                output: price.output_micros,
            };
            (model.clone(), price)
        });
        ProviderConfig {
            name: name.clone(),
            kind: match provider.kind {
                sandgate_workflow::ProviderKind::OpenAi => ProviderKind::OpenAi,
                sandgate_workflow::ProviderKind::Anthropic => ProviderKind::Anthropic,
            },
            url: provider.url.clone(),
            key: provider.key.clone(),
            prices: prices.collect(),
            times: Times::within(Duration::from_millis(provider.timeout.0)),
            max_retries: RETRIES,
            private: provider.private,
        }
    });
    configs.collect()
}

/// Waits between tries differ, so that many attempts do not come back at the same moment.
fn jitter() -> Jitter {
    Jitter::new(|_| {
        // The end of such an id is random.
        let [.., a, b] = uuid::Uuid::now_v7().into_bytes();
        u16::from_le_bytes([a, b]) % 1000
    })
}

fn vault(project: &Project, options: &HostOptions) -> Result<Vault, SpecError> {
    let file = project.file();
    let specs = file.policy.secrets().iter().filter_map(|rule| {
        // A secret without a source was reported when the file was read.
        let from = match file.secrets.get(&rule.grant.name)? {
            SecretSource::Env(name) => SecretFrom::Env(name.clone()),
            SecretSource::File(path) => SecretFrom::File(PathBuf::from(path)),
            SecretSource::Command(argv) => SecretFrom::Command(argv.clone()),
        };
        Some(SecretSpec {
            name: rule.grant.name.clone(),
            from,
            to: rule.grant.to.clone(),
        })
    });
    Vault::new(specs.collect(), project.dir(), options.env.iter().cloned())
}
