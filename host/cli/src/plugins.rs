//! The plugins of a project for commands that only look: no host is opened, so nothing is locked and no state
//! directory is made. Loads and describes; what a plugin may do is decided elsewhere.

use crate::{context::Context, error::CliError};
use sandgate_driver::Project;
use sandgate_model::{Description, PluginName, Role};
use sandgate_sandbox::{COMPONENT_MAX, Component, Sandbox};
use sandgate_workflow::{Catalog, CatalogEntry, Code, Diagnostic, Diagnostics, PluginSource};
use std::{borrow::Cow, collections::BTreeSet, io::Read as _, path::Path, sync::Arc};

/// A plugin that was loaded and has described itself.
#[derive(Debug)]
pub(crate) struct Loaded {
    /// The component.
    pub(crate) component: Arc<Component>,
    /// What it says of itself.
    pub(crate) description: Arc<Description>,
}

/// The sandbox for looking at plugins.
///
/// # Errors
/// When it cannot be made on this machine.
pub(crate) fn sandbox(ctx: &Context) -> Result<Sandbox, CliError> {
    sandgate_driver::sandbox(&ctx.host_options())
        .map_err(|e| CliError::host("the sandbox cannot be set up").caused_by(&e))
}

/// Every name a workflow of this project can use: the plugins of the project, and the builtin gates.
pub(crate) fn names(project: &Project) -> BTreeSet<PluginName> {
    let gates = sandgate_builtins::all()
        .iter()
        .filter(|b| b.role == Role::Gate.as_str());
    let gates = gates.filter_map(|b| PluginName::new(b.name).ok());
    project
        .file()
        .plugins
        .keys()
        .cloned()
        .chain(gates)
        .collect()
}

/// Where a name of [`names`] comes from. `None` for any other name.
pub(crate) fn source(project: &Project, name: &PluginName) -> Option<PluginSource> {
    match project.file().plugins.get(name) {
        Some(located) => Some(located.value.clone()),
        None => sandgate_builtins::find(name.as_str())
            .filter(|b| b.role == Role::Gate.as_str())
            .map(|b| PluginSource::Builtin(b.name.to_owned())),
    }
}

/// Loads a plugin of a project.
///
/// # Errors
/// Why it cannot be used, with its causes, for a person.
pub(crate) async fn load(
    sandbox: &Sandbox,
    project: &Project,
    from: &PluginSource,
) -> Result<Loaded, String> {
    match from {
        PluginSource::Builtin(name) => {
            let builtin = sandgate_builtins::find(name)
                .ok_or_else(|| format!("sandgate has no builtin plugin `{name}`"))?;
            of_bytes(sandbox, builtin.bytes.into()).await
        }
        PluginSource::Path(path) => {
            let bytes = read(&project.dir().join(path))
                .map_err(|e| format!("{path} cannot be read: {e}"))?;
            of_bytes(sandbox, bytes.into()).await
        }
        PluginSource::Oci(image) => Err(format!(
            "`{image}` is in a registry, and this version does not fetch images; download the component and use \
             {{ path = \"...\" }}"
        )),
    }
}

/// Loads a component.
///
/// # Errors
/// Why it is not a plugin, with its causes, for a person.
pub(crate) async fn of_bytes(
    sandbox: &Sandbox,
    bytes: Cow<'static, [u8]>,
) -> Result<Loaded, String> {
    let own = sandbox.clone();
    // Compiling takes up to seconds, so it happens where it may.
    let component = tokio::task::spawn_blocking(move || own.load(&bytes))
        .await
        .map_err(|e| format!("it could not be compiled: {e}"))?
        .map_err(|e| chain(&e))?;
    let description = sandbox
        .describe(&component)
        .await
        .map_err(|e| format!("it does not describe itself: {}", chain(&e)))?;
    Ok(Loaded {
        component,
        description,
    })
}

/// Reads a component's file; no more of it than a component may have, and one byte so that the sandbox refuses it.
///
/// # Errors
/// When it cannot be read, or is not a file: a device could be read for ever.
pub(crate) fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    let file = std::fs::File::open(path)?;
    if !file.metadata()?.is_file() {
        return Err(std::io::Error::other("it is not a regular file"));
    }
    let mut bytes = Vec::new();
    file.take(COMPONENT_MAX as u64 + 1)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// All plugins of a project as a catalog, and what is wrong with the others, at their places in the project's file.
pub(crate) async fn catalog(sandbox: &Sandbox, project: &Project) -> (Catalog, Diagnostics) {
    let mut found = Diagnostics::default();
    let mut entries = Vec::new();
    for name in names(project) {
        let Some(from) = source(project, &name) else {
            continue;
        };
        match load(sandbox, project, &from).await {
            Ok(loaded) => entries.extend(loaded.component.roles().first().map(|role| {
                let digest = loaded.component.digest();
                let description = (*loaded.description).clone();
                (
                    name,
                    CatalogEntry {
                        role: *role,
                        digest,
                        description,
                    },
                )
            })),
            Err(problem) => {
                if let Some(located) = project.file().plugins.get(&name) {
                    let message = format!("plugin `{name}` cannot be used: {problem}");
                    let place = project.file().source();
                    found.push(Diagnostic::new(
                        Code::PLUGIN_NOT_LOADED,
                        message,
                        place,
                        located.span,
                    ));
                }
            }
        }
    }
    (entries.into_iter().collect(), found)
}

/// An error with its causes, in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}
