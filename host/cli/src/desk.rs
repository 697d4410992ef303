//! Driving runs from the command line: the host, whoever watches, and Ctrl-C. Every command that changes something goes
//! through here; what it changes is the driver's business.

use crate::{
    context::{Context, look_error},
    diagnostics,
    error::CliError,
    exit::{self, Exit},
    progress::Progress,
    ui::{Esc, Ui},
    view::{summary, words},
};
use sandgate_driver::{
    AdoptError, Host, HostError, HostOptions, Notice, Project, Request, RequestError, Submission,
    SubmitError,
};
use sandgate_engine::{ExecutionSummary, Illegal, Run};
use sandgate_journal::OpenError;
use sandgate_model::RunId;
use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, AtomicU8, Ordering},
};
use tokio::sync::watch;

/// Waits told beside the summary, which has all of them.
const WAITS_MAX: usize = 5;

/// A host at work for this command.
pub(crate) struct Desk {
    /// The host.
    pub(crate) host: Host,
    watcher: Arc<Watcher>,
    stop: watch::Receiver<bool>,
}

/// What the loop and the signals share.
struct Watcher {
    progress: Mutex<Option<Progress>>,
    /// Exit code of the signal that came; 0: none.
    signal: AtomicU8,
    /// A run is no longer driven because an invariant broke.
    fault: AtomicBool,
}

impl Watcher {
    fn progress(&self) -> MutexGuard<'_, Option<Progress>> {
        // Only drawing happens under the lock; a panic there must not end the run.
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn show(&self, notice: &Notice) {
        if matches!(notice, Notice::Fault { .. }) {
            self.fault.store(true, Ordering::Relaxed);
        }
        if let Some(progress) = self.progress().as_mut() {
            progress.notice(notice);
        }
    }
}

impl Desk {
    /// Opens the project for driving and listens for signals.
    ///
    /// # Errors
    /// When another process drives it, or its state cannot be used.
    pub(crate) fn open(ctx: &Context, project: Arc<Project>) -> Result<Self, CliError> {
        Self::with(ctx, project, &ctx.host_options())
    }

    /// The same, with other options.
    ///
    /// # Errors
    /// As [`Desk::open`].
    pub(crate) fn with(
        ctx: &Context,
        project: Arc<Project>,
        options: &HostOptions,
    ) -> Result<Self, CliError> {
        let host = Host::open(project, options).map_err(|e| host_error(&e, ctx))?;
        let watcher = Arc::new(Watcher {
            progress: Mutex::new(Some(Progress::new(&ctx.ui))),
            signal: AtomicU8::new(0),
            fault: AtomicBool::new(false),
        });
        let (sender, stop) = watch::channel(false);
        let quiet = ctx.ui.quiet;
        let json = ctx.ui.json();
        listen(Arc::clone(&watcher), sender, quiet, json)
            .map_err(|e| CliError::host("cannot listen for signals").caused_by(&e))?;
        Ok(Self {
            host,
            watcher,
            stop,
        })
    }

