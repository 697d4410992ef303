//! From a workflow and a draft to a frozen plan.

mod draft;
mod plan;
mod within;

use crate::{Catalog, Diagnostics, Project, Severity, Workflow};
use sandgate_authority::{Narrowing, Refusal};
use sandgate_model::{Grants, PluginName};
use std::fmt;

pub use plan::{freeze, freeze_edited};
pub use within::replan_within;

/// Why there is no plan: every reason that was found. Shown are the first twenty and how many more there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanErrors {
    diagnostics: Diagnostics,
}

/// Reasons shown to a person; after twenty nobody reads on.
const SHOWN: usize = 20;

impl PlanErrors {
    pub(crate) fn new(diagnostics: Diagnostics) -> Self {
        Self {
            diagnostics: diagnostics.finish(),
        }
    }

    /// Every reason that was kept.
    #[must_use]
    pub fn diagnostics(&self) -> &Diagnostics {
        &self.diagnostics
    }

    /// How many reasons there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.diagnostics.errors()
    }
}

impl fmt::Display for PlanErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the plan is refused for {} reason{}",
            self.count(),
            if self.count() == 1 { "" } else { "s" }
        )?;
        let errors = self
            .diagnostics
            .iter()
            .filter(|d| d.severity == Severity::Error);
        for d in errors.take(SHOWN) {
            let place = match (&d.primary, &d.subject) {
                (Some(p), _) => {
                    let at = p.source.position(p.span.start);
                    format!("{}:{}:{}: ", p.source.name(), at.line, at.column)
                }
                (None, Some(s)) if !s.name.is_empty() => format!("{s}: "),
                _ => String::new(),
            };
            write!(
                f,
                "\n  {} {}{}",
                d.code,
                crate::render::escape(&place),
                crate::render::escape(&d.message)
            )?;
        }
        if self.count() > SHOWN {
            write!(f, "\n  and {} more", self.count() - SHOWN)?;
        }
        Ok(())
    }
}

impl std::error::Error for PlanErrors {}

/// What a plugin gets when nobody narrows it: for showing.
///
/// # Errors
/// Everything that was refused.
pub fn plugin_grants(
    who: &str,
    plugin: &PluginName,
    project: &Project,
    catalog: &Catalog,
) -> Result<Grants, Vec<Refusal>> {
    narrowed(who, plugin, &Narrowing::default(), project, catalog)
}

/// What a planner of a workflow gets, under its approval rules: the one that it uses, or one of its fallbacks.
///
/// # Errors
/// Everything that was refused.
pub fn planner_grants(
    workflow: &Workflow,
    plugin: &PluginName,
    project: &Project,
    catalog: &Catalog,
) -> Result<Grants, Vec<Refusal>> {
    let who = format!("planner `{plugin}`");
    match &workflow.planner {
        Some(planner) => narrowed(&who, plugin, &planner.narrowing, project, catalog)
            .map(|grants| workflow.under_rules(grants)),
        None => plugin_grants(&who, plugin, project, catalog),
    }
}

fn narrowed(
    who: &str,
    plugin: &PluginName,
    narrowing: &Narrowing,
    project: &Project,
    catalog: &Catalog,
) -> Result<Grants, Vec<Refusal>> {
    match catalog.get(plugin) {
        Some(entry) => {
            crate::check::Plugins::new(project, Some(catalog)).grants(who, plugin, entry, narrowing)
        }
        // Nothing is known of what it needs, so it gets nothing.
        None => Ok(Grants::default()),
    }
}
