//! Whoever sees what happens while runs are driven: the display, the prompts, and the signals that end it.

use crate::{
    context::Context,
    exit::Exit,
    progress::Progress,
    prompter::{self, Prompter},
    ui::Ui,
};
use sandgate_driver::{Notice, Project};
use sandgate_engine::Run;
use sandgate_model::RunId;
use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, AtomicU8, Ordering},
};
use tokio::sync::watch;

/// What the loop and the signals share.
pub(crate) struct Watcher {
    progress: Mutex<Option<Progress>>,
    prompter: Mutex<Option<Prompter>>,
    /// Exit code of the signal that came; 0: none.
    signal: AtomicU8,
    /// A run is no longer driven because an invariant broke.
    fault: AtomicBool,
}

impl Watcher {
    pub(super) fn progress(&self) -> MutexGuard<'_, Option<Progress>> {
        // Only drawing happens under the lock; a panic there must not end the run.
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A watcher that shows, and asks nobody yet.
    pub(crate) fn new(ui: &Ui) -> Arc<Self> {
        Arc::new(Self {
            progress: Mutex::new(Some(Progress::new(ui))),
            prompter: Mutex::default(),
            signal: AtomicU8::new(0),
            fault: AtomicBool::new(false),
        })
    }

    fn prompter(&self) -> MutexGuard<'_, Option<Prompter>> {
        self.prompter.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks approvals and questions in place from now on, where a person can be asked.
    pub(crate) fn ask(
        self: &Arc<Self>,
        ctx: &Context,
        project: Arc<Project>,
        send: prompter::Send,
    ) {
        let watcher = Arc::downgrade(self);
        let hold = move |held: bool| {
            let Some(watcher) = watcher.upgrade() else {
                return;
            };
            if let Some(progress) = watcher.progress().as_mut() {
                match held {
                    true => progress.hold(),
                    false => progress.release(),
                }
            }
        };
        *self.prompter() = Prompter::start(ctx, project, send, Box::new(hold));
    }

    /// Whether something is asked in place or is to be; absent where nobody is asked.
    pub(crate) fn asking(&self) -> Option<watch::Receiver<bool>> {
        self.prompter().as_ref().map(Prompter::busy)
    }

    /// Approvals and questions of this run are asked here, too; it is known from its first event on.
    pub(crate) fn mind(&self, run: RunId) {
        if let Some(prompter) = self.prompter().as_ref() {
            prompter.mind(run);
        }
    }

    /// A run is no longer driven because an invariant broke.
    pub(crate) fn fault(&self) -> bool {
        self.fault.load(Ordering::Relaxed)
    }

    /// Takes note of a run as it is before the first notice about it.
    pub(crate) fn know(&self, run: Run) {
        if let Some(prompter) = self.prompter().as_ref() {
            prompter.know(run.clone());
        }
        if let Some(progress) = self.progress().as_mut() {
            progress.know(run);
        }
    }

    /// The exit code of the signal that came.
    pub(crate) fn signal(&self) -> Option<Exit> {
        match self.signal.load(Ordering::Relaxed) {
            0 => None,
            130 => Some(Exit::Interrupted),
            _ => Some(Exit::Terminated),
        }
    }

    /// Ends prompts and the display.
    pub(crate) fn finish(&self) {
        let prompter = self.prompter().take();
        if let Some(prompter) = prompter {
            prompter.finish();
        }
        let progress = self.progress().take();
        if let Some(progress) = progress {
            progress.finish();
        }
    }

    /// Shows it.
    pub(crate) fn show(&self, notice: &Notice) {
        if let Some(prompter) = self.prompter().as_ref() {
            prompter.notice(notice);
        }
        if matches!(notice, Notice::Fault { .. }) {
            self.fault.store(true, Ordering::Relaxed);
        }
        if let Some(progress) = self.progress().as_mut() {
            progress.notice(notice);
        }
    }
}

/// Waits for Ctrl-C and SIGTERM: the first stops cleanly and says `first`, the second leaves at once.
pub(crate) fn listen(
    watcher: Arc<Watcher>,
    stop: watch::Sender<bool>,
    ui: &Ui,
    first: &'static str,
) -> std::io::Result<()> {
    let (quiet, json) = (ui.quiet, ui.json());
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
                && let Some(progress) = watcher.progress().as_mut()
            {
                progress.say(first);
            }
            stop.send_replace(true);
        }
    });
    Ok(())
}