    fn show(watcher: &Watcher) -> impl FnMut(Notice) + Send + '_ {
        |notice| watcher.show(&notice)
    }

    /// Says something of the host's own.
    pub(crate) fn note(&self, ui: &Ui, text: &str) {
        match self.watcher.progress().as_ref() {
            Some(progress) => progress.note(ui, text),
            None => ui.note(text),
        }
    }

    /// Takes a workflow in as a new run.
    ///
    /// # Errors
    /// All its mistakes.
    pub(crate) async fn submit(
        &mut self,
        ui: &Ui,
        submission: Submission,
    ) -> Result<RunId, CliError> {
        let watcher = Arc::clone(&self.watcher);
        let result = self
            .host
            .submit(submission, &mut Self::show(&watcher))
            .await;
        result.map_err(|e| self.clear(submit_error(ui, e)))
    }

    /// Takes a run over.
    ///
    /// # Errors
    /// When it cannot be read or recorded.
    pub(crate) async fn adopt(&mut self, id: RunId) -> Result<(), CliError> {
        let run = self
            .host
            .reader()
            .run(id)
            .map_err(|e| self.clear(look_error(&e)))?;
        if let Some(progress) = self.watcher.progress().as_mut() {
            progress.know(run);
        }
        let watcher = Arc::clone(&self.watcher);
        let result = self.host.adopt(id, &mut Self::show(&watcher)).await;
        result.map_err(|e| {
            self.clear(match e {
                AdoptError::Look(e) => look_error(&e),
                AdoptError::Request(e) => request_error(&e),
            })
        })
    }

    /// Records what a person asked of a run.
    ///
    /// # Errors
    /// When the run's state does not allow it.
    pub(crate) async fn request(&mut self, id: RunId, request: Request) -> Result<(), CliError> {
        let watcher = Arc::clone(&self.watcher);
        let what = asked(&request);
        let result = self
            .host
            .request(id, request, &mut Self::show(&watcher))
            .await;
        result.map_err(|e| {
            self.clear(match &e {
                RequestError::Illegal(illegal) => impossible(id, what, illegal),
                _ => request_error(&e),
            })
        })
    }

    /// Drives everything at hand until it ended or waits, or a signal came.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub(crate) async fn drive(&mut self, wait: bool) -> Result<(), CliError> {
        let watcher = Arc::clone(&self.watcher);
        let result = self
            .host
            .drive(wait, self.stop.clone(), &mut Self::show(&watcher))
            .await;
        result.map_err(|e| {
            self.clear(CliError::host(e.to_string()).below(&e).hint(
                "what was recorded is safe; when the cause is gone, go on with `sandgate resume`",
            ))
        })
    }

    fn clear(&self, error: CliError) -> CliError {
        self.finish();
        error
    }

    /// An error beside the host: the display ends, and the error goes on.
    pub(crate) fn failed(&self, error: CliError) -> CliError {
        self.clear(error)
    }

    /// Tells where a run went otherwise than a dry run would have said.
    pub(crate) async fn compare(&self, ui: &Ui, id: RunId) {
        let Some(prediction) = self.host.predicted(id).await else {
            return;
        };
        let Ok(run) = self.run(id) else {
            return;
        };
        for line in prediction.compare(&run.summary()) {
            self.note(ui, &format!("otherwise than a dry run says: {line}"));
        }
    }

    /// Ends the display.
    pub(crate) fn finish(&self) {
        let progress = self.watcher.progress().take();
        if let Some(progress) = progress {
            progress.finish();
        }
    }

    /// A run as it is now.
    ///
    /// # Errors
    /// When it is not at hand and cannot be read.
    pub(crate) fn run(&self, id: RunId) -> Result<Run, CliError> {
        match self.host.run(id) {
            Some(run) => Ok(run.clone()),
            None => self.host.reader().run(id).map_err(|e| look_error(&e)),
        }
    }

    /// The exit code of the signal that came.
    pub(crate) fn signal(&self) -> Option<Exit> {
        match self.watcher.signal.load(Ordering::Relaxed) {
            0 => None,
            130 => Some(Exit::Interrupted),
            _ => Some(Exit::Terminated),
        }
    }

    /// Shows what came of a run after [`Desk::drive`], and answers with the exit code.
    ///
    /// # Errors
    /// When it cannot be read or shown.
    pub(crate) fn report(&self, ui: &Ui, id: RunId) -> Result<Exit, CliError> {
        self.finish();
        let summary = self.run(id)?.summary();
        let short = id.short();
        let exit = self.exit(&summary);
        let interrupted = self.signal().is_some() && !summary.state.ended();
        // Whoever stopped reading early still wants to know how the run ended.
        let shown = match () {
            () if ui.json() => ui.own_document(&summary),
            () if interrupted => Ok(()),
            () => ui.print(&summary::text(&summary, &ui.out)),
        };
        match shown {
            Err(error) if error.exit() != Exit::BrokenPipe => return Err(error),
            _ => {}
        }
        if interrupted {
            ui.note(&format!(
                "interrupted: run {short} of {} is safe; go on with `sandgate resume {short}`",
                summary.workflow
            ));
        } else if !ui.json() {
            for wait in summary
                .waits
                .iter()
                .filter(|w| !w.by_itself())
                .take(WAITS_MAX)
            {
                ui.note(&format!(
                    "run {short} waits for {}",
                    words::wait(wait, id, &ui.err)
                ));
            }
        }
        Ok(exit)
    }

    fn exit(&self, summary: &ExecutionSummary) -> Exit {
        if !summary.state.ended() {
            if self.watcher.fault.load(Ordering::Relaxed) {
                return Exit::Failed;
            }
            if let Some(signal) = self.signal() {
                return signal;
            }
        }
        exit::of_run(summary::ended(summary))
    }
}

