//! The commands by which people decide, answer and steer. Only what was typed; see the module above.

use super::RUN_HELP;
use clap::Args as ClapArgs;
use std::path::PathBuf;

/// How a request to people is named on the command line.
const ASK_HELP: &str = "A request: RUN/N as `sandgate approvals` lists it, RUN alone when exactly one waits in that run, or N alone when it is the only one with that number";

/// `approvals`.
#[derive(ClapArgs, Debug)]
pub(crate) struct Approvals {
    /// Only those of one run: its id, or the beginning or end of it
    #[arg(value_name = "RUN")]
    pub(crate) run: Option<String>,
    /// Also those that were decided, expired or withdrawn, and runs that have ended
    #[arg(long)]
    pub(crate) all: bool,
    /// Only approvals that hold for every later use in a run, and how often they were used
    #[arg(long, conflicts_with = "all")]
    pub(crate) standing: bool,
    /// Take back an approval that holds for a run; what has begun is not touched
    #[arg(long, value_name = "RUN/N", conflicts_with_all = ["all", "standing", "run"])]
    pub(crate) revoke: Option<String>,
    /// With --revoke: why, for the record
    #[arg(long, value_name = "TEXT", default_value = "", requires = "revoke")]
    pub(crate) reason: String,
}

/// `approve`.
#[derive(ClapArgs, Debug)]
pub(crate) struct Approve {
    #[arg(value_name = "ID", help = ASK_HELP, required_unless_present = "all")]
    pub(crate) ids: Vec<String>,
    /// Everything that waits for an approval: of the runs that are named, or of all
    #[arg(long)]
    pub(crate) all: bool,
    /// Also allow every later use in the run that is exactly the same; for uses of commands, requests, models and money
    #[arg(long)]
    pub(crate) for_run: bool,
    #[command(flatten)]
    pub(crate) act: Act,
}

/// `reject`.
#[derive(ClapArgs, Debug)]
pub(crate) struct Reject {
    #[arg(value_name = "ID", help = ASK_HELP, required_unless_present = "all")]
    pub(crate) ids: Vec<String>,
    /// Everything that waits for an approval: of the runs that are named, or of all
    #[arg(long)]
    pub(crate) all: bool,
    /// Of a plan: make another one, and tell the planner this; without it the run is cancelled
    #[arg(long, value_name = "TEXT", conflicts_with = "all")]
    pub(crate) feedback: Option<String>,
    #[command(flatten)]
    pub(crate) act: Act,
}

/// What `approve` and `reject` have in common.
#[derive(ClapArgs, Debug)]
pub(crate) struct Act {
    /// The beginning of the digest that was seen; refused when something else is asked now
    #[arg(long, value_name = "PREFIX", conflicts_with = "all")]
    pub(crate) digest: Option<String>,
    /// Why, for the record
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub(crate) reason: String,
    /// Do not ask again in a terminal
    #[arg(short, long)]
    pub(crate) yes: bool,
    /// Go on with the run afterwards, when nobody drives it
    #[arg(long)]
    pub(crate) drive: bool,
}

/// `answer`.
#[derive(ClapArgs, Debug)]
pub(crate) struct Answer {
    #[arg(value_name = "ID", help = ASK_HELP)]
    pub(crate) id: String,
    /// The answer; of a question with choices, one of them
    #[arg(value_name = "TEXT")]
    pub(crate) text: String,
    /// Go on with the run afterwards, when nobody drives it
    #[arg(long)]
    pub(crate) drive: bool,
}

/// `signal`.
#[derive(ClapArgs, Debug)]
pub(crate) struct Signal {
    /// Its type: `ci`, `review`, `human_approval`, or one that the project declares
    #[arg(value_name = "TYPE", required_unless_present = "list")]
    pub(crate) kind: Option<String>,
    /// What it is about; tasks that wait for exactly this are told. May be repeated
    #[arg(short, long = "match", value_name = "NAME=VALUE", value_parser = super::key_value)]
    pub(crate) matches: Vec<(String, String)>,
    /// What it carries: a JSON document, or @FILE with one (`@-`: standard input)
    #[arg(long, value_name = "JSON|@FILE")]
    pub(crate) data: Option<String>,
    /// Its id: the same id applies once. Made up when left out
    #[arg(long, value_name = "ID")]
    pub(crate) id: Option<String>,
    /// List what waits for a signal, and the signals that nobody waited for
    #[arg(long, conflicts_with_all = ["kind", "matches", "data", "id"])]
    pub(crate) list: bool,
    /// Go on with the runs afterwards, when nobody drives them
    #[arg(long, conflicts_with = "list")]
    pub(crate) drive: bool,
}

/// `pause`, `resume`: a run, or some of its tasks.
#[derive(ClapArgs, Debug)]
pub(crate) struct Steer {
    #[arg(value_name = "RUN", help = RUN_HELP)]
    pub(crate) run: Option<String>,
    /// Tasks; the whole run when left out
    #[arg(value_name = "TASK")]
    pub(crate) tasks: Vec<String>,
}

/// `cancel`.
#[derive(ClapArgs, Debug)]
pub(crate) struct Cancel {
    #[arg(value_name = "RUN", help = RUN_HELP)]
    pub(crate) run: Option<String>,
    /// Tasks; the whole run when left out
    #[arg(value_name = "TASK")]
    pub(crate) tasks: Vec<String>,
    /// Why, for the record
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub(crate) reason: String,
}

/// `modify`.
#[derive(ClapArgs, Debug)]
pub(crate) struct Modify {
    #[arg(value_name = "RUN", help = RUN_HELP)]
    pub(crate) run: Option<String>,
    /// Take the edited plan from FILE (`-`: standard input) instead of opening $VISUAL or $EDITOR
    #[arg(long, value_name = "FILE")]
    pub(crate) from: Option<PathBuf>,
    /// Write the plan in its editable form to standard output and change nothing
    #[arg(long, conflicts_with_all = ["from", "digest", "reason"])]
    pub(crate) show: bool,
    /// The beginning of the digest of the plan that was edited; refused when the run has another one now
    #[arg(long, value_name = "PREFIX")]
    pub(crate) digest: Option<String>,
    /// Why, for the record
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub(crate) reason: String,
}
