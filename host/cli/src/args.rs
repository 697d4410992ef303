//! What the user typed. Nothing here looks at files, the environment or the journal; [`crate::context`] resolves it.
//! The doc comments in this file are the text of `--help`.

mod people;

pub(crate) use people::{Act, Answer, Approvals, Approve, Cancel, Modify, Reject, Signal, Steer};

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Runs workflows whose planner, agents and gates are sandboxed WebAssembly components
#[derive(Parser, Debug)]
#[command(name = "sandgate", version, after_help = crate::exit::HELP, propagate_version = true)]
#[command(
    disable_help_subcommand = true,
    subcommand_required = true,
    arg_required_else_help = true
)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(ClapArgs, Debug)]
#[command(next_help_heading = "Options of every command")]
pub(crate) struct Global {
    /// Work on the project in DIR instead of the one around the current directory
    #[arg(short = 'C', long = "project", value_name = "DIR", global = true)]
    pub(crate) project: Option<PathBuf>,
    /// What to write: text for people, or JSON (streams are JSON Lines)
    #[arg(
        long,
        value_enum,
        value_name = "FORMAT",
        default_value = "text",
        global = true
    )]
    pub(crate) format: Format,
    /// When to use colours; `auto` also honours NO_COLOR
    #[arg(
        long,
        value_enum,
        value_name = "WHEN",
        default_value = "auto",
        global = true
    )]
    pub(crate) color: Color,
    /// Say nothing on standard error but errors
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
}

/// Output format.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Format {
    Text,
    Json,
}

/// When to use colours.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Color {
    Auto,
    Always,
    Never,
}

/// The commands, in the order in which one meets them.
#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Make a new project that runs as it is
    Init(Init),
    /// Check the project and its workflows; all mistakes at once
    Check(Check),
    /// Run a workflow, or go on with the same run if it was interrupted
    Run(RunArgs),
    /// Show what a planner would be shown: the inspection packet
    Inspect(WorkflowArgs),
    /// Make a run and its plan, and stop there
    Plan(WorkflowArgs),
    /// Dispatch the tasks of a planned run
    Dispatch(Step),
    /// Verify a run whose tasks have ended
    Verify(Step),
    /// List the runs of the project
    Runs(Runs),
    /// Show where a run is: states, what runs, what waits
    Status(Which),
    /// Show what came of a run: tasks, artifacts, checks, errors
    Summary(Summary),
    /// Tell why tasks wait, were skipped or failed, and who can change it
    Why(Why),
    /// Show the events of a run
    Events(Events),
    /// Show what plugins logged
    Logs(Logs),
    /// List what waits for people and for signals, in every run
    Approvals(Approvals),
    /// Approve what waits: a plan, a task, a result, one use of a capability, more budget
    Approve(Approve),
    /// Reject what waits
    Reject(Reject),
    /// Answer a question of a plugin
    Answer(Answer),
    /// Edit the plan of a run that waits for review
    Modify(Modify),
    /// Send a signal to the tasks that wait for it, or list signals
    Signal(Signal),
    /// Start nothing new of a run or of a task; what runs goes on
    Pause(Steer),
    /// End a pause, and go on with interrupted runs
    Resume(Steer),
    /// Cancel a run or some of its tasks for good
    Cancel(Cancel),
    /// Try failed, lost or cancelled tasks of a run again
    Retry(Retry),
    /// Show what each task of a workflow may do, where that comes from, and what changed since it was accepted
    Policy(Policy),
    /// Look at plugins
    #[command(subcommand)]
    Plugin(Plugin),
    /// Print the JSON Schema of a file format
    Schema(Schema),
    /// Look at the machine and the project, and say what is wrong
    Doctor(Doctor),
}

/// How a run is named on the command line.
const RUN_HELP: &str = "A run: its id, or the beginning or end of it; the latest when left out";

