//! Providers of text generation, and where secrets come from. Must not hold a value of a secret.

use crate::Span;
use sandgate_model::{Amount, Millis};
use std::collections::BTreeMap;

/// Protocol of a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProviderKind {
    /// Chat completions, as many servers speak them.
    OpenAi,
    /// Messages.
    Anthropic,
}

impl ProviderKind {
    pub(crate) const WORDS: &'static [&'static str] = &["openai", "anthropic"];

    /// The word in the file.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Anthropic => "anthropic",
        }
    }

    pub(crate) fn find(word: &str) -> Option<Self> {
        [Self::OpenAi, Self::Anthropic]
            .into_iter()
            .find(|k| k.as_str() == word)
    }
}

/// Price of a million tokens, in millionths of the currency unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Price {
    /// Tokens in.
    pub input_micros: u64,
    /// Tokens out.
    pub output_micros: u64,
}

impl Price {
    /// What so many tokens cost, rounded up; stays at the largest number instead of wrapping.
    #[must_use]
    pub fn of(self, input: u64, output: u64) -> Amount {
        const MILLION: u128 = 1_000_000;
        // One product fits into 128 bits, two of them may not.
        let sum = (u128::from(input) * u128::from(self.input_micros))
            .saturating_add(u128::from(output) * u128::from(self.output_micros));
        Amount {
            micros: u64::try_from(sum.div_ceil(MILLION)).unwrap_or(u64::MAX),
            tokens: input.saturating_add(output),
        }
    }
}

/// A provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provider {
    /// Protocol that it speaks.
    pub kind: ProviderKind,
    /// Base of its API, canonical, without a slash at its end.
    pub url: String,
    /// Its address need not be public.
    pub private: bool,
    /// The secret that is its key; that it is bound to this provider has been checked.
    pub key: Option<String>,
    /// Longest one generation may take.
    pub timeout: Millis,
    /// Prices by model; `*` is every other one.
    pub prices: BTreeMap<String, Price>,
    pub(crate) key_span: Option<Span>,
}

impl Provider {
    /// The price of a model: its own, or that of `*`. `None`: it costs nothing, and is refused where a budget is set.
    #[must_use]
    pub fn price(&self, model: &str) -> Option<Price> {
        self.prices
            .get(model)
            .or_else(|| self.prices.get("*"))
            .copied()
    }
}

/// Where the value of a secret comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// An environment variable.
    Env(String),
    /// A file, relative to the project's directory unless absolute.
    File(String),
    /// The output of a program; program and arguments.
    Command(Vec<String>),
}

impl SecretSource {
    /// For people: `env API_TOKEN`, `file secrets/token`, `command pass`. Arguments are left out.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::Env(name) => format!("env {name}"),
            Self::File(path) => format!("file {path}"),
            Self::Command(words) => {
                format!("command {}", words.first().map_or("", String::as_str))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_are_rounded_up_and_never_wrap() {
        let price = Price {
            input_micros: 150_000,
            output_micros: 600_000,
        };
        assert_eq!(price.of(1_000_000, 1_000_000).micros, 750_000);
        assert_eq!(price.of(1, 0).micros, 1);
        assert_eq!(price.of(0, 0), Amount::NOTHING);
        let dear = Price {
            input_micros: u64::MAX,
            output_micros: u64::MAX,
        };
        assert_eq!(dear.of(u64::MAX, u64::MAX).micros, u64::MAX);
    }
}
