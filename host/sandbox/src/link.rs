//! Which interfaces a call gets, and what is said when a component wants another one. What is not granted is not
//! linked: there is no function to call and nothing to forget.

use crate::bindings::exports::sandgate::plugin::{checking, describing, planning, working};
use crate::component::is_ours;
use crate::iface;
use crate::outcome::{MESSAGE_MAX, cut};
use crate::state::{Misfit, State};
use crate::{Call, Component, Outcome, Powers, Turn};
use sandgate_model::{NeedKind, Role};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use wasmtime::Engine;
use wasmtime::component::{InstancePre, Linker};

/// Interfaces beside the base set.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Set {
    /// `sandgate:plugin/artifacts`.
    artifacts: bool,
    /// `wasi:filesystem`.
    files: bool,
    /// `wasi:http/outgoing-handler`.
    http: bool,
    /// `sandgate:plugin/command`.
    command: bool,
    /// `sandgate:plugin/model`.
    model: bool,
    /// `sandgate:plugin/budget`.
    budget: bool,
    /// `sandgate:plugin/question`.
    question: bool,
}

impl Set {
    /// What a role's call gets: what is granted, and what the plugin can do without, so that it can find out.
    pub(crate) fn of(role: Role, call: &Call) -> Self {
        let powers = &call.turn.powers;
        let spare = |kind| powers.optional.contains(&kind);
        let [http, command, model, budget, question] = ports(powers);
        Self {
            artifacts: role != Role::Planner,
            files: !call.files.is_empty()
                || spare(NeedKind::FilesRead)
                || spare(NeedKind::FilesWrite),
            http,
            command,
            model,
            budget,
            question,
        }
    }

    /// For asking a plugin what it is. Everything this host has can be imported, so that a plugin can be described
    /// before anything is granted; but there is no directory, no artifact and no port behind it, and every function
    /// refuses.
    pub(crate) const DESCRIBE: Self = Self {
        artifacts: true,
        files: true,
        http: true,
        command: true,
        model: true,
        budget: true,
        question: true,
    };

    /// Whether a turn would be linked with exactly this, its ports considered.
    pub(crate) fn has_powers_of(self, turn: &Turn) -> bool {
        [
            self.http,
            self.command,
            self.model,
            self.budget,
            self.question,
        ] == ports(&turn.powers)
    }
}

/// Which of HTTP, commands, models, budget and questions are linked for these powers.
fn ports(powers: &Powers) -> [bool; 5] {
    let spare = |kind| powers.optional.contains(&kind);
    [
        powers.http.is_some() || spare(NeedKind::Http),
        powers.command.is_some() || spare(NeedKind::Exec),
        powers.model.is_some() || spare(NeedKind::Model),
        powers.budget.is_some() || spare(NeedKind::Budget),
        powers.question.is_some() || spare(NeedKind::Question),
    ]
}

/// Links one interface.
type Link = fn(&mut Linker<State>) -> wasmtime::Result<()>;

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

/// The linkers of a process, one for each set, made when it is first needed.
pub(crate) struct Linkers {
    engine: Engine,
    made: Mutex<BTreeMap<Set, Arc<Linker<State>>>>,
}

impl Linkers {
    pub(crate) fn new(engine: &Engine) -> Self {
        Self {
            engine: engine.clone(),
            made: Mutex::default(),
        }
    }

    fn linker(&self, set: Set) -> wasmtime::Result<Arc<Linker<State>>> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(linker) = made.get(&set) {
            return Ok(Arc::clone(linker));
        }
        let mut linker = Linker::new(&self.engine);
        iface::wasi::link(&mut linker)?;
        iface::log::link(&mut linker)?;
        for (wanted, link) in [
            (set.artifacts, iface::artifacts::link as Link),
            (set.files, iface::files::link),
            (set.http, iface::http::link),
            (set.command, iface::command::link),
            (set.model, iface::model::link),
            (set.budget, iface::budget::link),
            (set.question, iface::question::link),
        ] {
            if wanted {
                link(&mut linker)?;
            }
        }
        let linker = Arc::new(linker);
        made.insert(set, Arc::clone(&linker));
        Ok(linker)
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
        let pre = self
            .linker(set)?
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

/// What would allow an interface. Said when it is not linked, and by a function that is linked without being granted.
pub(crate) mod hint {
    fn grant(what: &str, line: &str) -> String {
        format!("grant {what}: `{line}` under [policy] in sandgate.toml")
    }

    pub(super) fn files() -> String {
        let line = r#"files = [{ host = "notes", guest = "/notes", mode = "read" }]"#;
        grant("a directory", line)
    }

