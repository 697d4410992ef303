//! The loop: select, decide, act. Select takes what has happened; decide steps the engine and collects records
//! and commands; act comes after the records are durable and performs the commands, in `perform`.

use crate::{
    clock::Clock,
    decided::{Decided, Told, interrupted},
    errors::{DriveError, RequestError},
    notice::Notice,
    project::Project,
    reader::{Reader, kept_row},
    wishes::Reply,
    work::{Executor, Inbox, JobKey, Message, Parking, Prepared},
};
use sandgate_engine::{Event, Run, Start, Timer};
use sandgate_journal::Writer;
use sandgate_model::{CallRequest, Caller, Moment, RunId};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use tokio::sync::{mpsc, oneshot, watch};

/// Most messages taken at once: bounds a transaction, and with it the wait of whoever comes next.
const BATCH: usize = 1024;

/// A run in the hands of this process.
pub(crate) struct Active {
    /// Its state.
    pub(crate) run: Run,
    /// Jobs that have not answered.
    pub(crate) jobs: BTreeSet<JobKey>,
    /// Sequence number of its last record that this process wrote; 0 when it wrote none.
    pub(crate) last_seq: u64,
    /// It is only recorded in: nothing of it starts here, and no command of it is performed.
    pub(crate) passive: bool,
    /// What ran of it in a process that is gone was ended.
    pub(crate) taken: bool,
}

impl Active {
    /// A run as it is.
    pub(crate) fn new(run: Run, passive: bool) -> Self {
        Self {
            run,
            jobs: BTreeSet::new(),
            last_seq: 0,
            passive,
            taken: false,
        }
    }
}

/// Whether somebody wants the loop to go on.
fn stays(stay: Option<&watch::Receiver<bool>>) -> bool {
    stay.is_some_and(|stay| *stay.borrow())
}

/// Waits until that may have changed; false: nobody wants it any more.
async fn changes(stay: &mut Option<watch::Receiver<bool>>) -> bool {
    match stay {
        Some(stay) => stay.changed().await.is_ok(),
        None => std::future::pending().await,
    }
}

/// The runs, and what the loop needs to move them.
pub(crate) struct Loop {
    pub(crate) clock: Clock,
    pub(crate) writer: Writer,
    pub(crate) executor: Arc<dyn Executor>,
    pub(crate) runs: BTreeMap<RunId, Active>,
    pub(crate) project: Arc<Project>,
    pub(crate) reader: Reader,
    pub(crate) signals: sandgate_engine::Inbox,
    /// Nothing runs here: what is wished is recorded.
    pub(crate) offline: bool,
    /// While it is true somebody is asked at this process's terminal: the loop goes on although everything waits.
    pub(crate) stay: Option<watch::Receiver<bool>>,
    timers: BTreeMap<(RunId, Timer), Moment>,
    due: BTreeSet<(Moment, RunId, Timer)>,
    inbox: Inbox,
    messages: mpsc::UnboundedReceiver<Message>,
}

impl Loop {
    pub(crate) fn new(
        clock: Clock,
        writer: Writer,
        executor: Arc<dyn Executor>,
        (project, reader): (Arc<Project>, Reader),
        signals: sandgate_engine::Inbox,
    ) -> Self {
        let (inbox, messages) = mpsc::unbounded_channel();
        Self {
            project,
            reader,
            signals,
            offline: false,
            stay: None,
            clock,
            writer,
            executor,
            runs: BTreeMap::new(),
            timers: BTreeMap::new(),
            due: BTreeSet::new(),
            inbox,
            messages,
        }
    }

    /// Takes a new run in: its first events, recorded together.
    pub(crate) async fn create(
        &mut self,
        id: RunId,
        first: Event,
        then: Vec<Event>,
        show: &mut (dyn FnMut(Notice) + Send),
    ) -> Result<(), RequestError> {
        let at = self.clock.now();
        let first = self
            .within_budget(first)
            .map_err(|error| RequestError::Unknown(error.to_string()))?;
        let mut decided = Decided::default();
        let (run, commands) =
            Run::create(id, at, &first).map_err(|e| RequestError::Illegal(Box::new(e)))?;
        decided
            .push(id, at, first, commands)
            .map_err(DriveError::Encode)?;
        let mut active = Active::new(run, false);
        for event in then {
            let commands = active
                .run
                .step(at, &event)
                .map_err(|e| RequestError::Illegal(Box::new(e)))?;
            decided
                .push(id, at, event, commands)
                .map_err(DriveError::Encode)?;
        }
        self.runs.insert(id, active);
        if let Err(error) = self.act(decided, show).await {
            self.runs.remove(&id);
            return Err(error.into());
        }
        Ok(())
    }

