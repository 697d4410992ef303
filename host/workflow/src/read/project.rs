//! Reads `sandgate.toml`.

use super::{limits::limits, open, policy, principals, providers};
use crate::{
    Code, Diagnostic, Diagnostics, Located, PluginSource, Project, Source, Span,
    node::{Leaf, Node},
    shape::PROJECT,
};
use sandgate_authority::PathError;
use sandgate_model::{ArtifactName, FileMode, PluginName, ProjectName, SignalType};
use std::{collections::BTreeMap, sync::Arc};

/// Reads a project file. All mistakes are reported at once; there is a project only when none is an error.
#[must_use]
pub fn read_project(source: &Arc<Source>) -> (Option<Project>, Diagnostics) {
    let mut out = Diagnostics::default();
    let project = open(source, &PROJECT, &mut out)
        .and_then(|doc| project(source, doc.root(&PROJECT), &mut out));
    let out = out.finish();
    (project.filter(|_| !out.has_errors()), out)
}

fn project(source: &Arc<Source>, root: Node<'_>, out: &mut Diagnostics) -> Option<Project> {
    let name = root
        .table("project")
        .and_then(|p| p.parsed::<ProjectName>("name"));
    let mut plugins = BTreeMap::new();
    for (key, leaf) in root.entries("plugins") {
        let found = plugin(source, leaf, out);
        if let (Ok(name), Some(found)) = (PluginName::new(key.value), found) {
            plugins.insert(name, Located::new(found, leaf.span));
        }
    }
    let providers = providers::read(source, root, out);
    let read = root
        .table("policy")
        .map(|p| policy::read(source, p, out))
        .unwrap_or_default();
    let lost: Vec<String> = root
        .entries("providers")
        .iter()
        .map(|(name, _)| name.value.to_owned())
        .filter(|name| !providers.contains_key(name))
        .collect();
    providers::check(source, &providers, &lost, &read, out);
    let limits = root.table("limits").map(limits).unwrap_or_default();
    let signals = root
        .table("signals")
        .map(|s| s.list("types"))
        .unwrap_or_default();
    let signals = signals
        .iter()
        .filter_map(|s| s.parsed::<SignalType>().map(|s| s.value))
        .collect();
    Some(Project {
        source: Arc::clone(source),
        name: name?.value,
        plugins,
        policy: read.policy,
        providers,
        secrets: read.secrets,
        limits,
        own_limits: limits,
        budget_micros: root.table("budget").and_then(|b| b.amount("limit")),
        signals,
        principals: principals::read(source, root, out),
        operator: None,
        cap_attempt: None,
    })
}

fn plugin(source: &Arc<Source>, leaf: Leaf<'_>, out: &mut Diagnostics) -> Option<PluginSource> {
    const FORMS: &str =
        "write \"builtin:NAME\", { path = \"plugins/NAME.wasm\" } or { oci = \"HOST/NAME:TAG\" }";
    if let Some(text) = leaf.text() {
        let Some(name) = text.value.strip_prefix("builtin:") else {
            let help = if text.value.ends_with(".wasm") {
                format!(
                    "a component on the disk is written {{ path = \"{}\" }}",
                    text.value
                )
            } else {
                FORMS.to_owned()
            };
            out.push(
                Diagnostic::new(
                    Code::PLUGIN_SOURCE,
                    "this is not a source of a plugin",
                    source,
                    text.span,
                )
                .help(help),
            );
            return None;
        };
        if let Err(error) = ArtifactName::new(name) {
            out.push(
                Diagnostic::new(
                    Code::PLUGIN_SOURCE,
                    format!("this cannot name a plugin: {error}"),
                    source,
                    text.span,
                )
                .help(FORMS),
            );
            return None;
        }
        return Some(PluginSource::Builtin(name.to_owned()));
    }
    let node = leaf.table()?;
    match (node.text("path"), node.text("oci")) {
        (Some(path), None) => Some(PluginSource::Path(path.value.to_owned())),
        (None, Some(oci)) => Some(PluginSource::Oci(oci.value.to_owned())),
        (Some(path), Some(oci)) => {
            out.push(
                Diagnostic::new(
                    Code::PLUGIN_SOURCE,
                    "a plugin has one source, this has two",
                    source,
                    oci.span,
                )
                .also(source, path.span, "the other one")
                .help("keep `path` or `oci`"),
            );
            None
        }
        (None, None) => {
            if node.get("path").is_none() && node.get("oci").is_none() {
                out.push(
                    Diagnostic::new(
                        Code::PLUGIN_SOURCE,
                        "this plugin has no source",
                        source,
                        leaf.span,
                    )
                    .help(FORMS),
                );
            }
            None
        }
    }
}

/// The mode that a word means.
pub(super) fn mode(word: &str) -> Option<FileMode> {
    match word {
        "read" => Some(FileMode::Read),
        "write" => Some(FileMode::Write),
        _ => None,
    }
}

/// A mistake in a path.
pub(super) fn bad_path(
    source: &Arc<Source>,
    span: Span,
    text: &str,
    error: &PathError,
) -> Diagnostic {
    let help = match error {
        PathError::Absolute => match text.trim_start_matches('/').rsplit('/').next() {
            Some(last) if !last.is_empty() => {
                format!("move or link it into the project and write \"{last}\"")
            }
            _ => "write a directory of the project, such as \"notes\"".to_owned(),
        },
        PathError::Relative => format!("write \"/{text}\""),
        PathError::State => "name a directory beside it, such as \"notes\"".to_owned(),
        PathError::Part(part) if part.is_empty() => "leave out the extra `/`".to_owned(),
        PathError::Part(_) => "write the directory without `.` and `..`".to_owned(),
        PathError::Empty | PathError::TooLong(_) | PathError::Character(_) => {
            "write a plain path".to_owned()
        }
    };
    Diagnostic::new(Code::BAD_PATH, error.to_string(), source, span)
        .label("cannot be granted")
        .help(help)
}
