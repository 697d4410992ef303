//! Everything that can be wrong with a workflow, found at once. Each file looks at one thing.

mod graph;
mod limits;
mod people;
mod plugins;
mod templates;

pub(crate) use graph::{arrows, index};
pub(crate) use plugins::{Plugins, Which, check as check_plugins, next_step};
pub(crate) use templates::{Names, Suggest};

use crate::{
    Catalog, Code, Diagnostic, Diagnostics, MAX_TASKS, Project, Source, Span, Workflow,
    read::read_workflow,
};
use std::sync::Arc;

/// Reads and checks a workflow. All mistakes are reported at once, in the order of their places; there is a
/// workflow only when none of them is an error.
///
/// Without a catalog, what depends on the plugins themselves is left for later: roles, configuration, inputs,
/// authority. [`crate::freeze`] checks those in any case.
#[must_use]
pub fn check(
    source: &Arc<Source>,
    project: &Project,
    catalog: Option<&Catalog>,
) -> (Option<Workflow>, Diagnostics) {
    let mut out = Diagnostics::default();
    let Some(read) = read_workflow(source, &mut out) else {
        return (None, out.finish());
    };
    if read.broken {
        return (None, out.finish());
    }
    let workflow = &read.workflow;
    if workflow.tasks.len() > MAX_TASKS {
        let at = workflow
            .tasks
            .get(MAX_TASKS)
            .map_or(Span::default(), |t| t.id.span);
        let message = format!(
            "a plan has at most {MAX_TASKS} tasks, this one has {}",
            workflow.tasks.len()
        );
        out.push(
            Diagnostic::new(Code::TOO_MANY_TASKS, message, source, at).help("split the workflow"),
        );
        return (None, out.finish());
    }
    if workflow.tasks.is_empty()
        && workflow.planner.is_none()
        && read.lost.is_empty()
        && !out.has_errors()
    {
        let end = source.text().lines().next().map_or(0, str::len);
        out.push(
            Diagnostic::new(
                Code::NOTHING_TO_DO,
                "this workflow has neither tasks nor a planner",
                source,
                Span::new(0, end),
            )
            .help("add a [[task]], or a [planner] with use = \"NAME\""),
        );
    }
    let graph = graph::check(&read, &mut out);
    templates::check(&read, &graph, &mut out);
    people::check(&read, project, &mut out);
    limits::check(workflow, project, &mut out);
    plugins::check(workflow, project, catalog, &mut out);
    let out = out.finish();
    (Some(read.workflow).filter(|_| !out.has_errors()), out)
}
