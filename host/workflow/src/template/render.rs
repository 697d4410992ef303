//! Filling templates in, when a task is about to start. Whatever goes wrong here is the task's failure, with a
//! message that names the expression. Must not be used to decide anything at check time.

use super::context::{Context, weight};
use super::engine::{DEPTH_MAX, LIST_MAX, TEXT_MAX, convert, environment, show};
use super::scan::{self, Piece};
use minijinja::{ErrorKind, Value as Jinja};
use serde_json::Value;

/// Largest document that templates may make, in bytes; what the contract says a JSON document may have.
const DOCUMENT_MAX: usize = 4 << 20;

/// Longest text that holds a template, in bytes. People write hundreds; this bounds what a planner can make the
/// host parse.
pub const TEMPLATE_MAX: usize = 16 << 10;

/// Most memory that one expression could need, in bytes, by the crudest estimate: the number of its parts times the
/// largest value it can name.
const GROWTH_MAX: usize = 256 << 20;

/// Why a template could not be filled in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{message}", if at.is_empty() { String::new() } else { format!("in `{at}`: ") })]
pub struct RenderError {
    /// Where in the document, as a JSON pointer; empty: the whole.
    pub at: String,
    /// What went wrong, with the expression: a lowercase fragment.
    pub message: String,
}

impl RenderError {
    fn new(message: impl Into<String>) -> Self {
        Self {
            at: String::new(),
            message: message.into(),
        }
    }

    fn at(mut self, at: &str) -> Self {
        if self.at.is_empty() {
            at.clone_into(&mut self.at);
        }
        self
    }
}

