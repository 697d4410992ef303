//! The process that drives a project. One at a time: it holds the journal's lock, the sandbox and the loop.

use crate::{
    clock::Clock,
    control::{Control, Done, Listening, Speaker, WishError, allowance, created},
    drive::Loop,
    errors::{AdoptError, DriveError, HostError, RequestError, SubmitError},
    local::{Local, Shared},
    notice::Notice,
    options::HostOptions,
    planning,
    plugins::{PluginProblem, Plugins},
    predict::Prediction,
    project::Project,
    reader::{LOGS_DIR, LookError, Reader, RunRow},
    sessions::Sessions,
    setup,
    work::{Executor, Prepared},
};
use cap_std::{ambient_authority, fs::Dir};
use sandgate_engine::{Event, Run, RunState, Steps};
use sandgate_journal::{ArtifactStore, Opener, SqliteStore, Writer};
use sandgate_model::{Caller, Channel, Packet, Plan, PluginName, RunId, TaskIx};
use sandgate_sandbox::{Sandbox, SandboxConfig, SetupError, WorkerCommand};
use sandgate_workflow::{Code, Diagnostic, Diagnostics, Given, Source, Subject, Workflow};
use sandgate_workspace::{AttemptKey, Settings, Workspaces};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::PathBuf,
    sync::{Arc, Mutex},
};
use tokio::sync::{mpsc, watch};

/// Notices that wait to be shown. When a watcher is slower than that, log lines are not shown; they are stored.
const NOTICES: usize = 4096;

/// A workflow to run.
#[derive(Clone, Debug)]
pub struct Submission {
    /// The workflow.
    pub source: Arc<Source>,
    /// Inputs as typed; parsed to the declared types.
    pub inputs: BTreeMap<String, String>,
    /// How far to go alone.
    pub steps: Steps,
    /// Who asks for it.
    pub by: Speaker,
}

/// What a person can ask of a run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Request {
    /// Dispatch the plan.
    Dispatch,
    /// Run the gates.
    Verify,
    /// End it, or these tasks.
    Cancel {
        /// Tasks; empty: the run.
        tasks: Vec<TaskIx>,
        /// Why.
        reason: String,
    },
    /// Try tasks again; empty: every failed and lost one.
    Retry {
        /// The tasks.
        tasks: Vec<TaskIx>,
    },
    /// Start nothing new.
    Pause {
        /// Tasks; empty: the run.
        tasks: Vec<TaskIx>,
    },
    /// Go on after a pause.
    Resume {
        /// Tasks; empty: the run.
        tasks: Vec<TaskIx>,
    },
}

/// What a run would do.
#[derive(Clone, Debug)]
pub struct DryRun {
    /// The plan it would have.
    pub plan: Plan,
    /// What the plan will ask for.
    pub prediction: Prediction,
    /// A planner that was not asked, since it would have done more than compute.
    pub unasked: Option<PluginName>,
}

/// A workflow with what was found out about it.
pub struct Checked {
    /// The workflow; absent when it has errors.
    pub workflow: Option<Workflow>,
    /// Everything found, warnings included.
    pub diagnostics: Diagnostics,
    /// Plugins that cannot be used.
    pub problems: Vec<PluginProblem>,
}

/// Checks a workflow of a project, plugins included. Needs no journal, so it works beside a driving host.
pub async fn check(project: &Project, plugins: &Plugins, source: &Arc<Source>) -> Checked {
    let (first, diagnostics) = sandgate_workflow::check(source, project.file(), None);
    let Some(first) = first.filter(|_| !diagnostics.has_errors()) else {
        return Checked {
            workflow: None,
            diagnostics,
            problems: Vec::new(),
        };
    };
    let (catalog, problems) = plugins.catalog(&plugins.wanted(&first)).await;
    let (workflow, mut diagnostics) =
        sandgate_workflow::check(source, project.file(), Some(&catalog));
    for problem in &problems {
        diagnostics.push(unusable(project, problem));
    }
    let workflow = workflow.filter(|_| !diagnostics.has_errors());
    Checked {
        workflow,
        diagnostics,
        problems,
    }
}

