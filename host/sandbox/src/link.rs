//! Which interfaces a call gets, and what is said when a component wants another one. What is not granted is not
//! linked: there is no function to call and nothing to forget.

use crate::bindings::exports::sandgate::plugin::{checking, describing, planning, working};
use crate::component::is_ours;
use crate::iface;
use crate::outcome::{MESSAGE_MAX, cut};
use crate::state::{Misfit, State};
use crate::{Component, Outcome};
use sandgate_model::Role;
use std::sync::Arc;
use wasmtime::Engine;
use wasmtime::component::{InstancePre, Linker};

/// Interfaces beside the base set.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Set {
    /// `sandgate:plugin/artifacts`.
    pub(crate) artifacts: bool,
    /// `wasi:filesystem`.
    pub(crate) files: bool,
}

impl Set {
    /// What a role's call gets.
    pub(crate) fn of(role: Role, files: bool) -> Self {
        Self {
            artifacts: role != Role::Planner,
            files,
        }
    }

    /// For asking a plugin what it is. Everything this host has can be imported, so that a plugin can be described
    /// before anything is granted; but there is no directory and no artifact behind it.
    pub(crate) const DESCRIBE: Self = Self {
        artifacts: true,
        files: true,
    };
}

/// A component linked against a set, with the places of its exports found.
pub(crate) struct Prepared {
    pub(crate) pre: InstancePre<State>,
    pub(crate) describing: describing::GuestIndices,
    pub(crate) planning: Option<planning::GuestIndices>,
    pub(crate) working: Option<working::GuestIndices>,
    pub(crate) checking: Option<checking::GuestIndices>,
}

/// Why a component cannot be called like this.
pub(crate) enum LinkError {
    /// An import is not granted.
    Refused { import: String, hint: String },
    /// The shapes of the contract do not fit.
    Shape(String),
}

impl LinkError {
    pub(crate) fn outcome<T>(self) -> Outcome<T> {
        match self {
            Self::Refused { import, hint } => Outcome::Refused { import, hint },
            Self::Shape(reason) => Outcome::BadAnswer {
                reasons: vec![reason],
            },
        }
    }
}

/// The linkers of a process, one for each set.
pub(crate) struct Linkers(Vec<(Set, Linker<State>)>);

impl Linkers {
    pub(crate) fn new(engine: &Engine) -> wasmtime::Result<Self> {
        let mut all = Vec::new();
        for artifacts in [false, true] {
            for files in [false, true] {
                let mut linker = Linker::new(engine);
                iface::wasi::link(&mut linker)?;
                iface::log::link(&mut linker)?;
                if artifacts {
                    iface::artifacts::link(&mut linker)?;
                }
                if files {
                    iface::files::link(&mut linker)?;
                }
                all.push((Set { artifacts, files }, linker));
            }
        }
        Ok(Self(all))
    }

    /// Links a component, or says what it may not import.
    pub(crate) fn prepare(
        &self,
        component: &Component,
        set: Set,
    ) -> Result<Arc<Prepared>, LinkError> {
        component.prepared(set, || {
            for import in component.imports() {
                if let Err(hint) = allowed(import, set) {
                    return Err(LinkError::Refused {
                        import: cut(import.clone(), MESSAGE_MAX),
                        hint,
                    });
                }
            }
            self.link(component, set)
                .map_err(|error| LinkError::Shape(cut(format!("{error:#}"), MESSAGE_MAX)))
        })
    }

