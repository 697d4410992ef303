//! Making the plan: show the planner a packet, take its draft as hostile input, freeze it with the written tasks.

use crate::{
    accept::{Acceptance, LOCK_FILE},
    answer::describe,
    call::{self, Parted, Stopped},
    clock::millis,
    effects::preface_of,
    local::Shared,
    packet,
    room::Room,
    work::{Inbox, PlanOrder},
};
use sandgate_engine::{Allowance, Event, Restore};
use sandgate_model::{
    Caller, Digest, DraftPlan, FileGrant, FileMode, Grants, Millis, OfferedAgent, OfferedGate,
    Packet, Plan, PluginName, Role, RunId, TaskLimits,
};
use sandgate_sandbox::{CancelToken, Limits, Outcome};
use sandgate_workflow::{
    Catalog, Context, Style, Workflow, check, freeze, planner_grants, render_text,
};
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::Arc, time::Instant};

/// Makes a plan, or says why not.
pub(crate) async fn make(
    shared: &Arc<Shared>,
    run: RunId,
    order: Box<PlanOrder>,
    cancel: &CancelToken,
    inbox: &Inbox,
) -> (Event, Option<Room>) {
    let planner = order.planner.clone();
    match made(shared, run, *order, cancel, inbox).await {
        Ok(event) => (event, None),
        Err(Unmade::Suspended(stopped)) => (stopped.event, stopped.room),
        Err(Unmade::Failed(message)) => (Event::PlannerFailed { planner, message }, None),
    }
}

/// Why there is no plan.
enum Unmade {
    /// There is none.
    Failed(String),
    /// The planner waits for a person: the event says for what.
    Suspended(Box<Stopped>),
}

impl From<String> for Unmade {
    fn from(why: String) -> Self {
        Self::Failed(why)
    }
}

