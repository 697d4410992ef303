//! The process that drives a project. One at a time: it holds the journal's lock, the sandbox and the loop.

use crate::{
    clock::Clock,
    drive::{DriveError, Loop, RequestError},
    local::{Local, Shared},
    notice::Notice,
    options::HostOptions,
    planning,
    plugins::{PluginProblem, Plugins},
    predict::Prediction,
    project::Project,
    reader::{LOGS_DIR, LookError, Reader, RunRow},
    sessions::Sessions,
    setup::{self, BrokerError},
    work::Executor,
};
use cap_std::{ambient_authority, fs::Dir};
use sandgate_engine::{Allowance, Event, Run, RunState, Steps};
use sandgate_journal::{ArtifactError, ArtifactStore, OpenError, Opener, SqliteStore, Writer};
use sandgate_model::{Packet, Plan, PluginName, RunBudget, RunId, TaskIx};
use sandgate_sandbox::{Sandbox, SandboxConfig, SetupError, WorkerCommand};
use sandgate_workflow::{
    Code, Context, Diagnostic, Diagnostics, Given, RenderError, Source, Subject, Workflow,
    render_text,
};
use sandgate_workspace::{Settings, Workspaces};
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
}

/// What a person can ask of a run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Request {
    /// Dispatch the plan.
    Dispatch,
    /// Run the gates.
    Verify,
    /// End it.
    Cancel {
        /// Why.
        reason: String,
    },
    /// Try tasks again; empty: every failed and lost one.
    Retry {
        /// The tasks.
        tasks: Vec<TaskIx>,
    },
    /// Start nothing new.
    Pause,
    /// Go on after a pause.
    Resume,
}

/// Why a project cannot be driven.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// The journal cannot be opened: another process holds it, it is damaged, ...
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A run cannot be read.
    #[error(transparent)]
    Look(#[from] LookError),
    /// The artifact store cannot be opened.
    #[error(transparent)]
    Artifacts(#[from] ArtifactError),
    /// The sandbox cannot be made.
    #[error("the sandbox cannot be set up")]
    Sandbox(#[from] SetupError),
    /// The workspaces cannot be used.
    #[error("the workspaces of the project cannot be used")]
    Workspaces(#[from] sandgate_workspace::OpenError),
    /// What an earlier process left in the workspaces cannot be removed.
    #[error("what an earlier process left in the workspaces cannot be removed")]
    Sweep(#[from] sandgate_workspace::SweepError),
    /// What requests, commands and text generation need cannot be set up.
    #[error(transparent)]
    Brokers(#[from] BrokerError),
    /// A directory cannot be used.
    #[error("{} cannot be used", .0.display())]
    Io(PathBuf, #[source] io::Error),
}

/// Why a workflow was not taken.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// The workflow, its inputs or its plugins have mistakes.
    #[error("the workflow has mistakes")]
    Invalid(Diagnostics),
    /// Its goal could not be filled in.
    #[error("the goal cannot be filled in")]
    Goal(#[source] RenderError),
    /// Its text could not be stored.
    #[error("the workflow could not be stored")]
    Store(#[source] ArtifactError),
    /// It could not be recorded.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// What the project's budget has left could not be found out.
    #[error("what the budget has left cannot be found out")]
    Look(#[source] LookError),
    /// No plan can be made.
    #[error("no plan can be made: {0}")]
    Plan(String),
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
        // Whoever drove before is gone, and its attempts with it.
        workspaces.sweep(&BTreeSet::new())?;
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
        });
        let executor: Arc<dyn Executor> = Arc::new(Local::new(Arc::clone(&shared)));
        Ok(Self {
            shared,
            reader,
            turn: Loop::new(clock, writer, executor),
            shows,
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
        } = submission;
        let (workflow, inputs) = self.bound(&source, &inputs).await?;
        let goal =
            render_text(&workflow.goal.value, &Context::new(&inputs)).map_err(SubmitError::Goal)?;
        let text = source.text().as_bytes().to_vec();
        let shared = Arc::clone(&self.shared);
        let digest = tokio::task::spawn_blocking(move || shared.artifacts.put(&text))
            .await
            .map_err(|_| RequestError::Drive(DriveError::WriterGone))?
            .map_err(SubmitError::Store)?;
        let planners = workflow
            .planner
            .iter()
            .flat_map(|p| std::iter::once(&p.plugin).chain(&p.fallback))
            .map(|located| located.value.clone())
            .collect();
        let created = Event::RunCreated {
            workflow: workflow.name.clone(),
            file: source.name().to_owned(),
            source: digest,
            goal,
            inputs,
            steps,
            planners,
            budget: self.allowance(workflow.budget.as_ref())?,
        };
        let id = RunId::new(uuid::Uuid::now_v7());
        self.turn
            .create(id, created, vec![Event::PlanningStarted], show)
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

    /// What a new run may cost: the smaller of what its workflow says and what the project's budget has left. It is held
    /// for the run until that ends, so that runs beside each other never spend the same money.
    fn allowance(&self, workflow: Option<&RunBudget>) -> Result<Allowance, SubmitError> {
        let own = Allowance {
            micros: workflow.map(|b| b.limit),
            tokens: workflow.and_then(|b| b.tokens),
        };
        let Some(limit) = self.project().file().budget_micros else {
            return Ok(own);
        };
        let rows = self.reader.runs().map_err(SubmitError::Look)?;
        let held: u64 = rows
            .iter()
            .fold(0, |sum, row| sum.saturating_add(row.held_micros));
        let left = limit.saturating_sub(held);
        let of_project = Allowance {
            micros: Some(left),
            tokens: None,
        };
        Ok(own.min(of_project))
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
        let available = self.allowance(workflow.budget.as_ref())?;
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
        if self.turn.runs.contains_key(&id) {
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
        show: &mut (dyn FnMut(Notice) + Send),
    ) -> Result<(), RequestError> {
        let event = match request {
            Request::Dispatch => Event::DispatchRequested,
            Request::Verify => Event::VerifyRequested,
            Request::Cancel { reason } => Event::CancelRequested { reason },
            Request::Retry { tasks } => Event::RetryRequested { tasks },
            Request::Pause => Event::Paused,
            Request::Resume => Event::Resumed,
        };
        self.turn.request(id, event, show).await
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

/// Why a run could not be taken over.
#[derive(Debug, thiserror::Error)]
pub enum AdoptError {
    /// It cannot be read.
    #[error(transparent)]
    Look(#[from] LookError),
    /// The takeover cannot be recorded.
    #[error(transparent)]
    Request(#[from] RequestError),
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
