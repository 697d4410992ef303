//! What a generation took. A provider's numbers are believed only when they are possible; otherwise the host's upper
//! bounds stand. Nothing here can come out above the bound that was reserved.

use crate::{Price, Usage};
use sandgate_model::Amount;
use serde_json::Value;

/// Tokens that a provider's template puts around a conversation, besides one per byte sent. Marks of a message cost
/// 3 to 5 tokens while its JSON has 28 bytes and more, so only fixed parts are left.
const TEMPLATE_TOKENS: u64 = 256;

/// Tokens of the instructions that providers add for tools and for schemas: up to 530 are published.
const TOOL_TOKENS: u64 = 1_024;

/// Most visible bytes per token that are believed. Text has about 4, runs of spaces or dashes up to 100 in a part of
/// an answer, never on average.
const BYTES_PER_TOKEN: u64 = 32;

/// The most that a generation can take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bound {
    pub(crate) input_tokens: u64,
    pub(crate) output_tokens: u64,
    pub(crate) price: Price,
}

impl Bound {
    /// A token has at least one byte, and everything a model reads was in the request or in a template.
    pub(crate) fn new(request_bytes: usize, tools: bool, output_tokens: u32, price: Price) -> Self {
        let sent = u64::try_from(request_bytes).unwrap_or(u64::MAX);
        let extra = if tools { TOOL_TOKENS } else { 0 };
        Self {
            input_tokens: sent.saturating_add(TEMPLATE_TOKENS).saturating_add(extra),
            output_tokens: u64::from(output_tokens),
            price,
        }
    }

    /// As usage: what counts when nobody knows better.
    pub(crate) fn usage(&self) -> Usage {
        Usage {
            input_tokens: self.input_tokens,
            output_tokens: self.output_tokens,
            micros: self.price.of(self.input_tokens, self.output_tokens),
            estimated: true,
        }
    }

    pub(crate) fn amount(&self) -> Amount {
        amount(&self.usage())
    }

    /// What counts at the end: what the provider said, if it is possible.
    pub(crate) fn settle(&self, claim: &Claim, visible_bytes: usize) -> Usage {
        let visible = u64::try_from(visible_bytes).unwrap_or(u64::MAX);
        match (claim.input, claim.output) {
            (Said::Tokens(input), Said::Tokens(output))
                if (1..=self.input_tokens).contains(&input)
                    && output <= self.output_tokens
                    && output >= visible.div_ceil(BYTES_PER_TOKEN) =>
            {
                Usage {
                    input_tokens: input,
                    output_tokens: output,
                    micros: self.price.of(input, output),
                    estimated: false,
                }
            }
            _ => self.usage(),
        }
    }
}

/// Usage as an amount of a budget.
pub(crate) fn amount(usage: &Usage) -> Amount {
    Amount {
        micros: usage.micros,
        tokens: usage.input_tokens.saturating_add(usage.output_tokens),
    }
}

/// What a provider says about usage, over the course of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct Claim {
    input: Said,
    output: Said,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
enum Said {
    #[default]
    Nothing,
    Tokens(u64),
    Nonsense,
}

impl Claim {
    /// Tokens of the conversation; several parts are added up (what a provider read from its cache is counted apart).
    pub(crate) fn input<'a>(&mut self, parts: impl IntoIterator<Item = Option<&'a Value>>) {
        let mut sum = Said::Nothing;
        for part in parts {
            sum = match (sum, said(part)) {
                (Said::Nonsense, _) | (_, Said::Nonsense) => Said::Nonsense,
                (sum, Said::Nothing) => sum,
                (Said::Nothing, part) => part,
                (Said::Tokens(a), Said::Tokens(b)) => {
                    a.checked_add(b).map_or(Said::Nonsense, Said::Tokens)
                }
            };
        }
        self.input = self.input.then(sum);
    }

    /// Tokens of the answer.
    pub(crate) fn output(&mut self, value: Option<&Value>) {
        self.output = self.output.then(said(value));
    }
}

