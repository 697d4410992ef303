//! The values that templates see.

use minijinja::{Value as Jinja, value::Serde};
use sandgate_model::Artifact;
use serde_json::Value;
use std::collections::BTreeMap;

/// Values for templates: `inputs.NAME`, `tasks.ID.output`, `tasks.ID.artifacts.NAME` (with `digest`, `size` and
/// `media_type`), and, in an instance of `for_each`, `item` and `index`. Cheap to clone: values are shared.
#[derive(Clone, Debug, Default)]
pub struct Context {
    inputs: Jinja,
    tasks: BTreeMap<String, Jinja>,
    item: Option<(Jinja, u64)>,
    pub(crate) largest: usize,
}

impl Context {
    /// A context with a run's inputs and nothing else.
    #[must_use]
    pub fn new(inputs: &BTreeMap<String, Value>) -> Self {
        let largest = inputs.values().map(weight).sum();
        Self {
            inputs: json(inputs),
            tasks: BTreeMap::new(),
            item: None,
            largest,
        }
    }

    /// Adds a task that succeeded. For a task with `for_each`, `output` is the list of the outputs of its
    /// instances, in order.
    #[must_use]
    pub fn with_task(mut self, id: &str, output: &Value, artifacts: &[Artifact]) -> Self {
        self.largest = self.largest.max(weight(output)).max(artifacts.len() * 256);
        let artifacts: BTreeMap<&str, Jinja> = artifacts
            .iter()
            .map(|a| {
                let facts = BTreeMap::from([
                    ("digest", Jinja::from(a.digest.to_string())),
                    ("size", Jinja::from(a.size)),
                    ("media_type", Jinja::from(a.media_type.as_str())),
                ]);
                (a.name.as_str(), Jinja::from(facts))
            })
            .collect();
        let task = BTreeMap::from([
            ("output", json(output)),
            ("artifacts", Jinja::from(artifacts)),
        ]);
        self.tasks.insert(id.to_owned(), Jinja::from(task));
        self
    }

    /// Sets the item of an instance of `for_each`, and its number from 0.
    #[must_use]
    pub fn with_item(mut self, item: &Value, index: u64) -> Self {
        self.largest = self.largest.max(weight(item));
        self.item = Some((json(item), index));
        self
    }

    pub(crate) fn root(&self) -> Jinja {
        let mut root = BTreeMap::from([
            ("inputs", self.inputs.clone()),
            ("tasks", Jinja::from(self.tasks.clone())),
        ]);
        if let Some((item, index)) = &self.item {
            root.insert("item", item.clone());
            root.insert("index", Jinja::from(*index));
        }
        Jinja::from(root)
    }
}

fn json(value: impl serde::Serialize) -> Jinja {
    Jinja::from(Serde(value))
}

/// About how many bytes a value takes as text.
pub(crate) fn weight(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) => 5,
        Value::Number(_) => 20,
        Value::String(s) => s.len() + 2,
        Value::Array(items) => items.iter().map(|v| weight(v) + 1).sum::<usize>() + 2,
        Value::Object(map) => {
            map.iter()
                .map(|(k, v)| k.len() + 4 + weight(v))
                .sum::<usize>()
                + 2
        }
    }
}
