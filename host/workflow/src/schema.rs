//! JSON Schemas of the user files, made from the same shapes that the reader checks against.

use crate::shape::{Kind, LOCK, OPERATOR, PROJECT, Shape, WORKFLOW};
use serde_json::{Map, Value, json};

/// A file with a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SchemaKind {
    /// A workflow.
    Workflow,
    /// `sandgate.toml`.
    Project,
    /// `sandgate.lock`.
    Lock,
    /// The operator's file.
    Operator,
}

impl SchemaKind {
    /// Every file that has a schema.
    pub const ALL: [Self; 4] = [Self::Workflow, Self::Project, Self::Lock, Self::Operator];

    /// The word on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Workflow => "workflow",
            Self::Project => "project",
            Self::Lock => "lock",
            Self::Operator => "operator",
        }
    }

    /// The file that a word means.
    #[must_use]
    pub fn find(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|k| k.as_str() == word)
    }

    fn shape(self) -> &'static Shape {
        match self {
            Self::Workflow => &WORKFLOW,
            Self::Project => &PROJECT,
            Self::Lock => &LOCK,
            Self::Operator => &OPERATOR,
        }
    }
}

/// The grammar of names; see `sandgate_model`.
const NAME: &str = "^[a-z0-9][a-z0-9._-]{0,63}$";
const TASK_ID: &str = "^[a-z0-9][a-z0-9_-]{0,63}$";
const INPUT: &str = "^[a-z][a-z0-9_]{0,63}$";
const MODEL: &str = r"^(\*|[A-Za-z0-9._/:@+-]{1,256})$";
const VARIABLE: &str = "^[A-Za-z_][A-Za-z0-9_]{0,63}$";
const DURATION: &str = "^([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?$";
const SIZE: &str = "^[0-9]+(B|KiB|MiB|GiB)$";

/// The JSON Schema (2020-12) of a file.
#[must_use]
pub fn schema(kind: SchemaKind) -> Value {
    let Value::Object(mut root) = table(kind.shape()) else {
        return Value::Null;
    };
    root.insert(
        "$schema".to_owned(),
        json!("https://json-schema.org/draft/2020-12/schema"),
    );
    root.insert(
        "title".to_owned(),
        json!(format!("sandgate {}", kind.as_str())),
    );
    Value::Object(root)
}

fn table(shape: &Shape) -> Value {
    let properties: Map<String, Value> = shape
        .fields
        .iter()
        .map(|field| {
            let mut inner = value(&field.kind);
            if let Value::Object(map) = &mut inner {
                map.insert("description".to_owned(), json!(field.doc));
            }
            (field.key.to_owned(), inner)
        })
        .collect();
    let required: Vec<&str> = shape
        .fields
        .iter()
        .filter(|f| f.required)
        .map(|f| f.key)
        .collect();
    json!({
        "type": "object",
        "description": shape.doc,
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

/// The grammar of the keys of a map, by what they name.
fn key(what: &str) -> &'static str {
    match what {
        "input" => INPUT,
        "model" => MODEL,
        "variable" => VARIABLE,
        _ => NAME,
    }
}

fn value(kind: &Kind) -> Value {
    match kind {
        Kind::Text(most) => json!({"type": "string", "minLength": 1, "maxLength": most}),
        Kind::Free(most) => json!({"type": "string", "maxLength": most}),
        Kind::Int(low, high) => json!({"type": "integer", "minimum": low, "maximum": high}),
        Kind::Amount => json!({"type": "number", "minimum": 0}),
        Kind::Bool => json!({"type": "boolean"}),
        Kind::Duration { .. } => json!({"type": "string", "minLength": 2, "pattern": DURATION}),
        Kind::Size(_) => json!({"type": "string", "pattern": SIZE}),
        Kind::Name(_) => json!({"type": "string", "pattern": NAME}),
        Kind::TaskId => json!({"type": "string", "pattern": TASK_ID}),
        Kind::Word(words) => json!({"type": "string", "enum": words}),
        Kind::Json => json!({}),
        Kind::JsonTable => json!({"type": "object"}),
        Kind::JsonList => json!({"type": "array"}),
        Kind::List(inner) => json!({"type": "array", "items": value(inner)}),
        Kind::Table(shape) => table(shape),
        Kind::Map(what, inner) => json!({
            "type": "object",
            "propertyNames": {"pattern": key(what)},
            "additionalProperties": value(inner),
        }),
        Kind::TextOr(inner, shape) => json!({"oneOf": [value(inner), table(shape)]}),
        Kind::BoolOr(shape) => json!({"oneOf": [{"type": "boolean"}, table(shape)]}),
        Kind::WordOrList(words, inner) => json!({"oneOf": [
            {"type": "string", "enum": words},
            {"type": "array", "items": value(inner)},
        ]}),
        Kind::Pattern(pattern, _) => json!({"type": "string", "pattern": pattern}),
    }
}
