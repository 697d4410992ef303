//! The sandbox of a process: loads plugins and makes the places their calls run in.

use crate::cache::Cache;
use crate::cell::Cell;
use crate::compile::Compiler;
use crate::component::{Component, LoadError};
use crate::engine;
use crate::iface::files;
use crate::limiter::TotalMemory;
use crate::link::{Linkers, Set};
use crate::state::{State, clamp};
use crate::{Call, Outcome, Turn, WorkerCommand};
use sandgate_model::{Description, Digest};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How a sandbox is set up.
#[derive(Clone, Debug)]
pub struct SandboxConfig {
    /// Where compiled components and descriptions are kept; made with mode 0700. `None`: nothing is kept.
    pub cache_dir: Option<PathBuf>,
    /// Whether instances come from a pool (faster, see ADR 3). When the pool cannot be made, the sandbox works
    /// without one; [`Sandbox::is_pooled`] says so.
    pub pool: bool,
    /// Most guests alive at once, pinned sessions included. A call over it waits for a place as long as its
    /// deadline.
    pub max_instances: u32,
    /// Most bytes of linear memory one guest may ever be given; caps [`crate::Limits::memory`]. A multiple of
    /// 64 KiB.
    pub max_memory: usize,
    /// Most bytes of linear memory and artifacts of all guests together.
    pub total_memory: usize,
    /// The process that compiles components, so that one made to exhaust the compiler harms nothing else. `None`:
    /// compiling happens in a thread of this process, where its memory is not bounded.
    pub compile_worker: Option<WorkerCommand>,
}

impl Default for SandboxConfig {
    fn default() -> Self {
        Self {
            cache_dir: None,
            pool: true,
            // A guest takes about six memory maps, and a process has 65,530 by default.
            max_instances: 1_000,
            max_memory: 256 << 20,
            // 32 agents that use all they may; 1,600 std guests that use what they start with.
            total_memory: 2 << 30,
            compile_worker: None,
        }
    }
}

