//! An answer in the making, pulled by whoever wants it. Nothing runs by itself: what is not pulled is not read.

use crate::{
    Finish, Generated, ModelError, Recorder, ToolCall, Usage,
    meter::{self, Bound},
    read::Reading,
    record::Call,
    schema::AnswerSchema,
    validate,
    wire::Whole,
};
use sandgate_model::Amount;
use sandgate_vault::Redactor;
use std::{fmt, sync::Arc};

/// An answer in the making. Dropping it ends it; ask [`Self::cost`] before.
pub struct Generation {
    state: State,
    bound: Bound,
    cost: Amount,
}

enum State {
    Live(Box<Live>),
    /// All of it is here, and so much of the text was not handed out yet.
    Done(Option<String>, Box<Generated>),
    Failed(ModelError),
}

/// What a live answer needs.
pub(crate) struct Live {
    pub(crate) reading: Reading,
    pub(crate) schema: Option<Arc<AnswerSchema>>,
    pub(crate) redactor: Redactor,
    pub(crate) recorder: Option<Recorder>,
    pub(crate) call: Arc<Call>,
    /// All of it, once the stream was at its end, and what it took.
    pub(crate) whole: Option<Result<(Whole, Usage), ModelError>>,
}

impl fmt::Debug for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Live(_) => "live",
            State::Done(..) => "done",
            State::Failed(_) => "failed",
        };
        f.debug_struct("Generation")
            .field("state", &state)
            .field("cost", &self.cost)
            .finish_non_exhaustive()
    }
}

impl Generation {
    pub(crate) fn live(live: Live, bound: Bound) -> Self {
        Self {
            state: State::Live(Box::new(live)),
            cost: bound.amount(),
            bound,
        }
    }

    pub(crate) fn replayed(whole: Generated, bound: Bound) -> Self {
        Self {
            cost: meter::amount(&whole.usage),
            state: State::Done(Some(whole.text.clone()), Box::new(whole)),
            bound,
        }
    }

    /// The next piece of text; `None` when the answer is whole. With a schema there is one piece, the document, after
    /// its check. Can be given up and called again.
    ///
    /// # Errors
    /// [`ModelError`]; the same one from then on.
    pub async fn next(&mut self) -> Result<Option<String>, ModelError> {
        loop {
            match &mut self.state {
                State::Failed(error) => return Err(error.clone()),
                State::Done(text, _) => return Ok(text.take().filter(|text| !text.is_empty())),
                State::Live(live) => {
                    if live.schema.is_none()
                        && let Some(piece) = live.reading.piece()
                    {
                        return Ok(Some(piece));
                    }
                    match live.reading.read().await {
                        Ok(true) => {}
                        Ok(false) => self.end().await,
                        Err(error) => self.fail(error),
                    }
                }
            }
        }
    }

    /// The whole answer; waits for the rest of it and skips pieces that nobody asked for.
    ///
    /// # Errors
    /// [`ModelError`]; the same one from then on.
    pub async fn finish(&mut self) -> Result<Generated, ModelError> {
        loop {
            if let State::Done(_, whole) = &self.state {
                return Ok(Generated::clone(whole));
            }
            self.next().await?;
        }
    }

    /// What it costs as far as anybody knows: the upper bound until the answer is whole, then what was used. Never
    /// above the estimate.
    #[must_use]
    pub fn cost(&self) -> Amount {
        self.cost
    }

    fn fail(&mut self, error: ModelError) {
        // An overloaded provider that says so before anything else has done nothing.
        if let State::Live(live) = &self.state
            && live.reading.into.said_no()
            && live.reading.into.visible() == 0
        {
            self.cost = Amount::NOTHING;
        }
        self.state = State::Failed(error);
    }

    /// The stream is at its end: settles, checks and records. Can be given up while it checks, and called again.
    async fn end(&mut self) {
        let State::Live(live) = &mut self.state else {
            return;
        };
        let reading = &mut live.reading;
        if live.whole.is_none() {
            let usage = self
                .bound
                .settle(&reading.into.claim, reading.into.visible());
            let document = live.schema.as_ref().map(|_| validate::ANSWER_TOOL);
            let whole = reading.into.whole(document);
            // Of a stream that broke off nobody knows what it cost.
            if whole.is_ok() || reading.into.ended() {
                self.cost = meter::amount(&usage);
            }
            live.whole = Some(whole.map(|whole| (whole, usage)));
        }
        let finished = match &live.whole {
            Some(Ok((whole, usage))) => live.finished(whole, *usage).await,
            Some(Err(error)) => Err(error.clone()),
            None => return,
        };
        self.state = match finished {
            Ok(generated) => {
                if let Some(recorder) = &live.recorder {
                    recorder.add(&live.call, &generated);
                }
                let text = match &live.schema {
                    Some(_) => Some(generated.text.clone()),
                    None => live.reading.rest(),
                };
                State::Done(text, Box::new(generated))
            }
            Err(error) => State::Failed(error),
        };
    }
}

impl Live {
    /// The answer as others see it: without secrets, and checked where a schema was given.
    async fn finished(&self, whole: &Whole, usage: Usage) -> Result<Generated, ModelError> {
        let clean = |text: &str| self.redactor.redact_str(text).into_owned();
        let mut text = clean(&whole.text);
        if let Some(schema) = &self.schema {
            text = match whole.finish {
                Finish::Stop => checked(schema, text).await?,
                Finish::Length => {
                    return Err(ModelError::BadAnswer(
                        "the model's answer ended at the most tokens before the document was whole; ask for more \
                         tokens"
                            .to_owned(),
                    ));
                }
                Finish::Tools | Finish::Refused => text,
            };
        }
        Ok(Generated {
            text,
            tool_calls: whole
                .tool_calls
                .iter()
                .map(|call| ToolCall {
                    id: clean(&call.id),
                    name: clean(&call.name),
                    arguments: clean(&call.arguments),
                })
                .collect(),
            finish: whole.finish,
            usage,
            model: clean(&whole.model),
        })
    }
}

/// Checking a large document against a large schema may take a second: not on a thread that others wait for.
async fn checked(schema: &Arc<AnswerSchema>, text: String) -> Result<String, ModelError> {
    let schema = Arc::clone(schema);
    tokio::task::spawn_blocking(move || schema.check(&text))
        .await
        .map_err(|_| ModelError::Host("the check of the model's answer was stopped".to_owned()))?
}