/// Makes a sandbox as a host does, for callers that only look at components.
///
/// # Errors
/// When the sandbox cannot be made.
pub fn sandbox(options: &HostOptions) -> Result<Sandbox, SetupError> {
    let compile_worker = options.launcher.as_ref().map(|program| WorkerCommand {
        program: program.clone(),
        args: options.compile_args.clone(),
    });
    Sandbox::new(&SandboxConfig {
        cache_dir: options.cache_dir.clone(),
        compile_worker,
        ..SandboxConfig::default()
    })
}

/// The driving process of a project.
pub struct Host {
    /// First, so that its file is gone before the journal is free for another process.
    _listening: Listening,
    shared: Arc<Shared>,
    reader: Reader,
    turn: Loop,
    shows: mpsc::Receiver<Notice>,
}

impl Host {
    /// Opens the project for driving. Takes the journal's lock; creates the state directory when there is none.
    ///
    /// # Errors
    /// When another process drives the project, the state is damaged, or the sandbox cannot be made.
    pub fn open(project: Arc<Project>, options: &HostOptions) -> Result<Self, HostError> {
        let clock = Clock::start();
        let state_dir = project.state_dir();
        let opener = Opener {
            command: options.command.clone(),
            at: clock.now(),
        };
        let store = SqliteStore::open(&state_dir, &opener)?;
        let artifacts = ArtifactStore::open(&state_dir)?;
        let io = |path: PathBuf| move |error| HostError::Io(path, error);
        let writer = Writer::start(Box::new(store)).map_err(io(state_dir.clone()))?;
        let reader = Reader::open(&project)?;
        let root = project.root().map_err(io(project.dir().to_owned()))?;
        let logs = open_logs(&state_dir).map_err(io(state_dir.join(LOGS_DIR)))?;
        let sandbox = sandbox(options)?;
        let workspaces = Workspaces::open(Settings::new(project.dir(), &state_dir))?;
        // Whoever drove before is gone, and its attempts with it; those that will be taken up again keep their place.
        workspaces.sweep(&kept(&reader, &state_dir)?)?;
        let signals = reader.signals()?;
        let brokers = setup::brokers(&project, &state_dir, options)?;
        let (notices, shows) = mpsc::channel(NOTICES);
        let shared = Arc::new(Shared {
            plugins: Plugins::new(Arc::clone(&project), sandbox.clone()),
            project,
            root,
            logs,
            sandbox,
            artifacts,
            clock,
            notices,
            open_logs: Mutex::default(),
            sessions: Sessions::default(),
            workspaces,
            brokers,
            stopping: std::sync::atomic::AtomicBool::new(false),
        });
        let executor: Arc<dyn Executor> = Arc::new(Local::new(Arc::clone(&shared)));
        let state = (Arc::clone(&shared.project), Reader::open(&shared.project)?);
        let turn = Loop::new(clock, writer, executor, state, signals);
        let socket = state_dir.join(crate::control::SOCKET);
        let listening = Listening::open(&shared, &turn.inbox()).map_err(io(socket))?;
        Ok(Self {
            shared,
            reader,
            turn,
            shows,
            _listening: listening,
        })
    }

    /// The answers of models so far, as a document to be replayed; absent unless [`crate::ModelSource::Record`] was asked for.
    #[must_use]
    pub fn recording(&self) -> Option<String> {
        self.shared
            .brokers
            .recorder
            .as_ref()
            .map(sandgate_llm::Recorder::document)
    }

