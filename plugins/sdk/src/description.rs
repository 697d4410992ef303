//! What a plugin says of itself.

use crate::bindings::host::sandgate::plugin::types;
use serde_json::Value;

/// A kind of authority to ask for. Asking grants nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NeedKind {
    /// Read granted directories.
    FilesRead,
    /// Write granted directories.
    FilesWrite,
    /// Outgoing HTTP to allowed origins.
    Http,
    /// Run allowed commands.
    Exec,
    /// Text generation with a key the host holds.
    Model,
    /// Have secrets put into its requests by the host.
    Secrets,
    /// Ask a person.
    Question,
    /// Charge the budget.
    Budget,
}

#[derive(Clone, PartialEq, Debug)]
struct Need {
    kind: NeedKind,
    reason: String,
    optional: bool,
}

/// What a plugin says of itself. Must not depend on anything but the component: the host may ask once and keep
/// the answer.
#[derive(Clone, PartialEq, Debug)]
pub struct Description {
    name: String,
    version: String,
    summary: String,
    needs: Vec<Need>,
    input_schema: Option<Value>,
    output_schema: Option<Value>,
    config_schema: Option<Value>,
}

impl Description {
    /// A plugin that needs nothing, takes any input and gives any output, and takes no configuration.
    ///
    /// `name` is `[a-z0-9][a-z0-9._-]{0,63}`, `version` a semantic version, `summary` a line or two for people
    /// and planners. `env!("CARGO_PKG_NAME")` and `env!("CARGO_PKG_VERSION")` do for the first two.
    #[must_use]
    pub fn new(name: &str, version: &str, summary: &str) -> Self {
        Self {
            name: name.to_owned(),
            version: version.to_owned(),
            summary: summary.to_owned(),
            needs: Vec::new(),
            input_schema: None,
            output_schema: None,
            config_schema: None,
        }
    }

    /// Asks for authority. `reason` is one line for the person who decides.
    #[must_use]
    pub fn need(mut self, kind: NeedKind, reason: &str) -> Self {
        self.needs.push(Need {
            kind,
            reason: reason.to_owned(),
            optional: false,
        });
        self
    }

    /// Asks for authority without which the plugin still works, with less.
    #[must_use]
    pub fn optional_need(mut self, kind: NeedKind, reason: &str) -> Self {
        self.needs.push(Need {
            kind,
            reason: reason.to_owned(),
            optional: true,
        });
        self
    }

    /// JSON Schema (2020-12) of a task's input. The host checks inputs against it.
    #[must_use]
    pub fn input_schema(mut self, schema: Value) -> Self {
        self.input_schema = Some(schema);
        self
    }

    /// JSON Schema of the output. The host checks outputs against it.
    #[must_use]
    pub fn output_schema(mut self, schema: Value) -> Self {
        self.output_schema = Some(schema);
        self
    }

    /// JSON Schema of the configuration. Without one the host refuses any configuration.
    #[must_use]
    pub fn config_schema(mut self, schema: Value) -> Self {
        self.config_schema = Some(schema);
        self
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl From<NeedKind> for types::NeedKind {
    fn from(kind: NeedKind) -> Self {
        match kind {
            NeedKind::FilesRead => Self::FilesRead,
            NeedKind::FilesWrite => Self::FilesWrite,
            NeedKind::Http => Self::Http,
            NeedKind::Exec => Self::Exec,
            NeedKind::Model => Self::Model,
            NeedKind::Secrets => Self::Secrets,
            NeedKind::Question => Self::Question,
            NeedKind::Budget => Self::Budget,
        }
    }
}

impl From<Description> for types::Description {
    fn from(description: Description) -> Self {
        Self {
            name: description.name,
            version: description.version,
            summary: description.summary,
            needs: description
                .needs
                .into_iter()
                .map(|need| types::Need {
                    kind: need.kind.into(),
                    reason: need.reason,
                    optional: need.optional,
                })
                .collect(),
            input_schema: description.input_schema.map(|schema| schema.to_string()),
            output_schema: description.output_schema.map(|schema| schema.to_string()),
            config_schema: description.config_schema.map(|schema| schema.to_string()),
        }
    }
}
