//! Templates of written tasks: every name in them exists, and what they use has run before.

use crate::{
    Code, Diagnostic, Diagnostics, InputDecl, Located, Source, Span,
    check::graph::index,
    graph::Graph,
    read::Read,
    suggest::nearest,
    template::{Findings, Problem, Scope, TaskRef, check_expression, check_text},
};
use std::{
    cell::Cell,
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::Arc,
};

/// Did you mean, with a limit on all comparisons together: a hundred thousand unknown names in a plan of a hundred
/// thousand tasks must not take a day.
pub(crate) struct Suggest {
    left: Cell<usize>,
}

impl Default for Suggest {
    fn default() -> Self {
        // Less than a tenth of a second.
        Self {
            left: Cell::new(300_000),
        }
    }
}

impl Suggest {
    pub(crate) fn nearest(
        &self,
        written: &str,
        words: impl ExactSizeIterator<Item = impl AsRef<str>>,
    ) -> Option<String> {
        self.left.set(self.left.get().checked_sub(words.len())?);
        let words: Vec<_> = words.collect();
        nearest(written, words.iter().map(AsRef::as_ref)).map(str::to_owned)
    }
}

/// The names that the templates of one task may use.
pub(crate) struct Names<'a> {
    pub(crate) inputs: &'a BTreeMap<String, InputDecl>,
    pub(crate) lost_inputs: Option<&'a HashSet<String>>,
    pub(crate) lost: Option<&'a HashSet<String>>,
    pub(crate) index: &'a HashMap<&'a str, u32>,
    pub(crate) graph: &'a Graph,
    /// Whether the task at an index produces an artifact.
    pub(crate) produces: &'a dyn Fn(u32, &str) -> bool,
    pub(crate) suggest: &'a Suggest,
    /// The task; absent: not a task.
    pub(crate) me: Option<u32>,
    /// What it needs, as written; for help.
    pub(crate) needs: Vec<&'a str>,
    pub(crate) item: bool,
    /// Where this is, when no task can be used there.
    pub(crate) place: Option<&'static str>,
}

impl Scope for Names<'_> {
    fn inputs(&self) -> Vec<&str> {
        self.inputs.keys().map(String::as_str).collect()
    }

    fn has_input(&self, name: &str) -> bool {
        self.inputs.contains_key(name) || self.lost_inputs.is_some_and(|l| l.contains(name))
    }

    fn no_tasks(&self) -> Option<&'static str> {
        self.place
    }

    fn task(&self, id: &str) -> TaskRef {
        let Some(&at) = self.index.get(id) else {
            return match self.lost.is_some_and(|l| l.contains(id)) {
                true => TaskRef::Needed,
                false => TaskRef::Unknown,
            };
        };
        match self.me {
            Some(me) if me == at => TaskRef::Itself,
            // Too expensive to find out counts as no: naming the task in `needs` settles it.
            Some(me) if self.graph.before(at, me) != Some(true) => TaskRef::NotNeeded,
            _ => TaskRef::Needed,
        }
    }

    fn nearest_task(&self, id: &str) -> Option<String> {
        self.suggest.nearest(id, self.index.keys())
    }

    fn produces(&self, id: &str, artifact: &str) -> bool {
        match self.index.get(id) {
            Some(at) => (self.produces)(*at, artifact),
            None => true,
        }
    }

    fn item(&self) -> bool {
        self.item
    }

    fn needs_line(&self, id: &str) -> String {
        let all: Vec<String> = self
            .needs
            .iter()
            .copied()
            .chain([id])
            .map(|n| format!("\"{n}\""))
            .collect();
        if all.len() > 6 {
            return format!("add \"{id}\" to `needs`");
        }
        format!("write needs = [{}]", all.join(", "))
    }
}

/// Where a part of a text is in the file: exactly where the text stands there as it is, otherwise the whole string
/// (when escapes make the two differ).
pub(crate) fn locate(source: &Source, text: &Located<String>, at: &std::ops::Range<usize>) -> Span {
    match source.slice(text.span).find(text.value.as_str()) {
        Some(start) if at.start < at.end => Span::new(
            text.span.start + start + at.start,
            text.span.start + start + at.end,
        ),
        _ => text.span,
    }
}

fn report(source: &Arc<Source>, text: &Located<String>, problem: Problem) -> Diagnostic {
    Diagnostic::new(
        problem.code,
        problem.message,
        source,
        locate(source, text, &problem.at),
    )
    .label(problem.label)
    .maybe_help(problem.help)
}

pub(super) fn check(read: &Read, graph: &Graph, out: &mut Diagnostics) {
    let workflow = &read.workflow;
    let (source, tasks) = (&workflow.source, &workflow.tasks);
    let index = index(tasks);
    let suggest = Suggest::default();
    let produces = |at: u32, artifact: &str| {
        tasks
            .get(at as usize)
            .is_some_and(|t| t.produces.iter().any(|p| p.value.as_str() == artifact))
    };
    let names = |me: Option<u32>, item: bool, place: Option<&'static str>| {
        let needs = me
            .and_then(|me| tasks.get(me as usize))
            .map(|t| t.needs.as_slice())
            .unwrap_or_default();
        Names {
            inputs: &workflow.inputs,
            lost_inputs: Some(&read.lost_inputs),
            lost: Some(&read.lost),
            index: &index,
            graph,
            produces: &produces,
            suggest: &suggest,
            me,
            needs: needs.iter().map(|n| n.value.as_str()).collect(),
            item,
            place,
        }
    };
    let mut used: BTreeSet<String> = BTreeSet::new();
    let mut unread = false;
    let mut take = |text: &Located<String>, findings: Findings, out: &mut Diagnostics| {
        used.extend(findings.inputs);
        for problem in findings.problems {
            unread |= matches!(
                problem.code,
                Code::TEMPLATE_SYNTAX | Code::TEMPLATE_STATEMENT | Code::TEMPLATE_BRACES
            );
            out.push(report(source, text, problem));
        }
    };

    let mut findings = Findings::default();
    check_text(
        &workflow.goal.value,
        &names(None, false, Some("the goal")),
        &mut findings,
    );
    take(&workflow.goal, findings, out);

    for (me, task) in tasks.iter().enumerate() {
        for span in &task.spans.keys {
            out.push(
                Diagnostic::new(
                    Code::TEMPLATE_KEY,
                    "a key cannot be a template",
                    source,
                    *span,
                )
                .help("write the key out, or hand over a whole object as one value"),
            );
        }
        if task.spans.templates.is_empty() && task.when.is_none() && task.for_each.is_none() {
            continue;
        }
        let me = u32::try_from(me).ok();
        // `when` and `for_each` are evaluated before there are instances, so they have no item.
        let before = names(me, false, None);
        for text in [&task.when, &task.for_each].into_iter().flatten() {
            let mut findings = Findings::default();
            check_expression(&text.value, &before, &mut findings);
            take(text, findings, out);
        }
        let inside = names(me, task.for_each.is_some(), None);
        for text in &task.spans.templates {
            let mut findings = Findings::default();
            check_text(&text.value, &inside, &mut findings);
            take(text, findings, out);
        }
    }
    // A planner sees every input; and what could not be read may use any.
    if workflow.planner.is_none() && !unread && read.lost.is_empty() {
        for (name, decl) in &workflow.inputs {
            if !used.contains(name) {
                out.push(
                    Diagnostic::new(
                        Code::UNUSED_INPUT,
                        format!("nothing uses the input `{name}`"),
                        source,
                        decl.span,
                    )
                    .help(format!("use it as {{{{ inputs.{name} }}}}, or remove it")),
                );
            }
        }
    }
}
