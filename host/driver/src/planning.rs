//! Making the plan: show the planner a packet, take its draft as hostile input, freeze it with the written tasks.

use crate::{
    accept::{Acceptance, LOCK_FILE},
    answer::describe,
    call,
    local::Shared,
    packet,
    work::{Inbox, PlanOrder},
};
use sandgate_engine::{Allowance, Event};
use sandgate_model::{
    Caller, DraftPlan, FileGrant, FileMode, Grants, Millis, OfferedAgent, OfferedGate, Packet,
    Plan, PluginName, Role, RunId, TaskLimits,
};
use sandgate_sandbox::{CancelToken, Limits, Outcome};
use sandgate_workflow::{
    Catalog, Context, Style, Workflow, check, freeze, planner_grants, render_text,
};
use serde_json::Value;
use std::{collections::BTreeMap, sync::Arc};

/// Makes a plan, or says why not.
pub(crate) async fn make(
    shared: &Arc<Shared>,
    run: RunId,
    order: Box<PlanOrder>,
    cancel: &CancelToken,
    inbox: &Inbox,
) -> Event {
    let planner = order.planner.clone();
    match made(shared, run, *order, cancel, inbox).await {
        Ok(event) => event,
        Err(message) => Event::PlannerFailed { planner, message },
    }
}

async fn made(
    shared: &Arc<Shared>,
    run: RunId,
    order: PlanOrder,
    cancel: &CancelToken,
    inbox: &Inbox,
) -> Result<Event, String> {
    let bytes = {
        let shared = Arc::clone(shared);
        tokio::task::spawn_blocking(move || shared.artifacts.get(&order.source))
            .await
            .map_err(|error| format!("the workflow of the run could not be read: {error}"))?
            .map_err(|error| {
                format!(
                    "the workflow of the run could not be read: {}",
                    crate::chain(&error)
                )
            })?
    };
    let text =
        String::from_utf8(bytes).map_err(|_| "the workflow of the run is not text".to_owned())?;
    let source = sandgate_workflow::Source::new(order.file.clone(), text);
    let (workflow, diagnostics) = check(&source, shared.project.file(), None);
    let workflow = workflow.ok_or_else(|| diagnostics.render(Style::Plain))?;
    let names = shared.plugins.wanted(&workflow);
    let (catalog, _) = shared.plugins.catalog(&names).await;
    // Whoever asked for the plan: what goes beyond what was accepted is not planned with.
    let acceptance = Acceptance::of(&shared.project, &shared.plugins, &names)
        .await
        .map_err(|error| crate::chain(&error))?;
    if acceptance.wider() {
        return Err(format!(
            "plugins may do more than was accepted in {LOCK_FILE}; look at it with `sandgate policy {0}` and accept it \
             with `sandgate policy {0} --accept`",
            order.file
        ));
    }

    let draft = match &order.planner {
        None => None,
        Some(planner) => {
            let packet = inspect(shared, &workflow, &catalog, order.inputs.clone());
            Some((
                planner.clone(),
                ask(
                    shared,
                    Asked {
                        run,
                        name: planner,
                        allowance: order.allowance,
                        inbox,
                        cancel,
                    },
                    &workflow,
                    &catalog,
                    &packet,
                )
                .await?,
            ))
        }
    };
    let plan = freeze(
        &workflow,
        shared.project.file(),
        &catalog,
        order.inputs,
        draft,
        order.revision,
    )
    .map_err(|errors| errors.to_string())?;
    let digest = plan
        .digest()
        .map_err(|error| format!("the plan cannot be encoded: {error}"))?;
    Ok(Event::PlanFrozen {
        digest,
        plan: Arc::new(plan),
    })
}

/// The run that a rehearsal pretends to be; no real one has this id.
pub(crate) fn rehearsal() -> RunId {
    RunId::new(uuid::Uuid::nil())
}

/// The plan that a run would get, with nothing recorded, and the planner that was not asked because it would do more
/// than compute.
pub(crate) async fn rehearse(
    shared: &Arc<Shared>,
    workflow: &Workflow,
    inputs: BTreeMap<String, Value>,
) -> Result<(Plan, Option<PluginName>), String> {
    let names = shared.plugins.wanted(workflow);
    let (catalog, _) = shared.plugins.catalog(&names).await;
    let mut draft = None;
    let mut unasked = None;
    if let Some(planner) = workflow.planner.as_ref().map(|p| &p.plugin.value) {
        let grants = planner_grants(workflow, planner, shared.project.file(), &catalog);
        if grants.is_ok_and(|grants| only_computes(&grants)) {
            // Nobody listens: a planner without powers makes no calls.
            let (inbox, _nobody) = tokio::sync::mpsc::unbounded_channel();
            let packet = inspect(shared, workflow, &catalog, inputs.clone());
            let asked = Asked {
                run: rehearsal(),
                name: planner,
                allowance: Allowance::default(),
                inbox: &inbox,
                cancel: &CancelToken::new(),
            };
            draft = Some((
                planner.clone(),
                ask(shared, asked, workflow, &catalog, &packet).await?,
            ));
        } else {
            unasked = Some(planner.clone());
        }
    }
    let plan = freeze(workflow, shared.project.file(), &catalog, inputs, draft, 1)
        .map_err(|errors| errors.to_string())?;
    Ok((plan, unasked))
}

