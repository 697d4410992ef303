//! Driving runs from the command line: the host, whoever watches, and Ctrl-C. Every command that changes something goes
//! through here; what it changes is the driver's business.

mod errors;
mod watcher;

pub(crate) use errors::{reach_error, submit_error};
pub(crate) use watcher::{Watcher, listen};

use crate::{
    context::{Context, look_error},
    control::Control,
    error::CliError,
    exit::{self, Exit},
    ui::Ui,
    view::{summary, words},
};
use errors::{asked, host_error, impossible, request_error};
use sandgate_driver::{
    AdoptError, Host, HostOptions, Notice, Project, Request, RequestError, Speaker, Submission,
};
use sandgate_engine::{ExecutionSummary, Run};
use sandgate_model::RunId;
use std::sync::Arc;
use tokio::sync::watch;

/// Waits told beside the summary, which has all of them.
const WAITS_MAX: usize = 5;

/// What the first Ctrl-C does.
const STOPPING: &str = "stopping: what runs is taken down; once more to leave at once";

/// A project that this command is to drive.
pub(crate) enum At {
    /// This process drives it.
    Here(Box<Desk>),
    /// Another one does, and takes wishes.
    There(Box<Control>),
}

impl At {
    /// Drives the project, or reaches whoever does.
    ///
    /// # Errors
    /// When its state cannot be used, or whoever drives it does not answer.
    pub(crate) async fn open(
        ctx: &Context,
        project: &Arc<Project>,
        options: &HostOptions,
    ) -> Result<Self, CliError> {
        match Desk::with(ctx, Arc::clone(project), options) {
            Err(error) if error.is_held() => {}
            desk => return desk.map(|desk| Self::Here(Box::new(desk))),
        }
        let control = Control::open(ctx, Arc::clone(project)).await?;
        if control.is_there() {
            return Ok(Self::There(Box::new(control)));
        }
        // It went away meanwhile.
        drop(control);
        Desk::with(ctx, Arc::clone(project), options).map(|desk| Self::Here(Box::new(desk)))
    }
}

/// A host at work for this command.
pub(crate) struct Desk {
    /// The host.
    pub(crate) host: Host,
    watcher: Arc<Watcher>,
    stop: watch::Receiver<bool>,
    speaker: Speaker,
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
        let watcher = Watcher::new(&ctx.ui);
        let (sender, stop) = watch::channel(false);
        listen(Arc::clone(&watcher), sender, &ctx.ui, STOPPING)
            .map_err(|e| CliError::host("cannot listen for signals").caused_by(&e))?;
        Ok(Self {
            host,
            watcher,
            stop,
            speaker: ctx.speaker(),
        })
    }

    /// Asks approvals and questions in place while the runs of this command are driven.
    pub(crate) fn ask_in_place(&self, ctx: &Context, project: Arc<Project>) {
        let control = self.host.control(self.speaker.clone());
        let runtime = tokio::runtime::Handle::current();
        let send = move |wish| runtime.block_on(control.wish(wish));
        self.watcher.ask(ctx, project, Box::new(send));
    }

    fn show(watcher: &Watcher) -> impl FnMut(Notice) + Send + '_ {
        |notice| watcher.show(&notice)
    }

    /// Says something of the host's own.
    pub(crate) fn note(&self, ui: &Ui, text: &str) {
        match self.watcher.progress().as_mut() {
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
        let id = result.map_err(|e| self.clear(submit_error(ui, e)))?;
        self.watcher.mind(id);
        Ok(id)
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
        self.watcher.know(run);
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
            .request(id, request, &self.speaker, &mut Self::show(&watcher))
            .await;
        result.map_err(|e| {
            self.clear(match &e {
                RequestError::Illegal(illegal) => impossible(id, what, illegal),
                _ => request_error(&e),
            })
        })
    }

    /// Drives everything at hand until it ended or waits, or a signal came. While somebody is asked in place it goes on,
    /// so that other commands are heard and a decision made elsewhere withdraws the question.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub(crate) async fn drive(&mut self, wait: bool) -> Result<(), CliError> {
        if let Some(asking) = self.watcher.asking() {
            self.host.stay(asking);
        }
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
        self.watcher.finish();
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
        self.watcher.signal()
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
        let hint = format!(
            "interrupted: run {short} of {} is safe; go on with `sandgate resume {short}`",
            summary.workflow
        );
        show(ui, &summary, interrupted.then_some(hint.as_str()))?;
        Ok(exit)
    }

    fn exit(&self, summary: &ExecutionSummary) -> Exit {
        if !summary.state.ended() {
            if self.watcher.fault() {
                return Exit::Failed;
            }
            if let Some(signal) = self.signal() {
                return signal;
            }
        }
        exit::of_run(summary::ended(summary))
    }
}

/// Shows what came of a run, and what it waits for; or says that whoever watched left.
///
/// # Errors
/// When it cannot be shown.
pub(crate) fn show(
    ui: &Ui,
    summary: &ExecutionSummary,
    left: Option<&str>,
) -> Result<(), CliError> {
    // Whoever stopped reading early still wants to know how the run ended.
    let shown = match left {
        _ if ui.json() => ui.own_document(summary),
        Some(_) => Ok(()),
        None => ui.print(&summary::text(summary, &ui.out)),
    };
    match shown {
        Err(error) if error.exit() != Exit::BrokenPipe => return Err(error),
        _ => {}
    }
    if let Some(left) = left {
        ui.note(left);
    } else if !ui.json() {
        let waits = summary.waits.iter().filter(|w| !w.by_itself());
        for wait in waits.take(WAITS_MAX) {
            ui.note(&format!(
                "run {} waits for {}",
                summary.run.short(),
                words::wait(wait, summary.run, &ui.err)
            ));
        }
    }
    Ok(())
}
