//! Ports for tests: each says by the request's words what it does, notes that it was called, and counts what is alive.

use bytes::Bytes;
use http_body::Frame;
use http_body_util::{BodyExt as _, Full};
use sandgate_sandbox::{
    AllowedCommand, Answered, BudgetPort, ChargeFailure, CommandEnding, CommandFailure,
    CommandPort, CommandRequest, Finish, FinishedCommand, GenerateRequest, Generated, Generation,
    HttpBody, HttpFailure, HttpPort, HttpTimes, ModelFailure, ModelPort, PortFuture, Powers, Usage,
};
use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

/// All four, with one notebook.
#[derive(Clone, Default)]
pub(crate) struct Ports(Arc<Shared>);

#[derive(Default)]
struct Shared {
    calls: Mutex<Vec<String>>,
    alive: Arc<AtomicUsize>,
    spent: AtomicUsize,
}

impl Ports {
    pub(crate) fn powers(&self) -> Powers {
        Powers {
            http: Some(Arc::new(self.clone())),
            command: Some(Arc::new(self.clone())),
            model: Some(Arc::new(self.clone())),
            budget: Some(Arc::new(self.clone())),
            ..Powers::default()
        }
    }

    pub(crate) fn calls(&self) -> Vec<String> {
        self.0.calls.lock().unwrap().clone()
    }

    /// Requests, commands, generations and charges under way.
    pub(crate) fn alive(&self) -> usize {
        self.0.alive.load(Ordering::SeqCst)
    }

    /// Waits until nothing is under way; how long that took.
    pub(crate) async fn until_dead(&self) -> Duration {
        let since = std::time::Instant::now();
        while self.alive() > 0 {
            assert!(
                since.elapsed() < Duration::from_secs(5),
                "{} alive",
                self.alive()
            );
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        since.elapsed()
    }

    fn note(&self, call: String) -> Alive {
        self.0.calls.lock().unwrap().push(call);
        Alive::new(&self.0.alive)
    }
}

/// An answer that may be heard at once.
fn now<T: Send + 'static>(
    answer: impl Future<Output = T> + Send + 'static,
) -> PortFuture<Answered<T>> {
    Box::pin(async { Answered::now(answer.await) })
}

/// Counts itself.
struct Alive(Arc<AtomicUsize>);

impl Alive {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(count))
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A body of pieces that `next` gives; `None` in a piece means: wait for ever.
struct Pieces<F> {
    next: F,
    _alive: Alive,
}

impl<F: FnMut() -> Option<Option<Result<Bytes, HttpFailure>>> + Unpin> http_body::Body
    for Pieces<F>
{
    type Data = Bytes;
    type Error = HttpFailure;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HttpFailure>>> {
        match (self.next)() {
            None => Poll::Ready(None),
            Some(None) => Poll::Pending,
            Some(Some(piece)) => Poll::Ready(Some(piece.map(Frame::data))),
        }
    }
}

fn full(text: impl Into<Bytes>) -> HttpBody {
    Full::new(text.into())
        .map_err(|never| match never {})
        .boxed_unsync()
}

impl HttpPort for Ports {
    fn send(
        &self,
        request: http::Request<HttpBody>,
        times: HttpTimes,
    ) -> PortFuture<Answered<Result<http::Response<HttpBody>, HttpFailure>>> {
        let alive = self.note(format!(
            "{} {} {:?} {:?}",
            request.method(),
            request.uri(),
            request.headers().get("host"),
            times.connect
        ));
        let (parts, body) = request.into_parts();
        let path = parts.uri.path().to_owned();
        now(async move {
            let why = "why".to_owned();
            let answer = |body: HttpBody| Ok(http::Response::new(body));
            match path.as_str() {
                "/ok" => answer(full("hello")),
                "/denied" => Err(HttpFailure::Denied(why)),
                "/resolve" => Err(HttpFailure::Resolve("no address".to_owned())),
                "/connect" => Err(HttpFailure::Connect(why)),
                "/timeout" => Err(HttpFailure::Timeout(why)),
                "/large" => Err(HttpFailure::TooLarge(why)),
                "/protocol" => Err(HttpFailure::Protocol(why)),
                "/host" => Err(HttpFailure::Host("disk".to_owned())),
                "/slow" => {
                    let _alive = alive;
                    pending().await
                }
                "/stall" => {
                    let mut first = true;
                    let pieces = move || {
                        let piece = first.then(|| Ok(Bytes::from_static(b"first")));
                        first = false;
                        Some(piece)
                    };
                    answer(
                        Pieces {
                            next: pieces,
                            _alive: alive,
                        }
                        .boxed_unsync(),
                    )
                }
                "/endless" => {
                    let pieces = || Some(Some(Ok(Bytes::from(vec![b'e'; 65_536]))));
                    answer(
                        Pieces {
                            next: pieces,
                            _alive: alive,
                        }
                        .boxed_unsync(),
                    )
                }
                "/break" => {
                    let mut pieces = vec![
                        Err(HttpFailure::TooLarge(why)),
                        Ok(Bytes::from_static(b"half")),
                    ];
                    let pieces = move || pieces.pop().map(Some);
                    answer(
                        Pieces {
                            next: pieces,
                            _alive: alive,
                        }
                        .boxed_unsync(),
                    )
                }
                "/headers" => {
                    let mut response = http::Response::new(full(""));
                    for n in 0..100 {
                        let name: http::HeaderName = format!("x-{n}").parse().unwrap();
                        let value = "v".repeat(1_000).parse().unwrap();
                        response.headers_mut().insert(name, value);
                    }
                    Ok(response)
                }
                "/echo" => {
                    let bytes = body.collect().await?.to_bytes();
                    answer(full(format!("{} bytes", bytes.len())))
                }
                other => answer(full(other.to_owned())),
            }
        })
    }
}

