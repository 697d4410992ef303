//! Gives its input back as output. Nothing else, so that what a call of it costs is what a call costs.

mod bindings {
    wit_bindgen::generate!({ path: "../../../wit", world: "agent" });
}

use bindings::exports::sandgate::plugin::describing::{Description, Guest as Describing};
use bindings::exports::sandgate::plugin::working::{
    Guest as Working, GuestSession, Session, Task, TaskOutput,
};
use bindings::sandgate::plugin::types::PluginError;

struct Noop;

impl Describing for Noop {
    fn describe() -> Description {
        Description {
            name: "noop".into(),
            version: "0.1.0".into(),
            summary: "Gives its input back".into(),
            needs: Vec::new(),
            input_schema: None,
            output_schema: None,
            config_schema: None,
        }
    }
}

impl Working for Noop {
    type Session = Noop;
    fn open(_config: String) -> Result<Session, PluginError> {
        Ok(Session::new(Noop))
    }
}

impl GuestSession for Noop {
    fn run(&self, task: Task) -> Result<TaskOutput, PluginError> {
        Ok(TaskOutput {
            output: task.input,
            charges: Vec::new(),
        })
    }
}

bindings::export!(Noop with_types_in bindings);
