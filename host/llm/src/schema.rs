//! Schemas of answers. A schema comes from a plugin and the document from a model, and both are hostile: references
//! outside are never fetched, patterns run in linear time, and a schema that would make checking explode is refused
//! before anything is sent.

use crate::{ModelError, json, text::quoted};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Most schemas inside of a schema, each counted as often as references lead to it. Checking a document takes at most
/// this many steps for each of its values.
const EXPANDED_MAX: u64 = 5_000;

/// Most references that follow one another: checking goes as deep, on a stack.
const CHAIN_MAX: u32 = 24;

/// Longest schema, as canonical JSON.
const BYTES_MAX: usize = 64 << 10;

/// Name of the field of a [`wrapped`](AnswerSchema::wrapped) answer.
const FIELD: &str = "answer";

/// A schema that answers are checked against.
#[derive(Debug)]
pub(crate) struct AnswerSchema {
    validator: jsonschema::Validator,
    sent: Value,
    wrapped: bool,
}

impl AnswerSchema {
    /// Prepares a schema (2020-12).
    pub(crate) fn new(schema: &Value) -> Result<Self, ModelError> {
        let invalid = |why: String| ModelError::Invalid(format!("the schema of the answer {why}"));
        if !json::shallow(schema) {
            return Err(invalid("is nested too deeply".to_owned()));
        }
        if schema.to_string().len() > BYTES_MAX {
            return Err(invalid(format!("is longer than {BYTES_MAX} bytes")));
        }
        expanded(schema).map_err(invalid)?;
        let validator = jsonschema::options()
            .with_draft(jsonschema::Draft::Draft202012)
            .with_pattern_options(jsonschema::PatternOptions::regex())
            .with_retriever(Nowhere)
            .build(schema)
            .map_err(|error| invalid(format!("cannot be used: {}", quoted(&error.to_string()))))?;
        let wrapped = schema.get("type").and_then(Value::as_str) != Some("object");
        let sent = if wrapped {
            wrap(schema)
        } else {
            schema.clone()
        };
        Ok(Self {
            validator,
            sent,
            wrapped,
        })
    }

    /// The schema as providers get it: always that of an object, because they take no other.
    pub(crate) fn sent(&self) -> &Value {
        &self.sent
    }

    /// Checks a model's text, and gives the document that was asked for.
    pub(crate) fn check(&self, text: &str) -> Result<String, ModelError> {
        let bad = |why: String| ModelError::BadAnswer(format!("the model's answer {why}"));
        let mut value = json::parse(text).map_err(|e| bad(format!("is not JSON: {e}")))?;
        if self.wrapped {
            let inner = value.as_object_mut().and_then(|all| all.remove(FIELD));
            value = inner.ok_or_else(|| bad(format!("has no field `{FIELD}`")))?;
        }
        match self.validator.iter_errors(&value).next() {
            None if self.wrapped => Ok(value.to_string()),
            None => Ok(text.trim().to_owned()),
            Some(error) => Err(bad(format!(
                "does not fit its schema at `{}`: {}",
                quoted(&error.instance_path().to_string()),
                quoted(&error.to_string())
            ))),
        }
    }
}

/// An object with the answer in a field. Definitions move to its top, where `#/$defs/...` looks for them.
fn wrap(schema: &Value) -> Value {
    let mut inner = schema.clone();
    let mut outer = Map::new();
    if let Some(fields) = inner.as_object_mut() {
        for name in ["$defs", "definitions"] {
            if let Some(definitions) = fields.remove(name) {
                outer.insert(name.to_owned(), definitions);
            }
        }
    }
    outer.insert("type".to_owned(), json!("object"));
    outer.insert("properties".to_owned(), json!({ FIELD: inner }));
    outer.insert("required".to_owned(), json!([FIELD]));
    outer.insert("additionalProperties".to_owned(), json!(false));
    Value::Object(outer)
}

/// Counts the schemas inside, following references. Refuses what goes in circles: with two references in a circle,
/// checking doubles with each level of a document.
fn expanded(schema: &Value) -> Result<(), String> {
    for name in [
        "$dynamicRef",
        "$recursiveRef",
        "$id",
        "$anchor",
        "$dynamicAnchor",
    ] {
        if holds(schema, name) {
            return Err(format!("uses `{name}`; only `$ref` to `#/...` is possible"));
        }
    }
    let mut counting = Counting {
        root: schema,
        done: BTreeMap::new(),
    };
    let count = counting.count(schema)?.count;
    if count > EXPANDED_MAX {
        return Err(format!(
            "is too large: {count} schemas with references followed; at most {EXPANDED_MAX}"
        ));
    }
    Ok(())
}

fn holds(value: &Value, name: &str) -> bool {
    match value {
        Value::Array(items) => items.iter().any(|v| holds(v, name)),
        Value::Object(fields) => {
            fields.contains_key(name) || fields.values().any(|v| holds(v, name))
        }
        _ => false,
    }
}

/// How much checking a schema can take.
#[derive(Clone, Copy, Default)]
struct Size {
    /// Values inside, references followed.
    count: u64,
    /// References that follow one another.
    height: u32,
}

struct Counting<'a> {
    root: &'a Value,
    /// Target of a reference: its size, or `None` while it is being counted.
    done: BTreeMap<&'a str, Option<Size>>,
}

