//! What changed from one plan to another, for people who decide about the later one. Nothing that changes the plan's
//! digest is left out, but for the revision; [`PlanDiff::is_empty`] is tested to mean that. Must not judge.

mod authority;
mod fields;
mod lines;

use fields::{gate_fields, plan_fields, task_fields};
use sandgate_model::{Digest, Grants, Plan};
use serde::Serialize;
use std::collections::BTreeMap;

/// What changed. Lists are in plan order (added and changed as in the new plan, removed as in the old one, last).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct PlanDiff {
    /// Tasks.
    pub tasks: Vec<TaskDiff>,
    /// Gates.
    pub gates: Vec<TaskDiff>,
    /// Plugins that came, went, or have other bytes.
    pub plugins: Vec<PluginChange>,
    /// What concerns the whole: goal, inputs, limits, budget, review.
    pub fields: Vec<FieldDiff>,
    /// All of it as lines for people: control characters and marks of direction escaped, long values cut around what
    /// differs, with their lengths.
    pub lines: Vec<String>,
}

impl PlanDiff {
    /// Whether nothing changed but the revision.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tasks.is_empty()
            && self.gates.is_empty()
            && self.plugins.is_empty()
            && self.fields.is_empty()
    }
}

/// How it changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum TaskChange {
    /// It was not there.
    Added,
    /// It is not there any more.
    Removed,
    /// It is another.
    Changed,
}

/// A task or a gate that changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TaskDiff {
    /// Its id.
    pub id: String,
    /// How.
    pub change: TaskChange,
    /// The fields that differ; all that say something, where it is added.
    pub fields: Vec<FieldDiff>,
    /// Lines of authority by which it may do more.
    pub widened: Vec<String>,
    /// Lines of authority by which it may do less.
    pub narrowed: Vec<String>,
}

/// A field that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldDiff {
    /// Its name; parts of JSON documents with their path: `input/limit`.
    pub field: String,
    /// What it was, whole; empty: absent. Text of a plan, not made safe for a screen.
    pub old: String,
    /// What it is.
    pub new: String,
}

/// A plugin that is not the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PluginChange {
    /// Its name in the project.
    pub name: String,
    /// Digest it had; absent: it was not used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old: Option<Digest>,
    /// Digest it has; absent: it is not used any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new: Option<Digest>,
}

/// What changed from `old` to `new`. Linear in the size of the plans.
#[must_use]
pub fn plan_diff(old: &Plan, new: &Plan) -> PlanDiff {
    let tasks = |plan: &Plan| -> Vec<Item> {
        plan.tasks
            .iter()
            .map(|task| Item {
                id: task.id.to_string(),
                fields: task_fields(plan, task),
                grants: task.grants.clone(),
            })
            .collect()
    };
    let gates = |plan: &Plan| -> Vec<Item> {
        plan.gates
            .iter()
            .map(|gate| Item {
                id: gate.id.to_string(),
                fields: gate_fields(gate),
                grants: gate.grants.clone(),
            })
            .collect()
    };
    let mut diff = PlanDiff {
        tasks: items(&tasks(old), &tasks(new)),
        gates: items(&gates(old), &gates(new)),
        plugins: plugins(old, new),
        fields: changed(&plan_fields(old), &plan_fields(new)),
        lines: Vec::new(),
    };
    let ids = |plan: &Plan| plan.tasks.iter().map(|t| t.id.to_string()).collect();
    diff.fields
        .extend(order("order of tasks", ids(old), ids(new)));
    let ids = |plan: &Plan| plan.gates.iter().map(|g| g.id.to_string()).collect();
    diff.fields
        .extend(order("order of gates", ids(old), ids(new)));
    diff.lines = lines::of(&diff);
    diff
}

/// A task or gate as names and texts.
struct Item {
    id: String,
    fields: BTreeMap<String, String>,
    grants: Grants,
}

fn items(old: &[Item], new: &[Item]) -> Vec<TaskDiff> {
    let before: BTreeMap<&str, &Item> = old.iter().map(|i| (i.id.as_str(), i)).collect();
    let after: BTreeMap<&str, &Item> = new.iter().map(|i| (i.id.as_str(), i)).collect();
    let nothing = Grants::default();
    let mut out = Vec::new();
    for item in new {
        let was = before.get(item.id.as_str());
        let (mut fields, grants, change) = match was {
            Some(was) => (
                changed(&was.fields, &item.fields),
                &was.grants,
                TaskChange::Changed,
            ),
            None => (
                changed(&BTreeMap::new(), &item.fields),
                &nothing,
                TaskChange::Added,
            ),
        };
        let (widened, narrowed) = authority::changes(grants, &item.grants, &mut fields);
        let same = fields.is_empty() && widened.is_empty() && narrowed.is_empty();
        if !(same && change == TaskChange::Changed) {
            out.push(TaskDiff {
                id: item.id.clone(),
                change,
                fields,
                widened,
                narrowed,
            });
        }
    }
    for item in old.iter().filter(|i| !after.contains_key(i.id.as_str())) {
        let (widened, narrowed) = authority::changes(&item.grants, &nothing, &mut Vec::new());
        out.push(TaskDiff {
            id: item.id.clone(),
            change: TaskChange::Removed,
            fields: Vec::new(),
            widened,
            narrowed,
        });
    }
    out
}

fn changed(old: &BTreeMap<String, String>, new: &BTreeMap<String, String>) -> Vec<FieldDiff> {
    let mut names: Vec<&String> = old.keys().chain(new.keys()).collect();
    names.sort();
    names.dedup();
    let empty = String::new();
    names
        .into_iter()
        .filter_map(|field| {
            let (was, is) = (old.get(field), new.get(field));
            (was != is).then(|| FieldDiff {
                field: field.clone(),
                old: was.unwrap_or(&empty).clone(),
                new: is.unwrap_or(&empty).clone(),
            })
        })
        .collect()
}

/// The order of what is in both.
fn order(field: &str, mut old: Vec<String>, mut new: Vec<String>) -> Option<FieldDiff> {
    let mut both: Vec<String> = old.clone();
    both.sort();
    let kept = |ids: &[String], id: &String| ids.binary_search(id).is_ok();
    new.retain(|id| kept(&both, id));
    let mut both = new.clone();
    both.sort();
    old.retain(|id| kept(&both, id));
    (old != new).then(|| FieldDiff {
        field: field.to_owned(),
        old: old.join(", "),
        new: new.join(", "),
    })
}

fn plugins(old: &Plan, new: &Plan) -> Vec<PluginChange> {
    let mut names: Vec<_> = old.plugins.keys().chain(new.plugins.keys()).collect();
    names.sort();
    names.dedup();
    names
        .into_iter()
        .filter_map(|name| {
            let (was, is) = (old.plugins.get(name), new.plugins.get(name));
            (was != is).then(|| PluginChange {
                name: name.to_string(),
                old: was.map(|p| p.digest),
                new: is.map(|p| p.digest),
            })
        })
        .collect()
}
