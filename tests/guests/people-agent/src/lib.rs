//! Asks people in the middle of its work, as its input says, and as its configuration says while a session is opened. The
//! acts are in the table of `tests/guests/README.md`.

mod acts;

mod bindings {
    wit_bindgen::generate!({
        path: "../../../wit",
        inline: "
            package test:guest;
            world guest {
                include sandgate:plugin/agent@0.1.0;
                import sandgate:plugin/command@0.1.0;
                import sandgate:plugin/model@0.1.0;
                import sandgate:plugin/budget@0.1.0;
                import sandgate:plugin/question@0.1.0;
            }
        ",
        world: "test:guest/guest",
        generate_all,
    });
}

use bindings::exports::sandgate::plugin::describing::{Description, Guest as Describing};
use bindings::exports::sandgate::plugin::working::{
    Guest as Working, GuestSession, Session, Task, TaskOutput,
};
use bindings::sandgate::plugin::artifacts;
use bindings::sandgate::plugin::types::{Need, NeedKind, PluginError};
use kit::{Order, Value, debug, json};
use std::cell::Cell;

struct People {
    opened: Value,
    runs: Cell<u64>,
}

impl Describing for People {
    fn describe() -> Description {
        // All optional: a test grants what its steps use, and what it does not grant refuses by itself.
        let needs = [
            NeedKind::FilesRead,
            NeedKind::FilesWrite,
            NeedKind::Http,
            NeedKind::Exec,
            NeedKind::Model,
            NeedKind::Secrets,
            NeedKind::Question,
            NeedKind::Budget,
        ];
        Description {
            name: "people-agent".into(),
            version: "0.1.0".into(),
            summary: env!("CARGO_PKG_DESCRIPTION").into(),
            needs: needs
                .into_iter()
                .map(|kind| Need {
                    kind,
                    reason: "where an order uses it".into(),
                    optional: true,
                })
                .collect(),
            input_schema: None,
            output_schema: None,
            config_schema: Some("{}".into()),
        }
    }
}

impl Working for People {
    type Session = Self;

    fn open(config: String) -> Result<Session, PluginError> {
        let order = Order::read(&config);
        let opened = match order.act() {
            "" => Value::Null,
            _ => acts::act(&order).map_err(PluginError::InvalidInput)?,
        };
        Ok(Session::new(Self {
            opened,
            runs: Cell::new(0),
        }))
    }
}

impl GuestSession for People {
    fn run(&self, task: Task) -> Result<TaskOutput, PluginError> {
        self.runs.set(self.runs.get() + 1);
        let order = Order::read(&task.input);
        let done = match order.act() {
            "half-artifact" => half_artifact(&order, &task),
            _ => acts::act(&order),
        };
        let mut output = done.map_err(PluginError::InvalidInput)?;
        output["attempt"] = json!(task.attempt);
        output["key"] = json!(task.idempotency_key);
        // How many tasks this session has run: 1, unless it is pinned.
        output["runs"] = json!(self.runs.get());
        if !self.opened.is_null() {
            output["opened"] = self.opened.clone();
        }
        Ok(TaskOutput {
            output: output.to_string(),
            charges: Vec::new(),
        })
    }
}

/// Begins each artifact of the task, does its steps, and goes on with them.
fn half_artifact(order: &Order, task: &Task) -> Result<Value, String> {
    for name in &task.produces {
        debug(artifacts::write(name, "text/plain", b"before\n"))?;
    }
    let answers = acts::steps::of(order);
    for name in &task.produces {
        debug(artifacts::append(name, b"after\n"))?;
    }
    Ok(json!({ "answers": answers }))
}

bindings::export!(People with_types_in bindings);
