//! An agent for tests: it sleeps, spins, logs, asks people, runs commands, fails, traps, counts and produces as its input
//! says.
//!
//! An empty input does nothing and answers `null`: the cheapest task there is, for benchmarks.

mod steps;

use sandgate_plugin::{
    Agent, Config, Description, NeedKind, Output, PluginError, Result, Task, artifacts, log,
    progress,
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use steps::Step;

/// What to do, in this order.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Input {
    /// Lines to log.
    log: Vec<String>,
    /// A word of progress.
    progress: Option<String>,
    /// Wait so many milliseconds, idle.
    sleep_ms: u64,
    /// Wait so many milliseconds, busy.
    spin_ms: u64,
    /// Then these, one after the other; the output has what came of them in `steps`. The first that fails is the end.
    steps: Vec<Step>,
    /// Fail while the attempt is at most this; absent: every attempt fails if `fail` is given.
    fail_attempts: Option<u32>,
    /// How to fail.
    fail: Option<Fail>,
    /// Text of the failure.
    message: Option<String>,
    /// Artifacts to make, name to text. Those that the task declares and that are not here get a line of text.
    produce: BTreeMap<String, String>,
    /// Artifacts to read; the output then has their sizes in `read`.
    read: Vec<String>,
    /// Answer with how many tasks this session has run.
    count: bool,
    /// The output, as it is.
    output: Option<Value>,
    /// A cost to record, in millionths.
    charge_micros: u64,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "kebab-case")]
enum Fail {
    Failed,
    Permanent,
    InvalidInput,
    Unavailable,
    Trap,
}

struct Fake {
    tasks: u64,
}

impl Agent for Fake {
    fn describe() -> Description {
        Description::new(
            env!("CARGO_PKG_NAME"),
            env!("CARGO_PKG_VERSION"),
            "For tests: does what its input says (sleep, fail, log, ask, run commands, produce)",
        )
        .optional_need(NeedKind::Question, "asks what `steps` of its input say")
        .optional_need(NeedKind::Exec, "runs what `steps` of its input say")
        .optional_need(
            NeedKind::FilesRead,
            "its commands work in the directories that the task is granted",
        )
        .optional_need(
            NeedKind::FilesWrite,
            "its commands write where the task may write",
        )
        .input_schema(schema())
    }

    fn open(_config: Config) -> Result<Self> {
        Ok(Self { tasks: 0 })
    }

    fn run(&mut self, task: Task) -> Result<Output> {
        self.tasks += 1;
        // Nothing asked for and nothing to make: the path that benchmarks measure.
        if task.produces.is_empty() && matches!(task.input.trim(), "{}" | "null") {
            return Ok(Output::none());
        }
        let input: Input = match task.input.trim() {
            "null" => Input::default(),
            _ => task.input()?,
        };
        for line in &input.log {
            log::info(line);
        }
        if let Some(word) = &input.progress {
            progress::report(word);
        }
        if input.sleep_ms > 0 {
            std::thread::sleep(Duration::from_millis(input.sleep_ms));
        }
        if input.spin_ms > 0 {
            spin(Duration::from_millis(input.spin_ms));
        }
        let done = steps::all(&input.steps)?;
        fail(&input, task.attempt)?;
        produce(&input, &task)?;
        let output = answer(&input, &task, self.tasks, done)?;
        Ok(match input.charge_micros {
            0 => output,
            micros => output.charge("fake", micros),
        })
    }
}

fn spin(time: Duration) {
    let start = Instant::now();
    // The clock is a call into the host, and those are counted: look at it about ten times a millisecond.
    while start.elapsed() < time {
        for step in 0..100_000 {
            std::hint::black_box(step);
        }
    }
}

fn fail(input: &Input, attempt: u32) -> Result<()> {
    let over = input.fail_attempts.is_some_and(|last| attempt > last);
    let kind = match (input.fail, input.fail_attempts) {
        _ if over => return Ok(()),
        (None, None) => return Ok(()),
        (None, Some(_)) => Fail::Failed,
        (Some(kind), _) => kind,
    };
    let text = input
        .message
        .clone()
        .unwrap_or_else(|| format!("asked to fail (attempt {attempt})"));
    Err(match kind {
        Fail::Failed => PluginError::failed(text),
        Fail::Permanent => PluginError::permanent(text),
        Fail::InvalidInput => PluginError::invalid_input(text),
        Fail::Unavailable => PluginError::unavailable(text),
        Fail::Trap => trap(),
    })
}

