//! What can be known of a template before it runs: that it can be read, and that every name in it exists. An error
//! found here is one that is not found at 3 a.m. Must not evaluate anything.

use super::engine::{FILTERS, FUNCTIONS, TESTS, environment};
use super::render::TEMPLATE_MAX;
use super::scan::{self, Call, Path, Piece, ScanError, Step};
use crate::{Code, suggest::nearest};
use std::{collections::BTreeSet, ops::Range};

/// How a task stands to the one that refers to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TaskRef {
    Unknown,
    Itself,
    NotNeeded,
    Needed,
}

/// The names that a template may use.
pub(crate) trait Scope {
    /// Names of the inputs.
    fn inputs(&self) -> Vec<&str>;
    /// Whether an input exists.
    fn has_input(&self, name: &str) -> bool;
    /// Where the template stands, when tasks cannot be used there: "the goal".
    fn no_tasks(&self) -> Option<&'static str>;
    /// How a task stands to this one.
    fn task(&self, id: &str) -> TaskRef;
    /// The task that was probably meant.
    fn nearest_task(&self, id: &str) -> Option<String>;
    /// Whether a task produces an artifact.
    fn produces(&self, id: &str, artifact: &str) -> bool;
    /// Whether `item` and `index` exist.
    fn item(&self) -> bool;
    /// What to write so that a task is needed.
    fn needs_line(&self, id: &str) -> String;
}

/// A mistake in a template; `at` are bytes of the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) code: Code,
    pub(crate) at: Range<usize>,
    pub(crate) message: String,
    pub(crate) label: String,
    pub(crate) help: Option<String>,
}

impl Problem {
    fn new(code: Code, at: Range<usize>, message: impl Into<String>) -> Self {
        Self {
            code,
            at,
            message: message.into(),
            label: String::new(),
            help: None,
        }
    }

    fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    fn shift(mut self, by: usize) -> Self {
        self.at = self.at.start + by..self.at.end + by;
        self
    }
}

/// What a check found out.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// Mistakes.
    pub(crate) problems: Vec<Problem>,
    /// Inputs in use.
    pub(crate) inputs: BTreeSet<String>,
    /// Tasks in use.
    pub(crate) tasks: BTreeSet<String>,
}

/// Checks a text with templates.
pub(crate) fn check_text(text: &str, scope: &dyn Scope, out: &mut Findings) {
    if text.len() > TEMPLATE_MAX {
        out.problems.push(too_long(text));
        return;
    }
    match scan::split(text) {
        Err(error) => out.problems.push(scan_problem(&error)),
        Ok(pieces) => {
            for piece in pieces {
                if let Piece::Expr(expr, at) = piece {
                    expression(expr, at, scope, out);
                }
            }
        }
    }
}

/// Checks a bare expression, as in `when` and `for_each`.
pub(crate) fn check_expression(text: &str, scope: &dyn Scope, out: &mut Findings) {
    if text.len() > TEMPLATE_MAX {
        out.problems.push(too_long(text));
        return;
    }
    if text.trim().is_empty() {
        out.problems.push(Problem::new(
            Code::TEMPLATE_SYNTAX,
            0..text.len(),
            "the expression is empty",
        ));
        return;
    }
    if text.contains("{{") {
        let inner = text
            .trim()
            .trim_start_matches("{{")
            .trim_end_matches("}}")
            .trim();
        out.problems.push(
            Problem::new(
                Code::TEMPLATE_BRACES,
                0..text.len(),
                "an expression stands here without braces",
            )
            .help(format!("write \"{inner}\"")),
        );
        return;
    }
    expression(text, 0, scope, out);
}

fn too_long(text: &str) -> Problem {
    let message = format!(
        "a template has at most {TEMPLATE_MAX} bytes, this one has {}",
        text.len()
    );
    Problem::new(Code::TEMPLATE_TOO_LONG, 0..text.len(), message)
        .help("hand long texts over as inputs or artifacts, without templates")
}

/// Message, place and help of a text that cannot be cut into expressions.
pub(crate) fn scan_message(error: &ScanError) -> (&'static str, Range<usize>, &'static str) {
    match error {
        ScanError::Open(at) => (
            "`{{` without `}}`",
            at.clone(),
            "close the expression with `}}`; to have two braces as text write {{ \"{{\" }}",
        ),
        ScanError::Empty(at) => (
            "an expression without content",
            at.clone(),
            "name a value, such as {{ inputs.topic }}",
        ),
        ScanError::Statement(at) => (
            "templates have no statements",
            at.clone(),
            "use an expression such as {{ a if b else c }}, or `when` and `for_each` of the task",
        ),
        ScanError::Quote(at) => (
            "a text without its closing quote",
            at.clone(),
            "close the text with the quote that opened it",
        ),
        ScanError::Character(at, _) => (
            "a character that no expression has",
            at.clone(),
            "put text into quotes",
        ),
    }
}

