//! The project and the plugins that the tests check against.

use sandgate_model::{Description, Digest, Need, NeedKind, PluginName, Role};
use sandgate_workflow::{Catalog, CatalogEntry, Project, Source, read_project};
use serde_json::{Value, json};
use std::path::PathBuf;

/// The folder with the workflows.
pub(crate) fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/workflows")
}

/// The project of the folder.
pub(crate) fn project() -> Project {
    let text = std::fs::read_to_string(folder().join("sandgate.toml")).unwrap();
    let (project, problems) = read_project(&Source::new("sandgate.toml", text));
    assert!(problems.is_empty(), "{problems:?}");
    project.unwrap()
}

fn need(kind: NeedKind, reason: &str, optional: bool) -> Need {
    Need {
        kind,
        reason: reason.to_owned(),
        optional,
    }
}

fn entry(
    role: Role,
    name: &str,
    needs: Vec<Need>,
    input: Option<Value>,
    config: Option<Value>,
) -> CatalogEntry {
    CatalogEntry {
        role,
        digest: Digest::of(name.as_bytes()),
        description: Description {
            name: name.to_owned(),
            version: "0.1.0".to_owned(),
            summary: format!("{name} for tests"),
            needs,
            input_schema: input,
            output_schema: None,
            config_schema: config,
        },
    }
}

/// Plugins like the real ones.
pub(crate) fn catalog() -> Catalog {
    let read = || need(NeedKind::FilesRead, "to search your notes", false);
    let list = json!({"type": "array", "items": {"type": "string"}});
    let research = json!({
        "type": "object",
        "properties": {"topic": {"type": "string"}, "limit": {"type": "integer", "minimum": 1}},
        "required": ["topic"],
        "additionalProperties": false,
    });
    let patterns = json!({"type": "object", "properties": {"patterns": {"type": "array"}}});
    let criteria = json!({
        "type": "object",
        "properties": {"criteria": list},
        "required": ["criteria"],
        "additionalProperties": false,
    });
    let rules = json!({
        "type": "object",
        "properties": {"must_match": list, "must_not_match": list},
        "additionalProperties": false,
    });
    let any_schema = json!({"type": "object", "properties": {"schema": {"type": "object"}}, "required": ["schema"]});
    let entries = [
        (
            "rules",
            entry(Role::Planner, "planner-rules", vec![], None, Some(patterns)),
        ),
        (
            "model-planner",
            entry(
                Role::Planner,
                "planner-model",
                vec![need(NeedKind::Model, "to plan", true)],
                None,
                None,
            ),
        ),
        (
            "researcher",
            entry(
                Role::Agent,
                "agent-research",
                vec![read()],
                Some(research),
                None,
            ),
        ),
        (
            "writer",
            entry(
                Role::Agent,
                "agent-communication",
                vec![],
                Some(json!({"type": "object"})),
                None,
            ),
        ),
        (
            "comparer",
            entry(
                Role::Agent,
                "agent-compare",
                vec![need(NeedKind::FilesRead, "to read tables", true)],
                None,
                Some(criteria),
            ),
        ),
        (
            "saver",
            entry(
                Role::Agent,
                "saver",
                vec![need(NeedKind::FilesWrite, "to write the report", false)],
                None,
                None,
            ),
        ),
        (
            "buyer",
            entry(
                Role::Agent,
                "agent-purchase",
                vec![need(NeedKind::Budget, "to buy", false)],
                None,
                None,
            ),
        ),
        (
            "fetcher",
            entry(
                Role::Agent,
                "fetcher",
                vec![
                    need(NeedKind::Http, "to fetch prices", false),
                    need(NeedKind::Secrets, "to log in", true),
                ],
                None,
                None,
            ),
        ),
        (
            "builder",
            entry(
                Role::Agent,
                "builder",
                vec![
                    need(NeedKind::Exec, "to run the tests", false),
                    need(NeedKind::FilesWrite, "to build", true),
                ],
                None,
                None,
            ),
        ),
        (
            "generator",
            entry(
                Role::Agent,
                "generator",
                vec![need(NeedKind::Model, "to think", false)],
                None,
                None,
            ),
        ),
        (
            "asker",
            entry(
                Role::Agent,
                "asker",
                vec![need(NeedKind::Question, "to ask back", false)],
                None,
                None,
            ),
        ),
        (
            "broken",
            entry(
                Role::Agent,
                "broken",
                vec![],
                Some(json!({"type": "nonsense"})),
                None,
            ),
        ),
        (
            "text-rules",
            entry(Role::Gate, "gate-text-rules", vec![], None, Some(rules)),
        ),
        (
            "schema-gate",
            entry(
                Role::Gate,
                "gate-json-schema",
                vec![need(NeedKind::FilesRead, "to read schemas", true)],
                None,
                Some(any_schema),
            ),
        ),
    ];
    entries
        .into_iter()
        .map(|(name, entry)| (PluginName::new(name).unwrap(), entry))
        .collect()
}