impl Said {
    /// Numbers come once or grow: a stream may repeat its running count. One that shrinks contradicts itself.
    fn then(self, later: Self) -> Self {
        match (self, later) {
            (Self::Nonsense, _) | (_, Self::Nonsense) => Self::Nonsense,
            (before, Self::Nothing) => before,
            (Self::Tokens(before), Self::Tokens(now)) if now < before => Self::Nonsense,
            (_, now) => now,
        }
    }
}

/// A whole number that is not negative; anything else, also `12.0`, is nonsense.
fn said(value: Option<&Value>) -> Said {
    match value {
        None | Some(Value::Null) => Said::Nothing,
        Some(value) => value.as_u64().map_or(Said::Nonsense, Said::Tokens),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn bound() -> Bound {
        Bound {
            input_tokens: 1_000,
            output_tokens: 500,
            price: Price {
                input: 1_000_000,
                output: 2_000_000,
            },
        }
    }

    fn claims(list: &[(Value, Value)]) -> Claim {
        let mut claim = Claim::default();
        for (input, output) in list {
            claim.input([Some(input)]);
            claim.output(Some(output));
        }
        claim
    }

    #[test]
    fn possible_numbers_are_believed() {
        for list in [
            vec![(json!(10), json!(5))],
            vec![(json!(10), json!(1)), (Value::Null, json!(5))],
            vec![(json!(10), json!(5)), (json!(10), json!(5))],
            vec![(Value::Null, Value::Null), (json!(10), json!(5))],
        ] {
            let usage = bound().settle(&claims(&list), 20);
            assert_eq!(
                usage,
                Usage {
                    input_tokens: 10,
                    output_tokens: 5,
                    micros: 20,
                    estimated: false
                },
                "{list:?}"
            );
        }
    }

    #[test]
    fn impossible_numbers_cost_the_bound() {
        let bad: Vec<(Value, Value)> = vec![
            (Value::Null, Value::Null),
            (json!(10), Value::Null),
            (Value::Null, json!(5)),
            (json!(-10), json!(5)),
            (json!(10), json!(-5)),
            (json!(1e300), json!(5)),
            (json!(u64::MAX), json!(5)),
            (json!(10), json!(u64::MAX)),
            (json!(10.0), json!(5)),
            (json!("10"), json!(5)),
            (json!([10]), json!(5)),
            (json!(true), json!(5)),
            (json!(0), json!(5)),
            (json!(10), json!(0)),
            (json!(1_001), json!(5)),
            (json!(10), json!(501)),
        ];
        for (input, output) in &bad {
            let usage = bound().settle(&claims(&[(input.clone(), output.clone())]), 20);
            assert_eq!(usage, bound().usage(), "{input} {output}");
        }
        for list in [
            vec![(json!(10), json!(50)), (json!(10), json!(5))],
            vec![(json!(10), json!(5)), (json!(9), json!(5))],
            vec![(json!(-1), json!(5)), (json!(10), json!(5))],
        ] {
            assert_eq!(
                bound().settle(&claims(&list), 20),
                bound().usage(),
                "{list:?}"
            );
        }
        // 500 tokens allowed, 10 kB shown, 1 token claimed.
        assert!(
            bound()
                .settle(&claims(&[(json!(10), json!(1))]), 10_000)
                .estimated
        );
        println!("{} impossible claims, 0 believed", bad.len() + 4);
    }

    proptest! {
        #[test]
        fn never_above_the_bound(
            input in any::<i128>(), output in any::<i128>(), visible: usize, bytes: usize, most: u32,
            p: u64, q: u64,
        ) {
            let price = Price { input: p, output: q };
            let bound = Bound::new(bytes, true, most, price);
            let number = |n: i128| serde_json::from_str::<Value>(&n.to_string()).unwrap();
            let usage = bound.settle(&claims(&[(number(input), number(output))]), visible);
            prop_assert!(bound.amount().covers(amount(&usage)));
        }
    }
}
