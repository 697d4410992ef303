//! `sandgate:plugin/command`: linked for calls with a [`crate::CommandPort`]. Bounds what a guest asks for and what it is
//! given. Must not decide whether a command may run, and must not run one.

use crate::bindings::sandgate::plugin::command::{
    AllowedCommand, CommandError, CommandRequest, Ending, Finished, Host, add_to_linker,
};
use crate::link::hint;
use crate::state::State;
use crate::{CommandEnding, CommandFailure, power};
use std::time::Duration;
use wasmtime::component::{HasSelf, Linker};

/// Longest program name or directory, in bytes: the kernel's longest path.
const PATH_MAX: usize = 4_096;

/// Most arguments. Templates are written by hand; lists of files in a hole are some hundreds.
const ARGS_MAX: usize = 1_024;

/// Bytes of all arguments: what the kernel takes for one.
const ARGS_BYTES: usize = 128 << 10;

/// Bytes kept of each output, as the contract says.
const OUTPUT_MAX: usize = 1 << 20;

pub(crate) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    add_to_linker::<State, HasSelf<State>>(linker, State::count)
}

/// Why a request is too large, if it is.
fn too_large(request: &CommandRequest) -> Option<String> {
    let bytes: usize = request.args.iter().map(String::len).sum();
    if request.program.len() > PATH_MAX {
        return Some(format!("a program's name has at most {PATH_MAX} bytes"));
    }
    if request.cwd.as_ref().is_some_and(|cwd| cwd.len() > PATH_MAX) {
        return Some(format!("a directory's path has at most {PATH_MAX} bytes"));
    }
    if request.args.len() > ARGS_MAX || bytes > ARGS_BYTES {
        return Some(format!(
            "a command has at most {ARGS_MAX} arguments of {ARGS_BYTES} bytes together"
        ));
    }
    None
}

/// Keeps the end of an output; gives how much was dropped.
fn keep_end(output: &mut Vec<u8>) -> u64 {
    let over = output.len().saturating_sub(OUTPUT_MAX);
    output.drain(..over);
    over as u64
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn finished(mut ran: power::FinishedCommand) -> Finished {
    let dropped = keep_end(&mut ran.stdout) + keep_end(&mut ran.stderr);
    Finished {
        ending: match ran.ending {
            CommandEnding::Exit(code) => Ending::ExitCode(code),
            CommandEnding::Signal(signal) => Ending::Signal(signal),
            CommandEnding::TimedOut(after) => Ending::TimedOut(millis(after)),
        },
        stdout: ran.stdout,
        stderr: ran.stderr,
        dropped_bytes: ran.dropped.saturating_add(dropped),
        duration_ms: millis(ran.took),
    }
}

impl Host for State {
    fn allowed_commands(&mut self) -> wasmtime::Result<Vec<AllowedCommand>> {
        self.may_go_on()?;
        let all = self.powers.command.as_ref().map(|port| port.allowed());
        Ok(all
            .unwrap_or_default()
            .into_iter()
            .map(|rule| AllowedCommand {
                name: rule.name,
                program: rule.program,
                args: rule.args,
                approval: rule.approval,
            })
            .collect())
    }

    async fn run_command(
        &mut self,
        request: CommandRequest,
    ) -> wasmtime::Result<Result<Finished, CommandError>> {
        self.may_go_on()?;
        let Some(port) = self.powers.command.clone() else {
            return Ok(Err(CommandError::NotGranted(hint::command())));
        };
        if let Some(why) = too_large(&request) {
            return Ok(Err(CommandError::Limit(why)));
        }
        self.used.commands += 1;
        let ran = port
            .run(power::CommandRequest {
                program: request.program,
                args: request.args,
                cwd: request.cwd,
            })
            .await;
        Ok(ran.map(finished).map_err(|failure| match failure {
            CommandFailure::NotGranted(why) => CommandError::NotGranted(why),
            CommandFailure::NotApproved(why) => CommandError::NotApproved(why),
            CommandFailure::NotContained(why) => CommandError::NotContained(why),
            CommandFailure::NotStarted(why) => CommandError::NotStarted(why),
            CommandFailure::Limit(why) => CommandError::Limit(why),
            CommandFailure::Host(why) => CommandError::Host(why),
        }))
    }
}
