//! Misbehaves as its configuration says: a JSON string `"VERB"` or `"VERB:ARGUMENT"`. Without one it passes and
//! tells in the message what it was shown.

mod bindings {
    wit_bindgen::generate!({ path: "../../../wit", world: "gate" });
}

use bindings::exports::sandgate::plugin::checking::{
    CheckLine, Guest as Checking, Subject, Verdict,
};
use bindings::exports::sandgate::plugin::describing::{Description, Guest as Describing};
use bindings::sandgate::plugin::artifacts;
use bindings::sandgate::plugin::types::PluginError;

struct Gate;

impl Describing for Gate {
    fn describe() -> Description {
        Description {
            name: "hostile-gate".into(),
            version: "0.1.0".into(),
            summary: "Checks nothing".into(),
            needs: Vec::new(),
            input_schema: None,
            output_schema: None,
            config_schema: Some("{}".into()),
        }
    }
}

fn line(name: &str, verdict: Verdict, message: String) -> CheckLine {
    CheckLine {
        name: name.to_owned(),
        verdict,
        message,
        duration_ms: None,
    }
}

impl Checking for Gate {
    fn check(subject: Subject, config: String) -> Result<Vec<CheckLine>, PluginError> {
        let order = bare(&config);
        let (verb, argument) = order.split_once(':').unwrap_or((order, ""));
        let n: usize = argument.parse().unwrap_or(0);
        Ok(match verb {
            "loop" => loop {
                std::hint::black_box(());
            },
            "panic" => panic!("no verdict"),
            "empty" => Vec::new(),
            "fail" => vec![line("check", Verdict::Fail, argument.to_owned())],
            "inconclusive" => vec![line("check", Verdict::Inconclusive, argument.to_owned())],
            "needs-human" => vec![line("check", Verdict::NeedsHuman, argument.to_owned())],
            "failed" => return Err(PluginError::Failed(argument.to_owned())),
            "many" => (0..n)
                .map(|i| line(&format!("c{i}"), Verdict::Pass, String::new()))
                .collect(),
            "same-name" => vec![line("check", Verdict::Pass, String::new()); 2],
            "no-name" => vec![line("", Verdict::Pass, String::new())],
            "long-message" => vec![line("check", Verdict::Pass, "m".repeat(n))],
            "write" => {
                let result = artifacts::write("a", "text/plain", b"x");
                vec![line("write", Verdict::Pass, format!("{result:?}"))]
            }
            "read" => {
                let result = artifacts::read(argument, 0, 100);
                vec![line("read", Verdict::Pass, format!("{result:?}"))]
            }
            _ => {
                let tasks: Vec<_> = subject
                    .tasks
                    .iter()
                    .map(|t| format!("{}={} {:?}", t.id, t.output, t.artifacts))
                    .collect();
                vec![line(
                    "shown",
                    Verdict::Pass,
                    format!(
                        "goal={} inputs={} tasks={}",
                        subject.goal,
                        subject.inputs,
                        tasks.join(";")
                    ),
                )]
            }
        })
    }
}

bindings::export!(Gate with_types_in bindings);

/// The order in a JSON document: a string, or, since tasks in a file have tables, `{"act": "..."}`.
fn bare(json: &str) -> &str {
    let inner = json
        .strip_prefix("{\"act\":")
        .and_then(|rest| rest.strip_suffix('}'));
    inner.unwrap_or(json).trim_matches('"')
}
