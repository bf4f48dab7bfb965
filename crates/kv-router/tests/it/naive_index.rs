//! The index by hashes at its plainest: a tree of one node a block, a map of
//! names per worker, nothing shared and nothing freed.

use std::collections::{BTreeMap, BTreeSet};

use kv_router::{EarlyExit, LocalHash, Matching, WorkerKey};

const ROOT: usize = 0;

/// What became of an operation.
#[derive(Debug, PartialEq)]
pub(crate) enum Outcome {
    Done,
    NoParent,
    OwnParent,
    /// The first unknown name.
    Unknown(u64),
}

#[derive(Clone, Default)]
struct Node {
    children: BTreeMap<u64, usize>,
    holders: BTreeSet<WorkerKey>,
}

pub(crate) struct NaiveTree {
    nodes: Vec<Node>,
    names: BTreeMap<WorkerKey, BTreeMap<u64, usize>>,
}

impl Default for NaiveTree {
    fn default() -> Self {
        Self {
            nodes: vec![Node::default()],
            names: BTreeMap::new(),
        }
    }
}

impl NaiveTree {
    pub(crate) fn store(
        &mut self,
        worker: WorkerKey,
        parent: Option<u64>,
        blocks: &[(u64, u64)],
    ) -> Outcome {
        let names = self.names.entry(worker).or_default();
        let mut at = match parent {
            None => ROOT,
            Some(parent) => match names.get(&parent) {
                Some(&node) => node,
                None => return Outcome::NoParent,
            },
        };
        for &(local, name) in blocks {
            let node = match self.nodes[at].children.get(&local) {
                Some(&child) => child,
                None => {
                    let known = names.get(&name).copied();
                    let node = known.unwrap_or_else(|| {
                        self.nodes.push(Node::default());
                        self.nodes.len() - 1
                    });
                    if node == at {
                        return Outcome::OwnParent;
                    }
                    self.nodes[at].children.insert(local, node);
                    node
                }
            };
            names.insert(name, node);
            self.nodes[node].holders.insert(worker);
            at = node;
        }
        Outcome::Done
    }

    pub(crate) fn remove(&mut self, worker: WorkerKey, names: &[u64]) -> Outcome {
        let mut outcome = Outcome::Done;
        for &name in names {
            match self.names.entry(worker).or_default().remove(&name) {
                Some(node) => self.leave(worker, node),
                None if outcome == Outcome::Done => outcome = Outcome::Unknown(name),
                None => {}
            }
            self.drop_unnamed(worker);
        }
        outcome
    }

    fn leave(&mut self, worker: WorkerKey, node: usize) {
        let node = &mut self.nodes[node];
        node.holders.remove(&worker);
        if node.holders.is_empty() {
            node.children.clear();
        }
    }

    /// A worker without names holds nothing, and a tree without names is empty.
    fn drop_unnamed(&mut self, worker: WorkerKey) {
        if self.names.get(&worker).is_none_or(BTreeMap::is_empty) {
            for node in 1..self.nodes.len() {
                if self.nodes[node].holders.contains(&worker) {
                    self.leave(worker, node);
                }
            }
        }
        if self.names.values().all(BTreeMap::is_empty) {
            self.nodes = vec![Node::default()];
        }
    }

    fn drop_rank(&mut self, worker: WorkerKey) {
        let names = std::mem::take(self.names.entry(worker).or_default());
        for node in names.into_values() {
            self.leave(worker, node);
        }
        self.drop_unnamed(worker);
    }

    pub(crate) fn clear(&mut self, worker: WorkerKey) {
        self.names.entry(worker).or_default();
        let ranks: Vec<WorkerKey> = self.names.keys().copied().collect();
        for rank in ranks.into_iter().filter(|rank| rank.id == worker.id) {
            self.drop_rank(rank);
        }
    }

    pub(crate) fn forget(&mut self, who: impl Fn(WorkerKey) -> bool) {
        let ranks: Vec<WorkerKey> = self.names.keys().copied().collect();
        for rank in ranks.into_iter().filter(|&rank| who(rank)) {
            self.drop_rank(rank);
            self.names.remove(&rank);
        }
    }

    pub(crate) fn sizes(&self) -> BTreeMap<WorkerKey, usize> {
        let sizes = self.names.iter();
        sizes
            .map(|(&worker, names)| (worker, names.len()))
            .collect()
    }

    pub(crate) fn names(&self) -> Vec<(WorkerKey, Vec<u64>)> {
        let names = self.names.iter();
        names
            .map(|(&worker, names)| (worker, names.keys().copied().collect()))
            .collect()
    }

    pub(crate) fn query(
        &self,
        prompt: &[LocalHash],
        matching: Matching,
        early_exit: EarlyExit,
    ) -> BTreeMap<WorkerKey, u32> {
        let mut depths = BTreeMap::new();
        let mut at = ROOT;
        let mut active: Option<BTreeSet<WorkerKey>> = None;
        let mut depth = 0;
        for local in prompt {
            let left = active.as_ref().map(BTreeSet::len);
            if left == Some(1) && early_exit == EarlyExit::OneWorkerLeft {
                break;
            }
            let Some(&child) = self.nodes[at].children.get(&local.0) else {
                break;
            };
            let holders = &self.nodes[child].holders;
            let same = matching == Matching::ReferenceShortcuts && left == Some(holders.len());
            let stay = match &active {
                None => holders.clone(),
                Some(active) if same => active.clone(),
                Some(active) => active & holders,
            };
            let gone = active
                .iter()
                .flatten()
                .filter(|worker| !stay.contains(worker));
            depths.extend(gone.map(|&worker| (worker, depth)));
            active = Some(stay);
            at = child;
            depth += 1;
        }
        depths.extend(active.into_iter().flatten().map(|worker| (worker, depth)));
        depths
    }
}
