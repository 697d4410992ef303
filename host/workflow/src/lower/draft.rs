//! A planner's draft, checked as hostile input. Nothing in it is interpreted before it has been checked: not as an
//! id, a path, a template or a name. All reasons are collected; the cost is linear in the size of the draft.

use crate::{
    Code, Diagnostic, Diagnostics, MAX_TASKS, Subject, Workflow, WrittenTask,
    check::{Names, Plugins, Suggest, Which, arrows, next_step},
    confuse::look,
    graph::Graph,
    read::artifact_ref,
    structure::shorten,
    template::{Findings, check_text, deeper_than, is_template, uses_templates, weight},
};
use sandgate_authority::Narrowing;
use sandgate_model::{
    ArtifactName, ArtifactRef, DraftPlan, DraftTask, Grants, PluginName, Role, TaskId, TaskIx,
};
use serde_json::Value;
use std::collections::{HashMap, HashSet};

/// Longest title, in characters: a line of a terminal, twice.
const TITLE_MAX: usize = 200;

/// Longest rationale, in bytes: a few pages.
const RATIONALE_MAX: usize = 16 << 10;

/// Largest input of a task, in bytes; what the contract says a JSON document may have.
const INPUT_MAX: usize = 4 << 20;

/// Deepest input; rendering may add to it.
const DEPTH_MAX: usize = 60;

/// A task of the draft that was checked.
pub(super) struct Checked {
    pub(super) id: TaskId,
    pub(super) agent: PluginName,
    pub(super) consumes: Vec<ArtifactRef>,
    pub(super) produces: Vec<ArtifactName>,
    pub(super) grants: Grants,
}

/// What came out: the tasks that are fine, and the graph of all tasks.
pub(super) struct Outcome {
    pub(super) tasks: Vec<Checked>,
    pub(super) graph: Graph,
}

struct Draft<'a> {
    written: &'a [WrittenTask],
    tasks: &'a [DraftTask],
    index: HashMap<&'a str, u32>,
}

fn report(
    out: &mut Diagnostics,
    code: Code,
    id: &str,
    field: &'static str,
    message: impl Into<String>,
    help: Option<String>,
) {
    let subject = Subject {
        kind: "task",
        name: shorten(id),
        field,
    };
    out.push(Diagnostic::about(code, message, subject).maybe_help(help));
}

fn whole(out: &mut Diagnostics, code: Code, message: impl Into<String>, help: &str) {
    let subject = Subject {
        kind: "plan",
        name: String::new(),
        field: "",
    };
    out.push(Diagnostic::about(code, message, subject).help(help));
}

/// Checks a draft together with the written tasks. `written` are the needs of the written tasks, as indexes.
pub(super) fn check(
    workflow: &Workflow,
    written: Vec<Vec<u32>>,
    draft: &DraftPlan,
    plugins: &Plugins<'_>,
    out: &mut Diagnostics,
) -> Option<Outcome> {
    let total = workflow.tasks.len() + draft.tasks.len();
    if total > MAX_TASKS {
        let message = format!("the plan would have {total} tasks; at most {MAX_TASKS} are allowed");
        whole(
            out,
            Code::DRAFT_TOO_MANY,
            message,
            "let the planner make a smaller plan, or use `for_each`",
        );
        return None;
    }
    if total == 0 {
        whole(
            out,
            Code::DRAFT_EMPTY,
            "the planner proposed no task, and none is written",
            "reword the goal, or write tasks",
        );
    }
    if draft.rationale.len() > RATIONALE_MAX {
        whole(
            out,
            Code::DRAFT_TEXT,
            format!("the rationale is longer than {RATIONALE_MAX} bytes"),
            "this is a mistake of the planner",
        );
    }
    let draft = ids(workflow, draft, out);
    let mut needs = written;
    let mut tasks = Vec::with_capacity(draft.tasks.len());
    let suggest = Suggest::default();
    let mut producing: Vec<HashSet<&str>> = Vec::with_capacity(total);
    for task in draft.written {
        producing.push(task.produces.iter().map(|p| p.value.as_str()).collect());
    }
    for task in draft.tasks {
        producing.push(task.produces.iter().map(String::as_str).collect());
    }
    for (i, task) in draft.tasks.iter().enumerate() {
        let me = draft.written.len() + i;
        let mut list = draft.needs(me, task, &suggest, out);
        let consumes = draft.consumes(me, task, &producing, out);
        list.extend(consumes.iter().map(|c| c.task.0));
        needs.push(list);
        texts(task, out);
        let produces = produces(task, out);
        let agent = agent(task, plugins, out);
        if let (Ok(id), Some((agent, grants))) = (TaskId::new(&task.id), agent) {
            tasks.push(Checked {
                id,
                agent,
                consumes,
                produces,
                grants,
            });
        }
    }
    let graph = Graph::new(needs);
    for circle in graph.cycles() {
        let ids: Vec<String> = circle.iter().map(|i| shorten(draft.id(*i))).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let message = format!("tasks need each other in a circle: {}", arrows(&ids));
        report(
            out,
            Code::DRAFT_CYCLE,
            ids.first().copied().unwrap_or_default(),
            "needs",
            message,
            None,
        );
    }
    draft.templates(workflow, &graph, &producing, &suggest, out);
    Some(Outcome { tasks, graph })
}

