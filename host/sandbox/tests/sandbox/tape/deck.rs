//! Ports for calls that are suspended and made again: they note what they are asked, once each, and say at chosen effects that
//! a person has to decide, or let the process end after the answer is durable.

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use sandgate_sandbox::{
    AllowedCommand, Answered, BudgetPort, ChargeFailure, CommandEnding, CommandFailure,
    CommandPort, CommandRequest, Completion, Finish, FinishedCommand, GenerateRequest, Generated,
    Generation, HttpBody, HttpFailure, HttpPort, HttpTimes, ModelFailure, ModelPort, PersonAsk,
    PortFuture, Powers, QuestionFailure, QuestionPort, Usage,
};
use std::collections::{BTreeSet, VecDeque};
use std::future::{Future, ready};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// All five ports, and what a journal would keep.
#[derive(Clone, Default)]
pub(crate) struct Deck(Arc<Table>);

#[derive(Default)]
struct Table {
    done: Mutex<Vec<String>>,
    waits: Mutex<BTreeSet<usize>>,
    crashes: Mutex<BTreeSet<usize>>,
    segments: Mutex<Vec<Vec<u8>>>,
}

/// What a process says that ends.
pub(crate) const CRASH: &str = "the process ended";

struct Keep {
    table: Arc<Table>,
    crash: bool,
}

impl Completion for Keep {
    fn done(self: Box<Self>, tape: Option<Vec<u8>>) -> PortFuture<Result<(), String>> {
        if let Some(tape) = tape {
            self.table.segments.lock().unwrap().push(tape);
        }
        let told = if self.crash {
            Err(CRASH.to_owned())
        } else {
            Ok(())
        };
        Box::pin(ready(told))
    }
}

impl Deck {
    /// One that wants a person at these effects, and ends at those.
    pub(crate) fn new(
        waits: impl IntoIterator<Item = usize>,
        crashes: impl IntoIterator<Item = usize>,
    ) -> Self {
        let deck = Self::default();
        deck.0.waits.lock().unwrap().extend(waits);
        deck.0.crashes.lock().unwrap().extend(crashes);
        deck
    }

    pub(crate) fn powers(&self) -> Powers {
        Powers {
            http: Some(Arc::new(self.clone())),
            command: Some(Arc::new(self.clone())),
            model: Some(Arc::new(self.clone())),
            budget: Some(Arc::new(self.clone())),
            question: Some(Arc::new(self.clone())),
            ..Powers::default()
        }
    }

    /// What was done, in its order.
    pub(crate) fn done(&self) -> Vec<String> {
        self.0.done.lock().unwrap().clone()
    }

    pub(crate) fn segments(&self) -> Vec<Vec<u8>> {
        self.0.segments.lock().unwrap().clone()
    }

    pub(crate) fn keep(&self, segment: Vec<u8>) {
        self.0.segments.lock().unwrap().push(segment);
    }

    /// Does something, unless a person has to decide first.
    fn effect<T, F>(&self, what: String, waits: F, answer: T) -> Answered<Result<T, F>> {
        let mut done = self.0.done.lock().unwrap();
        let number = done.len();
        if self.0.waits.lock().unwrap().remove(&number) {
            return Answered::now(Err(waits));
        }
        done.push(what);
        let crash = self.0.crashes.lock().unwrap().remove(&number);
        let table = Arc::clone(&self.0);
        Answered::after(Ok(answer), Keep { table, crash })
    }
}

fn now<T: Send + 'static>(answer: T) -> PortFuture<T> {
    Box::pin(async {
        // As a real one: not at once.
        tokio::task::yield_now().await;
        answer
    })
}

impl HttpPort for Deck {
    fn send(
        &self,
        request: http::Request<HttpBody>,
        _times: HttpTimes,
    ) -> PortFuture<Answered<Result<http::Response<HttpBody>, HttpFailure>>> {
        let deck = self.clone();
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let bytes = body.collect().await.unwrap().to_bytes();
            let what = format!("{} {} {}", parts.method, parts.uri.path(), bytes.len());
            let body = Full::new(Bytes::from(what.repeat(20)))
                .map_err(|never| match never {})
                .boxed_unsync();
            let mut response = http::Response::new(body);
            response
                .headers_mut()
                .append("x-seen", what.parse().unwrap());
            deck.effect(what, HttpFailure::Suspended, response)
        })
    }
}

impl CommandPort for Deck {
    fn allowed(&self) -> Vec<AllowedCommand> {
        Vec::new()
    }

    fn run(
        &self,
        request: CommandRequest,
    ) -> PortFuture<Answered<Result<FinishedCommand, CommandFailure>>> {
        let what = request.args.join(" ");
        let ran = FinishedCommand {
            ending: CommandEnding::Exit(3),
            stdout: format!("ran {what}").into(),
            stderr: vec![0xff; 10],
            dropped: 7,
            took: Duration::from_micros(1_500),
        };
        now(self.effect(what, CommandFailure::Suspended, ran))
    }
}

struct Pieces(VecDeque<String>);

impl Generation for Pieces {
    fn next(
        &mut self,
    ) -> Pin<Box<dyn Future<Output = Result<Option<String>, ModelFailure>> + Send + '_>> {
        Box::pin(ready(Ok(self.0.pop_front())))
    }

    fn finish(
        &mut self,
    ) -> Pin<Box<dyn Future<Output = Result<Generated, ModelFailure>> + Send + '_>> {
        Box::pin(ready(Ok(Generated {
            text: "whole".to_owned(),
            tool_calls: Vec::new(),
            finish: Finish::Length,
            usage: Usage {
                input_tokens: 1,
                output_tokens: 2,
                micros: 3,
                estimated: true,
            },
            model: "x-1".to_owned(),
        })))
    }
}

impl ModelPort for Deck {
    fn available(&self) -> Vec<String> {
        Vec::new()
    }

    fn generate(
        &self,
        request: GenerateRequest,
    ) -> PortFuture<Answered<Result<Box<dyn Generation>, ModelFailure>>> {
        let what = request.messages.last().unwrap().text.clone();
        let pieces = what.split('-').map(str::to_owned).collect();
        let generation: Box<dyn Generation> = Box::new(Pieces(pieces));
        now(self.effect(what, ModelFailure::Suspended, generation))
    }
}

impl BudgetPort for Deck {
    fn remaining(&self) -> Option<u64> {
        Some(1_000 - self.0.done.lock().unwrap().len() as u64)
    }

    fn charge(
        &self,
        what: String,
        _micros: u64,
    ) -> PortFuture<Answered<Result<(), ChargeFailure>>> {
        now(self.effect(what, ChargeFailure::Suspended, ()))
    }
}

impl QuestionPort for Deck {
    fn ask(&self, question: PersonAsk) -> PortFuture<Answered<Result<String, QuestionFailure>>> {
        let answer = question
            .choices
            .get(question.text.len() % 2)
            .unwrap()
            .clone();
        now(self.effect(question.text, QuestionFailure::Suspended, answer))
    }
}
