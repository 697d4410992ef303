//! What is embedded: complete, of the right role, and without a single import that it does not need.

use super::*;
use std::collections::BTreeSet;
use std::path::Path;
use wasmparser::{Parser, Payload};

/// Names of the imports and exports of a component, without versions.
fn interfaces(bytes: &[u8]) -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut imports, mut exports) = (BTreeSet::new(), BTreeSet::new());
    let bare = |name: &str| name.split('@').next().unwrap_or(name).to_owned();
    let mut depth = 0;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.unwrap() {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth -= 1,
            Payload::ComponentImportSection(section) if depth == 0 => {
                imports.extend(
                    section
                        .into_iter()
                        .map(|import| bare(import.unwrap().name.name)),
                );
            }
            Payload::ComponentExportSection(section) if depth == 0 => {
                exports.extend(
                    section
                        .into_iter()
                        .map(|export| bare(export.unwrap().name.name)),
                );
            }
            _ => {}
        }
    }
    (imports, exports)
}

/// Interfaces of WASI that come with the language's runtime and that the host links for everybody.
fn comes_with_std(name: &str) -> bool {
    ["wasi:cli/", "wasi:clocks/", "wasi:random/", "wasi:io/"]
        .iter()
        .any(|package| name.starts_with(package))
}

#[test]
fn found_with_and_without_prefix() {
    assert_eq!(find("builtin:agent-fake").unwrap().name, "agent-fake");
    assert_eq!(find("text-rules").unwrap().role, "gate");
    assert!(find("agent-fak").is_none());
    assert!(BUILTINS.is_sorted_by_key(|builtin| builtin.name));
}

#[test]
fn nothing_is_forgotten() {
    let plugins = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins");
    let folders = std::fs::read_dir(plugins)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| {
            ["agent-", "gate-", "planner-"]
                .iter()
                .any(|role| name.starts_with(role))
        });
    for folder in folders {
        let name = folder.strip_prefix("gate-").unwrap_or(&folder);
        assert!(find(name).is_some(), "plugins/{folder} is not embedded");
    }
}

#[test]
fn each_exports_its_role() {
    for builtin in all() {
        let (_, exports) = interfaces(builtin.bytes);
        let role = match builtin.role {
            "planner" => "sandgate:plugin/planning",
            "agent" => "sandgate:plugin/working",
            "gate" => "sandgate:plugin/checking",
            other => panic!("{}: {other}", builtin.name),
        };
        let expected = BTreeSet::from(["sandgate:plugin/describing".to_owned(), role.to_owned()]);
        assert_eq!(exports, expected, "{}", builtin.name);
    }
}

#[test]
fn none_imports_more_than_it_uses() {
    for builtin in all() {
        let expected: &[&str] = match builtin.name {
            "planner-rules" => &["sandgate:plugin/types"],
            "agent-ask" => &["sandgate:plugin/question", "sandgate:plugin/types"],
            "agent-fake" => &[
                "sandgate:plugin/artifacts",
                "sandgate:plugin/command",
                "sandgate:plugin/log",
                "sandgate:plugin/progress",
                "sandgate:plugin/question",
                "sandgate:plugin/types",
            ],
            "agent-command" => &[
                "sandgate:plugin/artifacts",
                "sandgate:plugin/command",
                "sandgate:plugin/types",
            ],
            "command" => &[
                "sandgate:plugin/command",
                "sandgate:plugin/types",
                "wasi:filesystem/preopens",
                "wasi:filesystem/types",
            ],
            "agent-research" => &[
                "sandgate:plugin/artifacts",
                "sandgate:plugin/types",
                "wasi:filesystem/preopens",
                "wasi:filesystem/types",
            ],
            // The rest reads and writes artifacts and can reach nothing else: no `command`, `model`, `budget`, no HTTP.
            _ => &["sandgate:plugin/artifacts", "sandgate:plugin/types"],
        };
        let (mut imports, _) = interfaces(builtin.bytes);
        imports.retain(|name| !comes_with_std(name));
        let imports: Vec<&str> = imports.iter().map(String::as_str).collect();
        assert_eq!(imports, expected, "{}", builtin.name);
    }
}
