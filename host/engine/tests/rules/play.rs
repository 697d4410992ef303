//! A run that a test drives by the names of its tasks.

use sandgate_engine::{Command, Event, GateEnd, Run, RunState, Start, Steps, TaskState, TaskView};
use sandgate_model::{
    Amount, Artifact, AttemptEnd, AttemptNo, CallEnd, CallRequest, Caller, Charge, Check, Digest,
    FailureClass, GateIx, Millis, Moment, NeedKind, Payload, Plan, TaskIx, TaskOutput, Verdict,
};
use sandgate_testkit::{created, run_id};
use serde_json::json;
use std::sync::Arc;

pub(crate) const BOTH: Steps = Steps {
    dispatch: true,
    verify: true,
};

pub(crate) struct Play {
    pub(crate) run: Run,
    pub(crate) now: u64,
}

impl Play {
    /// A draft.
    pub(crate) fn draft(steps: Steps, planners: &[&str]) -> Self {
        let (run, commands) = Run::create(run_id(1), Moment(0), &created(steps, planners)).unwrap();
        assert_eq!(commands, []);
        Self { run, now: 0 }
    }

    /// A run whose plan is frozen; dispatched unless something holds it back.
    pub(crate) fn with(steps: Steps, plan: Arc<Plan>) -> (Self, Vec<Command>) {
        let mut play = Self::draft(steps, &[]);
        play.must(Event::PlanningStarted);
        let commands = play.must(frozen(plan));
        (play, commands)
    }

    pub(crate) fn of(plan: Arc<Plan>) -> Self {
        Self::with(BOTH, plan).0
    }

    pub(crate) fn must(&mut self, event: Event) -> Vec<Command> {
        self.now += 1;
        let kind = event.kind();
        let commands = self
            .run
            .step(Moment(self.now), &event)
            .unwrap_or_else(|e| panic!("{kind}: {e}"));
        // What is stored of it is the same run. Long ones would take long.
        if self.run.tasks().count() < 100 {
            let text = serde_json::to_string(&self.run.snapshot()).unwrap();
            let restored = Run::restore(serde_json::from_str(&text).unwrap()).unwrap();
            assert!(restored == self.run, "{kind}: the snapshot is another run");
        }
        commands
    }

    /// The event is refused and changes nothing; gives the reason.
    pub(crate) fn refuses(&mut self, event: Event) -> String {
        let before = self.run.clone();
        let illegal = self.run.step(Moment(self.now), &event).unwrap_err();
        assert_eq!(self.run, before, "a refused event left a trace");
        assert_eq!(
            (illegal.state, illegal.event),
            (before.state(), event.kind())
        );
        illegal.why
    }

    pub(crate) fn ix(&self, id: &str) -> TaskIx {
        self.run
            .find(&id.parse().unwrap())
            .unwrap_or_else(|| panic!("no task {id}"))
    }

