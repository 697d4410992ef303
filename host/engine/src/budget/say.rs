//! The budget's words for people. Only words.

use crate::illegal::Why;
use sandgate_model::{Amount, Charge, NeedKind};

/// An amount of money in millionths: `0.25`, `12.00`, `0.000004`. In the project's currency unit, which has no name.
pub(crate) fn money(micros: u64) -> String {
    let text = format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
    let (keep, rest) = text.split_at(text.len().saturating_sub(4));
    format!("{keep}{}", rest.trim_end_matches('0'))
}

/// Money and tokens, leaving out which is nothing.
pub(crate) fn amount(amount: Amount) -> String {
    match (amount.micros, amount.tokens) {
        (micros, 0) => money(micros),
        (0, tokens) => format!("{tokens} tokens"),
        (micros, tokens) => format!("{} and {tokens} tokens", money(micros)),
    }
}

/// The kind's word in user files: what the cost of a call is booked under.
pub(crate) fn word(kind: NeedKind) -> &'static str {
    match kind {
        NeedKind::FilesRead => "files-read",
        NeedKind::FilesWrite => "files-write",
        NeedKind::Http => "http",
        NeedKind::Exec => "exec",
        NeedKind::Model => "model",
        NeedKind::Secrets => "secrets",
        NeedKind::Question => "question",
        NeedKind::Budget => "budget",
    }
}

/// An attempt reported more than it had.
pub(crate) fn over_reported(charges: &[Charge], left: u64) -> Why {
    let sum = charges
        .iter()
        .fold(0u64, |sum, charge| sum.saturating_add(charge.micros));
    format!(
        "the plugin reports charges of {}, which is more than was reserved for it ({} were left then); set `budget` \
         of the task to what it may cost",
        money(sum),
        money(left),
    )
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_has_cents_and_whatever_else_counts() {
        let cases = [
            (0, "0.00"),
            (4, "0.000004"),
            (250_000, "0.25"),
            (12_000_000, "12.00"),
            (1_234_567, "1.234567"),
        ];
        for (micros, text) in cases {
            assert_eq!(money(micros), text);
        }
    }

    #[test]
    fn kinds_have_the_words_of_the_documents() {
        for kind in [
            NeedKind::FilesRead,
            NeedKind::FilesWrite,
            NeedKind::Http,
            NeedKind::Exec,
            NeedKind::Model,
            NeedKind::Secrets,
            NeedKind::Question,
            NeedKind::Budget,
        ] {
            assert_eq!(serde_json::to_value(kind).unwrap(), word(kind));
        }
    }
}
