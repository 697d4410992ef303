//! The agent, with a host that plays the command.

use super::Runner;
use sandgate_plugin::command::{CommandError, Ending, Finished};
use sandgate_plugin::testing::{Bench, task};
use sandgate_plugin::{Agent, Config, PluginError, Result};
use serde_json::{Value, json};
use std::time::Duration;

fn ended(code: i32, stdout: impl AsRef<[u8]>) -> Finished {
    Finished {
        ending: Ending::Exit(code),
        stdout: stdout.as_ref().to_vec(),
        stderr: b"a remark\n".to_vec(),
        dropped: 0,
        took: Duration::from_millis(7),
    }
}

fn run(
    input: &Value,
    produces: &[&str],
    done: std::result::Result<Finished, CommandError>,
) -> (Result<Value>, Bench) {
    let task = task(input, produces);
    let bench = Bench::new()
        .produces(&task.produces)
        .command(move |_| done.clone());
    bench.run(|| {
        let mut runner = Runner::open(Config::new("null"))?;
        runner.run(task).map(|output| output.value())
    })
}

#[test]
fn what_it_wrote() {
    let input = json!({ "program": "git", "args": ["status"], "cwd": "/src" });
    let (output, bench) = run(&input, &[], Ok(ended(0, "\x1b[32mclean\x1b[0m\n")));
    assert_eq!(
        output.unwrap(),
        json!({ "exit_code": 0, "stdout": "clean\n", "stderr": "a remark\n", "cut_bytes": 0, "duration_ms": 7 })
    );
    let asked = &bench.commands()[0];
    assert_eq!((asked.program.as_str(), asked.args.len()), ("git", 1));
    assert_eq!(asked.cwd.as_deref(), Some("/src"));
}

#[test]
fn a_document_and_an_artifact() {
    let input = json!({ "program": "p", "parse_json": true, "artifact": "rows" });
    let (output, bench) = run(&input, &["rows"], Ok(ended(0, "{\"a\": [1]}\n")));
    assert_eq!(output.unwrap()["json"], json!({ "a": [1] }));
    let artifact = &bench.written()["rows"];
    assert_eq!(artifact.text(), "{\"a\": [1]}\n");
    assert_eq!(artifact.media_type, "application/json");

    for text in ["", "no", "{} {}", "{\"a\":"] {
        let (output, bench) = run(&input, &["rows"], Ok(ended(0, text)));
        assert!(matches!(output, Err(PluginError::Permanent(_))), "{text}");
        assert!(bench.written().is_empty(), "{text}");
    }
    let mut cut = ended(0, "[1, 2]]");
    cut.dropped = 100;
    let (output, _) = run(&input, &["rows"], Ok(cut));
    assert!(output.unwrap_err().text().contains("100 bytes are gone"));
}

#[test]
fn the_class_of_each_failure() {
    let input = json!({ "program": "p", "ok_codes": [0, 1] });
    for (error, class) in [
        (
            CommandError::NotGranted("add a rule".to_owned()),
            "unavailable",
        ),
        (CommandError::NotApproved("no".to_owned()), "unavailable"),
        (CommandError::NotContained("no".to_owned()), "unavailable"),
        (CommandError::NotStarted("no".to_owned()), "unavailable"),
        (CommandError::Limit("no".to_owned()), "permanent"),
        (CommandError::Host("no".to_owned()), "failed"),
    ] {
        let (output, _) = run(&input, &[], Err(error.clone()));
        let found = match output.unwrap_err() {
            PluginError::InvalidInput(_) => "invalid",
            PluginError::Unavailable(_) => "unavailable",
            PluginError::Failed(_) => "failed",
            PluginError::Permanent(_) => "permanent",
        };
        assert_eq!(found, class, "{error}");
    }
    assert!(run(&input, &[], Ok(ended(1, ""))).0.is_ok());
    for ending in [
        Ending::Exit(2),
        Ending::Signal(9),
        Ending::TimedOut(Duration::from_secs(1)),
    ] {
        let mut done = ended(0, "");
        done.ending = ending;
        let error = run(&input, &[], Ok(done)).0.unwrap_err();
        assert!(matches!(error, PluginError::Failed(_)), "{error}");
        assert!(error.text().contains(&ending.to_string()), "{error}");
        assert!(error.text().ends_with("a remark"), "{error}");
    }
}

#[test]
fn a_wrong_input_runs_nothing() {
    for (input, produces) in [
        (json!({}), &[][..]),
        (json!({ "program": "" }), &[]),
        (json!({ "program": "p", "shell": "x" }), &[]),
        (json!({ "program": "p", "args": "x" }), &[]),
        (json!({ "program": "p", "ok_codes": [] }), &[]),
        (json!({ "program": "p", "artifact": "a" }), &[]),
        (json!({ "program": "p" }), &["a"]),
        (json!({ "program": "p", "artifact": "a" }), &["a", "b"]),
    ] {
        let (output, bench) = run(&input, produces, Ok(ended(0, "")));
        assert!(
            matches!(output, Err(PluginError::InvalidInput(_))),
            "{input}"
        );
        assert!(bench.commands().is_empty(), "{input}");
    }
}

/// Whatever a command writes, the output is a document that the host takes.
#[test]
fn floods_are_cut() {
    for byte in [b'x', 0, 0x1b, 0xff, b'\n', b'"'] {
        let mut done = ended(0, vec![byte; 1 << 20]);
        done.stderr = vec![byte; 1 << 20];
        done.dropped = 5;
        let output = run(&json!({ "program": "p" }), &[], Ok(done)).0.unwrap();
        assert_eq!(output["cut_bytes"], json!((2 << 20) - (2 * (64 << 10)) + 5));
        assert!(output.to_string().len() < 1 << 20, "{byte}");
    }
}
