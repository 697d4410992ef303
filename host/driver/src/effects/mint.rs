//! Minting: from the grants of one task to the ports of one call. Done when the attempt starts, gone when it ends. What
//! a plan was frozen with is looked at once more against the files as they are now: a rule that was taken away since
//! takes effect at once.

use super::{
    charge::ChargePower,
    command::{CommandDir, CommandParts, CommandPower},
    consent::Facts,
    desk::CallDesk,
    http::HttpPower,
    model::ModelPower,
    question::QuestionPower,
    secrets::Revealed,
};
use crate::{
    local::{CallSink, Shared},
    project::Project,
    work::Inbox,
};
use sandgate_authority::{
    HttpAuthority, Narrowing, Origin, Request, grants, narrows, rule_of_exec, rule_of_http,
    rule_of_model,
};
use sandgate_egress::{Egress, EgressLimits, NetworkMeter, SessionParts};
use sandgate_engine::Allowance;
use sandgate_exec::Runner;
use sandgate_llm::{Models, Money, Recorder};
use sandgate_model::{Caller, Grants, ModelGrant, Need, NeedKind, RunId};
use sandgate_sandbox::{AllowedCommand, Powers};
use sandgate_vault::Vault;
use std::{
    sync::{Arc, atomic::AtomicU64},
    time::Instant,
};

/// Whoever does what leaves the process. One set for a project; nothing in it is shared with another project.
pub(crate) struct Brokers {
    pub(crate) egress: Egress,
    pub(crate) runner: Runner,
    pub(crate) models: Arc<Models>,
    pub(crate) vault: Arc<Vault>,
    /// Keeps the answers of models, where that was asked for.
    pub(crate) recorder: Option<Recorder>,
}

/// One call to mint for.
pub(crate) struct Minting<'a> {
    pub(crate) run: RunId,
    pub(crate) by: Caller,
    /// What every record about it says.
    pub(crate) facts: Facts,
    pub(crate) grants: &'a Grants,
    pub(crate) allowance: Allowance,
    pub(crate) inbox: &'a Inbox,
    pub(crate) sink: Arc<CallSink>,
    pub(crate) deadline: Instant,
    pub(crate) dirs: Vec<CommandDir>,
    /// Bytes over the network, tokens, calls.
    pub(crate) caps: Caps,
}

/// What an attempt may use outside.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Caps {
    pub(crate) network: u64,
    pub(crate) tokens: u64,
    pub(crate) effects: u64,
}

/// Kinds of needs, for asking what a project offers at all.
const KINDS: [NeedKind; 8] = [
    NeedKind::FilesRead,
    NeedKind::FilesWrite,
    NeedKind::Http,
    NeedKind::Exec,
    NeedKind::Model,
    NeedKind::Secrets,
    NeedKind::Question,
    NeedKind::Budget,
];

/// What project and operator offer a task of this workspace at this moment, all kinds of authority together.
///
/// # Errors
/// When they cannot be put together.
pub(crate) fn offered(project: &Project, who: &str, held: &Grants) -> Result<Grants, String> {
    let needs = KINDS.map(|kind| Need {
        kind,
        reason: String::new(),
        optional: true,
    });
    let narrowing = Narrowing {
        workspace: held.workspace,
        merge: held.merge,
        ..Narrowing::default()
    };
    let request = Request {
        who,
        plugin: "",
        needs: &needs,
        narrowing: &narrowing,
    };
    let file = project.file();
    grants(request, &file.policy, file.operator.as_ref()).map_err(said)
}

/// Whether the project and the operator still allow these grants.
///
/// # Errors
/// What they do not allow any more.
pub(crate) fn still_allowed(project: &Project, who: &str, held: &Grants) -> Result<(), String> {
    let offered = offered(project, who, held)?;
    narrows(who, held, &[&offered]).map_err(said)
}

fn said(refusals: Vec<sandgate_authority::Refusal>) -> String {
    let lines: Vec<String> = refusals.iter().map(ToString::to_string).collect();
    format!(
        "the project allows less than when the plan was made: {}",
        lines.join("; ")
    )
}

