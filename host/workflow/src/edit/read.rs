//! An edited plan back to a draft: strict, with places. What tasks mean together is checked when it is frozen.

use crate::{
    Code, Diagnostic, Diagnostics, MAX_TASKS, Source, Span,
    node::{Leaf, Node},
    read::{artifact_ref, open},
    shape::EDITED,
};
use sandgate_model::{DraftPlan, DraftTask};
use serde_json::Value;
use std::{collections::BTreeMap, sync::Arc};

/// Reads an edited plan. All mistakes are reported at once; there is a draft only when none is an error. What it holds
/// has still to be checked, by [`crate::freeze_edited`].
#[must_use]
pub fn read_edited(source: &Arc<Source>) -> (Option<DraftPlan>, Diagnostics) {
    let mut out = Diagnostics::default();
    let draft = open(source, &EDITED, &mut out).map(|doc| {
        let root = doc.root(&EDITED);
        draft(source, root, &mut out)
    });
    let out = out.finish();
    (draft.filter(|_| !out.has_errors()), out)
}

fn draft(source: &Arc<Source>, root: Node<'_>, out: &mut Diagnostics) -> DraftPlan {
    let nodes = root.tables("task");
    if let Some(first) = nodes.get(MAX_TASKS) {
        let message = format!(
            "a plan has at most {MAX_TASKS} tasks, this one has {}",
            nodes.len()
        );
        out.push(
            Diagnostic::new(Code::TOO_MANY_TASKS, message, source, first.span)
                .help("make a smaller plan"),
        );
        return DraftPlan::default();
    }
    let mut ids: BTreeMap<&str, Span> = BTreeMap::new();
    let mut tasks = Vec::with_capacity(nodes.len());
    for node in nodes {
        if let Some(id) = node.text("id")
            && let Some(first) = ids.insert(id.value, id.span)
        {
            out.push(
                Diagnostic::new(
                    Code::DUPLICATE_TASK,
                    format!("there are two tasks `{}`", id.value),
                    source,
                    id.span,
                )
                .label("the second one")
                .also(source, first, "the first one")
                .help("give one of them another id"),
            );
        }
        tasks.push(task(source, node, out));
    }
    DraftPlan {
        tasks,
        rationale: root.string("rationale"),
    }
}

fn task(source: &Arc<Source>, node: Node<'_>, out: &mut Diagnostics) -> DraftTask {
    let texts = |key: &str| -> Vec<String> {
        node.list(key)
            .iter()
            .filter_map(Leaf::text)
            .map(|t| t.value.to_owned())
            .collect()
    };
    for text in node.list("consumes").iter().filter_map(Leaf::text) {
        if let Err(message) = artifact_ref(text.value) {
            out.push(
                Diagnostic::new(Code::BAD_ARTIFACT_REF, message, source, text.span)
                    .help("write \"TASK.ARTIFACT\", such as \"research.findings\""),
            );
        }
    }
    DraftTask {
        id: node.string("id"),
        title: node.string("title"),
        agent: node.string("agent"),
        input: input(source, node, out),
        needs: texts("needs"),
        consumes: texts("consumes"),
        produces: texts("produces"),
    }
}

fn input(source: &Arc<Source>, node: Node<'_>, out: &mut Diagnostics) -> Value {
    let empty = || Value::Object(serde_json::Map::new());
    let Some(json) = node.text("input_json") else {
        // What has no JSON form has been reported.
        return match node.get("input") {
            Some(leaf) => leaf.json().unwrap_or(Value::Null),
            None => empty(),
        };
    };
    if let Some(other) = node.get("input") {
        out.push(
            Diagnostic::new(
                Code::INPUT_TWICE,
                "a task has one input, this has two",
                source,
                json.span,
            )
            .also(source, other.span, "the other one")
            .help("keep `input` or `input_json`"),
        );
    }
    serde_json::from_str(json.value).unwrap_or_else(|error| {
        out.push(
            Diagnostic::new(
                Code::NOT_JSON,
                format!("`input_json` is not JSON: {error}"),
                source,
                json.span,
            )
            .help("write a JSON document as text, or use `input`"),
        );
        empty()
    })
}
