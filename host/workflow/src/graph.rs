//! The dependency graph as numbers: order, circles, and whether one task comes before another. Everything is
//! iterative and linear, since a planner chooses the shape. Must not know what a task is.

use std::{cell::Cell, collections::HashSet};

/// Steps that all questions "does A come before B?" may take together. An ordinary plan asks about direct needs,
/// which cost nothing; this bounds a plan made to be slow, to about a tenth of a second.
const STEPS: u64 = 4_000_000;

/// A graph: for each task the tasks it needs, sorted, without repeats and without itself.
pub(crate) struct Graph {
    needs: Vec<Vec<u32>>,
    /// Length of the longest chain below a task; absent for tasks in or behind a circle.
    level: Vec<Option<u32>>,
    steps: Cell<u64>,
}

impl Graph {
    /// Sorts the lists and drops repeats, self-references and indexes that are out of range.
    pub(crate) fn new(mut needs: Vec<Vec<u32>>) -> Self {
        let len = needs.len();
        for (i, list) in needs.iter_mut().enumerate() {
            list.sort_unstable();
            list.dedup();
            list.retain(|n| *n as usize != i && (*n as usize) < len);
        }
        let level = levels(&needs);
        Self {
            needs,
            level,
            steps: Cell::new(STEPS),
        }
    }

    pub(crate) fn needs(&self, task: u32) -> &[u32] {
        self.needs.get(task as usize).map_or(&[], Vec::as_slice)
    }

    /// Whether `task` needs `target`, directly or through others. `None`: too expensive to find out.
    pub(crate) fn before(&self, target: u32, task: u32) -> Option<bool> {
        if self.needs(task).binary_search(&target).is_ok() {
            return Some(true);
        }
        let level = |n: u32| self.level.get(n as usize).copied().flatten();
        // In a circle the question has no answer; the circle is reported instead.
        let (Some(floor), Some(_)) = (level(target), level(task)) else {
            return Some(true);
        };
        let mut seen = HashSet::new();
        let mut stack = vec![task];
        while let Some(at) = stack.pop() {
            for n in self.needs(at) {
                if *n == target {
                    return Some(true);
                }
                self.steps.set(self.steps.get().checked_sub(1)?);
                if level(*n) > Some(floor) && seen.insert(*n) {
                    stack.push(*n);
                }
            }
        }
        Some(false)
    }

    /// One circle for each group of tasks that need each other: each needs the next, the last needs the first.
    pub(crate) fn cycles(&self) -> Vec<Vec<u32>> {
        if self.level.iter().all(Option::is_some) {
            return Vec::new();
        }
        let mut circles: Vec<Vec<u32>> = self
            .groups()
            .into_iter()
            .filter(|g| g.len() > 1)
            .filter_map(|g| self.circle(&g))
            .collect();
        circles.sort();
        circles
    }

    /// The shortest circle through the first task of a group.
    fn circle(&self, group: &[u32]) -> Option<Vec<u32>> {
        let start = *group.iter().min()?;
        let inside: HashSet<u32> = group.iter().copied().collect();
        let mut from: std::collections::HashMap<u32, u32> = std::collections::HashMap::new();
        let mut queue = std::collections::VecDeque::from([start]);
        while let Some(at) = queue.pop_front() {
            for n in self.needs(at) {
                if *n == start {
                    let mut path = vec![at];
                    let mut back = at;
                    while back != start {
                        back = *from.get(&back)?;
                        path.push(back);
                    }
                    path.reverse();
                    return Some(path);
                }
                if inside.contains(n) && !from.contains_key(n) {
                    from.insert(*n, at);
                    queue.push_back(*n);
                }
            }
        }
        None
    }

    /// Tarjan's strongly connected components, with a stack of its own instead of recursion.
    fn groups(&self) -> Vec<Vec<u32>> {
        const NEW: u32 = u32::MAX;
        let len = self.needs.len();
        let (mut order, mut low, mut on_stack) =
            (vec![NEW; len], vec![0_u32; len], vec![false; len]);
        let (mut stack, mut groups, mut count) = (Vec::new(), Vec::new(), 0_u32);
        let get = |list: &[u32], i: u32| list.get(i as usize).copied().unwrap_or(NEW);
        let set = |list: &mut [u32], i: u32, v: u32| {
            if let Some(slot) = list.get_mut(i as usize) {
                *slot = v;
            }
        };
        let mark = |list: &mut [bool], i: u32, v: bool| {
            if let Some(slot) = list.get_mut(i as usize) {
                *slot = v;
            }
        };
        for root in 0..u32::try_from(len).unwrap_or(NEW) {
            // Tasks outside of circles have a level and need no visit.
            if get(&order, root) != NEW
                || self.level.get(root as usize).copied().flatten().is_some()
            {
                continue;
            }
            let mut work = vec![(root, 0_usize)];
            while let Some((node, edge)) = work.pop() {
                if edge == 0 {
                    set(&mut order, node, count);
                    set(&mut low, node, count);
                    count += 1;
                    stack.push(node);
                    mark(&mut on_stack, node, true);
                }
                match self.needs(node).get(edge) {
                    Some(&next) => {
                        work.push((node, edge + 1));
                        if get(&order, next) == NEW {
                            if self.level.get(next as usize).copied().flatten().is_none() {
                                work.push((next, 0));
                            }
                        } else if on_stack.get(next as usize) == Some(&true) {
                            let least = get(&low, node).min(get(&order, next));
                            set(&mut low, node, least);
                        }
                    }
                    None => {
                        if get(&low, node) == get(&order, node) {
                            let mut group = Vec::new();
                            while let Some(member) = stack.pop() {
                                mark(&mut on_stack, member, false);
                                group.push(member);
                                if member == node {
                                    break;
                                }
                            }
                            groups.push(group);
                        }
                        if let Some((parent, _)) = work.last() {
                            let least = get(&low, *parent).min(get(&low, node));
                            set(&mut low, *parent, least);
                        }
                    }
                }
            }
        }
        groups
    }
}

