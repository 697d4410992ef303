//! What a plan will ask for: refusals, approvals, gates, cost. Made from the frozen plan by the same evaluator that
//! mints at dispatch, and compared afterwards with what happened. Runs nothing and asks nobody.

use crate::{effects::still_allowed, project::Project};
use sandgate_engine::{Allowance, ExecutionSummary, GateState};
use sandgate_model::{
    Digest, FailureClass, Grants, Plan, PlanTask, Session, TaskId, TaskWork, Workspace,
};
use serde::Serialize;
use std::collections::BTreeSet;

/// What a plan will ask for.
#[derive(Clone, Debug, Serialize)]
pub struct Prediction {
    /// The plan it is about.
    pub plan: Option<Digest>,
    /// Tasks in the plan; `for_each` makes more of them.
    pub tasks: usize,
    /// Who will be refused, and why.
    pub denials: Vec<Denied>,
    /// What a person will be asked.
    pub approvals: Vec<Asked>,
    /// The gates, in the order of their tiers.
    pub gates: Vec<PredictedGate>,
    /// What it can cost.
    pub cost: CostRange,
}

/// A refusal to come.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Denied {
    /// `task research`, `gate tests`.
    pub who: String,
    /// Why, and what would allow it.
    pub why: String,
}

/// A question to come.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Asked {
    /// `plan`, `task research`, `gate tests`.
    pub who: String,
    /// What has to be approved.
    pub what: String,
}

/// A gate to come.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct PredictedGate {
    /// Its id.
    pub id: String,
    /// Its tier.
    pub tier: u32,
    /// Its plugin.
    pub plugin: String,
}

/// What a run can cost, in millionths of the currency unit.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct CostRange {
    /// At least. Always 0: a plugin that may spend need not.
    pub min_micros: u64,
    /// At most; absent: no budget bounds it.
    pub max_micros: Option<u64>,
}

impl Prediction {
    /// Predicts. `available` is what the project's budget has left; `contained` says why commands cannot be contained on
    /// this machine, if they cannot.
    #[must_use]
    pub fn of(
        plan: &Plan,
        digest: Option<Digest>,
        project: &Project,
        available: Allowance,
        contained: Result<(), String>,
    ) -> Self {
        let mut out = Self {
            plan: digest,
            tasks: plan.tasks.len(),
            denials: Vec::new(),
            approvals: Vec::new(),
            gates: Vec::new(),
            cost: cost(plan, available),
        };
        if plan.review {
            out.ask("plan", "the plan itself");
        }
        for task in &plan.tasks {
            let who = format!("task {}", task.id);
            if task.approval_before {
                out.ask(&who, "its start");
            }
            if task.approval_after {
                out.ask(&who, "its result");
            }
            if pinned(task) && task.grants.workspace.is_own() && has_room(&task.grants) {
                out.deny(
                    &who,
                    "a pinned session cannot have a workspace of its own".to_owned(),
                );
            }
            if pinned(task) && task.grants.may_wait() {
                out.deny(
                    &who,
                    "nothing in a pinned session can wait for a person".to_owned(),
                );
            }
            out.grants(&who, &task.grants, project, &contained);
        }
        for gate in &plan.gates {
            let who = format!("gate {}", gate.id);
            out.grants(&who, &gate.grants, project, &contained);
            out.gates.push(PredictedGate {
                id: gate.id.to_string(),
                tier: gate.tier,
                plugin: gate.plugin.to_string(),
            });
        }
        out.gates.sort_by_key(|gate| gate.tier);
        out
    }

    fn grants(
        &mut self,
        who: &str,
        grants: &Grants,
        project: &Project,
        contained: &Result<(), String>,
    ) {
        if *grants == Grants::default() {
            return;
        }
        if let Err(why) = still_allowed(project, who, grants) {
            self.deny(who, why);
        }
        if let Err(why) = contained
            && !grants.exec.is_empty()
        {
            self.deny(who, why.clone());
        }
        for exec in grants.exec.iter().filter(|g| g.approval) {
            self.ask(who, &format!("{} {}", exec.program, exec.args.join(" ")));
        }
        for http in grants.http.iter().filter(|g| g.approval) {
            let methods = http.methods.join("/");
            self.ask(who, &format!("{methods} {}{}", http.origin(), http.path));
        }
        if grants.budget && grants.budget_approval {
            self.ask(who, "each charge");
        }
        if grants.question {
            self.ask(who, "what it wants to know");
        }
        for model in grants.model.iter().filter(|g| g.approval) {
            let names = model.models.join(", ");
            self.ask(who, &format!("model {}/{names}", model.provider));
        }
    }

