//! Group commit: one thread that owns a store and commits everything that is waiting in one transaction.
//!
//! While one group is being flushed, the next one gathers; the more is going on, the more records share a flush. The
//! thread adds no delay of its own: a single batch that finds nobody waiting is committed at once.

use crate::store::{check, check_meta};
use crate::{AppendError, Appended, NewRecord, Store};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread::JoinHandle;

/// How many batches may wait. More than tasks run at once on any machine, so that nobody waits in ordinary use; when
/// the disk does not keep up, submitting blocks here and memory stays bounded.
pub const QUEUE_MAX: usize = 1024;

/// How many records go into one transaction before the next one starts, so that nobody waits for long behind many
/// large batches. A single batch may be larger.
pub const GROUP_RECORDS_MAX: usize = 8192;

/// Called once, on the writer's thread, with the answer to a batch. It must be quick and must not wait for the writer.
pub type Done = Box<dyn FnOnce(Result<Appended, Arc<AppendError>>) + Send>;

type MetaDone = Box<dyn FnOnce(Result<(), Arc<AppendError>>) + Send>;

enum Job {
    Append {
        records: Vec<NewRecord>,
        done: Done,
    },
    Meta {
        key: String,
        value: Vec<u8>,
        done: MetaDone,
    },
}

/// The writer of a journal. Dropping it commits what is waiting, then closes the store.
#[derive(Debug)]
pub struct Writer {
    queue: Option<SyncSender<Job>>,
    thread: Option<JoinHandle<Box<dyn Store>>>,
}

impl Writer {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(store: Box<dyn Store>) -> io::Result<Self> {
        let (queue, jobs) = sync_channel(QUEUE_MAX);
        let thread = std::thread::Builder::new()
            .name("journal-writer".into())
            .spawn(move || Desk::new(store).run(&jobs))?;
        Ok(Self {
            queue: Some(queue),
            thread: Some(thread),
        })
    }

    /// Hands a batch over; `on_done` gets the answer when the batch is durable or has failed. Batches are stored in
    /// the order in which they are handed over. Blocks while [`QUEUE_MAX`] batches are waiting.
    pub fn submit(&self, records: Vec<NewRecord>, on_done: Done) {
        // Before it joins others: a bad record must not take its neighbours with it.
        if let Err(error) = check(&[&records]) {
            return on_done(Err(Arc::new(error)));
        }
        let job = Job::Append {
            records,
            done: on_done,
        };
        self.send(job);
    }

    /// Hands a batch over and waits for the answer.
    ///
    /// # Errors
    /// As the store says; shared, because a failure answers all batches of its group.
    pub fn submit_blocking(&self, records: Vec<NewRecord>) -> Result<Appended, Arc<AppendError>> {
        let (answer, wait) = sync_channel(1);
        let done = Box::new(move |result| {
            // Nobody listens only if this thread has ended meanwhile.
            let _ = answer.send(result);
        });
        self.submit(records, done);
        wait.recv().unwrap_or_else(|_| Err(Arc::new(ended())))
    }

    /// Stores a meta value after everything handed over before, and waits for the answer.
    ///
    /// # Errors
    /// As the store says.
    pub fn put_meta(&self, key: &str, value: &[u8]) -> Result<(), Arc<AppendError>> {
        check_meta(key, value).map_err(Arc::new)?;
        let (answer, wait) = sync_channel(1);
        let done = Box::new(move |result| {
            let _ = answer.send(result);
        });
        self.send(Job::Meta {
            key: key.to_owned(),
            value: value.to_vec(),
            done,
        });
        wait.recv().unwrap_or_else(|_| Err(Arc::new(ended())))
    }

    /// Commits what is waiting and gives the store back; `None` when the thread was lost.
    #[must_use]
    pub fn close(mut self) -> Option<Box<dyn Store>> {
        self.queue = None;
        self.thread.take()?.join().ok()
    }

    fn send(&self, job: Job) {
        let refused = match &self.queue {
            Some(queue) => queue.send(job).err().map(|e| e.0),
            None => Some(job),
        };
        match refused {
            None => {}
            Some(Job::Append { done, .. }) => done(Err(Arc::new(ended()))),
            Some(Job::Meta { done, .. }) => done(Err(Arc::new(ended()))),
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            // A lost thread has nothing left to commit.
            let _ = thread.join();
        }
    }
}

fn ended() -> AppendError {
    AppendError::Stopped {
        cause: "the journal's writer has ended".into(),
    }
}

/// Where the thread works.
struct Desk {
    store: Box<dyn Store>,
    stopped: Option<String>,
}

