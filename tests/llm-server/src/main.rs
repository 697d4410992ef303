//! The server as a program, for tests through the binary. Prints its port and runs until its input ends.
//!
//!     sandgate-test-llm [--key KEY] [--script FILE.json]

use sandgate_test_llm::{LlmServer, turns};
use std::{
    io::{self, Read, Write},
    process::ExitCode,
};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "sandgate-test-llm: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> io::Result<()> {
    let mut key = None;
    let mut scripts = Vec::new();
    let mut args = std::env::args().skip(1);
    while let (Some(name), value) = (args.next(), args.next()) {
        let value = value.ok_or_else(|| io::Error::other(format!("{name} needs a value")))?;
        match name.as_str() {
            "--key" => key = Some(value),
            "--script" => {
                let text = std::fs::read_to_string(&value)?;
                let json = serde_json::from_str(&text)?;
                scripts = turns(&json)
                    .ok_or_else(|| io::Error::other(format!("{value} is not a script")))?;
            }
            _ => return Err(io::Error::other(format!("{name} is unknown"))),
        }
    }
    let server = LlmServer::start(key.as_deref())?;
    for (model, turns) in scripts {
        server.script(&model, turns);
    }
    let mut out = io::stdout();
    writeln!(out, "{}", server.port())?;
    out.flush()?;
    // Whoever started it holds the other end; when they are gone, so is it.
    io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}
