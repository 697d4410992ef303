//! Making the plan: show the planner a packet, take its draft as hostile input, freeze it with the written tasks.

use crate::{answer::describe, call, local::Shared, packet, work::PlanOrder};
use sandgate_engine::Event;
use sandgate_model::{
    DraftPlan, FileGrant, Millis, OfferedAgent, OfferedGate, Packet, PluginName, Role, RunId,
};
use sandgate_sandbox::{CancelToken, Limits, Outcome};
use sandgate_workflow::{
    Catalog, Context, Style, Workflow, check, freeze, plugin_grants, render_text,
};
use serde_json::Value;
use std::{collections::BTreeMap, sync::Arc};

/// Makes a plan, or says why not.
pub(crate) async fn make(
    shared: &Arc<Shared>,
    run: RunId,
    order: Box<PlanOrder>,
    cancel: &CancelToken,
) -> Event {
    let planner = order.planner.clone();
    match made(shared, run, *order, cancel).await {
        Ok(event) => event,
        Err(message) => Event::PlannerFailed { planner, message },
    }
}

async fn made(
    shared: &Arc<Shared>,
    run: RunId,
    order: PlanOrder,
    cancel: &CancelToken,
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

    let draft = match &order.planner {
        None => None,
        Some(planner) => {
            let packet = inspect(shared, &workflow, &catalog, order.inputs.clone());
            Some((
                planner.clone(),
                ask(shared, run, planner, &workflow, &catalog, &packet, cancel).await?,
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

async fn ask(
    shared: &Arc<Shared>,
    run: RunId,
    name: &PluginName,
    workflow: &Workflow,
    catalog: &Catalog,
    packet: &Packet,
    cancel: &CancelToken,
) -> Result<DraftPlan, String> {
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
        run,
        who: &who,
        task: None,
        limits: Limits::planner(),
    };
    let grants =
        plugin_grants("the planner", name, shared.project.file(), catalog).map_err(|refusals| {
            let refusals: Vec<String> = refusals.iter().map(ToString::to_string).collect();
            refusals.join("; ")
        })?;
    let call = call::prepare(shared, &caller, &plugin, &grants, timeout, cancel)?;
    match shared.sandbox.plan(&call, packet, &config).await.outcome {
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
            host: rule.host.to_string(),
            guest: rule.guest.to_string(),
            mode: rule.mode,
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