impl Desk {
    fn new(store: Box<dyn Store>) -> Self {
        Self {
            store,
            stopped: None,
        }
    }

    fn run(mut self, jobs: &Receiver<Job>) -> Box<dyn Store> {
        let mut left_over = None;
        loop {
            let job = match left_over.take() {
                Some(job) => job,
                None => match jobs.recv() {
                    Ok(job) => job,
                    Err(_) => return self.store,
                },
            };
            match job {
                Job::Meta { key, value, done } => {
                    let result = self.act(|store| store.put_meta(&key, &value));
                    answer(|| done(result));
                }
                Job::Append { records, done } => {
                    let mut count = records.len();
                    let mut group = vec![records];
                    let mut dones = vec![done];
                    while count < GROUP_RECORDS_MAX {
                        match jobs.try_recv() {
                            Ok(Job::Append { records, done }) => {
                                count += records.len();
                                group.push(records);
                                dones.push(done);
                            }
                            Ok(other) => {
                                left_over = Some(other);
                                break;
                            }
                            Err(TryRecvError::Empty | TryRecvError::Disconnected) => break,
                        }
                    }
                    self.commit(&group, dones);
                }
            }
            if self.stopped.is_none() {
                // The error is remembered; who comes next is told.
                let _ = self.act(|store| store.maintain());
            }
        }
    }

    fn commit(&mut self, group: &[Vec<NewRecord>], dones: Vec<Done>) {
        let batches: Vec<&[NewRecord]> = group.iter().map(Vec::as_slice).collect();
        let result = self.act(|store| store.append_all(&batches));
        match result {
            Ok(answers) => {
                let mut answers = answers.into_iter();
                for done in dones {
                    let result = answers.next().ok_or_else(|| Arc::new(ended()));
                    answer(|| done(result));
                }
            }
            Err(error) => {
                for done in dones {
                    answer(|| done(Err(Arc::clone(&error))));
                }
            }
        }
    }

    /// Does something with the store, unless it has failed for good before.
    fn act<T>(
        &mut self,
        work: impl FnOnce(&mut dyn Store) -> Result<T, AppendError>,
    ) -> Result<T, Arc<AppendError>> {
        if let Some(cause) = &self.stopped {
            let cause = cause.clone();
            return Err(Arc::new(AppendError::Stopped { cause }));
        }
        let result = catch_unwind(AssertUnwindSafe(|| work(self.store.as_mut())));
        let error = match result {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(error)) => error,
            Err(_) => AppendError::Stopped {
                cause: "the journal's store panicked".into(),
            },
        };
        if error.is_fatal() {
            self.stopped = Some(error.chain());
        }
        Err(Arc::new(error))
    }
}

