//! Inputs given to a run: text from the command line is read as the declared type, values from elsewhere are
//! checked against it.

use crate::{
    Code, Diagnostic, Diagnostics, InputDecl, InputType, Workflow, structure::shorten,
    suggest::nearest,
};
use serde_json::Value;
use std::collections::BTreeMap;

/// An input as it was given.
#[derive(Debug, Clone, PartialEq)]
pub enum Given {
    /// Text, as on the command line: read as the declared type.
    Text(String),
    /// A value: has to be of the declared type.
    Value(Value),
}

impl From<&str> for Given {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<Value> for Given {
    fn from(value: Value) -> Self {
        Self::Value(value)
    }
}

impl Workflow {
    /// The run's inputs: what was given, and defaults for the rest.
    ///
    /// # Errors
    /// Everything that is wrong with what was given, each with the place of the declaration.
    pub fn bind_inputs(
        &self,
        given: &BTreeMap<String, Given>,
    ) -> Result<BTreeMap<String, Value>, Diagnostics> {
        let mut out = Diagnostics::default();
        let mut bound = BTreeMap::new();
        for (name, value) in given {
            match self.inputs.get(name) {
                Some(decl) => match decl.take(value) {
                    Ok(value) => {
                        bound.insert(name.clone(), value);
                    }
                    Err((code, message, help)) => out.push(
                        Diagnostic::new(
                            code,
                            format!("input `{name}`: {message}"),
                            &self.source,
                            decl.span,
                        )
                        .label("declared here")
                        .help(help),
                    ),
                },
                None => out.push(self.unknown(name)),
            }
        }
        for (name, decl) in &self.inputs {
            if given.contains_key(name) {
                continue;
            }
            match &decl.default {
                Some(default) => {
                    bound.insert(name.clone(), default.clone());
                }
                None => {
                    let kind = if decl.description.is_empty() {
                        String::new()
                    } else {
                        format!(" ({})", decl.description)
                    };
                    out.push(
                        Diagnostic::new(
                            Code::MISSING_INPUT,
                            format!("input `{name}` has no value"),
                            &self.source,
                            decl.span,
                        )
                        .label("declared here, without a default")
                        .help(format!(
                            "give it with --input {name}={}{kind}",
                            decl.kind.sample()
                        )),
                    );
                }
            }
        }
        if out.is_empty() {
            Ok(bound)
        } else {
            Err(out.finish())
        }
    }

    fn unknown(&self, name: &str) -> Diagnostic {
        let shown = shorten(name);
        let names = || self.inputs.keys().map(String::as_str);
        let help = match nearest(name, names()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if self.inputs.is_empty() => "this workflow takes no inputs".to_owned(),
            None => format!("the inputs are: {}", names().collect::<Vec<_>>().join(", ")),
        };
        let subject = crate::Subject {
            kind: "input",
            name: shown.clone(),
            field: "",
        };
        Diagnostic::about(
            Code::UNKNOWN_INPUT,
            format!("workflow `{}` has no input `{shown}`", self.name),
            subject,
        )
        .help(help)
    }
}

impl InputDecl {
    fn take(&self, given: &Given) -> Result<Value, (Code, String, String)> {
        let value = match given {
            Given::Text(text) => self.kind.read(text).ok_or_else(|| {
                (
                    Code::INPUT_TYPE,
                    format!(
                        "{:?} is not of type `{}`",
                        shorten(text),
                        self.kind.as_str()
                    ),
                    format!("write {}", self.kind.sample()),
                )
            })?,
            Given::Value(value) if self.kind.admits(value) => value.clone(),
            Given::Value(value) => {
                return Err((
                    Code::INPUT_TYPE,
                    format!(
                        "{} is not of type `{}`",
                        shorten(&value.to_string()),
                        self.kind.as_str()
                    ),
                    format!("write {}", self.kind.sample()),
                ));
            }
        };
        if !self.allowed.is_empty() && !self.allowed.contains(&value) {
            let all: Vec<String> = self.allowed.iter().map(Value::to_string).collect();
            return Err((
                Code::INPUT_NOT_IN_ENUM,
                format!(
                    "{} is not one of the allowed values",
                    shorten(&value.to_string())
                ),
                format!("use one of: {}", all.join(", ")),
            ));
        }
        Ok(value)
    }
}

impl InputType {
    /// Reads text as this type. A text is taken as it is; everything else is written as in JSON.
    fn read(self, text: &str) -> Option<Value> {
        match self {
            Self::String => Some(Value::String(text.to_owned())),
            Self::Integer => text.trim().parse::<i64>().ok().map(Value::from),
            Self::Number => match serde_json::from_str(text.trim()) {
                Ok(value @ Value::Number(_)) => Some(value),
                _ => None,
            },
            Self::Boolean => match text.trim() {
                "true" => Some(Value::Bool(true)),
                "false" => Some(Value::Bool(false)),
                _ => None,
            },
            Self::List | Self::Object => serde_json::from_str(text).ok().filter(|v| self.admits(v)),
        }
    }

    fn sample(self) -> &'static str {
        match self {
            Self::String => "TEXT",
            Self::Integer => "42",
            Self::Number => "4.2",
            Self::Boolean => "true",
            Self::List => "'[\"a\", \"b\"]'",
            Self::Object => "'{\"key\": \"value\"}'",
        }
    }
}
