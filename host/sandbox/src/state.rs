//! What a store holds for one guest: its limits, its words, its artifacts, and WASI, made when first asked for.

use crate::halt::Halt;
use crate::iface::artifacts::Desk;
use crate::iface::clock::Millisecond;
use crate::iface::files::Files;
use crate::iface::http::Http;
use crate::iface::model;
use crate::limiter::{Limiter, TotalMemory};
use crate::stdio::Stdio;
use crate::tape::Tape;
use crate::words::{Output, Words};
use crate::{Limits, Powers, Preopen, Stats, Turn};
use std::sync::Arc;
use std::time::Instant;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::clocks::WasiClocksCtxView;
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use wasmtime_wasi_http::WasiHttpCtxView;

/// Most random bytes in one call of the guest. Keys and seeds take a hundred; wasmtime's default is 64 MiB.
const RANDOM_MAX: u64 = 64 << 10;

/// Why the host stopped a guest, as an error that travels through wasmtime.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Stop {
    /// The deadline passed.
    #[error("the deadline passed")]
    Deadline,
    /// Too many host calls.
    #[error("too many host calls")]
    HostCalls,
    /// A person has to decide first.
    #[error("a person has to decide first")]
    Suspended,
    /// It does not do what it did the first time.
    #[error("{0}")]
    Diverged(String),
    /// The tape is full.
    #[error("the tape is full")]
    TapeFull,
    /// The host could not do its part.
    #[error("{0}")]
    Host(String),
}

/// An export that does not have the contract's shape, as an error that travels through wasmtime.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an export differs from `sandgate:plugin@0.1.0`: {0}")]
pub(crate) struct Misfit(String);

impl Misfit {
    /// For `map_err` where exports are looked up.
    pub(crate) fn error(error: &wasmtime::Error) -> wasmtime::Error {
        Self(format!("{error:#}")).into()
    }
}

/// How often the ports were used.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Used {
    pub(crate) commands: u64,
    pub(crate) generations: u64,
    pub(crate) charges: u64,
    pub(crate) questions: u64,
}

/// The data of a store.
pub(crate) struct State {
    /// `None` until the guest calls WASI: most calls of small guests never do, and making it costs as much as a
    /// call.
    wasi: Option<WasiCtx>,
    table: ResourceTable,
    pub(crate) limiter: Limiter,
    pub(crate) words: Words,
    pub(crate) desk: Desk,
    /// The ports of the turn; none between turns.
    pub(crate) powers: Powers,
    pub(crate) used: Used,
    /// What was answered so far; none in a session that stays.
    pub(crate) tape: Option<Tape>,
    pub(crate) files: Arc<Files>,
    pub(crate) http: Http,
    pub(crate) halt: Halt,
    host_calls: u64,
    host_calls_max: u64,
    deadline: Instant,
}

impl State {
    /// For a new store. `wasi` is given when it holds directories, which are `files`.
    pub(crate) fn new(
        turn: &Turn,
        total: Arc<TotalMemory>,
        wasi: Option<WasiCtxBuilder>,
        files: &[Preopen],
        deadline: Instant,
    ) -> Self {
        let limits = &turn.limits;
        let words = Words::new(Arc::clone(&turn.sink), limits, turn.tape.clone());
        let halt = Halt::default();
        let mut table = ResourceTable::new();
        table.set_max_capacity(limits.resources);
        let files = Files::new(files);
        files.quota().reset(limits);
        Self {
            wasi: wasi.map(|builder| finish(builder, &words)),
            table,
            limiter: Limiter::new(total, limits.clone()),
            words,
            desk: Desk::closed(),
            powers: turn.powers.clone(),
            used: Used::default(),
            tape: turn.tape.clone(),
            files,
            http: Http::new(
                turn.powers.http.clone(),
                limits,
                halt.clone(),
                turn.tape.is_some(),
            ),
            halt,
            host_calls: 0,
            host_calls_max: limits.host_calls,
            deadline,
        }
    }

