//! Why a task is neither running nor successful, and what would change that. Questions only.

use crate::{
    Blocked, Reason, Run, RunState,
    ask::Subject,
    budget::{Fit, Lack},
    task::{Phase, Skip},
};
use sandgate_model::{About, AskNo, Moment, TaskIx, TaskWork};

/// Dependencies named in a reason. Ten tell a person where to look; a task may have 100,000.
const NAMED_MAX: usize = 10;

/// It happens by itself.
const NOBODY: &str = "nobody";

/// Whoever operates the project.
pub(crate) const OPERATOR: &str = "operator";

impl Run {
    /// Why a task is neither running nor successful. `None` for one that runs, succeeded, or failed (then the
    /// reason is its error), and for an index that does not exist. A task whose `when` or `for_each` is being
    /// evaluated counts as ready: `dispatch-limit`. A lost one waits for a person: `response`.
    #[must_use]
    pub fn blocked(&self, ix: TaskIx) -> Option<Blocked> {
        let task = self.tasks.row(ix)?;
        let since = task.since;
        Some(match task.phase {
            Phase::Running | Phase::Expanded | Phase::Succeeded | Phase::Failed => return None,
            Phase::Waiting if self.state == RunState::PlanReview => self.plan_review(),
            Phase::Waiting => self.dependency(ix, since),
            Phase::Evaluating => Blocked {
                reason: self.dispatch_limit(),
                since,
                unblocks: "the host evaluates its `when` or `for_each`".to_owned(),
                who: NOBODY.to_owned(),
            },
            Phase::Approval => self.asked(
                self.asks.open_about(Subject::Task(ix)),
                since,
                "of this task",
            ),
            Phase::Held => self.asked(
                self.asks.open_about(Subject::Result(ix)),
                since,
                "of this task's result",
            ),
            Phase::Suspended => {
                let human = task.human.as_ref();
                let no = human.and_then(|human| human.restore.as_ref()?.ask);
                self.asked(no, since, "of what it wants to do")
            }
            Phase::Signal { until } => self.signal(ix, since, until),
            Phase::Backoff { until } => Blocked {
                reason: Reason::RetryBackoff { until },
                since,
                unblocks: "the end of the wait before the next attempt".to_owned(),
                who: NOBODY.to_owned(),
            },
            Phase::Funds(lack) => self.funds(ix, since, lack),
            Phase::Ready => self.ready(ix, since),
            Phase::Skipped(skip) => self.skipped(ix, since, skip),
            Phase::Paused => self.held_back(ix, since),
            Phase::Cancelled if task.cancel().is_some() => self.called_off(ix, since),
            Phase::Cancelled => Blocked {
                reason: Reason::RunCancelled,
                since,
                unblocks: "a retry of the run".to_owned(),
                who: OPERATOR.to_owned(),
            },
            Phase::Lost => Blocked {
                reason: Reason::Response,
                since,
                unblocks: "a decision: the host stopped while the task ran and it may have had an effect; \
                           look, then `retry` it or `cancel` the run"
                    .to_owned(),
                who: OPERATOR.to_owned(),
            },
        })
    }

    /// What waits for people with this request; `None`: it is not put to them yet.
    fn asked(&self, no: Option<AskNo>, since: Moment, of: &str) -> Blocked {
        let entry = no.and_then(|no| Some((no, self.asks.get(no)?)));
        let Some((no, entry)) = entry else {
            return Blocked {
                reason: Reason::Approval,
                since,
                unblocks: format!("an approval {of}; people are asked when others are decided"),
                who: OPERATOR.to_owned(),
            };
        };
        if matches!(entry.ask.about, About::Question { .. }) {
            return Blocked {
                reason: Reason::Response,
                since,
                unblocks: format!("an answer to question {no}"),
                who: OPERATOR.to_owned(),
            };
        }
        Blocked {
            reason: Reason::Approval,
            since,
            unblocks: format!("approval {no}: an approval {of}"),
            who: self.deciders(no),
        }
    }

    /// Who may decide about a request: the roles that its rules still want, or the operator.
    fn deciders(&self, no: AskNo) -> String {
        let slots = self.asks.get(no).map_or(&[][..], |entry| &entry.slots);
        let open = slots.iter().filter(|slot| !slot.met());
        let mut roles: Vec<&str> = open
            .flat_map(|slot| slot.need.roles.iter().map(String::as_str))
            .collect();
        roles.sort_unstable();
        roles.dedup();
        match roles.as_slice() {
            [] => OPERATOR.to_owned(),
            roles => roles.join(", "),
        }
    }

    fn plan_review(&self) -> Blocked {
        if let Some(no) = self.asks.plan.filter(|no| self.asks.is_open(*no)) {
            return Blocked {
                reason: Reason::PlanReview,
                since: self.since,
                unblocks: format!("approval {no}: an approval of the plan"),
                who: self.deciders(no),
            };
        }
        let unblocks = "`dispatch`";
        Blocked {
            reason: Reason::PlanReview,
            since: self.since,
            unblocks: unblocks.to_owned(),
            who: OPERATOR.to_owned(),
        }
    }

