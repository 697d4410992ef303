//! `model`: one generation of a guest. Permit, the bound of its cost, intent with that reserve, the request, outcome with
//! what it really cost. The outcome is recorded when the answer is whole, before the guest hears of that.

use super::{
    consent::{Agreed, approved},
    desk::{CallDesk, Later, NotBegun, OpenCall, SettleLater},
    model_record, plain,
};
use sandgate_authority::{ModelAuthority, ModelPermit, ModelRefusal, Opened, Permission};
use sandgate_llm::{ModelError, Models, Money};
use sandgate_model::{Amount, CallEnd, CallRequest, Digest, Grants, NeedKind};
use sandgate_sandbox as port;
use sandgate_sandbox::{
    Answered, GenerateRequest, Generated, Generation, ModelFailure, ModelPort, PortFuture,
};
use sandgate_workflow::Provider;
use std::{
    collections::BTreeMap,
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// Generations of one caller.
#[derive(Clone)]
pub(crate) struct ModelPower {
    pub(crate) models: Arc<Models>,
    pub(crate) grants: Arc<Grants>,
    pub(crate) desk: Arc<CallDesk>,
    pub(crate) money: Money,
    /// Tokens that the attempt has left.
    pub(crate) tokens: Arc<AtomicU64>,
    /// Provider and rule of each grant.
    pub(crate) rules: Vec<(String, String)>,
    /// The providers of the grants, as the project describes them.
    pub(crate) providers: Arc<BTreeMap<String, Provider>>,
    /// The work may be suspended: the sandbox reads each answer to its end, and it is recorded then.
    pub(crate) whole: bool,
}

type Made = Answered<Result<Box<dyn Generation>, ModelFailure>>;

impl ModelPort for ModelPower {
    fn available(&self) -> Vec<String> {
        ModelAuthority::new(&self.grants).granted()
    }

    fn generate(&self, request: GenerateRequest) -> PortFuture<Made> {
        let power = self.clone();
        Box::pin(async move {
            match power.generated(asked_for(request)).await {
                Ok(made) => made,
                Err(failure) => plain(Err(failure)),
            }
        })
    }
}

impl ModelPower {
    async fn generated(
        &self,
        request: sandgate_llm::GenerateRequest,
    ) -> Result<Made, ModelFailure> {
        let mut record = CallRequest {
            kind: NeedKind::Model,
            what: format!("generate with {}", cut(&request.model)),
            digest: Digest::of(request.model.as_bytes()),
            rule: String::new(),
            secrets: Vec::new(),
            reserve: Amount::NOTHING,
            approval: false,
            consent: None,
        };
        let permission = match ModelAuthority::new(&self.grants).permit(&request.model) {
            Ok(permission) => permission,
            Err(refusal) => {
                let why = refusal.to_string();
                self.desk.refused(record, why.clone());
                return Err(match refusal {
                    ModelRefusal::NotAName(_) => ModelFailure::Invalid(why),
                    ModelRefusal::NotGranted { .. } => ModelFailure::NotGranted(why),
                });
            }
        };
        let provider = permission.look().provider();
        record.rule = self
            .rules
            .iter()
            .find(|(of, _)| of == provider)
            .map(|(_, rule)| rule.clone())
            .unwrap_or_default();
        let (permit, request, consent) = match permission {
            Permission::Granted(permit) => (permit, request, None),
            Permission::Ask(_) => {
                let (permit, request, consent) = self.agreed(&request, &record).await?;
                (permit, request, Some(consent))
            }
        };
        let prepared = match self.models.prepare(permit, &request, self.money) {
            Ok(prepared) => prepared,
            Err(error) => {
                self.desk.refused(record, error.to_string());
                return Err(failure(error));
            }
        };
        let reserve = prepared.estimate();
        record.what = prepared.what();
        record.digest = prepared.digest();
        record.reserve = reserve;
        if let Some((consent, digest)) = consent {
            record = approved(record, consent, digest);
        }
        let Some(held) = Held::take(&self.tokens, reserve.tokens) else {
            let left = self.tokens.load(Ordering::Relaxed);
            let why = format!(
                "this may take {} tokens, and the attempt has {left} left (`tokens` under [limits]); ask for fewer \
                 `max-tokens`",
                reserve.tokens
            );
            self.desk.refused(record, why.clone());
            return Err(ModelFailure::Limit(why));
        };
        let call = match self.desk.begin(record.clone()).await {
            Ok(call) => call,
            Err(NotBegun::Refused(why)) => {
                self.desk.refused(record, why.clone());
                return Err(ModelFailure::Budget(why));
            }
            Err(NotBegun::Limit(why)) => return Err(ModelFailure::Limit(why)),
            Err(NotBegun::Host(why)) => return Err(ModelFailure::Host(why)),
        };
        Ok(match self.models.generate(prepared, reserve).await {
            Ok(generation) => {
                let later = self.whole.then(Later::default);
                Answered {
                    result: Ok(Box::new(Live {
                        generation,
                        call: Some(call),
                        reserve,
                        held: Some(held),
                        later: later.clone(),
                    }) as Box<dyn Generation>),
                    then: later
                        .map(|later| Box::new(SettleLater(later)) as Box<dyn port::Completion>),
                }
            }
            Err(failed) => {
                held.settle(failed.cost.tokens);
                let end = CallEnd::Failed {
                    message: failed.error.to_string(),
                    cost: failed.cost.min(reserve),
                };
                Answered {
                    result: Err(failure(failed.error)),
                    then: call.settle(end),
                }
            }
        })
    }

    fn provider_of(&self, request: &sandgate_llm::GenerateRequest) -> Option<&Provider> {
        let (name, _) = request.model.split_once('/')?;
        self.providers.get(name)
    }

    /// A generation that a person has to agree to. What is sent is what stands in the record that was approved.
    async fn agreed(
        &self,
        request: &sandgate_llm::GenerateRequest,
        record: &CallRequest,
    ) -> Result<
        (
            ModelPermit,
            sandgate_llm::GenerateRequest,
            (sandgate_model::Consent, Digest),
        ),
        ModelFailure,
    > {
        let most = self.models.estimate(request, self.money).map_err(failure)?;
        let action = model_record::action(request, self.provider_of(request), most);
        let (consent, digest, action) =
            match self.desk.agree(NeedKind::Model, &record.what, action).await {
                Agreed::Yes {
                    consent,
                    digest,
                    action,
                } => (consent, digest, action),
                Agreed::No(why) => return Err(ModelFailure::NotApproved(why)),
                Agreed::Parts => return Err(ModelFailure::Suspended),
            };
        let stale = |why: String| {
            self.desk.stale(why);
            ModelFailure::Suspended
        };
        let Some(request) = model_record::read(&action) else {
            return Err(stale(
                "the record of the approval is not one of a generation".to_owned(),
            ));
        };
        let sealed = match ModelAuthority::new(&self.grants).permit(&request.model) {
            Ok(Permission::Ask(sealed)) => sealed,
            Ok(Permission::Granted(_)) => {
                return Err(stale(
                    "the rule that it was approved under is another now".to_owned(),
                ));
            }
            Err(refusal) => return Err(stale(refusal.to_string())),
        };
        // Made anew from what is about to be sent.
        let most = self
            .models
            .estimate(&request, self.money)
            .map_err(|error| stale(error.to_string()))?;
        let now = self
            .desk
            .facts
            .bytes(
                NeedKind::Model,
                model_record::action(&request, self.provider_of(&request), most),
            )
            .map_err(stale)?;
        let permit = sealed
            .open(Opened::new(digest), Digest::of(&now))
            .map_err(|error| stale(error.to_string()))?;
        Ok((permit, request, (consent, digest)))
    }
}

/// Tokens that are held for a generation; what it did not use comes back.
struct Held {
    left: Arc<AtomicU64>,
    amount: u64,
}

impl Held {
    fn take(left: &Arc<AtomicU64>, amount: u64) -> Option<Self> {
        let take = |n: u64| n.checked_sub(amount);
        left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
            .ok()?;
        Some(Self {
            left: Arc::clone(left),
            amount,
        })
    }

    fn settle(self, used: u64) {
        let back = self.amount.saturating_sub(used);
        self.left.fetch_add(back, Ordering::Relaxed);
    }
}

/// An answer in the making, with its place in the books.
struct Live {
    generation: sandgate_llm::Generation,
    call: Option<OpenCall>,
    reserve: Amount,
    held: Option<Held>,
    /// Where the outcome waits to be recorded together with the answer.
    later: Option<Later>,
}

impl Live {
    /// Records the outcome, once.
    async fn end(&mut self, failed: Option<&ModelError>) {
        let cost = self.generation.cost().min(self.reserve);
        if let Some(held) = self.held.take() {
            held.settle(cost.tokens);
        }
        if let Some(call) = self.call.take() {
            let end = match failed {
                None => CallEnd::Done {
                    note: format!("{} tokens", cost.tokens),
                    cost,
                },
                Some(error) => CallEnd::Failed {
                    message: error.to_string(),
                    cost,
                },
            };
            match &self.later {
                Some(later) => *crate::local::lock(later) = Some((call, end)),
                None => call.end(end).await,
            }
        }
    }
}

impl Generation for Live {
    fn next(
        &mut self,
    ) -> Pin<Box<dyn Future<Output = Result<Option<String>, ModelFailure>> + Send + '_>> {
        Box::pin(async move {
            match self.generation.next().await {
                Ok(Some(piece)) => Ok(Some(piece)),
                Ok(None) => {
                    self.end(None).await;
                    Ok(None)
                }
                Err(error) => {
                    self.end(Some(&error)).await;
                    Err(failure(error))
                }
            }
        })
    }

    fn finish(
        &mut self,
    ) -> Pin<Box<dyn Future<Output = Result<Generated, ModelFailure>> + Send + '_>> {
        Box::pin(async move {
            match self.generation.finish().await {
                Ok(generated) => {
                    self.end(None).await;
                    Ok(given(generated))
                }
                Err(error) => {
                    self.end(Some(&error)).await;
                    Err(failure(error))
                }
            }
        })
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        // Given up in the middle: what was generated until then is paid for, and nobody knows how much that is.
        if let Some(call) = self.call.take() {
            call.abandon(CallEnd::Failed {
                message: "given up before the answer was whole".to_owned(),
                cost: self.generation.cost().min(self.reserve),
            });
        }
    }
}