/// `init`.
#[derive(ClapArgs, Debug)]
pub(crate) struct Init {
    /// Where; made if it does not exist
    #[arg(value_name = "DIR", default_value = ".")]
    pub(crate) dir: PathBuf,
    /// Name of the project; the directory's name when left out
    #[arg(long)]
    pub(crate) name: Option<String>,
}

/// `check`.
#[derive(ClapArgs, Debug)]
pub(crate) struct Check {
    /// Workflow files; all of the project's when left out
    #[arg(value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
}

/// A workflow with its inputs.
#[derive(ClapArgs, Debug)]
pub(crate) struct WorkflowArgs {
    /// The workflow's file
    #[arg(value_name = "WORKFLOW")]
    pub(crate) workflow: PathBuf,
    /// An input of the workflow; may be repeated
    #[arg(short, long = "input", value_name = "NAME=VALUE", value_parser = key_value)]
    pub(crate) inputs: Vec<(String, String)>,
}

/// `run`.
#[derive(ClapArgs, Debug)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) workflow: WorkflowArgs,
    /// Start another run even if the same one was interrupted
    #[arg(long)]
    pub(crate) new: bool,
    /// Stay when the run waits for a person or a signal, instead of leaving with exit code 4
    #[arg(long)]
    pub(crate) wait: bool,
    /// In a terminal: do not ask approvals and questions in place
    #[arg(long)]
    pub(crate) no_prompt: bool,
    /// Keep the answers of models in FILE, which must not exist
    #[arg(long, value_name = "FILE", conflicts_with = "dry_run")]
    pub(crate) record_models: Option<PathBuf>,
    /// Take the answers of models from FILE, which an earlier run kept; nothing is sent to a provider
    #[arg(long, value_name = "FILE", conflicts_with_all = ["dry_run", "record_models"])]
    pub(crate) replay_models: Option<PathBuf>,
    /// Only tell what would happen: the plan, refusals, approvals, gates, cost; nothing is recorded
    #[arg(long, conflicts_with_all = ["new", "wait", "no_prompt"])]
    pub(crate) dry_run: bool,
}

/// `dispatch`, `verify`.
#[derive(ClapArgs, Debug)]
pub(crate) struct Step {
    #[arg(value_name = "RUN", help = RUN_HELP)]
    pub(crate) run: Option<String>,
}

/// `status`.
#[derive(ClapArgs, Debug)]
pub(crate) struct Which {
    #[arg(value_name = "RUN", help = RUN_HELP)]
    pub(crate) run: Option<String>,
}

/// `runs`.
#[derive(ClapArgs, Debug)]
pub(crate) struct Runs {
    /// Show at most so many, the latest ones
    #[arg(short = 'n', long, value_name = "N", default_value_t = 20)]
    pub(crate) limit: usize,
    /// Show all of them
    #[arg(long, conflicts_with = "limit")]
    pub(crate) all: bool,
}

/// `summary`.
#[derive(ClapArgs, Debug)]
#[command(group(clap::ArgGroup::new("bytes").args(["artifact", "task_output"])))]
pub(crate) struct Summary {
    #[arg(value_name = "RUN", help = RUN_HELP)]
    pub(crate) run: Option<String>,
    /// Write this artifact instead of the summary
    #[arg(long, value_name = "TASK.NAME")]
    pub(crate) artifact: Option<String>,
    /// Write the output document of this task instead of the summary
    #[arg(long, value_name = "TASK")]
    pub(crate) task_output: Option<String>,
    /// Write the artifact or output into FILE, which must not exist, instead of to standard output
    #[arg(short = 'o', long = "into", value_name = "FILE", requires = "bytes")]
    pub(crate) into: Option<PathBuf>,
}

/// `why`.
#[derive(ClapArgs, Debug)]
pub(crate) struct Why {
    #[arg(value_name = "RUN", help = RUN_HELP)]
    pub(crate) run: Option<String>,
    /// A task; all that wait or did not succeed when left out
    #[arg(value_name = "TASK")]
    pub(crate) task: Option<String>,
}

