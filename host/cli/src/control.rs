//! Reaching a project with a wish: through the process that drives it, or on its journal when none does. Says in words
//! what came of it; whether a wish counts is decided below.

use crate::{
    context::Context,
    error::CliError,
    ui::{Esc, Look},
    view::said,
};
use sandgate_driver::{Done, HostOptions, Project, Reach, Wish, WishError, reach};
use sandgate_engine::{DecideRefusal, RunState, SignalRefusal};
use sandgate_model::{AskNo, RunId};
use std::sync::Arc;

/// A project within reach.
pub(crate) struct Control {
    reach: Reach,
    project: Arc<Project>,
    options: HostOptions,
    look: Look,
}

impl Control {
    /// Reaches it.
    ///
    /// # Errors
    /// When somebody drives it and does not answer, or its state cannot be used.
    pub(crate) async fn open(ctx: &Context, project: Arc<Project>) -> Result<Self, CliError> {
        let options = ctx.host_options();
        let reach = reach(Arc::clone(&project), &options, ctx.speaker())
            .await
            .map_err(|e| crate::desk::reach_error(&e, ctx))?;
        Ok(Self {
            reach,
            project,
            options,
            look: ctx.ui.err.clone(),
        })
    }

    /// Whether another process drives the project.
    pub(crate) fn is_there(&self) -> bool {
        self.reach.is_there()
    }

    /// Wishes something.
    ///
    /// # Errors
    /// Why it was not granted, and what to do about it.
    pub(crate) async fn wish(&mut self, wish: Wish) -> Result<Done, CliError> {
        let run = wish.run();
        let what = done(&wish);
        // Every wish may be repeated: a decision, an answer and a signal count once, the rest is a state.
        self.reach
            .wish_surely(&self.project, &self.options, wish)
            .await
            .map_err(|e| refused(e, run, what, &self.look))
    }
}

/// What a wish does, as it is said of a run.
fn done(wish: &Wish) -> &'static str {
    match wish {
        Wish::Ping => "reached",
        Wish::Decide { .. } | Wish::Revoke { .. } => "decided about",
        Wish::Answer { .. } => "answered",
        Wish::Signal { .. } => "told",
        Wish::Pause { .. } => "paused",
        Wish::Resume { .. } => "resumed",
        Wish::Cancel { .. } => "cancelled",
        Wish::Retry { .. } => "retried",
        Wish::Dispatch { .. } => "dispatched",
        Wish::Verify { .. } => "verified",
        Wish::Modify { .. } => "given another plan",
        Wish::Submit { .. } => "started",
    }
}

/// A wish that was not granted, for a person.
pub(crate) fn refused(error: WishError, run: Option<RunId>, what: &str, look: &Look) -> CliError {
    match error {
        WishError::NoRun { run } => {
            CliError::usage(format!("the project has no run {}", run.short()))
                .hint("`sandgate runs` lists them")
        }
        WishError::Illegal { state, why } => illegal(run, what, state, &why),
        WishError::Decision { ask, refusal } => undecided(run, ask, refusal, look),
        WishError::Signal { refusal } => unsignalled(&refusal),
        WishError::Invalid { what, text } => {
            let value = serde_json::json!([{ "message": text }]);
            CliError::invalid(format!("{} has mistakes: nothing was changed", Esc(&what)))
                .details(text, value)
        }
        WishError::Unknown { why } | WishError::NotAPrincipal { why } => unknown(&why),
        WishError::Gone => {
            CliError::host("whoever drives the project was about to end, and took nothing in")
                .hint("try it again")
        }
        WishError::Host { why } => CliError::host(Esc(&why).to_string())
            .hint("nothing of it was recorded; try it again, or look with `sandgate status`"),
    }
}

/// Somebody whom the project does not know.
pub(crate) fn unknown(why: &str) -> CliError {
    CliError::refused(Esc(why).to_string())
        .hint("SANDGATE_TOKEN says who you are; `[[principal]]` in sandgate.toml says who there is")
}

/// A state of a run that does not allow it.
pub(crate) fn illegal(run: Option<RunId>, what: &str, state: RunState, why: &str) -> CliError {
    let short = run.map_or_else(String::new, |run| run.short());
    let error = CliError::usage(format!(
        "run {short} cannot be {what}: {} (it is {})",
        Esc(why),
        state.as_str()
    ));
    match state.ended() {
        true => error.hint(format!("`sandgate summary {short}` shows what came of it")),
        false => error.hint(format!("`sandgate status {short}` shows where it is")),
    }
}

