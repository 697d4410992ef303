//! Review of plans. What is dispatched is what was approved, byte by byte: an edit is another plan, and is asked about
//! anew.

use crate::{
    AskState, Command, Feedback, Run, RunState,
    ask::refusal,
    gate::Gate,
    graph::Graph,
    illegal::{Handled, Why},
    schedule::Schedule,
    table::Table,
    task::Task,
};
use sandgate_model::{
    About, Actor, Ask, AskNo, Caller, Decision, Digest, Moment, PLAN_FORMAT, Plan, TaskIx,
};
use std::sync::Arc;

/// Most plans of a run. Whoever says no twenty times wants another goal, and a planner costs money each time.
pub(crate) const REVISIONS_MAX: u32 = 20;

impl Run {
    pub(crate) fn on_plan_modified(
        &mut self,
        at: Moment,
        (was, digest): (Digest, Digest),
        plan: &Arc<Plan>,
        by: &Actor,
        out: &mut Vec<Command>,
    ) -> Handled {
        if self.state != RunState::PlanReview {
            return Err("a plan can be edited only while it waits to be dispatched".into());
        }
        let Some(now) = self.plan.as_ref() else {
            return Err("there is no plan".into());
        };
        if self.digest != Some(was) {
            let is = self.digest.map_or_else(String::new, |d| d.to_string());
            return Err(
                format!("what was edited is not the plan of now: {was} was, {is} is").into(),
            );
        }
        if plan.revision != now.revision.saturating_add(1) {
            return Err(format!(
                "the next revision of the plan is {}, not {}",
                now.revision.saturating_add(1),
                plan.revision
            )
            .into());
        }
        if (plan.review, &plan.review_rule) != (now.review, &now.review_rule) {
            return Err("an edit of a plan does not change who reviews it".into());
        }
        let graph = self.may_freeze(plan)?;
        let why = format!(
            "the plan was edited by `{}`: revision {}, digest {digest}",
            by.name, plan.revision
        );
        if let Some(no) = self.asks.plan {
            self.asks.withdraw(no, at, &why);
        }
        self.adopt(at, digest, plan, graph);
        self.editor = Some(by.clone());
        self.go(at, RunState::PlanReview);
        self.ask_review(at, out);
        Ok(())
    }

    /// What is checked of every plan, whoever made it.
    pub(crate) fn may_freeze(&self, plan: &Plan) -> Result<Graph, Why> {
        if plan.format != PLAN_FORMAT {
            return Err(format!(
                "the plan has format {}, this engine knows {PLAN_FORMAT}",
                plan.format
            )
            .into());
        }
        self.rules_known(plan).map_err(Why::from)?;
        Graph::new(plan).map_err(Why::from)
    }

    /// The run has this plan now, and nothing of an earlier one.
    pub(crate) fn adopt(&mut self, at: Moment, digest: Digest, plan: &Arc<Plan>, graph: Graph) {
        self.schedule = Schedule::new(graph.sessions().len());
        self.graph = Arc::new(graph);
        self.tasks = (0u32..)
            .zip(&plan.tasks)
            .map(|(ix, planned)| {
                let mut task = Task::new(TaskIx(ix), at);
                // A plan has fewer tasks than `u32` has numbers, which the graph has checked.
                task.waiting = u32::try_from(planned.needs.len()).unwrap_or(u32::MAX);
                task
            })
            .collect();
        self.gates = plan.gates.iter().map(|_| Gate::new(at)).collect();
        self.plan = Some(Arc::clone(plan));
        self.digest = Some(digest);
        self.editor = None;
        self.asks.plan = None;
        for ix in self.tasks.keys() {
            let (key, session) = self.place(ix);
            self.schedule.join(key, session, self.tasks[ix].phase);
        }
        self.claim_all();
    }

    /// Puts the plan to people, if it has to be.
    pub(crate) fn ask_review(&mut self, at: Moment, out: &mut Vec<Command>) {
        let (Some(plan), Some(digest)) = (&self.plan, self.digest) else {
            return;
        };
        if !plan.review {
            return;
        }
        let about = About::Plan {
            revision: plan.revision,
        };
        let what = format!("plan, revision {}", plan.revision);
        let no = self.open_ask(
            at,
            Ask {
                about,
                what,
                digest,
            },
            out,
        );
        self.asks.plan = Some(no);
    }

    /// Whether the plan of now may be dispatched as far as people are concerned.
    pub(crate) fn plan_approved(&self) -> bool {
        let approved = |no| {
            let entry = self.asks.get(no);
            entry.is_some_and(|entry| {
                entry.state == AskState::Approved && Some(entry.ask.digest) == self.digest
            })
        };
        self.plan
            .as_ref()
            .is_some_and(|plan| !plan.review || self.asks.plan.is_some_and(approved))
    }

    /// The plan was decided about.
    pub(crate) fn reviewed(&mut self, no: AskNo, at: Moment, out: &mut Vec<Command>) {
        if self.state != RunState::PlanReview {
            return;
        }
        if self.plan_approved() {
            if self.order.steps.dispatch {
                self.dispatch(at, out);
            }
            return;
        }
        let Some(entry) = self.asks.get(no) else {
            return;
        };
        let why = refusal(no, entry);
        let winner = entry.winner().cloned();
        let revision = self.plan.as_ref().map_or(0, |plan| plan.revision);
        let (Some(vote), Some(plan)) = (winner, self.digest) else {
            return self.cancelled_because(format!("the plan: {why}"), at, out);
        };
        let replan = vote.decision == Decision::Reject { replan: true };
        self.feedback.push(Feedback {
            plan,
            revision,
            text: vote.reason,
            by: vote.by,
        });
        if !replan || self.order.planners.is_empty() {
            self.cancelled_because(format!("the plan: {why}"), at, out);
        } else if revision >= REVISIONS_MAX {
            let reason = format!("the plan: {why}; {REVISIONS_MAX} plans were made, no more are");
            self.cancelled_because(reason, at, out);
        } else {
            self.replan(at, out);
        }
    }

    /// Back to planning, with what was said. Nothing of the rejected plan is left that could be started.
    fn replan(&mut self, at: Moment, out: &mut Vec<Command>) {
        self.plan = None;
        self.digest = None;
        self.editor = None;
        self.asks.plan = None;
        self.tasks = Table::default();
        self.gates = Table::default();
        self.graph = Arc::default();
        self.schedule = Schedule::default();
        self.claims = None;
        self.failures.clear();
        self.drop_record(Caller::Planner);
        self.go(at, RunState::Planning);
        out.push(self.make_plan());
    }
}