    /// For the next use of a live session: counters and ports anew, memory as it is.
    pub(crate) fn renew(&mut self, turn: &Turn, deadline: Instant) {
        let limits = &turn.limits;
        self.words.reset(Arc::clone(&turn.sink), limits);
        self.table.set_max_capacity(limits.resources);
        self.limiter.set_limits(limits.clone());
        self.powers = turn.powers.clone();
        self.used = Used::default();
        self.files.quota().reset(limits);
        self.http.renew(turn.powers.http.clone(), limits);
        self.host_calls = 0;
        self.host_calls_max = limits.host_calls;
        self.deadline = deadline;
    }

    /// Takes away what the turn could do outside and ends what is still going on there. What the guest holds of it
    /// stays as a handle to something that is over.
    pub(crate) fn disarm(&mut self) {
        self.powers = Powers::default();
        self.http.end_all(&mut self.table);
        model::end_all(&mut self.table);
    }

    /// The host objects that the guest holds.
    pub(crate) fn table(&mut self) -> &mut ResourceTable {
        &mut self.table
    }

    pub(crate) fn http_view(&mut self) -> WasiHttpCtxView<'_> {
        self.http.view(&mut self.table)
    }

    /// Counts a host call. Every host function comes here first, because it is how it gets at its state.
    pub(crate) fn count(&mut self) -> &mut Self {
        self.host_calls += 1;
        self
    }

    /// Whether the guest may go on; asked by our own host functions and at each tick.
    pub(crate) fn may_go_on(&self) -> Result<(), Stop> {
        if self.host_calls > self.host_calls_max {
            return Err(Stop::HostCalls);
        }
        Ok(())
    }

    /// What a tick asks: the deadline is looked at here as well, because a runtime whose threads are all busy with
    /// guests is late with its timers.
    pub(crate) fn at_tick(&self) -> Result<(), Stop> {
        if Instant::now() >= self.deadline {
            return Err(Stop::Deadline);
        }
        self.halt.may_go_on()?;
        self.may_go_on()
    }

    /// What the call has cost so far.
    pub(crate) fn stats(&self, since: Instant) -> Stats {
        let (log_bytes, dropped_lines) = self.words.counts();
        let (disk_bytes, disk_files, open_files_peak) = self.files.quota().used();
        Stats {
            wall: since.elapsed(),
            memory_peak: self.limiter.memory_peak(),
            host_calls: self.host_calls,
            log_bytes,
            dropped_lines,
            disk_bytes,
            disk_files,
            open_files_peak,
            http_requests: self.http.sent(),
            commands: self.used.commands,
            generations: self.used.generations,
            charges: self.used.charges,
            questions: self.used.questions,
        }
    }

    /// Takes what the guest wrote.
    pub(crate) fn take_desk(&mut self) -> Desk {
        std::mem::replace(&mut self.desk, Desk::closed())
    }

    /// Limits the desk's bytes through the same counters as memory.
    pub(crate) fn desk_and_limiter(&mut self) -> (&mut Desk, &mut Limiter) {
        (&mut self.desk, &mut self.limiter)
    }
}

impl State {
    /// WASI, without counting a call.
    pub(crate) fn wasi_view(&mut self) -> WasiCtxView<'_> {
        let words = &self.words;
        WasiCtxView {
            ctx: self
                .wasi
                .get_or_insert_with(|| finish(WasiCtxBuilder::new(), words)),
            table: &mut self.table,
        }
    }

    /// Clocks, without counting a call.
    pub(crate) fn clocks_view(&mut self) -> WasiClocksCtxView<'_> {
        let WasiCtxView { ctx, table } = self.wasi_view();
        WasiClocksCtxView {
            ctx: ctx.clocks(),
            table,
        }
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        self.count().wasi_view()
    }
}

/// What every guest gets: no arguments, no environment, closed stdin, captured output, clocks and random bytes.
fn finish(mut builder: WasiCtxBuilder, words: &Words) -> WasiCtx {
    builder
        .stdout(Stdio::new(words.clone(), Output::Stdout))
        .stderr(Stdio::new(words.clone(), Output::Stderr))
        .wall_clock(Millisecond)
        .max_random_size(RANDOM_MAX)
        .allow_blocking_current_thread(false)
        .allow_tcp(false)
        .allow_udp(false)
        .allow_ip_name_lookup(false);
    builder.build()
}

/// Limits of a call as far as the pool can hold them.
pub(crate) fn clamp(mut limits: Limits, max_memory: usize) -> Limits {
    limits.memory = limits.memory.min(max_memory);
    limits
}
