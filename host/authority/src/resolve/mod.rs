//! The decision: grant = need ∩ task ∩ project ∩ operator.
//!
//! Order of evaluation, the same for every kind, and why:
//!
//! 1. **Plugin.** Only what the plugin's description asks for is considered at all, so a plugin that asks for
//!    nothing gets nothing, whatever the policy offers.
//! 2. **Project.** Each rule of the policy offers one thing; what no rule names is denied, and what a rule denies is
//!    denied whatever other rules allow. The project comes before the task, because a task can only choose among what
//!    the project offers.
//! 3. **Task.** A narrowing picks among the offers. It never adds: naming what the project does not offer is a mistake
//!    and is refused, not ignored. The workspace counts here: without one there are no directories, and the project's
//!    own directory, which holds the state, is given only as a copy.
//! 4. **Operator.** The ceiling lowers what is left. It comes last so that nothing can widen after it.
//! 5. **Dependence.** A command gets only what was granted beside it: its directory, its secrets. A secret is granted
//!    only with somewhere to go.
//! 6. **Completeness.** A need that is not optional and got nothing is refused, and the refusal names the layer
//!    that took the last of it away. Refusing before the start is better than a plugin that fails half-way.
//!
//! Each step can only take away. Deny therefore wins: no later step can give back what an earlier one refused. Nothing
//! in this folder may parse, open or log anything.

mod complete;
mod exec;
mod files;
mod http;
mod model;
mod secrets;
mod yes;

use crate::{
    AuthorityLine, Denial, Layer, Narrowing, OperatorCeiling, Origin, Policy, Refusal, line,
};
use sandgate_model::{Grants, Need, NeedKind, Workspace};

/// Why a task does not get what it could have picked.
const NOT_PICKED: &str = "the task does not pick it";

/// Who asks, and for what.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// For messages: "task `research`".
    pub who: &'a str,
    /// Name of the plugin in the project.
    pub plugin: &'a str,
    /// What the plugin's description asks for.
    pub needs: &'a [Need],
    /// What the task picks.
    pub narrowing: &'a Narrowing,
}

/// What was decided.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Resolution {
    /// What it gets. Lists are sorted and without repeats.
    pub grants: Grants,
    /// Each line of it, with the rule that it comes from.
    pub sources: Vec<AuthorityLine>,
    /// What the project offers and it does not get, and what it could do without; sorted.
    pub denied: Vec<Denial>,
}

/// Decides what the task gets.
///
/// # Errors
/// Everything that was refused, in order of evaluation. Nothing is granted then.
pub fn resolve(
    request: Request<'_>,
    project: &Policy,
    operator: Option<&OperatorCeiling>,
) -> Result<Resolution, Vec<Refusal>> {
    let (grants, mut denied) = decide(request, project, operator)?;
    denied.sort();
    denied.dedup();
    Ok(Resolution {
        sources: line::sources(&grants, project),
        grants,
        denied,
    })
}

/// Decides what the task gets, without the reasons.
///
/// # Errors
/// As [`resolve`].
pub fn grants(
    request: Request<'_>,
    project: &Policy,
    operator: Option<&OperatorCeiling>,
) -> Result<Grants, Vec<Refusal>> {
    decide(request, project, operator).map(|(grants, _)| grants)
}

fn decide(
    request: Request<'_>,
    project: &Policy,
    operator: Option<&OperatorCeiling>,
) -> Result<(Grants, Vec<Denial>), Vec<Refusal>> {
    let mut case = Case::new(request, project, operator, request.narrowing.workspace);
    let grants = case.grants();
    // When the picks themselves are wrong, what they leave unmet is a consequence.
    if case.refusals.iter().all(|r| r.layer == Layer::Plugin) {
        case.complete(&grants);
    }
    if case.refusals.is_empty() {
        Ok((grants, case.denied))
    } else {
        Err(case.refusals)
    }
}

/// The most that any task can give a plugin with these needs: everything on offer, in whatever workspace.
pub(crate) fn most(needs: &[Need], project: &Policy, operator: Option<&OperatorCeiling>) -> Grants {
    let narrowing = Narrowing::default();
    let request = Request {
        who: "",
        plugin: "",
        needs,
        narrowing: &narrowing,
    };
    // In a workspace of its own the project's directory is on offer, too; every other directory is in any.
    Case::new(request, project, operator, Workspace::Worktree).grants_in(Workspace::Shared)
}

/// One decision in progress.
struct Case<'a> {
    request: Request<'a>,
    project: &'a Policy,
    operator: Option<&'a OperatorCeiling>,
    workspace: Workspace,
    refusals: Vec<Refusal>,
    denied: Vec<Denial>,
}

impl<'a> Case<'a> {
    fn new(
        request: Request<'a>,
        project: &'a Policy,
        operator: Option<&'a OperatorCeiling>,
        workspace: Workspace,
    ) -> Self {
        Self {
            request,
            project,
            operator,
            workspace,
            refusals: Vec::new(),
            denied: Vec::new(),
        }
    }

