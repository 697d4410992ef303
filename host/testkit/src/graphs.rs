//! Graphs of any size, for benchmarks and limits.

use crate::{PlanBuilder, TaskBuilder};
use sandgate_model::Plan;
use std::sync::Arc;

fn with_tasks(concurrency: u32, tasks: impl Iterator<Item = TaskBuilder>) -> Arc<Plan> {
    tasks
        .fold(
            PlanBuilder::new().concurrency(concurrency),
            PlanBuilder::task,
        )
        .build()
}

/// One task, then `n` that need it, then one that needs those.
#[must_use]
pub fn fan(n: u32, concurrency: u32) -> Arc<Plan> {
    let middle = (1..=n).map(|i| TaskBuilder::new(&format!("t{i}")).needs(&[0]));
    let all: Vec<u32> = (1..=n).collect();
    let last = TaskBuilder::new("last").needs(&all);
    let first = std::iter::once(TaskBuilder::new("first"));
    with_tasks(
        concurrency,
        first.chain(middle).chain(std::iter::once(last)),
    )
}

/// `n` tasks, each of which needs the one before it.
#[must_use]
pub fn chain(n: u32) -> Arc<Plan> {
    let task = |i: u32| {
        let task = TaskBuilder::new(&format!("t{i}"));
        if i == 0 { task } else { task.needs(&[i - 1]) }
    };
    with_tasks(4, (0..n).map(task))
}

/// Layers of tasks, each of which needs up to `needs` random ones of the layer before.
#[must_use]
pub fn layered(layers: u32, width: u32, needs: u32, concurrency: u32, seed: u64) -> Arc<Plan> {
    let mut rng = crate::Rng::new(seed);
    let tasks: Vec<TaskBuilder> = (0..layers * width)
        .map(|i| {
            let task = TaskBuilder::new(&format!("t{i}"));
            if i < width {
                return task;
            }
            let before = (i / width - 1) * width;
            let needs: Vec<u32> = (0..needs).map(|_| before + rng.below32(width)).collect();
            task.needs(&needs)
        })
        .collect();
    with_tasks(concurrency, tasks.into_iter())
}
