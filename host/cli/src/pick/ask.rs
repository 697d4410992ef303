//! Which request a person means: `RUN/N`, `RUN` when exactly one waits there, `N` when no other that waits has that
//! number. Never a guess: what fits more than one is an error that lists them.

use super::CANDIDATES_MAX;
use crate::{
    context::look_error,
    error::CliError,
    ui::{Esc, short},
    view::ask,
};
use sandgate_driver::Reader;
use sandgate_engine::{AskState, AskView, Run};
use sandgate_model::{About, AskNo, Digest};

/// Longest line about a candidate.
const WHAT_MAX: usize = 60;

/// Fewer digits than this of a digest show nothing.
const DIGEST_MIN: usize = 8;

/// The runs, the oldest first: those that have not ended, or all.
pub(crate) fn runs(reader: &Reader, all: bool) -> Result<Vec<Run>, CliError> {
    let rows = reader.runs().map_err(|e| look_error(&e))?;
    let wanted = rows.iter().filter(|row| all || !row.state.ended());
    wanted
        .map(|row| reader.run(row.run).map_err(|e| look_error(&e)))
        .collect()
}

/// Whether a request waits, and for which sort of answer: a decision, or the answer to a question.
pub(crate) fn waits(ask: &AskView<'_>, question: bool) -> bool {
    ask.state == AskState::Open && question == matches!(ask.ask.about, About::Question { .. })
}

/// The request that is meant. `question`: it is to be answered, so only questions are candidates.
pub(crate) fn ask(
    reader: &Reader,
    runs: &[Run],
    typed: &str,
    question: bool,
) -> Result<(Run, AskNo), CliError> {
    let typed = typed.trim();
    if let Some((run, no)) = typed.split_once('/') {
        let id = super::run(reader, Some(run))?;
        let run = match runs.iter().find(|r| r.id() == id) {
            Some(run) => run.clone(),
            None => reader.run(id).map_err(|e| look_error(&e))?,
        };
        let found = no
            .parse()
            .ok()
            .map(AskNo)
            .filter(|no| run.ask(*no).is_some());
        return match found {
            Some(no) => Ok((run, no)),
            None => {
                let error =
                    CliError::usage(format!("run {} has no request `{}`", id.short(), Esc(no)));
                Err(listed(error, &open(std::slice::from_ref(&run), question)))
            }
        };
    }
    let waiting = open(runs, question);
    let number = typed.parse().ok().map(AskNo);
    let mut hits: Vec<&(&Run, AskView<'_>)> = match super::names_a_run(reader, typed)? {
        true => {
            let id = super::run(reader, Some(typed))?;
            waiting.iter().filter(|(run, _)| run.id() == id).collect()
        }
        false => waiting
            .iter()
            .filter(|(_, ask)| Some(ask.no) == number)
            .collect(),
    };
    match (hits.len(), hits.pop()) {
        (1, Some((run, ask))) => Ok(((*run).clone(), ask.no)),
        (0, _) => {
            let what = if question { "question" } else { "request" };
            let error = CliError::usage(format!("no {what} `{}` waits", Esc(typed)));
            Err(listed(error, &waiting))
        }
        (n, _) => {
            let error = CliError::usage(format!("`{}` fits {n} requests", Esc(typed)));
            let fit: Vec<_> = waiting
                .iter()
                .filter(|(run, ask)| Some(ask.no) == number || super::clean_fits(run.id(), typed))
                .map(|(run, ask)| (*run, ask.clone()))
                .collect();
            Err(listed(error, &fit))
        }
    }
}

/// Everything that waits in these runs.
pub(crate) fn open(runs: &[Run], question: bool) -> Vec<(&Run, AskView<'_>)> {
    runs.iter()
        .flat_map(|run| run.open_asks().map(move |ask| (run, ask)))
        .filter(|(_, ask)| waits(ask, question))
        .collect()
}

/// Says what there is to choose from.
fn listed(error: CliError, waiting: &[(&Run, AskView<'_>)]) -> CliError {
    let mut shown: Vec<String> = waiting
        .iter()
        .take(CANDIDATES_MAX)
        .map(|(run, view)| {
            format!(
                "{} ({})",
                ask::id(run, view),
                short(&view.ask.what, WHAT_MAX)
            )
        })
        .collect();
    let error = match shown.is_empty() {
        true => error.hint("nothing of that sort waits there"),
        false => {
            let more = waiting.len().saturating_sub(CANDIDATES_MAX);
            if more > 0 {
                shown.push(format!("and {more} more"));
            }
            error.hint(format!("what waits: {}", shown.join(", ")))
        }
    };
    error.hint("`sandgate approvals` lists everything that waits")
}

/// Whether a digest begins with what was typed, with or without `sha256:`.
pub(crate) fn begins(digest: &Digest, typed: &str) -> Result<bool, CliError> {
    let typed = typed.trim().to_ascii_lowercase();
    let digits = typed.strip_prefix("sha256:").unwrap_or(&typed);
    if digits.len() < DIGEST_MIN || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(CliError::usage(format!(
            "`{}` is not the beginning of a digest",
            Esc(&typed)
        ))
        .hint(format!(
            "give at least {DIGEST_MIN} of its hexadecimal digits"
        )));
    }
    Ok(digest.hex().starts_with(digits))
}

/// Refuses when something else was seen than what is asked.
pub(crate) fn seen(id: &str, digest: &Digest, typed: Option<&str>) -> Result<(), CliError> {
    match typed {
        Some(typed) if !begins(digest, typed)? => Err(CliError::stale(format!(
            "{id} asks about {digest} now, and that does not begin with `{}`: nothing was decided",
            Esc(typed)
        ))
        .hint("look at it again; what was seen before is not what would happen")),
        _ => Ok(()),
    }
}
