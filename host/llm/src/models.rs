//! The broker: what a project may generate with, from request to answer.
//!
//! Order, and why:
//!
//! 1. [`Models::prepare`] takes the permit and checks the request, then knows the exact bytes and the most that they
//!    can cost. Nothing is sent. Whoever drives it reserves that amount and writes the intent down.
//! 2. [`Models::generate`] sends what was prepared, once the reserved amount covers it, and gives back the answer in
//!    the making.
//! 3. [`Generation::cost`] at the end is what is charged: never more than was reserved.
//!
//! Must not decide who may use which model (`authority` does), and must not keep a budget (`engine` does).

use crate::{
    Failed, GenerateRequest, Generation, Jitter, Limits, ModelError, Price, ProviderConfig,
    ProviderError, Recorder, ReplaySource,
    generation::Live,
    meter::Bound,
    provider::Provider,
    read::{Begin, Reading},
    record::Call,
    schema::AnswerSchema,
    send::{self, Sender},
    validate,
    wire::{self, Asked},
};
use bytes::Bytes;
use sandgate_authority::ModelPermit;
use sandgate_egress::Egress;
use sandgate_model::{Amount, Digest};
use sandgate_vault::Vault;
use std::{collections::BTreeMap, fmt, sync::Arc};
use tokio::time::Instant;

/// Whether money is counted where a request comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Money {
    /// A budget is set: a model whose price is not known is refused.
    Budgeted,
    /// None is: such a model costs nothing.
    Unlimited,
}

/// Where answers come from.
#[derive(Debug, Default)]
pub enum Mode {
    /// From the providers.
    #[default]
    Live,
    /// From the providers; whole answers are kept.
    Record(Recorder),
    /// From a recording. Nothing is sent, and no key is read.
    Replay(ReplaySource),
}

/// What [`Models`] is made of.
#[derive(Debug)]
pub struct ModelsConfig {
    /// The project's providers.
    pub providers: Vec<ProviderConfig>,
    /// Caps.
    pub limits: Limits,
    /// The project's way out.
    pub egress: Egress,
    /// The project's secrets, keys among them. A key is bound to `SecretTarget::Provider(NAME)`.
    pub vault: Arc<Vault>,
    /// Chance for waits between tries.
    pub jitter: Jitter,
    /// Where answers come from.
    pub mode: Mode,
}

/// Text generation of one project. Share it in an `Arc`.
pub struct Models {
    providers: BTreeMap<String, (Provider, Sender)>,
    limits: Limits,
    vault: Arc<Vault>,
    jitter: Jitter,
    mode: Mode,
}

impl fmt::Debug for Models {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Models")
            .field("providers", &self.providers.keys().collect::<Vec<_>>())
            .field("mode", &self.mode)
            .finish_non_exhaustive()
    }
}

/// A request that was checked and not yet sent, with the permit for it.
#[derive(Debug)]
pub struct Prepared {
    permit: ModelPermit,
    body: Bytes,
    bound: Bound,
    max_tokens: u32,
    schema: Option<Arc<AnswerSchema>>,
    call: Arc<Call>,
}

impl Prepared {
    /// The most that it can cost.
    #[must_use]
    pub fn estimate(&self) -> Amount {
        self.bound.amount()
    }

    /// Digest of the canonical request: what will be asked, of which model, up to how many tokens.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.call.digest
    }

    /// One line for people.
    #[must_use]
    pub fn what(&self) -> String {
        format!(
            "generate with {}/{}, at most {} tokens",
            self.permit.provider(),
            self.permit.model(),
            self.max_tokens
        )
    }
}

impl Models {
    /// Sets it up. Reads no key and opens nothing.
    ///
    /// # Errors
    /// A provider cannot be used as it is described, or two have the same name.
    pub fn new(config: ModelsConfig) -> Result<Self, ProviderError> {
        let mut providers = BTreeMap::new();
        for provider in config.providers {
            let provider = Provider::new(provider)?;
            let sender = Sender::new(
                &provider,
                config.limits.answer_bytes,
                &config.egress,
                Arc::clone(&config.vault),
            );
            let name = provider.config.name.clone();
            if providers.insert(name.clone(), (provider, sender)).is_some() {
                return Err(ProviderError {
                    provider: name,
                    message: "two providers have this name".to_owned(),
                });
            }
        }
        Ok(Self {
            providers,
            limits: config.limits,
            vault: config.vault,
            jitter: config.jitter,
            mode: config.mode,
        })
    }

    /// The most that a request can cost, without a permit and without sending: for predictions.
    ///
    /// # Errors
    /// As for [`Self::prepare`].
    pub fn estimate(&self, request: &GenerateRequest, money: Money) -> Result<Amount, ModelError> {
        let (provider, model) = request
            .model
            .split_once('/')
            .ok_or_else(|| ModelError::Invalid("a model is written PROVIDER/MODEL".to_owned()))?;
        let made = self.make(provider, model, request, money)?;
        Ok(made.bound.amount())
    }

