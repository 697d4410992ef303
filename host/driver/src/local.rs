//! The executor of this machine: every job is a task of the async runtime, and component calls go to the
//! sandbox. What a job needs of the host it finds in [`Shared`]; what it needs of the run came with the job.

use crate::{
    ask,
    attempt::{self, Ran},
    clock::{Clock, millis},
    effects::Brokers,
    evaluate, gate,
    logs::RunLog,
    notice::{LogLevel, LogLine, LogSource, Notice},
    planning,
    plugins::Plugins,
    project::Project,
    room::Room,
    sessions::Sessions,
    work::{Executor, Inbox, Job, JobKey, Message, Parking},
};
use cap_std::fs::Dir;
use sandgate_engine::{Evaluated, Event, GateEnd};
use sandgate_journal::ArtifactStore;
use sandgate_model::{AttemptEnd, FailureClass, Millis, RunId};
use sandgate_sandbox::{CancelToken, Sandbox};
use sandgate_workspace::Workspaces;
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};
use tokio::sync::mpsc;

/// What every job may use.
pub(crate) struct Shared {
    pub(crate) project: Arc<Project>,
    pub(crate) root: Dir,
    pub(crate) logs: Dir,
    pub(crate) sandbox: Sandbox,
    pub(crate) plugins: Plugins,
    pub(crate) artifacts: ArtifactStore,
    pub(crate) clock: Clock,
    pub(crate) notices: mpsc::Sender<Notice>,
    pub(crate) open_logs: Mutex<BTreeMap<RunId, Arc<RunLog>>>,
    pub(crate) sessions: Sessions,
    pub(crate) workspaces: Workspaces,
    pub(crate) brokers: Brokers,
    /// The host is about to stop.
    pub(crate) stopping: AtomicBool,
}

/// A lock whose holder panicked still holds plain data that is whole: nothing here is changed in two steps.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    /// Whether the host is about to stop: what is cancelled now will be taken up again.
    pub(crate) fn stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// The project as its file is now.
    ///
    /// # Errors
    /// When the file cannot be used as it is.
    pub(crate) async fn project_now(&self) -> Result<Project, String> {
        let project = Arc::clone(&self.project);
        match tokio::task::spawn_blocking(move || project.as_it_is()).await {
            Ok(project) => project,
            Err(error) => Err(format!("the project's file could not be read: {error}")),
        }
    }

    /// The log of a run; absent when it cannot be opened, since a log must never stop the work.
    pub(crate) fn log(&self, run: RunId) -> Option<Arc<RunLog>> {
        // A rehearsal leaves nothing behind.
        if run == planning::rehearsal() {
            return None;
        }
        let mut logs = lock(&self.open_logs);
        if let Some(log) = logs.get(&run) {
            return Some(Arc::clone(log));
        }
        match RunLog::open(&self.logs, run) {
            Ok(log) => {
                let log = Arc::new(log);
                logs.insert(run, Arc::clone(&log));
                Some(log)
            }
            Err(error) => {
                tracing::warn!(%run, %error, "the log of the run cannot be opened");
                None
            }
        }
    }

    /// Hands buffered log lines to the kernel.
    pub(crate) fn flush_logs(&self) {
        for log in lock(&self.open_logs).values() {
            log.flush();
        }
    }
}

type Running = Arc<Mutex<BTreeMap<(RunId, JobKey), CancelToken>>>;

/// Runs jobs on this machine.
pub(crate) struct Local {
    shared: Arc<Shared>,
    running: Running,
}

impl Local {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            running: Arc::default(),
        }
    }
}

impl Executor for Local {
    fn start(&self, run: RunId, job: Job, inbox: Inbox) {
        let cancel = CancelToken::new();
        let key = job.key();
        lock(&self.running).insert((run, key), cancel.clone());
        let answer = Answer {
            run,
            key,
            inbox: inbox.clone(),
            running: Arc::clone(&self.running),
            start: Instant::now(),
            sent: false,
        };
        let shared = Arc::clone(&self.shared);
        tokio::spawn(async move {
            let (event, room) = perform(&shared, run, job, &cancel, &inbox, answer.start).await;
            answer.send(event, room);
        });
    }

    fn cancel(&self, run: RunId, key: JobKey) {
        if let Some(token) = lock(&self.running).get(&(run, key)) {
            token.cancel();
        }
    }

    fn finish(&self, run: RunId) {
        self.shared.sessions.close(run);
        if let Some(log) = lock(&self.shared.open_logs).remove(&run) {
            log.flush();
        }
    }

    fn stopping(&self) {
        self.shared.stopping.store(true, Ordering::Relaxed);
    }
}

