//! One file for each family of commands. A command parses what is left to parse, asks the driver, and shows the answer.

mod approvals;
mod check;
mod decide;
mod doctor;
mod init;
mod look;
mod modify;
mod plugin;
mod policy;
mod run;
mod schema;
mod signal;
mod steer;
mod steps;
mod stream;

use crate::{args::Command, context::Context, error::CliError, exit::Exit};
use std::future::Future;

/// Runs a command.
///
/// # Errors
/// Whatever ended it.
pub(crate) fn run(ctx: &Context, command: Command) -> Result<Exit, CliError> {
    match command {
        Command::Init(args) => init::init(ctx, &args),
        Command::Check(args) => block_on(check::check(ctx, &args)),
        Command::Run(args) => block_on(run::run(ctx, &args)),
        Command::Inspect(args) => block_on(run::inspect(ctx, &args)),
        Command::Plan(args) => block_on(run::plan(ctx, &args)),
        Command::Dispatch(args) => block_on(steps::dispatch(ctx, &args)),
        Command::Verify(args) => block_on(steps::verify(ctx, &args)),
        Command::Runs(args) => look::runs(ctx, &args),
        Command::Status(args) => look::status(ctx, &args),
        Command::Summary(args) => look::summary(ctx, &args),
        Command::Why(args) => look::why(ctx, &args),
        Command::Events(args) => stream::events(ctx, &args),
        Command::Logs(args) => stream::logs(ctx, &args),
        Command::Approvals(args) => block_on(approvals::approvals(ctx, &args)),
        Command::Approve(args) => block_on(decide::approve(ctx, &args)),
        Command::Reject(args) => block_on(decide::reject(ctx, &args)),
        Command::Answer(args) => block_on(decide::answer(ctx, &args)),
        Command::Modify(args) => block_on(modify::modify(ctx, &args)),
        Command::Signal(args) => block_on(signal::signal(ctx, &args)),
        Command::Pause(args) => block_on(steer::pause(ctx, &args)),
        Command::Resume(args) => block_on(steer::resume(ctx, &args)),
        Command::Cancel(args) => block_on(steer::cancel(ctx, &args)),
        Command::Retry(args) => block_on(steps::retry(ctx, &args)),
        Command::Policy(args) => block_on(policy::policy(ctx, &args)),
        Command::Plugin(args) => block_on(plugin::plugin(ctx, &args)),
        Command::Schema(args) => schema::schema(ctx, &args),
        Command::Doctor(args) => block_on(doctor::doctor(ctx, &args)),
    }
}

/// Runs the part of a command that waits for something. Most commands do not need it, and start faster without.
fn block_on(command: impl Future<Output = Result<Exit, CliError>>) -> Result<Exit, CliError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|e| CliError::host("cannot start the threads of the host").caused_by(&e))?;
    let result = runtime.block_on(command);
    // A plugin that is being compiled cannot be interrupted, and nobody waits for it any more.
    runtime.shutdown_background();
    result
}
