//! From the order to a plan, and from the plan to the first task.

use crate::{
    Command, Outcome, PlannerFailure, Run, RunState, Timer, illegal::Handled, task::Phase,
};
use sandgate_model::{Caller, Digest, Moment, Plan, PluginName};
use std::sync::Arc;

impl Run {
    pub(crate) fn on_planning_started(&mut self, at: Moment, out: &mut Vec<Command>) -> Handled {
        match self.state {
            RunState::Draft => {}
            RunState::Planning => return Err("a plan is being made already".into()),
            _ => return Err("there was a plan, and it was not rejected".into()),
        }
        self.go(at, RunState::Planning);
        out.push(self.make_plan());
        Ok(())
    }

    pub(crate) fn on_planner_failed(
        &mut self,
        at: Moment,
        planner: Option<&PluginName>,
        message: &str,
        out: &mut Vec<Command>,
    ) -> Handled {
        if self.state != RunState::Planning {
            return Err("no planner was asked".into());
        }
        let asked = self.asked_planner();
        if asked != planner {
            let name = |p: Option<&PluginName>| match p {
                Some(name) => format!("`{name}`"),
                None => "the written tasks alone".to_owned(),
            };
            return Err(format!(
                "{} failed, but the one asked is {}",
                name(planner),
                name(asked)
            )
            .into());
        }
        if self.planner_suspended() {
            return Err("the planner waits for a person and does not run".into());
        }
        let _over = self.close_account(Caller::Planner, &[]);
        self.drop_record(Caller::Planner);
        self.failures.push(PlannerFailure {
            planner: planner.cloned(),
            message: message.to_owned(),
        });
        if self.asked_planner().is_some() {
            out.push(self.make_plan());
        } else {
            self.finish(at, RunState::Failed, Outcome::Failed, out);
        }
        Ok(())
    }

    pub(crate) fn on_plan_frozen(
        &mut self,
        at: Moment,
        digest: Digest,
        plan: &Arc<Plan>,
        out: &mut Vec<Command>,
    ) -> Handled {
        match self.state {
            RunState::Planning if self.planner_suspended() => {
                return Err("the planner waits for a person and does not run".into());
            }
            RunState::Planning => {}
            RunState::Draft => return Err("nobody asked for a plan yet".into()),
            RunState::Verified | RunState::Failed | RunState::Cancelled => {
                return Err("the run has ended: the plan came too late".into());
            }
            _ => return Err("there is a plan already".into()),
        }
        if let Some(last) = self.feedback.last() {
            let next = last.revision.saturating_add(1);
            if plan.revision != next || !plan.review {
                return Err(format!(
                    "a plan was rejected: the next one has revision {next} and is reviewed, too"
                )
                .into());
            }
        }
        let graph = self.may_freeze(plan)?;

        let _over = self.close_account(Caller::Planner, &[]);
        self.drop_record(Caller::Planner);
        self.adopt(at, digest, plan, graph);
        self.go(at, RunState::PlanReview);
        self.ask_review(at, out);
        if self.order.steps.dispatch && !plan.review {
            self.dispatch(at, out);
        }
        Ok(())
    }

    pub(crate) fn on_dispatch_requested(&mut self, at: Moment, out: &mut Vec<Command>) -> Handled {
        match self.state {
            RunState::PlanReview => {}
            RunState::Draft | RunState::Planning => return Err("there is no plan yet".into()),
            RunState::Running | RunState::Verifying => {
                return Err("the plan was dispatched already".into());
            }
            _ => return Err("the run has ended".into()),
        }
        if !self.plan_approved() {
            return Err(
                "needs approval: the plan has to be reviewed before it is dispatched".into(),
            );
        }
        self.dispatch(at, out);
        Ok(())
    }

    /// The planner cannot go on, and nobody knows whether something that was approved happened: no other planner is
    /// asked.
    pub(crate) fn planning_lost(
        &mut self,
        planner: Option<PluginName>,
        at: Moment,
        out: &mut Vec<Command>,
    ) {
        self.drop_record(Caller::Planner);
        self.failures.push(PlannerFailure {
            planner,
            message: "the host stopped while a call that was approved for one time was under way, \
                      and nobody knows whether it happened: it is not done again"
                .to_owned(),
        });
        self.finish(at, RunState::Failed, Outcome::Failed, out);
    }

    /// The planner that is asked now.
    pub(crate) fn asked_planner(&self) -> Option<&PluginName> {
        self.order.planners.get(self.failures.len())
    }

    pub(crate) fn make_plan(&self) -> Command {
        Command::MakePlan {
            planner: self.asked_planner().cloned(),
        }
    }

    pub(crate) fn dispatch(&mut self, at: Moment, out: &mut Vec<Command>) {
        self.go(at, RunState::Running);
        self.arm_deadline(at, out);
        for ix in self.tasks.keys() {
            // Somebody may have cancelled some while the plan was reviewed.
            if self.tasks[ix].waiting == 0 && self.tasks[ix].phase == Phase::Waiting {
                self.unblock(ix, at, out);
            }
        }
        self.settle(at, out);
    }

    /// The run's timeout counts from dispatch, and again from a retry.
    pub(crate) fn arm_deadline(&mut self, at: Moment, out: &mut Vec<Command>) {
        let timeout = self.plan.as_ref().and_then(|plan| plan.timeout);
        self.deadline = timeout.map(|timeout| at.after(timeout));
        if let Some(at) = self.deadline {
            out.push(Command::ArmTimer {
                timer: Timer::Run,
                at,
            });
        }
    }
}