    pub(crate) fn task(&self, id: &str) -> TaskView<'_> {
        self.run.task(self.ix(id)).unwrap()
    }

    pub(crate) fn state(&self, id: &str) -> TaskState {
        self.task(id).state
    }

    /// The state's word, and the reason's if there is one.
    pub(crate) fn word(&self, id: &str) -> String {
        match self.run.blocked(self.ix(id)) {
            Some(blocked) => format!("{} {}", self.state(id).as_str(), blocked.reason.code()),
            None => self.state(id).as_str().to_owned(),
        }
    }

    pub(crate) fn words(&self, ids: &[&str]) -> Vec<String> {
        ids.iter().map(|id| self.word(id)).collect()
    }

    /// Starts all that may start; gives their names.
    pub(crate) fn start(&mut self) -> Vec<String> {
        let mut started = Vec::new();
        while let Some(start) = self.run.next_start() {
            let (event, command, name) = match start {
                Start::Attempt { task, attempt } => (
                    Event::AttemptStarted { task, attempt },
                    Command::RunAttempt { task, attempt },
                    self.run.task(task).unwrap().id.to_string(),
                ),
                Start::AttemptResumed { task, attempt } => (
                    Event::AttemptResumed { task, attempt },
                    Command::RunAttempt { task, attempt },
                    format!("{} again", self.run.task(task).unwrap().id),
                ),
                Start::Gate { gate, attempt } => (
                    Event::GateStarted { gate, attempt },
                    Command::RunGate { gate, attempt },
                    self.run.plan().unwrap().gates[gate.get()].id.to_string(),
                ),
                Start::GateResumed { gate, attempt } => (
                    Event::GateResumed { gate, attempt },
                    Command::RunGate { gate, attempt },
                    format!("{} again", self.run.plan().unwrap().gates[gate.get()].id),
                ),
            };
            assert_eq!(self.must(event), [command]);
            started.push(name);
        }
        started
    }

    pub(crate) fn ended(&self, id: &str, end: AttemptEnd) -> Event {
        Event::AttemptEnded {
            task: self.ix(id),
            attempt: self.task(id).attempt,
            end,
            took: Millis(5),
        }
    }

    pub(crate) fn ok(&mut self, id: &str) -> Vec<Command> {
        let event = self.ended(id, output(&[]));
        self.must(event)
    }

    pub(crate) fn fail(&mut self, id: &str) -> Vec<Command> {
        let event = self.ended(id, failure(FailureClass::Plugin));
        self.must(event)
    }

    pub(crate) fn end(&mut self, id: &str, end: AttemptEnd) -> Vec<Command> {
        let event = self.ended(id, end);
        self.must(event)
    }

    pub(crate) fn gate(&mut self, gate: u32, end: GateEnd) -> Vec<Command> {
        let attempt = self.run.gates().nth(gate as usize).unwrap().attempt;
        self.must(Event::GateEnded {
            gate: GateIx(gate),
            attempt,
            end,
            took: Millis(7),
        })
    }

    /// The running attempt of a task, as a caller.
    pub(crate) fn by(&self, id: &str) -> Caller {
        Caller::Task {
            task: self.ix(id),
            attempt: self.task(id).attempt,
        }
    }

    /// What a caller may still reserve, in money.
    pub(crate) fn left(&self, by: Caller) -> Option<u64> {
        self.run.allowance(by).unwrap().micros
    }

    /// A call that reserves so much money begins; gives its number.
    pub(crate) fn call(&mut self, by: Caller, micros: u64) -> u32 {
        let call = self.run.next_call(by).unwrap();
        assert_eq!(self.must(starts(by, call, micros)), []);
        call
    }

    pub(crate) fn call_done(&mut self, by: Caller, call: u32, micros: u64) {
        assert_eq!(self.must(done(by, call, micros)), []);
    }

    /// An attempt makes a call that costs so much, all in one.
    pub(crate) fn spend(&mut self, id: &str, micros: u64) {
        let by = self.by(id);
        let call = self.call(by, micros);
        self.call_done(by, call, micros);
    }

    pub(crate) fn is(&self, state: RunState) {
        assert_eq!(self.run.state(), state);
    }

    pub(crate) fn cancel(&mut self) -> Vec<Command> {
        self.must(Event::CancelRequested {
            by: None,
            reason: "enough".to_owned(),
        })
    }
}

pub(crate) fn money(micros: u64) -> Amount {
    Amount { micros, tokens: 0 }
}

pub(crate) fn request(reserve: Amount) -> CallRequest {
    CallRequest {
        kind: NeedKind::Model,
        what: "generate".to_owned(),
        digest: Digest::of(b"generate"),
        rule: String::new(),
        secrets: Vec::new(),
        reserve,
        approval: false,
        consent: None,
    }
}

pub(crate) fn starts(by: Caller, call: u32, micros: u64) -> Event {
    let request = request(money(micros));
    Event::CallStarted { by, call, request }
}

pub(crate) fn done(by: Caller, call: u32, micros: u64) -> Event {
    Event::CallEnded {
        by,
        call,
        end: CallEnd::Done {
            note: "200".to_owned(),
            cost: money(micros),
        },
        took: Millis(2),
        tape: None,
    }
}

/// An output that reports these charges.
pub(crate) fn charged(charges: &[u64]) -> AttemptEnd {
    AttemptEnd::Output(TaskOutput {
        output: Payload::Inline(json!("done")),
        artifacts: Vec::new(),
        charges: charges
            .iter()
            .map(|micros| Charge {
                what: "purchase".to_owned(),
                micros: *micros,
            })
            .collect(),
    })
}

pub(crate) fn frozen(plan: Arc<Plan>) -> Event {
    Event::PlanFrozen {
        digest: Digest::of(b"plan"),
        plan,
    }
}

pub(crate) fn output(artifacts: &[&str]) -> AttemptEnd {
    AttemptEnd::Output(TaskOutput {
        output: Payload::Inline(json!("done")),
        artifacts: artifacts
            .iter()
            .map(|name| Artifact {
                name: name.parse().unwrap(),
                digest: Digest::of(name.as_bytes()),
                size: 1,
                media_type: "text/plain".to_owned(),
            })
            .collect(),
        charges: Vec::new(),
    })
}

pub(crate) fn failure(class: FailureClass) -> AttemptEnd {
    AttemptEnd::Failed {
        class,
        message: "it broke".to_owned(),
        permanent: false,
    }
}

pub(crate) fn checks(verdicts: &[Verdict]) -> GateEnd {
    GateEnd::Checks {
        checks: verdicts
            .iter()
            .map(|verdict| Check {
                name: "check".to_owned(),
                verdict: *verdict,
                message: String::new(),
                duration: None,
            })
            .collect(),
    }
}

pub(crate) fn attempt(task: TaskIx, attempt: u32) -> Event {
    Event::AttemptStarted {
        task,
        attempt: AttemptNo(attempt),
    }
}
