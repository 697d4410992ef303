//! What the engine keeps of a gate. Fails closed: only at least one check, all of them `pass`, is a pass.

use crate::{GateEnd, GateState, Restore, budget::Lack};
use sandgate_model::{Amount, Check, Millis, Moment, Verdict};
use serde::{Deserialize, Serialize};

/// One gate.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Gate {
    pub(crate) state: GateState,
    pub(crate) since: Moment,
    /// Number of the last attempt; 0: none yet.
    pub(crate) attempt: u32,
    pub(crate) took: Option<Millis>,
    pub(crate) verdict: Option<Verdict>,
    pub(crate) checks: Vec<Check>,
    /// Why there is no answer.
    pub(crate) message: String,
    /// Ready, but not covered by the budget.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) lack: Option<Lack>,
    /// Refused because the budget did not cover it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) over: bool,
    /// What it cost, all its attempts together.
    #[serde(default, skip_serializing_if = "Amount::is_nothing")]
    pub(crate) paid: Amount,
    /// What a person let it have although the budget did not cover it.
    #[serde(default, skip_serializing_if = "Amount::is_nothing")]
    pub(crate) granted: Amount,
    /// For an attempt that may be taken up where it stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) restore: Option<Box<Restore>>,
    /// It stopped in the middle and waits for a person.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) suspended: bool,
}

impl Gate {
    pub(crate) fn new(at: Moment) -> Self {
        Self {
            state: GateState::Pending,
            since: at,
            attempt: 0,
            took: None,
            verdict: None,
            checks: Vec::new(),
            message: String::new(),
            lack: None,
            over: false,
            paid: Amount::NOTHING,
            granted: Amount::NOTHING,
            restore: None,
            suspended: false,
        }
    }

    /// As if it had never run, apart from the numbers of its attempts and what they cost.
    pub(crate) fn reset(&mut self, at: Moment) {
        let (attempt, paid) = (self.attempt, self.paid);
        *self = Self::new(at);
        self.attempt = attempt;
        self.paid = paid;
    }

    /// Takes an answer in. `Interrupted` and a wanted `Cancelled` are not answers; the caller handles them.
    pub(crate) fn answer(&mut self, end: &GateEnd) {
        match end {
            GateEnd::Checks { checks } => {
                self.checks.clone_from(checks);
                if checks.is_empty() {
                    "the gate answered without a single check".clone_into(&mut self.message);
                }
            }
            GateEnd::Inconclusive { message } => self.message.clone_from(message),
            GateEnd::Cancelled => {
                "the gate was taken down although nobody asked for it"
                    .clone_into(&mut self.message);
            }
            GateEnd::Interrupted => {
                "the host stopped under the gate".clone_into(&mut self.message);
            }
        }
        let verdict = verdict(&self.checks);
        self.verdict = Some(verdict);
        self.state = if verdict == Verdict::Pass {
            GateState::Passed
        } else {
            GateState::Blocked
        };
    }
}

/// The worst verdict; none at all is inconclusive.
fn verdict(checks: &[Check]) -> Verdict {
    checks
        .iter()
        .map(|check| check.verdict)
        .max()
        .unwrap_or(Verdict::Inconclusive)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(verdict: Verdict) -> Check {
        Check {
            name: "c".into(),
            verdict,
            message: String::new(),
            duration: None,
        }
    }

    #[test]
    fn only_passes_pass() {
        use Verdict::{Fail, Inconclusive, NeedsHuman, Pass};
        let cases: [(&[Verdict], Verdict); 7] = [
            (&[], Inconclusive),
            (&[Pass], Pass),
            (&[Pass, Pass], Pass),
            (&[Pass, NeedsHuman], NeedsHuman),
            (&[Pass, Inconclusive, NeedsHuman], Inconclusive),
            (&[Fail, Pass], Fail),
            (&[Inconclusive, Fail], Fail),
        ];
        for (verdicts, expected) in cases {
            let checks = verdicts.iter().copied().map(check).collect();
            let mut gate = Gate::new(Moment(0));
            gate.answer(&GateEnd::Checks { checks });
            assert_eq!(gate.verdict, Some(expected), "{verdicts:?}");
            assert_eq!(gate.state == GateState::Passed, expected == Pass);
        }
    }

    #[test]
    fn whatever_is_not_an_answer_blocks() {
        for end in [
            GateEnd::Inconclusive {
                message: "trap".into(),
            },
            GateEnd::Cancelled,
            GateEnd::Interrupted,
        ] {
            let mut gate = Gate::new(Moment(0));
            gate.answer(&end);
            assert_eq!(gate.state, GateState::Blocked, "{end:?}");
            assert!(!gate.message.is_empty());
        }
    }
}
