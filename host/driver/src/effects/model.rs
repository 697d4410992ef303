//! `model`: one generation of a guest. Permit, the bound of its cost, intent with that reserve, the request, outcome with
//! what it really cost. The outcome is recorded when the answer is whole, before the guest hears of that.

use super::desk::{CallDesk, NotBegun, OpenCall};
use sandgate_authority::{ModelAuthority, ModelRefusal};
use sandgate_llm::{ModelError, Models, Money};
use sandgate_model::{Amount, CallEnd, CallRequest, Digest, Grants, NeedKind};
use sandgate_sandbox as port;
use sandgate_sandbox::{
    GenerateRequest, Generated, Generation, ModelFailure, ModelPort, PortFuture,
};
use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// Generations of one caller.
pub(crate) struct ModelPower {
    pub(crate) models: Arc<Models>,
    pub(crate) grants: Arc<Grants>,
    pub(crate) desk: Arc<CallDesk>,
    pub(crate) money: Money,
    /// Tokens that the attempt has left.
    pub(crate) tokens: Arc<AtomicU64>,
    /// Provider and rule of each grant.
    pub(crate) rules: Vec<(String, String)>,
}

impl ModelPort for ModelPower {
    fn available(&self) -> Vec<String> {
        ModelAuthority::new(&self.grants).granted()
    }

    fn generate(
        &self,
        request: GenerateRequest,
    ) -> PortFuture<Result<Box<dyn Generation>, ModelFailure>> {
        let (models, desk) = (Arc::clone(&self.models), Arc::clone(&self.desk));
        let (money, tokens) = (self.money, Arc::clone(&self.tokens));
        let permit = ModelAuthority::new(&self.grants).permit(&request.model);
        let rules = self.rules.clone();
        Box::pin(async move {
            let asked = request.model.clone();
            let mut record = CallRequest {
                kind: NeedKind::Model,
                what: format!("generate with {}", cut(&asked)),
                digest: Digest::of(asked.as_bytes()),
                rule: String::new(),
                secrets: Vec::new(),
                reserve: Amount::NOTHING,
            };
            let permit = match permit {
                Ok(permit) => permit,
                Err(refusal) => {
                    let why = refusal.to_string();
                    desk.refused(record, why.clone());
                    return Err(match refusal {
                        ModelRefusal::NotAName(_) => ModelFailure::Invalid(why),
                        ModelRefusal::NotGranted { .. } => ModelFailure::NotGranted(why),
                        ModelRefusal::Approval { .. } => ModelFailure::NotApproved(why),
                    });
                }
            };
            record.rule = rules
                .iter()
                .find(|(provider, _)| provider == permit.provider())
                .map(|(_, rule)| rule.clone())
                .unwrap_or_default();
            let request = asked_for(request);
            let prepared = match models.prepare(permit, &request, money) {
                Ok(prepared) => prepared,
                Err(error) => {
                    desk.refused(record, error.to_string());
                    return Err(failure(error));
                }
            };
            let reserve = prepared.estimate();
            record.what = prepared.what();
            record.digest = prepared.digest();
            record.reserve = reserve;
            let Some(held) = Held::take(&tokens, reserve.tokens) else {
                let left = tokens.load(Ordering::Relaxed);
                let why = format!(
                    "this may take {} tokens, and the attempt has {left} left (`tokens` under [limits]); ask for fewer \
                     `max-tokens`",
                    reserve.tokens
                );
                desk.refused(record, why.clone());
                return Err(ModelFailure::Limit(why));
            };
            let call = match desk.begin(record.clone()).await {
                Ok(call) => call,
                Err(NotBegun::Refused(why)) => {
                    desk.refused(record, why.clone());
                    return Err(ModelFailure::Budget(why));
                }
                Err(NotBegun::Limit(why)) => return Err(ModelFailure::Limit(why)),
                Err(NotBegun::Host(why)) => return Err(ModelFailure::Host(why)),
            };
            match models.generate(prepared, reserve).await {
                Ok(generation) => Ok(Box::new(Live {
                    generation,
                    call: Some(call),
                    reserve,
                    held: Some(held),
                }) as Box<dyn Generation>),
                Err(failed) => {
                    held.settle(failed.cost.tokens);
                    call.end(CallEnd::Failed {
                        message: failed.error.to_string(),
                        cost: failed.cost.min(reserve),
                    })
                    .await;
                    Err(failure(failed.error))
                }
            }
        })
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
            call.end(end).await;
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
