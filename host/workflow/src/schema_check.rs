//! JSON Schemas of plugins: their schemas are hostile text, so references are never fetched and patterns run in
//! linear time.

use serde_json::Value;

/// Most messages about one document; more say the same.
const MESSAGES_MAX: usize = 8;

/// Longest message, in characters; the validator quotes the document.
const MESSAGE_MAX: usize = 200;

/// A schema that is ready to be used.
#[derive(Debug)]
pub struct InputSchema(jsonschema::Validator);

/// Why a document does not fit a schema.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{message}", if at.is_empty() { String::new() } else { format!("at `{at}`: ") })]
pub struct SchemaMismatch {
    /// Where in the document, as a JSON pointer; empty: the whole.
    pub at: String,
    /// What is wrong: a lowercase fragment.
    pub message: String,
}

/// A schema that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the schema cannot be used: {0}")]
pub struct BadSchema(pub String);

impl InputSchema {
    /// Prepares a schema (2020-12).
    ///
    /// # Errors
    /// When it is not a schema, or refers to one outside of itself.
    pub fn new(schema: &Value) -> Result<Self, BadSchema> {
        jsonschema::options()
            .with_draft(jsonschema::Draft::Draft202012)
            .with_pattern_options(jsonschema::PatternOptions::regex())
            .with_retriever(Nowhere)
            .build(schema)
            .map(Self)
            .map_err(|error| BadSchema(cut(&error.to_string())))
    }

    /// Checks a document.
    ///
    /// # Errors
    /// The first eight mismatches.
    pub fn check(&self, value: &Value) -> Result<(), Vec<SchemaMismatch>> {
        if self.0.is_valid(value) {
            return Ok(());
        }
        let found: Vec<SchemaMismatch> = self
            .0
            .iter_errors(value)
            .take(MESSAGES_MAX)
            .map(|error| SchemaMismatch {
                at: error.instance_path().to_string(),
                message: cut(&error.to_string()),
            })
            .collect();
        Err(found)
    }
}

/// Checks a document against a schema, once. For many documents prepare an [`InputSchema`].
///
/// # Errors
/// The first eight mismatches, or that the schema cannot be used.
pub fn validate_input(schema: &Value, value: &Value) -> Result<(), Vec<SchemaMismatch>> {
    match InputSchema::new(schema) {
        Ok(ready) => ready.check(value),
        Err(error) => Err(vec![SchemaMismatch {
            at: String::new(),
            message: error.to_string(),
        }]),
    }
}

fn cut(text: &str) -> String {
    let short: String = text.chars().take(MESSAGE_MAX).collect();
    if short.len() < text.len() {
        format!("{short}…")
    } else {
        short
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
    use serde_json::json;

    #[test]
    fn mismatches_say_where() {
        let schema =
            json!({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["b"]});
        let found = validate_input(&schema, &json!({"a": 1})).unwrap_err();
        assert_eq!(found.len(), 2);
        assert!(found.iter().any(|m| m.at == "/a"), "{found:?}");
        assert!(validate_input(&schema, &json!({"a": "", "b": 1})).is_ok());
    }

    #[test]
    fn nothing_is_fetched() {
        let error =
            InputSchema::new(&json!({"$ref": "https://example.com/schema.json"})).unwrap_err();
        assert!(error.to_string().contains("example.com"), "{error}");
        assert!(InputSchema::new(&json!({"$ref": "file:///etc/passwd"})).is_err());
    }

    #[test]
    fn hostile_patterns_are_linear() {
        let schema = InputSchema::new(&json!({"pattern": "^(a+)+$"})).unwrap();
        let text = format!("{}!", "a".repeat(50_000));
        assert!(schema.check(&json!(text)).is_err());
    }
}
