//! The configuration.

use sandgate_plugin::{PluginError, Result};
use serde::Deserialize;
use serde_json::{Value, json};

/// Most report files or folders that a configuration may name.
const MOST_REPORTS: usize = 100;
/// Most tests that a configuration may name; each is a check of its own.
const MOST_EXPECTED: usize = 100;

/// The configuration.
#[derive(Deserialize, Default, Debug)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// Program, exactly as the rule names it.
    pub(crate) program: String,
    /// Arguments, exactly as in the rule, holes filled.
    pub(crate) args: Vec<String>,
    /// Directory to start in, as the gate sees it.
    pub(crate) cwd: Option<String>,
    /// Where test results come from.
    pub(crate) parse: Parse,
    /// What the test results must have.
    pub(crate) checks: Expected,
    /// JUnit files, or folders of them, as the gate sees them.
    pub(crate) reports: Paths,
    /// Name of the checks; the program's where it is left out.
    pub(crate) name: Option<String>,
}

/// Where test results come from.
#[derive(Deserialize, Clone, Copy, PartialEq, Eq, Default, Debug)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Parse {
    /// From `reports` if there are any, else from whatever the output looks like; none is fine.
    #[default]
    Auto,
    /// The exit code says everything.
    ExitCode,
    /// JUnit XML.
    Junit,
    /// The Test Anything Protocol.
    Tap,
    /// Summary lines such as "12 passed, 1 failed".
    Counts,
}

/// What the test results must have.
#[derive(Deserialize, Default, Debug)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Expected {
    /// Least number of tests that ran.
    pub(crate) min: Option<u64>,
    /// Names of tests that must be there and pass.
    pub(crate) expect: Vec<String>,
}

/// One path or several.
#[derive(Deserialize, Default, Debug)]
#[serde(from = "Value")]
pub(crate) struct Paths {
    /// The paths.
    pub(crate) list: Vec<String>,
    /// Whether something in the configuration is no path.
    wrong: bool,
}

/// A text or a list of texts, without serde's "did not match any variant".
impl From<Value> for Paths {
    fn from(value: Value) -> Self {
        let items = match value {
            Value::Array(items) => items,
            one => vec![one],
        };
        let list: Vec<String> = items
            .iter()
            .filter_map(|item| item.as_str().map(str::to_owned))
            .collect();
        Self {
            wrong: list.len() != items.len() || list.iter().any(String::is_empty),
            list,
        }
    }
}

impl Settings {
    /// What the schema cannot say, and what it says, for hosts that do not look at schemas.
    pub(crate) fn validate(&self) -> Result<()> {
        let wrong = |text: &str| Err(PluginError::invalid_input(text));
        if self.program.is_empty() {
            return wrong(
                "the config has no `program`; give it and `args` as in the `exec` rule of [policy] in sandgate.toml",
            );
        }
        if self
            .name
            .as_ref()
            .is_some_and(|name| name.trim().is_empty())
        {
            return wrong("`name` is empty; leave it out or give one");
        }
        if self.reports.wrong {
            return wrong(
                "`reports` is a path such as \"/src/target/junit.xml\", or a list of paths",
            );
        }
        if self.reports.list.len() > MOST_REPORTS || self.checks.expect.len() > MOST_EXPECTED {
            return wrong("`reports` and `expect` hold at most 100 entries");
        }
        if !self.reports.list.is_empty() && !matches!(self.parse, Parse::Auto | Parse::Junit) {
            return wrong(
                "`reports` are JUnit files, and `parse` says something else; leave one of them out",
            );
        }
        let wants = self.checks.min.is_some() || !self.checks.expect.is_empty();
        if self.parse == Parse::ExitCode && wants {
            return wrong(
                "`parse = \"exit-code\"` reads no tests, so `checks` can never hold; leave one of them out",
            );
        }
        Ok(())
    }

    /// Least number of tests that must have run, when there are results at all.
    pub(crate) fn least(&self) -> u64 {
        self.checks.min.unwrap_or(1)
    }
}

pub(crate) fn schema() -> Value {
    json!({
        "type": "object",
        "required": ["program"],
        "additionalProperties": false,
        "properties": {
            "program": { "type": "string", "minLength": 1, "description": "program, exactly as an `exec` rule names it" },
            "args": { "type": "array", "items": { "type": "string" }, "description": "arguments, exactly as in the rule, holes filled" },
            "cwd": { "type": "string", "minLength": 1, "description": "directory to start in, as the gate sees it; the rule's unless said" },
            "parse": {
                "enum": ["auto", "exit-code", "junit", "tap", "counts"],
                "description": "where test results come from; auto: reports if named, else what the output looks like"
            },
            "checks": {
                "type": "object",
                "additionalProperties": false,
                "properties": {
                    "min": { "type": "integer", "minimum": 0, "description": "least number of tests that ran; 1 where there are results" },
                    "expect": {
                        "type": "array", "maxItems": MOST_EXPECTED, "items": { "type": "string", "minLength": 1 },
                        "description": "names of tests that must be there and pass (JUnit and TAP)"
                    }
                }
            },
            "reports": {
                "description": "JUnit files, or folders of them, in granted directories; the command must write them anew",
                "anyOf": [
                    { "type": "string", "minLength": 1 },
                    { "type": "array", "maxItems": MOST_REPORTS, "items": { "type": "string", "minLength": 1 } }
                ]
            },
            "name": { "type": "string", "minLength": 1, "maxLength": 100, "description": "name of the checks; the program's unless said" }
        }
    })
}