    fn link(&self, component: &Component, set: Set) -> wasmtime::Result<Prepared> {
        let (_, linker) = self
            .0
            .iter()
            .find(|(found, _)| *found == set)
            .ok_or_else(|| wasmtime::format_err!("no linker for {set:?}"))?;
        let pre = linker
            .instantiate_pre(component.code())
            .map_err(|error| error.context("an import differs from what this host offers"))?;
        fn shape(error: wasmtime::Error) -> wasmtime::Error {
            Misfit::error(&error)
        }
        let role = |role| component.has_role(role);
        Ok(Prepared {
            describing: describing::GuestIndices::new(&pre).map_err(shape)?,
            planning: role(Role::Planner)
                .then(|| planning::GuestIndices::new(&pre).map_err(shape))
                .transpose()?,
            working: role(Role::Agent)
                .then(|| working::GuestIndices::new(&pre).map_err(shape))
                .transpose()?,
            checking: role(Role::Gate)
                .then(|| checking::GuestIndices::new(&pre).map_err(shape))
                .transpose()?,
            pre,
        })
    }
}

/// Interfaces of WASI that any guest may import.
const BASE: [&str; 18] = [
    "wasi:cli/environment",
    "wasi:cli/exit",
    "wasi:cli/stdin",
    "wasi:cli/stdout",
    "wasi:cli/stderr",
    "wasi:cli/terminal-input",
    "wasi:cli/terminal-output",
    "wasi:cli/terminal-stdin",
    "wasi:cli/terminal-stdout",
    "wasi:cli/terminal-stderr",
    "wasi:clocks/wall-clock",
    "wasi:clocks/monotonic-clock",
    "wasi:random/random",
    "wasi:random/insecure",
    "wasi:random/insecure-seed",
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
];

/// Whether a set has an import; if not, what would allow it.
fn allowed(import: &str, set: Set) -> Result<(), String> {
    let (interface, version) = import.split_once('@').unwrap_or((import, ""));
    let preview2 = version.starts_with("0.2.");
    if preview2 && BASE.contains(&interface) {
        return Ok(());
    }
    if ["types", "log", "progress"]
        .iter()
        .any(|ours| is_ours(import, ours))
    {
        return Ok(());
    }
    if is_ours(import, "artifacts") {
        return if set.artifacts {
            Ok(())
        } else {
            Err("only agents and gates can use artifacts".to_owned())
        };
    }
    if preview2 && interface.starts_with("wasi:filesystem/") {
        return if set.files {
            Ok(())
        } else {
            Err(
                "grant a directory: `files = [{ host = \"notes\", guest = \"/notes\", mode = \"read\" }]` \
                 under [policy] in sandgate.toml"
                    .to_owned(),
            )
        };
    }
    Err(match interface {
        name if name.starts_with("wasi:http/") => {
            "outgoing HTTP is not available in this version".to_owned()
        }
        name if name.starts_with("wasi:sockets/") => {
            "sockets are never available to plugins".to_owned()
        }
        name if name.starts_with("wasi:") && !preview2 && !version.is_empty() => {
            "this host offers WASI 0.2: build the plugin for `wasm32-wasip2`".to_owned()
        }
        _ => "it is not available in this version".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_granted() {
        let none = Set {
            artifacts: false,
            files: false,
        };
        let all = Set::DESCRIBE;
        let check = |import: &str, set: Set| allowed(import, set).err().unwrap_or_default();
        for import in [
            "wasi:io/streams@0.2.9",
            "wasi:cli/exit@0.2.0",
            "sandgate:plugin/log@0.1.0",
        ] {
            assert_eq!(check(import, none), "", "{import}");
        }
        assert!(check("wasi:filesystem/types@0.2.9", none).contains("files = [{ host = "));
        assert_eq!(check("wasi:filesystem/types@0.2.9", all), "");
        assert!(check("sandgate:plugin/artifacts@0.1.0", none).contains("agents and gates"));
        for import in [
            "wasi:sockets/tcp@0.2.9",
            "wasi:http/outgoing-handler@0.2.9",
            "wasi:cli/environment@0.3.0",
            "wasi:cli/environment",
            "wasi:io/streamsx@0.2.0",
            "sandgate:plugin/log@0.2.0",
            "sandgate:plugin/command@0.1.0",
            "env",
        ] {
            assert_ne!(check(import, all), "", "{import}");
        }
    }
}
