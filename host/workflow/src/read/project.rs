//! Reads `sandgate.toml`.

use super::open;
use crate::{
    Code, Diagnostic, Diagnostics, FutureRule, Limits, Located, PluginSource, Project, Source,
    Span,
    node::{Leaf, Node},
    shape::PROJECT,
    suggest::nearest,
};
use sandgate_authority::{FileRule, GuestPath, HostPath, Origin, PathError, Policy, RuleField};
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
    let policy = root.table("policy");
    let files = policy.map(|p| files(source, p, out)).unwrap_or_default();
    let future = policy.map(|p| future(source, p, out)).unwrap_or_default();
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
        policy: files,
        future,
        limits: root.table("limits").map(limits).unwrap_or_default(),
        budget_micros: root.table("budget").and_then(|b| b.amount("limit")),
        signals,
        operator: None,
        cap_attempt: None,
    })
}

fn limits(node: Node<'_>) -> Limits {
    let base = Limits::default();
    Limits {
        memory: node.size("memory").unwrap_or(base.memory),
        attempt: node.duration("attempt").unwrap_or(base.attempt),
        output: node.size("output").unwrap_or(base.output),
        log: node.size("log").unwrap_or(base.log),
        artifact: node.size("artifact").unwrap_or(base.artifact),
        concurrency: node.int("concurrency").unwrap_or(base.concurrency),
    }
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

fn files(source: &Arc<Source>, policy: Node<'_>, out: &mut Diagnostics) -> Policy {
    let mut rules = Vec::new();
    let mut spans = Vec::new();
    for node in policy.tables("files") {
        let (host, guest) = (node.text("host"), node.text("guest"));
        let checked_host = host.as_ref().and_then(|h| match HostPath::new(h.value) {
            Ok(path) => Some((path, h.span)),
            Err(error) => {
                out.push(bad_path(source, h.span, h.value, &error));
                None
            }
        });
        let checked_guest = guest.as_ref().and_then(|g| match GuestPath::new(g.value) {
            Ok(path) => Some((path, g.span)),
            Err(error) => {
                out.push(bad_path(source, g.span, g.value, &error));
                None
            }
        });
        let mode = node.text("mode").and_then(|m| mode(m.value));
        if let (Some((host, host_span)), Some((guest, guest_span)), Some(mode)) =
            (checked_host, checked_guest, mode)
        {
            let line = source.position(node.span.start).line;
            rules.push(FileRule {
                host,
                guest,
                mode,
                origin: Origin {
                    file: source.name().to_owned(),
                    line,
                },
            });
            spans.push((host_span, guest_span));
        }
    }
    match Policy::new(rules) {
        Ok(policy) => policy,
        Err(problems) => {
            for problem in problems {
                let at = |i: usize| {
                    spans.get(i).map(|(host, guest)| match problem.field {
                        RuleField::Host => *host,
                        RuleField::Guest => *guest,
                    })
                };
                let (here, there) = (
                    at(problem.rule).unwrap_or_default(),
                    at(problem.other).unwrap_or_default(),
                );
                out.push(
                    Diagnostic::new(Code::POLICY_CONFLICT, problem.message, source, here)
                        .also(source, there, "the other rule")
                        .help(match problem.field {
                            RuleField::Guest => {
                                "give each directory a guest path of its own, none inside another"
                            }
                            RuleField::Host => {
                                "give both the same mode, or directories that do not overlap"
                            }
                        }),
                );
            }
            Policy::default()
        }
    }
}

fn future(source: &Arc<Source>, policy: Node<'_>, out: &mut Diagnostics) -> Vec<FutureRule> {
    let strings = |node: &Node<'_>, key: &str| -> Vec<String> {
        node.list(key)
            .iter()
            .filter_map(|l| l.text().map(|t| t.value.to_owned()))
            .collect()
    };
    let mut rules = Vec::new();
    for node in policy.tables("http") {
        let Some(allow) = node.text("allow") else {
            continue;
        };
        if let Err((message, help)) = url_pattern(allow.value) {
            out.push(Diagnostic::new(Code::BAD_PATTERN, message, source, allow.span).help(help));
        }
        rules.push(FutureRule::Http {
            allow: allow.value.to_owned(),
            methods: strings(&node, "methods"),
        });
    }
    for node in policy.tables("exec") {
        let Some(program) = node.text("program") else {
            continue;
        };
        if program
            .value
            .contains([' ', '|', ';', '&', '$', '`', '>', '<'])
        {
            out.push(
                Diagnostic::new(
                    Code::BAD_PATTERN,
                    "a program is one name or path: there is no shell",
                    source,
                    program.span,
                )
                .help("write program = \"cargo\", args = [\"test\"]"),
            );
        }
        let approval = node.text("approval").is_none_or(|a| a.value == "required");
        rules.push(FutureRule::Exec {
            program: program.value.to_owned(),
            args: strings(&node, "args"),
            approval,
        });
    }
    for node in policy.tables("model") {
        let Some(provider) = node.text("provider") else {
            continue;
        };
        rules.push(FutureRule::Model {
            provider: provider.value.to_owned(),
            models: strings(&node, "models"),
        });
    }
    for node in policy.tables("secrets") {
        let (Some(name), Some(from), Some(to)) =
            (node.text("name"), node.text("from"), node.text("to"))
        else {
            continue;
        };
        let fine = !name.value.is_empty()
            && name.value.len() <= 64
            && !name.value.starts_with(|c: char| c.is_ascii_digit())
            && name
                .value
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !fine {
            out.push(
                Diagnostic::new(
                    Code::BAD_NAME,
                    "this cannot name a secret",
                    source,
                    name.span,
                )
                .help("use letters, digits and `_`, such as \"API_TOKEN\""),
            );
        }
        let path = to
            .value
            .strip_prefix("https://")
            .map(|rest| rest.contains('/'));
        if let Err((message, help)) = url_pattern(to.value) {
            out.push(Diagnostic::new(Code::BAD_PATTERN, message, source, to.span).help(help));
        } else if path == Some(true) || to.value.contains('*') {
            out.push(
                Diagnostic::new(
                    Code::BAD_PATTERN,
                    "a secret is bound to an origin, without a path",
                    source,
                    to.span,
                )
                .help("write \"https://api.example.com\""),
            );
        }
        rules.push(FutureRule::Secret {
            name: name.value.to_owned(),
            from: from.value.to_owned(),
            to: to.value.to_owned(),
        });
    }
    rules
}

