//! Who waits for whom, turned round once when the plan is frozen, so that the end of a task finds its dependents
//! without a walk. Also the door check: a plan whose indices or cycles would hang or break the engine is refused
//! here although `workflow` promises that there is none.

use sandgate_model::{Plan, Session, SessionName, TaskIx, TaskWork};
use std::collections::BTreeSet;

/// What follows from a plan alone.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct Graph {
    /// Dependents of task `i` are `list[start[i]..start[i + 1]]`.
    start: Vec<u32>,
    list: Vec<TaskIx>,
    /// Tasks in an order in which needs come first.
    order: Vec<TaskIx>,
    /// Tasks by id.
    by_id: Vec<TaskIx>,
    /// Session names, sorted.
    sessions: Vec<SessionName>,
    /// Session of each task, by its place in `sessions`.
    session: Vec<Option<u32>>,
}

impl Graph {
    /// Checks the plan and turns it round. O(tasks + needs), apart from sorting the ids.
    ///
    /// # Errors
    /// The first broken promise, for a person.
    pub(crate) fn new(plan: &Plan) -> Result<Self, String> {
        let n = plan.tasks.len();
        if u32::try_from(n).is_err() || n > crate::TASKS_MAX {
            return Err(format!(
                "the plan has {n} tasks, more than {}",
                crate::TASKS_MAX
            ));
        }
        if plan.concurrency == 0 {
            return Err("the plan's concurrency is 0: nothing could ever start".to_owned());
        }
        let by_id = ids(plan)?;
        let (start, list) = dependents(plan)?;
        let mut sessions: BTreeSet<&SessionName> = BTreeSet::new();
        for task in &plan.tasks {
            sessions.extend(pinned(&task.work));
        }
        let sessions: Vec<SessionName> = sessions.into_iter().cloned().collect();
        let session = plan
            .tasks
            .iter()
            .map(|task| {
                let place = sessions.binary_search(pinned(&task.work)?).ok()?;
                u32::try_from(place).ok()
            })
            .collect();
        let mut graph = Self {
            start,
            list,
            order: Vec::new(),
            by_id,
            sessions,
            session,
        };
        graph.order = graph.topological(plan)?;
        Ok(graph)
    }

    /// Tasks that need this one, in plan order. Instances have none.
    pub(crate) fn dependents(&self, ix: TaskIx) -> &[TaskIx] {
        let bounds = (self.start.get(ix.get()), self.start.get(ix.get() + 1));
        match bounds {
            (Some(&from), Some(&to)) => self
                .list
                .get(from as usize..to as usize)
                .unwrap_or_default(),
            _ => &[],
        }
    }

    /// All planned tasks, needs before dependents.
    pub(crate) fn order(&self) -> &[TaskIx] {
        &self.order
    }

    /// The planned task with this id.
    pub(crate) fn find(&self, plan: &Plan, id: &str) -> Option<TaskIx> {
        let key = |ix: &TaskIx| plan.task(*ix).map_or("", |task| task.id.as_str());
        let place = self.by_id.binary_search_by(|ix| key(ix).cmp(id)).ok()?;
        self.by_id.get(place).copied()
    }

    /// The session of a planned task.
    pub(crate) fn session(&self, ix: TaskIx) -> Option<u32> {
        self.session.get(ix.get()).copied().flatten()
    }

    /// Names of all pinned sessions.
    pub(crate) fn sessions(&self) -> &[SessionName] {
        &self.sessions
    }

    fn topological(&self, plan: &Plan) -> Result<Vec<TaskIx>, String> {
        let mut open: Vec<usize> = plan.tasks.iter().map(|task| task.needs.len()).collect();
        let mut order: Vec<TaskIx> = Vec::with_capacity(open.len());
        order.extend(
            (0u32..)
                .zip(&open)
                .filter(|(_, n)| **n == 0)
                .map(|(ix, _)| TaskIx(ix)),
        );
        let mut next = 0;
        while let Some(&ix) = order.get(next) {
            next += 1;
            for &dependent in self.dependents(ix) {
                if let Some(left) = open.get_mut(dependent.get()) {
                    *left -= 1;
                    if *left == 0 {
                        order.push(dependent);
                    }
                }
            }
        }
        if order.len() == plan.tasks.len() {
            return Ok(order);
        }
        let stuck = plan.tasks.iter().zip(&open).find(|(_, n)| **n > 0);
        let id = stuck.map_or("?", |(task, _)| task.id.as_str());
        Err(format!(
            "the plan has a cycle, task `{id}` is in it or behind it"
        ))
    }
}

fn pinned(work: &TaskWork) -> Option<&SessionName> {
    match work {
        TaskWork::Agent {
            session: Session::Pinned(name),
            ..
        } => Some(name),
        TaskWork::Agent {
            session: Session::Spawn,
            ..
        }
        | TaskWork::Wait(_) => None,
    }
}

fn ids(plan: &Plan) -> Result<Vec<TaskIx>, String> {
    let mut named: Vec<(&str, TaskIx)> = plan
        .tasks
        .iter()
        .zip(0u32..)
        .map(|(task, ix)| (task.id.as_str(), TaskIx(ix)))
        .collect();
    named.sort_unstable();
    for pair in named.windows(2) {
        if let [(a, _), (b, _)] = pair
            && a == b
        {
            return Err(format!("two tasks of the plan have the id `{a}`"));
        }
    }
    Ok(named.into_iter().map(|(_, ix)| ix).collect())
}

fn dependents(plan: &Plan) -> Result<(Vec<u32>, Vec<TaskIx>), String> {
    let n = plan.tasks.len();
    let mut start = vec![0u32; n + 1];
    for task in &plan.tasks {
        let wrong = |what: &str| {
            Err(format!(
                "{what} of task `{}` are wrong in the plan",
                task.id
            ))
        };
        if !task.needs.is_sorted_by(|a, b| a < b) {
            return wrong("the needs (unsorted, or one named twice)");
        }
        if task.retry.attempts == 0 {
            return wrong("the attempts (0: it could never start)");
        }
        for artifact in &task.consumes {
            if task.needs.binary_search(&artifact.task).is_err() {
                return wrong("the artifacts (of a task that it does not need)");
            }
        }
        for need in &task.needs {
            match start.get_mut(need.get() + 1) {
                Some(count) => *count += 1,
                None => return wrong("the needs (of a task that does not exist)"),
            }
        }
    }
    let mut sum = 0u32;
    for count in &mut start {
        sum = sum
            .checked_add(*count)
            .ok_or("the plan has more than 4 billion dependencies")?;
        *count = sum;
    }
    let mut fill = start.clone();
    let mut list = vec![TaskIx(0); sum as usize];
    for (task, ix) in plan.tasks.iter().zip(0u32..) {
        for need in &task.needs {
            if let Some(at) = fill.get_mut(need.get()) {
                if let Some(slot) = list.get_mut(*at as usize) {
                    *slot = TaskIx(ix);
                }
                *at += 1;
            }
        }
    }
    Ok((start, list))
}
