//! What the guests that attack on request share: how they are told what to do, and how they tell what came of it.
//!
//! The order is a JSON document: `{"act": "NAME", ...}` with the act's own fields beside it, or `"NAME"` alone. The
//! answer is a JSON document too; most acts make many probes and answer with a [`Told`].

mod around;
mod plugin;

pub use around::look;
pub use serde_json::{Value, json};

/// Longest text of one probe in an answer.
const TEXT: usize = 400;
/// Most probes of which an answer shows the refusal.
const SHOWN: usize = 600;

/// What a guest is told to do.
pub struct Order(Value);

impl Order {
    /// Reads an order; whatever is no order is one without an act.
    pub fn read(json: &str) -> Self {
        match serde_json::from_str(json) {
            Ok(Value::String(act)) => Self(json!({ "act": act })),
            Ok(order) => Self(order),
            Err(_) => Self(Value::Null),
        }
    }

    /// Name of the act.
    pub fn act(&self) -> &str {
        self.0["act"].as_str().unwrap_or("")
    }

    /// A text of the order; empty when it is not there.
    pub fn text(&self, key: &str) -> &str {
        self.0[key].as_str().unwrap_or("")
    }

    /// A number of the order.
    pub fn number(&self, key: &str, otherwise: u64) -> u64 {
        self.0[key].as_u64().unwrap_or(otherwise)
    }

    /// A value of the order; `null` when it is not there.
    pub fn value(&self, key: &str) -> &Value {
        &self.0[key]
    }

    /// A list of texts of the order; empty when it is not there.
    pub fn list(&self, key: &str) -> Vec<String> {
        let items = self.0[key].as_array().cloned().unwrap_or_default();
        items
            .iter()
            .filter_map(|item| item.as_str().map(str::to_owned))
            .collect()
    }
}

/// What came of many probes: how many there were, which of them the host let through and with what, and why the
/// others were refused.
#[derive(Default)]
pub struct Told {
    probes: usize,
    passed: Vec<Value>,
    refused: Vec<Value>,
    errors: std::collections::BTreeMap<String, usize>,
}

impl Told {
    /// Takes note of one probe.
    pub fn note(&mut self, probe: impl Into<String>, came: Result<String, String>) {
        self.probes += 1;
        let probe = cut(probe.into());
        match came {
            Ok(got) => {
                if self.passed.len() < SHOWN {
                    self.passed.push(json!({ "probe": probe, "got": cut(got) }));
                }
            }
            Err(error) => {
                let error = cut(error);
                // The kind of an error is what stands before its text.
                let kind: String = error
                    .chars()
                    .take_while(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | ' '))
                    .take(60)
                    .collect();
                *self.errors.entry(kind).or_default() += 1;
                if self.refused.len() < SHOWN {
                    self.refused.push(json!({ "probe": probe, "error": error }));
                }
            }
        }
    }

    /// The answer: `{"probes": N, "passed": [{"probe", "got"}], "refused": [{"probe", "error"}], "errors": {KIND: N}}`.
    pub fn answer(self) -> Value {
        json!({
            "probes": self.probes, "passed": self.passed, "refused": self.refused, "errors": self.errors
        })
    }
}

/// Many probes at once.
pub fn told(probes: impl IntoIterator<Item = (String, Result<String, String>)>) -> Value {
    let mut told = Told::default();
    for (probe, came) in probes {
        told.note(probe, came);
    }
    told.answer()
}

fn cut(text: String) -> String {
    match text.char_indices().nth(TEXT) {
        None => text,
        Some((at, _)) => format!("{}… ({} bytes)", &text[..at], text.len()),
    }
}

/// Debug text of an error as the result of a probe.
pub fn debug<T, E: std::fmt::Debug>(result: Result<T, E>) -> Result<T, String> {
    result.map_err(|error| format!("{error:?}"))
}
