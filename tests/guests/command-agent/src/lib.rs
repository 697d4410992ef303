//! Tries to run what it may not, as its input says. The acts are in the table of `tests/guests/README.md`.

mod bend;

use bindings::sandgate::plugin::command::{
    CommandRequest, Ending, Finished, allowed_commands, run_command,
};
use kit::{Order, Told, Value, debug, json, told};

fn request(program: &str, args: &[String], cwd: Option<&str>) -> CommandRequest {
    CommandRequest {
        program: program.to_owned(),
        args: args.to_vec(),
        cwd: cwd.map(str::to_owned),
    }
}

/// How it ended and what it wrote, in a line.
fn line(done: &Finished) -> String {
    let ending = match done.ending {
        Ending::ExitCode(code) => format!("exit {code}"),
        Ending::Signal(number) => format!("signal {number}"),
        Ending::TimedOut(ms) => format!("timed out after {ms} ms"),
    };
    format!(
        "{ending}: {} | {}",
        String::from_utf8_lossy(&done.stdout),
        String::from_utf8_lossy(&done.stderr)
    )
}

fn run(program: &str, args: &[String], cwd: Option<&str>) -> Result<String, String> {
    debug(run_command(&request(program, args, cwd))).map(|done| line(&done))
}

/// Sizes and times instead of the output itself.
fn measured(program: &str, args: &[String], cwd: Option<&str>) -> Value {
    match run_command(&request(program, args, cwd)) {
        Ok(done) => json!({
            "ending": format!("{:?}", done.ending), "stdout": done.stdout.len(), "stderr": done.stderr.len(),
            "dropped": done.dropped_bytes, "ms": done.duration_ms,
            "tail": String::from_utf8_lossy(&done.stdout[done.stdout.len().saturating_sub(200)..]),
        }),
        Err(error) => json!({ "error": format!("{error:?}") }),
    }
}

fn act(order: &Order) -> Result<Value, String> {
    let program = order.text("program");
    let args = order.list("args");
    let cwd = Some(order.text("cwd")).filter(|cwd| !cwd.is_empty());
    let count = order.number("count", 100);
    Ok(match order.act() {
        // Behaves.
        "allowed" => json!(
            allowed_commands()
                .iter()
                .map(|c| json!({ "name": c.name, "program": c.program, "args": c.args, "approval": c.approval }))
                .collect::<Vec<_>>()
        ),
        "run" => json!(run(program, &args, cwd)?),
        "measure" => measured(program, &args, cwd),
        // Something else than the rule says.
        "programs" => told(bend::programs(program).into_iter().map(|other| {
            let came = run(&other, &args, cwd);
            (format!("{other:?}"), came)
        })),
        "arguments" => told(bend::arguments(&args).into_iter().map(|(what, bent)| {
            let came = run(program, &bent, cwd);
            (what, came)
        })),
        "holes" => {
            let at = order.number("hole", 0) as usize;
            let before = order.text("before");
            told(bend::fillings().into_iter().map(|filling| {
                let mut filled = args.clone();
                if let Some(arg) = filled.get_mut(at) {
                    *arg = format!("{before}{filling}");
                }
                let came = run(program, &filled, cwd);
                (format!("{:?}", filling.chars().take(80).collect::<String>()), came)
            }))
        }
        "directories" => {
            let root = order.text("root");
            told(bend::directories(root).into_iter().map(|directory| {
                let came = run(program, &args, Some(&directory));
                (format!("{:?}", directory.chars().take(80).collect::<String>()), came)
            }))
        }
        // Too much of it.
        "many-args" => {
            let many: Vec<String> = (0..count).map(|n| format!("a{n}")).collect();
            told([(format!("{count} arguments"), run(program, &many, cwd))])
        }
        "long-arg" => {
            let mut long = args;
            long.push("x".repeat(order.number("bytes", 8 << 20) as usize));
            told([("a long argument".to_owned(), run(program, &long, cwd))])
        }
        "long-program" => {
            let long = "p".repeat(order.number("bytes", 8 << 20) as usize);
            told([("a long program".to_owned(), run(&long, &args, cwd))])
        }
        "flood" => {
            let mut told = Told::default();
            for n in 0..count {
                told.note(n.to_string(), run(program, &args, cwd));
            }
            told.answer()
        }
        "refused-flood" => {
            let mut told = Told::default();
            for n in 0..count {
                told.note(n.to_string(), run(&format!("nobody-{n}"), &args, cwd));
            }
            told.answer()
        }
        "ask-flood" => {
            let rules: usize = (0..count).map(|_| allowed_commands().len()).sum();
            json!({ "rules": rules })
        }
        other => return Err(format!("there is no act {other:?}")),
    })
}

kit::agent!(
    "command-agent",
    "package test:guest; world guest {
        include sandgate:plugin/agent@0.1.0;
        import sandgate:plugin/command@0.1.0;
    }",
    [Exec, FilesRead, FilesWrite],
    act
);
