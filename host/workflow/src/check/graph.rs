//! Ids, needs, artifacts and circles among written tasks.

use crate::{
    Code, Diagnostic, Diagnostics, WrittenTask, check::templates::Suggest, confuse::look,
    graph::Graph, read::Read,
};
use std::collections::{HashMap, HashSet};

/// Where each id stands.
pub(crate) fn index(tasks: &[WrittenTask]) -> HashMap<&str, u32> {
    let mut index = HashMap::with_capacity(tasks.len());
    for (i, task) in tasks.iter().enumerate() {
        if let Ok(i) = u32::try_from(i) {
            index.entry(task.id.value.as_str()).or_insert(i);
        }
    }
    index
}

/// A circle for people: `a → b → a`, cut in the middle when it is long.
pub(crate) fn arrows(ids: &[&str]) -> String {
    /// Ids shown at each end of a long circle; a line of text.
    const ENDS: usize = 5;
    let first = ids.first().copied().unwrap_or_default();
    if ids.len() > 2 * ENDS + 1 {
        let head = ids.get(..ENDS).unwrap_or_default().join(" → ");
        let tail = ids.get(ids.len() - ENDS..).unwrap_or_default().join(" → ");
        return format!(
            "{head} → … {} more … → {tail} → {first}",
            ids.len() - 2 * ENDS
        );
    }
    format!("{} → {first}", ids.join(" → "))
}

pub(super) fn check(read: &Read, out: &mut Diagnostics) -> Graph {
    let (source, tasks) = (&read.workflow.source, &read.workflow.tasks);
    let index = index(tasks);
    let suggest = Suggest::default();
    ids(read, &index, out);

    let mut needs: Vec<Vec<u32>> = Vec::with_capacity(tasks.len());
    for (me, task) in tasks.iter().enumerate() {
        let mut list = Vec::with_capacity(task.needs.len() + task.consumes.len());
        let mut seen = HashSet::new();
        for need in &task.needs {
            let id = need.value.as_str();
            if !seen.insert(id) {
                out.push(
                    Diagnostic::new(
                        Code::REPEATED,
                        format!("`{id}` is needed twice"),
                        source,
                        need.span,
                    )
                    .help("remove one of them"),
                );
                continue;
            }
            match index.get(id) {
                Some(at) if *at as usize == me || id == task.id.value.as_str() => out.push(
                    Diagnostic::new(
                        Code::SELF_NEED,
                        format!("task `{id}` needs itself"),
                        source,
                        need.span,
                    )
                    .help("remove it from `needs`"),
                ),
                Some(at) => list.push(*at),
                None if read.lost.contains(id) => {}
                None => {
                    let near = suggest.nearest(id, tasks.iter().map(|t| t.id.value.as_str()));
                    let help = near.map_or_else(
                        || "add the task, or remove it from `needs`".to_owned(),
                        |n| format!("did you mean `{n}`?"),
                    );
                    out.push(
                        Diagnostic::new(
                            Code::UNKNOWN_NEED,
                            format!("there is no task `{id}`"),
                            source,
                            need.span,
                        )
                        .label("not a task of this workflow")
                        .help(help),
                    );
                }
            }
        }
        consumes(read, me, task, &index, &suggest, &mut list, out);
        let mut made = HashSet::new();
        for artifact in &task.produces {
            if !made.insert(artifact.value.as_str()) {
                out.push(
                    Diagnostic::new(
                        Code::REPEATED,
                        format!("`{}` is produced twice", artifact.value),
                        source,
                        artifact.span,
                    )
                    .help("remove one of them"),
                );
            }
        }
        needs.push(list);
    }
    let graph = Graph::new(needs);
    for circle in graph.cycles() {
        let members: Vec<&WrittenTask> = circle
            .iter()
            .filter_map(|i| tasks.get(*i as usize))
            .collect();
        let ids: Vec<&str> = members.iter().map(|t| t.id.value.as_str()).collect();
        let Some(first) = members.first() else {
            continue;
        };
        let mut found = Diagnostic::new(
            Code::CYCLE,
            format!("tasks need each other in a circle: {}", arrows(&ids)),
            source,
            first.id.span,
        )
        .label("none of these can ever start")
        .help("remove one of these needs, or an artifact that is consumed");
        for (task, next) in members.iter().zip(ids.iter().cycle().skip(1)).take(4) {
            if let Some(need) = task.needs.iter().find(|n| n.value.as_str() == *next) {
                found = found.also(
                    source,
                    need.span,
                    format!("`{}` needs `{next}`", task.id.value),
                );
            } else if let Some(artifact) =
                task.consumes.iter().find(|c| c.value.0.as_str() == *next)
            {
                found = found.also(
                    source,
                    artifact.span,
                    format!("`{}` consumes from `{next}`", task.id.value),
                );
            }
        }
        out.push(found);
    }
    graph
}

