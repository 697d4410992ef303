//! `sandgate:plugin/model`: linked for calls with a [`crate::ModelPort`]. Bounds what a guest asks for, checks that JSON is
//! JSON, and keeps answers in the making where they die with the call. Must not know of providers, prices or keys.

use crate::answer::Reader;
use crate::bindings::sandgate::plugin::model::{
    self as wit, Finish, GenerateRequest, Generated, Host, HostGeneration, ModelError, Speaker,
    Usage, add_to_linker,
};
use crate::effect::{effect, told};
use crate::link::hint;
use crate::state::{State, Stop};
use crate::tape::{Args, Tag};
use crate::{Answered, Generation, ModelFailure, power};
use std::collections::VecDeque;
use std::future::ready;
use std::pin::Pin;
use wasmtime::component::{HasSelf, Linker, Resource, ResourceTable};

/// Most messages of a conversation. An agent with tools makes two for each step, and 500 steps are a runaway.
const MESSAGES_MAX: usize = 1_000;

/// Most tools on offer, and most tools wanted in one message.
const TOOLS_MAX: usize = 128;

/// Longest name or id, in bytes.
const NAME_MAX: usize = 256;

/// Longest document of JSON inside a request: a schema, or a tool's arguments.
const JSON_MAX: usize = 256 << 10;

/// Most values of JSON in one request: 50,000 of them are 5 MiB of the host's memory.
const VALUES_MAX: usize = 50_000;

/// Bytes of text in one request. A call cannot carry more than [`crate::Limits::crossing_bytes`] anyway; this is for
/// projects that raise that.
const TEXT_MAX: usize = 4 << 20;

/// Most answers in the making at once. Each holds a connection and what came and was not read.
const AT_ONCE: usize = 4;

pub(crate) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    add_to_linker::<State, HasSelf<State>>(linker, State::count)
}

/// An answer in the making, in the guest's hands.
#[expect(
    unreachable_pub,
    reason = "the generated bindings re-export it, inside this crate"
)]
pub struct Stream(Option<Box<dyn Generation>>);

/// Ends every answer in the making; what the guest holds says so from then on.
pub(crate) fn end_all(table: &mut ResourceTable) {
    for entry in table.iter_mut() {
        if let Some(stream) = entry.downcast_mut::<Stream>() {
            stream.0 = None;
        }
    }
}

fn running(table: &mut ResourceTable) -> usize {
    table
        .iter_mut()
        .filter(|entry| {
            entry
                .downcast_ref::<Stream>()
                .is_some_and(|s| s.0.is_some())
        })
        .count()
}

/// A request in the port's words, if it is not too large and its JSON is JSON.
fn checked(request: GenerateRequest) -> Result<power::GenerateRequest, ModelError> {
    let limit = |what: String| Err(ModelError::Limit(what));
    let calls = request.messages.iter().flat_map(|m| &m.tool_calls);
    let text: usize = request.messages.iter().map(|m| m.text.len()).sum();
    if request.messages.len() > MESSAGES_MAX {
        return limit(format!(
            "a conversation has at most {MESSAGES_MAX} messages"
        ));
    }
    if text > TEXT_MAX {
        return limit(format!(
            "a conversation has at most {TEXT_MAX} bytes of text"
        ));
    }
    if request.tools.len() > TOOLS_MAX
        || request
            .messages
            .iter()
            .any(|m| m.tool_calls.len() > TOOLS_MAX)
    {
        return limit(format!("at most {TOOLS_MAX} tools"));
    }
    let names = calls
        .flat_map(|call| [&call.id, &call.name])
        .chain(request.tools.iter().map(|tool| &tool.name))
        .chain(request.messages.iter().filter_map(|m| m.answers.as_ref()))
        .chain([&request.model]);
    for name in names {
        if name.len() > NAME_MAX {
            return limit(format!("a name or id has at most {NAME_MAX} bytes"));
        }
    }
    let reader = Reader::new(JSON_MAX, VALUES_MAX);
    let json = |what: &str, text: &str| {
        reader
            .read(text)
            .map_err(|why| ModelError::Invalid(format!("{what} is not usable JSON: {why}")))
    };
    let mut messages = Vec::with_capacity(request.messages.len());
    for message in request.messages {
        let mut tool_calls = Vec::with_capacity(message.tool_calls.len());
        for call in message.tool_calls {
            json("arguments of a tool call", &call.arguments)?;
            tool_calls.push(power::ToolCall {
                id: call.id,
                name: call.name,
                arguments: call.arguments,
            });
        }
        messages.push(power::Message {
            speaker: match message.speaker {
                Speaker::System => power::Speaker::System,
                Speaker::User => power::Speaker::User,
                Speaker::Assistant => power::Speaker::Assistant,
                Speaker::Tool => power::Speaker::Tool,
            },
            text: message.text,
            tool_calls,
            answers: message.answers,
        });
    }
    let tools = request
        .tools
        .into_iter()
        .map(|tool| {
            Ok(power::Tool {
                parameters: json("the schema of a tool", &tool.parameters)?,
                name: tool.name,
                description: tool.description,
            })
        })
        .collect::<Result<_, ModelError>>()?;
    let schema = request.json_schema.as_deref();
    Ok(power::GenerateRequest {
        model: request.model,
        messages,
        tools,
        max_tokens: request.max_tokens,
        temperature_permille: request.temperature_permille,
        json_schema: schema
            .map(|text| json("the schema of the answer", text))
            .transpose()?,
    })
}

