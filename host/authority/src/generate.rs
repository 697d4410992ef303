//! Which models may be used. Must not know prices or providers' addresses.
//!
//! Order of evaluation, and why:
//!
//! 1. **Name.** What was asked for has to be `PROVIDER/MODEL` in a small alphabet. Everything after this line can be
//!    printed and put into a line of TOML as it is.
//! 2. **Rules.** A rule fits when its provider is the same and it names the model, or `*`. Nothing else is a pattern:
//!    `gpt*` is the name of a model that nobody has. No rule: refused.
//! 3. **Approval.** When any rule that fits wants an approval, one is needed. The stricter rule wins whatever the
//!    order, so that `*` beside `{ models = ["large"], approval = "required" }` means what it says.

use crate::Permission;
use sandgate_model::{Grants, ModelGrant};

/// Longest name of a provider: as long as any other name in a project's file.
const PROVIDER_MAX: usize = 64;

/// Longest name of a model. The longest in use, paths of fine-tuned models, have about 120 letters.
const MODEL_MAX: usize = 256;

/// How much of a text that is not a name is shown in a message.
const SHOWN_MAX: usize = 80;

/// What one task may generate with.
#[derive(Clone, Copy, Debug)]
pub struct ModelAuthority<'a> {
    rules: &'a [ModelGrant],
}

/// Leave to use one model once. Only [`ModelAuthority::permit`] makes one, and whoever sends a request takes it by
/// value.
#[derive(PartialEq, Eq, Debug)]
pub struct ModelPermit {
    provider: String,
    model: String,
}

impl ModelPermit {
    /// The provider, as the project names it.
    #[must_use]
    pub fn provider(&self) -> &str {
        &self.provider
    }

    /// The model, as the provider names it.
    #[must_use]
    pub fn model(&self) -> &str {
        &self.model
    }
}

/// Why a model may not be used.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ModelRefusal {
    /// What was asked for is not `PROVIDER/MODEL`. Holds it escaped and cut.
    #[error("`{0}` is not the name of a model; write PROVIDER/MODEL, such as `local/small`")]
    NotAName(String),
    /// No rule fits.
    #[error(
        "the model `{provider}/{model}` is not granted{}; this line in [policy] of sandgate.toml would allow it: {allow}",
        instead(granted)
    )]
    NotGranted {
        /// The provider.
        provider: String,
        /// The model.
        model: String,
        /// What is granted, `PROVIDER/MODEL` or `PROVIDER/*`.
        granted: Vec<String>,
        /// The line of TOML that would allow it.
        allow: String,
    },
}

impl<'a> ModelAuthority<'a> {
    /// What these grants allow.
    #[must_use]
    pub fn new(grants: &'a Grants) -> Self {
        Self {
            rules: &grants.model,
        }
    }

    /// Decides about one use of `asked`, written `PROVIDER/MODEL`. A model's name may hold further slashes.
    ///
    /// A permit comes sealed when any rule that fits wants an approval.
    ///
    /// # Errors
    /// That it is not a name, or not granted.
    pub fn permit(&self, asked: &str) -> Result<Permission<ModelPermit>, ModelRefusal> {
        let (provider, model) = split(asked).ok_or_else(|| ModelRefusal::NotAName(shown(asked)))?;
        let mut fitting = self
            .rules
            .iter()
            .filter(|rule| rule.provider == provider && names(rule, model))
            .peekable();
        if fitting.peek().is_none() {
            return Err(ModelRefusal::NotGranted {
                provider: provider.to_owned(),
                model: model.to_owned(),
                granted: self.granted(),
                allow: line(provider, model),
            });
        }
        let approval = fitting.any(|rule| rule.approval);
        let permit = ModelPermit {
            provider: provider.to_owned(),
            model: model.to_owned(),
        };
        Ok(Permission::new(permit, approval))
    }

    /// What may be asked for, `PROVIDER/MODEL` or `PROVIDER/*`, sorted, each once. Holds what needs an approval too.
    #[must_use]
    pub fn granted(&self) -> Vec<String> {
        let mut all: Vec<String> = self
            .rules
            .iter()
            .flat_map(|rule| {
                rule.models
                    .iter()
                    .map(|model| format!("{}/{model}", rule.provider))
            })
            .collect();
        all.sort_unstable();
        all.dedup();
        all
    }
}

/// Provider and model. The alphabet has no quote, backslash, space or control character, and not `*`.
fn split(asked: &str) -> Option<(&str, &str)> {
    let (provider, model) = asked.split_once('/')?;
    let letter = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    let provider_is_one =
        (1..=PROVIDER_MAX).contains(&provider.len()) && provider.bytes().all(letter);
    let model_is_one = (1..=MODEL_MAX).contains(&model.len())
        && model
            .bytes()
            .all(|b| letter(b) || matches!(b, b'/' | b':' | b'@' | b'+'));
    (provider_is_one && model_is_one).then_some((provider, model))
}

fn names(rule: &ModelGrant, model: &str) -> bool {
    rule.models
        .iter()
        .any(|named| named == "*" || named == model)
}

fn line(provider: &str, model: &str) -> String {
    format!(r#"model = [{{ provider = "{provider}", models = ["{model}"] }}]"#)
}

fn instead(granted: &[String]) -> String {
    /// More are not read by anybody.
    const NAMED: usize = 5;
    match granted {
        [] => " (none is)".to_owned(),
        [..] if granted.len() <= NAMED => format!(" (granted: {})", granted.join(", ")),
        _ => {
            let first: Vec<&str> = granted.iter().take(NAMED).map(String::as_str).collect();
            format!(
                " (granted: {}, and {} more)",
                first.join(", "),
                granted.len().saturating_sub(NAMED)
            )
        }
    }
}

/// Text of a guest for a message: one line of ASCII, cut.
fn shown(text: &str) -> String {
    let mut short: String = text.escape_default().take(SHOWN_MAX).collect();
    if text.escape_default().nth(SHOWN_MAX).is_some() {
        short.push_str("...");
    }
    short
}
