//! The program that the tests start: the launcher, the code that an attacker gets to run, processes that try to
//! survive, and a host to be killed. Must not be shipped.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test's program: what it cannot do ends it, and the test sees that"
)]

mod attack;
mod host;

use std::{
    process::{Command, Stdio},
    time::Duration,
};

fn main() {
    sandgate_exec::launcher::run_if_launched();
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["attack", order] => attack::run(order),
        // Two forks and a session of its own: the usual way to get away.
        ["fork", token] => {
            let _ = nix::unistd::setsid();
            spawn(&["linger", token]);
        }
        ["linger", _token] => {
            // Not for ever: what escapes a test must not stay on the machine.
            std::thread::sleep(Duration::from_secs(60));
        }
        ["storm", token] => {
            for _ in 0..4 {
                spawn(&["fork", token]);
                spawn(&["linger", token]);
            }
            std::thread::sleep(Duration::from_secs(60));
        }
        ["victim"] => std::thread::sleep(Duration::from_secs(600)),
        ["host", order] => host::run(order),
        _ => {
            eprintln!("{words:?}: no such mode");
            std::process::exit(64);
        }
    }
}

/// Holds on to nothing: git and others wait until the output of what they started is closed.
pub(crate) fn quiet(command: &mut Command) -> &mut Command {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
}

/// Starts this program in another mode and does not wait for it.
pub(crate) fn spawn(words: &[&str]) {
    let me = std::env::args_os().next().unwrap();
    // The child is to outlive whoever waits.
    let _ = quiet(Command::new(me).args(words)).spawn();
}