/// Why there is no sandbox.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The cache directory cannot be used.
    #[error("cannot use {} to keep compiled plugins", path.display())]
    Cache {
        /// The directory.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// wasmtime does not start.
    #[error("the WebAssembly engine does not start: {reason}")]
    Engine {
        /// Why not.
        reason: String,
    },
    /// The thread that interrupts guests does not start.
    #[error("cannot start the thread that keeps deadlines")]
    Ticker(#[source] std::io::Error),
}

/// Loads and runs plugins. One for each process; a clone is the same sandbox.
#[derive(Clone)]
pub struct Sandbox(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    engine: wasmtime::Engine,
    pooled: bool,
    linkers: Linkers,
    compiler: Compiler,
    total: Arc<TotalMemory>,
    slots: Arc<Semaphore>,
    max_instances: u32,
    max_memory: usize,
    loaded: Mutex<BTreeMap<Digest, Weak<Component>>>,
    described: Mutex<BTreeMap<Digest, Arc<Description>>>,
}

impl Sandbox {
    /// Starts the engine and its clock.
    ///
    /// # Errors
    /// When the cache directory cannot be used, or the engine does not start even without a pool.
    pub fn new(config: &SandboxConfig) -> Result<Self, SetupError> {
        let cache = config
            .cache_dir
            .as_ref()
            .map(|path| {
                Cache::open(path).map_err(|source| SetupError::Cache {
                    path: path.clone(),
                    source,
                })
            })
            .transpose()?;
        let failed = |error: wasmtime::Error| SetupError::Engine {
            reason: format!("{error:#}"),
        };
        let built = engine::build(config).map_err(failed)?;
        engine::tick(&built.engine).map_err(SetupError::Ticker)?;
        Ok(Self(Arc::new(Inner {
            linkers: Linkers::new(&built.engine),
            compiler: Compiler::new(built.engine.clone(), cache, config.compile_worker.clone()),
            engine: built.engine,
            pooled: built.pooled,
            total: Arc::new(TotalMemory::new(config.total_memory)),
            slots: Arc::new(Semaphore::new(config.max_instances as usize)),
            max_instances: config.max_instances,
            max_memory: config.max_memory,
            loaded: Mutex::default(),
            described: Mutex::default(),
        })))
    }

    /// Whether instances come from a pool.
    #[must_use]
    pub fn is_pooled(&self) -> bool {
        self.0.pooled
    }

    /// Bytes of linear memory and artifacts of all guests alive.
    #[must_use]
    pub fn memory_used(&self) -> usize {
        self.0.total.used()
    }

    /// Guests that could start now without waiting.
    #[must_use]
    pub fn free_slots(&self) -> usize {
        self.0.slots.available_permits()
    }

    /// Loads a component: from memory when it is loaded already, from the cache, or by compiling it. Takes up to a
    /// minute of this thread: call it where that does not matter.
    ///
    /// # Errors
    /// Why these bytes are not a plugin, or cannot be compiled.
    pub fn load(&self, bytes: &[u8]) -> Result<Arc<Component>, LoadError> {
        let inner = &self.0;
        let digest = Digest::of(bytes);
        let known = {
            let loaded = inner.loaded.lock().unwrap_or_else(PoisonError::into_inner);
            loaded.get(&digest).and_then(Weak::upgrade)
        };
        if let Some(component) = known {
            return Ok(component);
        }
        let (code, _) = inner.compiler.load(digest, bytes)?;
        let component = Component::inspect(&inner.engine, digest, code, inner.max_memory)?;
        if component.slots() > inner.max_instances {
            return Err(LoadError::Invalid {
                reason: format!(
                    "one instance takes {} places, and the sandbox has {}",
                    component.slots(),
                    inner.max_instances
                ),
            });
        }
        let component = Arc::new(component);
        let mut loaded = inner.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        loaded.retain(|_, known| known.strong_count() > 0);
        loaded.insert(digest, Arc::downgrade(&component));
        Ok(component)
    }
}

impl Inner {
    pub(crate) fn compiler(&self) -> &Compiler {
        &self.compiler
    }

    pub(crate) fn described(&self) -> &Mutex<BTreeMap<Digest, Arc<Description>>> {
        &self.described
    }

    /// Makes a store for a call, its deadline running from now on.
    pub(crate) async fn cell<T>(
        &self,
        call: &Call,
        set: Set,
    ) -> Result<(Cell, Instant), Outcome<T>> {
        let prepared = self
            .linkers
            .prepare(&call.component, set)
            .map_err(|error| error.outcome())?;
        let slot = self.slot(call).await?;
        let wasi = if call.files.is_empty() {
            None
        } else {
            let granted = files::grant(&call.files);
            Some(granted.map_err(|message| Outcome::Host { message })?)
        };
        let turn = self.clamped(&call.turn);
        let deadline = Instant::now() + turn.limits.deadline;
        let total = Arc::clone(&self.total);
        let state = State::new(&turn, total, wasi, &call.files, deadline);
        Ok((
            Cell::new(&self.engine, state, prepared, slot, &turn),
            deadline,
        ))
    }

    /// A turn whose memory the pool can hold.
    pub(crate) fn clamped(&self, turn: &Turn) -> Turn {
        Turn {
            limits: clamp(turn.limits.clone(), self.max_memory),
            ..turn.clone()
        }
    }

    /// A place, waited for as long as the call may take.
    async fn slot<T>(&self, call: &Call) -> Result<OwnedSemaphorePermit, Outcome<T>> {
        let count = call.component.slots();
        if let Ok(slot) = Arc::clone(&self.slots).try_acquire_many_owned(count) {
            return Ok(slot);
        }
        let wait: Duration = call.turn.limits.deadline;
        tokio::select! {
            () = call.turn.cancel.cancelled() => Err(Outcome::Cancelled),
            () = tokio::time::sleep(wait) => Err(Outcome::Host {
                message: format!(
                    "all {} places of the sandbox were taken for {} s",
                    self.max_instances,
                    wait.as_secs()
                ),
            }),
            slot = Arc::clone(&self.slots).acquire_many_owned(count) => {
                slot.map_err(|_| Outcome::Host {
                    message: "the sandbox is shutting down".to_owned(),
                })
            }
        }
    }
}
