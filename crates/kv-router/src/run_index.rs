//! Which worker holds how much of which prompt, by runs of KV blocks.

use hashbrown::HashMap;
use rustc_hash::FxBuildHasher;
use sim_api::{KvChange, KvRun, SegmentId, WorkerId};

/// Resident prefixes of every worker, per segment.
///
/// Costs O(workers of the segment) a change and O(runs x workers) a query.
#[derive(Debug, Default)]
pub struct RunIndex {
    segments: HashMap<SegmentId, Vec<(WorkerId, u32)>, FxBuildHasher>,
}

impl RunIndex {
    /// Applies one change of a worker's cache.
    pub fn apply(&mut self, worker: WorkerId, change: KvChange) {
        match change {
            KvChange::Stored { run } => {
                let holders = self.segments.entry(run.segment).or_default();
                match holders.iter_mut().find(|holder| holder.0 == worker) {
                    Some(holder) => holder.1 = holder.1.max(run.blocks),
                    None => holders.push((worker, run.blocks)),
                }
            }
            KvChange::Removed { run, keep } => {
                let Some(holders) = self.segments.get_mut(&run.segment) else {
                    return;
                };
                if let Some(at) = holders.iter().position(|holder| holder.0 == worker) {
                    holders[at].1 = holders[at].1.min(keep);
                    if keep == 0 {
                        holders.swap_remove(at);
                    }
                }
                if holders.is_empty() {
                    self.segments.remove(&run.segment);
                }
            }
        }
    }

    /// Forgets a worker.
    pub fn purge(&mut self, worker: WorkerId) {
        self.segments.retain(|_, holders| {
            holders.retain(|holder| holder.0 != worker);
            !holders.is_empty()
        });
    }

    /// Leading blocks of the path that are resident on the worker without a gap.
    pub fn depth(&self, worker: WorkerId, path: &[KvRun]) -> u32 {
        let mut depth = 0;
        for run in path {
            let held = self
                .segments
                .get(&run.segment)
                .and_then(|holders| holders.iter().find(|holder| holder.0 == worker))
                .map_or(0, |holder| holder.1.min(run.blocks));
            depth += held;
            if held < run.blocks {
                break;
            }
        }
        depth
    }

    /// Adds the segments that are resident anywhere, in any order.
    pub fn add_segments(&self, out: &mut Vec<SegmentId>) {
        out.extend(self.segments.keys());
    }

    /// Whether nothing is resident anywhere.
    pub fn is_empty(&self) -> bool {
        self.segments.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(segment: u32, blocks: u32) -> KvRun {
        KvRun {
            segment: SegmentId(segment),
            blocks,
        }
    }

    #[test]
    fn a_depth_stops_at_the_first_gap_and_a_purge_leaves_nothing() {
        let mut index = RunIndex::default();
        let path = [run(0, 4), run(1, 3)];
        for stored in path {
            index.apply(WorkerId(7), KvChange::Stored { run: stored });
        }
        assert_eq!(index.depth(WorkerId(7), &path), 7);
        assert_eq!(index.depth(WorkerId(8), &path), 0);
        index.apply(
            WorkerId(7),
            KvChange::Removed {
                run: path[0],
                keep: 2,
            },
        );
        assert_eq!(index.depth(WorkerId(7), &path), 2);
        index.purge(WorkerId(7));
        assert!(index.is_empty());
    }
}