    fn ask(&mut self, who: &str, what: &str) {
        self.approvals.push(Asked {
            who: who.to_owned(),
            what: what.to_owned(),
        });
    }

    fn deny(&mut self, who: &str, why: String) {
        self.denials.push(Denied {
            who: who.to_owned(),
            why,
        });
    }

    /// Where a run went otherwise than predicted, one line each; empty: as predicted. A run that has not ended is compared
    /// as far as it is.
    #[must_use]
    pub fn compare(&self, run: &ExecutionSummary) -> Vec<String> {
        let mut out = Vec::new();
        let foreseen: BTreeSet<&str> = self.denials.iter().map(|d| d.who.as_str()).collect();
        let refused: BTreeSet<String> = run
            .errors
            .iter()
            .filter(|e| e.class == FailureClass::Refused && !e.over_budget && e.task == e.root)
            .map(|e| format!("task {}", base(run, &e.task)))
            .collect();
        for who in &refused {
            let asked = self.approvals.iter().any(|a| a.who == *who);
            if !foreseen.contains(who.as_str()) && !asked {
                out.push(format!("{who} was refused, which was not foreseen"));
            }
        }
        if run.state.ended() {
            for who in foreseen.iter().filter(|who| who.starts_with("task ")) {
                if !refused.iter().any(|r| r == *who) {
                    out.push(format!("{who} was not refused, against what was foreseen"));
                }
            }
        }
        if let Some(max) = self.cost.max_micros
            && run.spent.micros > max
        {
            out.push(format!(
                "it cost {} millionths, over the {max} that were foreseen",
                run.spent.micros
            ));
        }
        for gate in &run.gates {
            let ran = gate.state != GateState::NotRun;
            let known = self.gates.iter().any(|g| g.id == gate.id.as_str());
            if ran && !known {
                out.push(format!("gate {} ran, which was not foreseen", gate.id));
            }
        }
        out
    }
}

/// The task of the plan that an instance of `for_each` belongs to.
fn base<'a>(run: &'a ExecutionSummary, id: &'a TaskId) -> &'a TaskId {
    let task = run.tasks.iter().find(|task| task.id == *id);
    task.and_then(|task| task.parent.as_ref()).unwrap_or(id)
}

fn pinned(task: &PlanTask) -> bool {
    matches!(
        &task.work,
        TaskWork::Agent {
            session: Session::Pinned(_),
            ..
        }
    )
}

fn has_room(grants: &Grants) -> bool {
    grants.workspace != Workspace::None && !grants.files.is_empty()
}

/// The most that all spenders together can cost: what each may spend over all its attempts, within what the run has.
fn cost(plan: &Plan, available: Allowance) -> CostRange {
    let limit = match (plan.budget.map(|b| b.limit), available.micros) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    };
    let tasks = plan.tasks.iter().filter(|t| t.grants.spends());
    let spenders = tasks.clone().count() + plan.gates.iter().filter(|g| g.grants.spends()).count();
    if spenders == 0 {
        return CostRange {
            min_micros: 0,
            max_micros: Some(0),
        };
    }
    // One without a written budget may take what the run has.
    let written: Option<u64> = tasks
        .map(|t| {
            t.budget
                .map(|b| b.saturating_mul(u64::from(t.retry.attempts)))
        })
        .try_fold(0_u64, |sum, b| b.map(|b| sum.saturating_add(b)));
    let gates_spend = plan.gates.iter().any(|g| g.grants.spends());
    let max = match (limit, written.filter(|_| !gates_spend)) {
        (Some(limit), Some(sum)) => Some(limit.min(sum)),
        (limit, sum) => limit.or(sum),
    };
    CostRange {
        min_micros: 0,
        max_micros: max,
    }
}