fn trap() -> ! {
    #[cfg(target_arch = "wasm32")]
    std::arch::wasm32::unreachable();
    #[cfg(not(target_arch = "wasm32"))]
    std::process::abort();
}

fn produce(input: &Input, task: &Task) -> Result<()> {
    for (name, text) in &input.produce {
        artifacts::write(name, "text/plain", text)?;
    }
    for name in &task.produces {
        if !input.produce.contains_key(name) {
            artifacts::write(name, "text/plain", format!("{name} of {}\n", task.id))?;
        }
    }
    Ok(())
}

fn answer(input: &Input, task: &Task, tasks: u64, done: Vec<Value>) -> Result<Output> {
    if let Some(output) = &input.output {
        return Output::json(output);
    }
    let mut output = serde_json::Map::new();
    output.insert("task".to_owned(), json!(task.id));
    output.insert("attempt".to_owned(), json!(task.attempt));
    if input.count {
        output.insert("count".to_owned(), json!(tasks));
    }
    if !done.is_empty() {
        output.insert("steps".to_owned(), Value::Array(done));
    }
    if !input.read.is_empty() {
        let mut sizes = serde_json::Map::new();
        for name in &input.read {
            sizes.insert(name.clone(), json!(artifacts::read(name)?.len()));
        }
        output.insert("read".to_owned(), Value::Object(sizes));
    }
    Output::json(&output)
}

fn schema() -> Value {
    let milliseconds = json!({ "type": "integer", "minimum": 0 });
    json!({
        "type": ["object", "null"],
        "additionalProperties": false,
        "properties": {
            "log": { "type": "array", "items": { "type": "string" } },
            "progress": { "type": "string" },
            "sleep_ms": milliseconds,
            "spin_ms": milliseconds,
            "steps": steps::schema(),
            "fail": { "enum": ["failed", "permanent", "invalid-input", "unavailable", "trap"] },
            "fail_attempts": { "type": "integer", "minimum": 0 },
            "message": { "type": "string" },
            "produce": { "type": "object", "additionalProperties": { "type": "string" } },
            "read": { "type": "array", "items": { "type": "string" } },
            "count": { "type": "boolean" },
            "output": {},
            "charge_micros": { "type": "integer", "minimum": 0 }
        }
    })
}

sandgate_plugin::export!(agent: Fake);

#[cfg(test)]
mod tests {
    use super::*;
    use sandgate_plugin::testing::{self, Bench};

    fn run(input: Value, produces: &[&str], attempt: u32) -> (Result<Output>, Bench) {
        let mut task = testing::task(&input, produces);
        task.attempt = attempt;
        Bench::new()
            .artifact("up.text", "text/plain", "12345")
            .run(|| Fake { tasks: 4 }.run(task))
    }

    #[test]
    fn does_what_it_is_told() {
        assert_eq!(run(json!({}), &[], 1).0.unwrap().value(), Value::Null);
        assert_eq!(
            run(json!({"output": [1]}), &[], 1).0.unwrap().value(),
            json!([1])
        );
        assert_eq!(
            run(json!({"count": true, "read": ["up.text"]}), &[], 2)
                .0
                .unwrap()
                .value(),
            json!({"task": "test", "attempt": 2, "count": 5, "read": {"up.text": 5}})
        );
        let (_, bench) = run(
            json!({"produce": {"a": "A"}, "log": ["hi"]}),
            &["a", "b"],
            1,
        );
        assert_eq!(bench.written()["a"].text(), "A");
        assert_eq!(bench.written()["b"].text(), "b of test\n");
        assert_eq!(bench.logged().len(), 1);
    }

    #[test]
    fn fails_as_told() {
        let text = |input, attempt| run(input, &[], attempt).0;
        assert!(matches!(
            text(json!({"fail": "failed"}), 9),
            Err(PluginError::Failed(_))
        ));
        assert!(matches!(
            text(json!({"fail": "permanent"}), 1),
            Err(PluginError::Permanent(_))
        ));
        assert!(matches!(
            text(json!({"fail_attempts": 2}), 2),
            Err(PluginError::Failed(_))
        ));
        assert!(text(json!({"fail_attempts": 2, "fail": "permanent"}), 3).is_ok());
        assert!(matches!(
            text(json!({"typo": 1}), 1),
            Err(PluginError::InvalidInput(_))
        ));
    }
}