fn scan_problem(error: &ScanError) -> Problem {
    let (message, at, help) = scan_message(error);
    let code = if matches!(error, ScanError::Statement(_)) {
        Code::TEMPLATE_STATEMENT
    } else {
        Code::TEMPLATE_SYNTAX
    };
    Problem::new(code, at, message).help(help)
}

fn expression(expr: &str, offset: usize, scope: &dyn Scope, out: &mut Findings) {
    let uses = match scan::uses(expr) {
        Ok(uses) => uses,
        Err(error) => {
            out.problems.push(scan_problem(&error).shift(offset));
            return;
        }
    };
    let known = out.problems.len();
    for (op, at) in &uses.operators {
        out.problems.push(
            Problem::new(
                Code::TEMPLATE_FILTER,
                at.clone(),
                format!("templates do not have the operator `{op}`"),
            )
            .help("hand the values over and let the agent compute"),
        );
    }
    for (call, name, at) in &uses.calls {
        let (kind, list) = match call {
            Call::Filter => ("filter", FILTERS),
            Call::Test => ("test", TESTS),
            Call::Function => ("function", FUNCTIONS),
        };
        if !list.contains(name) {
            let help = nearest(name, list.iter().copied()).map_or_else(
                || format!("there are: {}", list.join(", ")),
                |n| format!("did you mean `{n}`?"),
            );
            out.problems.push(
                Problem::new(
                    Code::TEMPLATE_FILTER,
                    at.clone(),
                    format!("there is no {kind} `{name}`"),
                )
                .help(help),
            );
        }
    }
    let mut read_on = 0;
    for path in uses.paths.iter() {
        // The words behind a hyphen are a part of the name that was meant.
        if path.at.start >= read_on {
            one_path(path, scope, out);
        }
        let hyphen = out
            .problems
            .iter()
            .skip(known)
            .any(|p| p.code == Code::TEMPLATE_HYPHEN);
        if let Some((_, at)) = path.dashed.as_ref().filter(|_| hyphen) {
            read_on = read_on.max(at.end);
        }
    }
    // The engine's own words come last: when a hyphen or an unknown filter explains the mistake, that is said.
    if out.problems.len() == known
        && let Err(error) = environment().compile_expression(expr)
    {
        let at = error
            .range()
            .filter(|r| r.end <= expr.len() && r.start < r.end)
            .unwrap_or(0..expr.len());
        let detail = error
            .detail()
            .map_or_else(|| error.kind().to_string(), str::to_owned);
        out.problems.push(
            Problem::new(
                Code::TEMPLATE_SYNTAX,
                at,
                format!("the expression cannot be read: {detail}"),
            )
            .help("put text into quotes, and join values with `~` or `+`"),
        );
    }
    for problem in out.problems.iter_mut().skip(known) {
        *problem = problem.clone().shift(offset);
    }
}

fn one_path(path: &Path<'_>, scope: &dyn Scope, out: &mut Findings) {
    match path.root {
        "inputs" => input(path, scope, out),
        "tasks" => task(path, scope, out),
        "item" | "index" if scope.item() => {}
        "item" | "index" => out.problems.push(
            Problem::new(
                Code::TEMPLATE_SCOPE,
                path.at.clone(),
                format!("`{}` exists only in a task with `for_each`", path.root),
            )
            .help("add for_each = \"inputs.NAME\" to the task, or use another value"),
        ),
        other => {
            let help = if scope.has_input(other) {
                format!("did you mean `inputs.{other}`?")
            } else if scope.no_tasks().is_none() && scope.task(other) != TaskRef::Unknown {
                format!("did you mean `tasks.{other}.output`?")
            } else {
                match nearest(other, ["inputs", "tasks", "item", "index"].into_iter()) {
                    Some(n) => format!("did you mean `{n}`?"),
                    None => "there are `inputs`, `tasks`, and in for_each `item` and `index`; put text into quotes".to_owned(),
                }
            };
            out.problems.push(
                Problem::new(
                    Code::TEMPLATE_NAME,
                    path.at.start..path.at.start + other.len(),
                    format!("there is no value `{other}`"),
                )
                .help(help),
            );
        }
    }
}

fn input(path: &Path<'_>, scope: &dyn Scope, out: &mut Findings) {
    let Some(first) = path.steps.first() else {
        // All of them at once.
        out.inputs
            .extend(scope.inputs().into_iter().map(str::to_owned));
        return;
    };
    let Step::Name(name) = first else {
        out.problems.push(
            Problem::new(
                Code::TEMPLATE_INPUT,
                path.at.clone(),
                "the name of an input has to be written out",
            )
            .help("write inputs.NAME"),
        );
        return;
    };
    if scope.has_input(name) {
        out.inputs.insert((*name).to_owned());
        return;
    }
    if let Some((dashed, at)) = &path.dashed
        && path.steps.len() == 1
        && (scope.has_input(dashed) || scope.has_input(&dashed.replace('-', "_")))
    {
        out.problems.push(
            Problem::new(
                Code::TEMPLATE_HYPHEN,
                at.clone(),
                format!("`{dashed}` is read as a subtraction"),
            )
            .help(format!(
                "did you mean `inputs.{}`?",
                dashed.replace('-', "_")
            )),
        );
        return;
    }
    let help = match nearest(name, scope.inputs().into_iter()) {
        Some(n) => format!("did you mean `inputs.{n}`?"),
        None => format!("declare it: [inputs.{name}] with a type"),
    };
    out.problems.push(
        Problem::new(
            Code::TEMPLATE_INPUT,
            path.at.clone(),
            format!("there is no input `{name}`"),
        )
        .help(help),
    );
}