/// Calls back. What happens in there must not end the writer: others wait for it.
fn answer(call: impl FnOnce()) {
    let _ = catch_unwind(AssertUnwindSafe(call));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::sample;
    use crate::{Head, MemoryStore, ReadError, ReadStore, Record, RunSpan, SqliteStore, Verified};
    use sandgate_model::{Moment, RunId};
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc::channel;

    /// A memory store that fails as told and counts its calls.
    struct Faulty {
        inner: MemoryStore,
        calls: Arc<AtomicUsize>,
        fail_at: usize,
        with: fn() -> AppendError,
    }

    impl ReadStore for Faulty {
        fn read_from(&self, seq: u64, limit: usize) -> Result<Vec<Record>, ReadError> {
            self.inner.read_from(seq, limit)
        }
        fn read_run(&self, r: RunId, a: u64, l: usize) -> Result<Vec<Record>, ReadError> {
            self.inner.read_run(r, a, l)
        }
        fn runs(&self) -> Result<Vec<RunSpan>, ReadError> {
            self.inner.runs()
        }
        fn head(&self) -> Result<Head, ReadError> {
            self.inner.head()
        }
        fn meta(&self, key: &str) -> Result<Option<Vec<u8>>, ReadError> {
            self.inner.meta(key)
        }
        fn verify(&self) -> Result<Verified, ReadError> {
            self.inner.verify()
        }
    }

    impl Store for Faulty {
        fn append_all(&mut self, batches: &[&[NewRecord]]) -> Result<Vec<Appended>, AppendError> {
            if self.calls.fetch_add(1, Ordering::SeqCst) == self.fail_at {
                return Err((self.with)());
            }
            self.inner.append_all(batches)
        }
        fn put_meta(&mut self, key: &str, value: &[u8]) -> Result<(), AppendError> {
            self.inner.put_meta(key, value)
        }
    }

    fn faulty(with: fn() -> AppendError) -> (Writer, MemoryStore, Arc<AtomicUsize>) {
        let inner = MemoryStore::new();
        let calls = Arc::new(AtomicUsize::new(0));
        let store = Faulty {
            inner: inner.clone(),
            calls: Arc::clone(&calls),
            fail_at: 1,
            with,
        };
        (Writer::start(Box::new(store)).unwrap(), inner, calls)
    }

    #[test]
    fn many_threads_share_commits_and_each_gets_its_own_place() {
        let dir = tempfile::tempdir().unwrap();
        let opener = crate::Opener {
            command: "test".into(),
            at: Moment(0),
        };
        let state = dir.path().join("state");
        let store = SqliteStore::open(&state, &opener).unwrap();
        let writer = Writer::start(Box::new(store)).unwrap();
        std::thread::scope(|scope| {
            for thread in 0..8_u64 {
                let writer = &writer;
                scope.spawn(move || {
                    let (answer, answers) = channel();
                    for i in 0..50_u64 {
                        let mut batch = sample(1 + (i % 3) as usize);
                        for record in &mut batch {
                            record.body = format!("{thread} {i}").into_bytes();
                        }
                        let answer = answer.clone();
                        let length = batch.len() as u64;
                        let done = move |result: Result<Appended, _>| {
                            answer.send((i, length, result.unwrap())).unwrap();
                        };
                        writer.submit(batch, Box::new(done));
                    }
                    drop(answer);
                    let mut last = 0;
                    for (i, (told, length, appended)) in answers.iter().enumerate() {
                        assert_eq!(told, i as u64, "answers come in the order of submission");
                        assert!(appended.first_seq > last);
                        assert_eq!(appended.last_seq - appended.first_seq + 1, length);
                        last = appended.last_seq;
                    }
                });
            }
        });
        let store = writer.close().unwrap();
        // 50 batches of 1, 2, 3, 1, ... records make 99 for each thread.
        assert_eq!(store.verify().unwrap().records, 8 * 99);
    }

    #[test]
    fn a_failure_to_sync_ends_everything_with_its_cause() {
        let (writer, inner, calls) = faulty(|| AppendError::Failed {
            action: "sync",
            file: "x".into(),
            source: "input/output error".into(),
        });
        writer.submit_blocking(sample(1)).unwrap();
        assert!(writer.submit_blocking(sample(1)).is_err());
        for _ in 0..3 {
            let error = writer.submit_blocking(sample(1)).unwrap_err();
            assert!(error.to_string().contains("input/output error"), "{error}");
        }
        assert!(writer.put_meta("k", b"v").is_err());
        assert_eq!(calls.load(Ordering::SeqCst), 2, "the store is left alone");
        assert_eq!(inner.head().unwrap().seq, 1);
    }

    #[test]
    fn a_full_disk_is_told_and_survived() {
        let (writer, inner, _) = faulty(|| AppendError::DiskFull {
            file: "x".into(),
            source: "full".into(),
        });
        writer.submit_blocking(sample(1)).unwrap();
        let error = writer.submit_blocking(sample(1)).unwrap_err();
        assert!(matches!(*error, AppendError::DiskFull { .. }));
        assert_eq!(writer.submit_blocking(sample(2)).unwrap().last_seq, 3);
        assert_eq!(inner.head().unwrap().seq, 3);
    }

    #[test]
    fn a_panic_in_a_callback_or_in_the_store_is_contained() {
        let (writer, _, _) = faulty(|| panic!("a fault in the store, on purpose"));
        writer.submit_blocking(sample(1)).unwrap();
        writer.submit(
            sample(1),
            Box::new(|_| panic!("a fault in a callback, on purpose")),
        );
        let error = writer.submit_blocking(sample(1)).unwrap_err();
        assert!(error.to_string().contains("panicked"), "{error}");
    }

    #[test]
    fn a_bad_batch_fails_alone() {
        let (writer, inner, calls) = faulty(|| unreachable!());
        let mut bad = sample(2);
        bad[1].kind = "Has Spaces".into();
        let error = writer.submit_blocking(bad).unwrap_err();
        assert!(matches!(*error, AppendError::Invalid { index: 1, .. }));
        let error = writer.submit_blocking(Vec::new()).unwrap_err();
        assert!(matches!(*error, AppendError::Invalid { index: 0, .. }));
        assert_eq!(calls.load(Ordering::SeqCst), 0);
        assert_eq!(inner.head().unwrap().seq, 0);
    }
}
