//! Templates: `{{ expression }}` in the strings of an input, and bare expressions in `when` and `for_each`.
//!
//! Expressions only: no statements, no loops, no variables. Logic belongs into agents; a template hands values
//! over. What is left out is also what would let a small template fill the memory of the host.

mod check;
mod context;
mod engine;
mod references;
mod render;
mod scan;

pub(crate) use check::{Findings, Problem, Scope, TaskRef, check_expression, check_text};
pub use context::Context;
pub(crate) use context::weight;
pub use engine::LIST_MAX;
pub use references::{References, expression_references, references};
pub use render::{
    RenderError, TEMPLATE_MAX, eval_condition, eval_list, render_text, render_value, uses_templates,
};
pub(crate) use render::{deeper_than, is_template};