fn failed(failure: ModelFailure) -> Result<ModelError, Stop> {
    Ok(match failure {
        ModelFailure::NotGranted(why) => ModelError::NotGranted(why),
        ModelFailure::NotApproved(why) => ModelError::NotApproved(why),
        ModelFailure::Budget(why) => ModelError::Budget(why),
        ModelFailure::Limit(why) => ModelError::Limit(why),
        ModelFailure::Invalid(why) => ModelError::Invalid(why),
        ModelFailure::Unavailable(why) => ModelError::Unavailable(why),
        ModelFailure::BadAnswer(why) => ModelError::BadAnswer(why),
        ModelFailure::Host(why) => ModelError::Host(why),
        ModelFailure::Suspended => return Err(Stop::Suspended),
    })
}

/// What a generation gave, all of it: what a call with a tape records, and gives its guest as if it came now.
struct Drained {
    pieces: VecDeque<String>,
    /// How the pieces broke off, if they did.
    broke: Option<ModelFailure>,
    whole: Option<Result<power::Generated, ModelFailure>>,
}

/// What is recorded of one.
type Recorded = (
    Vec<String>,
    Option<ModelFailure>,
    Result<power::Generated, ModelFailure>,
);

impl Drained {
    fn new((pieces, broke, whole): Recorded) -> Self {
        Self {
            pieces: pieces.into(),
            broke,
            whole: Some(whole),
        }
    }
}

/// Reads a generation to its end; its pieces as well, if somebody will want them.
async fn drain(
    mut generation: Box<dyn Generation>,
    in_pieces: bool,
) -> Result<Recorded, ModelFailure> {
    let mut pieces = Vec::new();
    if in_pieces {
        loop {
            match generation.next().await {
                Ok(Some(piece)) => pieces.push(piece),
                Ok(None) => break,
                Err(ModelFailure::Suspended) => return Err(ModelFailure::Suspended),
                Err(failure) => {
                    let over = ModelFailure::Invalid(OVER.to_owned());
                    return Ok((pieces, Some(failure), Err(over)));
                }
            }
        }
    }
    match generation.finish().await {
        Err(ModelFailure::Suspended) => Err(ModelFailure::Suspended),
        whole => Ok((pieces, None, whole)),
    }
}

impl Generation for Drained {
    fn next(
        &mut self,
    ) -> Pin<Box<dyn Future<Output = Result<Option<String>, ModelFailure>> + Send + '_>> {
        let piece = match (self.pieces.pop_front(), self.broke.take()) {
            (Some(piece), broke) => {
                self.broke = broke;
                Ok(Some(piece))
            }
            (None, Some(failure)) => Err(failure),
            (None, None) => Ok(None),
        };
        Box::pin(ready(piece))
    }

    fn finish(
        &mut self,
    ) -> Pin<Box<dyn Future<Output = Result<power::Generated, ModelFailure>> + Send + '_>> {
        let over = || Err(ModelFailure::Invalid(OVER.to_owned()));
        Box::pin(ready(self.whole.take().unwrap_or_else(over)))
    }
}

fn generated(answer: power::Generated) -> Generated {
    Generated {
        text: answer.text,
        tool_calls: answer
            .tool_calls
            .into_iter()
            .map(|call| wit::ToolCall {
                id: call.id,
                name: call.name,
                arguments: call.arguments,
            })
            .collect(),
        finish: match answer.finish {
            power::Finish::Stop => Finish::Stop,
            power::Finish::Length => Finish::Length,
            power::Finish::Tools => Finish::Tools,
            power::Finish::Refused => Finish::Refused,
        },
        usage: Usage {
            input_tokens: answer.usage.input_tokens,
            output_tokens: answer.usage.output_tokens,
            micros: answer.usage.micros,
            estimated: answer.usage.estimated,
        },
        model: answer.model,
    }
}

