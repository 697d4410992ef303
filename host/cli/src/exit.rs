//! Exit codes. A fixed promise (`sandgate --help` prints the table); scripts depend on every number.
//! This module only names them; who exits with which is decided in `cmd` and by the kind of an error.

use sandgate_engine::Outcome;

/// How the process ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Exit {
    /// The run is verified, or the command did what it was asked to do.
    Success,
    /// The run failed or succeeded only in part, or the host could not do its part.
    Failed,
    /// The command line or a file is invalid; nothing was started.
    Usage,
    /// Every task is good, but a gate failed or was inconclusive.
    Gate,
    /// The run waits for a person or a signal.
    Waiting,
    /// Policy does not allow it.
    Refused,
    /// The budget does not cover it.
    Budget,
    /// Ctrl-C. The state is safe; `sandgate resume` goes on.
    Interrupted,
    /// SIGTERM. The state is safe; `sandgate resume` goes on.
    Terminated,
    /// Whoever read standard output stopped reading: what a shell reports for SIGPIPE.
    BrokenPipe,
}

impl Exit {
    /// The number.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Gate => 3,
            Self::Waiting => 4,
            Self::Refused => 5,
            Self::Budget => 6,
            Self::Interrupted => 130,
            Self::BrokenPipe => 141,
            Self::Terminated => 143,
        }
    }
}

/// What decides the exit code of a command that drove a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Ended {
    /// What came of the run; absent: it has not ended.
    pub(crate) outcome: Option<Outcome>,
    /// No task failed, was lost or was skipped because of another, and planning succeeded.
    pub(crate) work_good: bool,
    /// A task was refused by policy.
    pub(crate) refused: bool,
    /// A task was refused by the budget.
    pub(crate) over_budget: bool,
}

/// The exit code of a run. A refusal is told apart from a failure, since trying again does not help; a gate is
/// to blame only when nothing before it was.
pub(crate) fn of_run(ended: Ended) -> Exit {
    match ended.outcome {
        None => Exit::Waiting,
        Some(Outcome::Verified) => Exit::Success,
        Some(Outcome::Cancelled) => Exit::Failed,
        Some(Outcome::Partial | Outcome::Failed) if ended.refused => Exit::Refused,
        Some(Outcome::Partial | Outcome::Failed) if ended.over_budget => Exit::Budget,
        Some(Outcome::Partial | Outcome::Failed) if ended.work_good => Exit::Gate,
        Some(Outcome::Partial | Outcome::Failed) => Exit::Failed,
    }
}

/// The table of `--help`.
pub(crate) const HELP: &str = "\
Exit codes:
    0  verified, or done as asked
    1  failed, or succeeded only in part
    2  wrong usage or an invalid file
    3  a gate failed or was inconclusive
    4  waits for a person or a signal
    5  refused by policy
    6  refused by budget
  130  interrupted; the state is safe, `sandgate resume` goes on
  143  terminated; the state is safe, `sandgate resume` goes on";

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Exit; 10] = [
        Exit::Success,
        Exit::Failed,
        Exit::Usage,
        Exit::Gate,
        Exit::Waiting,
        Exit::Refused,
        Exit::Budget,
        Exit::Interrupted,
        Exit::BrokenPipe,
        Exit::Terminated,
    ];

    #[test]
    fn codes_are_the_promised_ones() {
        let codes: Vec<u8> = ALL.iter().map(|e| e.code()).collect();
        assert_eq!(codes, [0, 1, 2, 3, 4, 5, 6, 130, 141, 143]);
        for exit in ALL.iter().filter(|e| **e != Exit::BrokenPipe) {
            assert!(
                HELP.lines()
                    .any(|l| l.trim_start().starts_with(&format!("{}  ", exit.code()))),
                "{exit:?}"
            );
        }
    }

    #[test]
    fn blame_goes_to_the_first_thing_that_went_wrong() {
        let run = |outcome, work_good, refused| {
            of_run(Ended {
                outcome,
                work_good,
                refused,
                ..Ended::default()
            })
        };
        assert_eq!(run(Some(Outcome::Verified), true, false), Exit::Success);
        assert_eq!(run(Some(Outcome::Failed), true, false), Exit::Gate);
        assert_eq!(run(Some(Outcome::Partial), true, false), Exit::Gate);
        assert_eq!(run(Some(Outcome::Partial), false, false), Exit::Failed);
        assert_eq!(run(Some(Outcome::Failed), false, false), Exit::Failed);
        assert_eq!(run(Some(Outcome::Failed), false, true), Exit::Refused);
        assert_eq!(run(Some(Outcome::Cancelled), false, false), Exit::Failed);
        assert_eq!(run(None, true, false), Exit::Waiting);
        let broke = Ended {
            outcome: Some(Outcome::Failed),
            over_budget: true,
            ..Ended::default()
        };
        assert_eq!(of_run(broke), Exit::Budget);
    }
}