fn asked_for(request: GenerateRequest) -> sandgate_llm::GenerateRequest {
    let speaker = |s| match s {
        port::Speaker::System => sandgate_llm::Speaker::System,
        port::Speaker::User => sandgate_llm::Speaker::User,
        port::Speaker::Assistant => sandgate_llm::Speaker::Assistant,
        port::Speaker::Tool => sandgate_llm::Speaker::Tool,
    };
    let call = |c: port::ToolCall| sandgate_llm::ToolCall {
        id: c.id,
        name: c.name,
        arguments: c.arguments,
    };
    let messages = request
        .messages
        .into_iter()
        .map(|m| sandgate_llm::Message {
            speaker: speaker(m.speaker),
            text: m.text,
            tool_calls: m.tool_calls.into_iter().map(call).collect(),
            answers: m.answers,
        })
        .collect();
    let tools = request
        .tools
        .into_iter()
        .map(|t| sandgate_llm::Tool {
            name: t.name,
            description: t.description,
            parameters: t.parameters,
        })
        .collect();
    sandgate_llm::GenerateRequest {
        model: request.model,
        messages,
        tools,
        max_tokens: request.max_tokens,
        temperature_permille: request.temperature_permille,
        json_schema: request.json_schema,
    }
}

fn given(g: sandgate_llm::Generated) -> Generated {
    Generated {
        text: g.text,
        tool_calls: g
            .tool_calls
            .into_iter()
            .map(|c| port::ToolCall {
                id: c.id,
                name: c.name,
                arguments: c.arguments,
            })
            .collect(),
        finish: match g.finish {
            sandgate_llm::Finish::Stop => port::Finish::Stop,
            sandgate_llm::Finish::Length => port::Finish::Length,
            sandgate_llm::Finish::Tools => port::Finish::Tools,
            sandgate_llm::Finish::Refused => port::Finish::Refused,
        },
        usage: port::Usage {
            input_tokens: g.usage.input_tokens,
            output_tokens: g.usage.output_tokens,
            micros: g.usage.micros,
            estimated: g.usage.estimated,
        },
        model: g.model,
    }
}

fn failure(error: ModelError) -> ModelFailure {
    match error {
        ModelError::NotGranted(why) => ModelFailure::NotGranted(why),
        ModelError::NotApproved(why) => ModelFailure::NotApproved(why),
        ModelError::Budget(why) => ModelFailure::Budget(why),
        ModelError::Limit(why) => ModelFailure::Limit(why),
        ModelError::Invalid(why) => ModelFailure::Invalid(why),
        ModelError::Unavailable(why) => ModelFailure::Unavailable(why),
        ModelError::BadAnswer(why) => ModelFailure::BadAnswer(why),
        ModelError::Host(why) => ModelFailure::Host(why),
    }
}

/// Longest name of a model in the record, in characters.
fn cut(name: &str) -> String {
    name.chars().take(120).collect()
}
