//! How long workers held their GPUs.

use sim_api::{Pool, WorkerChange, WorkerProfile, WorkerRef};
use sim_core::SimTime;

use crate::summary::PoolUse;

/// Worker time of both pools: a worker holds its GPUs from the moment it is
/// asked for (starting included) until it is gone (draining included).
#[derive(Clone, Debug, Default)]
pub(crate) struct FleetTime {
    prefill: PoolTime,
    decode: PoolTime,
}

#[derive(Clone, Debug, Default)]
struct PoolTime {
    gpus: Option<u32>,
    /// By worker id: since when it holds its GPUs.
    since: Vec<Option<SimTime>>,
    released_ns: u128,
}

impl FleetTime {
    pub(crate) fn pool(&mut self, pool: Pool, profile: &WorkerProfile) {
        self.of(pool).gpus = Some(profile.gpus);
    }

    pub(crate) fn change(&mut self, at: SimTime, worker: WorkerRef, change: WorkerChange) {
        let pool = self.of(worker.pool);
        let index = worker.id.0 as usize;
        if pool.since.len() <= index {
            pool.since.resize(index + 1, None);
        }
        let since = &mut pool.since[index];
        match change {
            WorkerChange::Starting | WorkerChange::Ready | WorkerChange::Draining => {
                since.get_or_insert(at);
            }
            WorkerChange::Cancelled | WorkerChange::Gone => {
                if let Some(since) = since.take() {
                    pool.released_ns += u128::from(at.saturating_since(since).as_ns());
                }
            }
        }
    }

    /// The use of a pool up to `end`; `None` if the deployment has no such pool.
    pub(crate) fn usage(&self, pool: Pool, end: SimTime) -> Option<PoolUse> {
        let pool = match pool {
            Pool::Prefill => &self.prefill,
            Pool::Decode => &self.decode,
        };
        let held: u128 = pool
            .since
            .iter()
            .flatten()
            .map(|&since| u128::from(end.saturating_since(since).as_ns()))
            .sum();
        Some(PoolUse {
            gpus_per_worker: pool.gpus?,
            worker_seconds: (pool.released_ns + held) as f64 / 1e9,
        })
    }

    fn of(&mut self, pool: Pool) -> &mut PoolTime {
        match pool {
            Pool::Prefill => &mut self.prefill,
            Pool::Decode => &mut self.decode,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim_api::{Role, WorkerId};

    #[test]
    fn starting_and_draining_workers_are_charged() {
        let mut fleet = FleetTime::default();
        fleet.pool(
            Pool::Decode,
            &WorkerProfile {
                block_tokens: 16,
                blocks: 10,
                max_batched_tokens: None,
                max_sequences: None,
                role: Role::Aggregated,
                gpus: 2,
                draft_tokens: 0,
            },
        );
        let worker = |id| WorkerRef {
            pool: Pool::Decode,
            id: WorkerId(id),
        };
        let at = |s: u64| SimTime::from_ns(s * 1_000_000_000);
        fleet.change(at(0), worker(0), WorkerChange::Ready);
        fleet.change(at(10), worker(1), WorkerChange::Starting);
        fleet.change(at(20), worker(1), WorkerChange::Ready);
        fleet.change(at(30), worker(1), WorkerChange::Draining);
        fleet.change(at(45), worker(1), WorkerChange::Gone);
        fleet.change(at(50), worker(2), WorkerChange::Starting);
        fleet.change(at(55), worker(2), WorkerChange::Cancelled);
        let usage = fleet.usage(Pool::Decode, at(100)).unwrap();
        assert!((usage.worker_seconds - 140.0).abs() < 1e-9);
        assert!((usage.gpu_hours() - 280.0 / 3600.0).abs() < 1e-12);
        assert!(fleet.usage(Pool::Prefill, at(100)).is_none());
    }
}