/// `events`.
#[derive(ClapArgs, Debug)]
pub(crate) struct Events {
    #[arg(value_name = "RUN", help = RUN_HELP)]
    pub(crate) run: Option<String>,
    /// Go on until the run has ended
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// Only events with a higher sequence number
    #[arg(long, value_name = "SEQ", default_value_t = 0)]
    pub(crate) after: u64,
}

/// `logs`.
#[derive(ClapArgs, Debug)]
pub(crate) struct Logs {
    #[arg(value_name = "RUN", help = RUN_HELP)]
    pub(crate) run: Option<String>,
    /// Only lines of this task, `gate:ID` or `planner:NAME`
    #[arg(short, long, value_name = "TASK")]
    pub(crate) task: Option<String>,
    /// Go on until the run has ended
    #[arg(short, long)]
    pub(crate) follow: bool,
}

/// `retry`.
#[derive(ClapArgs, Debug)]
pub(crate) struct Retry {
    #[arg(value_name = "RUN", help = RUN_HELP)]
    pub(crate) run: Option<String>,
    /// Tasks; every failed and lost one when left out
    #[arg(value_name = "TASK")]
    pub(crate) tasks: Vec<String>,
}

/// `plugin`.
#[derive(Subcommand, Debug)]
pub(crate) enum Plugin {
    /// Show what a plugin says of itself, and what it imports
    Inspect(PluginInspect),
    /// List the plugins of the project
    List,
}

/// `plugin inspect`.
#[derive(ClapArgs, Debug)]
pub(crate) struct PluginInspect {
    /// A component's file, a name of `[plugins]`, or `builtin:NAME`
    #[arg(value_name = "PATH|NAME")]
    pub(crate) plugin: String,
}

/// `schema`.
#[derive(ClapArgs, Debug)]
pub(crate) struct Schema {
    /// Which format; all of them are listed when left out
    #[arg(value_name = "KIND")]
    pub(crate) kind: Option<String>,
}

/// `doctor`.
#[derive(ClapArgs, Debug)]
pub(crate) struct Doctor {
    /// List the known advisories about libraries of this binary, and whether they reach it
    #[arg(long)]
    pub(crate) advisories: bool,
}

/// `policy`.
#[derive(ClapArgs, Debug)]
pub(crate) struct Policy {
    /// The workflow's file
    #[arg(value_name = "WORKFLOW")]
    pub(crate) workflow: PathBuf,
    /// Accept what it shows: write it into sandgate.lock
    #[arg(long)]
    pub(crate) accept: bool,
}

fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write it as NAME=VALUE".to_owned()),
    }
}

/// Whether JSON was asked for, read from arguments that could not be parsed.
pub(crate) fn wants_json<'a>(args: impl Iterator<Item = &'a str>) -> bool {
    let mut before = "";
    for arg in args {
        if arg == "--" {
            break;
        }
        if arg == "--format=json" || (before == "--format" && arg == "json") {
            return true;
        }
        before = arg;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_definition_is_sound() {
        Args::command().debug_assert();
    }

    #[test]
    fn global_options_go_anywhere() {
        let args = Args::try_parse_from([
            "sandgate", "run", "w.toml", "-i", "to=a=b", "-q", "--format", "json", "-C", "/p",
        ])
        .unwrap();
        assert!(args.global.quiet && args.global.format == Format::Json);
        let Command::Run(run) = args.command else {
            panic!("{args:?}")
        };
        assert_eq!(run.workflow.inputs, [("to".to_owned(), "a=b".to_owned())]);
    }

    #[test]
    fn near_names_are_suggested() {
        let error = Args::try_parse_from(["sandgate", "sumary"])
            .unwrap_err()
            .to_string();
        assert!(error.contains("'summary'"), "{error}");
    }

    #[test]
    fn json_is_seen_in_wrong_usage() {
        assert!(wants_json(["frob", "--format", "json"].into_iter()));
        assert!(wants_json(["--format=json", "frob"].into_iter()));
        assert!(!wants_json(["--format", "text", "json"].into_iter()));
    }
}