/// Checks `https://host[:port]/path*`. The error is a message and what to write instead.
fn url_pattern(text: &str) -> Result<(), (String, String)> {
    let rest = match text.split_once("://") {
        Some(("https", rest)) => rest,
        Some(("http", rest)) if rest.starts_with("127.0.0.1") || rest.starts_with("localhost") => {
            rest
        }
        Some((scheme, rest)) => {
            let help = match nearest(scheme, ["https"].into_iter()) {
                Some(_) => format!("write \"https://{rest}\""),
                None => "write an https:// URL".to_owned(),
            };
            return Err((
                format!(
                    "`{}://` cannot be allowed",
                    crate::structure::shorten(scheme)
                ),
                help,
            ));
        }
        None => {
            return Err((
                "this is not a URL".to_owned(),
                format!("write \"https://{}\"", crate::structure::shorten(text)),
            ));
        }
    };
    let host = rest.split('/').next().unwrap_or_default();
    let (name, port) = host.split_once(':').unwrap_or((host, "443"));
    if name.is_empty()
        || !name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '.')
    {
        return Err((
            "the host has to be written out".to_owned(),
            "write one host a rule, without `*`, user names or spaces".to_owned(),
        ));
    }
    if port.parse::<u16>().is_err() {
        return Err((
            "the port is not a number".to_owned(),
            "write a port from 1 to 65535".to_owned(),
        ));
    }
    let path = rest.get(host.len()..).unwrap_or_default();
    match path.find('*') {
        Some(at) if at + 1 != path.len() => Err((
            "`*` stands only at the end of the path".to_owned(),
            "write one rule for each path".to_owned(),
        )),
        _ => Ok(()),
    }
}
