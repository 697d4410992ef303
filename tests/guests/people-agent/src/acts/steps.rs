//! Steps, one after the other. Each is a table with its verb in `do`; what it does outside carries its number, so that a
//! test sees whatever happens twice.

use super::http;
use crate::bindings::sandgate::plugin::{budget, command, log, model, question};
use kit::{Order, Value, debug, json};
use std::io::Write as _;
use wasip2::clocks::{monotonic_clock, wall_clock};
use wasip2::random::random;

/// Most characters of an answer.
const ANSWER: usize = 2_000;

/// All steps of an order, and what came of each: `{"step": "1 clock", "got": ...}` or `"error"`.
pub fn of(order: &Order) -> Vec<Value> {
    let steps = order
        .value("steps")
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    let stop = order.value("stop").as_bool().unwrap_or(false);
    let mut last = String::new();
    let mut answers = Vec::new();
    for (n, step) in steps.iter().enumerate() {
        let step = Step {
            n: n + 1,
            fields: step,
            last: &last,
        };
        let result = step.act();
        let failed = result.is_err();
        let mut answer = came(result.clone());
        answer["step"] = json!(format!("{} {}", n + 1, step.text("do")));
        answers.push(answer);
        if let Ok(got) = result {
            last = got;
        }
        if failed && stop {
            break;
        }
    }
    answers
}

/// `{"got": TEXT}` or `{"error": TEXT}`.
pub fn came(result: Result<String, String>) -> Value {
    match result {
        Ok(got) => json!({ "got": got }),
        Err(error) => json!({ "error": error }),
    }
}

struct Step<'a> {
    n: usize,
    fields: &'a Value,
    last: &'a str,
}

impl Step<'_> {
    /// A text; `{last}` in it is what the step before got.
    fn text(&self, key: &str) -> String {
        let text = self.fields[key].as_str().unwrap_or("");
        text.replace("{last}", self.last)
    }

    /// The same, with a text of its own when there is none.
    fn named(&self, key: &str) -> String {
        match self.fields[key].is_string() {
            true => self.text(key),
            false => format!("step {}", self.n),
        }
    }

    fn number(&self, key: &str, otherwise: u64) -> u64 {
        self.fields[key].as_u64().unwrap_or(otherwise)
    }

    fn list(&self, key: &str) -> Vec<String> {
        self.fields[key]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(|text| text.replace("{last}", self.last))
            .collect()
    }

    fn act(&self) -> Result<String, String> {
        match self.text("do").as_str() {
            "write" => put(&self.text("path"), &(self.named("text") + "\n"), false),
            "append" => put(&self.text("path"), &(self.named("text") + "\n"), true),
            "read" => read(&self.text("path")),
            "clock" => {
                let now = wall_clock::now();
                Ok(format!("{}.{:09}", now.seconds, now.nanoseconds))
            }
            "monotonic" => Ok(monotonic_clock::now().to_string()),
            "random" => Ok(random::get_random_bytes(self.number("bytes", 8))
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect()),
            "sleep" => {
                std::thread::sleep(std::time::Duration::from_millis(self.number("ms", 10)));
                Ok("slept".to_owned())
            }
            "log" => {
                log::log(log::Level::Info, &self.named("text"));
                Ok("logged".to_owned())
            }
            "print" => {
                println!("{}", self.named("text"));
                Ok("printed".to_owned())
            }
            "command" => run(&self.text("program"), self.list("args"), &self.text("cwd")),
            "get" => http::get(&self.text("url"), self.n),
            "post" => http::post(&self.text("url"), self.n, self.named("text").as_bytes()),
            "remaining" => Ok(format!("{:?}", budget::remaining())),
            "charge" => debug(budget::charge_now(
                &self.named("what"),
                self.number("micros", 1),
            ))
            .map(|()| "charged".to_owned()),
            "generate" => generate(&self.text("model"), &self.named("text")),
            "question" => ask(
                &self.named("text"),
                self.list("choices"),
                self.fields["default"].as_str().map(str::to_owned),
                self.fields["timeout_ms"].as_u64(),
            ),
            other => Err(format!("there is no step {other:?}")),
        }
    }
}

fn put(path: &str, text: &str, append: bool) -> Result<String, String> {
    std::fs::File::options()
        .create(true)
        .write(true)
        .append(append)
        .truncate(!append)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map(|()| format!("{} bytes", text.len()))
        .map_err(|error| error.to_string())
}

/// The contents of a file, without the last line break.
pub fn read(path: &str) -> Result<String, String> {
    std::fs::read_to_string(path)
        .map(|text| cut(text.trim_end_matches('\n')))
        .map_err(|error| error.to_string())
}

/// Runs a command; its exit code and what it wrote.
pub fn run(program: &str, args: Vec<String>, cwd: &str) -> Result<String, String> {
    let request = command::CommandRequest {
        program: program.to_owned(),
        args,
        cwd: Some(cwd.to_owned()).filter(|cwd| !cwd.is_empty()),
    };
    let done = debug(command::run_command(&request))?;
    let ending = match done.ending {
        command::Ending::ExitCode(code) => format!("exit {code}"),
        other => format!("{other:?}"),
    };
    let text = String::from_utf8_lossy(&done.stdout);
    Ok(cut(&format!("{ending}: {}", text.trim_end_matches('\n'))))
}

/// Asks a person.
pub fn ask(
    text: &str,
    choices: Vec<String>,
    default_answer: Option<String>,
    timeout_ms: Option<u64>,
) -> Result<String, String> {
    debug(question::ask_person(&question::Ask {
        text: text.to_owned(),
        choices,
        default_answer,
        timeout_ms,
    }))
}

/// Has a text generated.
pub fn generate(name: &str, text: &str) -> Result<String, String> {
    let message = model::Message {
        speaker: model::Speaker::User,
        text: text.to_owned(),
        tool_calls: Vec::new(),
        answers: None,
    };
    debug(model::generate(&model::GenerateRequest {
        model: name.to_owned(),
        messages: vec![message],
        tools: Vec::new(),
        max_tokens: Some(100),
        temperature_permille: None,
        json_schema: None,
    }))
    .map(|answer| cut(&answer.text))
}

/// Charges the budget.
pub fn charge(what: &str) -> Result<String, String> {
    debug(budget::charge_now(what, 1)).map(|()| "charged".to_owned())
}

fn cut(text: &str) -> String {
    text.chars().take(ANSWER).collect()
}