async fn perform(
    shared: &Arc<Shared>,
    run: RunId,
    job: Job,
    cancel: &CancelToken,
    inbox: &Inbox,
    start: Instant,
) -> (Option<Event>, Option<Room>) {
    let event = match job {
        Job::Plan { order } => {
            let (event, room) = planning::make(shared, run, order, cancel, inbox).await;
            return (Some(event), room);
        }
        Job::Evaluate {
            task,
            plan,
            upstream,
        } => Event::TaskEvaluated {
            task,
            evaluated: evaluate::evaluate(shared, task, &plan, &upstream).await,
        },
        Job::Attempt {
            task,
            attempt,
            work,
        } => match attempt::run(shared, run, (task, attempt), *work, cancel, inbox).await {
            Ran::Suspended(stopped) => return (Some(stopped.event), stopped.room),
            Ran::Ended(end) => Event::AttemptEnded {
                task,
                attempt,
                end,
                took: millis(start.elapsed()),
            },
        },
        Job::Ask { job } => return (ask::make(shared, run, job).await, None),
        Job::Wait { job } => ask::start_wait(shared, *job).await,
        Job::Gate {
            gate,
            attempt,
            plan,
            finished,
            allowance,
            restore,
        } => {
            let caller = gate::Gate {
                gate,
                attempt,
                allowance,
                inbox,
                restore: restore.as_ref(),
            };
            match gate::run(shared, run, caller, &plan, finished, cancel).await {
                gate::Checked::Suspended(stopped) => return (Some(stopped.event), stopped.room),
                gate::Checked::Ended(end) => Event::GateEnded {
                    gate,
                    attempt,
                    end,
                    took: millis(start.elapsed()),
                },
            }
        }
    };
    (Some(event), None)
}

/// The promise that each job is answered exactly once, kept even when its task panics or is dropped.
struct Answer {
    run: RunId,
    key: JobKey,
    inbox: Inbox,
    running: Running,
    start: Instant,
    sent: bool,
}

impl Answer {
    fn send(mut self, event: Option<Event>, room: Option<Room>) {
        self.deliver(event, room);
    }

    fn deliver(&mut self, event: Option<Event>, room: Option<Room>) {
        self.sent = true;
        lock(&self.running).remove(&(self.run, self.key));
        // The loop may be gone; then nobody waits for the answer.
        drop(self.inbox.send(Message::Done {
            run: self.run,
            key: self.key,
            event,
            room: room.map(|room| Parking(Box::new(room))),
        }));
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        if self.sent {
            return;
        }
        let message =
            "the host stopped working on it without an answer; this is a fault of sandgate"
                .to_owned();
        let took: Millis = millis(self.start.elapsed());
        let event = match self.key {
            // Nobody was asked yet; the same command comes again when the run is taken over.
            JobKey::AskGate(_) => return self.deliver(None, None),
            JobKey::Plan => Event::PlannerFailed {
                planner: None,
                message,
            },
            JobKey::Evaluate(task) | JobKey::Ask(task) | JobKey::Wait(task) => {
                Event::TaskEvaluated {
                    task,
                    evaluated: Evaluated::Failed { message },
                }
            }
            JobKey::Attempt(task, attempt) => Event::AttemptEnded {
                task,
                attempt,
                end: AttemptEnd::Failed {
                    class: FailureClass::Host,
                    message,
                    permanent: false,
                },
                took,
            },
            JobKey::Gate(gate, attempt) => Event::GateEnded {
                gate,
                attempt,
                end: GateEnd::Inconclusive { message },
                took,
            },
        };
        self.deliver(Some(event), None);
    }
}

/// Takes a call's lines and progress: to the run's log, and to whoever watches.
pub(crate) struct CallSink {
    pub(crate) run: RunId,
    pub(crate) who: String,
    pub(crate) task: Option<sandgate_model::TaskId>,
    pub(crate) clock: Clock,
    pub(crate) log: Option<Arc<RunLog>>,
    pub(crate) notices: mpsc::Sender<Notice>,
}

impl CallSink {
    pub(crate) fn write(&self, level: LogLevel, source: LogSource, text: String) {
        let line = LogLine {
            at: self.clock.now(),
            who: self.who.clone(),
            level,
            source,
            text,
        };
        if let Some(log) = &self.log {
            log.write(&line);
        }
        // A watcher that is too slow misses lines; they are in the log.
        drop(self.notices.try_send(Notice::Log {
            run: self.run,
            line,
        }));
    }

    pub(crate) fn report(&self, message: String, permille: Option<u16>) {
        let Some(task) = self.task.clone() else {
            return;
        };
        drop(self.notices.try_send(Notice::Progress {
            run: self.run,
            task,
            message,
            permille,
        }));
    }
}
