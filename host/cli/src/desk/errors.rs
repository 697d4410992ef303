//! What keeps a project from being driven, or a run from taking what was asked, for a person: what, why, what next.

use crate::{
    context::{Context, look_error},
    control, diagnostics,
    error::CliError,
    ui::{Esc, Ui},
};
use sandgate_driver::{HostError, ReachError, Request, RequestError, SubmitError};
use sandgate_engine::Illegal;
use sandgate_journal::OpenError;
use sandgate_model::RunId;

/// A project that cannot be driven.
pub(super) fn host_error(error: &HostError, ctx: &Context) -> CliError {
    match error {
        HostError::Open(OpenError::Held { holder, .. }) => {
            let since = holder.since.map_or(String::new(), |at| {
                format!(" since {}", ctx.ui.err.zone.day(at))
            });
            let cli = CliError::held(format!("{holder} drives this project{since}"));
            let cli =
                cli.hint("looking works meanwhile: `sandgate status`, `events --follow`, `why`");
            match holder.pid {
                Some(pid) => cli.hint(format!(
                    "stop it cleanly with Ctrl-C there, or `kill -INT {pid}`"
                )),
                None => cli,
            }
        }
        HostError::Look(error) => look_error(error),
        HostError::Open(OpenError::Damaged { .. }) => CliError::host(error.to_string())
            .below(error)
            .hint("`sandgate doctor` checks the whole journal"),
        _ => CliError::host(error.to_string()).below(error),
    }
}

/// A workflow that was not taken.
pub(crate) fn submit_error(ui: &Ui, error: SubmitError) -> CliError {
    match error {
        SubmitError::Invalid(found) => diagnostics::not_taken(ui, &found),
        SubmitError::Request(error) => request_error(&error),
        SubmitError::Wish(error) => control::refused(error, None, "started", &ui.err),
        SubmitError::Plan(why) => CliError::invalid(format!("no plan can be made: {}", Esc(&why))),
        error => CliError::host(error.to_string()).below(&error),
    }
}

/// A project that cannot be reached.
pub(crate) fn reach_error(error: &ReachError, ctx: &Context) -> CliError {
    match error {
        ReachError::Silent { holder } => {
            let cli = CliError::held(error.to_string())
                .hint("looking works meanwhile: `sandgate status`, `approvals`, `why`");
            match holder.pid {
                Some(pid) => cli.hint(format!(
                    "stop it cleanly with `kill -INT {pid}`; then the command works on its own"
                )),
                None => cli,
            }
        }
        ReachError::Host(error) => host_error(error, ctx),
    }
}

/// What was asked, as it is said of the run.
pub(super) fn asked(request: &Request) -> &'static str {
    match request {
        Request::Dispatch => "dispatched",
        Request::Verify => "verified",
        Request::Cancel { .. } => "cancelled",
        Request::Retry { .. } => "retried",
        Request::Pause { .. } => "paused",
        Request::Resume { .. } => "resumed",
    }
}

/// A request that the state of the run does not allow.
pub(super) fn impossible(id: RunId, what: &str, illegal: &Illegal) -> CliError {
    control::illegal(Some(id), what, illegal.state, &illegal.why)
}

pub(super) fn request_error(error: &RequestError) -> CliError {
    if let RequestError::Unknown(why) = error {
        return control::unknown(why);
    }
    CliError::host(error.to_string()).below(error)
}