fn task(path: &Path<'_>, scope: &dyn Scope, out: &mut Findings) {
    if let Some(place) = scope.no_tasks() {
        out.problems.push(
            Problem::new(
                Code::TEMPLATE_SCOPE,
                path.at.clone(),
                format!("{place} cannot use the output of tasks"),
            )
            .help("use inputs only: no task has run when this is filled in"),
        );
        return;
    }
    let Some(Step::Name(id)) = path.steps.first() else {
        out.problems.push(
            Problem::new(Code::TEMPLATE_TASK, path.at.clone(), "the id of a task has to be written out")
                .help("write tasks.ID.output, so that it can be checked that the task runs before this one"),
        );
        return;
    };
    // `tasks.my-task.output`: the id ends at the hyphen.
    if let Some((dashed, at)) = &path.dashed
        && path.steps.len() == 1
        && scope.task(id) == TaskRef::Unknown
    {
        out.problems.push(
            Problem::new(
                Code::TEMPLATE_HYPHEN,
                path.at.start..at.end,
                format!("`tasks.{dashed}` is read as a subtraction"),
            )
            .label("`-` is minus here")
            .help(format!("write tasks[\"{dashed}\"]")),
        );
        return;
    }
    match scope.task(id) {
        TaskRef::Needed => {
            out.tasks.insert((*id).to_owned());
        }
        TaskRef::Unknown => {
            let help = match scope.nearest_task(id) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "name a task of this plan".to_owned(),
            };
            out.problems.push(
                Problem::new(
                    Code::TEMPLATE_TASK,
                    path.at.clone(),
                    format!("there is no task `{id}`"),
                )
                .help(help),
            );
            return;
        }
        TaskRef::Itself => {
            out.problems.push(
                Problem::new(
                    Code::TEMPLATE_TASK,
                    path.at.clone(),
                    format!("task `{id}` uses its own output"),
                )
                .help("its output exists only after it ran"),
            );
            return;
        }
        TaskRef::NotNeeded => {
            out.tasks.insert((*id).to_owned());
            out.problems.push(
                Problem::new(
                    Code::TEMPLATE_NOT_NEEDED,
                    path.at.clone(),
                    format!("task `{id}` is used here but is not among the needs, so it may not have run"),
                )
                .help(scope.needs_line(id)),
            );
        }
    }
    field(path, id, scope, out);
}

fn field(path: &Path<'_>, id: &str, scope: &dyn Scope, out: &mut Findings) {
    let bracket = if is_word(id) {
        format!("tasks.{id}")
    } else {
        format!("tasks[\"{id}\"]")
    };
    match path.steps.get(1) {
        Some(Step::Name("output")) => {}
        Some(Step::Name("artifacts")) => match path.steps.get(2) {
            Some(Step::Name(name)) if scope.produces(id, name) => {}
            Some(Step::Name(name)) => out.problems.push(
                Problem::new(
                    Code::TEMPLATE_ARTIFACT,
                    path.at.clone(),
                    format!("task `{id}` does not produce an artifact `{name}`"),
                )
                .help(format!(
                    "add it to `produces` of `{id}`, or use {bracket}.output"
                )),
            ),
            _ => out.problems.push(
                Problem::new(
                    Code::TEMPLATE_ARTIFACT,
                    path.at.clone(),
                    "the name of an artifact has to be written out",
                )
                .help(format!("write {bracket}.artifacts[\"NAME\"].digest")),
            ),
        },
        Some(Step::Name(other)) => out.problems.push(
            Problem::new(
                Code::TEMPLATE_FIELD,
                path.at.clone(),
                format!("a task has no `{other}`"),
            )
            .help(format!(
                "a task has `output` and `artifacts`; did you mean {bracket}.output.{other}?"
            )),
        ),
        _ => out.problems.push(
            Problem::new(
                Code::TEMPLATE_FIELD,
                path.at.clone(),
                format!("`{bracket}` is not a value by itself"),
            )
            .help(format!("write {bracket}.output")),
        ),
    }
}

/// Whether an id can stand behind a dot.
pub(crate) fn is_word(id: &str) -> bool {
    !id.starts_with(|c: char| c.is_ascii_digit())
        && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}
