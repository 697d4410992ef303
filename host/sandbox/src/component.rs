//! A loaded plugin: its code, what it is for, and what it wants. Checks bytes; runs nothing.

use crate::engine::slots;
use crate::link::{Prepared, Set};
use sandgate_model::{Digest, Role};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use wasmtime::Engine;

/// Largest component taken, in bytes. The largest real plugins, with an interpreter inside, have 20 MiB.
pub const COMPONENT_MAX: usize = 32 << 20;

/// Package of the contract, and the versions of it that this host speaks.
const PACKAGE: &str = "sandgate:plugin/";
const VERSION: &str = "0.1.";

/// Exports that make a component a planner, an agent or a gate.
const ROLES: [(&str, Role); 3] = [
    ("planning", Role::Planner),
    ("working", Role::Agent),
    ("checking", Role::Gate),
];

/// Why bytes are not a plugin.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Larger than [`COMPONENT_MAX`].
    #[error("it has {size} bytes, and a component may have at most {COMPONENT_MAX}")]
    TooLarge {
        /// Its size.
        size: usize,
    },
    /// Something else altogether.
    #[error("it is not WebAssembly: it begins with {begins}")]
    NotWasm {
        /// Its first bytes.
        begins: String,
    },
    /// A core module.
    #[error(
        "it is a core WebAssembly module, not a component: build it for `wasm32-wasip2`, or wrap it with \
         `wasm-tools component new`"
    )]
    CoreModule,
    /// A broken component, or one with features the sandbox does not allow.
    #[error("it is not a valid component: {reason}")]
    Invalid {
        /// What the compiler says.
        reason: String,
    },
    /// It declares more memory than a plugin may ever have.
    #[error(
        "it asks for {asked} bytes of memory from the start, and a plugin may have at most {most}"
    )]
    TooMuchMemory {
        /// What it declares.
        asked: u64,
        /// What is allowed.
        most: u64,
    },
    /// It exports no role of the contract.
    #[error(
        "it is not a plugin: it does not export `sandgate:plugin/{missing}@0.1.0`; it exports {exports}"
    )]
    NotAPlugin {
        /// What is missing.
        missing: &'static str,
        /// What it exports instead.
        exports: String,
    },
    /// Compiling took too long.
    #[error("compiling it took longer than {seconds} s")]
    CompileTime {
        /// The limit.
        seconds: u64,
    },
    /// Compiling took too much memory.
    #[error("compiling it took more than {mib} MiB of memory")]
    CompileMemory {
        /// The limit, in MiB.
        mib: u64,
    },
    /// The process that compiled it died.
    #[error("compiling it ended the process that did it ({how})")]
    CompileCrash {
        /// How it ended.
        how: String,
    },
    /// The host could not do its part.
    #[error("it could not be compiled: {reason}")]
    Host {
        /// Why not.
        reason: String,
    },
}

/// A loaded plugin.
pub struct Component {
    digest: Digest,
    roles: Vec<Role>,
    imports: Vec<String>,
    slots: u32,
    code: wasmtime::component::Component,
    /// Linked against each set of interfaces it was called with.
    prepared: Mutex<BTreeMap<Set, Arc<Prepared>>>,
}

