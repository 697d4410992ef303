//! Uses every capability as its input says: steps separated by `;`, each a verb and its arguments separated by spaces. The
//! output holds what came of each step, separated by `;`: `ok WHAT` or `err WHY`. What a verb that keeps something keeps,
//! stays in the session.

mod bindings {
    wit_bindgen::generate!({
        path: "../../../wit",
        inline: "
            package test:power;
            world power {
                include sandgate:plugin/agent@0.1.0;
                import sandgate:plugin/command@0.1.0;
                import sandgate:plugin/model@0.1.0;
                import sandgate:plugin/budget@0.1.0;
            }
        ",
        world: "test:power/power",
        generate_all,
    });
}
mod http;
mod steps;

use bindings::exports::sandgate::plugin::describing::{Description, Guest as Describing};
use bindings::exports::sandgate::plugin::working::{
    Guest as Working, GuestSession, Session, Task, TaskOutput,
};
use bindings::sandgate::plugin::types::PluginError;
use std::cell::RefCell;
use steps::Hands;

struct Power(RefCell<Hands>);

impl Describing for Power {
    fn describe() -> Description {
        // Nothing is granted while it says what it is: each of these has to refuse, and none may harm.
        let refused = Hands::default().refused();
        Description {
            name: "power".into(),
            version: "0.1.0".into(),
            summary: refused,
            needs: Vec::new(),
            input_schema: None,
            output_schema: None,
            config_schema: None,
        }
    }
}

impl Working for Power {
    type Session = Power;
    fn open(_config: String) -> Result<Session, PluginError> {
        Ok(Session::new(Power(RefCell::default())))
    }
}

impl GuestSession for Power {
    fn run(&self, task: Task) -> Result<TaskOutput, PluginError> {
        let script = task.input.trim_matches('"');
        let mut hands = self.0.borrow_mut();
        let told: Vec<String> = script
            .split(';')
            .map(|step| match hands.step(step.trim()) {
                Ok(what) => format!("ok {what}"),
                Err(why) => format!("err {why}"),
            })
            .collect();
        let told = told.join(";").replace('\\', "/").replace('"', "'");
        Ok(TaskOutput {
            output: format!("\"{}\"", told.replace(|c: char| c.is_control(), "?")),
            charges: Vec::new(),
        })
    }
}

bindings::export!(Power with_types_in bindings);
