//! What tokens cost. Whole numbers only, rounded up, never wrapping.

use std::collections::BTreeMap;

/// What a model costs, in millionths of the project's currency unit per million tokens: a price of 2.50 per million
/// tokens is `2_500_000`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Price {
    /// Tokens of the conversation.
    pub input: u64,
    /// Tokens of the answer.
    pub output: u64,
}

impl Price {
    /// What so many tokens cost, in millionths, rounded up; the largest number instead of a wrap.
    #[must_use]
    pub fn of(self, input_tokens: u64, output_tokens: u64) -> u64 {
        let input = u128::from(input_tokens).saturating_mul(u128::from(self.input));
        let output = u128::from(output_tokens).saturating_mul(u128::from(self.output));
        let micros = input.saturating_add(output).div_ceil(1_000_000);
        u64::try_from(micros).unwrap_or(u64::MAX)
    }
}

/// Prices of a provider's models; `*` is for those that have no line of their own.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Prices(BTreeMap<String, Price>);

impl Prices {
    /// The price of a model.
    #[must_use]
    pub fn of(&self, model: &str) -> Option<Price> {
        self.0.get(model).or_else(|| self.0.get("*")).copied()
    }
}

impl FromIterator<(String, Price)> for Prices {
    fn from_iter<T: IntoIterator<Item = (String, Price)>>(prices: T) -> Self {
        Self(prices.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_line_of_its_own_wins_over_the_star() {
        let prices: Prices = [
            (
                "*".to_owned(),
                Price {
                    input: 1,
                    output: 1,
                },
            ),
            (
                "large".to_owned(),
                Price {
                    input: 2,
                    output: 2,
                },
            ),
        ]
        .into_iter()
        .collect();
        assert_eq!(prices.of("large").unwrap().input, 2);
        assert_eq!(prices.of("small").unwrap().input, 1);
        assert_eq!(Prices::default().of("small"), None);
    }

    proptest! {
        /// Never less than the exact price, never a whole millionth more, and more tokens never cost less.
        #[test]
        fn rounds_up_and_grows(input: u64, output: u64, p: u64, q: u64, more: u64) {
            let price = Price { input: p, output: q };
            let got = price.of(input, output);
            let exact = u128::from(input) * u128::from(p) / 2 + u128::from(output) * u128::from(q) / 2;
            if got < u64::MAX {
                prop_assert!(u128::from(got) * 500_000 + 1 >= exact);
            }
            prop_assert!(price.of(input.saturating_add(more), output) >= got);
        }
    }

    #[test]
    fn small_and_huge() {
        let price = Price {
            input: 2_500_000,
            output: 10_000_000,
        };
        assert_eq!(price.of(1_000, 100), 2_500 + 1_000);
        assert_eq!(price.of(1, 0), 3);
        assert_eq!(price.of(u64::MAX, u64::MAX), u64::MAX);
    }
}