impl Component {
    /// Looks at what compiled code exports and imports.
    pub(crate) fn inspect(
        engine: &Engine,
        digest: Digest,
        code: wasmtime::component::Component,
        max_memory: usize,
    ) -> Result<Self, LoadError> {
        let ty = code.component_type();
        let mut imports: Vec<String> = ty.imports(engine).map(|(name, _)| name.into()).collect();
        imports.sort();
        let exports: Vec<&str> = ty.exports(engine).map(|(name, _)| name).collect();
        let missing = |missing| LoadError::NotAPlugin {
            missing,
            exports: list(&exports),
        };
        let has = |interface: &str| exports.iter().any(|name| is_ours(name, interface));
        if !has("describing") {
            return Err(missing("describing"));
        }
        let roles: Vec<Role> = ROLES
            .iter()
            .filter(|(interface, _)| has(interface))
            .map(|(_, role)| *role)
            .collect();
        if roles.is_empty() {
            return Err(missing("planning, working or checking"));
        }
        let Some(needs) = code.resources_required() else {
            return Err(LoadError::Invalid {
                reason: "it imports core modules, which no host of plugins gives".to_owned(),
            });
        };
        let asked = needs
            .max_initial_memory_size
            .unwrap_or(0)
            .saturating_mul(64 << 10);
        if asked > max_memory as u64 {
            return Err(LoadError::TooMuchMemory {
                asked,
                most: max_memory as u64,
            });
        }
        Ok(Self {
            digest,
            roles,
            imports,
            slots: slots(needs.num_memories, needs.num_tables),
            code,
            prepared: Mutex::default(),
        })
    }

    /// SHA-256 of the component's bytes.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// What it is for. A component may export more than one role; never empty.
    #[must_use]
    pub fn roles(&self) -> &[Role] {
        &self.roles
    }

    /// Whether it can do this.
    #[must_use]
    pub fn has_role(&self, role: Role) -> bool {
        self.roles.contains(&role)
    }

    /// Names of everything it imports, sorted: its request for authority.
    #[must_use]
    pub fn imports(&self) -> &[String] {
        &self.imports
    }

    /// How many slots of the sandbox one instance takes.
    pub(crate) fn slots(&self) -> u32 {
        self.slots
    }

    pub(crate) fn code(&self) -> &wasmtime::component::Component {
        &self.code
    }

    /// The linked form for a set of interfaces, made at most once for each.
    pub(crate) fn prepared<E>(
        &self,
        set: Set,
        make: impl FnOnce() -> Result<Prepared, E>,
    ) -> Result<Arc<Prepared>, E> {
        let mut all = self.prepared.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = all.get(&set) {
            return Ok(Arc::clone(found));
        }
        let made = Arc::new(make()?);
        all.insert(set, Arc::clone(&made));
        Ok(made)
    }
}

impl std::fmt::Debug for Component {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Component")
            .field("digest", &self.digest)
            .field("roles", &self.roles)
            .field("imports", &self.imports)
            .finish_non_exhaustive()
    }
}

/// Whether an export or import is interface `interface` of the contract in a version that this host speaks.
pub(crate) fn is_ours(name: &str, interface: &str) -> bool {
    name.strip_prefix(PACKAGE)
        .and_then(|rest| rest.split_once('@'))
        .is_some_and(|(found, version)| found == interface && version.starts_with(VERSION))
}

fn list(names: &[&str]) -> String {
    if names.is_empty() {
        return "nothing".to_owned();
    }
    // Names of a hostile component may be many and long.
    let shown: Vec<_> = names.iter().take(10).map(|n| format!("`{n}`")).collect();
    crate::outcome::cut(shown.join(", "), 500)
}

/// Refuses what is plainly not a component, with a reason that says what it is.
pub(crate) fn check_header(bytes: &[u8]) -> Result<(), LoadError> {
    if bytes.len() > COMPONENT_MAX {
        return Err(LoadError::TooLarge { size: bytes.len() });
    }
    let begins = bytes.get(..8).unwrap_or(bytes);
    match begins {
        [0, b'a', b's', b'm', 0x0d, 0, 1, 0] => Ok(()),
        [0, b'a', b's', b'm', 1, 0, 0, 0] => Err(LoadError::CoreModule),
        [0, b'a', b's', b'm', ..] => Err(LoadError::Invalid {
            reason: format!("unknown version {}", hex::encode(begins)),
        }),
        _ => Err(LoadError::NotWasm {
            begins: if begins.is_empty() {
                "nothing: it is empty".to_owned()
            } else {
                format!("`{}`", begins.escape_ascii())
            },
        }),
    }
}