/// Whether any string of a document may hold a template. Cheap; true also for braces that turn out to be text.
#[must_use]
pub fn uses_templates(value: &Value) -> bool {
    match value {
        Value::String(s) => is_template(s),
        Value::Array(items) => items.iter().any(uses_templates),
        Value::Object(map) => map.iter().any(|(k, v)| is_template(k) || uses_templates(v)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Whether a text holds template text.
pub(crate) fn is_template(text: &str) -> bool {
    text.contains("{{") || text.contains("{%")
}

/// Fills in every string of a document. A string that is one expression takes the expression's value and type.
///
/// # Errors
/// A name without a value, a template that cannot be read, or a result over 4 MiB or 64 levels.
pub fn render_value(value: &Value, context: &Context) -> Result<Value, RenderError> {
    if !uses_templates(value) {
        return Ok(value.clone());
    }
    let root = context.root();
    let mut path = String::new();
    let rendered = walk(value, context, &root, &mut path)?;
    if weight(&rendered) > DOCUMENT_MAX {
        return Err(RenderError::new(
            "the filled-in document is larger than 4 MiB",
        ));
    }
    if deeper_than(&rendered, DEPTH_MAX) {
        return Err(RenderError::new(
            "the filled-in document is deeper than 64 levels",
        ));
    }
    Ok(rendered)
}

fn walk(
    value: &Value,
    context: &Context,
    root: &Jinja,
    path: &mut String,
) -> Result<Value, RenderError> {
    let mark = path.len();
    match value {
        Value::String(text) => fill(text, context, root).map_err(|e| e.at(path)),
        Value::Array(items) => {
            let mut out = Vec::with_capacity(items.len());
            for (i, item) in items.iter().enumerate() {
                path.push_str(&format!("/{i}"));
                out.push(walk(item, context, root, path)?);
                path.truncate(mark);
            }
            Ok(Value::Array(out))
        }
        Value::Object(map) => {
            let mut out = serde_json::Map::new();
            for (key, item) in map {
                path.push('/');
                path.push_str(&key.replace('~', "~0").replace('/', "~1"));
                if is_template(key) {
                    return Err(RenderError::new("a key cannot be a template").at(path));
                }
                out.insert(key.clone(), walk(item, context, root, path)?);
                path.truncate(mark);
            }
            Ok(Value::Object(out))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(value.clone()),
    }
}

fn fill(text: &str, context: &Context, root: &Jinja) -> Result<Value, RenderError> {
    if !is_template(text) {
        return Ok(Value::String(text.to_owned()));
    }
    let pieces = pieces(text)?;
    if let [Piece::Expr(expr, _)] = pieces.as_slice() {
        return to_json(&evaluate(expr, context, root)?, expr);
    }
    let mut out = String::new();
    for piece in pieces {
        match piece {
            Piece::Text(text) => out.push_str(text),
            Piece::Expr(expr, _) => {
                let value = evaluate(expr, context, root)?;
                show(&value, &mut out).map_err(|e| explain(&e, expr))?;
            }
        }
        if out.len() > TEXT_MAX {
            return Err(RenderError::new("the filled-in text is longer than 1 MiB"));
        }
    }
    Ok(Value::String(out))
}

fn pieces(text: &str) -> Result<Vec<Piece<'_>>, RenderError> {
    if text.len() > TEMPLATE_MAX {
        return Err(RenderError::new(
            "a text with templates is longer than 16 KiB",
        ));
    }
    scan::split(text).map_err(|e| RenderError::new(super::check::scan_message(&e).0))
}

/// Fills in one text; the result is always text.
///
/// # Errors
/// As [`render_value`].
pub fn render_text(text: &str, context: &Context) -> Result<String, RenderError> {
    match fill(text, context, &context.root())? {
        Value::String(text) => Ok(text),
        other => Ok(other.to_string()),
    }
}

/// Evaluates `when`.
///
/// # Errors
/// A name without a value, an expression that cannot be read, or a result that is neither true nor false.
pub fn eval_condition(expr: &str, context: &Context) -> Result<bool, RenderError> {
    let value = evaluate(expr, context, &context.root())?;
    match to_json(&value, expr)? {
        Value::Bool(yes) => Ok(yes),
        other => Err(RenderError::new(format!(
            "`{}` gives {}, not true or false",
            excerpt(expr),
            describe(&other)
        ))),
    }
}

/// Evaluates `for_each`.
///
/// # Errors
/// A name without a value, an expression that cannot be read, a result that is no list or has over 10,000 items.
pub fn eval_list(expr: &str, context: &Context) -> Result<Vec<Value>, RenderError> {
    let value = evaluate(expr, context, &context.root())?;
    if value.len().is_some_and(|len| len > LIST_MAX) && value.as_str().is_none() {
        return Err(RenderError::new(format!(
            "`{}` gives more than 10,000 items",
            excerpt(expr)
        )));
    }
    match to_json(&value, expr)? {
        Value::Array(items) if items.len() > LIST_MAX => Err(RenderError::new(format!(
            "`{}` gives more than 10,000 items",
            excerpt(expr)
        ))),
        Value::Array(items) => Ok(items),
        other => Err(RenderError::new(format!(
            "`{}` gives {}, not a list",
            excerpt(expr),
            describe(&other)
        ))),
    }
}

fn evaluate(expr: &str, context: &Context, root: &Jinja) -> Result<Jinja, RenderError> {
    if expr.len() > TEMPLATE_MAX {
        return Err(RenderError::new("an expression is longer than 16 KiB"));
    }
    let uses = scan::uses(expr).map_err(|e| RenderError::new(super::check::scan_message(&e).0))?;
    if let Some((op, _)) = uses.operators.first() {
        return Err(RenderError::new(format!(
            "templates do not have the operator `{op}`"
        )));
    }
    let parts = scan::tokens(expr).map_or(0, |t| t.len());
    if parts.saturating_mul(context.largest.max(1)) > GROWTH_MAX {
        return Err(RenderError::new(format!(
            "`{}` could need too much memory: it combines values of up to {} bytes in {parts} parts",
            excerpt(expr),
            context.largest
        )));
    }
    let compiled = environment()
        .compile_expression(expr)
        .map_err(|e| explain(&e, expr))?;
    let value = compiled.eval(root.clone()).map_err(|e| explain(&e, expr))?;
    if value.is_undefined() {
        return Err(RenderError::new(format!(
            "`{}` has no value",
            excerpt(expr)
        )));
    }
    Ok(value)
}

fn to_json(value: &Jinja, expr: &str) -> Result<Value, RenderError> {
    convert(value, DEPTH_MAX).map_err(|e| explain(&e, expr))
}

fn explain(error: &minijinja::Error, expr: &str) -> RenderError {
    let what = match error.kind() {
        ErrorKind::UndefinedError => match error.detail() {
            Some(detail) => detail.to_owned(),
            None => "a part of it has no value".to_owned(),
        },
        ErrorKind::OutOfFuel => "it takes too long".to_owned(),
        kind => match error.detail() {
            Some(detail) => detail.to_owned(),
            None => kind.to_string(),
        },
    };
    RenderError::new(format!("`{}`: {what}", excerpt(expr)))
}

/// The expression for a message: trimmed and cut, since it may come from a planner.
fn excerpt(expr: &str) -> String {
    let trimmed = expr.trim();
    let cut: String = trimmed.chars().take(80).collect();
    if cut.len() < trimmed.len() {
        format!("{cut}…")
    } else {
        cut
    }
}

fn describe(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing (null)",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// Whether a document has more than `levels` levels; a scalar has one. Goes no deeper than it has to.
pub(crate) fn deeper_than(value: &Value, levels: usize) -> bool {
    let Some(inner) = levels.checked_sub(1) else {
        return true;
    };
    match value {
        Value::Array(items) => items.iter().any(|v| deeper_than(v, inner)),
        Value::Object(map) => map.values().any(|v| deeper_than(v, inner)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}