impl State {
    /// Begins an answer; with a tape, has all of it. `in_pieces` says whether the guest wants it piece by piece.
    async fn begin(
        &mut self,
        request: GenerateRequest,
        in_pieces: bool,
    ) -> Result<Result<Box<dyn Generation>, ModelError>, Stop> {
        let Some(port) = self.powers.model.clone() else {
            return Ok(Err(ModelError::NotGranted(hint::model())));
        };
        let request = match checked(request) {
            Ok(request) => request,
            Err(error) => return Ok(Err(error)),
        };
        self.settle_http().await?;
        self.used.generations += 1;
        let begun: Result<Box<dyn Generation>, _> = if let Some(tape) = &self.tape {
            let digest = || Args::of(&(&request, in_pieces));
            let generate = async {
                let Answered { result, then } = port.generate(request.clone()).await;
                let result = match result {
                    Ok(generation) => drain(generation, in_pieces).await,
                    Err(failure) => Err(failure),
                };
                Answered { result, then }
            };
            let drained = effect(Some(tape), Tag::Generate, digest, generate).await?;
            drained.map(|recorded| Box::new(Drained::new(recorded)) as Box<dyn Generation>)
        } else {
            told(None, port.generate(request).await).await?
        };
        match begun {
            Ok(generation) => Ok(Ok(generation)),
            Err(failure) => failed(failure).map(Err),
        }
    }

    fn stream(&mut self, stream: &Resource<Stream>) -> wasmtime::Result<&mut Stream> {
        Ok(self.table().get_mut(stream)?)
    }
}

/// What is said of a generation that gave all it had.
const OVER: &str = "this generation is over";

fn over() -> ModelError {
    ModelError::Invalid(OVER.to_owned())
}

/// An answer in the guest's words.
fn answer<T, U>(
    result: Result<T, ModelFailure>,
    say: impl FnOnce(T) -> U,
) -> wasmtime::Result<Result<U, ModelError>> {
    match result {
        Ok(value) => Ok(Ok(say(value))),
        Err(failure) => Ok(Err(failed(failure)?)),
    }
}

impl Host for State {
    fn available_models(&mut self) -> wasmtime::Result<Vec<String>> {
        self.may_go_on()?;
        let all = self.powers.model.as_ref().map(|port| port.available());
        Ok(all.unwrap_or_default())
    }

    async fn generate(
        &mut self,
        request: GenerateRequest,
    ) -> wasmtime::Result<Result<Generated, ModelError>> {
        self.may_go_on()?;
        let mut generation = match self.begin(request, false).await? {
            Ok(generation) => generation,
            Err(error) => return Ok(Err(error)),
        };
        answer(generation.finish().await, generated)
    }

    async fn generate_stream(
        &mut self,
        request: GenerateRequest,
    ) -> wasmtime::Result<Result<Resource<Stream>, ModelError>> {
        self.may_go_on()?;
        if running(self.table()) >= AT_ONCE {
            return Ok(Err(ModelError::Limit(format!(
                "at most {AT_ONCE} generations at once; finish or drop one"
            ))));
        }
        match self.begin(request, true).await? {
            Ok(generation) => Ok(Ok(self.table().push(Stream(Some(generation)))?)),
            Err(error) => Ok(Err(error)),
        }
    }
}

impl HostGeneration for State {
    async fn next(
        &mut self,
        stream: Resource<Stream>,
    ) -> wasmtime::Result<Result<Option<String>, ModelError>> {
        self.may_go_on()?;
        let stream = self.stream(&stream)?;
        let Some(generation) = &mut stream.0 else {
            return Ok(Err(over()));
        };
        let next = generation.next().await;
        if next.is_err() {
            stream.0 = None;
        }
        answer(next, |piece| piece)
    }

    async fn finish(
        &mut self,
        stream: Resource<Stream>,
    ) -> wasmtime::Result<Result<Generated, ModelError>> {
        self.may_go_on()?;
        let Some(mut generation) = self.stream(&stream)?.0.take() else {
            return Ok(Err(over()));
        };
        answer(generation.finish().await, generated)
    }

    fn drop(&mut self, stream: Resource<Stream>) -> wasmtime::Result<()> {
        self.table().delete(stream)?;
        Ok(())
    }
}
