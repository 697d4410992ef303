//! Following a run that another process drives, as if this one did: what happens is shown, approvals and questions are
//! asked in place, and the exit code is the run's. Leaving does not stop the run.

use crate::{
    context::{Context, look_error},
    desk::{self, Watcher, listen},
    error::CliError,
    exit::{self, Exit},
    progress::Tracker,
    view::summary,
};
use sandgate_driver::{Notice, Project, Reader, Wish, WishError, reach};
use sandgate_engine::{Run, Wait};
use sandgate_journal::{Driving, driving};
use sandgate_model::RunId;
use std::{sync::Arc, time::Duration};
use tokio::sync::watch;

/// How often the journal is looked at.
const POLL: Duration = Duration::from_millis(200);

/// Looks at a journal that nobody writes before the one that drove is taken for gone: it may be starting.
const GONE: u32 = 15;

/// What the first Ctrl-C does.
const LEAVING: &str = "leaving; the run goes on where it is driven";

/// How a run is followed.
#[derive(Clone, Copy, Default)]
pub(crate) struct How {
    /// It was just made: everything that happened is shown.
    pub(crate) new: bool,
    /// Approvals and questions are asked in place, where a person can be asked.
    pub(crate) ask: bool,
    /// Stay when it waits.
    pub(crate) wait: bool,
}

/// What came of following.
pub(crate) struct Followed {
    /// The run as it is now.
    pub(crate) run: Run,
    /// The signal on which this process left while the run goes on.
    pub(crate) left: Option<Exit>,
}

/// Follows it until it ended or waits, and shows what came of it.
///
/// # Errors
/// When it cannot be read or shown, or whoever drove it is gone.
pub(crate) async fn follow(
    ctx: &Context,
    project: &Arc<Project>,
    id: RunId,
    how: How,
) -> Result<Exit, CliError> {
    let Followed { run, left } = until_rest(ctx, project, id, how).await?;
    let summary = run.summary();
    let short = id.short();
    let hint =
        format!("run {short} goes on where it is driven; `sandgate status {short}` shows how");
    desk::show(&ctx.ui, &summary, left.map(|_| hint.as_str()))?;
    Ok(left.unwrap_or_else(|| exit::of_run(summary::ended(&summary))))
}

/// Follows it until it ended or waits.
///
/// # Errors
/// When it cannot be read, or whoever drove it is gone.
pub(crate) async fn until_rest(
    ctx: &Context,
    project: &Arc<Project>,
    id: RunId,
    how: How,
) -> Result<Followed, CliError> {
    let reader = ctx.reader(project)?;
    let watcher = Watcher::new(&ctx.ui);
    let (sender, stop) = watch::channel(false);
    listen(Arc::clone(&watcher), sender, &ctx.ui, LEAVING)
        .map_err(|e| CliError::host("cannot listen for signals").caused_by(&e))?;
    if how.ask {
        watcher.ask(ctx, Arc::clone(project), send(ctx, project));
    }
    let followed = until(project, &reader, id, how, &watcher, stop).await;
    watcher.finish();
    let last = followed?;
    let run = reader.run(id).map_err(|e| look_error(&e))?;
    if let End::Gone = last {
        let short = id.short();
        return Err(CliError::host(format!(
            "whoever drove run {short} is gone, and it has not ended"
        ))
        .hint(format!(
            "its state is safe; go on with `sandgate resume {short}`"
        )));
    }
    let left = watcher.signal().filter(|_| !run.state().ended());
    Ok(Followed { run, left })
}

/// The way of a prompt to whoever drives.
fn send(ctx: &Context, project: &Arc<Project>) -> crate::prompter::Send {
    let (project, options, speaker) = (Arc::clone(project), ctx.host_options(), ctx.speaker());
    let runtime = tokio::runtime::Handle::current();
    Box::new(move |wish: Wish| {
        runtime.block_on(async {
            let found = reach(Arc::clone(&project), &options, speaker.clone()).await;
            let mut reach = found.map_err(|e| WishError::Host { why: e.to_string() })?;
            reach.wish_surely(&project, &options, wish).await
        })
    })
}

/// Why following ended.
enum End {
    Told,
    Gone,
}

async fn until(
    project: &Project,
    reader: &Reader,
    id: RunId,
    how: How,
    watcher: &Watcher,
    mut stop: watch::Receiver<bool>,
) -> Result<End, CliError> {
    let mut tracker = Tracker::default();
    let mut last = 0;
    if how.new {
        watcher.mind(id);
    } else {
        for (seq, at, event) in reader.events(id, 0).map_err(|e| look_error(&e))? {
            last = seq;
            tracker.step(id, at, &event);
        }
        if let Some(run) = tracker.get(id) {
            watcher.know(run.clone());
        }
    }
    let mut alone = 0;
    loop {
        for (seq, at, event) in reader.events(id, last).map_err(|e| look_error(&e))? {
            last = seq;
            alone = 0;
            tracker.step(id, at, &event);
            watcher.show(&Notice::Event {
                run: id,
                seq,
                at,
                event: Arc::new(event),
            });
        }
        let asks = watcher.asking().is_some_and(|busy| *busy.borrow());
        if let Some(run) = tracker.get(id) {
            let rests = || run.idle() && !run.waits().iter().any(Wait::by_itself);
            if run.state().ended() || (!how.wait && !asks && rests()) {
                return Ok(End::Told);
            }
        }
        alone = match driving(&project.state_dir()) {
            Driving::Nobody => alone + 1,
            Driving::Process(_) | Driving::Unknown => 0,
        };
        if alone > GONE && !asks {
            return Ok(End::Gone);
        }
        tokio::select! {
            () = tokio::time::sleep(POLL) => {}
            changed = stop.changed() => {
                if changed.is_err() || *stop.borrow() {
                    return Ok(End::Told);
                }
            }
        }
    }
}
