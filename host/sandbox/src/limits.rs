//! How much one call may cost. Data only: nothing here enforces anything.

use std::time::Duration;

const MIB: usize = 1 << 20;

/// The caps of one call. Each constructor gives the defaults of a role; every field can be lowered or raised by
/// the project, and the sandbox clamps [`Limits::memory`] to what its pool can hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Wall-clock time for all of it: instantiation, start function, opening, the call itself. The guest is gone
    /// at most 250 ms later, wherever it is.
    pub deadline: Duration,
    /// Bytes of linear memory, summed over all memories of the call.
    pub memory: usize,
    /// Elements, summed over all tables of the call.
    pub table_elements: usize,
    /// Core instances.
    pub instances: usize,
    /// Tables.
    pub tables: usize,
    /// Linear memories.
    pub memories: usize,
    /// Host objects the guest holds at once: streams, pollables, open files. An object of `wasi:http` counts as four,
    /// because it may hold 64 KiB of headers.
    pub resources: usize,
    /// Handles in the guest's own handle tables.
    pub handles: usize,
    /// Calls into the host. When the cap is passed the guest is ended at the next host function of ours or the
    /// next tick (10 ms), whichever comes first.
    pub host_calls: u64,
    /// Bytes that one crossing from the guest into the host may carry: the arguments of one host call, or the
    /// whole answer.
    pub crossing_bytes: usize,
    /// Bytes of log, stdout and stderr together; what is over is dropped and counted.
    pub log_bytes: usize,
    /// Longest line in bytes; the rest of a longer line is dropped.
    pub log_line: usize,
    /// Most lines; what is over is dropped and counted.
    pub log_lines: u32,
    /// Longest JSON document that the guest may return, in bytes.
    pub output_bytes: usize,
    /// Bytes of all artifacts of the call together.
    pub artifact_bytes: usize,
    /// Most artifacts.
    pub artifacts: usize,
    /// Bytes that the guest may write to files, summed over the call whether or not they stay; making a file longer
    /// counts what is added. The guest is told `insufficient-space`; it is not ended.
    pub disk_bytes: u64,
    /// Files, directories and symbolic links that the guest may make, summed over the call whether or not they stay.
    /// The guest is told `quota`.
    pub disk_files: u64,
    /// Files, directories and listings of directories open at once, the granted directories themselves not counted.
    /// The guest is told `quota`.
    pub open_files: usize,
    /// HTTP requests on their way at once, a response counting until its body is read or dropped. The guest is told
    /// `connection-limit-reached`. How many bytes travel is the port's matter.
    pub http: usize,
}

impl Limits {
    /// Defaults for an agent.
    #[must_use]
    pub const fn agent() -> Self {
        Self {
            // The issue of most attempts is seconds; who needs more says so in the workflow.
            deadline: Duration::from_secs(120),
            // Fits documents of tens of megabytes and still 32 agents at once in 2 GiB.
            memory: 64 * MIB,
            // A std guest has a few hundred; interpreted languages some ten thousand.
            table_elements: 100_000,
            // A std guest has 3 or 4; composed components some more.
            instances: 32,
            tables: 32,
            // One each for a main module and adapters.
            memories: 8,
            // Room for a large open-file table; each costs the host about 200 bytes.
            resources: 1_024,
            // Twice the host objects: guests keep handles to their own resources as well.
            handles: 2_048,
            // A second of doing nothing but calling the host.
            host_calls: 1_000_000,
            // One output document with what is around it.
            crossing_bytes: 4 * MIB + MIB / 16,
            // Two thousand pages of text.
            log_bytes: MIB,
            log_line: 8 << 10,
            // 100 bytes a line on average.
            log_lines: 10_000,
            output_bytes: 4 * MIB,
            artifact_bytes: 64 * MIB,
            artifacts: 64,
            // Four times what it can hold in memory; a build that needs more is a command and not a guest.
            disk_bytes: 256 << 20,
            // A large unpacked source tree.
            disk_files: 10_000,
            // A process has 1,024 by default, and there may be many guests.
            open_files: 64,
            // What a browser opens to one host, and two more.
            http: 8,
        }
    }

    /// Defaults for a planner: a plan is one answer with many parts, so more may cross at once.
    #[must_use]
    pub const fn planner() -> Self {
        Self {
            deadline: Duration::from_secs(60),
            memory: 128 * MIB,
            // 100,000 draft tasks at about 600 bytes each.
            crossing_bytes: 64 * MIB,
            artifact_bytes: 0,
            artifacts: 0,
            ..Self::agent()
        }
    }

    /// Defaults for a gate: it reads everything the run made and writes nothing.
    #[must_use]
    pub const fn gate() -> Self {
        Self {
            deadline: Duration::from_secs(120),
            memory: 128 * MIB,
            artifact_bytes: 0,
            artifacts: 0,
            ..Self::agent()
        }
    }

    /// For asking a plugin what it is: only computing, and not for long.
    #[must_use]
    pub const fn describe() -> Self {
        Self {
            deadline: Duration::from_secs(5),
            memory: 32 * MIB,
            crossing_bytes: MIB,
            log_bytes: 64 << 10,
            log_lines: 100,
            host_calls: 100_000,
            artifact_bytes: 0,
            artifacts: 0,
            disk_bytes: 0,
            disk_files: 0,
            open_files: 0,
            http: 0,
            ..Self::agent()
        }
    }
}

/// Which cap ended a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LimitKind {
    /// [`Limits::memory`].
    Memory,
    /// The memory of all calls of this process together.
    TotalMemory,
    /// [`Limits::table_elements`].
    TableElements,
    /// [`Limits::instances`].
    Instances,
    /// [`Limits::tables`].
    Tables,
    /// [`Limits::memories`].
    Memories,
    /// [`Limits::resources`].
    Resources,
    /// [`Limits::handles`].
    Handles,
    /// [`Limits::host_calls`].
    HostCalls,
    /// [`Limits::crossing_bytes`].
    Crossing,
    /// [`crate::TAPE_MAX`].
    Tape,
}

impl LimitKind {
    /// What is capped, for messages: `a limit of 67108864 bytes of memory`.
    #[must_use]
    pub const fn what(self) -> &'static str {
        match self {
            Self::Memory => "bytes of memory",
            Self::TotalMemory => "bytes of memory for all plugins together",
            Self::TableElements => "table elements",
            Self::Instances => "core instances",
            Self::Tables => "tables",
            Self::Memories => "memories",
            Self::Resources => "open host objects",
            Self::Handles => "handles",
            Self::HostCalls => "host calls",
            Self::Crossing => "bytes in one crossing to the host",
            Self::Tape => {
                "bytes of recorded answers, which a call that may wait for a person keeps"
            }
        }
    }
}