fn levels(needs: &[Vec<u32>]) -> Vec<Option<u32>> {
    let mut waiting: Vec<usize> = needs.iter().map(Vec::len).collect();
    let mut dependents: Vec<Vec<u32>> = vec![Vec::new(); needs.len()];
    for (i, list) in needs.iter().enumerate() {
        for n in list {
            if let (Some(slot), Ok(i)) = (dependents.get_mut(*n as usize), u32::try_from(i)) {
                slot.push(i);
            }
        }
    }
    let mut level: Vec<Option<u32>> = waiting.iter().map(|w| (*w == 0).then_some(0)).collect();
    let mut ready: Vec<usize> = (0..needs.len())
        .filter(|i| waiting.get(*i) == Some(&0))
        .collect();
    // A task's level is known when all its needs are done: one more than the highest of them.
    let mut highest = vec![0_u32; needs.len()];
    while let Some(at) = ready.pop() {
        let mine = level.get(at).copied().flatten().unwrap_or(0);
        for d in dependents.get(at).into_iter().flatten() {
            let d = *d as usize;
            if let (Some(w), Some(h), Some(l)) =
                (waiting.get_mut(d), highest.get_mut(d), level.get_mut(d))
            {
                *h = (*h).max(mine + 1);
                *w -= 1;
                if *w == 0 {
                    *l = Some(*h);
                    ready.push(d);
                }
            }
        }
    }
    level
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn circles_are_found_one_for_each_group() {
        let graph = Graph::new(vec![
            vec![1],
            vec![2, 3],
            vec![0],
            vec![4],
            vec![5],
            vec![4],
            vec![],
        ]);
        assert_eq!(graph.cycles(), [vec![0, 1, 2], vec![4, 5]]);
        assert!(
            Graph::new(vec![vec![], vec![0], vec![0, 1]])
                .cycles()
                .is_empty()
        );
    }

    #[test]
    fn a_long_chain_needs_no_stack() {
        let n = 100_000;
        let mut needs: Vec<Vec<u32>> = (0..n)
            .map(|i| if i == 0 { vec![] } else { vec![i - 1] })
            .collect();
        assert_eq!(Graph::new(needs.clone()).before(0, n - 1), Some(true));
        needs[0] = vec![n - 1];
        assert_eq!(Graph::new(needs).cycles()[0].len(), n as usize);
    }

    #[test]
    fn hostile_questions_run_out_of_steps() {
        let n = 10_000;
        let graph = Graph::new(
            (0..n)
                .map(|i: u32| if i < 2 { vec![] } else { vec![i - 1] })
                .collect(),
        );
        let answers: Vec<_> = (2..n).map(|i| graph.before(0, i)).collect();
        assert!(answers.contains(&None));
        assert!(!answers.contains(&Some(true)));
    }

    proptest! {
        #[test]
        fn agrees_with_a_naive_search(edges in proptest::collection::vec((0_u32..8, 0_u32..8), 0..20)) {
            let mut needs = vec![Vec::new(); 8];
            for (a, b) in edges {
                needs[a as usize].push(b);
            }
            let graph = Graph::new(needs);
            let mut reach = [[false; 8]; 8];
            for (a, row) in reach.iter_mut().enumerate() {
                for b in graph.needs(a as u32) {
                    row[*b as usize] = true;
                }
            }
            for k in 0..8 {
                for i in 0..8 {
                    for j in 0..8 {
                        reach[i][j] |= reach[i][k] && reach[k][j];
                    }
                }
            }
            let circular = (0..8).any(|i| reach[i][i]);
            prop_assert_eq!(!graph.cycles().is_empty(), circular);
            for circle in graph.cycles() {
                for (i, at) in circle.iter().enumerate() {
                    let next = circle[(i + 1) % circle.len()];
                    prop_assert!(graph.needs(*at).contains(&next));
                }
            }
            if !circular {
                for i in 0..8_u32 {
                    for j in 0..8_u32 {
                        prop_assert_eq!(graph.before(j, i), Some(reach[i as usize][j as usize]));
                    }
                }
            }
        }
    }
}
