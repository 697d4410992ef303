//! The binary `sandgate`: arguments in, requests to the driver, what it answers shown to a person or a program.
//! This crate decides nothing about a run: no state changes here, no rule is applied here, and nothing that is
//! shown is trusted by anything below.

mod args;
mod cmd;
mod context;
mod control;
mod desk;
mod diagnostics;
mod error;
mod exit;
mod follow;
mod pick;
mod plugins;
mod present;
mod progress;
mod prompter;
mod suggest;
mod ui;
mod view;

use args::Args;
use clap::Parser as _;
use context::Context;
use error::CliError;
use exit::Exit;
use std::process::ExitCode;

fn main() -> ExitCode {
    // Hidden modes come first: before any thread, and before the arguments are looked at.
    sandgate_exec::launcher::run_if_launched();
    let compile = std::env::args_os().nth(1);
    if compile.is_some_and(|arg| arg == context::COMPILE_WORKER) {
        return sandgate_sandbox::compile_worker_main();
    }
    keep_memory_private();
    let typed: Vec<String> = std::env::args_os()
        .skip(1)
        .map(|arg| arg.to_string_lossy().into_owned())
        .collect();
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => return ExitCode::from(usage(&error, &typed).code()),
    };
    let command = format!("sandgate {}", typed.join(" "));
    let json = args.global.format == args::Format::Json;
    let (ctx, result) = match Context::new(args.global, command) {
        Ok(ctx) => {
            let result = cmd::run(&ctx, args.command);
            (Some(ctx), result)
        }
        Err(error) => (None, Err(error)),
    };
    let exit = result.unwrap_or_else(|error| {
        let text = match &ctx {
            _ if json => error.json(),
            Some(ctx) => error.text(&ctx.ui.err),
            None => error.text(&ui::Look::default()),
        };
        ui::stderr(&text);
        error.exit()
    });
    ExitCode::from(exit.code())
}

/// Secrets pass through this process: no core dump, and no other process of the user reads its memory. Where the kernel
/// does not take it, everything else still holds.
fn keep_memory_private() {
    use rustix::process::{DumpableBehavior, Resource, Rlimit};
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    let _refused = rustix::process::setrlimit(Resource::Core, none);
    let _refused = rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable);
}

/// Help and version are payload; anything else is an error, in the format that was asked for.
fn usage(error: &clap::Error, typed: &[String]) -> Exit {
    let help = !error.use_stderr();
    if !help && args::wants_json(typed.iter().map(String::as_str)) {
        let text = error.to_string();
        let message = text.trim().trim_start_matches("error: ");
        ui::stderr(&CliError::usage(message).json());
        return Exit::Usage;
    }
    // Nobody reading is not worth an error of its own.
    drop(error.print());
    if help { Exit::Success } else { Exit::Usage }
}