fn only_computes(grants: &Grants) -> bool {
    grants.http.is_empty()
        && grants.exec.is_empty()
        && grants.model.is_empty()
        && !grants.budget
        && grants.files.iter().all(|f| f.mode == FileMode::Read)
}

/// Which planner is asked, and with what.
struct Asked<'a> {
    run: RunId,
    name: &'a PluginName,
    allowance: Allowance,
    inbox: &'a Inbox,
    cancel: &'a CancelToken,
}

async fn ask(
    shared: &Arc<Shared>,
    asked: Asked<'_>,
    workflow: &Workflow,
    catalog: &Catalog,
    packet: &Packet,
) -> Result<DraftPlan, String> {
    let name = asked.name;
    let plugin = shared
        .plugins
        .load(name)
        .await
        .ok_or_else(|| format!("the project has no plugin `{name}`"))?
        .map_err(|message| format!("plugin `{name}` cannot be used: {message}"))?;
    let settings = workflow.planner.as_ref();
    // The configuration is that of the planner it was written for, not of its fallbacks.
    let config = settings
        .filter(|p| p.plugin.value == *name)
        .map_or(Value::Null, |p| p.config.clone());
    let timeout: Millis = settings
        .and_then(|p| p.timeout)
        .unwrap_or(shared.project.file().limits.attempt);
    let who = format!("planner:{name}");
    let caller = call::Caller {
        run: asked.run,
        by: Caller::Planner,
        who: &who,
        task: None,
        limits: Limits::planner(),
        own: TaskLimits::default(),
        allowance: asked.allowance,
        inbox: asked.inbox,
    };
    let grants =
        planner_grants(workflow, name, shared.project.file(), catalog).map_err(|refusals| {
            let refusals: Vec<String> = refusals.iter().map(ToString::to_string).collect();
            refusals.join("; ")
        })?;
    let ready = call::prepare(shared, &caller, &plugin, &grants, timeout, asked.cancel).await?;
    let outcome = shared
        .sandbox
        .plan(&ready.call, packet, &config)
        .await
        .outcome;
    drop(ready.call);
    if let Some(room) = ready.room {
        room.discard().await;
    }
    match outcome {
        Outcome::Output(draft) => Ok(draft),
        other => Err(describe(other, timeout).1),
    }
}

/// The inspection packet of a workflow.
pub(crate) fn inspect(
    shared: &Shared,
    workflow: &Workflow,
    catalog: &Catalog,
    inputs: BTreeMap<String, Value>,
) -> Packet {
    let roots: Vec<FileGrant> = shared
        .project
        .file()
        .policy
        .files()
        .iter()
        .map(|rule| FileGrant {
            host: rule.grant.host.to_string(),
            guest: rule.grant.guest.to_string(),
            mode: rule.grant.mode,
        })
        .collect();
    let (files, files_cut) = packet::list(&shared.root, &roots);
    let agents = catalog
        .plugins
        .iter()
        .filter(|(_, entry)| entry.role == Role::Agent)
        .map(|(name, entry)| OfferedAgent {
            name: name.clone(),
            description: entry.description.clone(),
        })
        .collect();
    let gates = workflow
        .gates
        .iter()
        .map(|gate| OfferedGate {
            id: gate.id.value.clone(),
            plugin: gate.plugin.value.clone(),
            summary: catalog
                .get(&gate.plugin.value)
                .map_or_else(String::new, |entry| entry.description.summary.clone()),
        })
        .collect();
    Packet {
        goal: render_text(&workflow.goal.value, &Context::new(&inputs))
            .unwrap_or_else(|_| workflow.goal.value.clone()),
        inputs,
        files,
        files_cut,
        agents,
        gates,
        written: workflow
            .tasks
            .iter()
            .map(|task| task.id.value.to_string())
            .collect(),
        budget_micros: shared.project.file().budget_micros,
        report: None,
    }
}
