//! The graphs, as workflow files: the bench goes in where a user does.

use std::fmt::Write;

/// A graph by its needs.
pub(crate) struct Graph {
    /// For each task the tasks it needs.
    pub(crate) needs: Vec<Vec<usize>>,
    /// Most attempts at once.
    pub(crate) concurrency: u32,
    /// The task's input, TOML.
    pub(crate) input: &'static str,
    /// The agent.
    pub(crate) agent: &'static str,
}

/// 64 attempts at once keep two cores busy while commits are under way; more only costs memory.
const CONCURRENCY: u32 = 64;

impl Graph {
    pub(crate) fn named(name: &str) -> Option<Self> {
        let noop = |needs| Self {
            needs,
            concurrency: CONCURRENCY,
            input: "{}",
            agent: "noop",
        };
        Some(match name {
            "warm-up" => noop(vec![vec![]]),
            "fan-100" => noop(fan(100)),
            "fan-1000" => noop(fan(1_000)),
            "fan-10000" => noop(fan(10_000)),
            "chain-1000" => noop(
                (0..1_000)
                    .map(|n: usize| n.checked_sub(1).into_iter().collect())
                    .collect(),
            ),
            "layers-10x100" => noop(layers(10, 100, 3)),
            "sleep-40" => Self {
                needs: vec![vec![]; 40],
                concurrency: 40,
                input: "{ sleep_ms = 100 }",
                agent: "fake",
            },
            _ => return None,
        })
    }

    /// The workflow file.
    pub(crate) fn toml(&self) -> String {
        let mut text = format!(
            "name = \"bench\"\ngoal = \"measure\"\nconcurrency = {}\n",
            self.concurrency
        );
        for (n, needs) in self.needs.iter().enumerate() {
            let needs: Vec<String> = needs.iter().map(|k| format!("\"t{k}\"")).collect();
            let _ = write!(
                text,
                "\n[[task]]\nid = \"t{n}\"\nagent = \"{}\"\ninput = {}\nneeds = [{}]\n",
                self.agent,
                self.input,
                needs.join(", ")
            );
        }
        text
    }
}

/// 1 → N → 1.
fn fan(n: usize) -> Vec<Vec<usize>> {
    let mut needs = vec![vec![]];
    needs.extend((0..n).map(|_| vec![0]));
    needs.push((1..=n).collect());
    needs
}

/// Layers of `width`, each task needing `count` tasks of the layer before, chosen by a fixed generator.
fn layers(depth: usize, width: usize, count: usize) -> Vec<Vec<usize>> {
    let mut seed: u64 = 7;
    let mut next = move || {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(seed >> 33).unwrap_or(0)
    };
    (0..depth * width)
        .map(|n| {
            let layer = n / width;
            if layer == 0 {
                return vec![];
            }
            let mut needs: Vec<usize> = (0..count)
                .map(|_| (layer - 1) * width + next() % width)
                .collect();
            needs.sort_unstable();
            needs.dedup();
            needs
        })
        .collect()
}