async fn made(
    shared: &Arc<Shared>,
    run: RunId,
    order: PlanOrder,
    cancel: &CancelToken,
    inbox: &Inbox,
) -> Result<Event, Unmade> {
    let (workflow, catalog) = workflow_of(shared, order.source, &order.file, false).await?;
    let draft = match &order.planner {
        None => None,
        Some(planner) => {
            let packet = packet_of(shared, &order, &workflow, &catalog).await?;
            let asked = Asked {
                run,
                name: planner,
                allowance: order.allowance,
                inbox,
                cancel,
                restore: order.restore.as_ref(),
            };
            let draft = ask(shared, asked, &workflow, &catalog, &packet).await?;
            Some((planner.clone(), draft))
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
    let digest = digest_and_keep(shared, &plan).await?;
    Ok(Event::PlanFrozen {
        digest,
        plan: Arc::new(plan),
    })
}

/// The digest of a plan whose bytes are in the artifact store from then on, for whoever reviews it.
pub(crate) async fn digest_and_keep(shared: &Arc<Shared>, plan: &Plan) -> Result<Digest, String> {
    let digest = plan
        .digest()
        .map_err(|error| format!("the plan cannot be encoded: {error}"))?;
    if plan.review {
        let bytes = serde_json::to_vec(plan)
            .map_err(|error| format!("the plan cannot be encoded: {error}"))?;
        crate::attempt::put(shared, bytes).await?;
    }
    Ok(digest)
}

/// What the planner is shown. One that is taken up again sees what it saw: the project may have changed meanwhile.
async fn packet_of(
    shared: &Arc<Shared>,
    order: &PlanOrder,
    workflow: &Workflow,
    catalog: &Catalog,
) -> Result<Packet, String> {
    if let Some(first) = order.restore.as_ref().and_then(|r| r.tape.first()) {
        let segment = crate::attempt::get(shared, *first).await?;
        let kept = preface_of(&segment).ok_or("what the planner was shown was not kept")?;
        return serde_json::from_slice(kept)
            .map_err(|error| format!("what the planner was shown cannot be read: {error}"));
    }
    let mut packet = inspect(shared, workflow, catalog, order.inputs.clone());
    packet.report = report(shared, order).await?;
    Ok(packet)
}

/// What a planner is told of plans that were rejected: the feedback, and the tasks of the last one.
async fn report(shared: &Arc<Shared>, order: &PlanOrder) -> Result<Option<Value>, String> {
    let Some(last) = order.feedback.last() else {
        return Ok(None);
    };
    let said: Vec<Value> = order
        .feedback
        .iter()
        .map(|f| json!({ "revision": f.revision, "feedback": f.text, "by": f.by.name }))
        .collect();
    let bytes = crate::attempt::get(shared, last.plan).await?;
    let plan: Plan = serde_json::from_slice(&bytes)
        .map_err(|error| format!("the rejected plan cannot be read: {error}"))?;
    let tasks: Vec<Value> = plan
        .tasks
        .iter()
        .map(|t| json!({ "id": t.id, "title": t.title, "needs": t.needs.len() }))
        .collect();
    Ok(Some(json!({ "rejected": said, "tasks": tasks })))
}

/// A run's workflow as it was when the run began, against the project as it is now. With `edit`, it may use every
/// plugin of the project. What plugins may do has to be what was accepted.
pub(crate) async fn workflow_of(
    shared: &Arc<Shared>,
    source: Digest,
    file: &str,
    edit: bool,
) -> Result<(Workflow, Catalog), String> {
    let bytes = {
        let shared = Arc::clone(shared);
        tokio::task::spawn_blocking(move || shared.artifacts.get(&source))
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
    let source = sandgate_workflow::Source::new(file.to_owned(), text);
    let (workflow, diagnostics) = check(&source, shared.project.file(), None);
    let workflow = workflow.ok_or_else(|| diagnostics.render(Style::Plain))?;
    let names = shared.plugins.wanted(&workflow);
    let offered = match edit {
        // Whoever reviews the edited plan sees what is new in it, and agrees to that.
        true => shared.plugins.names(),
        false => names.clone(),
    };
    let (catalog, _) = shared.plugins.catalog(&offered).await;
    // Whoever asked for the plan: what goes beyond what was accepted is not planned with.
    let acceptance = Acceptance::of(&shared.project, &shared.plugins, &names)
        .await
        .map_err(|error| crate::chain(&error))?;
    if acceptance.wider() {
        return Err(format!(
            "plugins may do more than was accepted in {LOCK_FILE}; look at it with `sandgate policy {file}` and accept it \
             with `sandgate policy {file} --accept`",
        ));
    }
    Ok((workflow, catalog))
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
                restore: None,
            };
            let made = match ask(shared, asked, workflow, &catalog, &packet).await {
                Ok(made) => made,
                Err(Unmade::Failed(why)) => return Err(why),
                Err(Unmade::Suspended(_)) => {
                    return Err("the planner waits for a person".to_owned());
                }
            };
            draft = Some((planner.clone(), made));
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
        && !grants.question
        && grants.files.iter().all(|f| f.mode == FileMode::Read)
}

/// Which planner is asked, and with what.
struct Asked<'a> {
    run: RunId,
    name: &'a PluginName,
    allowance: Allowance,
    inbox: &'a Inbox,
    cancel: &'a CancelToken,
    restore: Option<&'a Restore>,
}

async fn ask(
    shared: &Arc<Shared>,
    asked: Asked<'_>,
    workflow: &Workflow,
    catalog: &Catalog,
    packet: &Packet,
) -> Result<DraftPlan, Unmade> {
    let since = Instant::now();
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
        name,
        restore: asked.restore,
    };
    let grants =
        planner_grants(workflow, name, shared.project.file(), catalog).map_err(|refusals| {
            let refusals: Vec<String> = refusals.iter().map(ToString::to_string).collect();
            refusals.join("; ")
        })?;
    let ready = call::prepare(shared, &caller, &plugin, &grants, timeout, asked.cancel)
        .await
        .map_err(|why| why.message)?;
    if ready.tape.is_some() && asked.restore.is_none_or(|r| r.tape.is_empty()) {
        let kept = serde_json::to_vec(packet)
            .map_err(|error| format!("what the planner is shown cannot be kept: {error}"))?;
        ready.desk.begins_with(&kept);
    }
    let report = match &packet.report {
        None => shared.sandbox.plan(&ready.call, packet, &config).await,
        Some(_) => shared.sandbox.replan(&ready.call, packet, &config).await,
    };
    drop(ready.call);
    let known = !matches!(report.outcome, Outcome::Cancelled | Outcome::Timeout { .. });
    ready.desk.unchanging(known).await;
    if matches!(report.outcome, Outcome::Suspended) {
        let took = millis(since.elapsed());
        let tape = ready.tape.as_ref();
        return match call::part(shared, &ready.desk, caller.by, tape, ready.room, took).await {
            Parted::Suspended(stopped) => Err(Unmade::Suspended(stopped)),
            Parted::Failed(why) => Err(why.message.into()),
        };
    }
    call::leave(shared, ready.room, ready.tape.is_some(), &grants).await;
    match report.outcome {
        Outcome::Output(draft) => Ok(draft),
        other => Err(describe(other, timeout).1.into()),
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
