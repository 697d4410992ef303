//! Which run and which task a person means. A run is named by its id, or by the beginning or the end of it; what fits
//! more than one run is an error, never a guess.

pub(crate) mod ask;

use crate::{
    context::look_error,
    error::CliError,
    suggest,
    ui::{Esc, count},
};
use sandgate_driver::{Reader, RunRow};
use sandgate_engine::Run;
use sandgate_model::{RunId, TaskId, TaskIx};

/// Fewer digits than this name a run by accident.
const DIGITS_MIN: usize = 4;

/// Candidates shown.
const CANDIDATES_MAX: usize = 5;

/// The run that is meant; the latest when nothing is said.
pub(crate) fn run(reader: &Reader, typed: Option<&str>) -> Result<RunId, CliError> {
    let rows = reader.runs().map_err(|e| look_error(&e))?;
    let Some(typed) = typed else {
        return rows.last().map(|row| row.run).ok_or_else(|| {
            CliError::usage("there is no run yet").hint("start one with `sandgate run WORKFLOW`")
        });
    };
    choose(&rows, typed)
}

/// Whether a text can only be meant as a run.
pub(crate) fn names_a_run(reader: &Reader, typed: &str) -> Result<bool, CliError> {
    let rows = reader.runs().map_err(|e| look_error(&e))?;
    Ok(rows.iter().any(|row| fits(row, &clean(typed))))
}

fn clean(typed: &str) -> String {
    typed.trim().to_ascii_lowercase()
}

fn fits(row: &RunRow, typed: &str) -> bool {
    clean_fits(row.run, typed)
}

/// Whether a run's id begins or ends so.
fn clean_fits(run: RunId, typed: &str) -> bool {
    let (id, typed) = (run.to_string(), clean(typed));
    typed.len() >= DIGITS_MIN && (id.starts_with(&typed) || id.ends_with(&typed))
}

fn choose(rows: &[RunRow], typed: &str) -> Result<RunId, CliError> {
    let wanted = clean(typed);
    let hits: Vec<&RunRow> = rows.iter().filter(|row| fits(row, &wanted)).collect();
    match hits.as_slice() {
        [row] => Ok(row.run),
        [] => {
            let error = CliError::usage(format!("there is no run `{}`", Esc(typed)));
            Err(match rows.last() {
                Some(_) if wanted.len() < DIGITS_MIN => error.hint(format!(
                    "give at least {DIGITS_MIN} digits of its beginning or end"
                )),
                Some(last) => error.hint(format!(
                    "`sandgate runs` lists them; the latest is {} ({})",
                    last.run.short(),
                    Esc(&last.workflow)
                )),
                None => error.hint("there is no run yet"),
            })
        }
        many => {
            let mut shown: Vec<String> = many
                .iter()
                .rev()
                .take(CANDIDATES_MAX)
                .map(|row| {
                    format!(
                        "{} ({}, {})",
                        row.run,
                        Esc(&row.workflow),
                        row.state.as_str()
                    )
                })
                .collect();
            if many.len() > CANDIDATES_MAX {
                shown.push(format!("and {} more", many.len() - CANDIDATES_MAX));
            }
            let n = count(many.len(), "run");
            Err(CliError::usage(format!("`{}` fits {n}", Esc(typed)))
                .hint(format!("the latest ones are {}", shown.join(", "))))
        }
    }
}

/// The task of a run with this name.
pub(crate) fn task(run: &Run, typed: &str) -> Result<(TaskIx, TaskId), CliError> {
    let found = typed
        .parse::<TaskId>()
        .ok()
        .and_then(|id| Some((run.find(&id)?, id)));
    if let Some(found) = found {
        return Ok(found);
    }
    let error = CliError::usage(format!(
        "run {} has no task `{}`",
        run.id().short(),
        Esc(typed)
    ));
    let Some(plan) = run.plan() else {
        return Err(error.hint("it has no plan yet, so it has no tasks"));
    };
    let names: Vec<&str> = plan.tasks.iter().map(|t| t.id.as_str()).collect();
    Err(error.hint_maybe(suggest::hint(typed, "its tasks", names.iter().copied())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::Look;
    use sandgate_engine::RunState;
    use sandgate_model::Moment;

    fn rows(ids: &[&str]) -> Vec<RunRow> {
        ids.iter()
            .map(|id| RunRow {
                run: id.parse().unwrap(),
                workflow: "brief".into(),
                file: "brief.toml".into(),
                state: RunState::Running,
                outcome: None,
                paused: false,
                created: Moment(0),
                ended: None,
                tasks: 0,
                succeeded: 0,
                spent_micros: 0,
                held_micros: 0,
            })
            .collect()
    }

    #[test]
    fn beginning_end_and_neither() {
        let rows = rows(&[
            "01932c5e-7c0a-7000-8000-0000deadbeef",
            "01932c5e-7c0a-7000-8000-0000feedbeef",
            "01942c5e-7c0a-7000-8000-000012345678",
        ]);
        let chosen = |typed| choose(&rows, typed).map(|id| id.short());
        assert_eq!(chosen("deadbeef").unwrap(), "deadbeef");
        assert_eq!(chosen("DEADBEEF").unwrap(), "deadbeef");
        assert_eq!(chosen("0194").unwrap(), "12345678");
        assert_eq!(
            chosen("01932c5e-7c0a-7000-8000-0000feedbeef").unwrap(),
            "feedbeef"
        );
        let text = |typed| choose(&rows, typed).unwrap_err().text(&Look::plain());
        assert!(text("beef").contains("fits 2 runs"), "{}", text("beef"));
        assert!(
            text("beef").contains("0000feedbeef (brief, running), 01932c5e"),
            "{}",
            text("beef")
        );
        assert!(
            text("ffff").contains("the latest is 12345678 (brief)"),
            "{}",
            text("ffff")
        );
        assert!(text("0").contains("at least 4"), "{}", text("0"));
    }
}
