//! From bytes to code: compiled once, kept in the cache, loaded from there. Bounded in size, time and number at once;
//! in a process of its own also in memory. Without a worker it happens in a thread of this process, which a component
//! that makes the compiler take gigabytes takes along.

mod child;
mod worker;

pub use child::compile_worker_main;
pub(crate) use worker::Compiled;
pub use worker::WorkerCommand;

use crate::cache::{Cache, Marked};
use crate::component::{LoadError, check_header};
use crate::outcome::{MESSAGE_MAX, cut};
use crate::unsafe_load::deserialize;
use sandgate_model::Digest;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;
use wasmtime::Engine;
use wasmtime::component::Component;

/// Longest compilation. A component of 20 MiB takes some ten seconds.
const TIME_MAX: Duration = Duration::from_secs(60);

/// Most compilations at once, those that ran over their time and cannot be stopped included.
const AT_ONCE: usize = 4;

/// Stack of a compiling thread: deep nesting in a module becomes recursion in the compiler.
const STACK: usize = 16 << 20;

/// Hash of everything that makes code of one engine useless to another.
fn settings_of(engine: &Engine) -> u64 {
    let mut hasher = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut hasher);
    hasher.finish()
}

/// Places for compiling threads and processes.
#[derive(Default)]
struct Places {
    taken: Mutex<usize>,
    freed: Condvar,
}

/// Gives its place back when dropped.
struct Place(Arc<Places>);

impl Drop for Place {
    fn drop(&mut self) {
        *self.0.taken.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        self.0.freed.notify_one();
    }
}

/// Compiles and keeps.
pub(crate) struct Compiler {
    engine: Engine,
    cache: Option<Cache>,
    worker: Option<WorkerCommand>,
    /// Hash of everything that makes code of one engine useless to another.
    settings: u64,
    places: Arc<Places>,
}

impl Compiler {
    pub(crate) fn new(engine: Engine, cache: Option<Cache>, worker: Option<WorkerCommand>) -> Self {
        Self {
            settings: settings_of(&engine),
            engine,
            cache,
            worker,
            places: Arc::default(),
        }
    }

    pub(crate) fn cache(&self) -> Option<&Cache> {
        self.cache.as_ref()
    }

    /// The code of a component, and whether it came from the cache.
    pub(crate) fn load(
        &self,
        digest: Digest,
        bytes: &[u8],
    ) -> Result<(Component, bool), LoadError> {
        check_header(bytes)?;
        let name = format!("{}.{:016x}.cwasm", digest.hex(), self.settings);
        if let Some(cache) = &self.cache
            && let Some(code) = cache.read(&name)
            && let Ok(component) = deserialize(&self.engine, &code)
        {
            return Ok((component, true));
        }
        // A full disk costs the next start some time, and nothing else.
        let keep = |code: &[u8]| {
            if let Some(cache) = &self.cache {
                drop(cache.write(&name, code));
            }
        };
        let component = if let Some(worker) = &self.worker {
            let code = self.compile_apart(worker, bytes)?;
            keep(code.bytes());
            let code = Marked::from_worker(code);
            // The code is ours; what does not fit is the component: more memory than the pool has, say.
            deserialize(&self.engine, &code).map_err(|error| LoadError::Invalid {
                reason: cut(format!("{error:#}"), MESSAGE_MAX),
            })?
        } else {
            let component = self.compile_here(bytes)?;
            if let Ok(code) = component.serialize() {
                keep(&code);
            }
            component
        };
        Ok((component, false))
    }

    fn compile_apart(&self, worker: &WorkerCommand, bytes: &[u8]) -> Result<Compiled, LoadError> {
        let _place = self.place().ok_or_else(worker::busy)?;
        worker::compile(worker, self.settings, bytes, TIME_MAX)
    }

    fn compile_here(&self, bytes: &[u8]) -> Result<Component, LoadError> {
        let too_long = || LoadError::CompileTime {
            seconds: TIME_MAX.as_secs(),
        };
        let host = |reason: String| LoadError::Host { reason };
        let place = self.place().ok_or_else(worker::busy)?;
        let (give, take) = sync_channel(1);
        let engine = self.engine.clone();
        let bytes = bytes.to_vec();
        std::thread::Builder::new()
            .name("sandgate-compile".into())
            .stack_size(STACK)
            .spawn(move || {
                // Nobody may be listening any more.
                drop(give.send(Component::new(&engine, bytes)));
                drop(place);
            })
            .map_err(|error| host(format!("cannot start a thread: {error}")))?;
        match take.recv_timeout(TIME_MAX) {
            Ok(Ok(component)) => Ok(component),
            Ok(Err(error)) => Err(LoadError::Invalid {
                reason: cut(format!("{error:#}"), MESSAGE_MAX),
            }),
            Err(RecvTimeoutError::Timeout) => Err(too_long()),
            Err(RecvTimeoutError::Disconnected) => Err(host("the compiler panicked".to_owned())),
        }
    }

    /// A place, after waiting for one as long as a compilation may take.
    fn place(&self) -> Option<Place> {
        let taken = self
            .places
            .taken
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let (mut taken, waited) = self
            .places
            .freed
            .wait_timeout_while(taken, TIME_MAX, |taken| *taken >= AT_ONCE)
            .unwrap_or_else(PoisonError::into_inner);
        if waited.timed_out() {
            return None;
        }
        *taken += 1;
        Some(Place(Arc::clone(&self.places)))
    }
}