    /// Steps 1 to 5.
    fn grants(&mut self) -> Grants {
        self.grants_in(self.workspace)
    }

    fn grants_in(&mut self, workspace: Workspace) -> Grants {
        let files = self.files();
        let merge = self.merge(&files);
        let (http, http_denied) = self.http();
        let candidates = self.secret_candidates();
        let exec = self.exec(&files, &candidates);
        let model = self.model();
        let secrets = self.secrets(candidates, &http, &exec, &model);
        let charge = self.charge();
        let mut grants = Grants {
            files,
            workspace,
            merge,
            http,
            http_denied,
            exec,
            model,
            secrets,
            budget: charge.is_some(),
            budget_approval: charge.is_some_and(|c| c.approval),
            question: self.question(),
        };
        grants.files.sort();
        grants.files.dedup();
        grants.http.sort();
        grants.http.dedup();
        grants.http_denied.sort();
        grants.http_denied.dedup();
        grants.exec.sort();
        grants.model.sort();
        grants.model.dedup();
        grants.secrets.sort();
        grants.secrets.dedup();
        grants
    }

    fn asks(&self, kind: NeedKind) -> bool {
        self.request.needs.iter().any(|n| n.kind == kind)
    }

    fn deny(
        &mut self,
        layer: Layer,
        kind: NeedKind,
        what: impl Into<String>,
        why: impl Into<String>,
        allow: Option<String>,
        origin: Option<&Origin>,
    ) {
        self.denied.push(Denial {
            layer,
            kind,
            what: what.into(),
            why: why.into(),
            allow,
            origin: origin.cloned(),
        });
    }

    /// The plugin did not ask for a kind that the project offers.
    fn not_asked(&mut self, kind: NeedKind, what: impl Into<String>, origin: Option<&Origin>) {
        let why = format!("the plugin does not ask for `{}`", crate::need_word(kind));
        self.deny(Layer::Plugin, kind, what, why, None, origin);
    }

    fn refuse(
        &mut self,
        layer: Layer,
        kind: Option<NeedKind>,
        message: String,
        allow: Option<String>,
        origin: Option<&Origin>,
    ) {
        self.refusals.push(Refusal {
            layer,
            kind,
            message: format!("{} {message}", self.request.who),
            allow,
            origin: origin.cloned(),
        });
    }
}

/// What there is instead of a name that is not there.
fn known<'a>(names: impl Iterator<Item = &'a str>) -> String {
    /// More are not read by anybody.
    const SHOWN: usize = 5;
    let mut names: Vec<String> = names.map(|n| format!("`{n}`")).collect();
    names.sort();
    names.dedup();
    let more = if names.len() > SHOWN {
        " and others"
    } else {
        ""
    };
    names.truncate(SHOWN);
    if names.is_empty() {
        return String::new();
    }
    format!("; it has {}{more}", names.join(", "))
}

/// Lines of TOML that would allow something.
mod allow {
    use sandgate_model::FileMode;

    pub(super) fn operator(line: &str) -> String {
        format!("in the operator's file, under [policy]: {line}")
    }

    pub(super) fn project(line: &str) -> String {
        format!("in sandgate.toml, under [policy]: {line}")
    }

    pub(super) fn mode(mode: FileMode) -> &'static str {
        match mode {
            FileMode::Read => "read",
            FileMode::Write => "write",
        }
    }

    pub(super) fn file(guest: &str, mode: FileMode) -> String {
        let host = guest.trim_start_matches('/');
        file_from(if host.is_empty() { "files" } else { host }, guest, mode)
    }

    pub(super) fn file_from(host: &str, guest: &str, of: FileMode) -> String {
        let of = mode(of);
        project(&format!(
            "files = [{{ host = {host:?}, guest = {guest:?}, mode = \"{of}\" }}]"
        ))
    }

    pub(super) fn http(url: &str) -> String {
        project(&format!(
            "http = [{{ allow = {url:?}, methods = [\"GET\"] }}]"
        ))
    }

    pub(super) fn exec(name: &str) -> String {
        project(&format!(
            "exec = [{{ name = {name:?}, program = \"PROGRAM\", args = [\"ARGUMENT\"], approval = \"none\" }}]"
        ))
    }

    pub(super) fn model(provider: &str, model: &str) -> String {
        project(&format!(
            "model = [{{ provider = {provider:?}, models = [{model:?}] }}]"
        ))
    }

    pub(super) fn secret(name: &str) -> String {
        project(&format!(
            "secrets = [{{ name = {name:?}, from = \"env\", to = \"https://api.example.com\" }}]"
        ))
    }

    pub(super) fn charge() -> String {
        project("charge = true")
    }

    pub(super) fn question() -> String {
        project("question = true")
    }
}
