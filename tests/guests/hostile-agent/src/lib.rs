//! Misbehaves as it is told. The configuration says what `open` does and the input what `run` does, each a JSON
//! string `"VERB"` or `"VERB:ARGUMENT"`; `null` and anything unknown mean: behave, and give the input back.

mod acts;
mod bindings {
    wit_bindgen::generate!({ path: "../../../wit", world: "agent" });
}

use bindings::exports::sandgate::plugin::describing::{Description, Guest as Describing};
use bindings::exports::sandgate::plugin::working::{
    Guest as Working, GuestSession, Session, Task, TaskOutput,
};
use bindings::sandgate::plugin::types::PluginError;
use std::cell::RefCell;

/// A session that can be told to remember something.
pub struct Hostile {
    kept: RefCell<String>,
}

impl Describing for Hostile {
    fn describe() -> Description {
        Description {
            name: "hostile".into(),
            version: "0.1.0".into(),
            summary: "Misbehaves on request".into(),
            needs: Vec::new(),
            input_schema: None,
            output_schema: None,
            config_schema: Some("{}".into()),
        }
    }
}

/// Splits `"VERB:ARGUMENT"`, quotes included.
fn order(json: &str) -> (&str, &str) {
    let text = bare(json);
    text.split_once(':').unwrap_or((text, ""))
}

impl Working for Hostile {
    type Session = Hostile;
    fn open(config: String) -> Result<Session, PluginError> {
        let (verb, argument) = order(&config);
        acts::act(verb, argument, &config)?;
        Ok(Session::new(Hostile {
            kept: RefCell::new(String::new()),
        }))
    }
}

impl GuestSession for Hostile {
    fn run(&self, task: Task) -> Result<TaskOutput, PluginError> {
        let (verb, argument) = order(&task.input);
        match verb {
            "remember" => {
                *self.kept.borrow_mut() = argument.to_owned();
                Ok(acts::text("remembered"))
            }
            "recall" => Ok(acts::text(&self.kept.borrow())),
            "task" => Ok(acts::text(&format!(
                "{} {} {} {:?}",
                task.id, task.attempt, task.idempotency_key, task.produces
            ))),
            _ => acts::act(verb, argument, &task.input),
        }
    }
}

bindings::export!(Hostile with_types_in bindings);

/// The order in a JSON document: a string, or, since tasks in a file have tables, `{"act": "..."}`.
fn bare(json: &str) -> &str {
    let inner = json
        .strip_prefix("{\"act\":")
        .and_then(|rest| rest.strip_suffix('}'));
    inner.unwrap_or(json).trim_matches('"')
}
