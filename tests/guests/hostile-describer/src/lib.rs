//! A plugin whose description breaks every rule at once: name, version, size, schemas, reasons.

mod bindings {
    wit_bindgen::generate!({ path: "../../../wit", world: "agent" });
}

use bindings::exports::sandgate::plugin::describing::{Description, Guest as Describing};
use bindings::exports::sandgate::plugin::working::{
    Guest as Working, GuestSession, Session, Task, TaskOutput,
};
use bindings::sandgate::plugin::types::{Need, NeedKind, PluginError};

struct Liar;

impl Describing for Liar {
    fn describe() -> Description {
        Description {
            name: "../../etc/passwd".into(),
            version: "latest\u{1b}[2J".into(),
            summary: "x".repeat(100_000),
            needs: (0..100)
                .map(|i| Need {
                    kind: NeedKind::Secrets,
                    reason: "because".repeat(if i == 0 { 1_000 } else { 1 }),
                    optional: true,
                })
                .collect(),
            input_schema: Some("[".repeat(1_000)),
            output_schema: Some("{\"type\":\"object\",\"type\":\"string\"}".into()),
            config_schema: Some("\"not a schema\"".into()),
        }
    }
}

impl Working for Liar {
    type Session = Liar;
    fn open(_config: String) -> Result<Session, PluginError> {
        Ok(Session::new(Liar))
    }
}

impl GuestSession for Liar {
    fn run(&self, task: Task) -> Result<TaskOutput, PluginError> {
        Ok(TaskOutput {
            output: task.input,
            charges: Vec::new(),
        })
    }
}

bindings::export!(Liar with_types_in bindings);
