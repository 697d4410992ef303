//! An upper bound in money and in tokens, each of which may be missing.

use sandgate_model::Amount;
use serde::{Deserialize, Serialize};

/// How much may be spent. A bound that is absent does not bound.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub struct Allowance {
    /// Money, in millionths of the project's currency unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub micros: Option<u64>,
    /// Tokens of text generation, in and out together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<u64>,
}

impl Allowance {
    /// No bound at all.
    pub const OPEN: Self = Self {
        micros: None,
        tokens: None,
    };

    /// Whether nothing is bounded.
    #[must_use]
    pub fn is_open(&self) -> bool {
        *self == Self::OPEN
    }

    /// Whether `amount` fits into it.
    #[must_use]
    pub fn covers(self, amount: Amount) -> bool {
        self.micros.is_none_or(|most| amount.micros <= most)
            && self.tokens.is_none_or(|most| amount.tokens <= most)
    }

    /// The smaller of each; an absent bound is the larger one.
    #[must_use]
    pub fn min(self, other: Self) -> Self {
        let least = |a: Option<u64>, b: Option<u64>| match (a, b) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        Self {
            micros: least(self.micros, other.micros),
            tokens: least(self.tokens, other.tokens),
        }
    }

    /// What is left after `amount`; never less than nothing.
    #[must_use]
    pub fn minus(self, amount: Amount) -> Self {
        Self {
            micros: self.micros.map(|most| most.saturating_sub(amount.micros)),
            tokens: self.tokens.map(|most| most.saturating_sub(amount.tokens)),
        }
    }

    /// This much more, wherever it is bounded.
    pub(crate) fn plus(self, amount: Amount) -> Self {
        Self {
            micros: self.micros.map(|most| most.saturating_add(amount.micros)),
            tokens: self.tokens.map(|most| most.saturating_add(amount.tokens)),
        }
    }

    /// Nothing, wherever this is bounded.
    pub(crate) fn nothing(self) -> Self {
        Self {
            micros: self.micros.map(|_| 0),
            tokens: self.tokens.map(|_| 0),
        }
    }

    /// This much, wherever `other` is bounded; nothing elsewhere.
    pub(crate) fn within(self, other: Self) -> Amount {
        let both = |a: Option<u64>, b: Option<u64>| b.and(a).unwrap_or(0);
        Amount {
            micros: both(self.micros, other.micros),
            tokens: both(self.tokens, other.tokens),
        }
    }
}

impl From<Amount> for Allowance {
    fn from(amount: Amount) -> Self {
        Self {
            micros: Some(amount.micros),
            tokens: Some(amount.tokens),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some(micros: u64, tokens: u64) -> Allowance {
        Allowance {
            micros: Some(micros),
            tokens: Some(tokens),
        }
    }

    #[test]
    fn an_absent_bound_does_not_bound() {
        let most = Amount {
            micros: u64::MAX,
            tokens: u64::MAX,
        };
        assert!(Allowance::OPEN.covers(most));
        assert!(!some(u64::MAX, 0).covers(most));
        assert_eq!(Allowance::OPEN.minus(most), Allowance::OPEN);
        assert_eq!(Allowance::OPEN.min(some(1, 2)), some(1, 2));
        assert_eq!(some(1, 5).min(some(3, 2)), some(1, 2));
        assert_eq!(some(1, 5).minus(most), some(0, 0));
        assert_eq!(
            some(7, 8).within(some(0, 0)),
            Amount {
                micros: 7,
                tokens: 8
            }
        );
        assert_eq!(some(7, 8).within(Allowance::OPEN), Amount::NOTHING);
    }
}