    pub(super) fn http() -> String {
        let line = r#"http = [{ allow = "https://api.example.com/v1/*", methods = ["GET"] }]"#;
        grant("requests to a place", line)
    }

    pub(crate) fn command() -> String {
        let line =
            r#"exec = [{ program = "cargo", args = ["test", "--workspace"], approval = "none" }]"#;
        grant("a command", line)
    }

    pub(crate) fn model() -> String {
        let line = r#"model = [{ provider = "local", models = ["*"] }]"#;
        grant("a model", line)
    }

    pub(super) fn budget() -> String {
        grant("charging the budget", "charge = true")
    }

    pub(crate) fn question() -> String {
        grant("questions to people", "question = true")
    }
}

/// Interfaces of `wasi:http` that a client needs.
const HTTP: [&str; 2] = ["wasi:http/types", "wasi:http/outgoing-handler"];

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
    let granted = |granted: bool, hint: fn() -> String| {
        if granted { Ok(()) } else { Err(hint()) }
    };
    if is_ours(import, "artifacts") {
        return if set.artifacts {
            Ok(())
        } else {
            Err("only agents and gates can use artifacts".to_owned())
        };
    }
    if preview2 && interface.starts_with("wasi:filesystem/") {
        return granted(set.files, hint::files);
    }
    if preview2 && HTTP.contains(&interface) {
        return granted(set.http, hint::http);
    }
    if is_ours(import, "command") {
        return granted(set.command, hint::command);
    }
    if is_ours(import, "model") {
        return granted(set.model, hint::model);
    }
    if is_ours(import, "budget") {
        return granted(set.budget, hint::budget);
    }
    if is_ours(import, "question") {
        return granted(set.question, hint::question);
    }
    Err(match interface {
        name if name.starts_with("wasi:http/") => {
            "plugins can send requests, not serve them".to_owned()
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

    const NONE: Set = Set {
        artifacts: false,
        files: false,
        http: false,
        command: false,
        model: false,
        budget: false,
        question: false,
    };

    fn check(import: &str, set: Set) -> String {
        allowed(import, set).err().unwrap_or_default()
    }

    #[test]
    fn only_what_is_granted() {
        for import in [
            "wasi:io/streams@0.2.9",
            "wasi:cli/exit@0.2.0",
            "sandgate:plugin/log@0.1.0",
        ] {
            assert_eq!(check(import, NONE), "", "{import}");
        }
        assert!(check("sandgate:plugin/artifacts@0.1.0", NONE).contains("agents and gates"));
        for import in [
            "wasi:sockets/tcp@0.2.9",
            "wasi:http/incoming-handler@0.2.9",
            "wasi:http/outgoing-handler@0.3.0",
            "wasi:cli/environment@0.3.0",
            "wasi:cli/environment",
            "wasi:io/streamsx@0.2.0",
            "sandgate:plugin/log@0.2.0",
            "sandgate:plugin/commands@0.1.0",
            "sandgate:plugin/command@0.2.0",
            "env",
        ] {
            assert_ne!(check(import, Set::DESCRIBE), "", "{import}");
        }
    }

    #[test]
    fn each_grant_links_its_interface_and_no_other() {
        let grants = [
            (
                "wasi:filesystem/types@0.2.9",
                "files = [{ host = ",
                Set {
                    files: true,
                    ..NONE
                },
            ),
            (
                "wasi:http/outgoing-handler@0.2.9",
                "http = [{ allow = ",
                Set { http: true, ..NONE },
            ),
            (
                "sandgate:plugin/command@0.1.0",
                "exec = [{ program = ",
                Set {
                    command: true,
                    ..NONE
                },
            ),
            (
                "sandgate:plugin/model@0.1.0",
                "model = [{ provider = ",
                Set {
                    model: true,
                    ..NONE
                },
            ),
            (
                "sandgate:plugin/budget@0.1.0",
                "charge = true",
                Set {
                    budget: true,
                    ..NONE
                },
            ),
            (
                "sandgate:plugin/question@0.1.0",
                "question = true",
                Set {
                    question: true,
                    ..NONE
                },
            ),
        ];
        for (import, line, set) in grants {
            let told = check(import, NONE);
            assert!(
                told.contains(line) && told.contains("sandgate.toml"),
                "{told}"
            );
            assert_eq!(check(import, set), "");
            assert_eq!(check(import, Set::DESCRIBE), "");
            for (other, _, _) in grants.iter().filter(|(other, _, _)| *other != import) {
                assert_ne!(check(other, set), "", "{import} gives {other}");
            }
        }
    }
}
