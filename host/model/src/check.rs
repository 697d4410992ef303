//! What a gate answers.

use crate::Millis;
use serde::{Deserialize, Serialize};

/// The word of one check. Only `Pass` lets a run through.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It holds.
    Pass,
    /// A person has to look.
    NeedsHuman,
    /// It could not be found out: trap, timeout, missing plugin, no checks at all. Blocks.
    Inconclusive,
    /// It does not hold.
    Fail,
}

/// One line of a gate's answer.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Check {
    /// What was checked, short.
    pub name: String,
    /// The verdict.
    pub verdict: Verdict,
    /// Why, for a person.
    pub message: String,
    /// How long it took, as the plugin says; absent when it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<Millis>,
}
