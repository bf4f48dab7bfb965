//! Sizes of the pools over time.

use std::collections::BTreeMap;

use sim_api::{Pool, WorkerChange, WorkerRef};
use sim_core::SimTime;

/// Sizes of the pools from an instant on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReplicaPoint {
    /// From when on.
    pub at: SimTime,
    /// The prefill pool; all zero in an aggregated deployment.
    pub prefill: PoolSize,
    /// The decode pool.
    pub decode: PoolSize,
}

/// Workers of a pool by state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolSize {
    /// Asked for, not yet taking requests.
    pub starting: u32,
    /// Taking requests.
    pub ready: u32,
    /// Finishing what they have.
    pub draining: u32,
}

impl PoolSize {
    /// Workers that hold their GPUs.
    pub fn total(self) -> u32 {
        self.starting + self.ready + self.draining
    }

    fn of(&mut self, state: State) -> &mut u32 {
        match state {
            State::Starting => &mut self.starting,
            State::Ready => &mut self.ready,
            State::Draining => &mut self.draining,
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum State {
    Starting,
    Ready,
    Draining,
}

/// Remembers every change of a worker's life.
#[derive(Clone, Debug, Default)]
pub(crate) struct ReplicaHistory {
    changes: Vec<(SimTime, WorkerRef, WorkerChange)>,
}

impl ReplicaHistory {
    pub(crate) fn add(&mut self, at: SimTime, worker: WorkerRef, change: WorkerChange) {
        self.changes.push((at, worker, change));
    }

    /// One point an instant at which something changed, ascending.
    pub(crate) fn points(&self) -> Vec<ReplicaPoint> {
        let mut changes = self.changes.clone();
        // Workers are told in any order among each other, each in its own order.
        changes.sort_by_key(|&(at, ..)| at);
        let mut states: BTreeMap<WorkerRef, State> = BTreeMap::new();
        let mut points: Vec<ReplicaPoint> = Vec::new();
        let mut now = ReplicaPoint::default();
        for (at, worker, change) in changes {
            let state = match change {
                WorkerChange::Starting => Some(State::Starting),
                WorkerChange::Ready => Some(State::Ready),
                WorkerChange::Draining => Some(State::Draining),
                WorkerChange::Cancelled | WorkerChange::Gone => None,
            };
            let before = match state {
                Some(state) => states.insert(worker, state),
                None => states.remove(&worker),
            };
            let pool = match worker.pool {
                Pool::Prefill => &mut now.prefill,
                Pool::Decode => &mut now.decode,
            };
            if let Some(before) = before {
                *pool.of(before) -= 1;
            }
            if let Some(state) = state {
                *pool.of(state) += 1;
            }
            now.at = at;
            match points.last_mut() {
                Some(last) if last.at == at => *last = now,
                _ => points.push(now),
            }
        }
        points
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim_api::WorkerId;

    #[test]
    fn workers_move_from_state_to_state() {
        let mut history = ReplicaHistory::default();
        let mut tell = |at, id, change| {
            let worker = WorkerRef {
                pool: Pool::Decode,
                id: WorkerId(id),
            };
            history.add(SimTime::from_ns(at), worker, change);
        };
        tell(0, 0, WorkerChange::Ready);
        tell(0, 1, WorkerChange::Ready);
        tell(5, 2, WorkerChange::Starting);
        tell(9, 2, WorkerChange::Cancelled);
        tell(7, 1, WorkerChange::Draining);
        tell(8, 1, WorkerChange::Gone);
        let sizes: Vec<_> = history
            .points()
            .iter()
            .map(|point| {
                let size = point.decode;
                (point.at.as_ns(), size.starting, size.ready, size.draining)
            })
            .collect();
        assert_eq!(
            sizes,
            [
                (0, 0, 2, 0),
                (5, 1, 2, 0),
                (7, 1, 1, 1),
                (8, 1, 1, 0),
                (9, 0, 1, 0)
            ]
        );
    }
}
