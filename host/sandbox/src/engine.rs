//! The one wasmtime engine of a process: which proposals exist, how instances are allocated, and the clock that
//! interrupts guests. Nothing here knows of plugins.

use crate::SandboxConfig;
use std::num::NonZeroUsize;
use std::time::Duration;
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Strategy,
};

/// How often a computing guest gives way and its deadline is looked at. 10 ms is 4 % of the 250 ms in which an
/// overdue guest must be gone, and 100 wake-ups a second cost nothing.
pub(crate) const TICK: Duration = Duration::from_millis(10);

/// Stack a guest may use; deeper recursion traps. wasmtime's default.
const WASM_STACK: usize = 512 << 10;

/// Stack of guest and host functions together. wasmtime's default; the difference is the host functions' share.
const ASYNC_STACK: usize = 2 << 20;

/// Frames kept of a trap's backtrace: who reads more of a stack overflow?
const FRAMES: usize = 16;

/// Memory kept with a pooled slot after its call, for the next one: what a std guest touches (its data, a few
/// stack and heap pages). More than this is given back to the kernel. The pages are overwritten with their first
/// contents in between. 64 slots that are kept warm hold at most 16 MiB.
const KEEP_MEMORY: usize = 256 << 10;

/// The same for a table: 4,096 entries.
const KEEP_TABLE: usize = 32 << 10;

/// The same for a stack: guests and host functions rarely use more.
const KEEP_STACK: usize = 32 << 10;

/// Pooled slots that stay prepared for a component although another one would fit: a project has a few plugins
/// and calls them at a concurrency in the tens.
const WARM_SLOTS: u32 = 64;

/// Tables per memory slot. A std guest has two.
const TABLES_PER_SLOT: u32 = 8;

/// Bookkeeping of one component instance: metadata of the largest plugins we know takes 64 KiB.
const INSTANCE_BYTES: usize = 1 << 20;

/// An engine and how it allocates.
pub(crate) struct Built {
    pub(crate) engine: Engine,
    pub(crate) pooled: bool,
}

/// Makes the engine: pooled when asked for and possible (the pool reserves about 4 GiB of address space a slot),
/// otherwise on demand.
pub(crate) fn build(config: &SandboxConfig) -> wasmtime::Result<Built> {
    if config.pool
        && let Ok(engine) = Engine::new(&settings(config, true))
    {
        return Ok(Built {
            engine,
            pooled: true,
        });
    }
    Engine::new(&settings(config, false)).map(|engine| Built {
        engine,
        pooled: false,
    })
}

/// How many slots a component takes: memories are what is scarce, tables come eight to a slot.
pub(crate) fn slots(memories: u32, tables: u32) -> u32 {
    memories.max(tables.div_ceil(TABLES_PER_SLOT)).max(1)
}

fn settings(config: &SandboxConfig, pooled: bool) -> Config {
    let mut c = Config::new();
    c.strategy(Strategy::Cranelift);
    // Time and stack.
    c.epoch_interruption(true);
    c.max_wasm_stack(WASM_STACK);
    c.async_stack_size(ASYNC_STACK);
    c.async_stack_zeroing(true);
    // Only the proposals that guest toolchains emit. Garbage collection, exceptions, threads and component async
    // had most of the advisories of 2026 and no guest of ours needs them.
    c.gc_support(false);
    c.wasm_gc(false);
    c.wasm_exceptions(false);
    c.wasm_function_references(false);
    c.wasm_threads(false);
    c.shared_memory(false);
    c.wasm_memory64(false);
    c.wasm_relaxed_simd(false);
    c.concurrency_support(false);
    // The same inputs give the same plan on every machine.
    c.cranelift_nan_canonicalization(true);
    c.wasm_backtrace_max_frames(NonZeroUsize::new(FRAMES));
    // Bulk memory, reservation, guard pages and signal-based traps stay as they are: that is what is fuzzed.
    if pooled {
        c.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(config)));
    } else {
        c.allocation_strategy(InstanceAllocationStrategy::OnDemand);
    }
    c
}

fn pool(config: &SandboxConfig) -> PoolingAllocationConfig {
    let slots = config.max_instances;
    let limits = crate::Limits::agent();
    let per_component = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let mut p = PoolingAllocationConfig::new();
    p.total_component_instances(slots)
        .total_stacks(slots)
        .total_memories(slots)
        .total_tables(slots.saturating_mul(TABLES_PER_SLOT))
        .total_core_instances(slots.saturating_mul(per_component(limits.instances)))
        .total_gc_heaps(0)
        .max_component_instance_size(INSTANCE_BYTES)
        .max_core_instance_size(INSTANCE_BYTES)
        .max_core_instances_per_component(per_component(limits.instances))
        .max_memories_per_component(per_component(limits.memories))
        .max_tables_per_component(per_component(limits.tables))
        .max_memories_per_module(per_component(limits.memories))
        .max_tables_per_module(per_component(limits.tables))
        .max_memory_size(config.max_memory)
        .table_elements(limits.table_elements)
        .max_unused_warm_slots(WARM_SLOTS)
        .linear_memory_keep_resident(KEEP_MEMORY)
        .table_keep_resident(KEEP_TABLE)
        .async_stack_keep_resident(KEEP_STACK)
        // Memory protection keys are not compiled in: they give up guard pages for density.
        .pagemap_scan(Enabled::Auto);
    p
}

/// Starts the thread that advances the epoch. It ends by itself when the engine is gone.
pub(crate) fn tick(engine: &Engine) -> std::io::Result<()> {
    let engine = engine.weak();
    std::thread::Builder::new()
        .name("sandgate-tick".into())
        .stack_size(64 << 10)
        .spawn(move || {
            while let Some(engine) = engine.upgrade() {
                engine.increment_epoch();
                drop(engine);
                std::thread::sleep(TICK);
            }
        })
        .map(drop)
}