fn ids<'a>(workflow: &'a Workflow, draft: &'a DraftPlan, out: &mut Diagnostics) -> Draft<'a> {
    let written = workflow.tasks.as_slice();
    let mut index: HashMap<&str, u32> = HashMap::with_capacity(written.len() + draft.tasks.len());
    let mut looks: HashMap<String, &str> =
        HashMap::with_capacity(written.len() + draft.tasks.len());
    for (i, task) in written.iter().enumerate() {
        index.insert(task.id.value.as_str(), u32::try_from(i).unwrap_or(u32::MAX));
        looks.insert(look(task.id.value.as_str()), task.id.value.as_str());
    }
    for (i, task) in draft.tasks.iter().enumerate() {
        let id = task.id.as_str();
        if is_template(id) {
            report(
                out,
                Code::DRAFT_TEMPLATE_TEXT,
                id,
                "id",
                "an id cannot hold template text",
                None,
            );
            continue;
        }
        if let Err(error) = TaskId::new(id) {
            report(out, Code::DRAFT_ID, id, "id", error.to_string(), None);
            continue;
        }
        if let Some(first) = index.get(id) {
            if (*first as usize) < written.len() {
                report(
                    out,
                    Code::DRAFT_REPLACES,
                    id,
                    "id",
                    format!("task `{id}` is already written"),
                    Some("a planner adds tasks, it does not replace any".to_owned()),
                );
            } else {
                report(
                    out,
                    Code::DRAFT_DUPLICATE,
                    id,
                    "id",
                    format!("there are two tasks `{id}`"),
                    None,
                );
            }
            continue;
        }
        index.insert(id, u32::try_from(written.len() + i).unwrap_or(u32::MAX));
        if let Some(other) = looks.insert(look(id), id) {
            report(
                out,
                Code::DRAFT_CONFUSABLE,
                id,
                "id",
                format!("`{id}` and `{other}` look alike"),
                None,
            );
        }
    }
    Draft {
        written,
        tasks: &draft.tasks,
        index,
    }
}