    /// Checks a request, makes its bytes and bounds its cost. Nothing is sent.
    ///
    /// # Errors
    /// The request is wrong or too large, the provider is not described, the permit is for another model, or the
    /// price is not known while a budget is set.
    pub fn prepare(
        &self,
        permit: ModelPermit,
        request: &GenerateRequest,
        money: Money,
    ) -> Result<Prepared, ModelError> {
        if request.model.split_once('/') != Some((permit.provider(), permit.model())) {
            return Err(ModelError::Host(
                "the permit is for another model than the request".to_owned(),
            ));
        }
        let made = self.make(permit.provider(), permit.model(), request, money)?;
        Ok(Prepared {
            permit,
            body: made.body,
            bound: made.bound,
            max_tokens: made.max_tokens,
            schema: made.schema,
            call: Arc::new(Call::new(request, made.max_tokens)),
        })
    }

    /// Sends what was prepared, or answers from a recording. Returns when the answer begins. Dropping the future ends
    /// it; whether it cost anything is not known then.
    ///
    /// # Errors
    /// [`Failed`], with what it may have cost all the same.
    pub async fn generate(
        &self,
        prepared: Prepared,
        allowance: Amount,
    ) -> Result<Generation, Failed> {
        let needed = prepared.estimate();
        if !allowance.covers(needed) {
            return Err(Failed::free(ModelError::Budget(format!(
                "this may take {} tokens and {} millionths; {} tokens and {} millionths are left; ask for fewer \
                 `max-tokens`, or raise the budget",
                needed.tokens, needed.micros, allowance.tokens, allowance.micros
            ))));
        }
        if let Mode::Replay(source) = &self.mode {
            let answer = source
                .answer(&prepared.call, &prepared.bound)
                .map_err(Failed::free)?;
            return Ok(Generation::replayed(answer, prepared.bound));
        }
        let (provider, sender) = self
            .provider(prepared.permit.provider())
            .map_err(Failed::free)?;
        let times = provider.config.times;
        let deadline = Instant::now() + times.total;
        let sent = sender
            .send(
                provider,
                &prepared.body,
                &prepared.bound,
                &self.jitter,
                deadline,
            )
            .await
            .map_err(|end| Failed {
                error: end.error,
                cost: end.cost,
            })?;
        // From here on it costs something: the provider is at work.
        send::streams(sent.response.headers()).map_err(|error| Failed {
            error,
            cost: needed,
        })?;
        // The key was read by now, so this one knows it.
        let redactor = self.vault.redactor();
        let begin = Begin {
            limits: self.limits,
            times,
            max_tokens: prepared.max_tokens,
            sent: sent.at,
            deadline,
        };
        let live = Live {
            reading: Reading::new(
                sent.response.into_body(),
                provider.config.kind,
                &redactor,
                begin,
            ),
            schema: prepared.schema,
            redactor,
            recorder: match &self.mode {
                Mode::Record(recorder) => Some(recorder.clone()),
                Mode::Live | Mode::Replay(_) => None,
            },
            call: prepared.call,
            whole: None,
        };
        Ok(Generation::live(live, prepared.bound))
    }

    fn provider(&self, name: &str) -> Result<&(Provider, Sender), ModelError> {
        self.providers.get(name).ok_or_else(|| {
            ModelError::Invalid(format!(
                "the project has no provider `{}`; describe it in [providers.{0}] of sandgate.toml",
                crate::text::quoted(name)
            ))
        })
    }

    fn make(
        &self,
        provider: &str,
        model: &str,
        request: &GenerateRequest,
        money: Money,
    ) -> Result<Made, ModelError> {
        validate::check(request, &self.limits)?;
        let (provider, _) = self.provider(provider)?;
        let price = match (provider.price(model), money) {
            (Some(price), _) => price,
            (None, Money::Unlimited) => Price::default(),
            (None, Money::Budgeted) => {
                return Err(ModelError::Budget(format!(
                    "a budget is set, and what `{}` costs is not known; write it down in sandgate.toml: {}",
                    crate::text::quoted(&request.model),
                    provider.price_line(model)
                )));
            }
        };
        let max_tokens = request
            .max_tokens
            .unwrap_or(self.limits.output_tokens_default)
            .min(self.limits.output_tokens);
        let schema = match &request.json_schema {
            Some(schema) => Some(Arc::new(AnswerSchema::new(schema)?)),
            None => None,
        };
        let asked = Asked {
            model,
            max_tokens,
            schema: schema.as_deref(),
            new_token_field: provider.new_token_field(),
        };
        let body = wire::body(provider.config.kind, request, asked);
        if body.len() > self.limits.request_bytes {
            return Err(ModelError::Limit(format!(
                "the request has {} bytes; at most {}",
                body.len(),
                self.limits.request_bytes
            )));
        }
        let tools = !request.tools.is_empty() || schema.is_some();
        Ok(Made {
            bound: Bound::new(body.len(), tools, max_tokens, price),
            body,
            max_tokens,
            schema,
        })
    }
}

/// A request's bytes and what they can cost.
struct Made {
    body: Bytes,
    bound: Bound,
    max_tokens: u32,
    schema: Option<Arc<AnswerSchema>>,
}
