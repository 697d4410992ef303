//! `json-schema`: a document holds a JSON Schema (2020-12, or the draft that its `$schema` names).
//!
//! One check when it holds, one for each place where it does not. References lead only into the schema itself:
//! the gate fetches nothing.

use boon::{Compiler, ErrorKind, SchemaIndex, Schemas, UrlLoader, ValidationError};
use sandgate_plugin::{
    Check, Config, Description, Gate, PluginError, Result, Subject, Target, View,
};
use serde::Deserialize;
use serde_json::{Value, json};

/// Checks of one document; what is wrong beyond that is counted.
const MOST: usize = 20;
/// Characters of a message: a wrong value may be a whole document.
const MESSAGE: usize = 300;

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    target: Target,
    schema: Value,
}

struct JsonSchema;

impl Gate for JsonSchema {
    fn describe() -> Description {
        Description::new(
            "json-schema",
            env!("CARGO_PKG_VERSION"),
            "Checks a task's output or artifact against a JSON Schema",
        )
        .config_schema(json!({
            "type": "object",
            "required": ["schema"],
            "additionalProperties": false,
            "properties": {
                "target": Target::schema(),
                "schema": { "type": ["object", "boolean"], "description": "the JSON Schema" }
            }
        }))
    }

    fn check(subject: Subject, config: Config) -> Result<Vec<Check>> {
        let settings: Settings = config.parse()?;
        if settings.schema.is_null() {
            return Ok(vec![Check::inconclusive(
                "schema",
                "there is no schema; give one as `schema` in the gate's config",
            )]);
        }
        let (schemas, schema) = compile(settings.schema)?;
        Ok(match settings.target.views(&subject) {
            Err(why) => vec![Check::inconclusive("target", why)],
            Ok(views) => views
                .iter()
                .flat_map(|view| checks(&schemas, schema, view))
                .collect(),
        })
    }
}

/// Fetches nothing: a reference out of the schema is a mistake in the configuration.
struct Nowhere;

impl UrlLoader for Nowhere {
    fn load(&self, url: &str) -> std::result::Result<Value, Box<dyn std::error::Error>> {
        Err(format!("a schema may not refer to another document, as to {url}").into())
    }
}

/// Where the schema lives for the compiler; never looked up.
const HERE: &str = "sandgate:schema";

fn compile(schema: Value) -> Result<(Schemas, SchemaIndex)> {
    let wrong = |error: boon::CompileError| {
        // The long form names the place inside the schema.
        PluginError::invalid_input(format!("the schema is wrong: {error:#}"))
    };
    let mut compiler = Compiler::new();
    compiler.use_loader(Box::new(Nowhere));
    compiler.add_resource(HERE, schema).map_err(wrong)?;
    let mut schemas = Schemas::new();
    let index = compiler.compile(HERE, &mut schemas).map_err(wrong)?;
    Ok((schemas, index))
}

fn checks(schemas: &Schemas, schema: SchemaIndex, view: &View) -> Vec<Check> {
    let document = match view.json() {
        Ok(document) => document,
        Err(why) => return vec![Check::fail(format!("{} is JSON", view.label), why)],
    };
    let Err(error) = schemas.validate(&document, schema) else {
        return vec![Check::pass(view.label.clone(), "holds the schema")];
    };
    let mut wrong = Vec::new();
    places(&error, &mut wrong);
    let more = wrong.len().saturating_sub(MOST);
    wrong.truncate(MOST);
    let mut checks: Vec<Check> = wrong
        .into_iter()
        .enumerate()
        .map(|(n, message)| {
            Check::fail(format!("{} error {}", view.label, n + 1), shorten(&message))
        })
        .collect();
    if more > 0 {
        checks.push(Check::fail(
            format!("{} more errors", view.label),
            format!("and {more} more"),
        ));
    }
    checks
}

/// Every wrong place with what is wrong. Of alternatives (`anyOf`, `oneOf`) only that none fits: what is wrong
/// with each of them would mislead.
fn places(error: &ValidationError<'_, '_>, found: &mut Vec<String>) {
    let alternatives = matches!(error.kind, ErrorKind::AnyOf | ErrorKind::OneOf(_));
    if error.causes.is_empty() || alternatives {
        let place = error.instance_location.to_string();
        let place = if place.is_empty() {
            "the document"
        } else {
            &place
        };
        found.push(format!("{place}: {}", error.kind));
        return;
    }
    for cause in &error.causes {
        places(cause, found);
    }
}