impl<'a> Draft<'a> {
    fn id(&self, i: u32) -> &'a str {
        let i = i as usize;
        match self.written.get(i) {
            Some(task) => task.id.value.as_str(),
            None => self
                .tasks
                .get(i - self.written.len())
                .map_or("", |t| t.id.as_str()),
        }
    }

    fn needs(
        &self,
        me: usize,
        task: &DraftTask,
        suggest: &Suggest,
        out: &mut Diagnostics,
    ) -> Vec<u32> {
        let mut list = Vec::with_capacity(task.needs.len());
        for need in &task.needs {
            match self.index.get(need.as_str()) {
                Some(at) if *at as usize == me => {
                    report(
                        out,
                        Code::DRAFT_SELF_NEED,
                        &task.id,
                        "needs",
                        "the task needs itself",
                        None,
                    );
                }
                Some(at) => list.push(*at),
                None => {
                    let help = suggest
                        .nearest(need, self.index.keys())
                        .map(|n| format!("did it mean `{n}`?"));
                    let message = format!("needs `{}`, which is not in the plan", shorten(need));
                    report(out, Code::DRAFT_NEED, &task.id, "needs", message, help);
                }
            }
        }
        list
    }

    fn consumes(
        &self,
        me: usize,
        task: &DraftTask,
        producing: &[HashSet<&str>],
        out: &mut Diagnostics,
    ) -> Vec<ArtifactRef> {
        let mut list: Vec<ArtifactRef> = Vec::with_capacity(task.consumes.len());
        for text in &task.consumes {
            let (id, name) = match artifact_ref(text) {
                Ok(found) => found,
                Err(message) => {
                    let message = format!("consumes {:?}: {message}", shorten(text));
                    report(
                        out,
                        Code::DRAFT_ARTIFACT,
                        &task.id,
                        "consumes",
                        message,
                        None,
                    );
                    continue;
                }
            };
            let Some(&at) = self.index.get(id.as_str()) else {
                let message = format!("consumes from `{id}`, which is not in the plan");
                report(
                    out,
                    Code::DRAFT_ARTIFACT,
                    &task.id,
                    "consumes",
                    message,
                    None,
                );
                continue;
            };
            if at as usize == me {
                report(
                    out,
                    Code::DRAFT_SELF_NEED,
                    &task.id,
                    "consumes",
                    "the task consumes its own artifact",
                    None,
                );
            } else if !producing
                .get(at as usize)
                .is_some_and(|p| p.contains(name.as_str()))
            {
                let message =
                    format!("consumes `{id}.{name}`, but task `{id}` does not produce `{name}`");
                report(
                    out,
                    Code::DRAFT_ARTIFACT,
                    &task.id,
                    "consumes",
                    message,
                    None,
                );
            } else {
                list.push(ArtifactRef {
                    task: TaskIx(at),
                    name,
                });
            }
        }
        list.sort();
        list.dedup();
        list
    }

    fn templates(
        &self,
        workflow: &Workflow,
        graph: &Graph,
        producing: &[HashSet<&str>],
        suggest: &Suggest,
        out: &mut Diagnostics,
    ) {
        let produces =
            |at: u32, name: &str| producing.get(at as usize).is_some_and(|p| p.contains(name));
        for (i, task) in self.tasks.iter().enumerate() {
            if deeper_than(&task.input, DEPTH_MAX) || !uses_templates(&task.input) {
                continue;
            }
            let names = Names {
                inputs: &workflow.inputs,
                lost_inputs: None,
                lost: None,
                index: &self.index,
                graph,
                produces: &produces,
                suggest,
                me: u32::try_from(self.written.len() + i).ok(),
                needs: Vec::new(),
                item: false,
                place: None,
            };
            let mut findings = Findings::default();
            let mut keys = false;
            strings(&task.input, &mut keys, &mut |text| {
                check_text(text, &names, &mut findings)
            });
            if keys {
                report(
                    out,
                    Code::DRAFT_TEMPLATE_TEXT,
                    &task.id,
                    "input",
                    "a key cannot hold template text",
                    None,
                );
            }
            for problem in findings.problems {
                report(
                    out,
                    Code::DRAFT_TEMPLATE,
                    &task.id,
                    "input",
                    problem.message,
                    problem.help,
                );
            }
        }
    }
}

