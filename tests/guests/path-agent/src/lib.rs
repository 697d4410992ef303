//! Calls `wasi:filesystem` directly, with any path and flag, as its input says: steps separated by `;`, each a verb and
//! its arguments separated by spaces. Paths are hexadecimal, so that every byte can be said; `-` is the empty path.
//! The output holds what came of each step, separated by `;`: `ok`, `ok WHAT`, or `err CODE`.

mod bindings {
    wit_bindgen::generate!({ path: "../../../wit", world: "agent" });
}
mod steps;

use bindings::exports::sandgate::plugin::describing::{Description, Guest as Describing};
use bindings::exports::sandgate::plugin::working::{
    Guest as Working, GuestSession, Session, Task, TaskOutput,
};
use bindings::sandgate::plugin::types::PluginError;
use std::cell::RefCell;
use steps::Hands;

struct Paths(RefCell<Hands>);

impl Describing for Paths {
    fn describe() -> Description {
        Description {
            name: "paths".into(),
            version: "0.1.0".into(),
            summary: "Tries paths".into(),
            needs: Vec::new(),
            input_schema: None,
            output_schema: None,
            config_schema: None,
        }
    }
}

impl Working for Paths {
    type Session = Paths;
    fn open(_config: String) -> Result<Session, PluginError> {
        Ok(Session::new(Paths(RefCell::default())))
    }
}

impl GuestSession for Paths {
    fn run(&self, task: Task) -> Result<TaskOutput, PluginError> {
        let script = task.input.trim_matches('"');
        let mut hands = self.0.borrow_mut();
        let told: Vec<String> = script
            .split(';')
            .map(|step| match hands.step(step.trim()) {
                Ok(what) if what.is_empty() => "ok".to_owned(),
                Ok(what) => format!("ok {what}"),
                Err(code) => format!("err {code}"),
            })
            .collect();
        let told = told.join(";").replace('\\', "/").replace('"', "'");
        Ok(TaskOutput {
            output: format!("\"{}\"", told.replace(|c: char| c.is_control(), "?")),
            charges: Vec::new(),
        })
    }
}

bindings::export!(Paths with_types_in bindings);