fn shorten(text: &str) -> String {
    if text.chars().count() <= MESSAGE {
        return text.to_owned();
    }
    let cut: String = text.chars().take(MESSAGE - 1).collect();
    format!("{cut}…")
}

sandgate_plugin::export!(gate: JsonSchema);

#[cfg(test)]
mod tests {
    use super::*;
    use sandgate_plugin::testing::Bench;
    use sandgate_plugin::{FinishedTask, Verdict};

    fn run(config: Value) -> Result<Vec<Check>> {
        let subject = Subject {
            tasks: vec![FinishedTask {
                id: "compare".to_owned(),
                output:
                    json!({"rows": [{"name": "a", "price": 1}, {"name": 2}], "title": "Laptops"})
                        .to_string(),
                artifacts: vec!["compare.table".to_owned()],
            }],
            ..Subject::default()
        };
        Bench::new()
            .artifact("compare.table", "text/csv", "a,b\n")
            .run(|| JsonSchema::check(subject, Config::new(config.to_string())))
            .0
    }

    fn verdicts(config: Value) -> Vec<(Verdict, String)> {
        run(config)
            .unwrap()
            .into_iter()
            .map(|check| (check.verdict, check.message))
            .collect()
    }

    #[test]
    fn every_wrong_place_is_a_check() {
        let schema = json!({
            "properties": {"rows": {"items": {
                "required": ["name", "price"],
                "properties": {"name": {"type": "string"}, "price": {"$ref": "#/$defs/price"}}
            }}},
            "$defs": {"price": {"type": "number", "minimum": 1}}
        });
        assert_eq!(
            verdicts(json!({"target": {"output": ""}, "schema": schema})),
            [
                (
                    Verdict::Fail,
                    "/rows/1: missing properties 'price'".to_owned()
                ),
                (
                    Verdict::Fail,
                    "/rows/1/name: want string, but got number".to_owned()
                ),
            ]
        );
        assert_eq!(
            verdicts(
                json!({"target": {"output": "/rows/0"}, "schema": schema["properties"]["rows"]["items"]["required"].is_array()})
            ),
            [(Verdict::Pass, "holds the schema".to_owned())]
        );
        assert_eq!(
            verdicts(
                json!({"target": {"output": "/title"}, "schema": {"type": "string", "pattern": "^L"}})
            ),
            [(Verdict::Pass, "holds the schema".to_owned())]
        );
    }

    #[test]
    fn many_errors_are_counted() {
        let schema = json!({"properties": {"rows": {"items": {"properties": {"name": {"allOf": vec![json!({"minimum": 3, "maxLength": 0}); 15]}}}}}});
        let found = verdicts(json!({"target": {"output": ""}, "schema": schema}));
        assert_eq!(found.len(), MOST + 1);
        assert_eq!(found[MOST].1, "and 10 more");
    }

    #[test]
    fn alternatives_are_one_error() {
        let either = json!({"anyOf": [{"type": "number"}, {"type": "string", "minLength": 99}]});
        let found = verdicts(json!({"target": {"output": "/title"}, "schema": either}));
        assert_eq!(
            found,
            [(Verdict::Fail, "the document: anyOf failed".to_owned())]
        );
    }

    #[test]
    fn what_is_not_json_fails_and_what_is_not_there_blocks() {
        assert_eq!(verdicts(json!({"schema": true}))[0].0, Verdict::Fail);
        assert_eq!(
            verdicts(json!({"schema": true, "target": {"task": "x"}}))[0].0,
            Verdict::Inconclusive
        );
        assert_eq!(verdicts(Value::Null)[0].0, Verdict::Inconclusive);
    }

    #[test]
    fn wrong_schemas_are_named() {
        for schema in [
            json!({"type": "text"}),
            json!({"$ref": "https://example.com/x.json"}),
        ] {
            let error = run(json!({"schema": schema})).unwrap_err();
            assert!(
                matches!(&error, PluginError::InvalidInput(text) if text.starts_with("the schema is wrong")),
                "{error}"
            );
        }
    }
}
