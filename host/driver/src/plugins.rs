//! The project's plugins, loaded when somebody needs them: component, description, compiled schemas. A plan pins
//! the digest; a component that changed since is refused, never quietly used.

use crate::{local::lock, project::Project};
use sandgate_model::{Description, Digest, Plan, PluginName};
use sandgate_sandbox::{COMPONENT_MAX, Component, Sandbox};
use sandgate_workflow::{Catalog, CatalogEntry, InputSchema, PluginSource, Workflow, WrittenWork};
use serde_json::Value;
use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    io::Read,
    path::Path,
    sync::{Arc, Mutex},
};

/// A plugin that was loaded.
#[derive(Debug)]
pub struct Plugin {
    /// The component.
    pub component: Arc<Component>,
    /// What it says of itself.
    pub description: Arc<Description>,
    input: Option<InputSchema>,
    output: Option<InputSchema>,
}

impl Plugin {
    /// Loads a component and asks it what it is.
    ///
    /// # Errors
    /// Why it is not a plugin, with its causes, for a person.
    pub async fn of_bytes(sandbox: &Sandbox, bytes: Cow<'static, [u8]>) -> Result<Self, String> {
        let own = sandbox.clone();
        // Compiling takes up to seconds, so it happens where it may.
        let component = match tokio::task::spawn_blocking(move || own.load(&bytes)).await {
            Ok(Ok(component)) => component,
            Ok(Err(error)) => return Err(crate::chain(&error)),
            Err(error) => return Err(format!("it could not be loaded: {error}")),
        };
        let description = sandbox
            .describe(&component)
            .await
            .map_err(|error| format!("it does not describe itself: {}", crate::chain(&error)))?;
        let compile = |schema: &Option<Value>, what: &str| {
            schema
                .as_ref()
                .map(|schema| {
                    InputSchema::new(schema).map_err(|e| {
                        format!("its {what} schema cannot be used: {}", crate::chain(&e))
                    })
                })
                .transpose()
        };
        let input = compile(&description.input_schema, "input")?;
        let output = compile(&description.output_schema, "output")?;
        Ok(Self {
            component,
            description,
            input,
            output,
        })
    }

    /// Its digest.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.component.digest()
    }

    pub(crate) fn check_input(&self, input: &Value) -> Result<(), String> {
        check(
            self.input.as_ref(),
            input,
            "its input does not match the agent's schema",
        )
    }

    pub(crate) fn check_output(&self, output: &Value) -> Result<(), String> {
        check(
            self.output.as_ref(),
            output,
            "its output does not match its own schema",
        )
    }
}

fn check(schema: Option<&InputSchema>, value: &Value, what: &str) -> Result<(), String> {
    match schema.map(|schema| schema.check(value)) {
        None | Some(Ok(())) => Ok(()),
        Some(Err(found)) => {
            let found: Vec<String> = found.iter().map(ToString::to_string).collect();
            Err(format!("{what}: {}", found.join("; ")))
        }
    }
}

/// Why a plugin cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginProblem {
    /// Its name in the project.
    pub name: String,
    /// What is wrong and what to do.
    pub message: String,
}

type Slot = Result<Arc<Plugin>, String>;

/// The plugins of one project.
pub struct Plugins {
    project: Arc<Project>,
    sandbox: Sandbox,
    loaded: Mutex<BTreeMap<PluginName, Slot>>,
}

impl Plugins {
    /// The plugins of `project`, loaded into `sandbox` when somebody needs them. Needs no journal and no lock.
    #[must_use]
    pub fn new(project: Arc<Project>, sandbox: Sandbox) -> Self {
        Self {
            project,
            sandbox,
            loaded: Mutex::default(),
        }
    }

    /// Loads what is not loaded yet and answers with a catalog of these plugins, and with what could not be
    /// loaded. A name that is not in the project is left out: whoever checks the workflow says where it stands.
    pub async fn catalog(&self, names: &BTreeSet<PluginName>) -> (Catalog, Vec<PluginProblem>) {
        let mut problems = Vec::new();
        let mut entries = Vec::new();
        for name in names {
            match self.load(name).await {
                Some(Ok(plugin)) => {
                    let Some(role) = plugin.component.roles().first().copied() else {
                        let message = "it exports no role: planner, agent or gate".to_owned();
                        problems.push(PluginProblem {
                            name: name.to_string(),
                            message,
                        });
                        continue;
                    };
                    let entry = CatalogEntry {
                        role,
                        digest: plugin.digest(),
                        description: (*plugin.description).clone(),
                    };
                    entries.push((name.clone(), entry));
                }
                Some(Err(message)) => {
                    problems.push(PluginProblem {
                        name: name.to_string(),
                        message,
                    });
                }
                None => {}
            }
        }
        (entries.into_iter().collect(), problems)
    }