    /// A way to this process's loop, for somebody who speaks at its own prompt.
    #[must_use]
    pub fn control(&self, speaker: Speaker) -> Control {
        Control {
            shared: Arc::clone(&self.shared),
            inbox: self.turn.inbox(),
            speaker,
            channel: Channel::Prompt,
        }
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Records one wish and performs nothing.
    pub(crate) async fn record(
        &mut self,
        prepared: Prepared,
        show: &mut (dyn FnMut(Notice) + Send),
    ) -> Result<Result<Done, WishError>, DriveError> {
        let (reply, answer) = tokio::sync::oneshot::channel();
        self.turn.record(prepared, reply, show).await?;
        answer.await.map_err(|_| DriveError::WriterGone)
    }

    /// The project.
    #[must_use]
    pub fn project(&self) -> &Project {
        &self.shared.project
    }

    /// The project's plugins.
    #[must_use]
    pub fn plugins(&self) -> &Plugins {
        &self.shared.plugins
    }

    /// The reading half.
    #[must_use]
    pub fn reader(&self) -> &Reader {
        &self.reader
    }

    /// Takes a workflow in as a new run: checked, its inputs bound, recorded. Nothing of it runs before
    /// [`Host::drive`].
    ///
    /// # Errors
    /// All mistakes of the workflow at once; then there is no run.
    pub async fn submit(
        &mut self,
        submission: Submission,
        show: &mut (dyn FnMut(Notice) + Send),
    ) -> Result<RunId, SubmitError> {
        let Submission {
            source,
            inputs,
            steps,
            by,
        } = submission;
        // Mistakes are told with their places, which a wish cannot carry.
        self.bound(&source, &inputs).await?;
        let by = by.actor(self.project().file(), Channel::Cli)?;
        let first = created(&self.shared, &source, &inputs, steps, by).await?;
        let id = RunId::new(uuid::Uuid::now_v7());
        self.turn
            .create(id, first, vec![Event::PlanningStarted], show)
            .await?;
        Ok(id)
    }

    /// The inspection packet that a planner of this workflow would be shown.
    ///
    /// # Errors
    /// All mistakes of the workflow at once.
    pub async fn inspect(
        &self,
        source: &Arc<Source>,
        inputs: &BTreeMap<String, String>,
    ) -> Result<Packet, SubmitError> {
        let (workflow, inputs) = self.bound(source, inputs).await?;
        let (catalog, _) = self
            .plugins()
            .catalog(&self.plugins().wanted(&workflow))
            .await;
        Ok(planning::inspect(&self.shared, &workflow, &catalog, inputs))
    }

    /// Predicts a run without recording anything. A planner is asked only when it can do nothing but compute; otherwise the
    /// written tasks alone are looked at, and the answer says so.
    ///
    /// # Errors
    /// All mistakes of the workflow at once; what keeps a plan from being made.
    pub async fn dry_run(
        &self,
        source: &Arc<Source>,
        inputs: &BTreeMap<String, String>,
    ) -> Result<DryRun, SubmitError> {
        let (workflow, inputs) = self.bound(source, inputs).await?;
        let available =
            allowance(&self.shared, workflow.budget.as_ref()).map_err(SubmitError::Look)?;
        let (plan, unasked) = planning::rehearse(&self.shared, &workflow, inputs)
            .await
            .map_err(SubmitError::Plan)?;
        let digest = plan.digest().ok();
        let needs_commands = plan
            .tasks
            .iter()
            .map(|t| &t.grants)
            .chain(plan.gates.iter().map(|g| &g.grants))
            .any(|grants| !grants.exec.is_empty());
        let contained = match needs_commands {
            true => self.contained().await,
            false => Ok(()),
        };
        let prediction = Prediction::of(&plan, digest, self.project(), available, contained);
        Ok(DryRun {
            plan,
            prediction,
            unasked,
        })
    }

    /// What was to be expected of a run, from its plan. `None`: it has none yet.
    pub async fn predicted(&self, id: RunId) -> Option<Prediction> {
        let run = self.run(id)?;
        let plan = Arc::clone(run.plan()?);
        let (digest, limit) = (run.digest(), run.limit());
        let needs_commands = plan.tasks.iter().any(|t| !t.grants.exec.is_empty());
        let contained = match needs_commands {
            true => self.contained().await,
            false => Ok(()),
        };
        Some(Prediction::of(
            &plan,
            digest,
            self.project(),
            limit,
            contained,
        ))
    }

    /// Whether commands can be contained on this machine.
    async fn contained(&self) -> Result<(), String> {
        let runner = self.shared.brokers.runner.clone();
        match tokio::task::spawn_blocking(move || runner.containment().sufficient()).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(why)) => Err(why),
            Err(error) => Err(format!("it could not be found out: {error}")),
        }
    }

    async fn bound(
        &self,
        source: &Arc<Source>,
        inputs: &BTreeMap<String, String>,
    ) -> Result<(Workflow, BTreeMap<String, Value>), SubmitError> {
        let checked = check(&self.shared.project, &self.shared.plugins, source).await;
        let Some(workflow) = checked.workflow else {
            return Err(SubmitError::Invalid(checked.diagnostics));
        };
        let given = inputs
            .iter()
            .map(|(k, v)| (k.clone(), Given::Text(v.clone())))
            .collect();
        let inputs = workflow.bind_inputs(&given).map_err(SubmitError::Invalid)?;
        Ok((workflow, inputs))
    }

    /// Runs of the project that have not ended, the oldest first.
    ///
    /// # Errors
    /// When a run cannot be read.
    pub fn unfinished(&self) -> Result<Vec<RunRow>, LookError> {
        Ok(self
            .reader
            .runs()?
            .into_iter()
            .filter(|row| !row.state.ended())
            .collect())
    }

    /// Takes over a run that an earlier process left, or looks again at one that ended. What ran then does not run
    /// any more: that is recorded first.
    ///
    /// # Errors
    /// When the run cannot be read or the takeover cannot be recorded.
    pub async fn adopt(
        &mut self,
        id: RunId,
        show: &mut (dyn FnMut(Notice) + Send),
    ) -> Result<(), AdoptError> {
        if self.turn.runs.get(&id).is_some_and(|a| !a.passive) {
            return Ok(());
        }
        let run = self.reader.run(id)?;
        let begun = run.state() != RunState::Draft;
        let ended = run.state().ended();
        self.turn.take(run);
        if !ended {
            let event = if begun {
                Event::HostStarted
            } else {
                Event::PlanningStarted
            };
            self.turn.request(id, event, show).await?;
        }
        Ok(())
    }

    /// Records something that a person asked of an adopted run.
    ///
    /// # Errors
    /// When the run's state does not allow it, or it cannot be recorded.
    pub async fn request(
        &mut self,
        id: RunId,
        request: Request,
        speaker: &Speaker,
        show: &mut (dyn FnMut(Notice) + Send),
    ) -> Result<(), RequestError> {
        let by = speaker
            .actor(self.project().file(), Channel::Cli)
            .map_err(|error| RequestError::Unknown(error.to_string()))?;
        let some = Some(by.clone());
        let of_task = |event: &dyn Fn(TaskIx) -> Event, tasks: &[TaskIx]| {
            tasks.iter().map(|task| event(*task)).collect::<Vec<_>>()
        };
        let events = match request {
            Request::Dispatch => vec![Event::DispatchRequested],
            Request::Verify => vec![Event::VerifyRequested],
            Request::Retry { tasks } => vec![Event::RetryRequested { tasks, by: some }],
            Request::Cancel { tasks, reason } if tasks.is_empty() => {
                vec![Event::CancelRequested { reason, by: some }]
            }
            Request::Cancel { tasks, reason } => of_task(
                &|task| Event::TaskCancelRequested {
                    task,
                    by: by.clone(),
                    reason: reason.clone(),
                },
                &tasks,
            ),
            Request::Pause { tasks } if tasks.is_empty() => vec![Event::Paused { by: some }],
            Request::Pause { tasks } => of_task(
                &|task| Event::TaskPaused {
                    task,
                    by: by.clone(),
                },
                &tasks,
            ),
            Request::Resume { tasks } if tasks.is_empty() => vec![Event::Resumed { by: some }],
            Request::Resume { tasks } => of_task(
                &|task| Event::TaskResumed {
                    task,
                    by: by.clone(),
                },
                &tasks,
            ),
        };
        for event in events {
            self.turn.request(id, event, show).await?;
        }
        Ok(())
    }

    /// From now on [`Host::drive`] also goes on while `stay` is true, although everything waits: somebody is being asked at
    /// this process's terminal, and what others decide meanwhile has to be heard.
    pub fn stay(&mut self, stay: watch::Receiver<bool>) {
        self.turn.stay = Some(stay);
    }

    /// Drives the runs at hand until each has ended or waits for somebody; with `wait`, until each has ended.
    /// When `stop` becomes true everything is taken down cleanly and the runs stay resumable.
    ///
    /// # Errors
    /// When the journal cannot be written; nothing that was acknowledged is lost.
    pub async fn drive(
        &mut self,
        wait: bool,
        stop: watch::Receiver<bool>,
        show: &mut (dyn FnMut(Notice) + Send),
    ) -> Result<(), DriveError> {
        let result = self.turn.drive(wait, stop, &mut self.shows, show).await;
        self.shared.flush_logs();
        if result.is_ok() {
            self.turn.keep_rows();
        }
        result
    }

    /// A run at hand.
    #[must_use]
    pub fn run(&self, id: RunId) -> Option<&Run> {
        self.turn.runs.get(&id).map(|active| &active.run)
    }
}