    fn dependency(&self, ix: TaskIx, since: Moment) -> Blocked {
        let needs = self.planned(ix).map_or(&[][..], |task| &task.needs);
        let open = || {
            needs
                .iter()
                .filter(|need| self.tasks[**need].phase != Phase::Succeeded)
        };
        let lost = open().find(|need| self.tasks[**need].phase == Phase::Lost);
        let (unblocks, who) = match lost {
            Some(need) => (
                format!("a decision about the lost task `{}`", self.name(*need)),
                OPERATOR,
            ),
            None => ("the success of the tasks it needs".to_owned(), NOBODY),
        };
        Blocked {
            reason: Reason::Dependency {
                waiting_for: open()
                    .take(NAMED_MAX)
                    .filter_map(|need| self.task_id(*need))
                    .collect(),
                count: u32::try_from(open().count()).unwrap_or(u32::MAX),
            },
            since,
            unblocks,
            who: who.to_owned(),
        }
    }

    fn signal(&self, ix: TaskIx, since: Moment, until: Option<Moment>) -> Blocked {
        let signal = match self.planned(ix).map(|task| &task.work) {
            Some(TaskWork::Wait(wait)) => wait.signal.to_string(),
            _ => String::new(),
        };
        let end = if until.is_some() {
            ", or the end of the time it has"
        } else {
            ""
        };
        Blocked {
            unblocks: format!("a signal of type `{signal}`{end}"),
            reason: Reason::Signal { signal },
            since,
            who: OPERATOR.to_owned(),
        }
    }

    fn funds(&self, ix: TaskIx, since: Moment, lack: Lack) -> Blocked {
        let (unblocks, who) = match (lack, self.fit(ix)) {
            (Lack::Later, _) => (
                "what running tasks give back of the budget when they end".to_owned(),
                NOBODY,
            ),
            (Lack::Person, Fit::Never(why)) => (format!("a decision: {why}"), OPERATOR),
            (Lack::Person, _) => ("a decision about the budget".to_owned(), OPERATOR),
        };
        if let Some(no) = self.asks.open_about(Subject::TaskBudget(ix)) {
            return Blocked {
                reason: Reason::Budget,
                since,
                unblocks: format!("approval {no}: {unblocks}"),
                who: self.deciders(no),
            };
        }
        Blocked {
            reason: Reason::Budget,
            since,
            unblocks,
            who: who.to_owned(),
        }
    }

    fn ready(&self, ix: TaskIx, since: Moment) -> Blocked {
        if let Some(paused) = self.paused {
            return Blocked {
                reason: Reason::RunPaused,
                since: since.max(paused),
                unblocks: "`resume`".to_owned(),
                who: OPERATOR.to_owned(),
            };
        }
        let session = self.graph.session(self.tasks[ix].plan);
        let name = session.and_then(|s| self.graph.sessions().get(s as usize));
        if let (Some(holder), Some(name)) = (self.schedule.holder(session), name) {
            return Blocked {
                reason: Reason::SessionBusy {
                    session: name.clone(),
                },
                since,
                unblocks: format!("the end of task `{}`", self.name(holder)),
                who: NOBODY.to_owned(),
            };
        }
        if self.asks.crowded() && self.crowds(ix) {
            let waiting = self.asks.open_inside;
            return Blocked {
                reason: Reason::Approval,
                since,
                unblocks: format!(
                    "a decision about one of the {waiting} requests that wait: no more are put to people at once"
                ),
                who: OPERATOR.to_owned(),
            };
        }
        Blocked {
            reason: self.dispatch_limit(),
            since,
            unblocks: "a free slot".to_owned(),
            who: NOBODY.to_owned(),
        }
    }

    fn dispatch_limit(&self) -> Reason {
        Reason::DispatchLimit {
            limit: self.plan.as_ref().map_or(0, |plan| plan.concurrency),
        }
    }

    fn skipped(&self, ix: TaskIx, since: Moment, skip: Skip) -> Blocked {
        let (reason, unblocks, who) = match skip {
            Skip::Condition(root) => match self.task_id(root) {
                Some(because) => (
                    Reason::ConditionFalse { because },
                    "nothing in this run: the condition is false".to_owned(),
                    NOBODY,
                ),
                None => return self.plan_review(),
            },
            Skip::Dependency(root) => match self.task_id(root) {
                Some(because) => {
                    let unblocks = format!("a retry of task `{because}`");
                    (Reason::DependencyFailed { because }, unblocks, OPERATOR)
                }
                None => return self.plan_review(),
            },
            Skip::Artifact(place) => {
                let artifact = self.consumed(ix, place);
                let unblocks = format!("nothing in this run: `{artifact}` was not made");
                (Reason::ArtifactMissing { artifact }, unblocks, NOBODY)
            }
        };
        Blocked {
            reason,
            since,
            unblocks,
            who: who.to_owned(),
        }
    }

    fn consumed(&self, ix: TaskIx, place: u32) -> String {
        let artifact = self
            .planned(ix)
            .and_then(|task| task.consumes.get(place as usize));
        artifact.map_or_else(String::new, |a| format!("{}.{}", self.name(a.task), a.name))
    }
}