/// A decision that does not count: what stands now, and what to do.
fn undecided(run: Option<RunId>, ask: AskNo, refusal: DecideRefusal, look: &Look) -> CliError {
    let id = run.map_or_else(|| ask.to_string(), |run| format!("{}/{ask}", run.short()));
    let list = "`sandgate approvals --all` shows what was decided, by whom and when";
    match refusal {
        DecideRefusal::Unknown { .. } => {
            CliError::usage(format!("there is no request {id}")).hint("`sandgate approvals` lists them")
        }
        DecideRefusal::Stale { seen, is } => CliError::stale(format!(
            "{id} asks about something else now: {seen} was seen, {is} is asked; nothing was decided"
        ))
        .hint("look at it again; what was seen before is not what would happen"),
        DecideRefusal::Conflict { winner } => {
            let said = match winner.decision.approves() {
                true => "approved",
                false => "rejected",
            };
            CliError::conflict(format!(
                "{id} was {said} by {} at {}{}; that stands",
                said::actor(&winner.by),
                look.zone.day(winner.at),
                said::because(&winner.reason)
            ))
            .hint(list)
        }
        DecideRefusal::Expired => CliError::conflict(format!(
            "{id} has expired: nobody decided in time, which counts as a no"
        ))
        .hint(list),
        DecideRefusal::Withdrawn { why } => {
            CliError::conflict(format!("{id} was withdrawn: {}", Esc(&why))).hint(list)
        }
        DecideRefusal::NotAllowed { why } => {
            CliError::refused(format!("{id}: {}", Esc(&why))).hint("`sandgate approvals` shows who may decide")
        }
        DecideRefusal::Wrong { why } => CliError::usage(format!("{id}: {}", Esc(&why)))
            .hint("a question is answered with `sandgate answer`; everything else is approved or rejected"),
    }
}

fn unsignalled(refusal: &SignalRefusal) -> CliError {
    let message = format!("the signal is refused: {}", Esc(&refusal.to_string()));
    let error = match refusal {
        SignalRefusal::Conflict { .. } => CliError::conflict(message),
        SignalRefusal::Stale { .. } => CliError::stale(message),
        _ => CliError::usage(message),
    };
    match refusal {
        SignalRefusal::UnknownType { .. } => {
            error.hint("types of its own a project declares in sandgate.toml")
        }
        SignalRefusal::Conflict { .. } => {
            error.hint("give another message another `--id`; the first one stands")
        }
        SignalRefusal::Stale { .. } | SignalRefusal::Full { .. } => {
            error.hint("`sandgate signal --list` shows what is waited for and what came")
        }
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;
    use sandgate_engine::Vote;
    use sandgate_model::{Actor, Authenticated, Channel, Decision, Digest, Moment};

    fn winner(name: &str) -> Vote {
        Vote {
            by: Actor {
                name: name.to_owned(),
                roles: Vec::new(),
                operator: false,
                authenticated: Authenticated::Os,
                channel: Channel::Api,
            },
            decision: Decision::YES,
            reason: String::new(),
            at: Moment(0),
        }
    }

    #[test]
    fn refusals_have_their_promised_exit_codes() {
        let why = || "because".to_owned();
        let ask = AskNo(3);
        let decision = |refusal| WishError::Decision { ask, refusal };
        let run: RunId = "01932c5e-7c0a-7000-8000-0000deadbeef".parse().unwrap();
        let signal = SignalRefusal::Stale { why: why() };
        let cases = [
            (
                decision(DecideRefusal::Unknown { ask }),
                Exit::Usage,
                "no request deadbeef/3",
            ),
            (
                decision(DecideRefusal::Stale {
                    seen: Digest::of(b"a"),
                    is: Digest::of(b"b"),
                }),
                Exit::Usage,
                "something else now",
            ),
            (
                decision(DecideRefusal::Conflict {
                    winner: winner("anna\u{202e}"),
                }),
                Exit::Usage,
                "approved by anna\\u{202e} by the API at 1970-01-01",
            ),
            (decision(DecideRefusal::Expired), Exit::Usage, "has expired"),
            (
                decision(DecideRefusal::Withdrawn { why: why() }),
                Exit::Usage,
                "withdrawn: because",
            ),
            (
                decision(DecideRefusal::NotAllowed { why: why() }),
                Exit::Refused,
                "deadbeef/3: because",
            ),
            (
                decision(DecideRefusal::Wrong { why: why() }),
                Exit::Usage,
                "because",
            ),
            (WishError::Signal { refusal: signal }, Exit::Usage, "stale"),
            (WishError::NoRun { run }, Exit::Usage, "no run deadbeef"),
            (
                WishError::Illegal {
                    state: RunState::Running,
                    why: why(),
                },
                Exit::Usage,
                "cannot be paused: because (it is running)",
            ),
            (
                WishError::Unknown { why: why() },
                Exit::Refused,
                "SANDGATE_TOKEN",
            ),
            (WishError::Gone, Exit::Failed, "about to end"),
            (WishError::Host { why: why() }, Exit::Failed, "because"),
        ];
        for (error, exit, says) in cases {
            let error = refused(error, Some(run), "paused", &Look::plain());
            let text = error.text(&Look::plain());
            assert_eq!(error.exit(), exit, "{text}");
            assert!(text.contains(says), "{text}");
            assert!(
                text.contains("hint:"),
                "every refusal says what to do: {text}"
            );
        }
    }
}
