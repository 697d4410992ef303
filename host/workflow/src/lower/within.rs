//! What a plan that is made again may give. Must not look at policy: it may have been widened since.

use sandgate_authority::{Refusal, narrows};
use sandgate_model::{Grants, Plan, PluginName, TaskWork};
use std::collections::BTreeMap;

/// Checks that a plan that a planner made again gives no plugin more than `first`, the run's first plan, gave it. A plugin
/// that `first` did not use may be used only without any authority.
///
/// Not for a plan that a person edited: that one is decided anew by the policy, and shown with what widened.
///
/// # Errors
/// Everything that goes further.
pub fn replan_within(new: &Plan, first: &Plan) -> Result<(), Vec<Refusal>> {
    let mut old: BTreeMap<&PluginName, Vec<&Grants>> = BTreeMap::new();
    for (_, plugin, grants) in uses(first) {
        let known = old.entry(plugin).or_default();
        // Most tasks of a large plan have the same.
        if !known.contains(&grants) {
            known.push(grants);
        }
    }
    let none: Vec<&Grants> = Vec::new();
    let mut fine: BTreeMap<&PluginName, Vec<&Grants>> = BTreeMap::new();
    let mut refusals = Vec::new();
    for (who, plugin, grants) in uses(new) {
        let seen = fine.entry(plugin).or_default();
        if seen.contains(&grants) {
            continue;
        }
        match narrows(&who(), grants, old.get(plugin).unwrap_or(&none)) {
            Ok(()) => seen.push(grants),
            Err(found) => refusals.extend(found),
        }
    }
    if refusals.is_empty() {
        Ok(())
    } else {
        Err(refusals)
    }
}

type Use<'a> = (Box<dyn Fn() -> String + 'a>, &'a PluginName, &'a Grants);

fn uses(plan: &Plan) -> impl Iterator<Item = Use<'_>> {
    let tasks = plan.tasks.iter().filter_map(|task| match &task.work {
        TaskWork::Agent { agent, .. } => {
            let who: Box<dyn Fn() -> String> = Box::new(|| format!("task `{}`", task.id));
            Some((who, agent, &task.grants))
        }
        TaskWork::Wait(_) => None,
    });
    let gates = plan.gates.iter().map(|gate| {
        let who: Box<dyn Fn() -> String> = Box::new(|| format!("gate `{}`", gate.id));
        (who, &gate.plugin, &gate.grants)
    });
    tasks.chain(gates)
}