impl CommandPort for Ports {
    fn allowed(&self) -> Vec<AllowedCommand> {
        vec![AllowedCommand {
            name: "tests".to_owned(),
            program: "cargo".to_owned(),
            args: vec!["test".to_owned()],
            approval: false,
        }]
    }

    fn run(
        &self,
        request: CommandRequest,
    ) -> PortFuture<Answered<Result<FinishedCommand, CommandFailure>>> {
        let alive = self.note(format!("command {}", request.program));
        now(async move {
            let _alive = alive;
            let mut ran = FinishedCommand {
                ending: CommandEnding::Exit(0),
                stdout: format!("{} {:?} {:?}", request.program, request.args, request.cwd).into(),
                stderr: Vec::new(),
                dropped: 1,
                took: Duration::from_millis(0),
            };
            match request.program.as_str() {
                "exit" => ran.ending = CommandEnding::Exit(3),
                "killed" => ran.ending = CommandEnding::Signal(9),
                "late" => ran.ending = CommandEnding::TimedOut(Duration::from_millis(1_500)),
                "flood" => ran.stdout = vec![b'f'; 2 << 20],
                "sleep" => pending().await,
                "not-granted" => return Err(CommandFailure::NotGranted("add it".to_owned())),
                "not-approved" => return Err(CommandFailure::NotApproved("ask".to_owned())),
                "not-contained" => {
                    return Err(CommandFailure::NotContained("no landlock".to_owned()));
                }
                "not-started" => {
                    return Err(CommandFailure::NotStarted("no such program".to_owned()));
                }
                "limit" => return Err(CommandFailure::Limit("too many".to_owned())),
                "host" => return Err(CommandFailure::Host("broken".to_owned())),
                _ => {}
            }
            Ok(ran)
        })
    }
}

/// Gives a text word by word; `stall` waits for ever after the first.
struct Words {
    left: std::collections::VecDeque<String>,
    text: String,
    stall: bool,
    given: usize,
    _alive: Alive,
}

impl Generation for Words {
    fn next(
        &mut self,
    ) -> Pin<Box<dyn Future<Output = Result<Option<String>, ModelFailure>> + Send + '_>> {
        Box::pin(async {
            if self.stall && self.given > 0 {
                pending::<()>().await;
            }
            self.given += 1;
            match self.left.pop_front() {
                Some(word) if word == "break" => {
                    Err(ModelFailure::BadAnswer("broke off".to_owned()))
                }
                word => Ok(word),
            }
        })
    }

    fn finish(
        &mut self,
    ) -> Pin<Box<dyn Future<Output = Result<Generated, ModelFailure>> + Send + '_>> {
        Box::pin(async {
            if self.stall {
                pending::<()>().await;
            }
            Ok(Generated {
                text: self.text.clone(),
                tool_calls: Vec::new(),
                finish: Finish::Stop,
                usage: Usage {
                    input_tokens: 3,
                    output_tokens: 5,
                    micros: 7,
                    estimated: false,
                },
                model: "x-1".to_owned(),
            })
        })
    }
}

impl ModelPort for Ports {
    fn available(&self) -> Vec<String> {
        vec!["local/*".to_owned(), "far/x".to_owned()]
    }

    fn generate(
        &self,
        request: GenerateRequest,
    ) -> PortFuture<Answered<Result<Box<dyn Generation>, ModelFailure>>> {
        let alive = self.note(format!(
            "generate {} {} {} {:?}",
            request.model,
            request.messages.len(),
            request.tools.len(),
            request.json_schema
        ));
        now(async move {
            let why = "why".to_owned();
            match request.model.as_str() {
                "local/not-granted" => return Err(ModelFailure::NotGranted(why)),
                "local/not-approved" => return Err(ModelFailure::NotApproved(why)),
                "local/budget" => return Err(ModelFailure::Budget(why)),
                "local/limit" => return Err(ModelFailure::Limit(why)),
                "local/invalid" => return Err(ModelFailure::Invalid(why)),
                "local/unavailable" => return Err(ModelFailure::Unavailable(why)),
                "local/bad-answer" => return Err(ModelFailure::BadAnswer(why)),
                "local/host" => return Err(ModelFailure::Host(why)),
                "local/never" => {
                    let _alive = alive;
                    return pending().await;
                }
                _ => {}
            }
            let text = request
                .messages
                .last()
                .map_or(String::new(), |m| m.text.clone());
            let words = text.split('-').map(str::to_owned).collect();
            let generation: Box<dyn Generation> = Box::new(Words {
                left: words,
                text,
                stall: request.model == "local/stall",
                given: 0,
                _alive: alive,
            });
            Ok(generation)
        })
    }
}

impl BudgetPort for Ports {
    fn remaining(&self) -> Option<u64> {
        Some(1_000 - self.0.spent.load(Ordering::SeqCst) as u64)
    }

    fn charge(&self, what: String, micros: u64) -> PortFuture<Answered<Result<(), ChargeFailure>>> {
        let alive = self.note(format!("charge {what} {micros}"));
        let shared = Arc::clone(&self.0);
        now(async move {
            let _alive = alive;
            let left = 1_000 - shared.spent.load(Ordering::SeqCst) as u64;
            match what.as_str() {
                "secret" => Err(ChargeFailure::NotApproved("ask".to_owned())),
                "host" => Err(ChargeFailure::Host("broken".to_owned())),
                "stall" => pending().await,
                _ if micros > left => Err(ChargeFailure::Over(left)),
                _ => {
                    shared
                        .spent
                        .fetch_add(usize::try_from(micros).unwrap(), Ordering::SeqCst);
                    Ok(())
                }
            }
        })
    }
}
