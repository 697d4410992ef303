//! What plugins return, checked as hostile input and turned into the host's types. Nothing here trusts a length, a
//! name, a number or a document because a plugin said so; and nothing here looks for sense, only for form.

mod agent;
mod describe;
mod gate;
mod json;
mod plan;

pub(crate) use agent::agent;
pub(crate) use describe::describe;
pub(crate) use gate::checks;
pub(crate) use json::Reader;
pub(crate) use plan::plan;

use crate::outcome::{REASONS_MAX, cut};

/// Collects reasons, the first [`REASONS_MAX`] of them.
#[derive(Default)]
struct Reasons {
    first: Vec<String>,
    more: usize,
}

impl Reasons {
    fn add(&mut self, reason: impl Into<String>) {
        if self.first.len() < REASONS_MAX {
            // Reasons quote the plugin.
            self.first.push(cut(reason.into(), 500));
        } else {
            self.more += 1;
        }
    }

    /// Adds a reason when a text is longer than it may be.
    fn length(&mut self, what: impl FnOnce() -> String, text: &str, max: usize) {
        if text.len() > max {
            self.add(format!(
                "{} has {} bytes, and {max} is the most",
                what(),
                text.len()
            ));
        }
    }

    fn is_full(&self) -> bool {
        self.first.len() >= REASONS_MAX
    }

    /// The value if there is no reason against it.
    fn give<T>(mut self, value: T) -> Result<T, Vec<String>> {
        if self.first.is_empty() {
            return Ok(value);
        }
        if self.more > 0 {
            self.first.pop();
            self.first.push(format!("and {} more", self.more + 1));
        }
        Err(self.first)
    }
}