/// Waits for Ctrl-C and SIGTERM: the first stops cleanly, the second leaves at once.
fn listen(
    watcher: Arc<Watcher>,
    stop: watch::Sender<bool>,
    quiet: bool,
    json: bool,
) -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::spawn(async move {
        let mut before = false;
        loop {
            let exit = tokio::select! {
                Some(()) = interrupt.recv() => Exit::Interrupted,
                Some(()) = terminate.recv() => Exit::Terminated,
                else => return,
            };
            let code = exit.code();
            watcher.signal.store(code, Ordering::Relaxed);
            if before {
                // Everything that was said to be done is on disk; a kill at this moment would do the same.
                let progress = watcher.progress().take();
                if let Some(progress) = progress {
                    progress.finish();
                }
                if !json {
                    crate::ui::stderr(
                        "left at once; the state is safe, go on with `sandgate resume`\n",
                    );
                }
                std::process::exit(code.into());
            }
            before = true;
            if !quiet
                && !json
                && let Some(progress) = watcher.progress().as_ref()
            {
                progress.say("stopping: what runs is taken down; once more to leave at once");
            }
            stop.send_replace(true);
        }
    });
    Ok(())
}

fn host_error(error: &HostError, ctx: &Context) -> CliError {
    match error {
        HostError::Open(OpenError::Held { holder, .. }) => {
            let since = holder.since.map_or(String::new(), |at| {
                format!(" since {}", ctx.ui.err.zone.day(at))
            });
            let cli = CliError::held(format!("{holder} drives this project{since}"));
            let cli =
                cli.hint("looking works meanwhile: `sandgate status`, `events --follow`, `why`");
            match holder.pid {
                Some(pid) => cli.hint(format!(
                    "stop it cleanly with Ctrl-C there, or `kill -INT {pid}`"
                )),
                None => cli,
            }
        }
        HostError::Look(error) => look_error(error),
        HostError::Open(OpenError::Damaged { .. }) => CliError::host(error.to_string())
            .below(error)
            .hint("`sandgate doctor` checks the whole journal"),
        _ => CliError::host(error.to_string()).below(error),
    }
}

/// A workflow that was not taken.
pub(crate) fn submit_error(ui: &Ui, error: SubmitError) -> CliError {
    match error {
        SubmitError::Invalid(found) => diagnostics::not_taken(ui, &found),
        SubmitError::Request(error) => request_error(&error),
        SubmitError::Plan(why) => CliError::invalid(format!("no plan can be made: {}", Esc(&why))),
        error => CliError::host(error.to_string()).below(&error),
    }
}

/// What was asked, as it is said of the run.
fn asked(request: &Request) -> &'static str {
    match request {
        Request::Dispatch => "dispatched",
        Request::Verify => "verified",
        Request::Cancel { .. } => "cancelled",
        Request::Retry { .. } => "retried",
        Request::Pause => "paused",
        Request::Resume => "resumed",
    }
}

/// A request that the state of the run does not allow.
fn impossible(id: RunId, what: &str, illegal: &Illegal) -> CliError {
    let short = id.short();
    let state = illegal.state.as_str();
    let error = CliError::usage(format!(
        "run {short} cannot be {what}: {} (it is {state})",
        Esc(&illegal.why)
    ));
    match illegal.state.ended() {
        true => error.hint(format!("`sandgate summary {short}` shows what came of it")),
        false => error.hint(format!("`sandgate status {short}` shows where it is")),
    }
}

fn request_error(error: &RequestError) -> CliError {
    CliError::host(error.to_string()).below(error)
}