/// The ports of one call, and the desk at which they are accounted for.
pub(crate) struct Minted {
    pub(crate) powers: Powers,
    pub(crate) desk: Arc<CallDesk>,
}

/// The ports of one call. A port is there exactly when something is granted for it.
pub(crate) fn mint(shared: &Arc<Shared>, m: Minting<'_>) -> Minted {
    let (brokers, project) = (&shared.brokers, &shared.project);
    let policy = &project.file().policy;
    let origin = |origin: Option<&Origin>| origin.map(ToString::to_string).unwrap_or_default();
    let desk = CallDesk::new(
        Arc::clone(shared),
        m.run,
        m.by,
        m.inbox.clone(),
        m.facts,
        m.caps.effects,
    );
    let whole = m.grants.may_wait();
    let mut powers = Powers::default();
    if !m.grants.http.is_empty() {
        let authority = Arc::new(HttpAuthority::new(m.grants));
        let secrets = Revealed::new(Arc::clone(&brokers.vault));
        let session = brokers.egress.session(SessionParts {
            authority: Arc::clone(&authority),
            secrets: Arc::clone(&secrets) as Arc<dyn sandgate_egress::SecretSource>,
            meter: NetworkMeter::new(Some(m.caps.network)),
            limits: EgressLimits::default(),
        });
        powers.http = Some(Arc::new(HttpPower {
            authority,
            session,
            desk: Arc::clone(&desk),
            secrets,
            rules: m
                .grants
                .http
                .iter()
                .map(|g| origin(rule_of_http(g, policy)))
                .collect(),
            whole,
        }));
    }
    if !m.grants.exec.is_empty() {
        let allowed = m.grants.exec.iter().map(|g| AllowedCommand {
            name: g.name.clone(),
            program: g.program.clone(),
            args: g.args.clone(),
            approval: g.approval,
        });
        powers.command = Some(Arc::new(CommandPower {
            grants: Arc::new(m.grants.clone()),
            parts: Arc::new(CommandParts {
                runner: brokers.runner.clone(),
                vault: Arc::clone(&brokers.vault),
                desk: Arc::clone(&desk),
                sink: Arc::clone(&m.sink),
                dirs: m.dirs,
                workspace: m.grants.workspace.as_str(),
                deadline: m.deadline,
                allowed: allowed.collect(),
                rules: m
                    .grants
                    .exec
                    .iter()
                    .map(|g| origin(rule_of_exec(&g.name, policy)))
                    .collect(),
                programs: m
                    .grants
                    .exec
                    .iter()
                    .map(|g| {
                        let found = brokers.runner.resolve(&g.program);
                        found.map_err(|error| crate::chain(&error))
                    })
                    .collect(),
            }),
        }));
    }
    if !m.grants.model.is_empty() {
        let rule = |g: &ModelGrant| {
            (
                g.provider.clone(),
                origin(
                    g.models
                        .first()
                        .and_then(|model| rule_of_model(&g.provider, model, policy)),
                ),
            )
        };
        powers.model = Some(Arc::new(ModelPower {
            models: Arc::clone(&brokers.models),
            grants: Arc::new(m.grants.clone()),
            desk: Arc::clone(&desk),
            money: match m.allowance.micros {
                Some(_) => Money::Budgeted,
                None => Money::Unlimited,
            },
            tokens: Arc::new(AtomicU64::new(m.caps.tokens)),
            rules: m.grants.model.iter().map(rule).collect(),
            providers: Arc::new(
                m.grants
                    .model
                    .iter()
                    .filter_map(|g| {
                        let found = project.file().providers.get(&g.provider)?;
                        Some((g.provider.clone(), found.value.clone()))
                    })
                    .collect(),
            ),
            whole,
        }));
    }
    if m.grants.budget {
        let left = m.allowance.micros.map(|n| Arc::new(AtomicU64::new(n)));
        powers.budget = Some(Arc::new(ChargePower::new(
            Arc::clone(&desk),
            origin(policy.charge().map(|rule| &rule.origin)),
            m.grants.budget_approval,
            left,
        )));
    }
    if m.grants.question {
        powers.question = Some(Arc::new(QuestionPower {
            desk: Arc::clone(&desk),
        }));
    }
    Minted { powers, desk }
}
