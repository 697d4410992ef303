//! One sandbox for all tests, as in a host, and short ways to call it.

use sandgate_model::ArtifactName;
use sandgate_sandbox::{
    AgentAnswer, ArtifactSource, Call, CancelToken, Component, Limits, LogLine, NoArtifacts,
    Outcome, Powers, Progress, ReadableArtifact, Report, Sandbox, SandboxConfig, Sink, Tape,
    TaskRequest, Turn,
};
use serde_json::{Value, json};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

/// The sandbox of the process.
pub(crate) static SANDBOX: LazyLock<Sandbox> =
    LazyLock::new(|| Sandbox::new(&SandboxConfig::default()).unwrap());

macro_rules! guests {
    ($($name:ident),*) => { $(
        /// The guest of that name, compiled once.
        pub(crate) fn $name() -> Arc<Component> {
            static LOADED: LazyLock<Arc<Component>> =
                LazyLock::new(|| SANDBOX.load(sandgate_test_guests::$name()).unwrap());
            Arc::clone(&LOADED)
        }
    )* };
}
guests!(
    noop_agent,
    file_agent,
    hostile_agent,
    hostile_planner,
    hostile_gate,
    hostile_describer,
    path_agent,
    power_agent,
    tape_agent
);

/// Keeps what it is told.
#[derive(Default)]
pub(crate) struct Kept {
    pub(crate) lines: Mutex<Vec<LogLine>>,
    pub(crate) progress: Mutex<Vec<Progress>>,
}

impl Sink for Kept {
    fn line(&self, line: LogLine) {
        self.lines.lock().unwrap().push(line);
    }
    fn progress(&self, progress: Progress) {
        self.progress.lock().unwrap().push(progress);
    }
}

impl Kept {
    pub(crate) fn texts(&self) -> Vec<String> {
        let lines = self.lines.lock().unwrap();
        lines.iter().map(|line| line.message.clone()).collect()
    }
}

/// Artifacts from memory.
pub(crate) struct Shelf(pub(crate) Vec<(&'static str, Vec<u8>)>);

impl ArtifactSource for Shelf {
    fn list(&self) -> Vec<ReadableArtifact> {
        self.0
            .iter()
            .map(|(name, bytes)| ReadableArtifact {
                name: (*name).to_owned(),
                digest: sandgate_model::Digest::of(bytes),
                size: bytes.len() as u64,
                media_type: "text/plain".to_owned(),
            })
            .collect()
    }

    fn read(&self, name: &str, offset: u64, length: u32) -> Result<Vec<u8>, String> {
        let (_, bytes) = self
            .0
            .iter()
            .find(|(found, _)| *found == name)
            .ok_or("gone")?;
        let from = bytes.len().min(usize::try_from(offset).unwrap());
        let to = bytes.len().min(from + length as usize);
        Ok(bytes.get(from..to).unwrap().to_vec())
    }
}

/// What a test wants of a call; the rest is as usual.
#[derive(Clone)]
pub(crate) struct Try {
    pub(crate) component: Arc<Component>,
    pub(crate) config: Value,
    pub(crate) limits: Limits,
    pub(crate) cancel: CancelToken,
    pub(crate) kept: Arc<Kept>,
    pub(crate) produces: Vec<ArtifactName>,
    pub(crate) shelf: Option<Arc<Shelf>>,
    pub(crate) powers: Powers,
    pub(crate) tape: Option<Tape>,
}

impl Try {
    pub(crate) fn new(component: Arc<Component>) -> Self {
        Self {
            component,
            config: Value::Null,
            limits: Limits {
                // Long enough for a busy machine; tests of deadlines set their own.
                deadline: Duration::from_secs(30),
                ..Limits::agent()
            },
            cancel: CancelToken::new(),
            kept: Arc::default(),
            produces: Vec::new(),
            shelf: None,
            powers: Powers::default(),
            tape: None,
        }
    }

    pub(crate) fn deadline(mut self, millis: u64) -> Self {
        self.limits.deadline = Duration::from_millis(millis);
        self
    }

    pub(crate) fn limits(mut self, change: impl FnOnce(&mut Limits)) -> Self {
        change(&mut self.limits);
        self
    }

    pub(crate) fn config(mut self, config: &str) -> Self {
        self.config = json!(config);
        self
    }

    pub(crate) fn produces(mut self, names: &[&str]) -> Self {
        self.produces = names
            .iter()
            .map(|name| ArtifactName::new(name).unwrap())
            .collect();
        self
    }

    pub(crate) fn turn(&self) -> Turn {
        Turn {
            limits: self.limits.clone(),
            cancel: self.cancel.clone(),
            sink: Arc::clone(&self.kept) as Arc<dyn Sink>,
            powers: self.powers.clone(),
            tape: self.tape.clone(),
        }
    }

    pub(crate) fn call(&self) -> Call {
        Call {
            component: Arc::clone(&self.component),
            files: Vec::new(),
            turn: self.turn(),
        }
    }

    pub(crate) fn task(&self, input: Value) -> TaskRequest {
        TaskRequest {
            id: "task".to_owned(),
            attempt: 3,
            idempotency_key: "key".to_owned(),
            input,
            produces: self.produces.clone(),
            artifacts: match &self.shelf {
                Some(shelf) => Arc::clone(shelf) as Arc<dyn ArtifactSource>,
                None => Arc::new(NoArtifacts),
            },
        }
    }

    pub(crate) async fn report(&self, order: &str) -> Report<AgentAnswer> {
        SANDBOX
            .run(&self.call(), &self.config, self.task(json!(order)))
            .await
    }

    pub(crate) async fn run(&self, order: &str) -> Outcome<AgentAnswer> {
        self.report(order).await.outcome
    }

    /// The output, which has to be a string.
    pub(crate) async fn text(&self, order: &str) -> String {
        text(self.run(order).await)
    }
}

/// The hostile agent, about to be told something.
pub(crate) fn hostile() -> Try {
    Try::new(hostile_agent())
}

/// The output of an outcome, which has to be a string.
pub(crate) fn text(outcome: Outcome<AgentAnswer>) -> String {
    let answer = outcome.split().unwrap();
    answer.output.as_str().unwrap().to_owned()
}

/// Reasons of a bad answer, joined.
pub(crate) fn reasons<T: std::fmt::Debug>(outcome: Outcome<T>) -> String {
    match outcome {
        Outcome::BadAnswer { reasons } => {
            assert!(!reasons.is_empty() && reasons.len() <= sandgate_sandbox::REASONS_MAX);
            reasons.join("\n")
        }
        other => panic!("not a bad answer: {other:?}"),
    }
}

/// Resident memory of this process in bytes.
pub(crate) fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: usize = statm.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096
}
