//! What a gate looks at: one rule for all gates, so that users learn it once.

use super::gate::Subject;
use crate::artifacts;
use serde::Deserialize;
use serde_json::Value;

/// The part of a gate's configuration that says what it looks at. Every field may be left out.
///
/// - `{ task, artifact }`: that artifact;
/// - `{ task, output = "/body" }`: the value at that JSON pointer in the task's output (`""`: all of it);
/// - `{ task }`: the task's artifacts, or its output when it made none;
/// - nothing: the same of the last task of the plan.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// Id of a task; the last of the plan where it is left out.
    #[serde(default)]
    pub task: Option<String>,
    /// Name of one of the task's artifacts.
    #[serde(default)]
    pub artifact: Option<String>,
    /// JSON pointer into the task's output.
    #[serde(default)]
    pub output: Option<String>,
}

/// One thing to look at.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct View {
    /// What it is, for messages, such as `artifact draft.email`.
    pub label: String,
    /// Its bytes. A text in an output is the text itself; any other value is its JSON.
    pub bytes: Vec<u8>,
    /// Whether `bytes` are the text of a JSON string, and not JSON.
    pub bare_text: bool,
}

impl View {
    /// The bytes as text, when they are.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        std::str::from_utf8(&self.bytes).ok()
    }

    /// The bytes as JSON.
    ///
    /// # Errors
    /// Why they are not, for a person.
    pub fn json(&self) -> Result<Value, String> {
        if self.bare_text {
            return Ok(Value::String(
                String::from_utf8_lossy(&self.bytes).into_owned(),
            ));
        }
        serde_json::from_slice(&self.bytes)
            .map_err(|error| format!("{} is not JSON: {error}", self.label))
    }
}

impl Target {
    /// The JSON Schema of a target, for a gate's configuration schema.
    #[must_use]
    pub fn schema() -> Value {
        serde_json::json!({
            "type": "object",
            "description": "what to look at; left out: what the last task of the plan made",
            "additionalProperties": false,
            "properties": {
                "task": { "type": "string", "description": "id of a task; left out: the last of the plan" },
                "artifact": { "type": "string", "description": "one of its artifacts" },
                "output": { "type": "string", "description": "JSON pointer into its output, such as /body" }
            }
        })
    }

    /// Finds what to look at; never an empty list.
    ///
    /// # Errors
    /// Why there is nothing to look at, for a person. A gate answers that with an inconclusive check.
    pub fn views(&self, subject: &Subject) -> Result<Vec<View>, String> {
        if self.artifact.is_some() && self.output.is_some() {
            return Err(
                "the target names both `artifact` and `output`; leave one of them out".to_owned(),
            );
        }
        let task = match &self.task {
            Some(id) => subject.task(id).ok_or_else(|| {
                let known: Vec<_> = subject.tasks.iter().map(|task| task.id.as_str()).collect();
                format!(
                    "no task `{id}` has succeeded; those that have: {}",
                    if known.is_empty() {
                        "none".to_owned()
                    } else {
                        known.join(", ")
                    }
                )
            })?,
            None => subject
                .tasks
                .last()
                .ok_or("no task has succeeded, so there is nothing to look at")?,
        };
        if let Some(artifact) = &self.artifact {
            return Ok(vec![read(&format!("{}.{artifact}", task.id))?]);
        }
        if self.output.is_none() && !task.artifacts.is_empty() {
            return task.artifacts.iter().map(|name| read(name)).collect();
        }
        let pointer = self.output.as_deref().unwrap_or_default();
        let output: Value = task.output().map_err(|error| error.to_string())?;
        let label = format!("output {}{pointer}", task.id);
        match output.pointer(pointer) {
            None => Err(format!(
                "the output of task `{}` has nothing at `{pointer}`",
                task.id
            )),
            Some(Value::Null) => Err(format!("{label} is null, so there is nothing to look at")),
            Some(Value::String(text)) => Ok(vec![View {
                label,
                bytes: text.clone().into_bytes(),
                bare_text: true,
            }]),
            Some(other) => Ok(vec![View {
                label,
                bytes: other.to_string().into_bytes(),
                bare_text: false,
            }]),
        }
    }
}

fn read(name: &str) -> Result<View, String> {
    match artifacts::read(name) {
        Ok(bytes) => Ok(View {
            label: format!("artifact {name}"),
            bytes,
            bare_text: false,
        }),
        Err(artifacts::ArtifactError::NotFound(_)) => {
            let known: Vec<_> = artifacts::list()
                .into_iter()
                .map(|info| info.name)
                .collect();
            Err(format!(
                "the run made no artifact `{name}`; it made: {}",
                if known.is_empty() {
                    "none".to_owned()
                } else {
                    known.join(", ")
                }
            ))
        }
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FinishedTask;
    use crate::testing::Bench;

    fn subject() -> Subject {
        Subject {
            tasks: vec![
                FinishedTask {
                    id: "research".to_owned(),
                    output: r#"{"findings":[{"text":"hello"}],"none":null}"#.to_owned(),
                    artifacts: vec![],
                },
                FinishedTask {
                    id: "draft".to_owned(),
                    output: r#"{"body":"Dear John"}"#.to_owned(),
                    artifacts: vec!["draft.email".to_owned()],
                },
            ],
            ..Subject::default()
        }
    }

    fn look(json: &str) -> Result<Vec<(String, String)>, String> {
        let target: Target = serde_json::from_str(json).unwrap();
        let bench = Bench::new().artifact("draft.email", "text/markdown", "# Mail");
        let (views, _) = bench.run(|| target.views(&subject()));
        views.map(|views| {
            views
                .into_iter()
                .map(|view| (view.label.clone(), view.text().unwrap().to_owned()))
                .collect()
        })
    }

    #[test]
    fn finds_what_is_named() {
        for (target, label, text) in [
            ("{}", "artifact draft.email", "# Mail"),
            (r#"{"task":"draft"}"#, "artifact draft.email", "# Mail"),
            (
                r#"{"task":"draft","artifact":"email"}"#,
                "artifact draft.email",
                "# Mail",
            ),
            (
                r#"{"task":"draft","output":"/body"}"#,
                "output draft/body",
                "Dear John",
            ),
            (
                r#"{"output":""}"#,
                "output draft",
                r#"{"body":"Dear John"}"#,
            ),
            (
                r#"{"task":"research","output":"/findings/0/text"}"#,
                "output research/findings/0/text",
                "hello",
            ),
        ] {
            assert_eq!(
                look(target).unwrap(),
                [(label.to_owned(), text.to_owned())],
                "{target}"
            );
        }
    }

    #[test]
    fn says_why_there_is_nothing() {
        for (target, why) in [
            (r#"{"task":"x"}"#, "no task `x` has succeeded"),
            (
                r#"{"task":"draft","artifact":"sms"}"#,
                "it made: draft.email",
            ),
            (r#"{"task":"draft","output":"/sms"}"#, "nothing at `/sms`"),
            (r#"{"task":"research","output":"/none"}"#, "is null"),
            (r#"{"artifact":"a","output":""}"#, "leave one of them out"),
        ] {
            let error = look(target).unwrap_err();
            assert!(error.contains(why), "{target}: {error}");
        }
        assert!(Target::default().views(&Subject::default()).is_err());
    }
}