    /// Records something that a person asked for.
    pub(crate) async fn request(
        &mut self,
        id: RunId,
        event: Event,
        show: &mut (dyn FnMut(Notice) + Send),
    ) -> Result<(), RequestError> {
        let at = self.clock.now();
        let active = self.runs.get_mut(&id).ok_or(RequestError::NotHere(id))?;
        let commands = active
            .run
            .step(at, &event)
            .map_err(|e| RequestError::Illegal(Box::new(e)))?;
        let mut decided = Decided::default();
        decided
            .push(id, at, event, commands)
            .map_err(DriveError::Encode)?;
        Ok(self.act(decided, show).await?)
    }

    /// Drives until every run has ended or waits for a person or a signal; with `wait`, until every run has
    /// ended. When `stop` turns true, nothing new starts, what runs is taken down and recorded as interrupted.
    pub(crate) async fn drive(
        &mut self,
        wait: bool,
        mut stop: watch::Receiver<bool>,
        shows: &mut mpsc::Receiver<Notice>,
        show: &mut (dyn FnMut(Notice) + Send),
    ) -> Result<(), DriveError> {
        let mut batch: Vec<Message> = Vec::with_capacity(BATCH);
        let mut touched: BTreeSet<RunId> = self.runs.keys().copied().collect();
        let mut stopping = false;
        let mut stop_open = true;
        let mut stay = self.stay.clone();
        loop {
            // Decide.
            let now = self.clock.now();
            let mut decided = Decided::default();
            // What is over is over before anything else happens.
            self.fire_timers(now, &mut touched, &mut decided)?;
            for message in batch.drain(..) {
                self.decide(message, now, stopping, &mut touched, &mut decided)?;
            }
            self.pick_up_begun(now, &mut decided)?;
            if !stopping {
                for id in &touched {
                    self.start_ready(*id, now, &mut decided)?;
                }
            }
            touched.clear();

            // Act.
            if let Err(error) = self.act(decided, show).await {
                self.take_down();
                return Err(error);
            }

            // Select.
            if self.runs.values().all(|a| a.jobs.is_empty())
                && (stopping || !self.moves(wait || stays(stay.as_ref())))
            {
                while let Ok(notice) = shows.try_recv() {
                    show(notice);
                }
                return Ok(());
            }
            let next = self.due.first().map(|(at, ..)| self.clock.until(*at));
            let timer = async {
                match next {
                    Some(span) => tokio::time::sleep(span).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                changed = stop.changed(), if stop_open && !stopping => match changed {
                    Ok(()) if *stop.borrow() => {
                        stopping = true;
                        self.take_down();
                    }
                    Ok(()) => {}
                    Err(_) => stop_open = false,
                },
                _ = self.messages.recv_many(&mut batch, BATCH) => {}
                changed = changes(&mut stay) => if !changed {
                    stay = None;
                },
                () = timer, if !stopping => {}
                Some(notice) = shows.recv() => show(notice),
            }
        }
    }

    /// Whether anything happens without a person: a job, a retry. A wait for a signal counts with `wait` only.
    fn moves(&self, wait: bool) -> bool {
        if wait {
            let mut driven = self.runs.values().filter(|a| !a.passive);
            return driven.any(|a| !a.run.state().ended());
        }
        self.due.iter().any(|(_, id, timer)| {
            matches!(timer, Timer::Retry(_)) && self.runs.get(id).is_some_and(|a| !a.run.paused())
        })
    }

    /// Early signals for waits that began in this pass; delivering one may begin another.
    fn pick_up_begun(&mut self, now: Moment, decided: &mut Decided) -> Result<(), DriveError> {
        while !decided.begun.is_empty() {
            let begun = std::mem::take(&mut decided.begun);
            self.pick_up(begun, now, decided)?;
        }
        Ok(())
    }

    /// Records one wish, and performs nothing: for a project that nobody drives.
    pub(crate) async fn record(
        &mut self,
        prepared: Prepared,
        reply: Reply,
        show: &mut (dyn FnMut(Notice) + Send),
    ) -> Result<(), DriveError> {
        self.offline = true;
        let now = self.clock.now();
        let mut decided = Decided::default();
        let mut touched = BTreeSet::new();
        self.grant(prepared, now, reply, &mut touched, &mut decided)?;
        self.pick_up_begun(now, &mut decided)?;
        self.act(decided, show).await
    }

    fn take_down(&mut self) {
        self.executor.stopping();
        for (id, active) in &self.runs {
            for key in &active.jobs {
                self.executor.cancel(*id, *key);
            }
        }
    }

    fn decide(
        &mut self,
        message: Message,
        now: Moment,
        stopping: bool,
        touched: &mut BTreeSet<RunId>,
        decided: &mut Decided,
    ) -> Result<(), DriveError> {
        match message {
            Message::Timer { run, timer } => {
                touched.insert(run);
                let _late = self.step(run, now, Event::TimerFired { timer }, decided)?;
            }
            Message::Call {
                run,
                by,
                request,
                reply,
            } => {
                touched.insert(run);
                self.begin_call(run, now, by, *request, reply, decided)?;
            }
            Message::Consent {
                run,
                by,
                kind,
                digest,
                reply,
            } => {
                if let Some(active) = self.runs.get(&run) {
                    // Whoever asked may be gone, here and below.
                    drop(reply.send(active.run.consent(by, kind, digest)));
                }
            }
            Message::AnswerOf {
                run,
                by,
                digest,
                reply,
            } => {
                if let Some(active) = self.runs.get(&run) {
                    drop(reply.send(active.run.answer(by, digest)));
                }
            }
            Message::Wish { prepared, reply } => {
                if stopping {
                    // What was running is being taken down; whoever asks finds the next owner.
                    return Ok(());
                }
                touched.extend(match &*prepared {
                    Prepared::Plain(wanted) => wanted.wish.run(),
                    Prepared::Create { run, .. } | Prepared::Modify { run, .. } => Some(*run),
                    Prepared::Signal(_) => None,
                });
                self.grant(*prepared, now, reply, touched, decided)?;
            }
            Message::Record { run, event, reply } => {
                touched.insert(run);
                if self.step(run, now, event, decided)?.is_ok() {
                    decided.told.extend(reply.map(Told::Record));
                }
            }
            Message::Done {
                run,
                key,
                event,
                room,
            } => {
                touched.insert(run);
                let mut cancelling = false;
                if let Some(active) = self.runs.get_mut(&run) {
                    active.jobs.remove(&key);
                    cancelling = active.run.stopping();
                }
                // In a run that is being cancelled a cancelled attempt is just that, also when the host stops.
                let stopping = stopping && !cancelling;
                let event = match stopping {
                    true => event.and_then(interrupted),
                    false => event,
                };
                if let Some(event) = event {
                    self.job_ended(run, now, event, room, decided)?;
                }
            }
        }
        Ok(())
    }

    /// The intent of a call. Its number is the run's to give: calls of one guest may come in any order.
    fn begin_call(
        &mut self,
        id: RunId,
        now: Moment,
        by: Caller,
        request: CallRequest,
        reply: oneshot::Sender<Result<u32, String>>,
        decided: &mut Decided,
    ) -> Result<(), DriveError> {
        let call = self.runs.get(&id).and_then(|a| a.run.next_call(by));
        let stepped = match call {
            Some(call) => {
                let event = Event::CallStarted { by, call, request };
                self.step(id, now, event, decided)?.map(|()| call)
            }
            None => Err("whoever asks for it does not run any more".to_owned()),
        };
        match stepped {
            Ok(call) => decided.told.push(Told::Call(reply, call)),
            // Whoever asked may be gone, too.
            Err(why) => drop(reply.send(Err(why))),
        }
        Ok(())
    }

    /// Steps one run. An event that no longer fits (an answer after a cancel, say) leaves no trace, as it must; the
    /// inner result says why it does not fit.
    pub(crate) fn step(
        &mut self,
        id: RunId,
        now: Moment,
        event: Event,
        decided: &mut Decided,
    ) -> Result<Result<(), String>, DriveError> {
        let Some(active) = self.runs.get_mut(&id) else {
            return Ok(Err("the run is not driven here".to_owned()));
        };
        match active.run.step(now, &event) {
            Ok(commands) => decided
                .push(id, now, event, commands)
                .map(Ok)
                .map_err(DriveError::Encode),
            Err(illegal) => {
                tracing::debug!(run = %id, kind = event.kind(), %illegal, "an event does not fit");
                Ok(Err(illegal.why))
            }
        }
    }

    fn fire_timers(
        &mut self,
        now: Moment,
        touched: &mut BTreeSet<RunId>,
        decided: &mut Decided,
    ) -> Result<(), DriveError> {
        while let Some((at, id, timer)) = self.due.first().copied().filter(|(at, ..)| *at <= now) {
            self.due.remove(&(at, id, timer));
            self.timers.remove(&(id, timer));
            let message = Message::Timer { run: id, timer };
            self.decide(message, now, false, touched, decided)?;
        }
        Ok(())
    }

    fn start_ready(
        &mut self,
        id: RunId,
        now: Moment,
        decided: &mut Decided,
    ) -> Result<(), DriveError> {
        let Some(active) = self.runs.get_mut(&id).filter(|a| !a.passive) else {
            return Ok(());
        };
        while let Some(start) = active.run.next_start() {
            let event = match start {
                Start::Attempt { task, attempt } => Event::AttemptStarted { task, attempt },
                Start::AttemptResumed { task, attempt } => Event::AttemptResumed { task, attempt },
                Start::Gate { gate, attempt } => Event::GateStarted { gate, attempt },
                Start::GateResumed { gate, attempt } => Event::GateResumed { gate, attempt },
            };
            match active.run.step(now, &event) {
                Ok(commands) => {
                    decided
                        .push(id, now, event, commands)
                        .map_err(DriveError::Encode)?;
                }
                // What the engine offers it must accept; anything else is a broken invariant of ours.
                Err(illegal) => {
                    decided
                        .faults
                        .push((id, format!("the engine refused what it offered: {illegal}")));
                    break;
                }
            }
        }
        Ok(())
    }

    /// Makes the records durable, then performs the commands.
    async fn act(
        &mut self,
        decided: Decided,
        show: &mut (dyn FnMut(Notice) + Send),
    ) -> Result<(), DriveError> {
        let Decided {
            records,
            events,
            commands,
            faults,
            told,
            begun: _,
            parking,
        } = decided;
        if !records.is_empty() {
            let (done, appended) = oneshot::channel();
            self.writer.submit(
                records,
                Box::new(move |result| {
                    // The loop may have been dropped; then nobody is left to tell.
                    drop(done.send(result));
                }),
            );
            let appended = appended
                .await
                .map_err(|_| DriveError::WriterGone)?
                .map_err(DriveError::Append)?;
            for (seq, event) in (appended.first_seq..).zip(events) {
                let Some((run, at, event)) = event else {
                    continue;
                };
                if let Some(active) = self.runs.get_mut(&run) {
                    active.last_seq = seq;
                }
                show(Notice::Event {
                    run,
                    seq,
                    at,
                    event,
                });
            }
        }
        // After it is on record that the work waits, and before anything can take it up again.
        for Parking(room) in parking {
            if let Err(why) = room.park().await {
                tracing::warn!(%why, "the directories of work that waits are not kept");
            }
        }
        for waiting in told {
            // Who waited may be gone; the record stands.
            match waiting {
                Told::Call(reply, call) => drop(reply.send(Ok(call))),
                Told::Wish(reply, done) => drop(reply.send(Ok(done))),
                Told::Record(reply) => drop(reply.send(())),
            }
        }
        for (id, command) in commands {
            self.perform(id, command);
        }
        for (run, message) in faults {
            if let Some(active) = self.runs.remove(&run) {
                for key in active.jobs {
                    self.executor.cancel(run, key);
                }
            }
            show(Notice::Fault { run, message });
        }
        Ok(())
    }

    pub(crate) fn arm(&mut self, id: RunId, timer: Timer, at: Moment) {
        if let Some(old) = self.timers.insert((id, timer), at) {
            self.due.remove(&(old, id, timer));
        }
        self.due.insert((at, id, timer));
    }

    pub(crate) fn disarm_all(&mut self, id: RunId) {
        self.due.retain(|(_, run, _)| *run != id);
        self.timers.retain(|(run, _), _| *run != id);
    }

    /// Takes a run in as it is.
    pub(crate) fn take(&mut self, run: Run) {
        self.runs.insert(run.id(), Active::new(run, false));
    }

    /// Keeps the rows of runs that ended, so that lists need not replay them. Only a shortcut: a row that cannot
    /// be kept costs time later, nothing else.
    pub(crate) fn keep_rows(&self) {
        for active in self
            .runs
            .values()
            .filter(|a| a.run.state().ended() && a.last_seq > 0)
        {
            if let Some((key, row)) = kept_row(&active.run, active.last_seq) {
                drop(self.writer.put_meta(&key, &row));
            }
        }
    }

    pub(crate) fn inbox(&self) -> Inbox {
        self.inbox.clone()
    }
}
