//! From the order to a plan, and from the plan to the first task.

use crate::{
    Command, Outcome, PlannerFailure, Run, RunState, Timer,
    gate::Gate,
    graph::Graph,
    illegal::{Handled, Why},
    schedule::Schedule,
    task::Task,
};
use sandgate_model::{Caller, Digest, Moment, PLAN_FORMAT, Plan, PluginName, TaskIx};
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
        let _over = self.close_account(Caller::Planner, &[]);
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
            RunState::Planning => {}
            RunState::Draft => return Err("nobody asked for a plan yet".into()),
            RunState::Verified | RunState::Failed | RunState::Cancelled => {
                return Err("the run has ended: the plan came too late".into());
            }
            _ => return Err("there is a plan already".into()),
        }
        if plan.format != PLAN_FORMAT {
            return Err(format!(
                "the plan has format {}, this engine knows {PLAN_FORMAT}",
                plan.format
            )
            .into());
        }
        let graph = Graph::new(plan).map_err(Why::from)?;

        let _over = self.close_account(Caller::Planner, &[]);
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
        for ix in self.tasks.keys() {
            let (key, session) = self.place(ix);
            self.schedule.join(key, session, self.tasks[ix].phase);
        }
        self.claim_all();
        self.go(at, RunState::PlanReview);
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
        if self.plan.as_ref().is_none_or(|plan| plan.review) {
            return Err(
                "needs approval: the plan has to be reviewed before it is dispatched".into(),
            );
        }
        self.dispatch(at, out);
        Ok(())
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

    fn dispatch(&mut self, at: Moment, out: &mut Vec<Command>) {
        self.go(at, RunState::Running);
        self.arm_deadline(at, out);
        for ix in self.tasks.keys() {
            if self.tasks[ix].waiting == 0 {
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