fn ids(read: &Read, index: &HashMap<&str, u32>, out: &mut Diagnostics) {
    let (source, tasks) = (&read.workflow.source, &read.workflow.tasks);
    let mut looks: HashMap<String, usize> = HashMap::with_capacity(tasks.len());
    for (i, task) in tasks.iter().enumerate() {
        let id = task.id.value.as_str();
        let first = index.get(id).and_then(|at| tasks.get(*at as usize));
        if let Some(first) = first.filter(|f| f.id.span != task.id.span) {
            out.push(
                Diagnostic::new(
                    Code::DUPLICATE_TASK,
                    format!("there are two tasks `{id}`"),
                    source,
                    task.id.span,
                )
                .label("the second one")
                .also(source, first.id.span, "the first one")
                .help("give one of them another id"),
            );
            continue;
        }
        match looks.entry(look(id)) {
            std::collections::hash_map::Entry::Vacant(slot) => {
                slot.insert(i);
            }
            std::collections::hash_map::Entry::Occupied(slot) => {
                if let Some(other) = tasks.get(*slot.get()) {
                    out.push(
                        Diagnostic::new(
                            Code::CONFUSABLE_IDS,
                            format!("`{id}` and `{}` look alike", other.id.value),
                            source,
                            task.id.span,
                        )
                        .also(source, other.id.span, "the other one")
                        .help(
                            "choose ids that nobody takes for each other, in approvals above all",
                        ),
                    );
                }
            }
        }
    }
    let mut gates: HashMap<&str, crate::Span> = HashMap::new();
    for gate in &read.workflow.gates {
        if let Some(first) = gates.insert(gate.id.value.as_str(), gate.id.span) {
            out.push(
                Diagnostic::new(
                    Code::DUPLICATE_GATE,
                    format!("there are two gates `{}`", gate.id.value),
                    source,
                    gate.id.span,
                )
                .label("the second one")
                .also(source, first, "the first one")
                .help("give one of them another id"),
            );
        }
    }
}

fn consumes(
    read: &Read,
    me: usize,
    task: &WrittenTask,
    index: &HashMap<&str, u32>,
    suggest: &Suggest,
    needs: &mut Vec<u32>,
    out: &mut Diagnostics,
) {
    let (source, tasks) = (&read.workflow.source, &read.workflow.tasks);
    for consumed in &task.consumes {
        let (id, artifact) = (consumed.value.0.as_str(), consumed.value.1.as_str());
        let Some(at) = index.get(id) else {
            if !read.lost.contains(id) {
                let near = suggest.nearest(id, tasks.iter().map(|t| t.id.value.as_str()));
                out.push(
                    Diagnostic::new(
                        Code::NOT_PRODUCED,
                        format!("there is no task `{id}`"),
                        source,
                        consumed.span,
                    )
                    .maybe_help(near.map(|n| format!("did you mean \"{n}.{artifact}\"?"))),
                );
            }
            continue;
        };
        if *at as usize == me {
            out.push(
                Diagnostic::new(
                    Code::SELF_NEED,
                    format!("task `{id}` consumes its own artifact"),
                    source,
                    consumed.span,
                )
                .help("remove it from `consumes`"),
            );
            continue;
        }
        needs.push(*at);
        let Some(producer) = tasks.get(*at as usize) else {
            continue;
        };
        if !producer
            .produces
            .iter()
            .any(|p| p.value.as_str() == artifact)
        {
            let made: Vec<&str> = producer.produces.iter().map(|p| p.value.as_str()).collect();
            let help = match suggest.nearest(artifact, made.iter().copied()) {
                Some(near) => format!("did you mean \"{id}.{near}\"?"),
                None => format!("add \"{artifact}\" to `produces` of task `{id}`"),
            };
            out.push(
                Diagnostic::new(
                    Code::NOT_PRODUCED,
                    format!("task `{id}` does not produce `{artifact}`"),
                    source,
                    consumed.span,
                )
                .also(source, producer.id.span, "this task")
                .help(help),
            );
        }
    }
}