impl<'a> Counting<'a> {
    /// Every value counts, also one that is no schema, and definitions count where they stand too: a property may
    /// have any name, also `$defs`. A bound may be too high.
    fn count(&mut self, value: &'a Value) -> Result<Size, String> {
        let mut size = Size {
            count: 1,
            height: 0,
        };
        match value {
            Value::Array(items) => {
                for item in items {
                    size = size.with(self.count(item)?);
                }
            }
            Value::Object(fields) => {
                for (name, item) in fields {
                    size = size.with(match (name.as_str(), item) {
                        ("$ref", Value::String(to)) => self.follow(to)?,
                        _ => self.count(item)?,
                    });
                }
            }
            _ => {}
        }
        Ok(size)
    }

    fn follow(&mut self, to: &'a str) -> Result<Size, String> {
        let inner = match self.done.get(to) {
            Some(Some(size)) => *size,
            Some(None) => return Err(format!("goes in circles at `{}`", quoted(to))),
            None => {
                let target = to
                    .strip_prefix('#')
                    .filter(|_| !to.contains('%'))
                    .and_then(|pointer| self.root.pointer(pointer))
                    .ok_or_else(|| format!("refers to `{}`, which is not in it", quoted(to)))?;
                self.done.insert(to, None);
                let size = self.count(target)?;
                self.done.insert(to, Some(size));
                size
            }
        };
        let height = inner.height.saturating_add(1);
        if height > CHAIN_MAX {
            return Err(format!("has a chain of more than {CHAIN_MAX} references"));
        }
        Ok(Size { height, ..inner })
    }
}

impl Size {
    fn with(self, other: Self) -> Self {
        Self {
            count: self.count.saturating_add(other.count),
            height: self.height.max(other.height),
        }
    }
}

/// Fetches nothing.
struct Nowhere;

impl jsonschema::Retrieve for Nowhere {
    fn retrieve(
        &self,
        uri: &jsonschema::Uri<String>,
    ) -> Result<Value, Box<dyn std::error::Error + Send + Sync>> {
        Err(format!("{uri} is outside of the schema, and nothing is fetched").into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_checked_and_unwrapped() {
        let object = AnswerSchema::new(&json!({
            "type": "object", "required": ["n"], "properties": {"n": {"$ref": "#/$defs/n"}},
            "$defs": {"n": {"type": "integer"}},
        }))
        .unwrap();
        assert_eq!(object.check(" {\"n\": 1}\n").unwrap(), "{\"n\": 1}");
        for bad in [
            "{}",
            "{\"n\":\"1\"}",
            "{\"n\":1,\"n\":1}",
            "n",
            "",
            "{\"n\":1} {}",
        ] {
            assert!(
                matches!(object.check(bad), Err(ModelError::BadAnswer(_))),
                "{bad}"
            );
        }
        let list = AnswerSchema::new(&json!({
            "type": "array", "items": {"$ref": "#/$defs/n"}, "$defs": {"n": {"type": "integer"}},
        }))
        .unwrap();
        assert_eq!(list.check(r#"{"answer": [1, 2]}"#).unwrap(), "[1,2]");
        assert!(list.check("[1,2]").is_err());
        assert!(list.check(r#"{"answer": ["x"]}"#).is_err());
        assert_eq!(list.sent()["$defs"]["n"]["type"], "integer");
    }

    #[test]
    fn schemas_that_explode_are_refused() {
        let mut defs = Map::new();
        for n in 0..40 {
            let next = json!({"$ref": format!("#/$defs/d{}", n + 1)});
            defs.insert(format!("d{n}"), json!({"allOf": [next, next]}));
        }
        defs.insert("d40".to_owned(), json!({"type": "string"}));
        let doubling = json!({"$ref": "#/$defs/d0", "$defs": defs});
        let chain: Map<String, Value> = (0..99)
            .map(|n| {
                (
                    format!("d{n}"),
                    json!({"$ref": format!("#/$defs/d{}", n + 1)}),
                )
            })
            .chain([("d99".to_owned(), json!({}))])
            .collect();
        let deep = (0..100).fold(json!({}), |inner, _| json!({"not": inner}));
        let wide: Vec<Value> = (0..6_000).map(|n| json!({"const": n})).collect();
        let bad = [
            json!({"properties": {"$defs": doubling["$defs"]["d0"], "definitions": {"$ref": "#/$defs/d0"}},
                "$defs": doubling["$defs"]}),
            doubling,
            json!({"$ref": "#/$defs/d0", "$defs": chain}),
            deep,
            json!({"anyOf": wide}),
            json!({"$defs": {"t": {"properties": {"l": {"$ref": "#/$defs/t"}}}}, "$ref": "#/$defs/t"}),
            json!({"items": {"$ref": "#"}}),
            json!({"$ref": "https://example.com/s.json"}),
            json!({"$ref": "file:///etc/passwd"}),
            json!({"$ref": "#/$defs/none"}),
            json!({"$id": "https://example.com/", "$ref": "x"}),
            json!({"$dynamicRef": "#x"}),
            json!({"type": "no such type"}),
            json!({"pattern": "("}),
            json!("x"),
            json!({"description": "x".repeat(70_000)}),
        ];
        for schema in &bad {
            let got = AnswerSchema::new(schema);
            assert!(matches!(got, Err(ModelError::Invalid(_))), "{schema}");
        }
        println!("{} hostile schemas, 0 accepted", bad.len());
    }

    #[test]
    fn patterns_are_linear() {
        let schema = AnswerSchema::new(&json!({"type": "string", "pattern": "^(a+)+$"})).unwrap();
        let text = json!({ "answer": format!("{}!", "a".repeat(50_000)) }).to_string();
        assert!(schema.check(&text).is_err());
    }
}