/// The places of attempts that will be taken up again. Runs are read only when there are places at all.
fn kept(reader: &Reader, state_dir: &std::path::Path) -> Result<BTreeSet<AttemptKey>, LookError> {
    let mut keys = BTreeSet::new();
    let place = state_dir.join("workspaces");
    let empty = std::fs::read_dir(&place).map_or(true, |mut entries| entries.next().is_none());
    if empty {
        return Ok(keys);
    }
    for row in reader.runs()?.iter().filter(|row| !row.state.ended()) {
        let run = reader.run(row.run)?;
        let tasks = run.tasks().map(|t| Caller::Task {
            task: t.ix,
            attempt: t.attempt,
        });
        let gates = run.gates().map(|g| Caller::Gate {
            gate: g.ix,
            attempt: g.attempt,
        });
        for by in tasks.chain(gates).chain([Caller::Planner]) {
            // With nothing on its tape it begins anew, and with new directories.
            if run.restore_of(by).is_some_and(|r| !r.tape.is_empty()) {
                keys.insert(crate::call::room_key(row.run, by));
            }
        }
    }
    Ok(keys)
}

fn open_logs(state_dir: &std::path::Path) -> io::Result<Dir> {
    let state = Dir::open_ambient_dir(state_dir, ambient_authority())?;
    match state.create_dir(LOGS_DIR) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
    }
    state.open_dir(LOGS_DIR)
}

/// A plugin that cannot be loaded, as a mistake in the project's file where it has a place there.
#[must_use]
pub fn unusable(project: &Project, problem: &PluginProblem) -> Diagnostic {
    let file = project.file();
    let located = file
        .plugins
        .iter()
        .find(|(name, _)| name.as_str() == problem.name);
    let message = format!(
        "plugin `{}` cannot be used: {}",
        problem.name, problem.message
    );
    match located {
        Some((_, located)) => Diagnostic::new(
            Code::PLUGIN_NOT_LOADED,
            message,
            file.source(),
            located.span,
        ),
        None => {
            let subject = Subject {
                kind: "plugin",
                name: problem.name.clone(),
                field: "",
            };
            Diagnostic::about(Code::PLUGIN_NOT_LOADED, message, subject)
        }
    }
}