/// Calls for every string with template text, and says whether a key holds any.
fn strings(value: &Value, keys: &mut bool, found: &mut dyn FnMut(&str)) {
    match value {
        Value::String(text) if is_template(text) => found(text),
        Value::Array(items) => items.iter().for_each(|v| strings(v, keys, found)),
        Value::Object(map) => map.iter().for_each(|(k, v)| {
            *keys |= is_template(k);
            strings(v, keys, found);
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn texts(task: &DraftTask, out: &mut Diagnostics) {
    if is_template(&task.title) {
        report(
            out,
            Code::DRAFT_TEMPLATE_TEXT,
            &task.id,
            "title",
            "a title cannot hold template text",
            None,
        );
    } else if task.title.chars().count() > TITLE_MAX {
        report(
            out,
            Code::DRAFT_TEXT,
            &task.id,
            "title",
            format!("the title is longer than {TITLE_MAX} characters"),
            None,
        );
    } else if task.title.chars().any(char::is_control) {
        report(
            out,
            Code::DRAFT_TEXT,
            &task.id,
            "title",
            "the title holds a control character",
            None,
        );
    }
}

fn produces(task: &DraftTask, out: &mut Diagnostics) -> Vec<ArtifactName> {
    let mut list: Vec<ArtifactName> = Vec::with_capacity(task.produces.len());
    let mut seen = HashSet::new();
    for text in &task.produces {
        match ArtifactName::new(text) {
            Ok(_) if !seen.insert(text.as_str()) => {
                report(
                    out,
                    Code::DRAFT_ARTIFACT,
                    &task.id,
                    "produces",
                    format!("`{text}` is produced twice"),
                    None,
                );
            }
            Ok(name) => list.push(name),
            Err(error) => {
                report(
                    out,
                    Code::DRAFT_ARTIFACT,
                    &task.id,
                    "produces",
                    format!("{:?}: {error}", shorten(text)),
                    None,
                );
            }
        }
    }
    list
}

fn agent(
    task: &DraftTask,
    plugins: &Plugins<'_>,
    out: &mut Diagnostics,
) -> Option<(PluginName, Grants)> {
    let Ok(name) = PluginName::new(&task.agent) else {
        let message = format!(
            "chose the agent {:?}, which is not a name",
            shorten(&task.agent)
        );
        report(out, Code::DRAFT_AGENT, &task.id, "agent", message, None);
        return None;
    };
    let entry = match plugins.find(&name, Role::Agent) {
        Ok(entry) => entry?,
        Err((_, message, help)) => {
            report(out, Code::DRAFT_AGENT, &task.id, "agent", message, help);
            return None;
        }
    };
    if deeper_than(&task.input, DEPTH_MAX) {
        report(
            out,
            Code::DRAFT_INPUT_SIZE,
            &task.id,
            "input",
            format!("the input is deeper than {DEPTH_MAX} levels"),
            None,
        );
    } else if weight(&task.input) > INPUT_MAX {
        report(
            out,
            Code::DRAFT_INPUT_SIZE,
            &task.id,
            "input",
            "the input is larger than 4 MiB",
            None,
        );
    } else if !uses_templates(&task.input) {
        match plugins.fits(&name, entry, Which::Input, &super::plan::input(&task.input)) {
            None => report(
                out,
                Code::BAD_SCHEMA,
                &task.id,
                "input",
                format!("the input schema of agent `{name}` is broken"),
                None,
            ),
            Some(found) => {
                for mismatch in found {
                    report(
                        out,
                        Code::DRAFT_INPUT,
                        &task.id,
                        "input",
                        mismatch.to_string(),
                        None,
                    );
                }
            }
        }
    }
    let empty = Value::Object(serde_json::Map::new());
    if entry.description.config_schema.is_some()
        && plugins
            .fits(&name, entry, Which::Config, &empty)
            .is_none_or(|m| !m.is_empty())
    {
        let message = format!("agent `{name}` needs a configuration, which a planner cannot give");
        report(
            out,
            Code::DRAFT_AGENT,
            &task.id,
            "agent",
            message,
            Some("write a task for it".to_owned()),
        );
    }
    match plugins.grants("the task", &name, entry, &Narrowing::default()) {
        Ok(grants) => Some((name, grants)),
        Err(refusals) => {
            for refusal in refusals {
                let help = refusal
                    .allow
                    .unwrap_or_else(|| next_step(refusal.layer).to_owned());
                report(
                    out,
                    Code::REFUSED,
                    &task.id,
                    "agent",
                    refusal.message,
                    Some(help),
                );
            }
            None
        }
    }
}
