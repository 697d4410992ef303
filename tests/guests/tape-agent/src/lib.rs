//! Uses everything whose answers a host records, in an order that a seed decides. Input: `SEED STEPS WORD...`. Words:
//! `values` puts what clocks and random numbers said into its requests and its output; `only:VERB` does one verb only;
//! `do:VERB,VERB` does these first; `trace` logs all that it was told. The output is a digest of all it was told.

mod bindings {
    wit_bindgen::generate!({
        path: "../../../wit",
        inline: "
            package test:tape;
            world tape {
                include sandgate:plugin/agent@0.1.0;
                import sandgate:plugin/command@0.1.0;
                import sandgate:plugin/model@0.1.0;
                import sandgate:plugin/budget@0.1.0;
                import sandgate:plugin/question@0.1.0;
            }
        ",
        world: "test:tape/tape",
        generate_all,
    });
}
#[path = "../../power-agent/src/http.rs"]
mod http;
mod steps;

use bindings::exports::sandgate::plugin::describing::{Description, Guest as Describing};
use bindings::exports::sandgate::plugin::working::{
    Guest as Working, GuestSession, Session, Task, TaskOutput,
};
use bindings::sandgate::plugin::types::PluginError;
use steps::Hands;

struct Tape;

impl Describing for Tape {
    fn describe() -> Description {
        Description {
            name: "tape".into(),
            version: "0.1.0".into(),
            summary: String::new(),
            needs: Vec::new(),
            input_schema: None,
            output_schema: None,
            config_schema: None,
        }
    }
}

impl Working for Tape {
    type Session = Tape;
    fn open(_config: String) -> Result<Session, PluginError> {
        Ok(Session::new(Tape))
    }
}

impl GuestSession for Tape {
    fn run(&self, task: Task) -> Result<TaskOutput, PluginError> {
        let words: Vec<&str> = task.input.trim_matches('"').split(' ').collect();
        let number = |n: usize| words.get(n).and_then(|word| word.parse().ok()).unwrap_or(0);
        let mut hands = Hands::new(number(0), words.contains(&"values"));
        hands.trace = words.contains(&"trace");
        let only = words.iter().find_map(|word| word.strip_prefix("only:"));
        let script = words.iter().find_map(|word| word.strip_prefix("do:"));
        for (n, verb) in script.unwrap_or_default().split(',').enumerate() {
            hands.verb(verb, n as u64);
        }
        for n in 0..number(1) {
            match only {
                Some(verb) => hands.verb(verb, n),
                None => hands.step(n),
            }
        }
        let told = hands.end();
        Ok(TaskOutput {
            output: format!("\"{}\"", told.replace('\\', "/").replace('"', "'")),
            charges: Vec::new(),
        })
    }
}

bindings::export!(Tape with_types_in bindings);
