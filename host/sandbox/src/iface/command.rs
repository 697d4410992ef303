//! `sandgate:plugin/command`: linked for calls with a [`crate::CommandPort`]. Bounds what a guest asks for and what it is
//! given. Must not decide whether a command may run, and must not run one.

use crate::bindings::sandgate::plugin::command::{
    AllowedCommand, CommandError, CommandRequest, Ending, Finished, Host, add_to_linker,
};
use crate::effect::effect;
use crate::link::hint;
use crate::state::{State, Stop};
use crate::tape::{Args, Tag};
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

/// Keeps of what a command wrote what the contract says, before it is recorded.
fn bound(ran: &mut power::FinishedCommand) {
    let dropped = keep_end(&mut ran.stdout) + keep_end(&mut ran.stderr);
    ran.dropped = ran.dropped.saturating_add(dropped);
}

fn finished(ran: power::FinishedCommand) -> Finished {
    Finished {
        ending: match ran.ending {
            CommandEnding::Exit(code) => Ending::ExitCode(code),
            CommandEnding::Signal(signal) => Ending::Signal(signal),
            CommandEnding::TimedOut(after) => Ending::TimedOut(millis(after)),
        },
        stdout: ran.stdout,
        stderr: ran.stderr,
        dropped_bytes: ran.dropped,
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
        self.settle_http().await?;
        self.used.commands += 1;
        let request = power::CommandRequest {
            program: request.program,
            args: request.args,
            cwd: request.cwd,
        };
        let digest = || Args::of(&request);
        let run = async {
            let mut answered = port.run(request.clone()).await;
            if let Ok(ran) = &mut answered.result {
                bound(ran);
            }
            answered
        };
        let ran = effect(self.tape.as_ref(), Tag::Command, digest, run).await?;
        Ok(match ran {
            Ok(ran) => Ok(finished(ran)),
            Err(CommandFailure::NotGranted(why)) => Err(CommandError::NotGranted(why)),
            Err(CommandFailure::NotApproved(why)) => Err(CommandError::NotApproved(why)),
            Err(CommandFailure::NotContained(why)) => Err(CommandError::NotContained(why)),
            Err(CommandFailure::NotStarted(why)) => Err(CommandError::NotStarted(why)),
            Err(CommandFailure::Limit(why)) => Err(CommandError::Limit(why)),
            Err(CommandFailure::Host(why)) => Err(CommandError::Host(why)),
            Err(CommandFailure::Suspended) => return Err(Stop::Suspended.into()),
        })
    }
}