    /// Every name a workflow of this project can use: the plugins of the project, and the gates that ship with
    /// sandgate.
    #[must_use]
    pub fn names(&self) -> BTreeSet<PluginName> {
        self.project.file().plugins.keys().cloned().collect()
    }

    /// The plugins that a workflow needs to be checked and planned: those it names; with a planner, every plugin
    /// of the project, since a planner may use any agent.
    #[must_use]
    pub fn wanted(&self, workflow: &Workflow) -> BTreeSet<PluginName> {
        if workflow.planner.is_some() {
            return self.names();
        }
        let agents = workflow.tasks.iter().filter_map(|task| match &task.work {
            WrittenWork::Agent { agent, .. } => Some(agent.value.clone()),
            WrittenWork::Wait { .. } => None,
        });
        agents
            .chain(workflow.gates.iter().map(|gate| gate.plugin.value.clone()))
            .collect()
    }

    /// A plugin, loaded now if it was not. `None` when the project has none of that name.
    pub async fn load(&self, name: &PluginName) -> Option<Result<Arc<Plugin>, String>> {
        if let Some(slot) = lock(&self.loaded).get(name) {
            return Some(slot.clone());
        }
        let slot = self.load_now(name).await?;
        lock(&self.loaded).insert(name.clone(), slot.clone());
        Some(slot)
    }

    /// The plugin of a frozen plan, only if it is the very component that was frozen.
    pub(crate) async fn pinned(
        &self,
        name: &PluginName,
        plan: &Plan,
    ) -> Result<Arc<Plugin>, String> {
        let frozen = plan
            .plugins
            .get(name)
            .ok_or_else(|| format!("the plan names no plugin `{name}`"))?;
        let plugin = self
            .load(name)
            .await
            .ok_or_else(|| {
                format!("the project has no plugin `{name}` any more; put it back into [plugins]")
            })?
            .map_err(|message| format!("plugin `{name}` cannot be used: {message}"))?;
        if plugin.digest() != frozen.digest {
            return Err(format!(
                "plugin `{name}` changed since the plan was made: the plan has {}, the project has {}; \
                 start a new run, or put the old component back",
                frozen.digest,
                plugin.digest()
            ));
        }
        Ok(plugin)
    }

    async fn load_now(&self, name: &PluginName) -> Option<Slot> {
        let source = self
            .project
            .file()
            .plugins
            .get(name)
            .map(|located| located.value.clone())?;
        Some(self.load_from(source).await.map(Arc::new))
    }

    async fn load_from(&self, source: PluginSource) -> Result<Plugin, String> {
        let bytes = match source {
            PluginSource::Builtin(name) => sandgate_builtins::find(&name)
                .ok_or_else(|| format!("sandgate has no builtin plugin `{name}`"))?
                .bytes
                .into(),
            PluginSource::Path(path) => {
                let full = self.project.dir().join(&path);
                match tokio::task::spawn_blocking(move || read_component(&full)).await {
                    Ok(Ok(bytes)) => bytes.into(),
                    Ok(Err(error)) => return Err(format!("{path} cannot be read: {error}")),
                    Err(error) => return Err(format!("{path} cannot be read: {error}")),
                }
            }
            PluginSource::Oci(image) => {
                return Err(format!(
                    "`{image}` is in a registry, and this version of sandgate does not fetch images; \
                     download the component and use {{ path = \"...\" }}"
                ));
            }
        };
        Plugin::of_bytes(&self.sandbox, bytes).await
    }
}

/// Reads a component's file; no more of it than a component may have, and one byte so that the sandbox refuses it.
///
/// # Errors
/// When it cannot be read, or is not a regular file: a device could be read for ever.
pub fn read_component(path: &Path) -> std::io::Result<Vec<u8>> {
    let file = std::fs::File::open(path)?;
    if !file.metadata()?.is_file() {
        return Err(std::io::Error::other("it is not a regular file"));
    }
    let mut bytes = Vec::new();
    file.take(COMPONENT_MAX as u64 + 1)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}
